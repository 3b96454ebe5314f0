/*
 * chain_map.h - which chains packets come to, and which rules take hold of them there: the map that a picture is drawn from.
 *
 * Purpose: a visitor of table_walk.h that keeps what it is told, each chain once at each hook and table, each rule once.
 * Units: rules are numbered from 1, as iptables -L --line-numbers has them.
 * Ownership: everything lives in the arena; chains and rules belong to the ruleset.
 */
#ifndef PEERWALL_CHAIN_MAP_H
#define PEERWALL_CHAIN_MAP_H

#include <peerwall/table_walk.h>

#include <stdbool.h>
#include <stddef.h>

/* What a rule does with what it matches. */
enum deed {
	DEED_GOES_ON, /* counts, logs, marks */
	DEED_ACCEPTS,
	DEED_DROPS,
	DEED_REJECTS,
	DEED_RETURNS,
	DEED_LEADS,   /* into another chain: jump or goto */
	DEED_TRANSLATES,
	DEED_UNKNOWN, /* may do anything */
};

#define MAP_CHAIN_NONE ((size_t)-1)

struct map_rule {
	const struct rule *rule;
	unsigned number;
	enum deed deed;
	bool exact;   /* false: it is understood only in part, and perhaps takes hold of none of them */
	size_t leads; /* DEED_LEADS: index of the chain; MAP_CHAIN_NONE where nothing comes to any of its rules */
};

struct map_chain {
	enum table_id table;
	enum hook hook;
	const struct chain *chain;
	bool policy_reached;         /* built-in chains */
	VEC(struct map_rule) rules;  /* those that took hold of something, in their order; chain_map_finish() */
	unsigned char *seen;         /* for each rule of the chain */
};

struct chain_map {
	struct arena *arena;
	const struct ruleset *ruleset;
	VEC(struct map_chain) chains; /* in the order in which packets come to them */
	size_t *index[TABLE_COUNT][HOOK_COUNT]; /* of `chains`, plus 1, by the chain's number in its table */
};

void chain_map_init(struct chain_map *map, const struct ruleset *ruleset, struct arena *arena);

/* Good while the map stays where it is. */
struct visitor chain_map_visitor(struct chain_map *map);

/* When all packets have been sent through. */
void chain_map_finish(struct chain_map *map);

/* The built-in chain of the table at the hook, or MAP_CHAIN_NONE where nothing comes to it. */
size_t chain_map_find(const struct chain_map *map, enum table_id table, enum hook hook);

#endif
