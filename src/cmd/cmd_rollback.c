#include "change_text.h"
#include "live_command.h"

#include <peerwall/apply.h>
#include <peerwall/rollback.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: peerwall rollback [OPTION...]\n"
	"\n"
	"Undoes the last change of `apply` or `down`: peerwall's rules for its interfaces become what they were before it,\n"
	"IPv4 and IPv6, whether it was confirmed, waits for that, or was killed half-way. Other programs' rules stay as they\n"
	"are. Only the last change can be undone, and only once; policies and other files are not touched.\n"
	"\n"
	"options:\n"
	"  --dry-run            show the commands and payloads, and run none of them\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status:\n"
	"  0  as it was before\n"
	"  2  the command line is wrong\n"
	"  3  there is nothing to undo, or what is loaded stands against it; nothing was changed\n"
	"  4  it failed: the change is in force still\n"
	"  5  no rights, no tool, no lock; nothing was changed\n"
	"  6  it failed half-way, or a chain stays that others' rules jump to; what is left was said\n"
	"\n"
	"examples:\n"
	"  peerwall rollback\n"
	"  peerwall rollback --dry-run\n";

static int refuse(struct live_command *command, const char *why)
{
	failure_set(&command->failure, FAILURE_CONFLICT, "there is nothing to undo: %s", why);
	return EXIT_CONFLICT;
}

static int read_record(struct live_command *command, struct record *out)
{
	struct strbuf text = STRBUF_EMPTY;
	int error = record_read(out, &command->options, &command->input.arena), code = EXIT_FINE;

	if (error == -ENOENT)
		return refuse(command, "no change is recorded here");
	if (error) {
		failure_set(&command->failure, FAILURE_SYSTEM, "the record of the last change in %s: %s",
			    command->options.state_directory,
			    error == -EBADMSG ? "it is not one of this version" : strerror(-error));
		return EXIT_SYSTEM;
	}
	if (out->state == RECORD_UNDONE) {
		change_describe_name(&text, out);
		strbuf_adds(&text, " was undone already");
		code = refuse(command, arena_strdup(&command->input.arena, strbuf_str(&text)));
	}
	strbuf_free(&text);
	return code;
}

static bool holds_rules_for(struct live_command *command, const struct record *record, const char *interface)
{
	struct name_list loaded = {0};

	for (int f = 0; f < FAMILY_COUNT; f++)
		plan_own_interfaces(&loaded, &record->before[f], &command->input.arena);
	vec_each(name, &loaded.items)
		if (strcmp(*name, interface) == 0)
			return true;
	return false;
}

static void report(struct live_command *command, const struct record *record)
{
	struct strbuf text = STRBUF_EMPTY;

	change_describe_name(&text, record);
	print_line("%s is undone", strbuf_str(&text));
	vec_each(name, &record->interfaces.items)
		print_line("%s: %s, as before", *name, holds_rules_for(command, record, *name) ? "up" : "down");
	strbuf_free(&text);
	if (fflush(stdout) != 0) {
		clearerr(stdout);
		print_error("cannot write to standard output; the change is undone");
	}
}

static int show_dry_run(struct live_command *command, const struct record *record)
{
	struct change change = {.interfaces = record->interfaces};
	struct strbuf text = STRBUF_EMPTY;

	for (int f = 0; f < FAMILY_COUNT; f++)
		change.want[f] = record->before[f];
	change_describe(&text, &command->live, &change);
	fputs(strbuf_str(&text), stdout);
	strbuf_free(&text);
	return EXIT_FINE;
}

/* While somebody watches over the change no other is made, and what others do to it meanwhile is to be undone, too. */
static bool is_outdated(struct live_command *command, const struct record *record)
{
	struct arena *arena = &command->input.arena;
	struct strbuf text = STRBUF_EMPTY;

	if (watcher_is_alive(&command->options, arena) || !record_is_outdated(record, command->live.rules, arena))
		return false;
	change_describe_name(&text, record);
	failure_set(&command->failure, FAILURE_CONFLICT, "peerwall's chains are not what %s has left: a later change could not be "
		    "recorded in %s, or somebody else has changed them", strbuf_str(&text), command->options.state_directory);
	failure_note(&command->failure, "undoing the earlier change would not undo that; `peerwall apply` or `peerwall down` leads to "
		     "what is wanted; nothing was changed");
	strbuf_free(&text);
	return true;
}

static int rollback(struct live_command *command, bool *ended)
{
	struct record record;
	sigset_t before;
	bool done;
	int code;

	if (command->operands.len > 0)
		return usage_error(command->subcommand, "it takes no names: it undoes the last change");
	/* First for the backend; what the lock keeps from changing is read again. */
	code = read_record(command, &record);
	if (code == EXIT_FINE && !command->options.backend) {
		command->wanted_backend = record.backend;
		command->options.backend = &command->wanted_backend;
	}
	if (code == EXIT_FINE)
		code = live_command_open(command, command->dry_run ? LIVE_PLAN : LIVE_LOAD);
	if (code == EXIT_FINE)
		code = read_record(command, &record);
	if (code != EXIT_FINE)
		return code;
	if (record.backend != command->live.backend) {
		failure_set(&command->failure, FAILURE_CONFLICT, "the last change was made in the backend %s",
			    backend_name(record.backend));
		return EXIT_CONFLICT;
	}
	if (is_outdated(command, &record))
		return EXIT_CONFLICT;
	if (command->dry_run) {
		live_unlock(&command->live);
		return show_dry_run(command, &record);
	}
	*ended = true;
	signals_hold(&before);
	done = rollback_run(&command->live, &record, "");
	live_unlock(&command->live);
	if (done)
		report(command, &record);
	code = live_command_end(command, failure_exit_code(&command->failure));
	signals_release(&before);
	return code;
}

static int run(int argc, char **argv)
{
	struct live_command command;
	bool ended = false;
	int code = live_command_begin(&command, &cmd_rollback, LIVE_OPTION_DRY_RUN, argc, argv);

	if (code == EXIT_FINE)
		code = rollback(&command, &ended);
	return ended ? code : live_command_end(&command, code);
}

const struct subcommand cmd_rollback = {"rollback", "undo the last change", help, run};
