#include "live_command.h"

#include "claims.h"
#include "confirmation.h"
#include "options.h"

#include <peerwall/bug.h>
#include <peerwall/recorded_change.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_LIMIT_DEFAULT 10000 /* ms */
#define TOOL_LIMIT_DEFAULT 60000
#define SECONDS_MAX 86400
#define WATCH_COUNT_MAX 1000000
#define WATCH_RATE_MAX 10000

/* The number behind a name, for texts. */
#define QUOTE(text) #text
#define NUMBER(name) QUOTE(name)

enum { FLAG_PARAMETER, FLAG_BACKEND, FLAG_TOOLS, FLAG_RUN_DIR, FLAG_WAIT, FLAG_TIMEOUT, FLAG_COLOUR, FLAG_DRY_RUN,
       FLAG_ALL, FLAG_CONFIRM, FLAG_NO_REHEARSAL, FLAG_FORMAT, FLAG_CHECK, FLAG_ERROR, FLAG_SNAPSHOT, FLAG_SNAPSHOT4,
       FLAG_SNAPSHOT6, FLAG_POLICY, FLAG_HOST, FLAG_FROM, FLAG_TO, FLAG_READ,
       FLAG_FOR, FLAG_PACKETS, FLAG_RATE, FLAG_KEEP_LOOKING, FLAG_COUNT };

static const struct {
	struct flag flag;
	unsigned option;   /* 0: all commands take it */
	const char *wants; /* what is said of any other value; NULL: take_flag() knows more */
} flags[FLAG_COUNT] = {
	[FLAG_PARAMETER] = {{NULL, 'D', true}, 0, "-D wants NAME=VALUE"},
	[FLAG_BACKEND] = {{"backend", 0, true}, 0, "--backend is nft, legacy or auto"},
	[FLAG_TOOLS] = {{"tools", 0, true}, 0, NULL},
	[FLAG_RUN_DIR] = {{"run-dir", 0, true}, 0, "--run-dir wants the path of a directory"},
	[FLAG_WAIT] = {{"wait", 0, true}, 0, "--wait wants a number of seconds"},
	[FLAG_TIMEOUT] = {{"timeout", 0, true}, 0, "--timeout wants a number of seconds above 0"},
	[FLAG_COLOUR] = {{"color", 0, true}, 0, "--color is auto, always or never"},
	[FLAG_DRY_RUN] = {{"dry-run", 0, false}, LIVE_OPTION_DRY_RUN, NULL},
	[FLAG_ALL] = {{"all", 0, false}, LIVE_OPTION_ALL, NULL},
	[FLAG_CONFIRM] = {{"confirm", 0, true}, LIVE_OPTION_CONFIRM,
			  "--confirm wants a number of seconds, above 0 and up to " NUMBER(SECONDS_MAX)},
	[FLAG_NO_REHEARSAL] = {{"no-rehearsal", 0, false}, LIVE_OPTION_REHEARSAL, NULL},
	[FLAG_FORMAT] = {{"format", 0, true}, LIVE_OPTION_FORMAT, NULL},
	[FLAG_CHECK] = {{NULL, 'W', true}, LIVE_OPTION_CHECKS, NULL},
	[FLAG_ERROR] = {{"error", 0, true}, LIVE_OPTION_CHECKS, NULL},
	[FLAG_SNAPSHOT] = {{"snapshot", 0, true}, LIVE_OPTION_TRACE | LIVE_OPTION_WATCH, NULL},
	[FLAG_SNAPSHOT4] = {{"snapshot4", 0, true}, LIVE_OPTION_TRACE | LIVE_OPTION_WATCH, NULL},
	[FLAG_SNAPSHOT6] = {{"snapshot6", 0, true}, LIVE_OPTION_TRACE | LIVE_OPTION_WATCH, NULL},
	[FLAG_POLICY] = {{"policy", 0, true}, LIVE_OPTION_TRACE | LIVE_OPTION_WATCH, NULL},
	[FLAG_HOST] = {{"host", 0, true}, LIVE_OPTION_TRACE, NULL},
	[FLAG_READ] = {{"read", 0, true}, LIVE_OPTION_WATCH, NULL},
	[FLAG_FROM] = {{"from", 0, true}, LIVE_OPTION_REACH, NULL},
	[FLAG_TO] = {{"to", 0, true}, LIVE_OPTION_REACH, NULL},
	[FLAG_FOR] = {{"for", 0, true}, LIVE_OPTION_WATCH | LIVE_OPTION_STATUS, "--for wants a number of seconds above 0"},
	[FLAG_PACKETS] = {{"count", 0, true}, LIVE_OPTION_WATCH | LIVE_OPTION_STATUS,
			  "--count wants a number from 1 to " NUMBER(WATCH_COUNT_MAX)},
	[FLAG_KEEP_LOOKING] = {{"watch", 0, false}, LIVE_OPTION_STATUS, NULL},
	[FLAG_RATE] = {{"rate", 0, true}, LIVE_OPTION_WATCH,
		       "--rate wants a number of packets a second from 1 to " NUMBER(WATCH_RATE_MAX)},
};

/*
 * wg-quick applies one policy, beside others that are up already, and at every start: what is not about that policy, what
 * applying puts right, and what nobody can do about is for lint to say. -W switches each on again.
 */
static const char *const quiet_checks[] = {
	"no-unknown-own-interface", "no-foreign-prefix", "no-dead-rule", "no-unreachable-rule", "no-orphan-chain",
	"no-duplicate-jump", "no-overtaken-jump", "no-tests-not-run", "no-assumed", "no-test-undecided",
};

/* An interface whose policy is not applied is open: what the proof finds is said, and the rest is closed all the same. */
static const enum diag_code no_obstacles[] = {CODE_LEAK, CODE_TEST_FAILED};

void print_line(const char *format, ...)
{
	struct strbuf text = STRBUF_EMPTY;
	va_list args;

	va_start(args, format);
	strbuf_vaddf(&text, format, args);
	va_end(args);
	print_clean(stdout, "peerwall: %s", strbuf_str(&text));
	strbuf_free(&text);
}

/* ---- options ---- */

static bool parse_seconds(const char *text, unsigned *milliseconds)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (errno || end == text || *end || !(seconds >= 0 && seconds <= SECONDS_MAX))
		return false;
	*milliseconds = (unsigned)(seconds * 1000);
	return true;
}

static int unknown_check(const struct subcommand *subcommand, const char *option, const char *name)
{
	const char *nearest = check_settings_nearest(name);

	if (nearest)
		return usage_error(subcommand, "%s: there is no check '%s'; did you mean '%s'?", option, name, nearest);
	return usage_error(subcommand, "%s: there is no check '%s'", option, name);
}

static int set_check(struct live_command *command, const char *option, const char *name, enum check_setting setting)
{
	if (setting == CHECK_SETTING_UNKNOWN)
		return unknown_check(command->subcommand, option, name);
	if (setting == CHECK_SETTING_FIXED)
		return usage_error(command->subcommand, "%s: '%s' is always an error and cannot be switched", option, name);
	return EXIT_FINE;
}

static bool set_backend(struct live_command *command, const char *name)
{
	command->options.backend = NULL;
	if (strcmp(name, "auto") == 0)
		return true;
	command->options.backend = &command->wanted_backend;
	return backend_find(name, &command->wanted_backend);
}

static int take_format(struct live_command *command, const char *value)
{
	static const char *const names[] = {"text", "json", "dot", "svg"};
	bool pictures = command->accepted & LIVE_OPTION_REACH;

	for (size_t i = 0; i < (pictures ? 4 : 2); i++)
		if (strcmp(value, names[i]) == 0) {
			command->format = (enum live_format)i;
			command->json = command->format == LIVE_FORMAT_JSON;
			return EXIT_FINE;
		}
	return usage_error(command->subcommand, "--format is %s, not '%s'", pictures ? "text, json, dot or svg" : "text or json",
			   value);
}

static bool parse_count(const char *text, unsigned most, unsigned *out)
{
	char *end;
	unsigned long number;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *end || number == 0 || number > most)
		return false;
	*out = (unsigned)number;
	return true;
}

/* Absolute from here on: the process that undoes a change has a working directory of its own. */
static bool set_run_directory(struct live_command *command, const char *path)
{
	char *current = *path == '/' ? NULL : getcwd(NULL, 0);

	if (*path != '/' && (*path == '\0' || !current)) {
		free(current);
		return false;
	}
	path = current ? arena_printf(&command->input.arena, "%s/%s", current, path) : path;
	free(current);
	command->options.run_directory = path;
	command->options.state_directory = path;
	return true;
}

/* False: this is not what the flag wants. */
static bool set_value(struct live_command *command, int flag, const char *value)
{
	struct live_options *options = &command->options;
	struct watch_options *watch = &command->watch;

	switch (flag) {
	case FLAG_PARAMETER:
		return input_add_parameter(&command->input, value);
	case FLAG_BACKEND:
		return set_backend(command, value);
	case FLAG_RUN_DIR:
		return set_run_directory(command, value);
	case FLAG_WAIT:
		return parse_seconds(value, &options->lock_limit);
	case FLAG_TIMEOUT:
		return parse_seconds(value, &options->tool_limit) && options->tool_limit > 0;
	case FLAG_COLOUR:
		return input_set_colour(&command->input, value);
	case FLAG_CONFIRM:
		return parse_seconds(value, &command->confirm_limit) && command->confirm_limit > 0;
	case FLAG_FOR:
		return parse_seconds(value, &watch->limit) && watch->limit > 0;
	case FLAG_PACKETS:
		return parse_count(value, WATCH_COUNT_MAX, &watch->count);
	case FLAG_RATE:
		return parse_count(value, WATCH_RATE_MAX, &watch->rate);
	}
	BUG("flag %d has no value to check", flag);
}

static void switch_on(struct live_command *command, int flag)
{
	switch (flag) {
	case FLAG_DRY_RUN:
		command->dry_run = true;
		break;
	case FLAG_NO_REHEARSAL:
		command->no_rehearsal = true;
		break;
	case FLAG_ALL:
		command->all = true;
		break;
	case FLAG_KEEP_LOOKING:
		command->keep_looking = true;
		break;
	default:
		BUG("flag %d is no switch", flag);
	}
}

/* Snapshots are read as they come; what is wrong with them becomes a diagnostic. */
static void take_snapshot(struct live_command *command, const char *path, enum snapshot_family family)
{
	command->from_snapshots = true;
	input_snapshot(&command->input, path, family);
}

/* What may be any text, for now. */
static void keep_value(struct live_command *command, int flag, const char *value)
{
	struct arena *arena = &command->input.arena;

	switch (flag) {
	case FLAG_TOOLS:
		command->options.tools_directory = value;
		break;
	case FLAG_SNAPSHOT:
		take_snapshot(command, value, SNAPSHOT_FAMILY_UNKNOWN);
		break;
	case FLAG_SNAPSHOT4:
		take_snapshot(command, value, SNAPSHOT_FAMILY_IPV4);
		break;
	case FLAG_SNAPSHOT6:
		take_snapshot(command, value, SNAPSHOT_FAMILY_IPV6);
		break;
	case FLAG_POLICY:
		vec_push(arena, &command->policies, value);
		break;
	case FLAG_HOST:
		vec_push(arena, &command->hosts, value);
		break;
	case FLAG_READ:
		command->watch.recording = value;
		break;
	case FLAG_FROM:
		vec_push(arena, &command->from, value);
		break;
	case FLAG_TO:
		vec_push(arena, &command->to, value);
		break;
	default:
		BUG("flag %d has no value to keep", flag);
	}
}

static int take_flag(void *context, int flag, const char *value)
{
	struct live_command *command = context;

	if (flags[flag].wants) {
		if (!set_value(command, flag, value))
			return usage_error(command->subcommand, "%s, not '%s'", flags[flag].wants, value);
		return EXIT_FINE;
	}
	switch (flag) {
	case FLAG_FORMAT:
		return take_format(command, value);
	case FLAG_CHECK:
		return set_check(command, "-W", value, check_settings_switch(&command->checks, value));
	case FLAG_ERROR:
		return set_check(command, "--error", value, check_settings_error(&command->checks, value));
	}
	if (value)
		keep_value(command, flag, value);
	else
		switch_on(command, flag);
	return EXIT_FINE;
}

static int take_operand(void *context, const char *word)
{
	struct live_command *command = context;

	vec_push(&command->input.arena, &command->operands, word);
	return EXIT_FINE;
}

static int parse_options(struct live_command *command, int argc, char **argv)
{
	struct flag accepted[FLAG_COUNT] = {0};
	struct command_line line = {command->subcommand, accepted, FLAG_COUNT, take_flag, take_operand};

	for (int i = 0; i < FLAG_COUNT; i++)
		if (!flags[i].option || flags[i].option & command->accepted)
			accepted[i] = flags[i].flag;
	return command_line_take(&line, command, argc, argv);
}

int live_command_begin(struct live_command *command, const struct subcommand *subcommand, unsigned options, int argc,
		       char **argv)
{
	const char *lock = getenv("XTABLES_LOCKFILE");

	*command = (struct live_command){
		.subcommand = subcommand,
		.accepted = options,
		.options = {
			.run_directory = LIVE_RUN_DIRECTORY,
			.state_directory = LIVE_STATE_DIRECTORY,
			/* iptables(8): its own default, and the variable that its tools heed. */
			.xtables_lock = lock && *lock ? lock : "/run/xtables.lock",
			.lock_limit = LOCK_LIMIT_DEFAULT,
			.tool_limit = TOOL_LIMIT_DEFAULT,
		},
	};
	input_init(&command->input, subcommand);
	check_settings_init(&command->checks);
	for (size_t i = 0; i < sizeof quiet_checks / sizeof *quiet_checks; i++)
		check_settings_switch(&command->checks, quiet_checks[i]);
	for (size_t i = 0; i < sizeof no_obstacles / sizeof *no_obstacles; i++)
		command->checks.severity[no_obstacles[i]] = SEVERITY_WARNING;
	command->failure = FAILURE_INIT(&command->input.arena);
	return parse_options(command, argc, argv);
}

/* ---- policies ---- */

int live_command_compile(struct live_command *command)
{
	if (command->input.diags.errors)
		return EXIT_POLICY;
	vec_each(policy, &command->input.policies) {
		struct unit_list units;

		lower_policy(&units, *policy, &command->input.arena);
		vec_each(unit, &units.items)
			vec_push(&command->input.arena, &command->units.items, *unit);
	}
	return claims_check_units(&command->units, &command->input.arena, &command->input.diags) ? EXIT_FINE : EXIT_CONFLICT;
}

int live_command_policies(struct live_command *command)
{
	if (command->operands.len == 0)
		return usage_error(command->subcommand, "which policy?");
	vec_each(path, &command->operands)
		input_policy(&command->input, *path);
	return live_command_compile(command);
}

bool names_policy(const char *argument)
{
	size_t size = strlen(argument);
	struct stat status;

	return strchr(argument, '/') || (size > 3 && strcmp(argument + size - 3, ".pw") == 0) ||
	       strcmp(argument, "-") == 0 || (stat(argument, &status) == 0 && S_ISREG(status.st_mode));
}

/* ---- the live rules ---- */

int live_command_open(struct live_command *command, enum live_purpose purpose)
{
	command->live_is_open = true;
	if (live_open(&command->live, &command->options, purpose, &command->input.sources, &command->input.arena, &command->input.diags,
		      &command->failure))
		return EXIT_FINE;
	return failure_exit_code(&command->failure);
}

void live_command_loaded(struct live_command *command, struct name_list *out)
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		plan_own_interfaces(out, &command->live.rules[f], &command->input.arena);
}

size_t count_rules(const struct ruleset *rules)
{
	size_t count = 0;

	for (int t = 0; t < TABLE_COUNT; t++)
		vec_each(chain, &rules->tables[t].chains)
			count += chain->rules.len;
	return count;
}

void describe_counts(struct strbuf *out, const struct live *live, const struct ruleset rules[FAMILY_COUNT])
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		size_t count = count_rules(&rules[f]);

		if (live->has_family[f])
			strbuf_addf(out, "%s%s %zu rule%s", f ? ", " : "", family_name((enum family)f), count,
				    count == 1 ? "" : "s");
	}
}

/* ---- changes ---- */

/* The rules are in force, whether or not anybody could be told: that is what the exit code says. */
static void flush_report(void)
{
	if (fflush(stdout) == 0)
		return;
	clearerr(stdout);
	print_error("cannot write to standard output; the change is made");
}

static void announce(const struct live_command *command)
{
	print_line("this is undone in %g s unless it is confirmed: by `peerwall confirm`, best through a new connection, since "
		   "those that are open stay open", command->confirm_limit / 1000.0);
}

int live_command_change(struct live_command *command, const struct change *change,
			void (*report)(struct live_command *command, const void *context), const void *context)
{
	struct live_options options = command->options;
	bool waits = false;
	struct record record;
	sigset_t before;
	bool done;
	int code;

	signals_hold(&before);
	done = recorded_change_run(&command->live, change, command->subcommand->name, command->confirm_limit, &record);
	live_unlock(&command->live);
	if (done) {
		waits = record.id && command->confirm_limit;
		report(command, context);
		if (waits)
			announce(command);
		flush_report();
	}
	code = live_command_end(command, failure_exit_code(&command->failure));
	if (waits && confirmation_can_ask())
		code = confirmation_wait(&options, record.id);
	signals_release(&before);
	return code;
}

/* ---- the end ---- */

int failure_exit_code(const struct failure *failure)
{
	switch (failure->kind) {
	case FAILURE_NONE:
		return EXIT_FINE;
	case FAILURE_SYSTEM:
		return EXIT_SYSTEM;
	case FAILURE_CONFLICT:
		return EXIT_CONFLICT;
	case FAILURE_ROLLED_BACK:
		return EXIT_ROLLED_BACK;
	case FAILURE_LEFTOVER:
	case FAILURE_STUCK:
		return EXIT_STUCK;
	}
	return EXIT_SYSTEM;
}

static void print_lines(const char *severity, struct strbuf *lines)
{
	char *rest = lines->data, *line;

	while (rest && (line = strsep(&rest, "\n")) && *line)
		print_clean(stderr, "peerwall: %s: %s", severity, line);
}

static void print_remarks(struct live_command *command)
{
	input_print_diags(&command->input);
	if (command->live_is_open) {
		print_lines("warning", &command->live.warnings);
		print_lines("note", &command->live.notes);
	}
	if (command->failure.kind != FAILURE_NONE) {
		print_error("%s", command->failure.message);
		vec_each(note, &command->failure.notes)
			print_clean(stderr, "  %s", *note);
	}
}

int live_command_end(struct live_command *command, int code)
{
	if (command->live_is_open)
		live_unlock(&command->live);
	if (!command->silent)
		print_remarks(command);
	if (command->live_is_open)
		live_close(&command->live);
	input_free(&command->input);
	return code;
}
