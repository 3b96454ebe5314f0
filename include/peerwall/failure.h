/*
 * failure.h - what went wrong on the live system, in words for the user.
 *
 * Purpose: the live modules meet failures of tools, locks and kernels, which have no place in a policy. The module
 * that meets one words it, since only it knows what was being done; the command that asked prints it and exits.
 * Ownership: the texts live in the arena. The first failure counts: setting a second one is a note on the first.
 */
#ifndef PEERWALL_FAILURE_H
#define PEERWALL_FAILURE_H

#include <peerwall/arena.h>
#include <peerwall/vec.h>

#include <stdbool.h>

enum failure_kind {
	FAILURE_NONE,
	FAILURE_SYSTEM,      /* before anything was changed: rights, tools, locks */
	FAILURE_CONFLICT,    /* what is loaded stands against it; nothing was changed */
	FAILURE_ROLLED_BACK, /* a change failed and was undone */
	FAILURE_LEFTOVER,    /* the change was made, but for what somebody else's rules hold on to */
	FAILURE_STUCK,       /* a change failed and could not be undone, or nobody can tell */
};

struct failure {
	struct arena *arena;
	enum failure_kind kind;
	const char *message;     /* one line, without a newline */
	VEC(const char *) notes; /* what was undone, what is left, what to do next */
};

#define FAILURE_INIT(arena_) ((struct failure){.arena = (arena_)})

/* Returns false, for `return failure_set(...)`. */
bool failure_set(struct failure *failure, enum failure_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void failure_note(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
