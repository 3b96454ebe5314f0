#include "installed_judge.h"

#include <peerwall/match_codec.h>

#include <string.h>

/* Takings that are looked through together. */
#define BLOCK 128
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
	const struct rule_record *record;
	const struct rule_record *jump; /* only rules before it in its chain count; or NULL */
	uint32_t left;                  /* what nobody has taken so far */
	bool different;
	struct share shares[WEIGHED_MAX];
	size_t count;
	bool many;
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

static bool is_before(const struct taking *taking, const struct rule_record *jump)
{
	return !jump || (taking->chain == jump->chain && taking->rule < jump->rule);
}

static void take_share(struct search *search, const struct taking *taking)
{
	struct judge *judge = search->judge;
	struct packet_space *space = &judge->survey.space;
	uint32_t part = packets_and(space, search->left, taking->packets);

	if (part == DIAGRAM_NONE || !takes_from(taking, search->record) || !is_before(taking, search->jump))
		return;
	search->left = packets_minus(space, search->left, part);
	if (!does_the_same(search->record, taking, space->family))
		search->different = true;
	if (search->count < WEIGHED_MAX)
		search->shares[search->count++] = (struct share){taking, diagram_share(&space->diagrams, part)};
	else
		search->many = true;
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

static struct blamed *blamed_for(struct judge *judge, struct rule_record *record, const struct taking *taking)
{
	vec_each(blamed, &record->blamed)
		if (blamed->rule == taking->rule)
			return blamed;
	if (record->blamed.len == WEIGHED_MAX) {
		record->blamed_many = true;
		return NULL;
	}
	vec_push(&judge->arena, &record->blamed, (struct blamed){.chain = taking->chain, .rule = taking->rule});
	return &record->blamed.data[record->blamed.len - 1];
}

static void add_blame(struct judge *judge, struct rule_record *record, const struct share *share, bool is_new)
{
	struct blamed *blamed = blamed_for(judge, record, share->taking);

	if (blamed)
		*(is_new ? &blamed->of_new : &blamed->of_others) += share->weight;
}

/* What was found where the packets did not come as near says less. */
static void come_near(struct rule_record *record, enum nearness nearness)
{
	if (nearness == record->nearness)
		return;
	record->nearness = nearness;
	record->uncovered = record->different = record->blamed_many = false;
	record->blamed.len = 0;
}

static void keep_blame(struct search *search, struct rule_record *record, const struct vantage *vantage)
{
	bool is_new = vantage->before_tracking || vantage->tracking == TRACKING_NEW;

	for (size_t i = 0; i < search->count; i++)
		add_blame(search->judge, record, &search->shares[i], is_new);
	record->uncovered |= search->left != DIAGRAM_NONE;
	record->different |= search->different;
	record->blamed_many |= search->many;
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

/* Where nothing came into the chain, only those before the one jump that leads there took it earlier. */
static size_t begin_kept_out(struct search *search, const struct chain_record *chain)
{
	if (chain->leading != 1)
		return 0;
	search->jump = &search->judge->records.data[chain->led_by];
	return search->judge->takings.items.len;
}

void judge_explain(struct judge *judge, struct rule_record *record, const struct survey_walk *walk)
{
	const struct chain_record *chain = &judge->chains[record->chain - judge->survey.table->chains.data];
	struct packet_space *space = &judge->survey.space;
	struct search search = {.judge = judge, .record = record};
	enum nearness nearness = chain->brought == DIAGRAM_NONE ? NEAR_KEPT_OUT : NEAR_ENTERED;
	size_t until = chain->taken_until;
	uint32_t brought = chain->brought, wanted;

	/* Nothing to look for, in most walks. */
	if (!(chain->hooks & 1u << walk->vantage.hook) || (nearness == NEAR_KEPT_OUT && nearness < record->nearness))
		return;
	wanted = wanted_packets(judge, record, walk);
	if (wanted == DIAGRAM_NONE)
		return;
	if (judge->survey.changes_marks)
		brought = packets_forget_marks(space, brought);
	search.left = packets_and(space, wanted, brought);
	if (search.left != DIAGRAM_NONE) {
		/* Whatever came has gone before it came to the rule, so what took it did so earlier. */
		nearness = NEAR_CAME;
		until = judge->takings.items.len;
	} else {
		search.left = wanted;
		if (nearness == NEAR_KEPT_OUT)
			until = begin_kept_out(&search, chain);
	}
	if (nearness < record->nearness)
		return;
	search_takings(&search, until);
	come_near(record, nearness);
	keep_blame(&search, record, &walk->vantage);
}
