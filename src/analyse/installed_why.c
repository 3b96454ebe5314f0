#include "installed_judge.h"

#include <peerwall/match_codec.h>

#include <string.h>

/* Takings that are looked through together. */
#define BLOCK 128
/* Of those that share the blame, so many are weighed. */
#define WEIGHED_MAX 32

/* How much of it is explained: packets that came into the chain and were taken there say more than others. */
enum { RANK_NONE, RANK_PART, RANK_ALL, RANK_CAME };

void takings_begin(struct takings *takings)
{
	*takings = (struct takings){.arena = ARENA_EMPTY};
}

void takings_end(struct takings *takings)
{
	arena_free(&takings->arena);
	*takings = (struct takings){0};
}

/* ---- looking for those that took some of a set ---- */

static uint32_t block_packets(struct takings *takings, struct packet_space *space, size_t block)
{
	uint32_t packets = DIAGRAM_NONE;

	if (block < takings->blocks.len)
		return takings->blocks.data[block];
	for (size_t i = block * BLOCK; i < takings->items.len && i < (block + 1) * BLOCK; i++)
		packets = packets_or(space, packets, takings->items.data[i].packets);
	/* Blocks are asked for in their order. */
	vec_push(&takings->arena, &takings->blocks, packets);
	return packets;
}

struct share {
	const struct taking *taking;
	double weight;
};

struct search {
	struct judge *judge;
	struct rule_record *record;
	uint32_t left;           /* what nobody has taken so far */
	struct share shares[WEIGHED_MAX];
	size_t count, more;
};

static bool same_target(const struct rule *a, const struct rule *b, enum family family)
{
	struct rule only_a = {.target = a->target}, only_b = {.target = b->target};
	struct strbuf text_a = STRBUF_EMPTY, text_b = STRBUF_EMPTY;
	bool same;

	rule_encode(&text_a, family, &only_a);
	rule_encode(&text_b, family, &only_b);
	same = strcmp(strbuf_str(&text_a), strbuf_str(&text_b)) == 0;
	strbuf_free(&text_a);
	strbuf_free(&text_b);
	return same;
}

/* Would the packets have fared no otherwise with the record's rule? */
static bool does_the_same(const struct rule_record *record, const struct taking *taking, enum family family)
{
	const struct rule *rule = record->rule;

	if (rule->opaque || rule->target.kind != taking->rule->target.kind)
		return false;
	switch (rule->target.kind) {
	case TARGET_ACCEPT:
	case TARGET_DROP:
		return true;
	case TARGET_RETURN:
		return record->chain == taking->chain;
	case TARGET_GOTO:
		return record->chain == taking->chain && strcmp(rule->target.chain, taking->rule->target.chain) == 0;
	case TARGET_EXTENSION:
		return same_target(rule, taking->rule, family);
	default:
		return false;
	}
}

/* Who leaves a chain of somebody's own goes on behind the jump that led there: only the chain's other rules lose him. */
static bool takes_from(const struct taking *taking, const struct rule_record *record)
{
	bool leaves = taking->rule->target.kind == TARGET_RETURN || taking->rule->target.kind == TARGET_GOTO;

	return !leaves || taking->chain->builtin || taking->chain == record->chain;
}

static void take_share(struct search *search, const struct taking *taking)
{
	struct judge *judge = search->judge;
	struct packet_space *space = &judge->survey.space;
	uint32_t part = packets_and(space, search->left, taking->packets);

	if (part == DIAGRAM_NONE || !takes_from(taking, search->record))
		return;
	search->left = packets_minus(space, search->left, part);
	if (!does_the_same(search->record, taking, space->family))
		search->record->different = true;
	if (search->count < WEIGHED_MAX)
		search->shares[search->count++] = (struct share){taking, diagram_share(&space->diagrams, part)};
	else
		search->more++;
}

static void search_takings(struct search *search, size_t until)
{
	struct takings *takings = &search->judge->takings;
	struct packet_space *space = &search->judge->survey.space;

	for (size_t block = 0; block * BLOCK < until && search->left != DIAGRAM_NONE; block++) {
		uint32_t packets = block_packets(takings, space, block);

		if (packets_and(space, search->left, packets) == DIAGRAM_NONE)
			continue;
		for (size_t i = block * BLOCK; i < until && i < (block + 1) * BLOCK; i++)
			take_share(search, &takings->items.data[i]);
	}
}

/* ---- the blame ---- */

static bool is_blamed(const struct rule_record *record, const struct rule *rule)
{
	for (size_t i = 0; i < record->blamed_count; i++)
		if (record->blamed[i].rule == rule)
			return true;
	return false;
}

/* Those that took most. */
static void keep_blame(struct search *search, unsigned rank)
{
	struct rule_record *record = search->record;

	record->rank = rank;
	record->blamed_count = 0;
	record->blamed_more = search->more;
	for (size_t taken = 0; taken < search->count; taken++) {
		struct share *most = NULL;

		for (size_t i = 0; i < search->count; i++)
			if (search->shares[i].taking && (!most || search->shares[i].weight > most->weight))
				most = &search->shares[i];
		if (!is_blamed(record, most->taking->rule)) {
			if (record->blamed_count == BLAMED_MAX)
				record->blamed_more++;
			else
				record->blamed[record->blamed_count++] =
					(struct blamed){most->taking->chain, most->taking->rule, false};
		}
		most->taking = NULL;
	}
	if (record->blamed_count == 1 && !record->blamed_more && search->left == DIAGRAM_NONE)
		record->blamed[0].whole = true;
}

/* Marks may have been others when the packets began their walk. */
static uint32_t wanted_packets(struct judge *judge, const struct rule_record *record, const struct survey_walk *walk)
{
	struct packet_space *space = &judge->survey.space;
	uint32_t wanted = rule_packets(space, record->rule, &walk->vantage).packets;

	if (judge->survey.changes_marks)
		wanted = packets_forget_marks(space, wanted);
	return packets_and(space, wanted, walk->begun);
}

void judge_explain(struct judge *judge, struct rule_record *record, const struct survey_walk *walk)
{
	const struct chain_record *chain = &judge->chains[record->chain - judge->survey.table->chains.data];
	struct packet_space *space = &judge->survey.space;
	struct search search = {.judge = judge, .record = record};
	size_t until = chain->taken_until;
	uint32_t brought = chain->brought, wanted;
	unsigned rank;

	if (brought == DIAGRAM_NONE)
		return;
	wanted = wanted_packets(judge, record, walk);
	if (wanted == DIAGRAM_NONE)
		return;
	record->possible = true;
	if (judge->survey.changes_marks)
		brought = packets_forget_marks(space, brought);
	search.left = packets_and(space, wanted, brought);
	if (search.left != DIAGRAM_NONE) {
		/* Whatever came has gone before it came to the rule, so what took it did so earlier. */
		record->came = true;
		until = judge->takings.items.len;
		rank = RANK_CAME;
	} else {
		search.left = wanted;
		rank = RANK_ALL;
	}
	search_takings(&search, until);
	if (search.left != DIAGRAM_NONE && rank == RANK_ALL) {
		record->uncovered = true;
		rank = search.count ? RANK_PART : RANK_NONE;
	}
	if (rank > record->rank)
		keep_blame(&search, rank);
}
