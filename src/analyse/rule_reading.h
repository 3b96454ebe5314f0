/*
 * rule_reading.h - a rule's matches, read one after the other; for src/analyse/rule_packets.c and rule_conntrack.c alone.
 *
 * Each match demands something of the packets, so that ever fewer are left.
 */
#ifndef PEERWALL_RULE_READING_H
#define PEERWALL_RULE_READING_H

#include <peerwall/rule_packets.h>

#define BIT(number) ((uint64_t)1 << (number))

struct reading {
	struct packet_space *space;
	const struct vantage *vantage;
	struct matched matched;
};

/* ---- rule_packets.c ---- */

void demand(struct reading *reading, uint32_t packets, bool negated);
/* The same of all packets there are. */
void demand_truth(struct reading *reading, bool truth);
/* Something is asked that is not known here: it may match or not. */
void demand_unknown(struct reading *reading);
void demand_network(struct reading *reading, enum field field, const struct addr *addr, const struct addr *mask,
		    bool negated);

/* ---- rule_conntrack.c: what connection tracking knows of a packet ---- */

void demand_state(struct reading *reading, const struct option *option);
void demand_conntrack(struct reading *reading, const struct match *match);
void demand_connmark(struct reading *reading, const struct option *option);

#endif
