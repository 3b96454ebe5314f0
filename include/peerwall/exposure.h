/*
 * exposure.h - what gets in by an interface, in rows that people can read.
 *
 * Purpose: lays the sets that a journey ends with out as rows: from these sources, to these destinations, these services,
 * to the host, through it, or translated. Sources and services that go together share a row; rows are disjoint, but for
 * what they do not show: source ports, flags of TCP and hop limits, of which some packet gets in.
 * Ownership: rows live in the space's arena; their sets are good for the space alone, packet_classes.h reads them.
 * Errors: `cut`: there are more rows than were asked for, at most EXPOSURE_ROWS_MAX. The caller looks whether the journey
 * or the space gave up.
 */
#ifndef PEERWALL_EXPOSURE_H
#define PEERWALL_EXPOSURE_H

#include <peerwall/packet_classes.h>
#include <peerwall/traverse.h>

#include <peerwall/strbuf.h>

#include <stdbool.h>

#define EXPOSURE_ROWS_MAX 65536u
#define EXPOSURE_SERVICE_FIELDS (FIELD_BIT(FIELD_PROTOCOL) | FIELD_BIT(FIELD_DPORT) | FIELD_BIT(FIELD_ICMP))

enum exposure_kind { EXPOSURE_HOST, EXPOSURE_FORWARDED, EXPOSURE_TRANSLATED };

struct exposure_row {
	enum exposure_kind kind;
	bool certain;          /* false: unless a rule that is understood only in part takes hold of it */
	uint32_t outs;         /* of FIELD_OUT; the host alone if it is the kind HOST, or translated to the host */
	uint32_t types;        /* of FIELD_TYPE: of the destination as it was sent */
	/* As sent; with or without what can be none of the kind, so that they are told in few words. */
	uint32_t sources;      /* of FIELD_SRC */
	uint32_t destinations; /* of FIELD_DST */
	uint32_t services;     /* of FIELD_PROTOCOL, FIELD_DPORT and FIELD_ICMP */
	/* TRANSLATED only. */
	uint32_t targets;      /* of FIELD_NEW_DST */
	uint32_t target_ports; /* of FIELD_NEW_DPORT; DIAGRAM_ALL with port_kept */
	bool port_kept;

	uint32_t packets;      /* the row itself: of the journey's, just these; says nothing of what rows do not show */
};

struct exposure {
	VEC(struct exposure_row) rows;
	bool cut;
};

/* At most so many rows of a journey of what entered, traverse_entering(); those that are certain first. */
void exposure_make(struct exposure *out, struct packet_space *space, const struct journey *journey, uint32_t entered,
		   size_t most);

/* ---- in words ---- */

/* What a row's services are, one protocol after the other. */
struct exposure_service {
	uint8_t protocol_lo, protocol_hi;
	bool has_ports, has_icmp; /* one protocol: then these of its ports, or of its types << 8 | code */
	uint16_t lo, hi;
};

struct exposure_services {
	VEC(struct exposure_service) items;
};

void exposure_list_services(struct exposure_services *out, struct packet_space *space, uint32_t services);

/* "tcp 22, tcp 80-81, udp, icmp 8"; "anything" if it is all. At most so many items, then "and 3 more". */
void exposure_add_services(struct strbuf *out, struct packet_space *space, uint32_t services, size_t most);
/* "10.1.1.0/24, 10.2.0.4"; "all but 10.0.0.0/8" where that is shorter; "any" if it is all. */
void exposure_add_addresses(struct strbuf *out, struct packet_space *space, uint32_t addresses, enum field field,
			    size_t most);
/* "eth0, wg1, any other interface" */
void exposure_add_interfaces(struct strbuf *out, struct packet_space *space, uint32_t outs, size_t most);
/* "80, 443-444" */
void exposure_add_ports(struct strbuf *out, struct packet_space *space, uint32_t ports, enum field field, size_t most);
/* How an interface of the space is called: a name, "any other interface", "any other wg+". */
void exposure_add_interface(struct strbuf *out, const struct packet_space *space, const char *name);

#endif
