/*
 * rule_effect.h - what a rule does to the packets that it matches, as far as sets of packets can tell.
 */
#ifndef PEERWALL_RULE_EFFECT_H
#define PEERWALL_RULE_EFFECT_H

#include <peerwall/ruleset.h>

enum rule_effect {
	EFFECT_NONE,      /* they go on, unchanged */
	EFFECT_ACCEPT,    /* of this table */
	EFFECT_DROP,
	EFFECT_RETURN,
	EFFECT_JUMP,
	EFFECT_GOTO,
	EFFECT_MARK,
	EFFECT_HOPS,      /* they have another time to live from here on */
	EFFECT_CONNMARK,
	EFFECT_NOTRACK,
	EFFECT_TEMPLATE,  /* of what their connection will be: a later NOTRACK says nothing to them */
	EFFECT_DNAT,      /* they have another destination; REDIRECT, too */
	EFFECT_SNAT,      /* they have another source; MASQUERADE, too */
	EFFECT_NETMAP,    /* one of both, by the hook */
	EFFECT_UNKNOWN,   /* anything */
};

enum rule_effect rule_effect(const struct rule *rule);

/* Of EFFECT_UNKNOWN: may the packet have another header behind it? So it is behind a queue to some program, and behind DNPT. */
bool rule_may_rewrite(const struct rule *rule);

/* The option of the rule's target, or NULL. */
const struct option *target_option(const struct rule *rule, enum option_id id);

#endif
