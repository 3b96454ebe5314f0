/*
 * strbuf.h - a growing string on the heap, for text that is being written out.
 *
 * STRBUF_EMPTY is ready for use; `data` is NULL or NUL-terminated, `len` counts bytes without it.
 * Ownership: strbuf_free() releases, and so does strbuf_keep(). Errors: as arena.h.
 */
#ifndef PEERWALL_STRBUF_H
#define PEERWALL_STRBUF_H

#include <peerwall/arena.h>

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
	char *data;
	size_t len;
	size_t cap;
};

#define STRBUF_EMPTY ((struct strbuf){NULL, 0, 0})

void strbuf_add(struct strbuf *buf, const char *bytes, size_t size);
void strbuf_adds(struct strbuf *buf, const char *string);
void strbuf_addc(struct strbuf *buf, char c);
void strbuf_addf(struct strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Empties the buffer and keeps its memory. */
void strbuf_reset(struct strbuf *buf);
/* "" where nothing was added yet. */
const char *strbuf_str(const struct strbuf *buf);
/* The text in the arena; the buffer is freed. */
const char *strbuf_keep(struct strbuf *buf, struct arena *arena);
void strbuf_free(struct strbuf *buf);

#endif
