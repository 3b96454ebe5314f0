/*
 * rule_shape.h - the rules that lowering writes, as one template.
 *
 * A shape says everything a rule of ours may match; shape_add() writes it with its matches in one fixed order, each in
 * the form in which iptables-save prints it. Private to lowering.
 */
#ifndef PEERWALL_RULE_SHAPE_H
#define PEERWALL_RULE_SHAPE_H

#include <peerwall/policy.h>
#include <peerwall/ruleset.h>

/* Where ports are looked for: in the packet as it is now, or as it was sent, before any DNAT. */
enum port_place { PORTS_NOW, PORTS_AS_SENT };

/* Whose the destination is, at PREROUTING before any DNAT: see xt_addrtype. */
enum locality { LOCALITY_ANY, LOCALITY_HOST, LOCALITY_NOT_HOST, LOCALITY_TRANSIT };

/* Has DNAT (REDIRECT, NETMAP) changed where the connection goes? */
enum translation { TRANSLATION_ANY, TRANSLATION_YES, TRANSLATION_NO };

enum verdict { VERDICT_RETURN, VERDICT_ACCEPT, VERDICT_DROP, VERDICT_REJECT, VERDICT_JUMP, VERDICT_GOTO, VERDICT_LOG };

struct shape {
	struct span span;
	const struct prefix *source;
	const struct prefix *destination;
	const struct prefix *sent_from; /* the original source, before any SNAT */
	const struct prefix *sent_to;   /* the original destination, before any DNAT */
	const char *in, *out;
	bool has_protocol;
	uint8_t protocol; /* IANA */
	enum port_place place;
	const struct port_range *ports; /* of tcp, udp or sctp; NULL for all */
	size_t port_count;              /* more than one only for PORTS_NOW: then they fit one multiport */
	const struct icmp_type *icmp;
	unsigned hop_limit; /* 0: any */
	bool established;   /* RELATED, ESTABLISHED */
	enum translation translation;
	enum locality locality;
	const struct log_rule *log; /* VERDICT_LOG */
	const char *comment;
	enum verdict verdict;
	const char *chain; /* VERDICT_JUMP and VERDICT_GOTO */
};

#define PROTOCOL_ICMP 1
#define PROTOCOL_ICMPV6 58

void shape_add(struct ruleset *rules, struct chain *chain, const struct shape *shape);

#endif
