/*
 * translation.h - what a rule of nat makes of the destination of a set of packets.
 */
#ifndef PEERWALL_TRANSLATION_H
#define PEERWALL_TRANSLATION_H

#include <peerwall/packetset.h>
#include <peerwall/ruleset.h>

/* Without limits a destination stays as it was. */
struct translation {
	bool changes_dst, changes_dport;
	bool local;   /* it becomes one of the host's */
	bool unknown; /* it may become anything */
	addr_number dst_lo, dst_hi, dport_lo, dport_hi;
};

struct translation translation_of(const struct rule *rule);

/* Each packet becomes just one other. */
bool translation_is_certain(const struct translation *translation);

/* The packets as they are then, wherever they are routed to. */
uint32_t translation_apply(struct packet_space *space, const struct translation *translation, uint32_t packets);

/* Those that stay as they were: for connection tracking these are not translated at all. */
uint32_t translation_leaves(struct packet_space *space, const struct translation *translation, uint32_t packets);

#endif
