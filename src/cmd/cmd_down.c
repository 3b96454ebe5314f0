#include "live_command.h"

#include <peerwall/recorded_change.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: peerwall down [OPTION...] INTERFACE|POLICY...\n"
	"       peerwall down [OPTION...] --all\n"
	"\n"
	"Takes away what peerwall has loaded for the interfaces, IPv4 and IPv6, whole or half; other programs' rules\n"
	"stay as they are. It goes by what is loaded, so it works after a policy was changed or deleted. An\n"
	"argument with a / in it, or that ends in .pw, or that is a file, is a policy: its interfaces are meant.\n"
	"Taking away what is not up is no failure.\n"
	"\n"
	"options:\n"
	"  --all                everything that peerwall has loaded\n"
	"  --confirm SECONDS    undo it after that time, unless `peerwall confirm` or, at a terminal, the key y comes first;\n"
	"                       also if this process is killed or its session ends\n"
	"  --dry-run            show the commands and payloads, and run none of them\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status:\n"
	"  0  down\n"
	"  1  the policy is wrong or missing; nothing was changed\n"
	"  2  the command line is wrong\n"
	"  3  the live rules cannot be read, or are in both backends, or an earlier change waits to be confirmed;\n"
	"     nothing was changed\n"
	"  4  it failed and was undone: what was up is up\n"
	"  5  no rights, no tool, no lock; nothing was changed\n"
	"  6  it failed and could not be undone whole, or a chain stays that others' rules jump to; what is left was said\n"
	"  12 it was undone: nobody confirmed it in time, or the key n or a rollback came (at a terminal; elsewhere it does not\n"
	"     wait for that)\n"
	"\n"
	"examples:\n"
	"  peerwall down wg1\n"
	"  peerwall down 'wg+'                           (the pattern that a policy named)\n"
	"  PostDown = peerwall down %i                   (in wg-quick's configuration)\n";

/* "wg1, wg2" of the loaded interfaces that `name` has to do with; all of them if it is NULL. */
static void list_names(struct strbuf *out, const struct name_list *loaded, const char *name)
{
	vec_each(item, &loaded->items)
		if (!name || interface_names_overlap(*item, name))
			strbuf_addf(out, "%s%s", out->len ? ", " : "", *item);
}

/* A policy that is not there names nothing, but its file's name often is the interface's. */
static void suggest_names(struct live_command *command, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t size = strlen(base);
	struct name_list loaded = {0};
	struct strbuf names = STRBUF_EMPTY;

	if (size > 3 && strcmp(base + size - 3, ".pw") == 0)
		size -= 3;
	if (size > 0 && size <= INTERFACE_NAME_MAX)
		failure_note(&command->failure, "an interface goes down by its name: `peerwall down %.*s`", (int)size, base);
	live_command_loaded(command, &loaded);
	list_names(&names, &loaded, NULL);
	if (names.len)
		failure_note(&command->failure, "up are: %s", strbuf_str(&names));
	else if (command->live_is_open && command->live.own_lock.fd >= 0)
		failure_note(&command->failure, "nothing is up");
	strbuf_free(&names);
}

static bool is_interface_name(const char *argument)
{
	return *argument && strlen(argument) <= INTERFACE_NAME_MAX;
}

static int check_operands(const struct live_command *command)
{
	if (command->all == (command->operands.len > 0))
		return usage_error(command->subcommand, command->all ? "--all takes no names" : "what is to be taken down?");
	vec_each(operand, &command->operands)
		if (!names_policy(*operand) && !is_interface_name(*operand))
			return usage_error(command->subcommand, "'%s' is neither an interface's name (1 to %d bytes) nor a "
					   "policy", *operand, INTERFACE_NAME_MAX);
	return EXIT_FINE;
}

static int refuse_policy(struct live_command *command, const char *path)
{
	failure_set(&command->failure, FAILURE_SYSTEM, "%s does not say which interfaces are meant", path);
	suggest_names(command, path);
	return EXIT_POLICY;
}

/* Adds the interfaces that an argument means. */
static int collect_names(struct live_command *command, const char *argument, struct name_list *out)
{
	const struct policy *policy;

	if (!names_policy(argument)) {
		vec_push(&command->input.arena, &out->items, argument);
		return EXIT_FINE;
	}
	if (!input_policy(&command->input, argument))
		return refuse_policy(command, argument);
	policy = command->input.policies.data[command->input.policies.len - 1];
	vec_each(interface, &policy->interfaces)
		vec_each(name, &interface->names)
			vec_push(&command->input.arena, &out->items, name->text);
	return EXIT_FINE;
}

struct downing {
	struct change change;
	struct name_list loaded; /* before */
	struct name_list absent; /* asked for, and not up */
};

/* Parts the names. */
static void select_loaded(struct live_command *command, const struct name_list *names, struct downing *downing)
{
	struct name_list *out = &downing->change.interfaces;
	struct intern up, chosen;

	intern_init(&up, &command->input.arena);
	intern_init(&chosen, &command->input.arena);
	vec_each(name, &downing->loaded.items)
		intern_add(&up, *name, strlen(*name));
	vec_each(name, &names->items)
		if (intern_find(&up, *name, strlen(*name)) == INTERN_NONE)
			vec_push(&command->input.arena, &downing->absent.items, *name);
		else if (intern_add(&chosen, *name, strlen(*name)) == out->items.len)
			vec_push(&command->input.arena, &out->items, *name);
}

static void tell_absent(const struct live_command *command, const struct downing *downing)
{
	if (command->all && downing->loaded.items.len == 0)
		print_line("nothing is up: nothing to do");
	vec_each(name, &downing->absent.items) {
		struct strbuf others = STRBUF_EMPTY;

		list_names(&others, &downing->loaded, *name);
		if (others.len)
			print_line("%s is not up: nothing to do (up is: %s)", *name, strbuf_str(&others));
		else
			print_line("%s is not up: nothing to do", *name);
		strbuf_free(&others);
	}
}

static void report(struct live_command *command, const void *context)
{
	const struct downing *downing = context;

	tell_absent(command, downing);
	vec_each(name, &downing->change.interfaces.items)
		print_line("%s: down", *name);
}

static int show_dry_run(struct live_command *command, const struct downing *downing)
{
	struct strbuf text = STRBUF_EMPTY;

	live_unlock(&command->live);
	tell_absent(command, downing);
	change_describe(&text, &command->live, &downing->change);
	fputs(strbuf_str(&text), stdout);
	strbuf_free(&text);
	return EXIT_FINE;
}

static int down(struct live_command *command, bool *ended)
{
	struct downing downing = {.change = {.leave_held = true}};
	struct change *change = &downing.change;
	struct name_list names = {0};
	int code = check_operands(command);

	if (code == EXIT_FINE)
		code = live_command_open(command, command->dry_run ? LIVE_LOOK : LIVE_UNLOAD);
	if (code != EXIT_FINE)
		return code;
	if (!command->dry_run && !recorded_change_may_begin(&command->live))
		return failure_exit_code(&command->failure);
	vec_each(operand, &command->operands) {
		code = collect_names(command, *operand, &names);
		if (code != EXIT_FINE)
			return code;
	}
	live_command_loaded(command, &downing.loaded);
	if (command->all)
		change->interfaces = downing.loaded;
	else
		select_loaded(command, &names, &downing);
	for (int f = 0; f < FAMILY_COUNT; f++)
		ruleset_init(&change->want[f], (enum family)f, &command->input.arena);
	if (command->dry_run)
		return show_dry_run(command, &downing);
	*ended = true;
	return live_command_change(command, change, report, &downing);
}

static int run(int argc, char **argv)
{
	struct live_command command;
	bool ended = false;
	int code = live_command_begin(&command, &cmd_down, LIVE_OPTION_DRY_RUN | LIVE_OPTION_ALL | LIVE_OPTION_CONFIRM, argc,
				      argv);

	if (code == EXIT_FINE)
		code = down(&command, &ended);
	return ended ? code : live_command_end(&command, code);
}

const struct subcommand cmd_down = {"down", "take away what apply has loaded", help, run};
