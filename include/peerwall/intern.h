/*
 * intern.h - a table of distinct byte strings, numbered in the order of their arrival.
 *
 * Purpose: look-ups by name (chains, definitions, interfaces) in constant time.
 * Ownership: the strings and the table live in the arena given to intern_init().
 */
#ifndef PEERWALL_INTERN_H
#define PEERWALL_INTERN_H

#include <peerwall/arena.h>

#include <stddef.h>
#include <stdint.h>

#define INTERN_NONE UINT32_MAX

struct intern {
	struct arena *arena;
	const char **strings; /* by number, NUL-terminated copies */
	uint32_t *lengths;
	uint32_t *slots; /* open addressing: number + 1, 0 is free */
	uint32_t count;
	uint32_t cap;
	uint32_t slot_count;
};

void intern_init(struct intern *table, struct arena *arena);

/* The string's number, given to it now if it is new. */
uint32_t intern_add(struct intern *table, const char *bytes, size_t size);

/* The string's number, or INTERN_NONE. */
uint32_t intern_find(const struct intern *table, const char *bytes, size_t size);

#endif
