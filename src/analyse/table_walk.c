#include <peerwall/table_walk.h>

#include "rule_effect.h"
#include "translation.h"

#include <peerwall/bug.h>
#include <peerwall/packet_classes.h>

#include <string.h>

/* nft allows 16 levels of chains and legacy as many as there are chains; a circle is refused by both. */
#define DEPTH_MAX 400
/* Rules looked at in one walk. Chains that are called from everywhere are gone through again and again. */
#define STEPS_MAX 20000000u
#define PASSED_BY_IN_A_STEP 16

/* ---- marks ---- */

static uint32_t set_mark(struct table_walk *walk, uint32_t packets, const struct rule *rule)
{
	const struct option *option = target_option(rule, OPTION_T_MARK_SET_XMARK);

	if (!option)
		return packets_forget_mark(walk->space, packets, FIELD_MARK, UINT32_MAX);
	return packets_set_mark(walk->space, packets, FIELD_MARK, (uint32_t)option->value.masked.mask,
				(uint32_t)option->value.masked.value);
}

static uint32_t mask_of(const struct rule *rule, enum option_id id)
{
	const struct option *option = target_option(rule, id);

	return option ? (uint32_t)option->value.number : UINT32_MAX;
}

/* connmark_tg_shift() of the kernel's xt_connmark.c. */
static uint32_t use_connmark(struct table_walk *walk, uint32_t packets, const struct rule *rule)
{
	uint32_t ctmask = mask_of(rule, OPTION_T_CONNMARK_CTMASK), nfmask = mask_of(rule, OPTION_T_CONNMARK_NFMASK);
	const struct option *option = target_option(rule, OPTION_T_CONNMARK_SET_XMARK);

	if (!vantage_is_tracked(&walk->vantage))
		return packets;
	if (target_option(rule, OPTION_T_CONNMARK_LEFT_SHIFT) || target_option(rule, OPTION_T_CONNMARK_RIGHT_SHIFT))
		return packets_forget_marks(walk->space, packets);
	if (option)
		return packets_set_mark(walk->space, packets, FIELD_CONNMARK, (uint32_t)option->value.masked.mask,
					(uint32_t)option->value.masked.value);
	if (target_option(rule, OPTION_T_CONNMARK_SAVE))
		return packets_copy_mark(walk->space, packets, FIELD_CONNMARK, ctmask, FIELD_MARK, nfmask);
	return packets_copy_mark(walk->space, packets, FIELD_MARK, nfmask, FIELD_CONNMARK, ctmask);
}

/* ---- what a rule does ---- */

static void record(struct table_walk *walk, enum event_kind kind, const struct chain *chain, const struct rule *rule,
		   uint32_t packets, bool exact)
{
	if (walk->events && packets != DIAGRAM_NONE)
		vec_push(walk->space->arena, &walk->events->items,
			 (struct event){kind, walk->table, walk->vantage.hook, chain, rule, packets, exact,
					walk->vantage.translated});
}

static void take_accept(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
			bool exact)
{
	record(walk, EVENT_ACCEPT, chain, rule, packets, exact);
	if (!walk->visits_only)
		walk->accepted = packets_or(walk->space, walk->accepted, packets);
}

static void take_drop(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
		      bool exact)
{
	record(walk, EVENT_DROP, chain, rule, packets, exact);
	if (!walk->visits_only)
		walk->dropped = packets_or(walk->space, walk->dropped, packets);
}

/* A rule in raw whose match or doing is not known: behind it nothing is sure of these. */
static void take_doubt(struct table_walk *walk, uint32_t packets)
{
	if (walk->vantage.before_tracking)
		walk->doubted = packets_or(walk->space, walk->doubted, packets_forget_marks(walk->space, packets));
}

/* Of two words about tracking the first counts: xt_ct_target() of net/netfilter/xt_CT.c. */
struct word_on_tracking {
	uint32_t *perhaps, *surely;
};

static void take_word(struct table_walk *walk, uint32_t packets, struct word_on_tracking word,
		      struct word_on_tracking other)
{
	struct packet_space *space = walk->space;
	uint32_t open;

	packets = packets_minus(space, packets_forget_marks(space, packets), *other.surely);
	open = packets_or(space, walk->doubted, *other.perhaps);
	*word.perhaps = packets_or(space, *word.perhaps, packets);
	*word.surely = packets_or(space, *word.surely, packets_minus(space, packets, open));
}

static void take_tracking(struct table_walk *walk, uint32_t packets, enum rule_effect effect)
{
	struct vantage *vantage = &walk->vantage;
	struct word_on_tracking notrack = {&vantage->untracked, &vantage->surely_untracked};
	struct word_on_tracking template = {&vantage->templated, &vantage->surely_templated};

	if (effect == EFFECT_NOTRACK)
		take_word(walk, packets, notrack, template);
	else
		take_word(walk, packets, template, notrack);
}

static void take_dnat(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
		      bool exact)
{
	struct packet_space *space = walk->space;
	struct translation translation;

	record(walk, EVENT_TRANSLATE, chain, rule, packets, exact);
	if (walk->visits_only)
		return;
	translation = translate(space, rule, &walk->vantage, packets);
	walk->accepted = packets_or(space, walk->accepted, translation.same);
	walk->translated = packets_or(space, walk->translated, translation.made);
}

static void take_snat(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
		      bool exact)
{
	take_accept(walk, chain, rule, packets, exact);
	if (!walk->visits_only)
		walk->resourced = packets_or(walk->space, walk->resourced, packets);
}

static bool is_behind_routing(const struct table_walk *walk)
{
	return walk->vantage.hook == HOOK_INPUT || walk->vantage.hook == HOOK_POSTROUTING;
}

/* What goes on behind the rule, though nobody knows how it looks then. */
static uint32_t take_unknown(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets)
{
	walk->vantage.hops_changed = true;
	take_doubt(walk, packets);
	if (walk->table == TABLE_NAT && is_behind_routing(walk))
		take_snat(walk, chain, rule, packets, false);
	else if (walk->table == TABLE_NAT)
		take_dnat(walk, chain, rule, packets, false);
	else if (rule_may_rewrite(rule))
		walk->rewritten = packets_or(walk->space, walk->rewritten, packets);
	take_accept(walk, chain, rule, packets, false);
	take_drop(walk, chain, rule, packets, false);
	return packets_forget_marks(walk->space, packets);
}

/* ---- chains ---- */

static uint32_t walk_chain(struct table_walk *walk, const struct chain *chain, uint32_t packets);

static uint32_t walk_into(struct table_walk *walk, const char *name, uint32_t packets)
{
	const struct chain *chain = table_find_chain(&walk->ruleset->tables[walk->table], name, strlen(name));
	uint32_t returned;

	if (!chain || walk->depth == DEPTH_MAX) {
		walk->gave_up = true;
		return DIAGRAM_NONE;
	}
	walk->depth++;
	returned = walk_chain(walk, chain, packets);
	walk->depth--;
	return returned;
}

/* Of what a rule has taken hold of. */
struct onward {
	uint32_t on;   /* before the next rule */
	uint32_t back; /* out of the chain */
};

static struct onward take_rule(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t hit,
			       bool exact)
{
	uint32_t on = DIAGRAM_NONE, back = DIAGRAM_NONE;

	switch (rule_effect(rule)) {
	case EFFECT_NONE:
		on = hit;
		break;
	case EFFECT_ACCEPT:
		take_accept(walk, chain, rule, hit, exact);
		break;
	case EFFECT_DROP:
		take_drop(walk, chain, rule, hit, exact);
		break;
	case EFFECT_RETURN:
		record(walk, EVENT_RETURN, chain, rule, hit, exact);
		back = hit;
		break;
	case EFFECT_JUMP:
		on = walk_into(walk, rule->target.chain, hit);
		break;
	case EFFECT_GOTO:
		back = walk_into(walk, rule->target.chain, hit);
		break;
	case EFFECT_MARK:
		on = set_mark(walk, hit, rule);
		break;
	case EFFECT_CONNMARK:
		on = use_connmark(walk, hit, rule);
		break;
	case EFFECT_HOPS:
		/* The rules that these packets meet from here on are all looked at later. */
		walk->vantage.hops_changed = true;
		on = hit;
		break;
	case EFFECT_NOTRACK:
	case EFFECT_TEMPLATE:
		take_tracking(walk, hit, rule_effect(rule));
		on = hit;
		break;
	case EFFECT_DNAT:
		take_dnat(walk, chain, rule, hit, exact);
		break;
	case EFFECT_SNAT:
		take_snat(walk, chain, rule, hit, exact);
		break;
	case EFFECT_NETMAP:
		(is_behind_routing(walk) ? take_snat : take_dnat)(walk, chain, rule, hit, exact);
		break;
	case EFFECT_UNKNOWN:
		on = take_unknown(walk, chain, rule, hit);
		break;
	}
	return (struct onward){on, back};
}

/*
 * What is before a rule: `start` without `taken`. The packets that came in, and what the rules so far match of all that
 * there are, are kept apart: both are mostly small, and their difference seldom is.
 */
struct queue {
	uint32_t start, taken;
	unsigned misses; /* rules since, that took hold of nothing */

	/* Of `start`, for rules that ask for services alone. */
	unsigned asked;   /* by how many */
	bool told_apart;
	uint32_t whole;   /* it, with every service */
	uint32_t lacking; /* services that some of it do not have */
};

#define FIRST_MISSES 16
#define FIRST_ASKED 16

static void set_start(struct queue *queue, uint32_t start)
{
	queue->told_apart = queue->told_apart && queue->start == start;
	queue->start = start;
}

static void settle(struct packet_space *space, struct queue *queue)
{
	set_start(queue, packets_minus(space, queue->start, queue->taken));
	queue->taken = DIAGRAM_NONE;
}

static void tell_apart(struct packet_space *space, struct queue *queue)
{
	queue->whole = packets_forget(space, queue->start, FIELDS_SERVICE);
	queue->lacking = packets_project(space, packets_minus(space, queue->whole, queue->start), FIELDS_SERVICE);
	queue->told_apart = true;
}

/*
 * What is left may lack this service at one address and that at another, for thousands of them. A rule for a service that none of
 * them lacks, at whatever address, need not look at each.
 */
static uint32_t take_hold(struct packet_space *space, struct queue *queue, uint32_t fresh)
{
	if (!packets_are_of_services(space, fresh) || queue->asked++ < FIRST_ASKED)
		return packets_and(space, queue->start, fresh);
	if (!queue->told_apart)
		tell_apart(space, queue);
	return packets_and(space, packets_and(space, queue->lacking, fresh) == DIAGRAM_NONE ? queue->whole : queue->start, fresh);
}

static void visit(struct table_walk *walk, const struct chain *chain, const struct rule *rule, const struct queue *queue,
		  uint32_t hit, struct matched matched)
{
	struct visit visit = {walk->table, &walk->vantage, chain, rule, DIAGRAM_NONE, hit, matched};

	if (!walk->visitor || (walk->visitor->hits_only && hit == DIAGRAM_NONE))
		return;
	if (!walk->visitor->hits_only) {
		visit.reached = packets_minus(walk->space, queue->start, queue->taken);
		if (visit.reached == DIAGRAM_NONE)
			return;
	}
	walk->visitor->visit(walk->visitor->context, &visit);
}

/* What goes out of the chain. */
static uint32_t pass_rule(struct table_walk *walk, const struct chain *chain, const struct rule *rule,
			  struct queue *queue)
{
	struct packet_space *space = walk->space;
	struct matched matched = rule_packets(space, rule, &walk->vantage);
	uint32_t fresh = packets_minus(space, matched.packets, queue->taken);
	uint32_t hit = take_hold(space, queue, fresh);
	struct onward onward;

	visit(walk, chain, rule, queue, hit, matched);
	if (hit == DIAGRAM_NONE) {
		/* Perhaps nothing is left. */
		if (++queue->misses >= FIRST_MISSES && !(queue->misses & (queue->misses - 1)))
			settle(space, queue);
		return DIAGRAM_NONE;
	}
	if (!matched.exact)
		take_doubt(walk, hit);
	onward = take_rule(walk, chain, rule, hit, matched.exact);
	if (onward.on == hit)
		return onward.back;
	if (matched.exact)
		queue->taken = packets_or(space, queue->taken, fresh);
	if (onward.on != DIAGRAM_NONE) {
		settle(space, queue);
		set_start(queue, packets_or(space, queue->start, onward.on));
	}
	return onward.back;
}

/* Its protocol or its interfaces alone tell that it takes hold of nothing: `out` is the one that all leave by, or NULL. */
static bool is_passed_by(const struct table_walk *walk, const struct rule *rule, const char *out)
{
	enum hook hook = walk->vantage.hook;

	if (rule->opaque)
		return false;
	if (rule->protocol.present && walk->has_sole_protocol &&
	    (rule->protocol.number == walk->sole_protocol) == rule->protocol.negated)
		return true;
	if (rule->in.name && hook != HOOK_POSTROUTING &&
	    interface_name_covers(rule->in.name, walk->vantage.in) == rule->in.negated)
		return true;
	return out && rule->out.name && (hook == HOOK_FORWARD || hook == HOOK_POSTROUTING) &&
	       interface_name_covers(rule->out.name, out) == rule->out.negated;
}

/* Is there anything to see at a rule? Where many bridges call one chain with all their rules, at few of them. */
static bool is_looked_at(struct table_walk *walk, const struct rule *rule, const char *out)
{
	if (walk->visitor && !walk->visitor->hits_only) {
		walk->steps++;
		return true;
	}
	if (!is_passed_by(walk, rule, out)) {
		walk->steps++;
		return walk->visitor || rule_effect(rule) != EFFECT_NONE;
	}
	walk->steps += ++walk->passed_by % PASSED_BY_IN_A_STEP == 0;
	return false;
}

/* What comes out at the chain's end, or by RETURN. */
static uint32_t walk_chain(struct table_walk *walk, const struct chain *chain, uint32_t packets)
{
	struct packet_space *space = walk->space;
	struct queue queue = {.start = packets};
	const char *out = packets_sole_out(space, packets);
	uint32_t returned = DIAGRAM_NONE;

	vec_each(rule, &chain->rules) {
		if (queue.start == DIAGRAM_NONE || queue.taken == DIAGRAM_ALL || walk->gave_up)
			break;
		if (walk->steps > STEPS_MAX) {
			walk->gave_up = true;
			break;
		}
		if (is_looked_at(walk, rule, out))
			returned = packets_or(space, returned, pass_rule(walk, chain, rule, &queue));
	}
	settle(space, &queue);
	return packets_or(space, queue.start, returned);
}

/* What is never tracked is ICMPv6, and then rules for other protocols need no look. */
static void find_sole_protocol(struct table_walk *walk, uint32_t packets)
{
	struct addr_set protocols;

	packets_values(&protocols, walk->space, packets_project(walk->space, packets, FIELD_BIT(FIELD_PROTOCOL)), FIELD_PROTOCOL);
	walk->has_sole_protocol = protocols.ranges.len == 1 && protocols.ranges.data[0].lo == protocols.ranges.data[0].hi;
	if (walk->has_sole_protocol)
		walk->sole_protocol = (uint8_t)protocols.ranges.data[0].lo;
}

void table_walk_pass(struct table_walk *walk, enum table_id table, enum hook hook, uint32_t packets)
{
	const struct chain *chain = table_find_chain(&walk->ruleset->tables[table], hook_names[hook], strlen(hook_names[hook]));
	uint32_t rest;

	walk->accepted = walk->dropped = walk->translated = walk->resourced = walk->rewritten = DIAGRAM_NONE;
	if (!chain || packets == DIAGRAM_NONE) {
		walk->accepted = packets;
		return;
	}
	walk->table = table;
	walk->vantage.hook = hook;
	find_sole_protocol(walk, packets);
	rest = walk_chain(walk, chain, packets);
	visit(walk, chain, NULL, &(struct queue){.start = rest}, rest, (struct matched){DIAGRAM_ALL, true});
	(chain->policy_drop ? take_drop : take_accept)(walk, chain, NULL, rest, true);
}
