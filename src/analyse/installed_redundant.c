#include "installed_judge.h"
#include "rule_effect.h"

/* How far behind a rule its heir is looked for. */
#define HEIRS_LOOKED_AT 64

/* What certainly becomes of packets from some rule of a chain on, if no rule in between does anything else with them. */
struct outcome {
	uint32_t accepted, dropped;
};

static bool is_unconditional(const struct rule *rule)
{
	return !rule->opaque && !rule->source.present && !rule->destination.present && !rule->in.name && !rule->out.name &&
	       !rule->protocol.present && rule->fragment == FRAGMENT_NONE && !rule->matches.len;
}

/* "-A INPUT -j DROP" below ":INPUT DROP": written so that the chain says by itself what it does. */
static bool repeats_policy(const struct rule_record *record)
{
	const struct chain *chain = record->chain;

	return chain->builtin && record->rule == &chain->rules.data[chain->rules.len - 1] && is_unconditional(record->rule);
}

bool judge_can_be_redundant(const struct rule_record *record)
{
	if (record->rule->opaque || repeats_policy(record))
		return false;
	return record->rule->target.kind == TARGET_ACCEPT || record->rule->target.kind == TARGET_DROP;
}

/* REJECT refuses what DROP refuses, but says so. */
static bool is_plain_drop(const struct rule *rule)
{
	return rule->target.kind == TARGET_DROP;
}

/* A rule that is told to be of no use itself does nothing that could be relied on, but may do harm once others are gone. */
static void go_before(struct outcome *outcome, struct packet_space *space, const struct rule_record *record,
		      struct matched matched)
{
	const struct rule *rule = record->rule;
	bool reliable = record->hit && matched.exact;
	bool accepts = !rule->opaque && rule->target.kind == TARGET_ACCEPT;
	bool drops = !rule->opaque && is_plain_drop(rule);

	if (!accepts)
		outcome->accepted = packets_minus(space, outcome->accepted, matched.packets);
	else if (reliable)
		outcome->accepted = packets_or(space, outcome->accepted, matched.packets);
	if (!drops)
		outcome->dropped = packets_minus(space, outcome->dropped, matched.packets);
	else if (reliable)
		outcome->dropped = packets_or(space, outcome->dropped, matched.packets);
}

/* The first rule behind that does the same with some of it; or the policy; or too far away. */
static void find_heir(struct judge *judge, struct rule_record *record, const struct survey_walk *walk)
{
	struct packet_space *space = &judge->survey.space;
	const struct chain *chain = record->chain;
	size_t from = (size_t)(record->rule - chain->rules.data) + 1, to = from + HEIRS_LOOKED_AT;

	for (size_t i = from; i < chain->rules.len && i < to; i++) {
		const struct rule *rule = &chain->rules.data[i];

		if (rule->opaque || rule->target.kind != record->rule->target.kind || !record[i + 1 - from].hit)
			continue;
		if (packets_and(space, rule_packets(space, rule, &walk->vantage).packets, record->hit_now) == DIAGRAM_NONE)
			continue;
		record->heir = (struct blamed){.chain = chain, .rule = rule};
		return;
	}
	if (to >= chain->rules.len)
		record->heir = (struct blamed){.chain = chain};
}

static void strike_off(struct judge *judge, struct chain_record *chain, struct rule_record *record)
{
	record->standing = false;
	chain->standing--;
	judge->standing--;
}

static void judge_one(struct judge *judge, struct chain_record *chain, struct rule_record *record,
		      const struct outcome *behind, const struct survey_walk *walk)
{
	uint32_t same = is_plain_drop(record->rule) ? behind->dropped : behind->accepted;

	if (record->hit_now == DIAGRAM_NONE)
		return;
	if (packets_minus(&judge->survey.space, record->hit_now, same) != DIAGRAM_NONE)
		strike_off(judge, chain, record);
	else if (!record->heir.chain)
		find_heir(judge, record, walk);
}

/* From the chain's end; a chain that is called may go on anyhow. */
void judge_strike_needed(struct judge *judge, struct chain_record *chain, const struct survey_walk *walk)
{
	struct packet_space *space = &judge->survey.space;
	struct rule_record *records = &judge->records.data[chain->first];
	const struct chain *rules = records->chain;
	struct outcome behind = {DIAGRAM_NONE, DIAGRAM_NONE};
	size_t left = chain->standing;

	if (rules->builtin)
		*(rules->policy_drop ? &behind.dropped : &behind.accepted) = DIAGRAM_ALL;
	for (size_t i = rules->rules.len; i-- > 0 && left;) {
		struct rule_record *record = &records[i];

		if (record->standing) {
			left--;
			judge_one(judge, chain, record, &behind, walk);
		}
		if (left)
			go_before(&behind, space, record, rule_packets(space, record->rule, &walk->vantage));
	}
}
