#include "checks_run.h"
#include "installed_judge.h"
#include "rule_effect.h"

#include <peerwall/lower.h>

#include <stdlib.h>
#include <string.h>

#define JUMPS_SHOWN 4
#define BLAMED_SHOWN 4
/* Of findings that are alike. */
#define ALIKE_SHOWN 8

/* ---- words ---- */

static const char *deed(const struct rule *rule)
{
	switch (rule_effect(rule)) {
	case EFFECT_ACCEPT:
		return "accepts";
	case EFFECT_DROP:
		return rule->target.kind == TARGET_DROP ? "drops" : "refuses";
	case EFFECT_RETURN:
		return "sends back";
	case EFFECT_GOTO:
		return "sends elsewhere";
	default:
		return "rewrites";
	}
}

static void label_rule(struct judge *judge, struct diag *diag, const struct blamed *blamed, const char *part)
{
	diag_label(judge->diags, diag, blamed->rule->span, "in %s %s, this rule %s %s",
		   table_names[judge->survey.table->id], blamed->chain->name, deed(blamed->rule), part);
}

/* New connections come first: it is they that rules are written for. */
static int more_first(const void *a, const void *b)
{
	const struct blamed *one = a, *other = b;

	if (one->of_new != other->of_new)
		return one->of_new > other->of_new ? -1 : 1;
	if (one->of_others != other->of_others)
		return one->of_others > other->of_others ? -1 : 1;
	return one->rule < other->rule ? -1 : one->rule > other->rule;
}

/* The first of those that are blamed takes so much. */
static const char *how_much(const struct rule_record *record)
{
	const struct blamed *blamed = record->blamed.data;

	if (record->uncovered || record->blamed_many || !record->blamed.len)
		return "a part of it";
	if (record->blamed.len == 1)
		return "all of it";
	return blamed[0].of_new > 0 && !(blamed[1].of_new > 0) ? "all of it that is new" : "a part of it";
}

/* Those that took most, sorted before. */
static void label_blame(struct judge *judge, struct diag *diag, const struct rule_record *record)
{
	size_t count = record->blamed.len, shown = count < BLAMED_SHOWN ? count : BLAMED_SHOWN;

	for (size_t i = 0; i < shown; i++)
		label_rule(judge, diag, &record->blamed.data[i], i == 0 ? how_much(record) : "a part of it");
	if (record->blamed_many)
		diag_label(judge->diags, diag, SPAN_NONE, "and many more rules");
	else if (count > shown)
		diag_label(judge->diags, diag, SPAN_NONE, "and %zu more rule%s", count - shown,
			   count - shown == 1 ? "" : "s");
}

/* ---- findings that are alike ---- */

/* What they have in common: all pointers, so that keys compare as bytes. */
struct alike_key {
	const struct chain *chain;
	const struct diag_code_info *code;
	const char *words;
	const struct rule *rules[BLAMED_SHOWN];
};

/* NULL: enough of these are shown. Else the caller says which finding is this one. */
static struct alike *one_more(struct judge *judge, const struct rule_record *record, const struct alike_key *key)
{
	uint32_t number = intern_add(&judge->alike_keys, (const char *)key, sizeof *key);
	struct alike *alike;

	if (number == judge->alike.len)
		vec_push(&judge->arena, &judge->alike, (struct alike){0});
	alike = &judge->alike.data[number];
	if (++alike->count <= ALIKE_SHOWN)
		return alike;
	if (!alike->next)
		alike->next = record->rule;
	return NULL;
}

static void label_alike(struct judge *judge)
{
	vec_each(alike, &judge->alike) {
		size_t others = alike->count - ALIKE_SHOWN - 1;

		if (!alike->next)
			continue;
		if (others)
			diag_label(judge->diags, alike->diag, alike->next->span,
				   "the same goes for this rule and %zu more of the chain", others);
		else
			diag_label(judge->diags, alike->diag, alike->next->span, "the same goes for this rule");
	}
}

/* ---- chains ---- */

static bool leads_to(const struct rule *rule, const char *name)
{
	return !rule->opaque && (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO) &&
	       strcmp(rule->target.chain, name) == 0;
}

/* How many there are. A label for each of the first, with these words. */
static size_t label_jumps(struct judge *judge, struct diag *diag, const char *name, bool hit_ones, const char *words)
{
	size_t count = 0;

	vec_each(record, &judge->records) {
		if (!leads_to(record->rule, name) || record->hit != hit_ones)
			continue;
		if (count++ < JUMPS_SHOWN)
			diag_label(judge->diags, diag, record->rule->span, "%s", words);
	}
	if (count > JUMPS_SHOWN)
		diag_label(judge->diags, diag, SPAN_NONE, "and %zu more that lead there", count - JUMPS_SHOWN);
	return count;
}

static bool is_led_to(const struct judge *judge, const char *name)
{
	vec_each(record, &judge->records)
		if (leads_to(record->rule, name))
			return true;
	return false;
}

/* Our own are orphan-chain's to tell. */
static void report_chain(struct judge *judge, const struct chain *chain)
{
	bool led_to;
	struct diag *diag;

	if (own_chain_interface(judge->diags->arena, chain->name))
		return;
	led_to = is_led_to(judge, chain->name);
	diag = diag_add(judge->diags, CODE_UNREACHED_CHAIN, chain->span, "no packet ever comes into this chain: %s",
			led_to ? "none of the rules that lead to it is ever hit" : "no rule leads to it");
	label_jumps(judge, diag, chain->name, false, "this leads to it");
}

/* ---- rules ---- */

static void report_impossible(struct judge *judge, const struct rule_record *record)
{
	const struct chain_record *chain = &judge->chains[record->chain - judge->survey.table->chains.data];
	const char *reason = rule_why_dead(record->rule, chain->hooks);
	bool kept_out = record->nearness != NEAR_NOWHERE;
	struct alike_key key = {record->chain, diag_code_info(CODE_IMPOSSIBLE_RULE), kept_out ? "" : reason, {NULL}};
	struct alike *alike = one_more(judge, record, &key);

	if (!alike)
		return;
	if (kept_out) {
		alike->diag = diag_add(judge->diags, CODE_IMPOSSIBLE_RULE, record->rule->span,
				       "nothing that this rule matches ever comes into its chain");
		label_jumps(judge, alike->diag, record->chain->name, true, "only what the rule does not match is sent there");
		return;
	}
	alike->diag = diag_add(judge->diags, CODE_IMPOSSIBLE_RULE, record->rule->span,
			       "no packet of %s %s can match this rule%s%s", table_names[judge->survey.table->id],
			       record->chain->name, reason ? ": " : "", reason ? reason : "");
}

static struct alike *one_more_dead(struct judge *judge, const struct rule_record *record, enum diag_code code)
{
	struct alike_key key = {.chain = record->chain, .code = diag_code_info(code), .words = how_much(record)};

	for (size_t i = 0; i < record->blamed.len && i < BLAMED_SHOWN; i++)
		key.rules[i] = record->blamed.data[i].rule;
	return one_more(judge, record, &key);
}

static void report_dead(struct judge *judge, const struct rule_record *record)
{
	enum diag_code code = record->different ? CODE_SHADOWED_RULE : CODE_COVERED_RULE;
	struct alike *alike;

	if (record->nearness == NEAR_NOWHERE || (record->nearness != NEAR_CAME && record->uncovered)) {
		report_impossible(judge, record);
		return;
	}
	if (record->blamed.len)
		qsort(record->blamed.data, record->blamed.len, sizeof *record->blamed.data, more_first);
	alike = one_more_dead(judge, record, code);
	if (!alike)
		return;
	alike->diag = diag_add(judge->diags, code, record->rule->span, "%s",
			       record->different ?
				       "no packet ever comes as far as this rule: earlier ones take everything that it matches" :
				       "this rule could be left out: earlier ones do the same with everything that it matches");
	label_blame(judge, alike->diag, record);
}

static void report_redundant(struct judge *judge, const struct rule_record *record)
{
	const char *does = deed(record->rule);
	struct alike_key key = {record->chain, diag_code_info(CODE_REDUNDANT_RULE), does, {record->heir.rule}};
	struct alike *alike = one_more(judge, record, &key);

	if (!alike)
		return;
	alike->diag = diag_add(judge->diags, CODE_REDUNDANT_RULE, record->rule->span,
			       "this rule could be left out: what it %s would be treated the same without it", does);
	if (!record->heir.chain)
		return;
	if (record->heir.rule)
		diag_label(judge->diags, alike->diag, record->heir.rule->span, "this rule %s it as well, or a part of it", does);
	else
		diag_label(judge->diags, alike->diag, record->heir.chain->span, "the policy %s it as well", does);
}

/* ---- lines ---- */

/* "-s A,B" are several rules of one line: the line is of no use if none of them is. */
static size_t line_end(const struct judge *judge, size_t from)
{
	const struct rule_record *first = &judge->records.data[from];
	size_t end = from + 1;

	while (first->rule->span.lo && end < judge->records.len && judge->records.data[end].chain == first->chain &&
	       judge->records.data[end].rule->span.lo == first->rule->span.lo)
		end++;
	return end;
}

static void report_line(struct judge *judge, size_t from, size_t end)
{
	bool dead = true, redundant = true;

	for (size_t i = from; i < end; i++) {
		dead = dead && !judge->records.data[i].hit;
		redundant = redundant && judge->records.data[i].standing;
	}
	if (dead)
		report_dead(judge, &judge->records.data[from]);
	else if (redundant)
		report_redundant(judge, &judge->records.data[from]);
}

void judge_report(struct judge *judge)
{
	const struct table *table = judge->survey.table;

	for (size_t c = 0; c < table->chains.len; c++) {
		const struct chain *chain = &table->chains.data[c];
		size_t first = judge->chains[c].first, end;

		if (chain->rules.len && !judge->chains[c].entered) {
			report_chain(judge, chain);
			continue;
		}
		for (size_t i = first; i < first + chain->rules.len; i = end) {
			end = line_end(judge, i);
			report_line(judge, i, end);
		}
	}
	label_alike(judge);
}
