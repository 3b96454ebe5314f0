/*
 * host.h - a host's addresses and routes, as far as they are known.
 *
 * Purpose: whether an address is one of the host's own, and by which interface it reaches another. Read from the
 * JSON of `ip -j addr` and `ip -j route` (ip-address(8), ip-route(8); also of `ip -j -6 route` and of `table all`), and of
 * `ip -j rule`, several texts together; where there is none, inferred from the rules: Docker's
 * "-s NETWORK ! -o BRIDGE -j MASQUERADE" tells where its networks are.
 * Only the main and local tables count. Where rules ask others, too, ways are not known.
 * Errors: located diagnostics, PW602; false if the text cannot be used.
 * Ownership: everything lives in the arena.
 */
#ifndef PEERWALL_HOST_H
#define PEERWALL_HOST_H

#include <peerwall/addr.h>
#include <peerwall/arena.h>
#include <peerwall/diag.h>
#include <peerwall/ruleset.h>
#include <peerwall/source.h>

#include <stdbool.h>
#include <stdint.h>

#define HOST_SIZE_MAX (64u << 20)

struct host_address {
	const char *interface;
	struct addr addr;
	uint8_t length;
	bool has_broadcast, secondary;
	struct addr broadcast;
};

enum route_kind { ROUTE_UNICAST, ROUTE_LOCAL, ROUTE_BROADCAST, ROUTE_ANYCAST, ROUTE_MULTICAST, ROUTE_REFUSING };

struct host_route {
	enum route_kind kind;
	struct prefix to;
	const char *interface; /* NULL: several, or none */
	bool gateway;
	uint32_t metric;
	const struct rule *rule; /* what it was inferred from */
};

/* A table of routes other than main and local. */
struct host_table {
	const char *name;
	bool delivers; /* it has a route that makes addresses this host's */
};

struct host {
	struct arena *arena;
	bool has_addresses, has_routes; /* read, not inferred */
	bool rules_read, has_rules;     /* ip-rule(8): more than the usual tables are asked for a route */
	VEC(struct host_address) addresses;
	VEC(struct host_route) routes;
	VEC(struct host_table) tables;    /* of which some routes were read */
	VEC(const char *) asked_tables;   /* has_rules: by these rules; "" where a rule names none */
};

void host_init(struct host *host, struct arena *arena);

/* One or more values of JSON, one behind the other. */
bool host_read(struct host *host, const struct source *source, struct diags *diags);

/* Adds routes that rules tell of, where none were read. */
void host_infer(struct host *host, const struct ruleset *rules);

/* May rules of routing deliver to this host what is sent to an address that is not its own, as far as is known? */
bool host_rules_may_deliver(const struct host *host);

/* The host's own addresses, and those of 127.0.0.0/8 and ::1. */
bool host_owns(const struct host *host, const struct addr *addr);
const struct host_address *host_find_address(const struct host *host, const struct addr *addr);
bool host_broadcasts(const struct host *host, const struct addr *addr);
/* The first address of an interface, as the kernel would choose it for what leaves by it; or NULL. */
const struct host_address *host_first_address(const struct host *host, const char *interface, enum family family);
/* The most specific route, the lowest metric first; or NULL. */
const struct host_route *host_route(const struct host *host, const struct addr *addr);

#endif
