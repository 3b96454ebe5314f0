/*
 * reach_rows.h - the rows of one interface, with the rules behind them. Private to reach.
 */
#ifndef PEERWALL_REACH_ROWS_H
#define PEERWALL_REACH_ROWS_H

#include <peerwall/reach.h>

/* Rules looked at for one list of rows: to name them is a kindness, and not worth minutes. */
#define REACH_LOOKS_MAX 2000000u

struct reach_rule reach_rule_of(enum table_id table, const struct chain *chain, const struct rule *rule);
/* Each rule once, and no more than are shown. */
void reach_rules_add(struct arena *arena, struct reach_rules *rules, struct reach_rule rule);

/* A rule that is understood only in part, and what it perhaps takes hold of. */
struct blur {
	struct reach_rule rule;
	enum hook hook;
	bool translated;
	uint32_t hit;
};

struct blurs {
	struct packet_space *space;
	VEC(struct blur) items;
};

/* Collects them; good while both stay where they are. */
struct visitor blurs_visitor(struct blurs *blurs, struct packet_space *space);

/* What witnesses are made of; before packet_space_close(). */
void reach_rows_mention(struct packet_space *space);

/* Where the packets come in. */
struct reach_place {
	const char *in;
	const struct ruleset *ruleset;
	const struct places *places;
	const struct reach_wanted *wanted;
	uint32_t entered;
	size_t rows_most;
};

/* What was asked for, of these fields alone. */
uint32_t reach_wanted_services(struct packet_space *space, const struct reach_wanted *wanted);
uint32_t reach_wanted_destinations(struct packet_space *space, const struct reach_wanted *wanted);

void reach_rows_make(struct reach_interfaces *out, struct packet_space *space, const struct journey *journey,
		     const struct blurs *blurs, const struct reach_place *place);

#endif
