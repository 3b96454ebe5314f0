#include "foreign.h"

#include <peerwall/lower.h>
#include <peerwall/match_codec.h>

#include <string.h>

struct line {
	const char *chain;
	const char *rule; /* NULL: the chain's own line */
	bool policy_drop;
};

struct lines {
	VEC(struct line) items;
};

/* A built-in chain that says nothing is as good as none: the nft backend makes them at first use. */
static bool is_blank(const struct chain *chain)
{
	return chain->builtin && !chain->policy_drop;
}

/* The text that was read, or what prints the same again. */
static const char *spell(const struct rule *rule, enum family family, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	const char *kept;

	if (rule->text)
		return rule->text;
	rule_encode(&text, family, rule);
	kept = arena_strndup(arena, strbuf_str(&text), text.len);
	strbuf_free(&text);
	return kept;
}

static void collect(struct lines *out, const struct table *table, enum family family, struct arena *arena)
{
	vec_each(chain, &table->chains) {
		if (!chain->builtin && own_chain_interface(arena, chain->name))
			continue;
		if (!is_blank(chain))
			vec_push(arena, &out->items, (struct line){chain->name, NULL, chain->policy_drop});
		vec_each(rule, &chain->rules)
			if (!own_jump_interface(arena, rule))
				vec_push(arena, &out->items, (struct line){chain->name, spell(rule, family, arena), false});
	}
}

static bool lines_equal(const struct line *a, const struct line *b)
{
	return strcmp(a->chain, b->chain) == 0 && a->policy_drop == b->policy_drop && !a->rule == !b->rule &&
	       (!a->rule || strcmp(a->rule, b->rule) == 0);
}

static void print_line(struct strbuf *out, const struct line *line)
{
	if (line->rule)
		strbuf_addf(out, "-A %s %s", line->chain, line->rule);
	else
		strbuf_addf(out, ":%s%s", line->chain, line->policy_drop ? " DROP" : "");
}

bool foreign_rules_differ(const struct ruleset *before, const struct ruleset *now, enum table_id table,
			  struct arena *arena, struct strbuf *line, bool *gone)
{
	struct lines old = {0}, new = {0};
	size_t at = 0;

	collect(&old, &before->tables[table], before->family, arena);
	collect(&new, &now->tables[table], now->family, arena);
	while (at < old.items.len && at < new.items.len && lines_equal(&old.items.data[at], &new.items.data[at]))
		at++;
	if (at == old.items.len && at == new.items.len)
		return false;
	/* With fewer lines than before something went; of equally many, one was replaced. */
	*gone = at < old.items.len && new.items.len <= old.items.len;
	print_line(line, *gone || at == new.items.len ? &old.items.data[at] : &new.items.data[at]);
	return true;
}
