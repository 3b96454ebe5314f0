/*
 * watch_filter.h - which packets to watch, as a person writes it down.
 *
 * Purpose: "wg1 10.1.1.0/24 > 10.1.1.5 tcp 873": the words of a packet (packet.h), any of them left out, prefixes and ranges
 * of ports where a packet has one; names of a policy for peers and services. peerwall(8) has the grammar. A filter comes apart
 * into plain matches, which ask for one thing each, so that both the kernel and a reader of recordings can go by them.
 * Errors: a located diagnostic, PW636; then nothing of the filter may be used.
 * Ownership: everything lives in the arena.
 */
#ifndef PEERWALL_WATCH_FILTER_H
#define PEERWALL_WATCH_FILTER_H

#include <peerwall/nft_trace.h>
#include <peerwall/policy.h>

#define WATCH_FILTER_SOURCE_NAME "<filter>"
/* More plain matches than this are refused: each becomes a rule. */
#define WATCH_MATCHES_MAX 1024

struct watch_match {
	const char *interface; /* or a pattern; NULL: any, and what this host sends */
	bool has_family;
	enum family family;
	bool has_source, has_destination;
	struct prefix source, destination;
	bool has_protocol;
	uint8_t protocol;
	bool has_source_port, has_destination_port;
	struct port_range source_port, destination_port;
	bool has_icmp_type;
	uint8_t icmp_type;
	bool has_flags;
	uint8_t tcp_flags; /* exactly these */
};

struct watch_match_list {
	VEC(struct watch_match) items;
};

/* The definitions of policies that filters may name. */
struct watch_names {
	VEC(const struct policy *) policies;
};

/* Adds the filter's matches. */
bool watch_filter_parse(struct watch_match_list *out, const char *text, const struct watch_names *names,
			struct sources *sources, struct arena *arena, struct diags *diags);

/* Does a packet match any of them? With an empty list, every packet does. */
bool watch_matches(const struct watch_match_list *list, const struct nft_header *header);

#endif
