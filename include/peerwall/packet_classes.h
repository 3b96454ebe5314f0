/*
 * packet_classes.h - sets of packets taken apart, for people to read.
 *
 * Purpose: what sets keep in diagrams, as values of fields again.
 * Ownership: lists live in the space's arena. Costs: as many steps as there are pieces of the field, times log n.
 */
#ifndef PEERWALL_PACKET_CLASSES_H
#define PEERWALL_PACKET_CLASSES_H

#include <peerwall/packetset.h>

/* Values of one field behind which the same packets follow. */
struct packet_class {
	uint32_t values; /* a set of that field alone */
	uint32_t rest;   /* what the other fields may be then */
};

struct packet_classes {
	VEC(struct packet_class) items; /* by their least value; disjoint */
};

/* The set must know of no field that is decided before this one, nor of one that is decided beside it. */
void packets_classify(struct packet_classes *out, struct packet_space *space, uint32_t a, enum field field);

/* The values of a set of one field alone, ascending; a range never ends where the next begins. */
void packets_values(struct addr_set *out, struct packet_space *space, uint32_t a, enum field field);

#endif
