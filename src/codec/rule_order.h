/*
 * rule_order.h - the order of a chain's rules when some were inserted rather than appended.
 *
 * Purpose: "-I CHAIN n" moves all rules behind it, which done one by one costs the square of their number.
 * Here each rule only notes where it went in, and the order is worked out once, in n log n.
 * Inside src/codec only. Ownership: the arena.
 */
#ifndef PEERWALL_RULE_ORDER_H
#define PEERWALL_RULE_ORDER_H

#include <peerwall/ruleset.h>

struct rule_order {
	VEC(uint32_t) places; /* for each rule in order of arrival: how many stood before it then; empty: appended all */
};

/* Notes that the chain's last rule, which has just been added, belongs before rule number `place` (from 0). */
void rule_order_insert(struct rule_order *order, struct arena *arena, const struct chain *chain, uint32_t place);

/* Notes that the last rule stays at the end; needed only once something was inserted. */
void rule_order_append(struct rule_order *order, struct arena *arena, const struct chain *chain);

/* Puts the rules into their order, and forgets the notes. */
void rule_order_apply(struct rule_order *order, struct arena *arena, struct chain *chain);

#endif
