#include "drift_text.h"

#include <peerwall/match_codec.h>
#include <peerwall/report.h>

static const struct {
	const char *name;
	const char *words;
} kinds[] = {
	[DRIFT_CHAIN_MISSING] = {"chain-missing", "the chain is missing"},
	[DRIFT_CHAIN_EXTRA] = {"chain-extra", "the chain is not wanted"},
	[DRIFT_JUMP_MISSING] = {"jump-missing", "missing jump"},
	[DRIFT_JUMP_DUPLICATE] = {"jump-duplicate", "the same jump twice"},
	[DRIFT_JUMP_EXTRA] = {"jump-extra", "a jump that is not wanted"},
	[DRIFT_JUMP_OVERTAKEN] = {"jump-overtaken", "a rule before this jump can accept packets"},
	[DRIFT_RULE_MISSING] = {"rule-missing", "missing rule"},
	[DRIFT_RULE_EXTRA] = {"rule-extra", "a rule that is not wanted"},
};

const char *drift_kind_name(enum drift_kind kind)
{
	return kinds[kind].name;
}

void drift_describe(struct strbuf *out, enum family family, const struct drift *drift)
{
	strbuf_addf(out, "%s %s %s", family_name(family), table_names[drift->table], drift->chain);
	if (!drift->rule) {
		strbuf_addf(out, ": %s", kinds[drift->kind].words);
		return;
	}
	strbuf_addf(out, ", rule %u: %s: ", drift->position, kinds[drift->kind].words);
	rule_encode(out, family, drift->rule);
	if (!drift->overtaker)
		return;
	strbuf_addf(out, " (rule %u: ", drift->overtaker_position);
	rule_encode(out, family, drift->overtaker);
	strbuf_addc(out, ')');
}

static void set_rule(json_t *object, enum family family, unsigned position, const struct rule *rule)
{
	struct strbuf text = STRBUF_EMPTY;

	rule_encode(&text, family, rule);
	json_object_set_new(object, "position", json_integer(position));
	json_object_set_new(object, "rule", json_text(strbuf_str(&text), text.len));
	strbuf_free(&text);
}

json_t *drift_json(enum family family, const struct drift *drift)
{
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string(drift_kind_name(drift->kind)));
	json_object_set_new(object, "table", json_string(table_names[drift->table]));
	json_object_set_new(object, "chain", json_string(drift->chain));
	if (drift->rule)
		set_rule(object, family, drift->position, drift->rule);
	if (drift->overtaker) {
		json_t *overtaker = json_object();

		set_rule(overtaker, family, drift->overtaker_position, drift->overtaker);
		json_object_set_new(object, "overtakenBy", overtaker);
	}
	return object;
}
