/*
 * installed_judge.h - what the walks through a table have shown of its rules. Private to installed.
 */
#ifndef PEERWALL_ANALYSE_INSTALLED_JUDGE_H
#define PEERWALL_ANALYSE_INSTALLED_JUDGE_H

#include "installed_walk.h"

#include <peerwall/diag.h>
#include <peerwall/intern.h>

/* Of those that share the blame for a rule, so many are weighed. */
#define WEIGHED_MAX 32

/* A rule that takes packets away from another. */
struct blamed {
	const struct chain *chain;
	const struct rule *rule; /* NULL: the policy */
	double of_new, of_others; /* how much it takes of new connections, and of packets in other states, over all walks */
};

/* How near the packets that a rule matches come to it; what is nearer says more of why it is never hit. */
enum nearness {
	NEAR_NOWHERE,  /* there are none */
	NEAR_KEPT_OUT, /* only where nothing comes into its chain */
	NEAR_ENTERED,  /* where others come into its chain */
	NEAR_CAME,     /* into its chain */
};

struct rule_record {
	const struct chain *chain;
	const struct rule *rule;
	bool hit;        /* by some packet in some walk */

	/* Of a rule that is never hit. */
	enum nearness nearness;
	/* In all walks in which they come as near as that: */
	bool uncovered;  /* in some, the rules before take only a part of them */
	bool different;  /* some of the rules before do something else with them */
	VEC(struct blamed) blamed;
	bool blamed_many; /* and more than were weighed */

	/* Of a rule that is hit. */
	bool standing;   /* so far the rules behind do the same */
	struct blamed heir; /* which of them; rule and chain NULL: not known */
	uint32_t hit_now;   /* in the walk at hand */
};

struct chain_record {
	bool entered;
	unsigned hooks;     /* from which it is entered: bit i is enum hook i */
	size_t first;       /* its first rule's record */
	size_t led_by, leading; /* a record that leads to it, and how many do */
	size_t standing;    /* records that are so */
	uint32_t brought;   /* what came into it in the walk at hand */
	size_t taken_until; /* of the takings of the walk at hand, when it was last seen */
};

/* That a rule, understood whole, has taken packets from those behind it. */
struct taking {
	const struct chain *chain;
	const struct rule *rule;
	uint32_t packets;
};

struct takings {
	struct arena arena;
	VEC(struct taking) items;   /* in the order of the walk */
	VEC(uint32_t) blocks;       /* unions of so many of them each, once asked for */
};

/* Findings of one chain that differ in their rule alone. */
struct alike {
	size_t count;
	struct diag *diag;        /* the last that is shown */
	const struct rule *next;  /* the first that is not, or NULL */
};

struct judge {
	struct table_survey survey;
	struct diags *diags;
	struct arena arena;
	struct chain_record *chains;
	VEC(struct rule_record) records;
	VEC(size_t) dead;      /* records that are never hit, in chains that are entered */
	struct takings takings; /* of the walk at hand */
	struct intern alike_keys;
	VEC(struct alike) alike; /* by the number of its key */
	size_t standing;
	size_t steps;
	bool stuck;
};

/* ---- installed_why.c ---- */

void takings_begin(struct takings *takings);
void takings_end(struct takings *takings);
/* Adds what the walk at hand shows of a rule that is never hit. */
void judge_explain(struct judge *judge, struct rule_record *record, const struct survey_walk *walk);

/* ---- installed_redundant.c ---- */

/* May this rule be left out without anybody noticing, as far as can be told? Those that are hit alone. */
bool judge_can_be_redundant(const struct rule_record *record);
/* Strikes off the rules of the chain behind which something else happens to what they take in the walk at hand. */
void judge_strike_needed(struct judge *judge, struct chain_record *chain, const struct survey_walk *walk);

/* ---- installed_report.c ---- */

void judge_report(struct judge *judge);

#endif
