/*
 * checks_run.h - what the checks share while they run; for src/analyse/checks*.c alone.
 *
 * Everything here is made once per run, in the arena of the diagnostics, at a cost of n log n.
 */
#ifndef PEERWALL_ANALYSE_CHECKS_RUN_H
#define PEERWALL_ANALYSE_CHECKS_RUN_H

#include <peerwall/checks.h>
#include <peerwall/intern.h>

/* A permission with the block and the policy it stands in. */
struct permission_place {
	const struct policy *policy;
	const struct interface_policy *interface;
	const struct permission *permission;
};

/* Who a port belongs to: once made, the pieces of a map are disjoint and sorted, so each port has one owner. */
struct port_piece {
	uint16_t lo, hi;
	uint32_t owner; /* an index of the caller's; where several claim a port, the piece that begins first wins */
};

struct port_map {
	VEC(struct port_piece) items;
};

/* A destination NAT of the snapshot that new connections from outside can meet. */
struct dnat {
	const struct rule *rule;
	enum protocol protocol;
	uint16_t lo, hi;  /* the port it answers to: the host's port */
	uint16_t to_port; /* the container's port; lo where the port is kept */
};

/* A chain's part in the traversal: from which built-in chains jumps lead here. Bit i is enum hook i. */
struct chain_reach {
	uint8_t *hooks; /* by the chain's index in the table */
};

struct snapshot_index {
	const struct check_snapshot *snapshot;
	struct chain_reach reach[TABLE_COUNT];
	VEC(struct dnat) dnats;
	struct port_map published[PROTOCOL_COUNT]; /* host ports; owners are indices of dnats */
	struct port_map loopback[PROTOCOL_COUNT];  /* those that answer at a loopback address only */
	struct port_map renamed[PROTOCOL_COUNT];   /* container ports that have another host port */
	bool dnat_unclear; /* some rule of nat could not be decoded, or sends away more than a list of ports */
	const char **chain_owner[TABLE_COUNT]; /* by chain index: the interface if it is one of our chains, or NULL */
};

struct check_run {
	const struct check_input *input;
	const struct check_settings *settings;
	bool blind; /* a policy was not understood whole: no check runs */
	struct arena *arena;
	struct diags *diags;
	VEC(struct permission_place) permissions; /* of all policies */
	struct intern interfaces;                 /* the names that the policies speak of, patterns included */
	VEC(const struct interface_name *) interface_names; /* by number: where each was first written */
	struct intern beginnings; /* what these names begin with, "" included, a pattern's "+" not */
	VEC(const struct interface_name *) beginning_names; /* by number: the first name that begins so */
	struct port_map exposed[PROTOCOL_COUNT]; /* owners are indices of permissions */
	VEC(struct snapshot_index) snapshots;
	struct intern reported; /* what the check that runs now has spoken of */
};

/* ---- checks_run.c ---- */

void check_run_init(struct check_run *run);

/* Is this check on? For the few that share their work with another. */
bool check_is_on(const struct check_run *run, enum diag_code code);

/* The permission that exposes the port, or NULL. */
const struct permission_place *exposed_find(const struct check_run *run, enum protocol protocol, uint16_t port);

/* The policies' interface that a rule's match on interfaces may stand for, or NULL. No match is one with all. */
const struct interface_name *policy_interface_met(const struct check_run *run, const struct interface_match *match);

/* ---- checks_index.c: port maps, reading rules ---- */

void port_map_make(struct port_map *map);
/* The first piece that has a port of lo-hi, or NULL. */
const struct port_piece *port_map_overlap(const struct port_map *map, uint16_t lo, uint16_t hi);
/* The piece that holds the port, or NULL. */
const struct port_piece *port_map_find(const struct port_map *map, uint16_t port);

/* Of the run it needs the interfaces: destination NAT that none of them meets is left out. */
void snapshot_index_init(struct snapshot_index *index, const struct check_snapshot *snapshot,
			 const struct check_run *run);

/* The DNAT that a map of the index gives for a port, or NULL. */
const struct dnat *dnat_find(const struct snapshot_index *index, const struct port_map *map, uint16_t port);

const struct option *match_option(const struct match *match, enum option_id id);
const struct option *rule_option(const struct rule *rule, enum option_id id);
bool protocol_of_number(uint8_t number, enum protocol *out);

/* Does every packet that comes by match? Comments are no condition; an opaque rule is not unconditional. */
bool rule_is_unconditional(const struct rule *rule);
/* Does a match other than a comment ask for something? A bare "-m tcp" does not. */
bool rule_has_options(const struct rule *rule);
/* Does the packet's way through this chain end here, whenever the rule matches? */
bool rule_is_terminal(const struct rule *rule);
bool rule_target_is(const struct rule *rule, enum module_id module);
/* DROP or REJECT */
bool rule_refuses(const struct rule *rule);
/* It asks at most for an interface of arrival, a protocol and destination ports. */
bool rule_asks_plainly(const struct rule *rule);
/* It refuses what comes in by a certain interface, and asks at most for a protocol and for destination ports. */
bool rule_is_plain_refusal(const struct rule *rule);

/*
 * The destination ports that the rule asks for, in `out`; false if it does not ask by ports, or asks in a way
 * that is not a plain list (negated, by two matches).
 */
bool rule_ports(const struct rule *rule, struct port_list *out);

/* Why the rule can never match, in words, or NULL. `hooks` are those that lead to its chain. checks_foreign.c */
const char *rule_why_dead(const struct rule *rule, unsigned hooks);

/* ---- the checks, by file ---- */

/* checks_policy.c */
void check_missing_permission(struct check_run *run);
void check_interface_claimed_twice(struct check_run *run);
void check_loopback_interface(struct check_run *run);
void check_pattern_interface(struct check_run *run);
void check_tests_not_run(struct check_run *run);

/* checks_peers.c */
void check_same_peers(struct check_run *run);
void check_overlapping_peers(struct check_run *run);
void check_exposed_to_any(struct check_run *run);
void check_broad_prefix(struct check_run *run);
void check_ipv6_forgotten(struct check_run *run);
void check_never_matches(struct check_run *run);
void check_redundant_permission(struct check_run *run);

/* checks_ports.c */
void check_large_port_range(struct check_run *run);
void check_docker_api(struct check_run *run);
void check_sensitive_port(struct check_run *run);

/* checks_published.c */
void check_container_port(struct check_run *run);
void check_port_not_published(struct check_run *run);
void check_published_on_loopback(struct check_run *run);
void check_published_not_exposed(struct check_run *run);
void check_bypassed_input_rule(struct check_run *run);
void check_docker_direct_drop(struct check_run *run);

/* checks_own.c */
void check_chain_name_taken(struct check_run *run);
void check_foreign_prefix(struct check_run *run);
void check_duplicate_jump(struct check_run *run);
void check_unknown_own_interface(struct check_run *run);
void check_orphan_chain(struct check_run *run);
void check_overtaken_jump(struct check_run *run);

/* checks_foreign.c */
void check_both_backends(struct check_run *run);
void check_legacy_tables(struct check_run *run);
void check_unknown_interface(struct check_run *run);
void check_private_blanket(struct check_run *run);
void check_dead_rule(struct check_run *run);
void check_unreachable_rule(struct check_run *run);
void check_notrack(struct check_run *run);
void check_foreign_drop(struct check_run *run);
void check_conntrack_helper(struct check_run *run);

#endif
