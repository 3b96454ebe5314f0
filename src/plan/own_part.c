#include "own_part.h"

#include <string.h>

void names_index(struct intern *out, const struct name_list *names, struct arena *arena)
{
	intern_init(out, arena);
	vec_each(name, &names->items)
		intern_add(out, *name, strlen(*name));
}

static bool names_hold(const struct intern *names, const char *name)
{
	return intern_find(names, name, strlen(name)) != INTERN_NONE;
}

void own_jumps(struct own_jump_list *out, const struct ruleset *live, enum table_id table,
	       const struct intern *interfaces, struct arena *arena)
{
	vec_each(chain, &live->tables[table].chains) {
		if (!chain->builtin)
			continue;
		for (size_t i = 0; i < chain->rules.len; i++) {
			const struct rule *rule = &chain->rules.data[i];
			const char *interface = own_jump_interface(arena, rule);

			if (interface && names_hold(interfaces, interface))
				vec_push(arena, &out->items, (struct own_jump){chain->name, chain->hook, interface, i, rule});
		}
	}
}

void own_chains(struct chain_list *out, const struct ruleset *live, enum table_id table,
		const struct intern *interfaces, struct arena *arena)
{
	vec_each(chain, &live->tables[table].chains) {
		const char *interface = chain->builtin ? NULL : own_chain_interface(arena, chain->name);

		if (interface && names_hold(interfaces, interface))
			vec_push(arena, &out->items, chain);
	}
}

void plan_own_interfaces(struct name_list *out, const struct ruleset *live, struct arena *arena)
{
	struct intern seen;

	intern_init(&seen, arena);
	vec_each(known, &out->items)
		intern_add(&seen, *known, strlen(*known));
	for (int table = 0; table < TABLE_COUNT; table++)
		vec_each(chain, &live->tables[table].chains) {
			const char *interface = chain->builtin ? NULL : own_chain_interface(arena, chain->name);

			if (!interface || intern_find(&seen, interface, strlen(interface)) != INTERN_NONE)
				continue;
			intern_add(&seen, interface, strlen(interface));
			vec_push(arena, &out->items, interface);
		}
}

/* ---- taking a part ---- */

static void copy_rules(struct ruleset *out, enum table_id table, const struct chain *from)
{
	struct chain *to = table_add_chain(out, ruleset_table(out, table), from->name, strlen(from->name));

	vec_each(rule, &from->rules)
		*chain_add_rule(out, to) = *rule;
}

void plan_own_part(struct ruleset *out, const struct ruleset *live, const struct name_list *interfaces,
		   struct arena *arena)
{
	struct intern names;

	names_index(&names, interfaces, arena);
	ruleset_init(out, live->family, arena);
	for (int id = 0; id < TABLE_COUNT; id++) {
		enum table_id table = (enum table_id)id;
		struct chain_list chains = {0};
		struct own_jump_list jumps = {0};

		own_chains(&chains, live, table, &names, arena);
		vec_each(chain, &chains.items)
			copy_rules(out, table, *chain);
		own_jumps(&jumps, live, table, &names, arena);
		vec_each(jump, &jumps.items) {
			struct table *own = ruleset_table(out, table);
			struct chain *chain = table_add_chain(out, own, jump->chain, strlen(jump->chain));

			*chain_add_rule(out, chain) = *jump->rule;
		}
	}
}

void plan_want(struct ruleset *out, enum family family, const struct unit_list *units, struct arena *arena)
{
	ruleset_init(out, family, arena);
	vec_each(unit, &units->items)
		for (int table = 0; table < TABLE_COUNT; table++)
			vec_each(chain, &unit->rules[family].tables[table].chains)
				copy_rules(out, (enum table_id)table, chain);
}

/* ---- foreign rules around our jumps ---- */

/* In mangle and security an ACCEPT before our jump would let a packet by; in filter order is others' business. */
static bool order_matters(enum table_id table)
{
	return table == TABLE_MANGLE || table == TABLE_SECURITY;
}

static bool interfaces_may_meet(const struct interface_match *foreign, const struct interface_match *own)
{
	if (!foreign->name || !own->name)
		return true;
	if (foreign->negated)
		return true;
	return interface_names_overlap(foreign->name, own->name);
}

/* Targets that never end the walk through a table, by iptables-extensions(8). */
static bool goes_on(const struct match *extension)
{
	static const char *const names[] = {"LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "TRACE", "TCPMSS", "DSCP", "TOS",
					    "TTL", "HL", "CLASSIFY", "CHECKSUM", "CONNSECMARK", "SECMARK", "SET",
					    "AUDIT", "LED", "RATEEST", "IDLETIMER", "ECN", "TCPOPTSTRIP", "HMARK", "TEE"};
	const char *name = module_name(extension);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* What is known of each chain of a table: it is looked into once. The kernel lets no chains call each other in a circle. */
enum chain_answer { CHAIN_UNKNOWN, CHAIN_GOES_ON, CHAIN_MAY_ACCEPT };

static bool chain_may_accept(const struct table *table, const struct chain *chain, enum chain_answer *answers);

static bool rule_may_accept(const struct table *table, const struct rule *rule, enum chain_answer *answers)
{
	const struct chain *chain;

	if (rule->opaque)
		return true;
	switch (rule->target.kind) {
	case TARGET_NONE:
	case TARGET_DROP:
		return false;
	case TARGET_ACCEPT:
		return true;
	case TARGET_RETURN:
		/* In a built-in chain its policy decides, which is ACCEPT; in another one the walk goes on. */
		return false;
	case TARGET_JUMP:
	case TARGET_GOTO:
		chain = table_find_chain(table, rule->target.chain, strlen(rule->target.chain));
		return !chain || rule->target.kind == TARGET_GOTO || chain_may_accept(table, chain, answers);
	case TARGET_EXTENSION:
		return !goes_on(&rule->target.extension);
	}
	return true;
}

static bool chain_may_accept(const struct table *table, const struct chain *chain, enum chain_answer *answers)
{
	enum chain_answer *answer = &answers[chain - table->chains.data];

	if (*answer != CHAIN_UNKNOWN)
		return *answer == CHAIN_MAY_ACCEPT;
	/* Until it is known, which ends the walk in any case. */
	*answer = CHAIN_GOES_ON;
	vec_each(rule, &chain->rules)
		if (rule_may_accept(table, rule, answers)) {
			*answer = CHAIN_MAY_ACCEPT;
			break;
		}
	return *answer == CHAIN_MAY_ACCEPT;
}

void obstacles_find(struct obstacles *out, const struct ruleset *live, enum table_id id, struct arena *arena)
{
	const struct table *table = &live->tables[id];
	enum chain_answer *answers;

	*out = (struct obstacles){0};
	if (!order_matters(id))
		return;
	answers = arena_zalloc(arena, table->chains.len * sizeof *answers);
	vec_each(chain, &table->chains)
		for (size_t i = 0; chain->builtin && i < chain->rules.len; i++) {
			const struct rule *rule = &chain->rules.data[i];

			if (!own_jump_interface(arena, rule) &&
			    (rule->target.kind == TARGET_RETURN || rule_may_accept(table, rule, answers)))
				vec_push(arena, &out->of[chain->hook], (struct obstacle){i, rule});
		}
}

const struct obstacle *jump_overtaker(const struct obstacles *obstacles, const struct own_jump *jump)
{
	vec_each(obstacle, &obstacles->of[jump->hook]) {
		if (obstacle->index >= jump->index)
			break;
		if (interfaces_may_meet(&obstacle->rule->in, &jump->rule->in) &&
		    interfaces_may_meet(&obstacle->rule->out, &jump->rule->out))
			return obstacle;
	}
	return NULL;
}

/* A chain that only turns away single sources and otherwise goes on: what fail2ban and its like keep. */
static bool is_ban_list(const struct chain *chain)
{
	vec_each(rule, &chain->rules) {
		bool refuses = rule->target.kind == TARGET_DROP ||
			       (rule->target.kind == TARGET_EXTENSION &&
				rule->target.extension.module == MODULE_T_REJECT);
		bool single = rule->source.present || rule->matches.len > 0;

		if (rule->opaque || !(rule->target.kind == TARGET_RETURN || (refuses && single)))
			return false;
	}
	return true;
}

static bool jumps_to_ban_list(const struct table *table, const struct rule *rule)
{
	const struct chain *chain;

	if (rule->opaque || rule->target.kind != TARGET_JUMP)
		return false;
	chain = table_find_chain(table, rule->target.chain, strlen(rule->target.chain));
	return chain && is_ban_list(chain);
}

unsigned jump_place(const struct ruleset *live, enum table_id id, const struct chain *chain,
		    const struct own_jump_list *staying, const struct intern *interfaces, struct arena *arena)
{
	const struct table *table = &live->tables[id];
	unsigned kept = 0, place = 1;
	bool *stays;

	if (!chain || id != TABLE_FILTER)
		return 1;
	stays = arena_zalloc(arena, chain->rules.len * sizeof *stays);
	vec_each(jump, &staying->items)
		if (jump->hook == chain->hook)
			stays[jump->index] = true;
	for (size_t i = 0; i < chain->rules.len; i++) {
		const struct rule *rule = &chain->rules.data[i];
		const char *interface = own_jump_interface(arena, rule);

		if (interface) {
			/* Ours: counted where it stays. */
			kept += !names_hold(interfaces, interface) || stays[i];
		} else if (jumps_to_ban_list(table, rule)) {
			kept++;
			place = kept + 1;
		} else {
			break;
		}
	}
	return place;
}
