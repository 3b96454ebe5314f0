/*
 * table_walk.h - what the chains of one table do with a set of packets.
 *
 * Purpose: the semantics of chains, and nothing of hooks and routes: rules in their order, jump, goto, RETURN, policies,
 * marks, and what targets of nat make of a destination (net/ipv4/netfilter/ip_tables.c, net/netfilter/nft_compat.c, the
 * kernel's xt_*.c). traverse.h leads from table to table; others look at one table alone.
 * A rule that is understood only in part takes hold of what it may match, and lets all of it go on as well. So
 * `accepted` and `dropped` overlap; what is in one of them alone is certain.
 * Ownership: events live in the space's arena.
 * Errors: `gave_up`, or packet_space_gave_up(): nothing may be concluded then.
 */
#ifndef PEERWALL_TABLE_WALK_H
#define PEERWALL_TABLE_WALK_H

#include <peerwall/rule_packets.h>
#include <peerwall/vec.h>

enum event_kind { EVENT_ACCEPT, EVENT_DROP, EVENT_RETURN, EVENT_TRANSLATE };

/* That a rule took hold of some packets. */
struct event {
	enum event_kind kind;
	enum table_id table;
	enum hook hook;
	const struct chain *chain;
	const struct rule *rule; /* NULL: the chain's policy */
	uint32_t packets;
	bool exact;              /* false: it was understood only in part */
	bool translated;
};

struct event_list {
	VEC(struct event) items;
};

/* That packets came to a rule. */
struct visit {
	enum table_id table;
	const struct vantage *vantage;
	const struct chain *chain;
	const struct rule *rule; /* NULL: the policy of a built-in chain */
	uint32_t reached;        /* not told to a visitor of hits_only */
	uint32_t hit;            /* of these, what it matches, or may */
	struct matched matched;  /* of all packets there are */
};

/* Is told of every rule that packets come to, every time that they do. */
struct visitor {
	void (*visit)(void *context, const struct visit *visit);
	void *context;
	bool hits_only; /* is told only of rules that take hold of something, and not what reached them, which is dear */
};

struct table_walk {
	struct packet_space *space;
	const struct ruleset *ruleset;
	struct vantage vantage;
	struct event_list *events;     /* what happened is added; NULL: nobody asks */
	const struct visitor *visitor; /* or NULL */
	bool visits_only;              /* nobody asks where packets end, which is dear; the next two lines stay empty */

	/* Of the last table that was passed. */
	uint32_t accepted, dropped;
	uint32_t translated; /* by DNAT, as they are now */
	uint32_t resourced;  /* by SNAT: they have another source, and are among the accepted */
	uint32_t rewritten;  /* perhaps, to anything whatsoever, by a rule that nobody can foresee; nat's are among the translated */

	/* Of raw. */
	uint32_t doubted;    /* some rule may have taken hold of these, and led them elsewhere */

	bool gave_up;        /* the chains call each other too often */
	bool has_sole_protocol;
	uint8_t sole_protocol; /* that all packets at hand have, in the chains of the hook at hand */
	enum table_id table;
	unsigned depth, steps, passed_by;
};

/* Takes the packets through the table's chain of that hook. Without such a chain all are accepted. */
void table_walk_pass(struct table_walk *walk, enum table_id table, enum hook hook, uint32_t packets);

#endif
