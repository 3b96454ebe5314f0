/*
 * reach_turnings.h - the rules of nat that lead packets elsewhere, to be asked for rows. Private to reach.
 *
 * Purpose: rows are many where such rules are, so none of them is compared with all of these: rules are found by where they
 * send packets, and by the ports that these were sent to.
 * Ownership: in the space's arena; good while the journey is.
 */
#ifndef PEERWALL_REACH_TURNINGS_H
#define PEERWALL_REACH_TURNINGS_H

#include "reach_rows.h"

/* That a rule turned some packets. */
struct turning {
	const struct event *event;
	addr_number lo, hi; /* what it is found by: targets or ports */
};

struct turning_list {
	VEC(struct turning) items;
};

struct turnings {
	struct packet_space *space;
	struct vantage vantage; /* of nat PREROUTING */
	uint32_t routable;
	uint32_t met;        /* all that was turned, accepted or dropped then */
	uint32_t either_way; /* packets as they were sent, of which some were turned and some were not */
	struct turning_list single_target, any_target;
	struct turning_list single_port, any_port;
	unsigned looks;
};

void turnings_collect(struct turnings *out, struct packet_space *space, const struct journey *journey,
		      const struct reach_place *place);

/* Those that make packets of `early` into some of `late`, which goes to these targets. */
void turnings_find(struct turnings *turnings, struct reach_rules *out, uint32_t targets, uint32_t early, uint32_t late);

/* Can packets that look alike be led to several ends? If not, no row has to be asked, which is dear where there are many. */
bool turnings_are_unsure(struct turnings *turnings, const struct ruleset *ruleset);

/* Are packets that look like these led to where they are none of `late`, by whatever interface? */
bool turnings_lead_elsewhere(struct turnings *turnings, uint32_t headers, uint32_t late);

#endif
