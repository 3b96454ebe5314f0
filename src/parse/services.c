#include <peerwall/services.h>

#include <peerwall/source.h>

#include <string.h>

/* The file is a few thousand lines; one this large is something else. */
#define SERVICES_SIZE_MAX (16u << 20)

struct word {
	const char *text;
	size_t size;
};

static bool next_word(const char **at, const char *end, struct word *out)
{
	const char *c = *at;

	while (c < end && (*c == ' ' || *c == '\t' || *c == '\r'))
		c++;
	out->text = c;
	while (c < end && *c != ' ' && *c != '\t' && *c != '\r')
		c++;
	out->size = (size_t)(c - out->text);
	*at = c;
	return out->size > 0;
}

/* "22/tcp". */
static bool parse_port(const struct word *word, uint16_t *port, enum protocol *protocol)
{
	const char *slash = memchr(word->text, '/', word->size);
	size_t rest;
	unsigned number = 0;

	if (!slash || slash == word->text || slash - word->text > 5)
		return false;
	for (const char *c = word->text; c < slash; c++) {
		if (*c < '0' || *c > '9')
			return false;
		number = number * 10 + (unsigned)(*c - '0');
	}
	if (number == 0 || number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	rest = word->size - (size_t)(slash + 1 - word->text);
	for (int i = 0; i < PROTOCOL_COUNT; i++) {
		*protocol = (enum protocol)i;
		if (strlen(protocol_names[i]) == rest && memcmp(protocol_names[i], slash + 1, rest) == 0)
			return true;
	}
	return false;
}

static void add_name(struct services *services, struct arena *arena, const struct word *name, enum protocol protocol,
		     uint16_t port)
{
	uint32_t number = intern_add(&services->names, name->text, name->size);
	struct services_entry *entry;

	if (number == services->entries.len)
		vec_push(arena, &services->entries, (struct services_entry){{false}, {0}});
	entry = &services->entries.data[number];
	if (entry->known[protocol])
		return;
	entry->known[protocol] = true;
	entry->ports[protocol] = port;
}

static void parse_line(struct services *services, struct arena *arena, const char *at, const char *end)
{
	const char *comment = memchr(at, '#', (size_t)(end - at));
	struct word name, place;
	enum protocol protocol;
	uint16_t port;

	if (comment)
		end = comment;
	if (!next_word(&at, end, &name) || !next_word(&at, end, &place) || !parse_port(&place, &port, &protocol))
		return;
	do
		add_name(services, arena, &name, protocol, port);
	while (next_word(&at, end, &name));
}

void services_parse(struct services *services, const char *text, size_t size, struct arena *arena)
{
	const char *end = text + size;

	*services = (struct services){0};
	intern_init(&services->names, arena);
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;

		parse_line(services, arena, text, line_end);
		text = newline ? newline + 1 : end;
	}
}

int services_load(struct services *services, const char *path, struct arena *arena)
{
	struct sources sources;
	struct source *source;
	int error;

	sources_init(&sources, arena);
	error = sources_load(&sources, path, SERVICES_SIZE_MAX, &source);
	services_parse(services, error ? "" : source->text, error ? 0 : source->size, arena);
	return error;
}

const struct services_entry *services_find(const struct services *services, const char *name, size_t size)
{
	uint32_t number = intern_find(&services->names, name, size);

	return number == INTERN_NONE ? NULL : &services->entries.data[number];
}
