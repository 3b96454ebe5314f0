#include <peerwall/bug.h>
#include <peerwall/ruleset.h>

#include <string.h>

const char *const table_names[TABLE_COUNT] = {"raw", "mangle", "nat", "filter", "security"};
const char *const hook_names[HOOK_COUNT] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};

bool table_has_hook(enum table_id table, enum hook hook)
{
	static const unsigned hooks[TABLE_COUNT] = {
		[TABLE_RAW] = 1u << HOOK_PREROUTING | 1u << HOOK_OUTPUT,
		[TABLE_MANGLE] = 1u << HOOK_PREROUTING | 1u << HOOK_INPUT | 1u << HOOK_FORWARD | 1u << HOOK_OUTPUT |
				 1u << HOOK_POSTROUTING,
		[TABLE_NAT] = 1u << HOOK_PREROUTING | 1u << HOOK_INPUT | 1u << HOOK_OUTPUT | 1u << HOOK_POSTROUTING,
		[TABLE_FILTER] = 1u << HOOK_INPUT | 1u << HOOK_FORWARD | 1u << HOOK_OUTPUT,
		[TABLE_SECURITY] = 1u << HOOK_INPUT | 1u << HOOK_FORWARD | 1u << HOOK_OUTPUT,
	};

	return hooks[table] >> hook & 1;
}

void ruleset_init(struct ruleset *ruleset, enum family family, struct arena *arena)
{
	*ruleset = (struct ruleset){.family = family, .arena = arena};
	for (int id = 0; id < TABLE_COUNT; id++) {
		ruleset->tables[id].id = (enum table_id)id;
		intern_init(&ruleset->tables[id].names, arena);
	}
}

struct table *ruleset_table(struct ruleset *ruleset, enum table_id id)
{
	ruleset->tables[id].present = true;
	return &ruleset->tables[id];
}

static bool name_is(const char *name, const char *bytes, size_t size)
{
	return strlen(name) == size && memcmp(name, bytes, size) == 0;
}

bool table_id_find(const char *name, size_t size, enum table_id *out)
{
	for (int id = 0; id < TABLE_COUNT; id++)
		if (name_is(table_names[id], name, size)) {
			*out = (enum table_id)id;
			return true;
		}
	return false;
}

struct chain *table_find_chain(const struct table *table, const char *name, size_t size)
{
	uint32_t number = intern_find(&table->names, name, size);

	return number == INTERN_NONE ? NULL : &table->chains.data[number];
}

struct chain *table_add_chain(struct ruleset *ruleset, struct table *table, const char *name, size_t size)
{
	struct chain *chain = table_find_chain(table, name, size);
	struct chain fresh = {0};
	uint32_t number;

	if (chain)
		return chain;
	number = intern_add(&table->names, name, size);
	fresh.name = table->names.strings[number];
	for (int hook = 0; hook < HOOK_COUNT; hook++)
		if (table_has_hook(table->id, (enum hook)hook) && name_is(hook_names[hook], name, size)) {
			fresh.builtin = true;
			fresh.hook = (enum hook)hook;
		}
	vec_push(ruleset->arena, &table->chains, fresh);
	BUG_ON(table->chains.len != (size_t)number + 1);
	return &table->chains.data[number];
}

struct rule *chain_add_rule(struct ruleset *ruleset, struct chain *chain)
{
	vec_push(ruleset->arena, &chain->rules, (struct rule){0});
	return &chain->rules.data[chain->rules.len - 1];
}

struct match *rule_add_match(struct ruleset *ruleset, struct rule *rule, enum module_id module)
{
	vec_push(ruleset->arena, &rule->matches, (struct match){.module = module});
	return &rule->matches.data[rule->matches.len - 1];
}

struct option *match_add_option(struct ruleset *ruleset, struct match *match, enum option_id option)
{
	static const enum value_kind kinds[OPTION_COUNT] = {
#define MODULE(id, name, kind)
#define OPTION(module, id, spelling, value, flags, names) [OPTION_##module##_##id] = VALUE_##value,
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
	};

	vec_push(ruleset->arena, &match->options, (struct option){.id = option, .value.kind = kinds[option]});
	return &match->options.data[match->options.len - 1];
}

static void set_network(struct network_match *network, const struct prefix *prefix)
{
	struct prefix masked = prefix_masked(prefix);

	if (prefix->length == 0)
		return;
	network->present = true;
	network->addr = masked.addr;
	network->mask = addr_netmask(masked.addr.family, masked.length);
}

void rule_set_source(struct rule *rule, const struct prefix *prefix)
{
	set_network(&rule->source, prefix);
}

void rule_set_destination(struct rule *rule, const struct prefix *prefix)
{
	set_network(&rule->destination, prefix);
}

const char *module_name(const struct match *match)
{
	static const char *const names[MODULE_COUNT] = {
#define MODULE(id, name, kind) [MODULE_##id] = name,
#define OPTION(module, id, spelling, value, flags, names)
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
	};

	return match->module == MODULE_OPAQUE ? match->opaque_name : names[match->module];
}
