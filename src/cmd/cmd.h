/*
 * cmd.h - the subcommands, one file each: cmd_NAME.c defines `const struct subcommand cmd_NAME`.
 *
 * A subcommand gets argv from its own name on. It prints results on standard output and everything else on
 * standard error, and returns one of the exit codes below, which are a public interface (peerwall(8)).
 * Flags are taken by options.h (getopt.h cannot be included: its `struct option` is ruleset.h's); policies,
 * snapshots, -D and --color are read and shown through input.h, the same way by all.
 */
#ifndef PEERWALL_CMD_H
#define PEERWALL_CMD_H

#include <stdio.h>

#define PEERWALL_VERSION "0.1.0"

enum exit_code {
	EXIT_FINE = 0,
	EXIT_POLICY = 1,     /* the policy is wrong, or a check that counts as an error fired */
	EXIT_USAGE = 2,      /* the command line is wrong */
	EXIT_CONFLICT = 3,   /* the snapshot or the live rules stand against it */
	EXIT_ROLLED_BACK = 4, /* apply failed; everything it did was undone */
	EXIT_SYSTEM = 5,     /* no rights, no tool, no memory, no space: nothing was changed */
	EXIT_STUCK = 6,      /* apply failed and could not be undone whole */
	EXIT_DOWN = 7,       /* status: nothing of it is loaded */
	EXIT_DRIFTED = 8,    /* status, diff: what is loaded differs from the policy */
	EXIT_PARTLY = 9,     /* status: only a part of it is loaded */
	EXIT_REFUSED = 10,   /* trace: the packet does not get through */
	EXIT_UNDECIDED = 11, /* trace: the rules alone do not tell whether it does; reach: they are too entangled */
	EXIT_UNDONE = 12,    /* confirm, apply --confirm: nobody confirmed the change in time, it was undone */
};

struct subcommand {
	const char *name;
	const char *summary; /* one line, for the list of subcommands */
	const char *help;    /* usage, options, examples */
	int (*run)(int argc, char **argv);
};

extern const struct subcommand cmd_compile;
extern const struct subcommand cmd_lint;
extern const struct subcommand cmd_apply;
extern const struct subcommand cmd_down;
extern const struct subcommand cmd_confirm;
extern const struct subcommand cmd_rollback;
extern const struct subcommand cmd_status;
extern const struct subcommand cmd_diff;
extern const struct subcommand cmd_trace;
extern const struct subcommand cmd_watch;
extern const struct subcommand cmd_reach;
extern const struct subcommand cmd_fmt;

/* "peerwall: error: ..." on standard error, with a hint at --help; returns EXIT_USAGE. */
int usage_error(const struct subcommand *subcommand, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A line that a terminal may see whatever is in it: names and comments in live rules may be anybody's. The newline
 * is added.
 */
void print_clean(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "peerwall: error: ..." on standard error. */
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
