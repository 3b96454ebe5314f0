/*
 * packet_fields.h - what the parts of packetset share; for src/analyse/packet_space.c, packetset.c and packet_sample.c alone.
 */
#ifndef PEERWALL_PACKET_FIELDS_H
#define PEERWALL_PACKET_FIELDS_H

#include <peerwall/packetset.h>

/* Single bits of it are asked for, and not pieces. */
bool field_is_masked(enum field field);

/* The bits of the value that a field with a mask keeps, the highest first: which one is number `bit`? */
uint32_t field_kept_bit(const struct field_atoms *atoms, unsigned bit);

#endif
