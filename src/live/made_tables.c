#include "made_tables.h"

#include "nft_table.h"
#include "state_file.h"

#include <peerwall/generation.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ATTEMPTS_MAX 5
#define PAUSE_MS 20
#define FILE_SIZE_MAX 4096

struct notes {
	bool made[FAMILY_COUNT][TABLE_COUNT];
};

/* ---- the file: a line "IPv4 mangle" for each table ---- */

/* Namespaces that share a run directory have tables of their own. NULL if this one cannot be told. */
static const char *notes_path(const struct live *live)
{
	struct stat status;

	if (stat("/proc/self/ns/net", &status) != 0)
		return NULL;
	return arena_printf(live->arena, "%s/tables-%ju", live->options.run_directory, (uintmax_t)status.st_ino);
}

/* What is not a line of ours says nothing. */
static void parse_notes(struct notes *out, const char *text)
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (int t = 0; t < TABLE_COUNT; t++) {
			char line[64];
			const char *at;

			snprintf(line, sizeof line, "%s %s\n", family_name((enum family)f), table_names[t]);
			at = strstr(text, line);
			out->made[f][t] = at && (at == text || at[-1] == '\n');
		}
}

/* The directory is ours alone; a file in it that is not as we write it says nothing. */
static void read_notes(struct notes *out, const char *path)
{
	struct strbuf text = STRBUF_EMPTY;

	*out = (struct notes){0};
	if (state_file_read(&text, path, FILE_SIZE_MAX) == 0)
		parse_notes(out, strbuf_str(&text));
	strbuf_free(&text);
}

static int write_notes(const struct notes *notes, const char *path)
{
	struct strbuf text = STRBUF_EMPTY;
	int error;

	for (int f = 0; f < FAMILY_COUNT; f++)
		for (int t = 0; t < TABLE_COUNT; t++)
			if (notes->made[f][t])
				strbuf_addf(&text, "%s %s\n", family_name((enum family)f), table_names[t]);
	error = text.len ? state_file_write(path, &text) : state_file_remove(path);
	strbuf_free(&text);
	return error;
}

/* ---- what goes in, and out again ---- */

void made_tables_note(struct live *live, const struct plan plans[FAMILY_COUNT])
{
	const char *path = live->backend == BACKEND_NFT ? notes_path(live) : NULL;
	struct notes notes;
	bool changed = false;
	int error;

	if (!path)
		return;
	read_notes(&notes, path);
	for (int f = 0; f < FAMILY_COUNT; f++)
		vec_each(edit, &plans[f].edits) {
			enum nft_table_state state;
			bool *made = &notes.made[f][edit->table];

			if (*made || nft_table_look(&state, (enum family)f, edit->table, live->arena) != 0 ||
			    state != NFT_TABLE_ABSENT)
				continue;
			*made = true;
			changed = true;
		}
	error = changed ? write_notes(&notes, path) : 0;
	if (error)
		strbuf_addf(&live->warnings, "%s cannot be written (%s): tables that are new now will stay behind, empty\n",
			    path, strerror(-error));
}

/* May the note go? Where others keep committing, the table stays, and so does the note. */
static bool clear_table(enum family family, enum table_id table, struct arena *arena)
{
	for (unsigned attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
		enum nft_table_state state;
		uint32_t generation;
		int error;

		/* First the generation: what is committed behind this line keeps the table from being deleted. */
		if (generation_read(&generation) != 0)
			return false;
		error = nft_table_look(&state, family, table, arena);
		if (error == 0 && state != NFT_TABLE_BARE)
			return state != NFT_TABLE_OURS;
		if (error == 0)
			error = nft_table_delete(family, table, generation);
		if (error == 0)
			return true;
		if (error != -ERESTART && error != -EINTR && error != -ENOENT)
			return false;
		nanosleep(&(struct timespec){0, (long)attempt * PAUSE_MS * 1000000L}, NULL);
	}
	return false;
}

void made_tables_clear(struct live *live)
{
	const char *path = live->backend == BACKEND_NFT ? notes_path(live) : NULL;
	struct notes notes;
	bool changed = false;

	if (!path)
		return;
	read_notes(&notes, path);
	for (int f = 0; f < FAMILY_COUNT; f++)
		for (int t = 0; t < TABLE_COUNT; t++)
			if (notes.made[f][t] && clear_table((enum family)f, (enum table_id)t, live->arena)) {
				notes.made[f][t] = false;
				changed = true;
			}
	/* A note that cannot be taken back is looked at again, and does no harm. */
	if (changed)
		(void)write_notes(&notes, path);
}
