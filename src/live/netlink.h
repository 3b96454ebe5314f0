/*
 * netlink.h - questions to nf_tables, and its answers, as netlink messages.
 *
 * Purpose: just enough of NETLINK_NETFILTER to ask for the generation, tables, chains and rules, to delete a table, and to make
 * one that watches: iptables' tools can do none of these. A request may hold several messages (a batch); all bear one number.
 * Source of facts: linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, RFC 3549.
 * Errors: 0 or -errno, the kernel's own where it refuses. State after failure: the socket is good for the next request.
 */
#ifndef PEERWALL_NETLINK_H
#define PEERWALL_NETLINK_H

#include <peerwall/arena.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* {.size = 0} is ready for use. */
struct netlink_request {
	unsigned char *bytes;
	size_t size, capacity;
	size_t last; /* where the message begins that is being written */
};

/* Attributes of an answer: good while it is being visited. */
struct netlink_value {
	const unsigned char *bytes;
	size_t size;
};

/* An answer's attributes; anything but 0 becomes the result of the request. */
typedef int (*netlink_visit)(void *context, struct netlink_value attributes);

int netlink_open(void);

/* Adds a message; `flags` beside NLM_F_REQUEST. */
void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource);
/* Adds an attribute to it. */
void netlink_put(struct netlink_request *request, uint16_t attribute, const void *bytes, size_t size);
void netlink_put_number(struct netlink_request *request, uint16_t attribute, uint32_t number);
void netlink_put_text(struct netlink_request *request, uint16_t attribute, const char *text);
/* An attribute that holds those added until netlink_end(), which is given what netlink_nest() returned. */
size_t netlink_nest(struct netlink_request *request, uint16_t attribute);
void netlink_end(struct netlink_request *request, size_t nest);

/*
 * Sends it, lets go of it, and takes what comes back until the kernel says that this is all: some message has to ask for that.
 * Where nothing comes back but acknowledgements, `visit` may be NULL.
 */
int netlink_ask(int fd, struct netlink_request *request, netlink_visit visit, void *context);

bool netlink_find(struct netlink_value attributes, uint16_t attribute, struct netlink_value *out);
/* The text of the attribute, in the arena; "" if it is not there. */
const char *netlink_text(struct netlink_value attributes, uint16_t attribute, struct arena *arena);
bool netlink_find_number(struct netlink_value attributes, uint16_t attribute, uint32_t *out);
/* Is the attribute there, and this text? */
bool netlink_holds_text(struct netlink_value attributes, uint16_t attribute, const char *text);

#endif
