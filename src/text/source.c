#include <peerwall/source.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first read of what has no size to go by. */
#define READ_SIZE_FIRST (64u << 10)

void sources_init(struct sources *sources, struct arena *arena)
{
	*sources = (struct sources){.arena = arena, .next = 1};
}

/* `text` has a NUL behind it and is kept. */
static struct source *add_text(struct sources *sources, const char *name, const char *text, size_t size)
{
	struct source *source;

	/* One position more than bytes: the end of a text is a place of its own. */
	if (size >= UINT32_MAX - sources->next)
		return NULL;
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		size -= 3;
	}
	source = arena_zalloc(sources->arena, sizeof *source);
	source->name = arena_strdup(sources->arena, name);
	source->text = text;
	source->size = size;
	source->start = sources->next;
	sources->next += (uint32_t)size + 1;
	vec_push(sources->arena, &sources->all, source);
	return source;
}

struct source *sources_add(struct sources *sources, const char *name, const char *text, size_t size)
{
	if (size >= UINT32_MAX - sources->next)
		return NULL;
	return add_text(sources, name, arena_strndup(sources->arena, text, size), size);
}

/* Reads to the end, at most `limit` bytes. The buffer is the caller's, also after a failure. */
static int read_all(int fd, size_t expected, size_t limit, char **buffer, size_t *size)
{
	size_t cap = expected + 2; /* one to find the end with, one for the NUL */
	ssize_t got;

	*buffer = checked_realloc(NULL, cap);
	*size = 0;
	for (;;) {
		if (*size + 1 == cap)
			*buffer = checked_realloc(*buffer, cap *= 2);
		got = read(fd, *buffer + *size, cap - 1 - *size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		*size += (size_t)got;
		if (*size > limit)
			return -EFBIG;
	}
	(*buffer)[*size] = '\0';
	return 0;
}

static int load_fd(struct sources *sources, const char *name, int fd, size_t limit, struct source **out)
{
	struct stat status;
	size_t expected = READ_SIZE_FIRST, size;
	char *buffer;
	int error;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (S_ISREG(status.st_mode)) {
		if ((uintmax_t)status.st_size > limit)
			return -EFBIG;
		if (status.st_size > 0)
			expected = (size_t)status.st_size;
	}
	error = read_all(fd, expected, limit, &buffer, &size);
	if (error == 0) {
		*out = sources_add(sources, name, buffer, size);
		error = *out ? 0 : -EFBIG;
	}
	free(buffer);
	return error;
}

int sources_load(struct sources *sources, const char *path, size_t limit, struct source **out)
{
	int fd, error;

	if (strcmp(path, "-") == 0)
		return load_fd(sources, "<stdin>", STDIN_FILENO, limit, out);
	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	error = load_fd(sources, path, fd, limit, out);
	close(fd);
	return error;
}

static const struct source *find_source(const struct sources *sources, uint32_t position)
{
	size_t lo = 0, hi = sources->all.len;

	if (position == 0 || position >= sources->next)
		return NULL;
	while (hi - lo > 1) {
		size_t middle = lo + (hi - lo) / 2;

		if (sources->all.data[middle]->start <= position)
			lo = middle;
		else
			hi = middle;
	}
	return hi ? sources->all.data[lo] : NULL;
}

static void find_lines(struct arena *arena, struct source *source)
{
	const char *end = source->text + source->size;
	uint32_t count = 1;

	for (const char *at = source->text; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		count++;
	source->line_starts = arena_alloc(arena, count * sizeof *source->line_starts);
	source->line_starts[0] = 0;
	source->line_count = 1;
	for (const char *at = source->text; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		source->line_starts[source->line_count++] = (uint32_t)(at + 1 - source->text);
}

/* The index of the line that holds the byte at `offset`. */
static uint32_t find_line(const struct source *source, uint32_t offset)
{
	uint32_t lo = 0, hi = source->line_count;

	while (hi - lo > 1) {
		uint32_t middle = lo + (hi - lo) / 2;

		if (source->line_starts[middle] <= offset)
			lo = middle;
		else
			hi = middle;
	}
	return lo;
}

/* Goes on from the last answer where that was in the same line: many places in one long line stay cheap. */
static unsigned find_column(struct source *source, uint32_t line_start, uint32_t offset)
{
	uint32_t at = line_start;
	unsigned column = 1;

	if (source->known_offset >= line_start && source->known_offset <= offset && source->known_column) {
		at = source->known_offset;
		column = source->known_column;
	}
	for (; at < offset; at++)
		column += ((unsigned char)source->text[at + 1] & 0xc0) != 0x80;
	source->known_offset = offset;
	source->known_column = column;
	return column;
}

bool sources_locate(const struct sources *sources, uint32_t position, struct location *out)
{
	struct source *source = (struct source *)find_source(sources, position);
	uint32_t offset, line, start, end;

	if (!source)
		return false;
	if (!source->line_starts)
		find_lines(sources->arena, source);
	offset = position - source->start;
	line = find_line(source, offset);
	start = source->line_starts[line];
	end = line + 1 < source->line_count ? source->line_starts[line + 1] - 1 : (uint32_t)source->size;
	*out = (struct location){
		.source = source,
		.line = line + 1,
		.column = find_column(source, start, offset),
		.line_text = source->text + start,
		.line_size = end - start,
		.line_offset = offset - start,
	};
	if (out->line_size && out->line_text[out->line_size - 1] == '\r')
		out->line_size--;
	return true;
}

const char *sources_text(const struct sources *sources, struct span span, size_t *size)
{
	const struct source *source = find_source(sources, span.lo);
	size_t offset;

	*size = 0;
	if (!source)
		return "";
	offset = span.lo - source->start;
	*size = span.hi > span.lo ? span.hi - span.lo : 0;
	if (*size > source->size - offset)
		*size = source->size - offset;
	return source->text + offset;
}
