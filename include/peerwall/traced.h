/*
 * traced.h - packets as the kernel traced them: events put together, rules named, the fate told.
 *
 * Purpose: from the events of nft_trace.h to each packet's way, with the rules of a snapshot (or the live ones) in place of
 * nft's words. A rule is named by its handle where handles are known; by what both texts show where they are not, and then it
 * is said how sure that is. Nothing is inferred beyond the trace: rules that did not match are not in it.
 * Ownership: everything lives in the arena; the events and rules have to live as long.
 * Costs: events times the rules of the chain they happened in, each rule read once.
 */
#ifndef PEERWALL_TRACED_H
#define PEERWALL_TRACED_H

#include <peerwall/intern.h>
#include <peerwall/nft_rule.h>
#include <peerwall/nft_trace.h>
#include <peerwall/ruleset.h>

#include <stdbool.h>
#include <stdint.h>

/* How well a rule is known. */
enum naming {
	NAMING_UNTRIED, /* there are no rules to look in, or the table is none of iptables' */
	NAMING_MISSING, /* the rules at hand hold none like it */
	NAMING_ONE_OF,  /* one of several */
	NAMING_LIKELY,  /* one, as far as can be compared */
	NAMING_CERTAIN,
};

struct traced_rule {
	const struct chain *chain;
	unsigned number; /* in its chain, from 1 */
	const struct rule *rule;
};

struct traced_step {
	const struct nft_event *event;
	const struct nft_header *header; /* the latest of the packet; NULL before the first */
	bool is_iptables;    /* table, and hook if has_hook, say where */
	enum table_id table;
	bool has_hook;       /* the base chain that led here is one of iptables' own */
	enum hook hook;
	enum naming naming;
	VEC(struct traced_rule) rules; /* by `naming`: none, one, or several */
	bool traces;         /* the rule does nothing but ask for the trace */
};

enum traced_fate {
	TRACED_ACCEPTED,
	TRACED_DROPPED,
	TRACED_REJECTED,
	TRACED_QUEUED, /* a program decides */
	TRACED_LOST,   /* the trace ends before anything is decided */
};
#define TRACED_FATE_COUNT 5

struct traced_packet {
	uint32_t id;
	bool has_family;
	enum family family;
	const struct nft_header *first, *last; /* NULL where the trace shows none */
	VEC(struct traced_step) steps;
	enum traced_fate fate;
	const struct traced_step *decisive;    /* what dropped or accepted it; NULL if nothing did */
	const struct traced_step *translation; /* the rule of nat that gave it another destination, or NULL */
	bool gaps;      /* set by who collected the events: some were lost */
	bool to_host;   /* it came to INPUT */
	bool forwarded; /* it came to FORWARD */
};

struct traced_list {
	VEC(struct traced_packet *) items; /* by their first event */
};

/* The position, from 1, of the rule with that handle in its chain; 0 if there is none. */
typedef unsigned (*traced_find)(void *context, const struct nft_event *event);

/* Where rules are looked for. */
struct traced_rules {
	const struct ruleset *families[FAMILY_COUNT]; /* NULL: none at hand */
	traced_find find; /* NULL: rules are known by their texts alone */
	void *context;
	/* For traced_explain() alone: what the rules of a chain show, once somebody has asked. */
	struct intern chains; /* by number: places in `traits` */
	VEC(struct rule_traits *) traits;
};

/* Of no rules yet. */
void traced_rules_init(struct traced_rules *rules, struct arena *arena);

/* Events of several packets may be mixed. */
void traced_collect(struct traced_list *out, const struct nft_event_list *events, struct arena *arena);

/* Names the rules, and works out the fate. Once for each packet. */
void traced_explain(struct traced_packet *packet, struct traced_rules *rules, struct arena *arena);

#endif
