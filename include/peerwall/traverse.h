/*
 * traverse.h - what becomes of all packets that enter by an interface.
 *
 * Purpose: takes sets of packets through raw, connection tracking, mangle, nat, routing, mangle, filter and security, as
 * the kernel takes single ones (net/ipv4/netfilter, net/ipv6/netfilter, net/netfilter/nf_conntrack_core.c).
 * A rule that is understood only in part takes hold of what it may match, and lets all of it go on as well. So the
 * two answers overlap: what may be accepted and what may be dropped. What is in one of them alone is certain.
 * Ownership: the events live in the space's arena.
 * Errors: `gave_up`, or packet_space_gave_up(): nothing may be concluded then.
 */
#ifndef PEERWALL_TRAVERSE_H
#define PEERWALL_TRAVERSE_H

#include <peerwall/packetset.h>
#include <peerwall/ruleset.h>
#include <peerwall/vec.h>

enum event_kind {
	EVENT_ACCEPT,
	EVENT_DROP,
	EVENT_RETURN,
	EVENT_TRANSLATE,
	/* With TRAVERSE_EVERY_RULE alone. */
	EVENT_JUMP,   /* or goto */
	EVENT_CHANGE, /* of a mark, the time to live, tracking */
	EVENT_PASS,   /* nothing came of it */
};

/* That a rule took hold of some packets. */
struct event {
	enum event_kind kind;
	enum table_id table;
	enum hook hook;
	const struct chain *chain;
	const struct rule *rule; /* NULL: the chain's policy */
	uint32_t packets;
	uint32_t reached;        /* what came to it; the packets are some of these */
	bool exact;              /* false: it was understood only in part, or what it does is */
	bool translated;
};

enum passage { PASSAGE_AS_SENT, PASSAGE_TRANSLATED, PASSAGE_COUNT };

struct journey {
	/* By whether DNAT has been at work. Marks are forgotten. */
	uint32_t accepted[PASSAGE_COUNT];
	uint32_t dropped[PASSAGE_COUNT]; /* before nat: as sent */
	VEC(struct event) events;        /* in the order in which packets meet them */
	bool gave_up;                    /* the chains call each other too often */
};

enum traverse_scope {
	TRAVERSE_ALL,
	TRAVERSE_EVERY_RULE, /* the same; with events also of the rules that settle nothing */
	TRAVERSE_OWN_TABLES, /* as if raw and nat did the worst they can and filter accepted everything */
};

/* The values that traverse itself asks for; before packet_space_close(). */
void traverse_mention(struct packet_space *space);

/* Everything that can arrive: what the types of destinations say, and the routes that follow from them. */
uint32_t traverse_arriving(struct packet_space *space);

/* Of the `arriving`, those of that state, from the network card to a socket or out again. */
void traverse(struct journey *out, struct packet_space *space, const struct ruleset *ruleset, const char *in,
	      enum tracking tracking, uint32_t arriving, enum traverse_scope scope);

#endif
