/*
 * traverse.h - what becomes of all packets that enter by an interface.
 *
 * Purpose: takes sets of packets through raw, connection tracking, mangle, nat, routing, mangle, filter and security, as
 * the kernel takes single ones (net/ipv4/netfilter, net/ipv6/netfilter, net/netfilter/nf_conntrack_core.c). Each
 * table's chains are table_walk.h's, and as there, what may be accepted and what may be dropped overlap.
 * Established connections are not looked at: what passed as new goes on passing.
 * Ownership: the events live in the space's arena.
 * Errors: `gave_up`, or packet_space_gave_up(): nothing may be concluded then.
 */
#ifndef PEERWALL_TRAVERSE_H
#define PEERWALL_TRAVERSE_H

#include <peerwall/places.h>
#include <peerwall/table_walk.h>

enum passage { PASSAGE_AS_SENT, PASSAGE_TRANSLATED, PASSAGE_COUNT };

struct journey {
	/* By whether DNAT has been at work. Marks are forgotten. */
	uint32_t accepted[PASSAGE_COUNT];
	uint32_t dropped[PASSAGE_COUNT]; /* before nat: as sent */
	struct event_list events;        /* in the order in which packets meet them */
	unsigned steps;                  /* rules looked at */
	bool gave_up;
};

enum traverse_scope {
	TRAVERSE_ALL,
	TRAVERSE_OWN_TABLES, /* as if raw and nat did the worst they can and filter accepted everything */
};

struct traverse_input {
	const struct ruleset *ruleset;
	const char *in;
	enum tracking tracking;        /* new, untracked or invalid */
	const struct places *places;
	uint32_t arriving;             /* traverse_arriving(), or a part of it */
	enum traverse_scope scope;
	bool nat_first;                /* nat's INPUT comes before security's: not so with the legacy tables */
	const struct visitor *visitor; /* or NULL */
};

/* The values that traverse itself asks for; before packet_space_close(). */
void traverse_mention(struct packet_space *space);

/* Everything that can arrive: what the types of destinations say, and the routes that follow from them. */
uint32_t traverse_arriving(struct packet_space *space, const struct places *places);
/* What of that comes to the first rule, by the interface. */
uint32_t traverse_entering(struct packet_space *space, const char *in, uint32_t arriving);

/* ICMP that is never NEW, nor untracked by itself: errors and answers. Without a connection it is INVALID. */
uint32_t traverse_never_new(struct packet_space *space);

/*
 * One passage's packets of `accepted` or `dropped`, and what the other's are the same packets as: what may be dropped
 * before nat, as it was sent, and what may be accepted behind it, rewritten, can be one packet where a rule is understood
 * only in part. Then neither is certain.
 */
uint32_t journey_anyhow(struct packet_space *space, const uint32_t packets[PASSAGE_COUNT], enum passage passage);
/* What is accepted whatever the rules that are understood only in part do. */
uint32_t journey_certain(struct packet_space *space, const struct journey *journey, enum passage passage);

/* Adds what became of other packets, or of the same in another state. */
void journey_join(struct packet_space *space, struct journey *out, const struct journey *other);

/* From the network card to a socket, or out again. */
void traverse(struct journey *out, struct packet_space *space, const struct traverse_input *input);

#endif
