/*
 * classes.h - many permissions as few: which peers share which ports.
 *
 * Purpose: permissions of one protocol and one kind of destination are a set of (peer, port) pairs. Any such set can be
 * cut up by ports (each port with all of its peers) or by peers (each peer with all of its ports); classes_make()
 * does both and keeps the one that needs fewer rules.
 * Ownership: everything lives in the arena. Order: ascending, so that equal sets give equal classes.
 */
#ifndef PEERWALL_CLASSES_H
#define PEERWALL_CLASSES_H

#include <peerwall/interval.h>
#include <peerwall/source.h>

/* These peers may reach these ports: all pairs of the two. */
struct class {
	struct addr_set peers;
	struct port_set ports;
	struct span span; /* the first statement that says so */
};

struct class_list {
	VEC(struct class) items;
};

/* xt_multiport's limits: 15 slots, a range takes two (XT_MULTI_PORTS). */
#define MULTIPORT_SLOTS 15

/* How many rules it takes to match the ports of a set, each rule with a full multiport. */
size_t port_set_chunks(const struct port_set *ports);

void classes_make(struct arena *arena, const struct class_list *permissions, struct class_list *out);

#endif
