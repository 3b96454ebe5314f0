/*
 * lower.h - from a resolved policy to the rules that put it in force.
 *
 * Purpose: for each interface (or pattern) and family, a small ruleset that holds only peerwall's chains
 * and, in built-in chains, the jumps to them; in the exact order and form in which iptables-save prints them.
 * docs/lowering.md gives the reasons for its shape.
 * Errors: none; what iptables cannot hold (long names and prefixes, rates) was refused when the policy was resolved.
 * Ownership: everything lives in the arena.
 */
#ifndef PEERWALL_LOWER_H
#define PEERWALL_LOWER_H

#include <peerwall/diag.h>
#include <peerwall/policy.h>
#include <peerwall/ruleset.h>

/* All chains of peerwall begin with this, and their jumps bear a comment "peerwall INTERFACE". */
#define OWN_CHAIN_PREFIX "PW"
#define OWN_COMMENT_PREFIX "peerwall "

/* One interface's rules, both families. */
struct unit {
	const char *interface;
	enum refusal otherwise;
	struct span span;
	struct ruleset rules[FAMILY_COUNT];
};

struct unit_list {
	VEC(struct unit) items;
};

void lower_policy(struct unit_list *out, const struct policy *policy, struct arena *arena);

/*
 * Every jump that any policy may have for an interface, and the chains they lead to, empty. What shared chains a policy has
 * besides them is known by their names alone: own_chain_name() with the role "1", "2" and so on, without a gap.
 */
void lower_skeleton(struct ruleset *out, const char *interface, enum family family, struct arena *arena);

/* The name of an interface's chain; `role` is "" for the first one, else at most 4 bytes. Injective. */
const char *own_chain_name(struct arena *arena, const char *interface, const char *role);
/* The interface of one of our chains, or NULL if the name is not of that form. */
const char *own_chain_interface(struct arena *arena, const char *chain);
/* The interface that a jump of ours in a built-in chain serves, or NULL if the rule is not ours. */
const char *own_jump_interface(struct arena *arena, const struct rule *rule);

#endif
