/* How often each rule was taken: at least, and at most. */
#include "sets.h"

#include <stdlib.h>
#include <string.h>

static int compare_subjects(const void *left, const void *right)
{
	const struct tally *a = left, *b = right;

	return (uintptr_t)a->subject < (uintptr_t)b->subject ? -1 : (uintptr_t)a->subject > (uintptr_t)b->subject;
}

struct tally *tallies_find(const struct tallies *tallies, const void *subject)
{
	struct tally key = {.subject = subject};

	return bsearch(&key, tallies->all.data, tallies->all.len, sizeof key, compare_subjects);
}

/* ---- which chains the analysis walks ---- */

struct chain_list {
	VEC(const struct chain *) all;
};

static bool is_listed(const struct chain_list *list, const struct chain *chain)
{
	vec_each(other, &list->all)
		if (*other == chain)
			return true;
	return false;
}

static void list_chain(struct chain_list *list, const struct table *table, const char *name, struct arena *arena)
{
	const struct chain *chain = table_find_chain(table, name, strlen(name));

	if (!chain || is_listed(list, chain))
		return;
	vec_push(arena, &list->all, chain);
	vec_each(rule, &chain->rules)
		if (!rule->opaque && (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO))
			list_chain(list, table, rule->target.chain, arena);
}

/* Source translation behind everything else changes nothing of what gets in. */
static void list_left_out(struct chain_list *list, const struct table *table, const struct analysis *analysis)
{
	if (table->id != TABLE_NAT)
		return;
	list_chain(list, table, hook_names[HOOK_POSTROUTING], analysis->arena);
	if (!world_is_nft(analysis->world))
		list_chain(list, table, hook_names[HOOK_INPUT], analysis->arena);
}

/* ---- the whole ---- */

static void add_chain(struct tallies *out, enum table_id table, const struct chain *chain, struct arena *arena)
{
	vec_push(arena, &out->all, (struct tally){.subject = chain, .table = table, .chain = chain});
	for (size_t i = 0; i < chain->rules.len; i++)
		vec_push(arena, &out->all,
			 (struct tally){.subject = &chain->rules.data[i],
					.table = table,
					.chain = chain,
					.number = (unsigned)i + 1});
}

void tallies_make(struct tallies *out, const struct analysis *analysis)
{
	const struct ruleset *rules = analysis->rules;

	*out = (struct tallies){0};
	for (int t = 0; t < TABLE_COUNT; t++) {
		struct chain_list left_out = {0};

		if (!rules->tables[t].present)
			continue;
		list_left_out(&left_out, &rules->tables[t], analysis);
		vec_each(chain, &rules->tables[t].chains)
			if (!is_listed(&left_out, chain))
				add_chain(out, (enum table_id)t, chain, analysis->arena);
	}
	qsort(out->all.data, out->all.len, sizeof *out->all.data, compare_subjects);
}
