/*
 * recorded_change.h - changes that can be undone later, and are, unless they are confirmed.
 *
 * Purpose: what apply and down do around change_run(). Before anything changes, the record of what was there is on disk,
 * and the watcher at work, if there is to be one; afterwards the record says what became of it. While a change waits to
 * be confirmed no other is begun: it would be unclear what is being confirmed, and what would come back.
 * Where the last change was never finished (killed on the way, or not confirmed, and nobody there to undo it), a new one
 * takes over what was there before that one: going back never leads to rules that nobody wanted to keep.
 * Units: milliseconds. Errors: false, worded in live->failure, as change_run(). State after failure: as that says, and
 * the record is the earlier one again; after FAILURE_STUCK it is this one's, so that rollback can try once more.
 */
#ifndef PEERWALL_RECORDED_CHANGE_H
#define PEERWALL_RECORDED_CHANGE_H

#include <peerwall/apply.h>
#include <peerwall/record.h>

/* Under the lock: FAILURE_CONFLICT if a change waits to be confirmed. */
bool recorded_change_may_begin(struct live *live);

/*
 * Call with signals held. With a `limit` above 0 it is undone that long after it was made, unless it is confirmed;
 * then nothing is done that could not be undone. Without, a record that cannot be written is a warning.
 * *out is the record; its id is 0 if nothing had to be changed.
 */
bool recorded_change_run(struct live *live, const struct change *change, const char *command, unsigned limit,
			 struct record *out);

enum confirm_outcome {
	CONFIRM_DONE,
	CONFIRM_ALREADY,    /* nothing waits: the last change is in force for good */
	CONFIRM_NOTHING,    /* there is no change, or none that is whole */
	CONFIRM_TOO_LATE,   /* it was undone */
	CONFIRM_NOT_UNDONE, /* too late, but undoing it failed so far: record->reason */
	CONFIRM_FAILED,     /* worded in the failure */
};

/*
 * Takes the lock. With an id, only the change of that id is meant. `record` is what was found, unless it failed or there
 * is none: then its boot is NULL. With `keep` false it asks the watcher to undo the change at once instead.
 */
enum confirm_outcome recorded_change_settle(const struct live_options *options, uint64_t id, bool keep,
					    struct record *record, struct failure *failure);

#endif
