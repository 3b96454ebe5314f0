/*
 * own_part.h - what of a live ruleset is ours, and where it stands among the foreign rules. Private to plan.
 */
#ifndef PEERWALL_OWN_PART_H
#define PEERWALL_OWN_PART_H

#include <peerwall/plan.h>

/* A jump of ours in a built-in chain. */
struct own_jump {
	const char *chain;
	enum hook hook; /* of the chain */
	const char *interface;
	size_t index; /* of the rule in its chain, from 0 */
	const struct rule *rule;
};

struct own_jump_list {
	VEC(struct own_jump) items;
};

struct chain_list {
	VEC(const struct chain *) items;
};

/* The interfaces are given as a table of their names, since there may be many. */
void names_index(struct intern *out, const struct name_list *names, struct arena *arena);

void own_jumps(struct own_jump_list *out, const struct ruleset *live, enum table_id table,
	       const struct intern *interfaces, struct arena *arena);
void own_chains(struct chain_list *out, const struct ruleset *live, enum table_id table,
		const struct intern *interfaces, struct arena *arena);

/* The foreign rules of a table's built-in chains that may accept a packet, where it matters that none stands before ours. */
struct obstacle {
	size_t index; /* in its chain, from 0 */
	const struct rule *rule;
};

struct obstacles {
	VEC(struct obstacle) of[HOOK_COUNT];
};

void obstacles_find(struct obstacles *out, const struct ruleset *live, enum table_id table, struct arena *arena);

/* The first of them that may be about this interface and stands before the jump; NULL if none does. */
const struct obstacle *jump_overtaker(const struct obstacles *obstacles, const struct own_jump *jump);

/*
 * Where a jump goes that is to be inserted, from 1, once all of our jumps for the planned interfaces but those of
 * `staying` are gone: first, but in filter behind the leading jumps to lists of banned addresses
 * (fail2ban's way), so that a ban also holds for what the policy allows. `chain` may be NULL.
 */
unsigned jump_place(const struct ruleset *live, enum table_id table, const struct chain *chain,
		    const struct own_jump_list *staying, const struct intern *interfaces, struct arena *arena);

#endif
