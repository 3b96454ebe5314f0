#include <peerwall/arena.h>
#include <peerwall/bug.h>
#include <peerwall/strbuf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `extra` bytes and the NUL. */
static void reserve(struct strbuf *buf, size_t extra)
{
	size_t need = buf->len + extra + 1;
	size_t cap = buf->cap ? buf->cap : 64;

	BUG_ON(need < extra);
	if (need <= buf->cap)
		return;
	while (cap < need)
		cap *= 2;
	buf->data = checked_realloc(buf->data, cap);
	buf->cap = cap;
}

void strbuf_add(struct strbuf *buf, const char *bytes, size_t size)
{
	reserve(buf, size);
	if (size)
		memcpy(buf->data + buf->len, bytes, size);
	buf->len += size;
	buf->data[buf->len] = '\0';
}

void strbuf_adds(struct strbuf *buf, const char *string)
{
	strbuf_add(buf, string, strlen(string));
}

void strbuf_addc(struct strbuf *buf, char c)
{
	strbuf_add(buf, &c, 1);
}

void strbuf_vaddf(struct strbuf *buf, const char *format, va_list args)
{
	va_list again;
	int size;

	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	BUG_ON(size < 0);
	reserve(buf, (size_t)size);
	vsnprintf(buf->data + buf->len, (size_t)size + 1, format, again);
	va_end(again);
	buf->len += (size_t)size;
}

void strbuf_addf(struct strbuf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	strbuf_vaddf(buf, format, args);
	va_end(args);
}

void strbuf_reset(struct strbuf *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

const char *strbuf_str(const struct strbuf *buf)
{
	return buf->data ? buf->data : "";
}

const char *strbuf_keep(struct strbuf *buf, struct arena *arena)
{
	const char *kept = arena_strndup(arena, strbuf_str(buf), buf->len);

	strbuf_free(buf);
	return kept;
}

void strbuf_free(struct strbuf *buf)
{
	free(buf->data);
	*buf = STRBUF_EMPTY;
}
