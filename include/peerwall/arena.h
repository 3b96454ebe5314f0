/*
 * arena.h - memory that lives as long as one compilation.
 *
 * Purpose: the tree, the rulesets, the names and the diagnostics of one run are allocated here and go
 * away together; the middle layers never free.
 * Ownership: arena_free() releases everything that was handed out. Sizes are bytes.
 * Errors: when memory is exhausted the process says so on standard error and exits with status 5;
 * nothing has been changed then, since nothing is applied from a stage that allocates.
 */
#ifndef PEERWALL_ARENA_H
#define PEERWALL_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used; /* bytes handed out of the head block */
};

#define ARENA_EMPTY ((struct arena){NULL, 0})

/* Never NULL. The memory is aligned for any object and is not cleared. */
void *arena_alloc(struct arena *arena, size_t size);

/* As arena_alloc(), cleared. */
void *arena_zalloc(struct arena *arena, size_t size);

/* A copy of `size` bytes at `bytes`, with a NUL behind it. */
char *arena_strndup(struct arena *arena, const char *bytes, size_t size);
char *arena_strdup(struct arena *arena, const char *string);

char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Leaves an empty arena, which may be used again. */
void arena_free(struct arena *arena);

/* malloc() and realloc() with the same answer to exhausted memory; for the few heap buffers. */
void *checked_realloc(void *memory, size_t size);

#endif
