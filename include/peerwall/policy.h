/*
 * policy.h - a policy after its names have been resolved: what is allowed, as sets.
 *
 * Purpose: the hand-over from resolve (which reads the tree of ast.h) to lower and checks. Nothing here
 * depends on the order of statements. Every part keeps the span of the statement that it came from.
 * Units: address sets are indexed by enum family; an empty set means "nobody of that family".
 * Ownership: everything lives in the arena of the compilation.
 */
#ifndef PEERWALL_POLICY_H
#define PEERWALL_POLICY_H

#include <peerwall/interval.h>
#include <peerwall/source.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stdint.h>

/* IFNAMSIZ - 1 of linux/if.h; iptables counts a pattern's "+" in. */
#define INTERFACE_NAME_MAX 15

enum protocol { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP };
#define PROTOCOL_COUNT 3

extern const char *const protocol_names[PROTOCOL_COUNT];   /* "tcp", as iptables prints them */
extern const uint8_t protocol_numbers[PROTOCOL_COUNT];     /* IANA: 6, 17, 132 */

struct interface_name {
	const char *text; /* "wg1", or the pattern "wg+" that stands for all names that begin with "wg" */
	struct span span;
};

/* Do two names, either of which may be a pattern, have an interface in common? */
bool interface_names_overlap(const char *a, const char *b);
bool interface_name_is_pattern(const char *name);
/* An order in which a pattern stands right before all that it covers. */
int interface_names_compare(const char *a, const char *b);

struct peer_set {
	struct addr_set sets[FAMILY_COUNT]; /* normalised */
	struct span span;
};

struct service_set {
	bool any; /* every protocol and port: `forward` without a service */
	struct port_set ports[PROTOCOL_COUNT]; /* normalised; all empty if `any` */
	struct span span;
};

struct icmp_type {
	enum family family;
	uint8_t type;
	int16_t code; /* -1: all of the type's codes */
	struct span span;
};

enum log_unit { LOG_PER_SECOND, LOG_PER_MINUTE, LOG_PER_HOUR, LOG_PER_DAY };

struct log_rule {
	bool wanted;
	const char *prefix; /* at most 29 bytes, no newline: xt_LOG's limit */
	uint32_t count;     /* packets per unit */
	enum log_unit unit;
	uint32_t burst;
	struct span span;
};

enum permission_kind { PERMISSION_EXPOSE, PERMISSION_ICMP, PERMISSION_FORWARD };

struct permission {
	enum permission_kind kind;
	struct span span; /* the whole statement */
	struct peer_set from;
	struct peer_set to; /* forward only */
	/* expose only: the host's addresses it is limited to; without, all of them */
	bool has_at;
	struct peer_set at;
	/* forward only: the far side's interface or pattern, NULL for the block's own interface; at most one is set */
	const char *from_via;
	const char *to_via;
	struct service_set services; /* expose and forward */
	VEC(struct icmp_type) icmp;  /* PERMISSION_ICMP */
	struct log_rule log;
};

enum refusal { REFUSAL_DROP, REFUSAL_REJECT };

struct interface_policy {
	VEC(struct interface_name) names; /* the same permissions for each */
	VEC(struct permission) permissions;
	enum refusal otherwise;
	struct span otherwise_span; /* SPAN_NONE if it was not written */
	struct log_rule otherwise_log;
	struct span span;
};

/* One line of a `test` block: `laptop can tcp 22`. */
struct assertion {
	bool can;
	struct peer_set from;
	struct service_set services;
	bool ping;  /* `can ping` */
	bool has_at; /* `laptop cannot tcp 873 at 172.18.0.2` */
	struct peer_set at;
	struct span span;
};

/* A definition, kept for lint: what it was called, where, and whether anything used it. */
struct definition {
	const char *name;
	struct span span; /* of the name */
	bool used;
	bool is_peers; /* else a service */
	struct peer_set peers;
	struct service_set services;
};

/* A comment that switches checks off: `# peerwall: allow NAME...` for its own line and the next. */
struct suppression {
	struct span span;      /* of the comment */
	uint32_t from, to;     /* the positions it covers, [from, to) */
	VEC(const char *) names; /* codes or names of diagnostics; unknown ones were diagnosed */
	VEC(struct span) name_spans;
};

struct policy {
	const struct source *source;
	VEC(struct interface_policy) interfaces;
	VEC(struct assertion) assertions;
	VEC(struct definition) definitions;
	VEC(struct suppression) suppressions;
};

#endif
