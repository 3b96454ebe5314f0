#include <peerwall/installed.h>

#include "installed_judge.h"
#include "rule_effect.h"

#include <string.h>

static struct chain_record *chain_of(struct judge *judge, const struct chain *chain)
{
	return &judge->chains[chain - judge->survey.table->chains.data];
}

static struct rule_record *record_of(struct judge *judge, const struct chain *chain, const struct rule *rule)
{
	return &judge->records.data[chain_of(judge, chain)->first + (size_t)(rule - chain->rules.data)];
}

/* ---- first: what is hit at all ---- */

/* The chain that the rule leads to, or NULL. */
static struct chain_record *chain_led_to(struct judge *judge, const struct rule *rule)
{
	enum rule_effect effect = rule_effect(rule);
	const char *name = rule->target.chain;

	if (effect != EFFECT_JUMP && effect != EFFECT_GOTO)
		return NULL;
	return chain_of(judge, table_find_chain(judge->survey.table, name, strlen(name)));
}

static void enter(struct chain_record *chain, enum hook hook)
{
	chain->entered = true;
	chain->hooks |= 1u << hook;
}

static void see_hit(void *context, const struct visit *visit)
{
	struct judge *judge = context;
	struct chain_record *chain;
	struct rule_record *record;

	if (!visit->rule)
		return;
	record = record_of(judge, visit->chain, visit->rule);
	if (!record->hit)
		record->standing = judge_can_be_redundant(record);
	record->hit = true;
	record->standing = record->standing && visit->matched.exact;
	chain = chain_led_to(judge, visit->rule);
	if (chain)
		enter(chain, visit->vantage->hook);
}

static void find_hits(struct judge *judge)
{
	const struct visitor visitor = {see_hit, judge, true};

	vec_each(plan, &judge->survey.plans) {
		struct survey_walk walk;

		enter(chain_of(judge, plan->chain), plan->chain->hook);
		table_survey_walk(&walk, &judge->survey, plan, &visitor);
		judge->steps += walk.steps;
		judge->stuck |= walk.gave_up || judge->steps > INSTALLED_STEPS_MAX;
		if (judge->stuck)
			return;
	}
	for (size_t i = 0; i < judge->records.len; i++) {
		struct rule_record *record = &judge->records.data[i];
		struct chain_record *chain = chain_of(judge, record->chain);

		if (!record->hit && chain->entered)
			vec_push(&judge->arena, &judge->dead, i);
		chain->standing += record->standing;
		judge->standing += record->standing;
	}
}

/* ---- then: why, and what could be left out ---- */

/* Packets that a rule gets hold of here go on to no rule behind it. */
static bool takes_away(const struct visit *visit)
{
	if (!visit->matched.exact)
		return false;
	switch (rule_effect(visit->rule)) {
	case EFFECT_ACCEPT:
	case EFFECT_DROP:
	case EFFECT_RETURN:
	case EFFECT_GOTO:
	case EFFECT_DNAT:
	case EFFECT_SNAT:
	case EFFECT_NETMAP:
		return true;
	default:
		return false;
	}
}

static void see_reason(void *context, const struct visit *visit)
{
	struct judge *judge = context;
	struct packet_space *space = &judge->survey.space;
	struct takings *takings = &judge->takings;
	struct chain_record *chain;
	struct rule_record *record;

	if (!visit->rule)
		return;
	if (judge->dead.len && takes_away(visit))
		vec_push(&takings->arena, &takings->items, (struct taking){visit->chain, visit->rule, visit->hit});
	chain_of(judge, visit->chain)->taken_until = takings->items.len;
	record = record_of(judge, visit->chain, visit->rule);
	if (record->standing)
		record->hit_now = packets_or(space, record->hit_now, visit->hit);
	chain = chain_led_to(judge, visit->rule);
	if (!chain)
		return;
	chain->brought = packets_or(space, chain->brought, visit->hit);
	chain->taken_until = takings->items.len;
}

static void begin_walk(struct judge *judge)
{
	for (size_t i = 0; i < judge->survey.table->chains.len; i++) {
		judge->chains[i].brought = DIAGRAM_NONE;
		judge->chains[i].taken_until = 0;
	}
	vec_each(record, &judge->records)
		record->hit_now = DIAGRAM_NONE;
	takings_begin(&judge->takings);
}

static void find_reasons(struct judge *judge)
{
	const struct visitor visitor = {see_reason, judge, true};

	vec_each(plan, &judge->survey.plans) {
		struct survey_walk walk;

		if (!judge->dead.len && !judge->standing)
			return;
		begin_walk(judge);
		table_survey_walk(&walk, &judge->survey, plan, &visitor);
		judge->steps += walk.steps;
		chain_of(judge, plan->chain)->brought = walk.begun;
		vec_each(index, &judge->dead)
			judge_explain(judge, &judge->records.data[*index], &walk);
		for (size_t i = 0; i < judge->survey.table->chains.len; i++)
			if (judge->chains[i].standing && judge->chains[i].brought != DIAGRAM_NONE)
				judge_strike_needed(judge, &judge->chains[i], &walk);
		takings_end(&judge->takings);
		judge->stuck |= walk.gave_up || judge->steps > INSTALLED_STEPS_MAX || packet_space_gave_up(&judge->survey.space);
		if (judge->stuck)
			return;
	}
}

/* ---- all tables ---- */

static void note_leading(struct judge *judge)
{
	for (size_t i = 0; i < judge->records.len; i++) {
		struct chain_record *chain = chain_led_to(judge, judge->records.data[i].rule);

		if (!chain)
			continue;
		chain->led_by = i;
		chain->leading++;
	}
}

static void judge_init(struct judge *judge, const struct ruleset *ruleset, enum table_id id, struct diags *diags)
{
	const struct table *table = &ruleset->tables[id];

	*judge = (struct judge){.diags = diags, .arena = ARENA_EMPTY};
	table_survey_init(&judge->survey, ruleset, id);
	intern_init(&judge->alike_keys, &judge->arena);
	judge->chains = arena_zalloc(&judge->arena, (table->chains.len + 1) * sizeof *judge->chains);
	for (size_t i = 0; i < table->chains.len; i++) {
		const struct chain *chain = &table->chains.data[i];

		judge->chains[i].first = judge->records.len;
		vec_each(rule, &chain->rules)
			vec_push(&judge->arena, &judge->records, (struct rule_record){.chain = chain, .rule = rule});
	}
	note_leading(judge);
}

void installed_check_rules(const struct ruleset *ruleset, struct diags *diags)
{
	for (int id = 0; id < TABLE_COUNT; id++) {
		struct judge judge;

		if (!ruleset->tables[id].present)
			continue;
		judge_init(&judge, ruleset, (enum table_id)id, diags);
		find_hits(&judge);
		if (!judge.stuck)
			find_reasons(&judge);
		if (judge.stuck)
			diag_add(diags, CODE_NOT_PROVED, ruleset->tables[id].span,
				 "%s %s: which of its rules are of no use was not worked out: they are too many, or too entangled",
				 family_name(ruleset->family), table_names[id]);
		else
			judge_report(&judge);
		table_survey_free(&judge.survey);
		arena_free(&judge.arena);
	}
}
