#include <peerwall/bug.h>
#include <peerwall/emit.h>
#include <peerwall/payload.h>

#include <string.h>

const char *const payload_names[PAYLOAD_KIND_COUNT] = {"up", "reload", "down"};

/* What denies first, what grants last: see plan_make(). Down is the same backwards. */
static const enum table_id table_order[] = {TABLE_SECURITY, TABLE_MANGLE, TABLE_FILTER};
#define TABLE_ORDER_COUNT (sizeof table_order / sizeof *table_order)

static void command(struct arena *arena, struct edit *edit, struct command what)
{
	vec_push(arena, &edit->commands, what);
}

static void command_chains(struct arena *arena, struct edit *edit, const struct table *table, enum command_kind kind)
{
	vec_each(chain, &table->chains)
		if (!chain->builtin)
			command(arena, edit, (struct command){.kind = kind, .chain = chain->name});
}

static void command_rules(struct arena *arena, struct edit *edit, const struct table *table)
{
	vec_each(chain, &table->chains)
		for (size_t i = 0; !chain->builtin && i < chain->rules.len; i++)
			command(arena, edit,
				(struct command){.kind = COMMAND_APPEND, .chain = chain->name,
						 .rule = &chain->rules.data[i]});
}

static void command_fill(struct arena *arena, struct edit *edit, const struct table *table)
{
	command_chains(arena, edit, table, COMMAND_CHAIN);
	command_rules(arena, edit, table);
}

static void command_jumps(struct arena *arena, struct edit *edit, const struct table *table, enum command_kind kind)
{
	vec_each(chain, &table->chains)
		for (size_t i = chain->builtin ? chain->rules.len : 0; i-- > 0;)
			command(arena, edit,
				(struct command){.kind = kind, .chain = chain->name, .position = 1,
						 .rule = &chain->rules.data[i]});
}

static struct edit make_edit(struct arena *arena, const struct table *table, enum payload_kind kind)
{
	struct edit edit = {.table = table->id};

	switch (kind) {
	case PAYLOAD_UP:
		command_fill(arena, &edit, table);
		command_jumps(arena, &edit, table, COMMAND_INSERT);
		return edit;
	case PAYLOAD_RELOAD:
		command_jumps(arena, &edit, table, COMMAND_ASSERT);
		command_fill(arena, &edit, table);
		return edit;
	case PAYLOAD_DOWN:
		command_jumps(arena, &edit, table, COMMAND_DELETE);
		command_chains(arena, &edit, table, COMMAND_FLUSH);
		command_chains(arena, &edit, table, COMMAND_DELETE_CHAIN);
		return edit;
	}
	BUG("payload %d", (int)kind);
}

static const struct table *table_in_order(const struct unit *unit, enum family family, size_t place, bool backwards)
{
	size_t index = backwards ? TABLE_ORDER_COUNT - 1 - place : place;

	return &unit->rules[family].tables[table_order[index]];
}

void payload_make(struct plan *out, const struct unit *unit, enum family family, enum payload_kind kind,
		  struct arena *arena)
{
	*out = (struct plan){.family = family};
	for (size_t i = 0; i < TABLE_ORDER_COUNT; i++) {
		const struct table *table = table_in_order(unit, family, i, kind == PAYLOAD_DOWN);

		if (table->present)
			vec_push(arena, &out->edits, make_edit(arena, table, kind));
	}
}

/* ---- the script ---- */

static void script_payload(struct strbuf *out, enum family family, const struct edit *edit, const char *caller)
{
	strbuf_addf(out, "%s <<'PAYLOAD'", caller);
	strbuf_addc(out, '\n');
	emit_edit(out, family, edit);
	strbuf_adds(out, "PAYLOAD\n");
}

/* One jump at the top of its chain, from two, one or none; or none of it, from two or one. */
static void script_jump(struct strbuf *out, struct arena *arena, enum family family, enum table_id table,
			const char *chain, const struct rule *rule, bool up)
{
	const struct command delete = {.kind = COMMAND_DELETE, .chain = chain, .rule = rule};
	const struct command insert = {.kind = COMMAND_INSERT, .chain = chain, .rule = rule, .position = 1};

	for (int present = 2; present >= (up ? 0 : 1); present--) {
		struct edit edit = {.table = table};
		const char *caller = present == 2 ? "try" : "was_loaded || try";

		for (int i = 0; i < present; i++)
			command(arena, &edit, delete);
		if (up)
			command(arena, &edit, insert);
		script_payload(out, family, &edit, up && present == 0 ? "was_loaded || load" : caller);
	}
}

static void script_jumps(struct strbuf *out, struct arena *arena, enum family family, const struct table *table, bool up)
{
	vec_each(chain, &table->chains)
		for (size_t i = chain->builtin ? chain->rules.len : 0; i-- > 0;)
			script_jump(out, arena, family, table->id, chain->name, &chain->rules.data[i], up);
}

static void script_up(struct strbuf *out, struct arena *arena, enum family family, const struct table *table)
{
	struct edit fill = {.table = table->id};

	command_fill(arena, &fill, table);
	script_payload(out, family, &fill, "load");
	script_jumps(out, arena, family, table, true);
}

/* Declaring a chain makes sure that there is one to delete. */
static void script_down(struct strbuf *out, struct arena *arena, enum family family, const struct table *table)
{
	struct edit clean = {.table = table->id};

	script_jumps(out, arena, family, table, false);
	command_chains(arena, &clean, table, COMMAND_CHAIN);
	command_chains(arena, &clean, table, COMMAND_DELETE_CHAIN);
	script_payload(out, family, &clean, "load");
}

/* ---- what another policy for the same interface has left ---- */

static bool has_chain(const struct table *table, const char *name)
{
	return table_find_chain(table, name, strlen(name)) != NULL;
}

/* A table has one jump to each of its chains, from one place. */
static bool has_jump(const struct table *table, const char *chain, const struct rule *jump)
{
	const struct chain *from = table_find_chain(table, chain, strlen(chain));

	for (size_t i = 0; from && i < from->rules.len; i++)
		if (strcmp(from->rules.data[i].target.chain, jump->target.chain) == 0)
			return true;
	return false;
}

static void script_clear_chain(struct strbuf *out, struct arena *arena, enum family family, enum table_id table,
			       const char *name)
{
	struct edit edit = {.table = table};

	command(arena, &edit, (struct command){.kind = COMMAND_FLUSH, .chain = name});
	command(arena, &edit, (struct command){.kind = COMMAND_DELETE_CHAIN, .chain = name});
	script_payload(out, family, &edit, "try");
}

static void script_clear(struct strbuf *out, struct arena *arena, enum family family, const struct table *any,
			 const struct table *own)
{
	vec_each(chain, &any->chains)
		for (size_t i = 0; chain->builtin && i < chain->rules.len; i++)
			if (!has_jump(own, chain->name, &chain->rules.data[i]))
				script_jump(out, arena, family, any->id, chain->name, &chain->rules.data[i], false);
	vec_each(chain, &any->chains)
		if (!chain->builtin && !has_chain(own, chain->name))
			script_clear_chain(out, arena, family, any->id, chain->name);
}

/* Shared chains are numbered without a gap, so the first that is not there is the end of them. */
static void script_clear_shared(struct strbuf *out, const struct unit *unit, struct arena *arena, enum family family)
{
	const struct table *filter = &unit->rules[family].tables[TABLE_FILTER];
	const char *prefix = own_chain_name(arena, unit->interface, "$shared");
	unsigned next = 1;

	while (has_chain(filter, own_chain_name(arena, unit->interface, arena_printf(arena, "%u", next))))
		next++;
	strbuf_addf(out, "shared=%u\nloaded=yes\nwhile was_loaded && [ \"$shared\" -le 9999 ]; do\n", next);
	strbuf_addf(out, "try <<PAYLOAD\n*filter\n-F %s\n-X %s\nCOMMIT\nPAYLOAD\n", prefix, prefix);
	strbuf_adds(out, "shared=$((shared + 1))\ndone\n");
}

/* In the order of down: what is left there only ever denies more, until the last of it is gone. */
static void script_leftovers(struct strbuf *out, const struct unit *unit, struct arena *arena, enum family family)
{
	struct ruleset any;

	lower_skeleton(&any, unit->interface, family, arena);
	strbuf_adds(out, "# What another policy for this interface may have left\n");
	for (size_t i = TABLE_ORDER_COUNT; i-- > 0;)
		script_clear(out, arena, family, &any.tables[table_order[i]], &unit->rules[family].tables[table_order[i]]);
	script_clear_shared(out, unit, arena, family);
}

static void script_action(struct strbuf *out, const struct unit *unit, struct arena *arena, bool up)
{
	static const char *const tools[FAMILY_COUNT] = {"iptables-restore", "ip6tables-restore"};

	strbuf_addf(out, "%s()\n{\n", up ? "up" : "down");
	for (int family = 0; family < FAMILY_COUNT; family++) {
		strbuf_addf(out, "restore=\"$%s\"\n", family == FAMILY_IPV4 ? "ipv4_restore" : "ipv6_restore");
		strbuf_addf(out, "if has_%s; then\n", family == FAMILY_IPV4 ? "ipv4" : "ipv6");
		for (size_t i = 0; i < TABLE_ORDER_COUNT; i++) {
			const struct table *table = table_in_order(unit, (enum family)family, i, !up);

			if (!table->present)
				continue;
			strbuf_addf(out, "# %s, %s\n", tools[family], table_names[table->id]);
			if (up)
				script_up(out, arena, (enum family)family, table);
			else
				script_down(out, arena, (enum family)family, table);
		}
		script_leftovers(out, unit, arena, (enum family)family);
		strbuf_adds(out, "fi\n");
	}
	strbuf_adds(out, "}\n");
}

void payload_script(struct strbuf *out, const struct unit *unit, struct arena *arena)
{
	strbuf_adds(out,
		    "#!/bin/sh\n"
		    "# Written by peerwall: puts its rules for one interface in force (`up`) and takes them away (`down`).\n"
		    "# Either may be run again, and finishes what a run that was cut short, or another policy for the\n"
		    "# same interface, has left.\n"
		    "# It needs no peerwall, only iptables-restore and ip6tables-restore of one backend; where several\n"
		    "# are installed, IPTABLES_RESTORE and IP6TABLES_RESTORE choose.\n"
		    "set -u\n"
		    "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
		    "ipv4_restore=\"${IPTABLES_RESTORE:-iptables-restore}\"\n"
		    "ipv6_restore=\"${IP6TABLES_RESTORE:-ip6tables-restore}\"\n"
		    "restore=\n"
		    "loaded=\n"
		    "\n"
		    "has_ipv4() { true; }\n"
		    "has_ipv6() { [ -e /proc/sys/net/ipv6 ]; }\n"
		    "\n"
		    "# A payload that has to load.\n"
		    "load()\n"
		    "{\n"
		    "\t\"$restore\" --noflush -w 5 || { echo \"$0: $restore failed: see above\" >&2; exit 1; }\n"
		    "}\n"
		    "\n"
		    "# A payload that loads only if the jump is there as often as it supposes.\n"
		    "try()\n"
		    "{\n"
		    "\tif \"$restore\" --noflush -w 5 2>/dev/null; then loaded=yes; else loaded=no; fi\n"
		    "}\n"
		    "\n"
		    "# Did the last try load?\n"
		    "was_loaded()\n"
		    "{\n"
		    "\t[ \"$loaded\" = yes ]\n"
		    "}\n"
		    "\n");
	script_action(out, unit, arena, true);
	strbuf_addc(out, '\n');
	script_action(out, unit, arena, false);
	strbuf_adds(out,
		    "\n"
		    "case \"${1:-}\" in\n"
		    "up) up ;;\n"
		    "down) down ;;\n"
		    "*) echo \"usage: $0 up|down\" >&2; exit 2 ;;\n"
		    "esac\n");
}
