#include "cmd.h"
#include "input.h"
#include "options.h"
#include "output.h"

#include <peerwall/emit.h>
#include <peerwall/lower.h>
#include <peerwall/payload.h>

#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: peerwall compile [OPTION...] POLICY\n"
	"\n"
	"Writes the payloads for iptables-restore --noflush and ip6tables-restore --noflush that put a policy\n"
	"in force (up), change it while it is in force (reload) and take it away (down), and for hosts without\n"
	"peerwall a shell script that does the same. Needs no rights.\n"
	"\n"
	"  -o, --output DIR       write to DIR: INTERFACE.up.v4, .reload.v4, .down.v4, the same with .v6, and\n"
	"                         INTERFACE.sh; all of them or none. Without it, to standard output\n"
	"      --only KIND        up, reload, down or script, in place of all of them\n"
	"      --family FAMILY    ipv4 or ipv6, in place of both\n"
	"      --interface NAME   of this interface alone\n"
	"      --snapshot FILE    check the policy against iptables-save or ip6tables-save output; may be repeated\n"
	"      --snapshot4 FILE, --snapshot6 FILE   the same, where FILE does not show its family\n"
	"  -D NAME=VALUE          set the parameter $NAME of the policy\n"
	"      --color WHEN       auto, always or never\n"
	"\n"
	"exit codes: 0 fine, 1 the policy is wrong, 2 usage, 3 the snapshot is wrong or stands against it,\n"
	"5 the system failed\n"
	"\n"
	"examples:\n"
	"  peerwall compile wg1.pw\n"
	"  peerwall compile -o rules -D iface=wg1 --snapshot host.v4 --snapshot host.v6 wg.pw\n"
	"  peerwall compile --only up --family ipv4 wg1.pw | iptables-restore --noflush\n";

enum { KIND_ALL = -1, KIND_SCRIPT = PAYLOAD_KIND_COUNT };

struct compile_options {
	struct input *input;
	const char *policy;
	const char *directory;
	const char *interface;
	int kind;
	int family; /* enum family, or -1 for both */
};

/* ---- the command line ---- */

static bool find_kind(const char *name, int *kind)
{
	for (int i = 0; i < PAYLOAD_KIND_COUNT; i++)
		if (strcmp(payload_names[i], name) == 0) {
			*kind = i;
			return true;
		}
	*kind = KIND_SCRIPT;
	return strcmp(name, "script") == 0;
}

static bool find_family(const char *name, int *family)
{
	*family = strcmp(name, "ipv4") == 0 ? FAMILY_IPV4 : FAMILY_IPV6;
	return strcmp(name, "ipv4") == 0 || strcmp(name, "ipv6") == 0;
}

enum { FLAG_OUTPUT, FLAG_ONLY, FLAG_FAMILY, FLAG_INTERFACE, FLAG_COUNT };

static const struct flag flags[] = {
	[FLAG_OUTPUT] = {"output", 'o', true}, [FLAG_ONLY] = {"only", 0, true},
	[FLAG_FAMILY] = {"family", 0, true},   [FLAG_INTERFACE] = {"interface", 0, true},
	INPUT_FLAGS(FLAG_COUNT),
};

static int take_flag(void *command, int flag, const char *value)
{
	struct compile_options *options = command;

	switch (flag) {
	case FLAG_OUTPUT:
		options->directory = value;
		return EXIT_FINE;
	case FLAG_ONLY:
		if (!find_kind(value, &options->kind))
			return usage_error(&cmd_compile, "--only takes up, reload, down or script, not '%s'", value);
		return EXIT_FINE;
	case FLAG_FAMILY:
		if (!find_family(value, &options->family))
			return usage_error(&cmd_compile, "--family takes ipv4 or ipv6, not '%s'", value);
		return EXIT_FINE;
	case FLAG_INTERFACE:
		options->interface = value;
		return EXIT_FINE;
	default:
		return input_take_flag(options->input, flag - FLAG_COUNT, value);
	}
}

static int take_policy(void *command, const char *path)
{
	struct compile_options *options = command;

	if (options->policy)
		return usage_error(&cmd_compile, "one policy at a time: '%s' and '%s'", options->policy, path);
	options->policy = path;
	return input_claim(options->input, path);
}

static int take_arguments(struct compile_options *options, int argc, char **argv)
{
	static const struct command_line line = {&cmd_compile, flags, sizeof flags / sizeof *flags, take_flag, take_policy};
	int status = command_line_take(&line, options, argc, argv);

	if (status == EXIT_FINE && !options->policy)
		return usage_error(&cmd_compile, "there is no policy to compile");
	return status;
}

/* ---- checking ---- */

static bool check(struct input *input, struct check_input *checked)
{
	struct check_settings settings;

	vec_each(policy, &input->policies)
		vec_push(&input->arena, &checked->policies, *policy);
	check_settings_init(&settings);
	/* Whether tests hold is lint's to say. */
	check_settings_switch(&settings, "no-tests-not-run");
	return checks_run(checked, &settings, &input->diags);
}

/* ---- writing ---- */

static void write_payload(struct strbuf *out, const struct unit *unit, enum family family, enum payload_kind kind,
			  struct arena *arena)
{
	struct plan plan;

	payload_make(&plan, unit, family, kind, arena);
	emit_plan(out, &plan);
}

static bool wants_kind(const struct compile_options *options, int kind)
{
	return options->kind == KIND_ALL || options->kind == kind;
}

static bool wants_family(const struct compile_options *options, int family)
{
	return options->family < 0 || options->family == family;
}

static bool wants_unit(const struct compile_options *options, const struct unit *unit)
{
	return !options->interface || strcmp(options->interface, unit->interface) == 0;
}

/* Payloads by name; a name that is already there means that two interfaces would write one file, which cannot be. */
static void write_unit(struct output *output, const struct compile_options *options, const struct unit *unit,
		       struct arena *arena)
{
	for (int kind = 0; kind < PAYLOAD_KIND_COUNT; kind++)
		for (int family = 0; family < FAMILY_COUNT; family++)
			if (wants_kind(options, kind) && wants_family(options, family)) {
				const char *name = arena_printf(arena, "%s.%s.%s", unit->interface, payload_names[kind],
								family == FAMILY_IPV4 ? "v4" : "v6");

				write_payload(output_add(output, name, 0644), unit, (enum family)family,
					      (enum payload_kind)kind, arena);
			}
	if (wants_kind(options, KIND_SCRIPT))
		payload_script(output_add(output, arena_printf(arena, "%s.sh", unit->interface), 0755), unit, arena);
}

/* A comment line tells the parts apart, where there are several. */
static void print_files(const struct output *output)
{
	vec_each(file, &output->files) {
		if (output->files.len > 1)
			printf("%s# ---- %s ----\n", file == output->files.data ? "" : "\n", file->name);
		fwrite(strbuf_str(&file->content), 1, file->content.len, stdout);
	}
}

static int write_units(const struct compile_options *options, const struct unit_list *units, struct arena *arena)
{
	struct output output = {.arena = arena};
	int status = EXIT_FINE;

	vec_each(unit, &units->items)
		if (wants_unit(options, unit))
			write_unit(&output, options, unit, arena);
	if (output.files.len == 0 && options->interface) {
		print_error("the policy has no interface %s", options->interface);
		status = EXIT_POLICY;
	} else if (options->directory) {
		const char *failed;
		int error = output_write(&output, options->directory, &failed);

		if (error) {
			print_error("cannot write %s: %s; nothing was written", failed, strerror(-error));
			status = EXIT_SYSTEM;
		}
	} else {
		print_files(&output);
	}
	output_free(&output);
	return status;
}

static int compile(const struct compile_options *options, struct input *input)
{
	struct check_input checked = {.sources = &input->sources};
	struct unit_list units;
	bool right;

	input_read_snapshots(input);
	if (input_use_snapshots(input, &checked) != EXIT_FINE)
		return EXIT_USAGE;
	right = input_policy(input, options->policy) & check(input, &checked);
	input_print_diags(input);
	if (!right || input->diags.errors)
		return checks_only_conflicts(&input->diags) ? EXIT_CONFLICT : EXIT_POLICY;
	lower_policy(&units, input->policies.data[0], &input->arena);
	return write_units(options, &units, &input->arena);
}

static int run(int argc, char **argv)
{
	struct input input;
	struct compile_options options = {.input = &input, .kind = KIND_ALL, .family = -1};
	int status;

	input_init(&input, &cmd_compile);
	status = take_arguments(&options, argc, argv);
	if (status == EXIT_FINE)
		status = compile(&options, &input);
	input_free(&input);
	return status;
}

const struct subcommand cmd_compile = {
	.name = "compile",
	.summary = "write the payloads that put a policy in force, reload it, take it away",
	.help = help,
	.run = run,
};
