/*
 * installed_walk.h - all walks through one table: what can come to each of its hooks, by which interface, in which state.
 *
 * Interfaces and states that no rule of the table tells apart share a walk.
 * Ownership: everything lives in the survey's arena, which is its own; table_survey_free().
 */
#ifndef PEERWALL_ANALYSE_INSTALLED_WALK_H
#define PEERWALL_ANALYSE_INSTALLED_WALK_H

/* Rules looked at in all walks together, beyond which nothing is concluded: seconds. */
#define INSTALLED_STEPS_MAX 4000000u

#include <peerwall/table_walk.h>

/* What is the same for all packets of a walk. */
struct walk_plan {
	const struct chain *chain; /* the built-in one */
	const char *in;
	enum tracking tracking;
	bool before_tracking, translated, resourced;
};

struct table_survey {
	struct arena arena;
	const struct table *table;
	struct ruleset alone;  /* with no other table */
	struct host nowhere;   /* of which nothing is known */
	struct packet_space space;
	struct places places;
	VEC(struct walk_plan) plans; /* new connections first */
	bool changes_marks;    /* some rule of the table does */
	bool gave_up;
};

/* One walk: what it began with, and how it ended. */
struct survey_walk {
	uint32_t begun;
	struct vantage vantage; /* at the end: hops_changed is known then */
	unsigned steps;         /* rules looked at */
	bool gave_up;
};

void table_survey_init(struct table_survey *survey, const struct ruleset *ruleset, enum table_id id);
void table_survey_free(struct table_survey *survey);

/* All sets of the walk before are gone. */
void table_survey_walk(struct survey_walk *out, struct table_survey *survey, const struct walk_plan *plan,
		       const struct visitor *visitor);

#endif
