/*
 * input.h - what the subcommands read: policies, snapshots, parameters; and how they show what is wrong with them.
 *
 * Purpose: one owner of the arena, the sources and the diagnostics of a run, so that each subcommand is only its own work.
 * Errors: whatever cannot be read or understood is a diagnostic; the functions say whether to go on.
 * Ownership: input_free() releases everything.
 */
#ifndef PEERWALL_INPUT_H
#define PEERWALL_INPUT_H

#include "cmd.h"
#include "options.h"

#include <peerwall/arena.h>
#include <peerwall/checks.h>
#include <peerwall/diag.h>
#include <peerwall/host.h>
#include <peerwall/parse_policy.h>
#include <peerwall/policy.h>
#include <peerwall/ruleset.h>
#include <peerwall/snapshot.h>
#include <peerwall/source.h>

#include <stdbool.h>
#include <stdio.h>

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

/* What --snapshot named and nobody has read yet. */
struct snapshot_argument {
	const char *path;
	enum snapshot_family family;
};

struct input_snapshot {
	const struct source *source;
	struct ruleset *ruleset;
	bool trusted; /* false: something in it is wrong, nothing may be concluded from it */
};

struct input {
	const struct subcommand *subcommand;
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct parameters parameters;
	VEC(struct policy *) policies;
	VEC(struct input_snapshot) snapshots;
	struct host host; /* what the files of --host tell of it */
	VEC(struct snapshot_argument) snapshot_arguments;
	enum colour colour;
	bool standard_input; /* claimed */
};

/* More errors than this are counted, not shown. */
#define INPUT_ERRORS_MAX 100

void input_init(struct input *input, const struct subcommand *subcommand);
void input_free(struct input *input);

/* "auto", "always", "never". */
bool input_set_colour(struct input *input, const char *text);
/* -D name=value. False if it is not of that form. */
bool input_add_parameter(struct input *input, const char *argument);

/* Standard input, "-", can be read once: EXIT_USAGE for the second file that is it. */
int input_claim(struct input *input, const char *path);

/* The flags that compile and lint share, behind those of their own: their table's rows from `first` on. */
enum { INPUT_FLAG_SNAPSHOT, INPUT_FLAG_SNAPSHOT4, INPUT_FLAG_SNAPSHOT6, INPUT_FLAG_PARAMETER, INPUT_FLAG_COLOUR };

#define INPUT_FLAGS(first)                                                                                     \
	[(first) + INPUT_FLAG_SNAPSHOT] = {"snapshot", 0, true},                                               \
	[(first) + INPUT_FLAG_SNAPSHOT4] = {"snapshot4", 0, true},                                             \
	[(first) + INPUT_FLAG_SNAPSHOT6] = {"snapshot6", 0, true},                                             \
	[(first) + INPUT_FLAG_PARAMETER] = {NULL, 'D', true},                                                  \
	[(first) + INPUT_FLAG_COLOUR] = {"color", 0, true}

/* EXIT_FINE or EXIT_USAGE. Snapshots are only noted. */
int input_take_flag(struct input *input, int flag, const char *value);

/* "-" is standard input. False if it has errors; the policy is kept all the same, for further checks. */
bool input_policy(struct input *input, const char *path);

/* The family is worked out from the text unless `family` names it. False: see `trusted`. */
bool input_snapshot(struct input *input, const char *path, enum snapshot_family family);

/* Those that flags have named, in their order. */
void input_read_snapshots(struct input *input);

/* Addresses and routes, beside those that were read before. */
bool input_host(struct input *input, const char *path);

/*
 * What can be trusted of the snapshots, for the checks. EXIT_USAGE if two are of one family and backend: these cannot be
 * one host's.
 */
int input_use_snapshots(struct input *input, struct check_input *checked);

/* Should the stream get colour? NO_COLOR (no-color.org) and TERM=dumb say no. */
bool input_colour(const struct input *input, FILE *stream);

/* Sorts and prints the diagnostics as text on standard error. */
void input_print_diags(struct input *input);

#endif
