/*
 * source.h - the input texts, held in memory, in one flat space of positions.
 *
 * A span is a pair of byte positions [lo, hi) in that space; it names a place in any of the sources
 * without saying which. Position 0 belongs to none, so SPAN_NONE is all zero. Lines and columns are
 * worked out only when a place is shown; columns count code points of UTF-8, from 1.
 * A byte order mark at the start of a file is skipped at load.
 * Ownership: the texts live in the arena given to sources_init(); they are NUL-terminated, and may hold
 * further NULs.
 */
#ifndef PEERWALL_SOURCE_H
#define PEERWALL_SOURCE_H

#include <peerwall/arena.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	uint32_t lo;
	uint32_t hi;
};

#define SPAN_NONE ((struct span){0, 0})

struct source {
	const char *name; /* as the user gave it, or "<stdin>" */
	const char *text;
	size_t size;
	uint32_t start; /* the position of text[0] */
	/* For sources_locate() alone, made at the first look-up: where each line starts, the last column found. */
	uint32_t *line_starts;
	uint32_t line_count;
	uint32_t known_offset;
	unsigned known_column;
};

struct sources {
	struct arena *arena;
	VEC(struct source *) all;
	uint32_t next; /* the first position not yet given away */
};

struct location {
	const struct source *source;
	unsigned line;        /* from 1 */
	unsigned column;      /* from 1, in code points */
	const char *line_text; /* not NUL-terminated at its end */
	size_t line_size;     /* without the newline */
	size_t line_offset;   /* of the place within the line, in bytes */
};

/* A policy may be this large, a snapshot that. More is an error of the load: -EFBIG. */
#define POLICY_SIZE_MAX (16u << 20)
#define SNAPSHOT_SIZE_MAX (1u << 30)

void sources_init(struct sources *sources, struct arena *arena);

/* Copies `size` bytes in as a source of that name. NULL when the flat space (4 GiB) is used up. */
struct source *sources_add(struct sources *sources, const char *name, const char *text, size_t size);

/*
 * Reads a file, or standard input for "-". Returns 0 and sets *out, or -errno: -EISDIR for a
 * directory, -EFBIG over `limit` bytes; then nothing was added. Pipes and devices are read to their end.
 */
int sources_load(struct sources *sources, const char *path, size_t limit, struct source **out);

/* Where a position lies. False for SPAN_NONE and positions outside of all sources. */
bool sources_locate(const struct sources *sources, uint32_t position, struct location *out);

/* The bytes of a span, which has to lie within one source; "" and 0 for SPAN_NONE. */
const char *sources_text(const struct sources *sources, struct span span, size_t *size);

#endif
