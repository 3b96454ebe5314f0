/*
 * output.h - files that appear whole or not at all.
 *
 * Purpose: a set of files for one directory is written under temporary names first, flushed to disk, and only when all of
 * them are complete renamed into place. Errors: -errno, and `failed` names the file; nothing is left behind then.
 */
#ifndef PEERWALL_OUTPUT_H
#define PEERWALL_OUTPUT_H

#include <peerwall/arena.h>
#include <peerwall/strbuf.h>
#include <peerwall/vec.h>

#include <sys/types.h>

struct output_file {
	const char *name;
	mode_t mode;
	struct strbuf content;
	const char *temporary; /* while it is being written */
};

struct output {
	struct arena *arena;
	VEC(struct output_file) files;
};

/* The content's owner is the output; output_free() releases it. */
struct strbuf *output_add(struct output *output, const char *name, mode_t mode);

/* Makes the directory if it is not there. */
int output_write(struct output *output, const char *directory, const char **failed);

void output_free(struct output *output);

#endif
