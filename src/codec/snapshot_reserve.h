/*
 * snapshot_reserve.h - how many rules a dump has for each chain, before it is read.
 *
 * Purpose: an array that grows leaves its outgrown copies in the arena; for a dump of a million rules that is
 * most of the memory. The counts are a guess by the form of lines: a wrong one costs memory, nothing else.
 * Inside src/codec only. Ownership: the arena that is given, which may be gone after the last reserve.
 */
#ifndef PEERWALL_SNAPSHOT_RESERVE_H
#define PEERWALL_SNAPSHOT_RESERVE_H

#include <peerwall/ruleset.h>

struct count_list {
	VEC(uint32_t) items;
};

struct rule_counts {
	struct arena *arena;
	struct intern names[TABLE_COUNT];
	struct count_list numbers[TABLE_COUNT]; /* by the name's number */
};

void rule_counts_init(struct rule_counts *counts, struct arena *arena);
void rule_counts_take(struct rule_counts *counts, const struct source *source);
/* Gives an empty chain its array. */
void rule_counts_reserve(const struct rule_counts *counts, enum table_id table, struct arena *arena, struct chain *chain);

#endif
