/*
 * match_cache.h - matches and targets that occurred before, by their text.
 *
 * Purpose: the rules of a dump are made of few different parts ("-m limit --limit 5/min"). What was decoded
 * once is used again, by all rules that have it, which saves most of the time and of the memory.
 * A fixed number of places, a new text takes that of an old one; so the cost of a look-up is bounded.
 * Ownership: texts stay in their source, options in the arena of the ruleset; both outlive the cache.
 */
#ifndef PEERWALL_MATCH_CACHE_H
#define PEERWALL_MATCH_CACHE_H

#include <peerwall/ruleset.h>

struct cached_match {
	const char *text; /* NULL: the place is free */
	uint32_t size;
	bool target;
	struct match match;
};

#define MATCH_CACHE_SIZE 1024

struct match_cache {
	struct cached_match places[MATCH_CACHE_SIZE];
};

/* NULL if it is not there. What it gives is good until the next put. */
const struct match *match_cache_find(const struct match_cache *cache, const char *text, uint32_t size, bool target);
void match_cache_put(struct match_cache *cache, const char *text, uint32_t size, bool target, const struct match *match);

#endif
