/*
 * own_part.h - what of a live ruleset is ours, and where it stands among the foreign rules. Private to plan.
 */
#ifndef PEERWALL_OWN_PART_H
#define PEERWALL_OWN_PART_H

#include <peerwall/plan.h>

/* A jump of ours in a built-in chain. */
struct own_jump {
	const char *chain;
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

void own_jumps(struct own_jump_list *out, const struct ruleset *live, enum table_id table,
	       const struct name_list *interfaces, struct arena *arena);
void own_chains(struct chain_list *out, const struct ruleset *live, enum table_id table,
		const struct name_list *interfaces, struct arena *arena);

bool names_hold(const struct name_list *names, const char *name);

/* Does a foreign rule that may accept a packet of this interface stand before the jump? Only where that matters. */
bool jump_is_overtaken(const struct ruleset *live, enum table_id table, const struct own_jump *jump);

/*
 * Where a jump goes that is to be inserted, from 1, once all of our jumps for the planned interfaces but those of
 * `staying` are gone: first, but in filter behind the leading jumps to lists of banned addresses
 * (fail2ban's way), so that a ban also holds for what the policy allows. `chain` may be NULL.
 */
unsigned jump_place(const struct ruleset *live, enum table_id table, const struct chain *chain,
		    const struct own_jump_list *staying, const struct name_list *interfaces, struct arena *arena);

#endif
