/*
 * rollback.h - brings back peerwall's rules as they were before a change.
 *
 * Purpose: the way back that apply.h takes after a failure, taken later: by hand, or when nobody confirmed a change in time. It
 * is a change like any other, planned from what is loaded then, read back and compared; other programs' rules stay as they
 * have become meanwhile.
 * Errors: false, worded in live->failure as by change_run(). State after failure: what that says; the record stays, with
 * the reason, so that it can be tried again.
 */
#ifndef PEERWALL_ROLLBACK_H
#define PEERWALL_ROLLBACK_H

#include <peerwall/record.h>

/*
 * `live` is open to load rules with the record's backend, and signals are held. Writes the record; that it cannot be
 * written keeps nobody from going back, and is a warning. `reason` is why.
 */
bool rollback_run(struct live *live, struct record *record, const char *reason);

#endif
