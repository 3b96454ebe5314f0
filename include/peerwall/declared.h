/*
 * declared.h - what policies say of the packets that enter by an interface, as sets.
 *
 * Purpose: the other side of the proof. It is made from the resolved policy alone, by no way that the compiler goes
 * (flows, classes, rules), so that a mistake there shows as a difference.
 */
#ifndef PEERWALL_DECLARED_H
#define PEERWALL_DECLARED_H

#include <peerwall/packetset.h>
#include <peerwall/policy.h>
#include <peerwall/traverse.h>

#include <stdbool.h>

/* All values that the policy and its tests speak of; before packet_space_close(). */
void declared_mention(struct packet_space *space, const struct policy *policy);

/* Has the policy a block for the interface? */
bool declared_covers(const struct policy *policy, const char *interface);

/* What may get in, by this policy: for interfaces that it does not cover, all but what would leave by one that it does. */
uint32_t declared_allowed(struct packet_space *space, const struct policy *policy, const char *in, enum passage passage);

/* What this permission promises; empty where it does not speak of the interface. */
uint32_t declared_by(struct packet_space *space, const struct policy *policy, const struct interface_policy *block,
		     const struct permission *permission, const char *in, enum passage passage);

/*
 * Declared transit that somebody's DNAT has turned and that passes all the same, since its port is also exposed to the
 * same peer: docs/lowering.md, Limits.
 */
uint32_t declared_indistinct(struct packet_space *space, const struct policy *policy, const char *in);

/* What IPv6 needs on every interface of a policy, and nobody has to write down. */
uint32_t declared_neighbour_discovery(struct packet_space *space);

/* What a line of a test speaks of. Empty where it has nobody of the family. */
uint32_t declared_tested(struct packet_space *space, const struct assertion *assertion);

#endif
