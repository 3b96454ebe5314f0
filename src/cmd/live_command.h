/*
 * live_command.h - what apply, down, status, diff, trace and watch have in common: options, policies, the way to the live rules,
 * and how failures are told.
 *
 * Ownership: everything lives in the arena of the struct; live_command_end() lets go of it.
 * Functions that return an exit code return EXIT_FINE to go on; at any other the command is over.
 */
#ifndef PEERWALL_LIVE_COMMAND_H
#define PEERWALL_LIVE_COMMAND_H

#include "cmd.h"
#include "input.h"

#include <peerwall/apply.h>
#include <peerwall/checks.h>
#include <peerwall/live.h>
#include <peerwall/lower.h>

#include <stdbool.h>

/* The options that all of them take; one line each, for help texts. */
#define LIVE_OPTIONS_HELP                                                                \
	"  -D NAME=VALUE        the value of $NAME in the policies\n"                    \
	"  --backend nft|legacy which backend of iptables; without it, the one in use\n" \
	"  --tools DIR          where iptables' tools are (absolute, root's own)\n"      \
	"  --run-dir DIR        where locks, notes and records are (/run/peerwall, /var/lib/peerwall)\n" \
	"  --wait SECONDS       how long to wait for locks (10)\n"                       \
	"  --timeout SECONDS    how long a tool may take (60)\n"                          \
	"  --color WHEN         auto, always or never\n"

/* Of what status and diff print as JSON: docs/json.md. */
#define LIVE_JSON_VERSION 1

/* The options that only some take. */
enum live_option { LIVE_OPTION_DRY_RUN = 1, LIVE_OPTION_ALL = 2, LIVE_OPTION_FORMAT = 4, LIVE_OPTION_CHECKS = 8,
		   LIVE_OPTION_TRACE = 16, LIVE_OPTION_CONFIRM = 32, LIVE_OPTION_WATCH = 64,
		   LIVE_OPTION_REACH = 128, LIVE_OPTION_REHEARSAL = 256,
		   LIVE_OPTION_STATUS = 512 };

enum live_format { LIVE_FORMAT_TEXT, LIVE_FORMAT_JSON, LIVE_FORMAT_DOT, LIVE_FORMAT_SVG };

/* How long and how much watch looks; or what it reads instead. 0 where nothing was given. */
struct watch_options {
	const char *recording; /* --read; NULL: the live trace */
	unsigned limit;        /* milliseconds */
	unsigned count;        /* packets */
	unsigned rate;         /* packets a second */
};

struct live_command {
	const struct subcommand *subcommand;
	struct input input; /* owns the arena, the policies, the diagnostics */
	struct failure failure;
	struct live_options options;
	enum backend wanted_backend;
	struct check_settings checks;
	unsigned accepted; /* of enum live_option */
	bool dry_run, no_rehearsal, all, json;
	unsigned confirm_limit; /* milliseconds to confirm the change; 0: it stays */
	enum live_format format; /* LIVE_OPTION_REACH; others look at `json` */
	bool from_snapshots; /* --snapshot was given */
	struct watch_options watch;
	VEC(const char *) policies, hosts; /* --policy, --host */
	VEC(const char *) from, to;        /* --from, --to */
	VEC(const char *) operands;
	struct unit_list units;
	struct live live;
	bool live_is_open;
	bool keep_looking, silent; /* status --watch; and whether there is nothing new to say */
};

int live_command_begin(struct live_command *command, const struct subcommand *subcommand, unsigned options, int argc,
		       char **argv);

/* Lowers all policies of the input into units, and makes sure that no two claim one interface. */
int live_command_compile(struct live_command *command);

/* Reads the operands, which are policies, and compiles them. */
int live_command_policies(struct live_command *command);

/* Takes the locks, too: live_unlock() has to come before anything is printed. */
int live_command_open(struct live_command *command, enum live_purpose purpose);

/*
 * Makes the change, with a record of it, lets go of the locks, and calls `report` if it was made; then live_command_end(),
 * and if it is to be confirmed and there is somebody to ask, waits for the answer. The exit code. `command` is over then.
 */
int live_command_change(struct live_command *command, const struct change *change,
			void (*report)(struct live_command *command, const void *context), const void *context);

/* Lets go of the locks, prints diagnostics, warnings and the failure on standard error, frees, and returns the exit code. */
int live_command_end(struct live_command *command, int code);

/* The exit code that a failure stands for. */
int failure_exit_code(const struct failure *failure);

/* All interfaces that have rules of ours in either family. */
void live_command_loaded(struct live_command *command, struct name_list *out);

/* Is the argument a policy's path, rather than the name of an interface? */
bool names_policy(const char *argument);

/* "IPv4 9 rules, IPv6 12 rules": of rulesets that hold our part only; families that the kernel lacks are left out. */
void describe_counts(struct strbuf *out, const struct live *live, const struct ruleset rules[FAMILY_COUNT]);
size_t count_rules(const struct ruleset *rules);

/* "peerwall: ..." on standard output. */
void print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
