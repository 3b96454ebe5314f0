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

struct input_snapshot {
	const struct source *source;
	struct ruleset *ruleset;
	bool trusted; /* false: something in it is wrong, nothing may be concluded from it */
};

struct input {
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct parameters parameters;
	VEC(struct policy *) policies;
	VEC(struct input_snapshot) snapshots;
	struct host host; /* what the files of --host tell of it */
	enum colour colour;
};

/* More errors than this are counted, not shown. */
#define INPUT_ERRORS_MAX 100

void input_init(struct input *input);
void input_free(struct input *input);

/* "auto", "always", "never". */
bool input_set_colour(struct input *input, const char *text);
/* -D name=value. False if it is not of that form. */
bool input_add_parameter(struct input *input, const char *argument);

/* "-" is standard input. False if it has errors; the policy is kept all the same, for further checks. */
bool input_policy(struct input *input, const char *path);

/* The family is worked out from the text unless `family` names it. False: see `trusted`. */
bool input_snapshot(struct input *input, const char *path, enum snapshot_family family);

/* Addresses and routes, beside those that were read before. */
bool input_host(struct input *input, const char *path);

/*
 * What can be trusted of the snapshots, for the checks. EXIT_USAGE if two are of one family and backend: these cannot be
 * one host's.
 */
int input_use_snapshots(struct input *input, const struct subcommand *subcommand, struct check_input *checked);

/* Should the stream get colour? NO_COLOR (no-color.org) and TERM=dumb say no. */
bool input_colour(const struct input *input, FILE *stream);

/* Sorts and prints the diagnostics as text on standard error. */
void input_print_diags(struct input *input);

#endif
