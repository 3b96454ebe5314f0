/*
 * rehearsal.h - a change tried out where it does no harm, before the live rules are touched.
 *
 * Purpose: copies the tables that a change is about into a network namespace of its own, really loads the change's
 * payloads there with the same tools, reads back and compares. `iptables-restore --test` finds less: under nft it asks the
 * kernel nothing, under legacy it commits nothing. Whatever is refused there never reaches the live rules.
 * The next best is used, and said in live->notes, where
 *   - the copy of a table cannot be loaded (its rules need sets or modules that are not there): peerwall's own rules of
 *     that table are rehearsed alone;
 *   - there is no namespace to be had: the payloads are only given to the tool's --test.
 * What a rehearsal cannot show: what hangs on the namespace itself, such as a table that another process owns.
 * Errors: false, worded in live->failure (FAILURE_SYSTEM), with the tool's words, the payload's line and the policy's.
 * State after failure, as after success: nothing on the host has changed.
 */
#ifndef PEERWALL_REHEARSAL_H
#define PEERWALL_REHEARSAL_H

#include <peerwall/apply.h>

enum rehearsal_extent {
	REHEARSAL_NEEDLESS, /* there is nothing to load */
	REHEARSAL_WHOLE,    /* on a copy of all that is loaded in these tables */
	REHEARSAL_ALONE,    /* of some table without other programs' rules */
	REHEARSAL_TEST,     /* no more than the tools' --test */
};

bool rehearsal_run(struct live *live, const struct change *change, enum rehearsal_extent *extent);

#endif
