/*
 * trace_walk.h - a packet on its way. Private to trace.
 */
#ifndef PEERWALL_TRACE_WALK_H
#define PEERWALL_TRACE_WALK_H

#include <peerwall/trace.h>

/* A question that was answered both ways, one after the other. */
struct decision {
	bool answer;
	size_t step; /* where it was asked */
};

struct walk {
	struct arena *arena;
	const struct trace_input *input;
	struct trace *trace;
	struct trace_path *path;

	struct packet packet;   /* as it is now */
	struct packet original; /* as its connection began */
	enum hook hook;
	enum table_id table;
	bool bespoken;          /* CT in raw has said how the packet's connection will be */
	bool tracked;           /* conntrack knows a connection: NEW, ESTABLISHED or RELATED */
	bool conntrack_seen;    /* the packet has passed conntrack, or CT said that it need not */
	bool dnat, snat;        /* the connection is translated */
	bool local;             /* behind the routing decision: it is for this host */
	const char *out;        /* NULL: none, or unknown */
	bool out_unknown;
	struct mark mark, connmark;
	unsigned long budget;   /* of rules that may still be looked at */

	VEC(struct decision) decisions;
	size_t next_decision;
};

/* ---- trace.c ---- */

/* The answer to follow on this path; asked again, the question has the other one. */
bool walk_decide(struct walk *walk);
void walk_assume(struct walk *walk, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct trace_step *walk_step(struct walk *walk, enum step_kind kind);
/* Settles the packet's fate by the step that was recorded last. Returns false. */
bool walk_end(struct walk *walk, enum fate fate);

/* ---- trace_match.c ---- */

/* *why: the match that says no, or the first that cannot be decided. */
enum truth rule_matches(struct walk *walk, const struct rule *rule, const char **why);

/* The three are ordered, so that "and" is the smaller one and "or" the larger. */
static inline enum truth truth_and(enum truth a, enum truth b)
{
	return a < b ? a : b;
}

static inline enum truth truth_or(enum truth a, enum truth b)
{
	return a > b ? a : b;
}

static inline enum truth truth_not(enum truth a, bool negated)
{
	return negated ? (enum truth)(TRUTH_YES - a) : a;
}

/* ---- trace_conntrack.c ---- */

enum truth match_conntrack(struct walk *walk, const struct match *match);
/* CT in raw has said how the connection will be, and conntrack has not made it. */
bool awaits_tracking(const struct walk *walk);
enum truth match_state(struct walk *walk, const struct option *option);
enum truth address_matches(const struct addr_bounds *bounds, const struct addr *addr, const struct addr *mask);
enum truth range_matches(uint64_t lo, uint64_t hi, uint64_t wanted_lo, uint64_t wanted_hi);
enum truth ports_match(const struct port_range *ports, const struct port_list *wanted);

/* ---- trace_place.c: addresses and routes ---- */

enum place { AT_UNKNOWN, AT_LOCAL, AT_BROADCAST, AT_ANYCAST, AT_MULTICAST, AT_ELSEWHERE };

/* What the address is to this host. */
enum place place_of_destination(struct walk *walk);
enum place place_of_source(struct walk *walk);
enum truth match_addrtype(struct walk *walk, const struct match *match);
/* Sets local, out, out_unknown. False: the packet ends here. */
bool walk_route(struct walk *walk);

/* ---- trace_target.c ---- */

enum target_effect {
	EFFECT_CONTINUE,
	EFFECT_ACCEPT, /* of this table */
	EFFECT_END,    /* walk_end() was called */
};

/* Runs a target that is none of NONE, RETURN, JUMP, GOTO; what it did is in *text. */
enum target_effect target_run(struct walk *walk, const struct rule *rule, const char **text);
/* Nothing that matters to the packet's way comes of it. */
bool target_is_idle(const struct rule *rule);

#endif
