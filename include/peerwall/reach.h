/*
 * reach.h - the service matrix: who reaches what, and by which rules.
 *
 * Purpose: sends all packets of each interface through a ruleset (traverse.h), lays out as rows what comes of it
 * (exposure.h), and finds for each row the rules that lead it elsewhere, the rule that makes it uncertain, and one packet
 * of it that a tracer can follow. New connections, what is not tracked at all, and ICMP that belongs to no connection.
 * Interfaces by which the same gets in share one list of rows.
 * Ownership: everything lives in the arena; reach_free() for the sets.
 * Errors: false if the rules are too entangled for the means at hand; nothing may be concluded then.
 */
#ifndef PEERWALL_REACH_H
#define PEERWALL_REACH_H

#include <peerwall/chain_map.h>
#include <peerwall/exposure.h>
#include <peerwall/host.h>
#include <peerwall/packet.h>
#include <peerwall/policy.h>
#include <peerwall/ruleset.h>

#include <stdbool.h>

struct reach_names {
	VEC(const char *) items;
};

/* What packets have to be sent to; without limits, anything. */
struct reach_wanted {
	struct service_set services; /* `any`, or these and `protocols` */
	VEC(uint8_t) protocols;      /* whole ones */
	bool has_addresses;
	struct addr_set addresses[FAMILY_COUNT];
};

struct reach_input {
	const struct ruleset *ruleset;
	const struct host *host; /* may know nothing */
	struct reach_names interfaces;       /* of arrival; none: all that behave differently, but the loopback */
	struct reach_wanted wanted;
	VEC(const struct policy *) policies; /* whose names may be used for sources */
	size_t rows_most;     /* of each list, and no more than EXPOSURE_ROWS_MAX; each is work */
	uint64_t effort_most; /* packet_space_effort(), beyond which no further interface is looked at */
	bool nat_first; /* nat's INPUT comes before security's: not so with the legacy tables */
	bool wants_map; /* of the first interface */
};

/* A rule, and where it stands. */
struct reach_rule {
	enum table_id table;
	const struct chain *chain;
	const struct rule *rule;
	unsigned number; /* from 1 */
};

#define REACH_RULES_MAX 4

struct reach_rules {
	VEC(struct reach_rule) items; /* at most REACH_RULES_MAX */
	size_t more;
};

struct reach_row {
	struct exposure_row what;
	bool partial;                       /* some of these packets certainly do not get in ... */
	unsigned partial_by;                /* ... by these fields, FIELD_BIT(): FIELD_SPORT, FIELD_FLAGS, FIELD_HOPS */
	struct reach_rules translations;    /* that lead to its targets */
	struct reach_rules blurs;           /* not certain: rules that make it so, as far as they are found */
};

struct reach_interfaces {
	struct reach_names names;
	VEC(struct reach_row) rows;
	bool cut;             /* there are more than were asked for */
	uint32_t accepted[PASSAGE_COUNT], dropped[PASSAGE_COUNT], certain[PASSAGE_COUNT]; /* what the rows are made of */
};

struct reach {
	struct packet_space space;
	struct places places;
	VEC(struct reach_interfaces) groups;
	struct reach_names omitted; /* interfaces that were not looked at: those before took all the effort */
	struct chain_map map; /* wants_map */
	uint32_t map_outs;    /* wants_map: of FIELD_OUT, by which something gets in */
};

bool reach_make(struct reach *out, const struct reach_input *input, struct arena *arena);
void reach_free(struct reach *reach);

/* The name of the policies' that stands for just these sources, or NULL. */
const char *reach_peers_name(struct reach *reach, const struct reach_input *input, uint32_t sources);

/* One packet of a row, by the first of its interfaces, with a time to live, flags and a source port. */
struct reach_witness {
	struct packet packet;
	struct sample sample;
};

struct reach_witness reach_find_witness(struct reach *reach, const struct reach_interfaces *group,
					const struct reach_row *row);

/* "wg1 10.1.1.4 > 10.1.1.5 tcp 873 from 49152 local": what `peerwall trace` takes. */
void reach_add_witness(struct strbuf *out, const struct packet *witness);

#endif
