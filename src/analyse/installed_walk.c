#include "installed_walk.h"

#include "rule_effect.h"

#include <string.h>

/* The bits of a match on states, in the order of modules.def. */
#define BIT_SNAT (1u << 5)
#define BIT_DNAT (1u << 6)
#define STATE_SETS 128

/* What the rules of a table ask of connection tracking. */
struct questions {
	bool asked[STATE_SETS]; /* whether it is in one of these states, a set of bits each */
	bool connection;        /* anything that is true of connections alone */
	bool translation;       /* anything that tells what was sent from what DNAT made of it */
};

/* ---- what rules ask ---- */

static void question_option(struct questions *questions, const struct match *match, const struct option *option)
{
	if (option->id == OPTION_CONNTRACK_CTSTATE || option->id == OPTION_STATE_STATE) {
		questions->asked[option->value.bits % STATE_SETS] = true;
		questions->connection |= (option->value.bits & (BIT_SNAT | BIT_DNAT)) != 0;
		questions->translation |= (option->value.bits & BIT_DNAT) != 0;
	} else if (match->module == MODULE_CONNTRACK) {
		questions->connection = questions->translation = true;
	} else if (match->module == MODULE_CONNMARK) {
		questions->connection = true;
	} else if (match->module == MODULE_ADDRTYPE) {
		questions->translation = true;
	}
}

static void question_rule(struct questions *questions, const struct rule *rule)
{
	if (rule->opaque)
		return;
	vec_each(match, &rule->matches)
		vec_each(option, &match->options)
			question_option(questions, match, option);
	if (rule_effect(rule) == EFFECT_CONNMARK)
		questions->connection = true;
}

static void question_table(struct questions *out, const struct table *table)
{
	*out = (struct questions){0};
	vec_each(chain, &table->chains)
		vec_each(rule, &chain->rules)
			question_rule(out, rule);
}

static unsigned bit_of(enum tracking tracking)
{
	static const unsigned bits[TRACKING_COUNT] = {
		[TRACKING_INVALID] = 1u << 0,	  [TRACKING_NEW] = 1u << 1,	  [TRACKING_RELATED] = 1u << 2,
		[TRACKING_ESTABLISHED] = 1u << 3, [TRACKING_UNTRACKED] = 1u << 4,
	};

	return bits[tracking];
}

static int kind_of(enum tracking tracking)
{
	if (tracking == TRACKING_NEW)
		return 1;
	return tracking == TRACKING_ESTABLISHED || tracking == TRACKING_RELATED ? 2 : 0;
}

static bool are_alike(const struct questions *questions, enum tracking a, enum tracking b)
{
	if (questions->connection && kind_of(a) != kind_of(b))
		return false;
	for (unsigned set = 0; set < STATE_SETS; set++)
		if (questions->asked[set] && !(set & bit_of(a)) != !(set & bit_of(b)))
			return false;
	return true;
}

/* ---- interfaces ---- */

struct names {
	VEC(const char *) items;
};

/* By which of the patterns the interfaces differ; names stand for themselves. */
static void collect_names(struct names *names, struct names *patterns, const struct table *table, struct arena *arena)
{
	struct intern seen;

	intern_init(&seen, arena);
	vec_each(chain, &table->chains)
		vec_each(rule, &chain->rules) {
			uint32_t count = seen.count;
			const char *name = rule->in.name;

			if (rule->opaque || !name)
				continue;
			intern_add(&seen, name, strlen(name));
			if (seen.count == count)
				continue;
			if (name[strlen(name) - 1] == '+')
				vec_push(arena, &patterns->items, name);
			else
				vec_push(arena, &names->items, name);
		}
}

static bool same_patterns(const struct names *patterns, const char *a, const char *b)
{
	vec_each(pattern, &patterns->items)
		if (interface_name_covers(*pattern, a) != interface_name_covers(*pattern, b))
			return false;
	return true;
}

/* One for all that the table's rules take for the same. */
static void collect_ins(struct names *out, struct table_survey *survey)
{
	struct names names = {0}, patterns = {0}, others = {0};
	struct intern exact;

	collect_names(&names, &patterns, survey->table, &survey->arena);
	intern_init(&exact, &survey->arena);
	vec_each(name, &names.items)
		intern_add(&exact, *name, strlen(*name));
	/* The last ones stand for interfaces that no rule names: what holds of these is told before what holds of one. */
	for (size_t i = survey->space.ins.len; i-- > 0;) {
		const char *const *in = &survey->space.ins.data[i];
		bool known = false;

		if (intern_find(&exact, *in, strlen(*in)) != INTERN_NONE) {
			vec_push(&survey->arena, &out->items, *in);
			continue;
		}
		vec_each(other, &others.items)
			known = known || same_patterns(&patterns, *other, *in);
		if (known)
			continue;
		vec_push(&survey->arena, &others.items, *in);
		vec_push(&survey->arena, &out->items, *in);
	}
}

/* ---- plans ---- */

/* With each state that the rules tell from those before. */
static void plan_states(struct table_survey *survey, const struct questions *questions, struct walk_plan plan)
{
	static const enum tracking all[] = {TRACKING_NEW, TRACKING_ESTABLISHED, TRACKING_RELATED, TRACKING_INVALID,
					    TRACKING_UNTRACKED};
	static const enum tracking natted[] = {TRACKING_NEW, TRACKING_RELATED};
	bool nat = survey->table->id == TABLE_NAT;
	const enum tracking *states = nat ? natted : all;
	size_t count = nat ? sizeof natted / sizeof *natted : sizeof all / sizeof *all;

	for (size_t i = 0; i < count; i++) {
		bool known = false;

		for (size_t j = 0; j < i; j++)
			known = known || are_alike(questions, states[i], states[j]);
		plan.tracking = states[i];
		if (!known)
			vec_push(&survey->arena, &survey->plans, plan);
	}
}

/* Where DNAT may have been at work: what comes back by the loopback interface was so before it leaves. */
static bool may_be_translated(const struct table_survey *survey, enum hook hook)
{
	return survey->table->id != TABLE_RAW &&
	       (survey->table->id != TABLE_NAT || hook == HOOK_INPUT || hook == HOOK_POSTROUTING);
}

static void plan_hook(struct table_survey *survey, const struct questions *questions, const struct chain *chain,
		      const char *in)
{
	struct walk_plan plan = {.chain = chain, .in = in};
	enum hook hook = chain->hook;

	if (survey->table->id == TABLE_RAW) {
		plan.before_tracking = true;
		vec_push(&survey->arena, &survey->plans, plan);
		/* What the host sends to itself comes back with its connection. */
		plan.before_tracking = false;
		if (hook == HOOK_PREROUTING && interface_name_covers(in, "lo"))
			plan_states(survey, questions, plan);
		return;
	}
	plan_states(survey, questions, plan);
	if (questions->translation && may_be_translated(survey, hook)) {
		plan.translated = true;
		vec_push(&survey->arena, &survey->plans, plan);
	}
	/* iptables-nft has nat's INPUT before security's. */
	if (survey->table->id == TABLE_SECURITY && hook == HOOK_INPUT) {
		plan.resourced = true;
		vec_push(&survey->arena, &survey->plans, plan);
	}
}

static void plan_walks(struct table_survey *survey)
{
	struct questions questions;
	struct names ins = {0};

	question_table(&questions, survey->table);
	collect_ins(&ins, survey);
	vec_each(chain, &survey->table->chains) {
		if (!chain->builtin || !chain->rules.len)
			continue;
		if (chain->hook == HOOK_OUTPUT || chain->hook == HOOK_POSTROUTING) {
			plan_hook(survey, &questions, chain, "");
			continue;
		}
		vec_each(in, &ins.items)
			plan_hook(survey, &questions, chain, *in);
	}
}

static bool table_changes_marks(const struct table *table)
{
	vec_each(chain, &table->chains)
		vec_each(rule, &chain->rules) {
			enum rule_effect effect = rule_effect(rule);

			if (effect == EFFECT_MARK || effect == EFFECT_CONNMARK || effect == EFFECT_UNKNOWN)
				return true;
		}
	return false;
}

void table_survey_init(struct table_survey *survey, const struct ruleset *ruleset, enum table_id id)
{
	struct packet_space *space = &survey->space;

	*survey = (struct table_survey){.arena = ARENA_EMPTY, .table = &ruleset->tables[id]};
	ruleset_init(&survey->alone, ruleset->family, &survey->arena);
	survey->alone.tables[id] = ruleset->tables[id];
	survey->changes_marks = table_changes_marks(survey->table);
	host_init(&survey->nowhere, &survey->arena);
	packet_space_init(space, ruleset->family, &survey->arena);
	packet_space_mention_rules(space, &survey->alone);
	packet_space_mention_interface(space, "lo");
	places_mention(space, &survey->nowhere);
	packet_space_close(space);
	places_make(&survey->places, space, &survey->nowhere);
	plan_walks(survey);
}

void table_survey_free(struct table_survey *survey)
{
	packet_space_free(&survey->space);
	arena_free(&survey->arena);
}

/* ---- walks ---- */

/* Every destination as what it may be. */
static uint32_t of_possible_types(struct table_survey *survey, unsigned types)
{
	struct packet_space *space = &survey->space;
	uint32_t packets = DIAGRAM_NONE;

	for (int type = 0; type < TYPE_COUNT; type++)
		if (types & 1u << type)
			packets = packets_or(space, packets,
					     packets_and(space,
							 places_possible(space, &survey->places, FIELD_DST,
									 (enum destination_type)type),
							 packets_of_type(space, (enum destination_type)type)));
	return packets;
}

/* Everything that can be there: marks are any, for other tables may set them. */
static uint32_t everything(struct table_survey *survey, const struct walk_plan *plan)
{
	const unsigned all = (1u << TYPE_COUNT) - 1, own = 1u << TYPE_LOCAL | 1u << TYPE_ANYCAST;
	struct packet_space *space = &survey->space;
	uint32_t host = packets_to_host(space), local;

	switch (plan->chain->hook) {
	case HOOK_INPUT:
		/* TPROXY and rules of routing may deliver what is sent to others. */
		return packets_and(space, of_possible_types(survey, all), host);
	case HOOK_FORWARD:
		local = places_certain(space, &survey->places, FIELD_NEW_DST, TYPE_LOCAL);
		if (plan->translated)
			return packets_minus(space, packets_minus(space, of_possible_types(survey, all), host), local);
		return packets_minus(space, of_possible_types(survey, all & ~own), host);
	case HOOK_OUTPUT:
	case HOOK_POSTROUTING:
		return packets_minus(space, of_possible_types(survey, all), host);
	default:
		return of_possible_types(survey, all);
	}
}

void table_survey_walk(struct survey_walk *out, struct table_survey *survey, const struct walk_plan *plan,
		       const struct visitor *visitor)
{
	struct table_walk walk = {
		.space = &survey->space, .ruleset = &survey->alone, .visitor = visitor, .visits_only = true,
		.vantage = {.in = plan->in, .hook = plan->chain->hook, .tracking = plan->tracking,
			    .before_tracking = plan->before_tracking, .translated = plan->translated,
			    .resourced = plan->resourced, .places = &survey->places},
	};

	packet_space_clear(&survey->space);
	out->begun = everything(survey, plan);
	table_walk_pass(&walk, survey->table->id, plan->chain->hook, out->begun);
	out->vantage = walk.vantage;
	out->steps = walk.steps;
	out->gave_up = walk.gave_up || packet_space_gave_up(&survey->space);
}
