/*
 * watch_rules.h - the live rules, to name those by that a trace shows.
 *
 * Purpose: rules with their handles, read anew when they have changed; rules of peerwall's own bear the place of the policy's
 * statement, where a policy is given.
 * Ownership: watch_rules_free(); what was named by them has to be printed before that.
 * Errors: worded in the command's failure, or printed.
 */
#ifndef PEERWALL_WATCH_RULES_H
#define PEERWALL_WATCH_RULES_H

#include "live_command.h"

#include <peerwall/rule_handles.h>
#include <peerwall/traced.h>

struct watch_rules {
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct live live;
	struct rule_handles handles;
	uint32_t generation;
	bool has_generation;
	struct traced_rules traced;
};

/* NULL if they cannot be read. */
struct watch_rules *watch_rules_read(struct live_command *command);
void watch_rules_free(struct watch_rules *rules);

/* Has anybody committed since then? */
bool watch_rules_are_old(const struct watch_rules *rules);

#endif
