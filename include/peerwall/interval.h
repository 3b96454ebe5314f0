/*
 * interval.h - sets of ports and sets of addresses, as sorted disjoint ranges.
 *
 * Ranges are inclusive at both ends, so that the last port and the last address need no special case;
 * adjacent ranges are joined. An address set holds addresses of one family. All zero is the empty set.
 * Ownership: the ranges live in the arena that is passed in. Costs: n log n to normalise, n to combine.
 */
#ifndef PEERWALL_INTERVAL_H
#define PEERWALL_INTERVAL_H

#include <peerwall/addr.h>
#include <peerwall/arena.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_range {
	uint16_t lo;
	uint16_t hi;
};

struct port_set {
	VEC(struct port_range) ranges;
};

/* Adds without keeping order; port_set_normalise() must follow before any other use. */
void port_set_add(struct arena *arena, struct port_set *set, struct port_range range);
void port_set_normalise(struct port_set *set);
bool port_set_contains(const struct port_set *set, uint16_t port);
bool port_set_equal(const struct port_set *a, const struct port_set *b);
int port_set_compare(const struct port_set *a, const struct port_set *b); /* a total order, for sorting */
bool port_set_includes(const struct port_set *outer, const struct port_set *inner);

/* As a number: the 32 or 128 bits of the address. */
__extension__ typedef unsigned __int128 addr_number; /* the one scalar with no other name */

addr_number addr_to_number(const struct addr *addr);
struct addr addr_from_number(enum family family, addr_number number);

struct addr_range {
	addr_number lo;
	addr_number hi;
};

struct addr_set {
	enum family family;
	VEC(struct addr_range) ranges;
};

struct prefix_list {
	VEC(struct prefix) items;
};

struct addr_range prefix_to_range(const struct prefix *prefix);
void addr_set_add(struct arena *arena, struct addr_set *set, struct addr_range range);
void addr_set_add_prefix(struct arena *arena, struct addr_set *set, const struct prefix *prefix);
void addr_set_add_set(struct arena *arena, struct addr_set *set, const struct addr_set *other);
void addr_set_normalise(struct addr_set *set);
bool addr_set_is_full(const struct addr_set *set);
bool addr_set_contains(const struct addr_set *set, const struct addr *addr);
bool addr_set_equal(const struct addr_set *a, const struct addr_set *b);
int addr_set_compare(const struct addr_set *a, const struct addr_set *b); /* a total order, for sorting */
bool addr_set_includes(const struct addr_set *outer, const struct addr_set *inner);
bool addr_set_overlaps(const struct addr_set *a, const struct addr_set *b);

/* The fewest prefixes that make up the set exactly, in ascending order. */
void addr_set_prefixes(struct arena *arena, const struct addr_set *set, struct prefix_list *out);
/* How many they are: of all but a few addresses of IPv6 there are very many, which nobody wants to keep. */
size_t addr_set_count_prefixes(const struct addr_set *set);

#endif
