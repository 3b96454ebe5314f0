#include <peerwall/table_walk.h>

#include "rule_effect.h"
#include "translation.h"

#include <peerwall/bug.h>

#include <string.h>

/* nft allows 16 levels of chains and legacy as many as there are chains; a circle is refused by both. */
#define DEPTH_MAX 400
/* Rules looked at in one walk. Chains that are called from everywhere are gone through again and again. */
#define STEPS_MAX 20000000u

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
	walk->accepted = packets_or(walk->space, walk->accepted, packets);
}

static void take_drop(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
		      bool exact)
{
	record(walk, EVENT_DROP, chain, rule, packets, exact);
	walk->dropped = packets_or(walk->space, walk->dropped, packets);
}

static void take_notrack(struct table_walk *walk, uint32_t packets, bool exact)
{
	walk->untracked = packets_or(walk->space, walk->untracked, packets_forget_marks(walk->space, packets));
	if (exact)
		walk->surely_untracked = packets_or(walk->space, walk->surely_untracked, packets);
}

static void take_dnat(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
		      bool exact)
{
	struct packet_space *space = walk->space;
	struct translation translation = translation_of(rule);
	uint32_t made = translation_apply(space, &translation, packets);
	uint32_t same = translation_leaves(space, &translation, packets);

	record(walk, EVENT_TRANSLATE, chain, rule, packets, exact);
	walk->accepted = packets_or(space, walk->accepted, same);
	if (translation_is_certain(&translation))
		made = packets_minus(space, made, packets_forget(space, same, FIELD_OUT));
	walk->translated = packets_or(space, walk->translated, made);
}

static void take_snat(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
		      bool exact)
{
	take_accept(walk, chain, rule, packets, exact);
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
	if (walk->table == TABLE_NAT && is_behind_routing(walk))
		take_snat(walk, chain, rule, packets, false);
	else if (walk->table == TABLE_NAT)
		take_dnat(walk, chain, rule, packets, false);
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

/* Where packets are behind a rule. */
struct onward {
	uint32_t rest;     /* before the next rule */
	uint32_t returned; /* out of the chain */
};

static void take_rule(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t hit,
		      bool exact, struct onward *onward)
{
	struct packet_space *space = walk->space;
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
		take_notrack(walk, hit, exact);
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
	onward->rest = packets_or(space, onward->rest, on);
	onward->returned = packets_or(space, onward->returned, back);
}

static void visit(struct table_walk *walk, const struct chain *chain, const struct rule *rule, uint32_t reached,
		  uint32_t hit, struct matched matched)
{
	struct visit visit = {walk->table, &walk->vantage, chain, rule, reached, hit, matched};

	if (walk->visitor)
		walk->visitor->visit(walk->visitor->context, &visit);
}

/* What comes out at the chain's end, or by RETURN. */
static uint32_t walk_chain(struct table_walk *walk, const struct chain *chain, uint32_t packets)
{
	struct packet_space *space = walk->space;
	struct onward onward = {packets, DIAGRAM_NONE};

	vec_each(rule, &chain->rules) {
		struct matched matched;
		uint32_t hit;

		if (onward.rest == DIAGRAM_NONE || walk->gave_up)
			break;
		if (++walk->steps > STEPS_MAX) {
			walk->gave_up = true;
			break;
		}
		if (rule_effect(rule) == EFFECT_NONE && !walk->visitor)
			continue;
		matched = rule_packets(space, rule, &walk->vantage);
		hit = packets_and(space, onward.rest, matched.packets);
		visit(walk, chain, rule, onward.rest, hit, matched);
		if (hit == DIAGRAM_NONE)
			continue;
		if (matched.exact)
			onward.rest = packets_minus(space, onward.rest, matched.packets);
		take_rule(walk, chain, rule, hit, matched.exact, &onward);
	}
	return packets_or(space, onward.rest, onward.returned);
}

void table_walk_pass(struct table_walk *walk, enum table_id table, enum hook hook, uint32_t packets)
{
	const struct chain *chain = table_find_chain(&walk->ruleset->tables[table], hook_names[hook], strlen(hook_names[hook]));
	uint32_t rest;

	walk->accepted = walk->dropped = walk->translated = walk->resourced = DIAGRAM_NONE;
	if (!chain || packets == DIAGRAM_NONE) {
		walk->accepted = packets;
		return;
	}
	walk->table = table;
	walk->vantage.hook = hook;
	rest = walk_chain(walk, chain, packets);
	visit(walk, chain, NULL, rest, rest, (struct matched){DIAGRAM_ALL, true});
	(chain->policy_drop ? take_drop : take_accept)(walk, chain, NULL, rest, true);
}
