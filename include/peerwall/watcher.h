/*
 * watcher.h - a process that undoes a change unless somebody confirms it.
 *
 * Purpose: it is started before the change begins, and has nothing in common with the session that started it: no
 * terminal, no parent, no open files, no environment. So neither the end of the session nor that of the process that
 * makes the change keeps it from its work. It goes by the record on disk: one that is kept, undone or another's ends it.
 *   - If the process that makes the change dies on the way, it undoes what there is, at once.
 *   - When the time is up, or it is told to end (SIGTERM: a better moment may not come), it undoes the change.
 *   - If that fails, it tries again, for a day, as long as the record says that there is something to undo.
 * It holds a lock of its own while it lives, by which others know that it does. If somebody deletes that file, or the record
 * (or makes it unreadable), it makes them again within a fraction of a second.
 * Units: milliseconds of CLOCK_BOOTTIME. Errors: 0 or -errno. State after failure: there is no watcher.
 */
#ifndef PEERWALL_WATCHER_H
#define PEERWALL_WATCHER_H

#include <peerwall/record.h>

struct watcher {
	int guard; /* open for as long as the change is on its way; -1: there is no watcher */
};

#define WATCHER_NONE ((struct watcher){-1})

/* Returns when it is at work. `limit` is how long there is to confirm the change, once it is whole. */
int watcher_start(struct watcher *out, const struct live_options *options, const struct record *record, unsigned limit);

/* The record is as it stays: from now on the watcher goes by it. */
void watcher_release(struct watcher *watcher);

/* There is no change to watch over. */
void watcher_cancel(struct watcher *watcher);

/* Is there one for this network namespace? */
bool watcher_is_alive(const struct live_options *options, struct arena *arena);

/* For when there is no record to tell: one that was cancelled a moment ago gets the time to end. */
bool watcher_stays_alive(const struct live_options *options, struct arena *arena);

/* What became of the last change, and what that asks for. */
enum change_situation {
	SITUATION_NONE,        /* there is nothing to say */
	SITUATION_WAITING,     /* it is undone at the deadline, if nobody confirms it */
	SITUATION_UNDOING,     /* it is being undone */
	SITUATION_INTERRUPTED, /* its process was killed, and nobody undid it: it may be half done */
	SITUATION_UNWATCHED,   /* nobody confirmed it, and nobody is there any more to undo it */
	SITUATION_HALF_UNDONE, /* undoing it failed, or was killed */
	SITUATION_RESTARTED,   /* the machine was restarted before it was confirmed, or on the way */
	SITUATION_UNCONFIRMED, /* it is in force, but comes after one that nobody confirmed */
	SITUATION_UNDONE,      /* the watcher undid it */
	SITUATION_FAILED,      /* it failed and could not be undone whole */
	SITUATION_COUNT
};

/* Call with peerwall's lock held, or the answer may be that of a moment ago. */
enum change_situation change_situation(const struct record *record, const struct live_options *options,
				       struct arena *arena);

#endif
