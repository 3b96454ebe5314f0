/*
 * overlay.h - a ruleset as it would be after a plan was applied to it.
 *
 * Purpose: what iptables-restore --noflush would make of the plan's edits, worked out in memory, so that questions about
 * a policy can be answered before it is applied. tests/unit holds it against what plan_make() promises: applied, a
 * plan leaves nothing to do.
 * Ownership: `out` lives in the arena; it shares rules with `live` and with what the plan was made from.
 * Errors: none; a command that the ruleset cannot follow (a rule to delete that is not there) is a BUG() of the plan.
 */
#ifndef PEERWALL_OVERLAY_H
#define PEERWALL_OVERLAY_H

#include <peerwall/plan.h>
#include <peerwall/ruleset.h>

void overlay_make(struct ruleset *out, const struct ruleset *live, const struct plan *plan, struct arena *arena);

#endif
