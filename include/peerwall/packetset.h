/*
 * packetset.h - exact sets of packets.
 *
 * Purpose: what rules and policies say of packets, as sets that can be intersected, subtracted and compared. Each field
 * of a header is cut up at the values that somebody mentions; between two of them all values behave alike, and the
 * pieces are numbered (IPv6 then costs no more than IPv4). A set is a decision diagram over the bits of these numbers.
 * Use: packet_space_init(), any number of packet_space_mention*(), packet_space_close(), then sets.
 * What no rule can tell without knowing the host is part of the packet: the type of its destination, and the interface by
 * which it is routed. So a statement about all packets holds for every host.
 * Units: values of fields in host order; sets are numbers of diagram.h, good for their space alone.
 * Ownership: packet_space_free() for the diagrams, the arena for the rest.
 * Errors: as diagram.h; see packet_space_gave_up().
 */
#ifndef PEERWALL_PACKETSET_H
#define PEERWALL_PACKETSET_H

#include <peerwall/diagram.h>
#include <peerwall/intern.h>
#include <peerwall/interval.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * From the field that is decided first. Destinations before sources: the other way round large rulesets take ten times as
 * long. The destination and what DNAT makes of it lie bit by bit beside each other, since they are often the same.
 */
enum field {
	FIELD_MARK,
	FIELD_CONNMARK,
	FIELD_OUT,     /* an index of `outs` */
	FIELD_TYPE,    /* enum destination_type */
	FIELD_DST,     /* as it was sent */
	FIELD_NEW_DST, /* as DNAT has made it; means nothing for what was not translated */
	FIELD_SRC,
	FIELD_PROTOCOL,
	FIELD_DPORT,
	FIELD_NEW_DPORT,
	FIELD_SPORT,
	FIELD_ICMP,    /* type << 8 | code */
	FIELD_FLAGS,   /* of TCP */
	FIELD_HOPS,    /* time to live, hop limit */
	FIELD_COUNT
};

#define FIELD_BIT(field) (1u << (field))
#define FIELDS_ALL (FIELD_BIT(FIELD_COUNT) - 1)
/* What a packet is about, whoever sends it to whom; decided last. */
#define FIELDS_SERVICE                                                                                           \
	(FIELD_BIT(FIELD_PROTOCOL) | FIELD_BIT(FIELD_DPORT) | FIELD_BIT(FIELD_NEW_DPORT) | FIELD_BIT(FIELD_SPORT) | \
	 FIELD_BIT(FIELD_ICMP) | FIELD_BIT(FIELD_FLAGS) | FIELD_BIT(FIELD_HOPS))
/* Where a packet goes: without these, it is as it was sent. */
#define FIELDS_WAY (FIELD_BIT(FIELD_OUT) | FIELD_BIT(FIELD_NEW_DST) | FIELD_BIT(FIELD_NEW_DPORT))

/* What the host's routes say of the original destination. */
enum destination_type { TYPE_UNICAST, TYPE_LOCAL, TYPE_BROADCAST, TYPE_ANYCAST, TYPE_MULTICAST, TYPE_COUNT };

#define OUT_HOST 0 /* of `outs`: delivered to the host itself */
#define FIELD_BITS_MAX 32

struct field_atoms {
	VEC(addr_number) starts;  /* the first value of each piece, ascending; the first is 0 */
	addr_number last;         /* the greatest value of the field */
	uint32_t mask;            /* FIELD_MARK, FIELD_CONNMARK, FIELD_FLAGS: these bits of the value, and no pieces */
	unsigned bits;
	uint16_t variables[FIELD_BITS_MAX]; /* the highest bit first */
};

/* Addresses from `from` on, as many as `host` and one more, are made into those from `to` on. */
struct address_mapping {
	addr_number from, to, host;
};

/* The intersection of the variables of some fields. */
struct field_cube {
	unsigned fields;
	uint32_t cube;
};

struct packet_space {
	struct arena *arena;
	enum family family;
	struct field_atoms fields[FIELD_COUNT];
	VEC(struct address_mapping) mappings;
	VEC(const char *) outs; /* interface names; stands for all that behave alike. [0] is the host itself */
	struct intern names;    /* of `outs`, in their order */
	VEC(const char *) ins;  /* the same for the interface by which a packet enters; not part of the sets */
	VEC(const char *) patterns; /* by index of `outs`: what the name was made up for, or NULL */
	struct diagrams diagrams;
	VEC(struct field_cube) cubes; /* of those that were forgotten together */
	uint32_t all;           /* every packet there is */
};

#define PACKET_NODES_MAX 12000000u
/* packet_space_effort() that is spent on the interfaces of a family one by one, before those that are left are only named: some 20 s. */
#define PACKET_EFFORT_MAX 200000000u

void packet_space_init(struct packet_space *space, enum family family, struct arena *arena);
/* Somebody asks whether the value lies within lo-hi. */
void packet_space_mention(struct packet_space *space, enum field field, addr_number lo, addr_number hi);
/* Destinations are mapped: then pieces of the one network are pieces of the other. */
void packet_space_mention_mapping(struct packet_space *space, const struct address_mapping *mapping);
void packet_space_mention_interface(struct packet_space *space, const char *name);
void packet_space_close(struct packet_space *space);
/* Forgets all sets there were, and gives their memory back. */
void packet_space_clear(struct packet_space *space);
void packet_space_free(struct packet_space *space);
bool packet_space_gave_up(const struct packet_space *space);
/* The work of all operations so far, in steps of some 100 ns: the same on every machine. */
uint64_t packet_space_effort(const struct packet_space *space);

/* Does some rule ask for a mark? */
bool packet_space_asks_for_marks(const struct packet_space *space);

/* The values that behave like this one; of fields without a mask. */
struct addr_range packet_space_piece(const struct packet_space *space, enum field field, addr_number value);

uint32_t packets_and(struct packet_space *space, uint32_t a, uint32_t b);
uint32_t packets_or(struct packet_space *space, uint32_t a, uint32_t b);
uint32_t packets_minus(struct packet_space *space, uint32_t a, uint32_t b);
/* The fields, a union of FIELD_BIT(), may have any value then. */
uint32_t packets_forget(struct packet_space *space, uint32_t a, unsigned fields);
/* All fields may, but those of `kept`. */
uint32_t packets_project(struct packet_space *space, uint32_t a, unsigned kept);

/* The limits have to have been mentioned. */
uint32_t packets_range(struct packet_space *space, enum field field, addr_number lo, addr_number hi);
uint32_t packets_addresses(struct packet_space *space, enum field field, const struct addr_set *set);
uint32_t packets_ports(struct packet_space *space, enum field field, const struct port_set *set);
uint32_t packets_of_type(struct packet_space *space, enum destination_type type);
uint32_t packets_to_host(struct packet_space *space);
/* value & mask == wanted; fields with a mask alone. */
uint32_t packets_masked(struct packet_space *space, enum field field, uint32_t mask, uint32_t wanted);
/* Leaves by an interface that the name, perhaps a pattern, stands for. */
uint32_t packets_out(struct packet_space *space, const char *name);
/* The name of the interface by which all of them leave, if it shows at first sight; or NULL. */
const char *packets_sole_out(const struct packet_space *space, uint32_t a);
/* Some but not all packets, told from the others by FIELDS_SERVICE alone? */
bool packets_are_of_services(const struct packet_space *space, uint32_t a);
/* What was sent and what it was made into are in the same piece. */
uint32_t packets_untouched(struct packet_space *space, enum field sent, enum field made);
/* mark = (mark & ~mask) ^ value; FIELD_MARK or FIELD_CONNMARK. */
uint32_t packets_set_mark(struct packet_space *space, uint32_t a, enum field mark, uint32_t mask, uint32_t value);
/* to = (to & ~to_mask) ^ (from & from_mask) */
uint32_t packets_copy_mark(struct packet_space *space, uint32_t a, enum field to, uint32_t to_mask, enum field from,
			   uint32_t from_mask);
uint32_t packets_forget_mark(struct packet_space *space, uint32_t a, enum field mark, uint32_t mask);
/* Both, whole. */
uint32_t packets_forget_marks(struct packet_space *space, uint32_t a);

/* Does a name as in a rule, perhaps a pattern, stand for this interface? */
bool interface_name_covers(const char *pattern, const char *name);

/* ---- one packet ---- */

struct sample {
	addr_number values[FIELD_COUNT];
};

/* A packet of the set, which is not empty; of those in `preferred` where there is a choice. */
struct sample packets_sample(struct packet_space *space, uint32_t a, const uint32_t *preferred, size_t count);
/* All packets that behave like it, whatever becomes of them on the way. */
uint32_t packets_like(struct packet_space *space, const struct sample *sample);

#endif
