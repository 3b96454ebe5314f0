#include "match_cache.h"

#include <string.h>

/* FNV-1a (Fowler, Noll, Vo): a poor hash only costs a second decoding. */
static uint32_t place_of(const char *text, uint32_t size, bool target)
{
	uint32_t hash = 2166136261u ^ target;

	for (uint32_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return (hash ^ hash >> 16) % MATCH_CACHE_SIZE;
}

const struct match *match_cache_find(const struct match_cache *cache, const char *text, uint32_t size, bool target)
{
	const struct cached_match *place = &cache->places[place_of(text, size, target)];

	if (!place->text || place->size != size || place->target != target || memcmp(place->text, text, size) != 0)
		return NULL;
	return &place->match;
}

void match_cache_put(struct match_cache *cache, const char *text, uint32_t size, bool target, const struct match *match)
{
	cache->places[place_of(text, size, target)] = (struct cached_match){text, size, target, *match};
}
