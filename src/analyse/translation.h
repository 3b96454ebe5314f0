/*
 * translation.h - what a rule of nat makes of the destination of a set of packets.
 */
#ifndef PEERWALL_TRANSLATION_H
#define PEERWALL_TRANSLATION_H

#include <peerwall/rule_packets.h>

struct translation {
	uint32_t made; /* the packets as they are then, wherever they are routed to */
	uint32_t same; /* those that stay as they were: for connection tracking these are not translated at all */
};

struct translation translate(struct packet_space *space, const struct rule *rule, const struct vantage *vantage,
			     uint32_t packets);

#endif
