#include <peerwall/overlay.h>

#include <peerwall/bug.h>
#include <peerwall/match_codec.h>

#include <string.h>

/* ---- a copy that can be changed ---- */

static void copy_chain(struct ruleset *out, struct table *table, const struct chain *from)
{
	struct chain *chain = table_add_chain(out, table, from->name, strlen(from->name));

	*chain = *from;
	chain->rules.data = NULL;
	chain->rules.len = chain->rules.cap = 0;
	vec_each(rule, &from->rules)
		vec_push(out->arena, &chain->rules, *rule);
}

static void copy_table(struct ruleset *out, const struct table *from, const char *without)
{
	struct table *table = ruleset_table(out, from->id);

	table->span = from->span;
	vec_each(chain, &from->chains)
		if (!without || strcmp(chain->name, without) != 0)
			copy_chain(out, table, chain);
}

/* ---- commands ---- */

static struct strbuf spell(const struct ruleset *rules, const struct rule *rule)
{
	struct strbuf text = STRBUF_EMPTY;

	if (rule->text && rule->canonical)
		strbuf_adds(&text, rule->text);
	else
		rule_encode(&text, rules->family, rule);
	return text;
}

static size_t find_rule(const struct ruleset *rules, const struct chain *chain, const struct rule *wanted)
{
	struct strbuf text = spell(rules, wanted);
	size_t at;

	for (at = 0; at < chain->rules.len; at++) {
		struct strbuf other = spell(rules, &chain->rules.data[at]);
		bool same = strcmp(strbuf_str(&text), strbuf_str(&other)) == 0;

		strbuf_free(&other);
		if (same)
			break;
	}
	strbuf_free(&text);
	BUG_ON(at == chain->rules.len);
	return at;
}

static void insert_rule(struct ruleset *out, struct chain *chain, size_t at, const struct rule *rule)
{
	BUG_ON(at > chain->rules.len);
	chain_add_rule(out, chain);
	memmove(chain->rules.data + at + 1, chain->rules.data + at, (chain->rules.len - 1 - at) * sizeof *rule);
	chain->rules.data[at] = *rule;
}

static void delete_rule(struct ruleset *out, struct chain *chain, const struct rule *rule)
{
	size_t at = find_rule(out, chain, rule);

	memmove(chain->rules.data + at, chain->rules.data + at + 1, (chain->rules.len - 1 - at) * sizeof *rule);
	chain->rules.len--;
}

/* Names are numbered in the order of their chains, so that the table without one is a new table. */
static void delete_chain(struct ruleset *out, enum table_id id, const char *name)
{
	struct table old = out->tables[id];

	out->tables[id] = (struct table){.id = id};
	intern_init(&out->tables[id].names, out->arena);
	copy_table(out, &old, name);
}

static void follow(struct ruleset *out, enum table_id id, const struct command *command)
{
	struct table *table = ruleset_table(out, id);
	struct chain *chain = table_add_chain(out, table, command->chain, strlen(command->chain));

	switch (command->kind) {
	case COMMAND_CHAIN:
	case COMMAND_FLUSH:
		chain->rules.len = 0;
		return;
	case COMMAND_APPEND:
		insert_rule(out, chain, chain->rules.len, command->rule);
		return;
	case COMMAND_INSERT:
		insert_rule(out, chain, command->position - 1, command->rule);
		return;
	case COMMAND_DELETE:
		delete_rule(out, chain, command->rule);
		return;
	case COMMAND_ASSERT:
		find_rule(out, chain, command->rule);
		return;
	case COMMAND_DELETE_CHAIN:
		delete_chain(out, id, command->chain);
		return;
	}
	BUG("command %d", (int)command->kind);
}

void overlay_make(struct ruleset *out, const struct ruleset *live, const struct plan *plan, struct arena *arena)
{
	BUG_ON(live->family != plan->family);
	ruleset_init(out, live->family, arena);
	for (int t = 0; t < TABLE_COUNT; t++)
		if (live->tables[t].present)
			copy_table(out, &live->tables[t], NULL);
	vec_each(edit, &plan->edits)
		vec_each(command, &edit->commands)
			follow(out, edit->table, command);
}
