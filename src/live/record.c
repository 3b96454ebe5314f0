#include <peerwall/record.h>

#include "state_file.h"

#include <peerwall/snapshot.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIRST_LINE "peerwall change 2"

static const char *const state_words[RECORD_STATE_COUNT] = {"loading", "pending", "kept", "undoing", "undone", "failed"};

/* ---- what it has left ---- */

uint64_t record_digest(const struct ruleset rules[FAMILY_COUNT], struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	/* FNV-1a; only root writes here, so that nobody makes two that are alike. */
	uint64_t digest = 0xcbf29ce484222325;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct ruleset chains;

		ruleset_init(&chains, (enum family)f, arena);
		for (int t = 0; t < TABLE_COUNT; t++)
			vec_each(chain, &rules[f].tables[t].chains) {
				struct chain *own;

				if (chain->builtin || !own_chain_interface(arena, chain->name))
					continue;
				own = table_add_chain(&chains, ruleset_table(&chains, (enum table_id)t), chain->name,
						      strlen(chain->name));
				vec_each(rule, &chain->rules)
					*chain_add_rule(&chains, own) = *rule;
			}
		strbuf_addf(&text, "%s\n", family_name((enum family)f));
		ruleset_print(&text, &chains, true);
	}
	for (const char *c = strbuf_str(&text); *c; c++)
		digest = (digest ^ (unsigned char)*c) * 0x100000001b3;
	strbuf_free(&text);
	return digest ? digest : 1;
}

bool record_is_outdated(const struct record *record, const struct ruleset rules[FAMILY_COUNT], struct arena *arena)
{
	return record->left && (record->state == RECORD_KEPT || record->state == RECORD_PENDING) &&
	       strcmp(record->boot, boot_id_read(arena)) == 0 && record_digest(rules, arena) != record->left;
}

/* ---- printing ---- */

/* Names and messages may hold anything; a line holds what is printable, and the rest as %XX. */
static void print_text(struct strbuf *out, const char *key, const char *text)
{
	strbuf_addf(out, "%s ", key);
	for (const char *c = text; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte < 0x20 || byte >= 0x7f || byte == '%')
			strbuf_addf(out, "%%%02x", (unsigned)byte);
		else
			strbuf_addc(out, *c);
	}
	strbuf_addc(out, '\n');
}

void record_print(struct strbuf *out, const struct record *record)
{
	strbuf_addf(out, FIRST_LINE "\nid %016llx\nstate %s\n", (unsigned long long)record->id,
		    state_words[record->state]);
	print_text(out, "boot", record->boot);
	print_text(out, "command", record->command);
	strbuf_addf(out, "backend %s\nbegan %lld\nended %lld\ndeadline %llu\nunconfirmed %lld\nleft %016llx\n",
		    backend_name(record->backend), (long long)record->began, (long long)record->ended,
		    (unsigned long long)record->deadline, (long long)record->unconfirmed,
		    (unsigned long long)record->left);
	print_text(out, "reason", record->reason);
	strbuf_addf(out, "interfaces %zu\n", record->interfaces.items.len);
	vec_each(name, &record->interfaces.items)
		print_text(out, "interface", *name);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct strbuf rules = STRBUF_EMPTY;

		ruleset_print(&rules, &record->before[f], false);
		strbuf_addf(out, "%s %zu\n", family_name((enum family)f), rules.len);
		strbuf_add(out, strbuf_str(&rules), rules.len);
		strbuf_free(&rules);
	}
	strbuf_adds(out, "end\n");
}

/* ---- parsing: line by line, in the order of printing ---- */

struct cursor {
	const char *at, *end;
	struct arena *arena;
	bool ok; /* false: what was taken since means nothing */
};

/* The rest of the next line, which has to begin with the key. */
static const char *take_line(struct cursor *cursor, const char *key)
{
	size_t size = strlen(key);
	const char *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at)), *line = cursor->at;

	if (!cursor->ok || !newline || (size_t)(newline - line) < size || memcmp(line, key, size) != 0) {
		cursor->ok = false;
		return "";
	}
	cursor->at = newline + 1;
	line += size;
	if (line < newline && *line++ != ' ')
		cursor->ok = false;
	return arena_strndup(cursor->arena, line, (size_t)(newline - line));
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *take_text(struct cursor *cursor, const char *key)
{
	const char *line = take_line(cursor, key);
	char *text = arena_strdup(cursor->arena, line), *to = text;

	for (const char *c = line; *c; c++) {
		if (*c != '%') {
			*to++ = *c;
			continue;
		}
		if (hex_digit(c[1]) < 0 || hex_digit(c[2]) < 0) {
			cursor->ok = false;
			break;
		}
		*to++ = (char)(hex_digit(c[1]) << 4 | hex_digit(c[2]));
		c += 2;
	}
	*to = '\0';
	return text;
}

static uint64_t take_number(struct cursor *cursor, const char *key, int base)
{
	const char *line = take_line(cursor, key);
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(line, &end, base);
	cursor->ok &= errno == 0 && end > line && *end == '\0' && hex_digit(*line) >= 0;
	return number;
}

static enum record_state take_state(struct cursor *cursor)
{
	const char *line = take_line(cursor, "state");

	for (int state = 0; state < RECORD_STATE_COUNT; state++)
		if (strcmp(line, state_words[state]) == 0)
			return (enum record_state)state;
	cursor->ok = false;
	return RECORD_FAILED;
}

static void take_rules(struct cursor *cursor, enum family family, struct ruleset *out)
{
	size_t size = (size_t)take_number(cursor, family_name(family), 10);
	struct sources sources;
	struct source *source;
	struct diags diags;

	ruleset_init(out, family, cursor->arena);
	if (!cursor->ok || size > (size_t)(cursor->end - cursor->at)) {
		cursor->ok = false;
		return;
	}
	if (size == 0)
		return;
	sources_init(&sources, cursor->arena);
	diags_init(&diags, cursor->arena);
	source = sources_add(&sources, "<kept rules>", cursor->at, size);
	cursor->at += size;
	cursor->ok = source && snapshot_read(out, family, source, cursor->arena, &diags);
}

bool record_parse(struct record *out, const struct strbuf *text, struct arena *arena)
{
	struct cursor cursor = {strbuf_str(text), strbuf_str(text) + text->len, arena, true};
	size_t count;

	*out = (struct record){0};
	cursor.ok = *take_line(&cursor, FIRST_LINE) == '\0' && cursor.ok;
	out->id = take_number(&cursor, "id", 16);
	out->state = take_state(&cursor);
	out->boot = take_text(&cursor, "boot");
	out->command = take_text(&cursor, "command");
	cursor.ok &= backend_find(take_line(&cursor, "backend"), &out->backend);
	out->began = (int64_t)take_number(&cursor, "began", 10);
	out->ended = (int64_t)take_number(&cursor, "ended", 10);
	out->deadline = take_number(&cursor, "deadline", 10);
	out->unconfirmed = (int64_t)take_number(&cursor, "unconfirmed", 10);
	out->left = take_number(&cursor, "left", 16);
	out->reason = take_text(&cursor, "reason");
	count = (size_t)take_number(&cursor, "interfaces", 10);
	for (size_t i = 0; i < count && cursor.ok; i++)
		vec_push(arena, &out->interfaces.items, take_text(&cursor, "interface"));
	for (int f = 0; f < FAMILY_COUNT; f++)
		take_rules(&cursor, (enum family)f, &out->before[f]);
	cursor.ok = *take_line(&cursor, "end") == '\0' && cursor.ok;
	return cursor.ok && cursor.at == cursor.end;
}

/* ---- the file ---- */

/* A number that the kernel gives to no other namespace before it restarts, or else (before Linux 5.14) the inode's. */
static const char *namespace_name(struct arena *arena)
{
	uint64_t cookie;
	socklen_t size = sizeof cookie;
	struct stat status;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool known = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0;

	if (fd >= 0)
		close(fd);
	if (known)
		return arena_printf(arena, "%ju", (uintmax_t)cookie);
	if (stat("/proc/self/ns/net", &status) != 0)
		return NULL;
	return arena_printf(arena, "inode-%ju", (uintmax_t)status.st_ino);
}

const char *record_path(const struct live_options *options, struct arena *arena)
{
	const char *name = namespace_name(arena);

	return name ? arena_printf(arena, "%s/change-%s", options->state_directory, name) : NULL;
}

int record_read(struct record *out, const struct live_options *options, struct arena *arena)
{
	const char *path = record_path(options, arena);
	struct strbuf text = STRBUF_EMPTY;
	int error;

	if (!path)
		return -ENOENT;
	error = state_file_read(&text, path, RECORD_SIZE_MAX);
	if (error == 0 && !record_parse(out, &text, arena))
		error = -EBADMSG;
	strbuf_free(&text);
	return error;
}

int record_write(const struct record *record, const struct live_options *options, struct arena *arena)
{
	const char *path = record_path(options, arena);
	struct strbuf text = STRBUF_EMPTY;
	int error = path ? lock_directory_prepare(options->state_directory) : -ENOENT;

	if (error == 0) {
		record_print(&text, record);
		error = state_file_write(path, &text);
	}
	strbuf_free(&text);
	return error;
}

int record_remove(const struct live_options *options, struct arena *arena)
{
	const char *path = record_path(options, arena);

	return path ? state_file_remove(path) : 0;
}

/* ---- this boot ---- */

const char *boot_id_read(struct arena *arena)
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, text, sizeof text - 1) < 0)
			text[0] = '\0';
		close(fd);
	}
	return arena_strndup(arena, text, strcspn(text, "\n"));
}

uint64_t boot_time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
