/*
 * flows.h - what one interface's policy lets through, sorted by where it goes.
 *
 * Purpose: between the statements of a policy and the rules: statements that speak of the same destination are put
 * together, and their peers and ports cut into the fewest classes. Private to lowering.
 */
#ifndef PEERWALL_FLOWS_H
#define PEERWALL_FLOWS_H

#include <peerwall/classes.h>
#include <peerwall/policy.h>

/* Connections to one destination, of one family. */
struct flow {
	struct span span;
	bool has_to;
	struct addr_set to; /* exposed: the host's addresses it is limited to; forwarded: where it goes */
	const char *far;    /* forwarded: the interface on the other side, which may be our own */
	struct addr_set any; /* who may use every protocol */
	struct class_list classes[PROTOCOL_COUNT];
};

struct flow_list {
	VEC(struct flow) items;
};

/* Who may send one kind of ICMP message to this host. */
struct icmp_flow {
	struct span span;
	struct icmp_type type;
	struct addr_set from;
};

struct flows {
	struct flow_list exposed;
	struct flow_list in;  /* forwarded, entering by our interface */
	struct flow_list out; /* forwarded, entering elsewhere and leaving by our interface */
	VEC(struct icmp_flow) icmp;
};

/* Of the whole policy, since a `forward` of another block whose far side is this interface counts here, too. */
void flows_collect(struct flows *out, const struct policy *policy, const struct interface_policy *block,
		   const char *interface, enum family family, struct arena *arena);

#endif
