/*
 * lock.h - locks on files, held by one process against all others.
 *
 * Purpose: peerwall's own lock (one change at a time), and the lock of the legacy tools, which peerwall holds
 * from its reading of the rules to its last change, so that nobody's change falls in between.
 * Locks are flock(2)'s: they end with the process, however it ends, and with the tools that are given them to keep
 * (process.h): so whoever gets one next knows that these have ended, too.
 * Units: milliseconds. Errors: 0 or -errno; -ETIMEDOUT when others held it all the time.
 * State after failure: nothing is held.
 */
#ifndef PEERWALL_LOCK_H
#define PEERWALL_LOCK_H

#include <stdbool.h>

#define LOCK_FREE ((struct lock){-1})

struct lock {
	int fd; /* -1: not held */
};

enum lock_kind { LOCK_SHARED, LOCK_EXCLUSIVE };

/*
 * An exclusive one creates the file if it is not there (mode 0600). For a shared one that is -ENOENT: nobody holds any, and who only
 * looks leaves nothing behind. Symbolic links are refused with -ELOOP.
 */
int lock_acquire(struct lock *lock, const char *path, enum lock_kind kind, unsigned time_limit);

/* False if its file was deleted or replaced: then nobody else knows of it any more. */
bool lock_is_in_place(const struct lock *lock, const char *path);

/* Of a lock that is not held, nothing is done. */
void lock_release(struct lock *lock);

/*
 * Creates a directory for lock files (mode 0700), if it is not there. Errors as for lock_directory_check().
 */
int lock_directory_prepare(const char *path);

/*
 * -EPERM if it belongs to someone else or
 * others may write there: they could put their own files in the place of ours.
 */
int lock_directory_check(const char *path);

#endif
