/*
 * trace.h - the way of one packet through a ruleset, rule by rule.
 *
 * Purpose: an interpreter of the typed rules, concrete and simple: the packet walks through raw, conntrack, mangle, nat,
 * the routing decision, INPUT or FORWARD, and POSTROUTING, as the kernel's hooks have it. It shares nothing with
 * other analyses but the model of rules, so that it can bear witness for or against them. tests/kernel holds it against
 * the real kernel, rule by rule.
 * What the rules ask for and nobody can know (a rate, the content of a set, a MAC address) is never guessed: both
 * answers are followed, each on a path of its own. What had to be taken for granted is listed.
 * Beyond the rules: sysctls (rp_filter, forwarding, route_localnet), policy routing, native nftables rules, XDP and
 * tc are not looked at.
 * Sources: net/netfilter and net/ipv[46]/netfilter of the kernel (xt_*.c, nf_nat_core.c, nf_conntrack_core.c), ip_forward.c,
 * iptables-extensions(8).
 * Ownership: everything lives in the arena. Costs: rules walked, times the paths; both are bounded.
 */
#ifndef PEERWALL_TRACE_H
#define PEERWALL_TRACE_H

#include <peerwall/checks.h>
#include <peerwall/host.h>
#include <peerwall/packet.h>
#include <peerwall/ruleset.h>

#include <stdbool.h>
#include <stdint.h>

enum truth { TRUTH_NO, TRUTH_MAYBE, TRUTH_YES };

enum fate {
	FATE_ACCEPTED,
	FATE_DROPPED,
	FATE_REJECTED,  /* with an answer */
	FATE_UNDECIDED, /* the rules alone do not tell */
};
#define FATE_COUNT 4

/* What there is to know of a packet's mark, or its connection's: bits set in `unknown` may be anything. */
struct mark {
	uint32_t value;
	uint32_t unknown;
};

enum step_kind {
	STEP_RULE,
	STEP_POLICY,    /* a built-in chain's */
	STEP_CONNTRACK, /* the packet's state is found out */
	STEP_ROUTE,
	STEP_SUPPOSED,  /* something that the rules do not tell, other than a rule's match */
	STEP_END,       /* walking had to stop: `text` says why */
};

struct trace_step {
	enum step_kind kind;
	enum hook hook;
	enum table_id table;
	const struct chain *chain;
	unsigned number;         /* of the rule in its chain, from 1 */
	const struct rule *rule;
	bool matched;            /* STEP_RULE: false only where all steps are wanted, or where that was supposed */
	bool supposed;           /* nobody knows; another path has it the other way round */
	bool harmless;           /* nobody knows, and nothing hangs on it: there is no other path */
	const char *why;         /* what it did not match by, or what nobody knows */
	const char *text;        /* what changed, or what happened; may be NULL */
	struct packet packet;    /* as it was before */
	struct mark mark;
};

struct trace_path {
	VEC(struct trace_step) steps;
	size_t shared; /* so many steps are the same as those of the path before */
	enum fate fate;
	struct packet packet; /* as it was in the end */
	const char *out;      /* the interface it leaves by; NULL: none, or unknown */
	bool forwarded;
	size_t decisive;      /* the step that settled it */
};

/* More paths than this are not followed. */
#define TRACE_PATHS_MAX 64

struct trace {
	VEC(struct trace_path) paths;
	bool truncated; /* there are more paths */
	VEC(const char *) assumptions;
};

struct trace_input {
	const struct ruleset *rules; /* of the packet's family */
	const struct host *host;
	const struct packet *packet;
	enum check_backend backend; /* the tables of INPUT stand in another order */
	bool all; /* record also the rules that did not match */
};

void trace_run(struct trace *out, const struct trace_input *input, struct arena *arena);

/* Of all paths together: FATE_UNDECIDED if they differ, or if there are more. DROPPED and REJECTED differ in manners only: then
 * it is FATE_DROPPED. */
enum fate trace_fate(const struct trace *trace);

#endif
