/*
 * places.h - which destinations are a host's own, and by which interface the others leave, as sets of packets.
 *
 * Purpose: what a host's addresses and routes (host.h) say of the fields FIELD_TYPE and FIELD_OUT. What they do not say is
 * left open: an address that may be the host's own is both, and a route that nobody knows leads anywhere. So what
 * is shown for all packets holds for every host that is so.
 * A list of addresses is taken for the whole of it if it has that of the loopback interface; routes, unless rules
 * (ip-rule(8)) choose between tables.
 * Sources: fib_add_ifaddr() and ip_route_input_slow() of the kernel's net/ipv4, addrconf.c of net/ipv6; RFC 1112, 919, 1122,
 * 4291.
 * Ownership: everything lives in the space's arena.
 */
#ifndef PEERWALL_PLACES_H
#define PEERWALL_PLACES_H

#include <peerwall/host.h>
#include <peerwall/packetset.h>

#include <stdbool.h>

/* Addresses that all take one way. */
struct way {
	struct addr_range range;
	const struct host_route *route; /* NULL: none is known */
};

struct places {
	const struct host *host;
	bool addresses_known;              /* all of them */
	bool routes_known;
	struct addr_set types[TYPE_COUNT]; /* addresses that are certainly so; UNICAST has no list */
	struct addr_set unclear;           /* addresses_known: of these the kernel's version decides */
	struct addr_set elsewhere;         /* otherwise: a caller may take these for others' than the host's own */
	VEC(struct way) ways;              /* ascending, without a gap */
};

/* The limits of addresses and routes, and the interfaces; before packet_space_close(). The host may know nothing. */
void places_mention(struct packet_space *space, const struct host *host);

void places_make(struct places *out, struct packet_space *space, const struct host *host);

/* The packets whose type and way are possible for their destination. */
uint32_t places_as_sent(struct packet_space *space, const struct places *places);
/* The packets whose way is possible for what DNAT has made of their destination. */
uint32_t places_as_made(struct packet_space *space, const struct places *places);

/*
 * Those whose address in that field the host is known to have: on the interface, or, if that is NULL, on any but the
 * loopback.
 */
uint32_t places_own(struct packet_space *space, const struct places *places, enum field field, const char *interface);

/* Those whose address in that field is certainly of the type, and those where it may be. */
uint32_t places_certain(struct packet_space *space, const struct places *places, enum field field,
			enum destination_type type);
uint32_t places_possible(struct packet_space *space, const struct places *places, enum field field,
			 enum destination_type type);

#endif
