#include "cmd.h"
#include "input.h"
#include "options.h"
#include "prove.h"

#include <peerwall/checks.h>
#include <peerwall/installed.h>
#include <peerwall/report.h>

#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: peerwall lint [OPTION...] POLICY... [--snapshot FILE]...\n"
	"       peerwall lint --installed [OPTION...] [POLICY...] --snapshot FILE...\n"
	"\n"
	"Looks for what is wrong or likely not meant in policies, alone and beside the rules of a host, which\n"
	"iptables-save and ip6tables-save have written to files. With these it also proves that, once applied, exactly\n"
	"what is declared gets in, and that the tests hold; or shows the packet that does otherwise. Several policies\n"
	"are checked as if they were applied side by side. Needs no rights. \"-\" is standard input.\n"
	"\n"
	"      --snapshot FILE    iptables-save or ip6tables-save output; may be repeated\n"
	"      --snapshot4 FILE, --snapshot6 FILE   the same, where FILE does not show its family\n"
	"      --host FILE        what `ip -j addr`, `ip -j route show table all` and `ip -j rule` print; may be repeated. The\n"
	"                         proof is for that host then, and else for hosts with any addresses and routes\n"
	"      --installed        look at the rules as they are: those that nothing ever hits, those that could be left out,\n"
	"                         and what gets in by each interface. A policy is held against them as they are, not as they\n"
	"                         would be with it applied\n"
	"      --format FORMAT    text, json (docs/json.md) or sarif (SARIF 2.1.0)\n"
	"  -W NAME, -W no-NAME    switch a check on or off, by its name or number; all and no-all are all of them\n"
	"      --error NAME       what this check finds is an error; all: every warning is one\n"
	"      --list-checks      print the checks, and whether they are on\n"
	"      --prove            prove without a snapshot, too, as on a host that has no other rules; whatever\n"
	"                         could not be proved is an error\n"
	"  -D NAME=VALUE          set the parameter $NAME of the policies\n"
	"  -q, --quiet            text: errors only\n"
	"      --color WHEN       auto, always or never\n"
	"\n"
	"A comment in a policy switches a check off for its line and the next: # peerwall: allow NAME\n"
	"\n"
	"exit codes: 0 fine, perhaps with warnings; 1 the policy is wrong, or a check that counts as an error\n"
	"found something; 2 usage; 3 the snapshot is wrong or stands against it, or two policies claim one interface\n"
	"\n"
	"examples:\n"
	"  peerwall lint wg1.pw\n"
	"  iptables-save >host.v4; ip6tables-save >host.v6\n"
	"  peerwall lint wg1.pw --snapshot4 host.v4 --snapshot6 host.v6\n"
	"  peerwall lint --installed --snapshot host.v4\n"
	"  peerwall lint --error all --format sarif *.pw >peerwall.sarif\n";

struct lint_options {
	struct input *input;
	struct check_settings settings;
	enum report_format format;
	bool list;
	bool installed;
	bool quiet;
	VEC(const char *) policies;
	VEC(const char *) hosts;
};

/* ---- the command line ---- */

enum { FLAG_HOST, FLAG_INSTALLED, FLAG_FORMAT, FLAG_SWITCH, FLAG_ERROR, FLAG_LIST, FLAG_PROVE, FLAG_QUIET, FLAG_COUNT };

static const struct flag flags[] = {
	[FLAG_HOST] = {"host", 0, true},         [FLAG_INSTALLED] = {"installed", 0, false},
	[FLAG_FORMAT] = {"format", 0, true},     [FLAG_SWITCH] = {NULL, 'W', true},
	[FLAG_ERROR] = {"error", 0, true},       [FLAG_LIST] = {"list-checks", 0, false},
	[FLAG_PROVE] = {"prove", 0, false},      [FLAG_QUIET] = {"quiet", 'q', false},
	INPUT_FLAGS(FLAG_COUNT),
};

static int explain_setting(enum check_setting outcome, const char *option, const char *value)
{
	const char *nearest;

	switch (outcome) {
	case CHECK_SETTING_OK:
		return EXIT_FINE;
	case CHECK_SETTING_FIXED:
		return usage_error(&cmd_lint, "%s %s: this is always an error", option, value);
	case CHECK_SETTING_UNKNOWN:
		break;
	}
	nearest = check_settings_nearest(value);
	if (nearest)
		return usage_error(&cmd_lint, "%s %s: there is no such check; did you mean %s?", option, value, nearest);
	return usage_error(&cmd_lint, "%s %s: there is no such check; --list-checks shows them", option, value);
}

static int take_flag(void *command, int flag, const char *value)
{
	struct lint_options *options = command;
	struct input *input = options->input;

	switch (flag) {
	case FLAG_HOST:
		vec_push(&input->arena, &options->hosts, value);
		return input_claim(input, value);
	case FLAG_INSTALLED:
		options->installed = true;
		return EXIT_FINE;
	case FLAG_FORMAT:
		if (!report_format_find(value, &options->format))
			return usage_error(&cmd_lint, "--format takes text, json or sarif, not '%s'", value);
		return EXIT_FINE;
	case FLAG_SWITCH:
		return explain_setting(check_settings_switch(&options->settings, value), "-W", value);
	case FLAG_ERROR:
		return explain_setting(check_settings_error(&options->settings, value), "--error", value);
	case FLAG_LIST:
		options->list = true;
		return EXIT_FINE;
	case FLAG_PROVE:
		options->settings.prove = true;
		return EXIT_FINE;
	case FLAG_QUIET:
		options->quiet = true;
		return EXIT_FINE;
	default:
		return input_take_flag(input, flag - FLAG_COUNT, value);
	}
}

static int take_policy(void *command, const char *path)
{
	struct lint_options *options = command;

	vec_push(&options->input->arena, &options->policies, path);
	return input_claim(options->input, path);
}

static int take_arguments(struct lint_options *options, int argc, char **argv)
{
	static const struct command_line line = {&cmd_lint, flags, sizeof flags / sizeof *flags, take_flag, take_policy};
	int status = command_line_take(&line, options, argc, argv);

	if (status != EXIT_FINE || options->list)
		return status;
	if (options->installed && !options->input->snapshot_arguments.len)
		return usage_error(&cmd_lint, "--installed looks at the rules of a --snapshot, and there is none");
	if (!options->installed && !options->policies.len)
		return usage_error(&cmd_lint, "there is no policy to check; --installed looks at a snapshot alone");
	return EXIT_FINE;
}

/* ---- the list of checks ---- */

static int list_checks(const struct check_settings *settings)
{
	size_t count;
	const struct check *checks = checks_table(&count);

	for (size_t i = 0; i < count; i++) {
		const struct diag_code_info *info = diag_code_info(checks[i].code);
		enum severity severity = settings->severity[checks[i].code];

		if (severity == SEVERITY_WARNING && settings->errors)
			severity = SEVERITY_ERROR;
		printf("%s  %-23s  %-7s  %-8s  %s\n", info->number, info->name, severity_name(severity),
		       checks[i].need == CHECK_NEEDS_SNAPSHOT ? "snapshot" : "policy", info->summary);
	}
	return EXIT_FINE;
}

/* ---- the run ---- */

static int exit_code(const struct diags *diags)
{
	if (!diags->errors)
		return EXIT_FINE;
	return checks_only_conflicts(diags) ? EXIT_CONFLICT : EXIT_POLICY;
}

/* Where routes are not known, rules may tell where their networks are. */
static void judge_installed(const struct check_input *checked, const struct host *host, struct diags *diags)
{
	size_t limit = diags->limit;

	/* The limit is there for what broken files say over and over. */
	diags->limit = 0;
	vec_each(snapshot, &checked->snapshots) {
		struct host known = *host;
		struct installed_exposure exposure = {snapshot->ruleset, &known, snapshot->backend != CHECK_BACKEND_LEGACY};

		host_infer(&known, snapshot->ruleset);
		installed_check_rules(snapshot->ruleset, diags);
		installed_tell_exposure(&exposure, diags);
	}
	diags->limit = limit;
}

static int lint(const struct lint_options *options, struct input *input)
{
	struct suppressed_list suppressed = {0};
	struct check_input checked = {.sources = &input->sources, .suppressed = &suppressed, .installed = options->installed};
	struct report report = {
		.diags = &input->diags,
		.sources = &input->sources,
		.suppressed = &suppressed,
		.version = PEERWALL_VERSION,
		.quiet = options->quiet,
		.style = {.colour = input_colour(input, stdout)},
	};
	struct strbuf text = STRBUF_EMPTY;

	vec_each(path, &options->policies)
		input_policy(input, *path);
	input_read_snapshots(input);
	vec_each(path, &options->hosts)
		input_host(input, *path);
	vec_each(policy, &input->policies)
		vec_push(&input->arena, &checked.policies, *policy);
	if (input_use_snapshots(input, &checked) != EXIT_FINE)
		return EXIT_USAGE;
	prove(&checked, &input->host, options->settings.prove, &input->arena, &input->diags);
	if (options->installed)
		judge_installed(&checked, &input->host, &input->diags);
	checks_run(&checked, &options->settings, &input->diags);
	report.exit_code = exit_code(&input->diags);
	report_write(&text, &report, options->format);
	fwrite(strbuf_str(&text), 1, text.len, stdout);
	strbuf_free(&text);
	return report.exit_code;
}

static int run(int argc, char **argv)
{
	struct input input;
	struct lint_options options = {.input = &input, .format = REPORT_TEXT};
	int status;

	check_settings_init(&options.settings);
	input_init(&input, &cmd_lint);
	status = take_arguments(&options, argc, argv);
	if (status == EXIT_FINE)
		status = options.list ? list_checks(&options.settings) : lint(&options, &input);
	input_free(&input);
	return status;
}

const struct subcommand cmd_lint = {
	.name = "lint",
	.summary = "check policies, alone and beside a host's rules",
	.help = help,
	.run = run,
};
