/*
 * bug.h - the third kind of failure: ours.
 *
 * A broken invariant is not the user's doing and not the system's: it is said on standard error with
 * its place in the source, and the process aborts before it can act on a wrong belief.
 */
#ifndef PEERWALL_BUG_H
#define PEERWALL_BUG_H

#include <stdio.h>
#include <stdlib.h>

#define BUG(...)                                                                   \
	do {                                                                       \
		fprintf(stderr, "peerwall: internal error at %s:%d: ", __FILE__, __LINE__); \
		fprintf(stderr, __VA_ARGS__);                                      \
		fputc('\n', stderr);                                               \
		abort();                                                           \
	} while (0)

#define BUG_ON(condition)                    \
	do {                                 \
		if (condition)               \
			BUG("%s", #condition); \
	} while (0)

#endif
