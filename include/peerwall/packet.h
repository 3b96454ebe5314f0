/*
 * packet.h - one packet, as a person writes it down, and as it looks at some point of its way.
 *
 * Purpose: "wg1 10.1.1.4 > 10.1.1.5 tcp 873". peerwall(8) has the grammar. What the text does not say is left open, as a
 * range: an unknown source port is 1-65535. Flags of TCP and the connection's state follow from each other where
 * only one is given: a first SYN or a bare ACK opens a connection, SYN/ACK, RST and FIN belong to none (the
 * kernel's net/netfilter/nf_conntrack_proto_tcp.c), and so do replies and errors of ICMP.
 * Errors: a located diagnostic, PW601; then nothing of the packet may be used.
 * Ownership: names live in the arena.
 */
#ifndef PEERWALL_PACKET_H
#define PEERWALL_PACKET_H

#include <peerwall/addr.h>
#include <peerwall/arena.h>
#include <peerwall/diag.h>
#include <peerwall/interval.h>
#include <peerwall/source.h>
#include <peerwall/strbuf.h>

#include <stdbool.h>
#include <stdint.h>

#define PACKET_SOURCE_NAME "<packet>"

/* Of its connection, as conntrack sees it. */
enum packet_state { PACKET_NEW, PACKET_ESTABLISHED, PACKET_RELATED, PACKET_INVALID, PACKET_UNTRACKED };
#define PACKET_STATE_COUNT 5

extern const char *const packet_state_names[PACKET_STATE_COUNT]; /* "NEW", as iptables has them */

/* What the text says of the way: "local", "via IF". */
enum packet_place { PLACE_UNSAID, PLACE_LOCAL, PLACE_FORWARDED };

/* Inclusive; lo equals hi for an address that is known. */
struct addr_bounds {
	struct addr lo, hi;
};

/* The bits of the TCP header. */
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

struct packet {
	enum family family;
	const char *in; /* the interface that it arrives by */
	struct addr_bounds source, destination;
	uint8_t protocol;                                  /* IANA */
	struct port_range source_port, destination_port;   /* of protocols that have ports */
	uint8_t icmp_type, icmp_code;                      /* of ICMP and ICMPv6 */
	bool has_flags, has_ttl, has_length;
	uint8_t tcp_flags;
	uint8_t ttl;     /* or hop limit */
	uint16_t length; /* of the IP packet */
	enum packet_state state;
	enum packet_place place;
	const char *via; /* PLACE_FORWARDED */
};

/* `text` is kept as a source of the name PACKET_SOURCE_NAME. */
bool packet_parse(struct packet *out, const char *text, struct sources *sources, struct arena *arena, struct diags *diags);

bool packet_has_ports(const struct packet *packet);
bool packet_is_icmp(const struct packet *packet);
bool bounds_are_single(const struct addr_bounds *bounds);

/* The state in which conntrack sees a TCP packet of no connection that it knows. */
enum packet_state packet_state_of_flags(uint8_t tcp_flags);
/* The same of any packet. */
enum packet_state packet_first_state(const struct packet *packet);

/* "wg1 10.1.1.4 > 10.1.1.5 tcp 873"; without the interface if `in` is NULL. */
void packet_describe(struct strbuf *out, const struct packet *packet);
/* "10.1.1.5", or "10.1.1.5-10.1.1.9". */
void packet_describe_bounds(struct strbuf *out, const struct addr_bounds *bounds);
/* "tcp 873", "icmp 8", "gre". */
void packet_describe_service(struct strbuf *out, const struct packet *packet);
/* "SYN,ACK"; "none" for none. */
void packet_describe_flags(struct strbuf *out, uint8_t tcp_flags);

#endif
