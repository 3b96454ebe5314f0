/* random.h - the same numbers in every run, for tests that make things up. A test begins with `seed` as it likes. */
#ifndef PEERWALL_TEST_RANDOM_H
#define PEERWALL_TEST_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static uint64_t seed;

static inline unsigned random_below(unsigned limit)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % limit;
}

static inline bool one_of(unsigned count)
{
	return random_below(count) == 0;
}

#endif
