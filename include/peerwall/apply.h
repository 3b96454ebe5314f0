/*
 * apply.h - a change of the live rules: all of it, or nothing.
 *
 * Purpose: brings peerwall's part of both families' rules from what is loaded to what is wanted, one table after the
 * other in the plan's order; reads back and compares; and on any failure brings it back to what was read first.
 * iptables-restore loads a table whole or not at all, but never two tables: this makes them one.
 * Errors: false, worded in live->failure. FAILURE_SYSTEM and FAILURE_CONFLICT: nothing was begun.
 * FAILURE_LEFTOVER: it was made, but for chains of ours that rules of others jump to, which are empty now.
 * FAILURE_ROLLED_BACK: it was undone, and reading back showed that. FAILURE_STUCK: something is left, and what.
 * State after failure: as said. A process that is killed outright leaves a half change, which is on the
 * closed side by the plan's order; the next apply or down puts it right.
 */
#ifndef PEERWALL_APPLY_H
#define PEERWALL_APPLY_H

#include <peerwall/live.h>
#include <peerwall/plan.h>

#include <signal.h>
#include <stdbool.h>

struct change {
	struct name_list interfaces;
	struct ruleset want[FAMILY_COUNT]; /* from plan_want(); empty wants nothing */
	bool rehearse; /* rehearsal.h, first */
	/* Chains that are not wanted, but that others' rules jump to, stay, empty: FAILURE_LEFTOVER. Else nothing is begun. */
	bool leave_held;
};

/* The interfaces for which something differs from what is wanted, in any order; none: there is nothing to do. */
void change_interfaces(struct name_list *out, const struct live *live, const struct change *change);

/* The commands and payloads that change_run() would begin with, in order. */
void change_describe(struct strbuf *out, const struct live *live, const struct change *change);

/*
 * What was read back after a change is in live->changed. Runs no tool that changes rules if nothing is needed.
 * Under nft, tables that peerwall has made and that hold nothing of anybody are gone afterwards. Call with signals
 * held.
 */
bool change_run(struct live *live, const struct change *change);

/*
 * Holds back the signals that would end or stop the process, so that they act on a whole change. After the
 * release one that came meanwhile takes its effect.
 */
void signals_hold(sigset_t *before);
void signals_release(const sigset_t *before);

#endif
