#include "cmd.h"
#include "input.h"
#include "options.h"
#include "output.h"

#include <peerwall/ast.h>
#include <peerwall/parse_policy.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
	"usage: peerwall fmt [OPTION...] POLICY...\n"
	"\n"
	"Prints policies in their canonical form: one layout, comments kept. Parameters stay as they are, and\n"
	"included files are not read. \"-\" is standard input.\n"
	"\n"
	"  -w, --write         change the files instead of printing them\n"
	"      --check         change and print nothing but the names of the files that would be changed\n"
	"      --color WHEN    auto, always or never\n"
	"\n"
	"exit codes: 0 fine; 1 a policy is wrong, or with --check has another form; 2 usage; 5 a file could\n"
	"not be written\n"
	"\n"
	"examples:\n"
	"  peerwall fmt wg1.pw\n"
	"  peerwall fmt -w /etc/peerwall/*.pw\n"
	"  peerwall fmt --check *.pw\n";

struct fmt_options {
	struct input *input;
	bool write;
	bool check;
	VEC(const char *) policies;
};

enum { FLAG_WRITE, FLAG_CHECK, FLAG_COLOR };

static const struct flag flags[] = {
	[FLAG_WRITE] = {"write", 'w', false},
	[FLAG_CHECK] = {"check", 0, false},
	[FLAG_COLOR] = {"color", 0, true},
};

static int take_flag(void *command, int flag, const char *value)
{
	struct fmt_options *options = command;

	switch (flag) {
	case FLAG_WRITE:
		options->write = true;
		return EXIT_FINE;
	case FLAG_CHECK:
		options->check = true;
		return EXIT_FINE;
	case FLAG_COLOR:
		return input_take_flag(options->input, INPUT_FLAG_COLOUR, value);
	}
	return EXIT_USAGE;
}

static int take_policy(void *command, const char *path)
{
	struct fmt_options *options = command;

	vec_push(&options->input->arena, &options->policies, path);
	return input_claim(options->input, path);
}

static int take_arguments(struct fmt_options *options, int argc, char **argv)
{
	static const struct command_line line = {&cmd_fmt, flags, sizeof flags / sizeof *flags, take_flag, take_policy};
	int status = command_line_take(&line, options, argc, argv);

	if (status != EXIT_FINE)
		return status;
	if (!options->policies.len)
		return usage_error(&cmd_fmt, "there is no policy to format");
	if (options->write && options->check)
		return usage_error(&cmd_fmt, "-w changes files and --check does not: choose one");
	if (options->write && options->input->standard_input)
		return usage_error(&cmd_fmt, "-w cannot change standard input");
	return EXIT_FINE;
}

/* Replaces the file in one step, keeping its permissions. */
static int replace_file(struct input *input, const char *path, const struct strbuf *text)
{
	struct output output = {.arena = &input->arena};
	char *real = realpath(path, NULL);
	const char *failed = path;
	struct stat status;
	char *slash;
	int error;

	if (!real || stat(real, &status) < 0) {
		error = -errno;
	} else {
		slash = strrchr(real, '/');
		*slash = '\0';
		strbuf_add(output_add(&output, slash + 1, status.st_mode & 0777), strbuf_str(text), text->len);
		umask(0); /* its permissions are the old file's */
		error = output_write(&output, slash == real ? "/" : real, &failed);
		output_free(&output);
	}
	free(real);
	if (error == 0)
		return EXIT_FINE;
	print_error("cannot write %s: %s", path, strerror(-error));
	return EXIT_SYSTEM;
}

static int deliver(const struct fmt_options *options, struct input *input, const char *path, const struct source *source,
		   const struct strbuf *text)
{
	bool same = text->len == source->size && (text->len == 0 || memcmp(text->data, source->text, text->len) == 0);

	if (options->check) {
		if (!same)
			puts(source->name);
		return same ? EXIT_FINE : EXIT_POLICY;
	}
	if (options->write)
		return same ? EXIT_FINE : replace_file(input, path, text);
	fwrite(strbuf_str(text), 1, text->len, stdout);
	return EXIT_FINE;
}

static int format(const struct fmt_options *options, struct input *input, const char *path)
{
	struct strbuf text = STRBUF_EMPTY;
	struct source *source;
	struct ast ast;
	int status = sources_load(&input->sources, path, POLICY_SIZE_MAX, &source);

	if (status < 0) {
		diag_add(&input->diags, CODE_FILE_UNREADABLE, SPAN_NONE, "cannot read %s: %s",
			 diag_quote(&input->diags, path, strlen(path)),
			 status == -EFBIG ? "it is larger than a policy may be (16 MiB)" : strerror(-status));
		return EXIT_POLICY;
	}
	if (!parse_policy_alone(&ast, &input->sources, source, &input->arena, &input->diags))
		return EXIT_POLICY;
	ast_format(&text, &ast);
	status = deliver(options, input, path, source, &text);
	strbuf_free(&text);
	return status;
}

static int run(int argc, char **argv)
{
	struct input input;
	struct fmt_options options = {.input = &input};
	int status, worst = EXIT_FINE;

	input_init(&input, &cmd_fmt);
	status = take_arguments(&options, argc, argv);
	if (status != EXIT_FINE) {
		input_free(&input);
		return status;
	}
	vec_each(path, &options.policies) {
		status = format(&options, &input, *path);
		if (status > worst)
			worst = status;
	}
	input_print_diags(&input);
	input_free(&input);
	return worst;
}

const struct subcommand cmd_fmt = {
	.name = "fmt",
	.summary = "print policies in their canonical form",
	.help = help,
	.run = run,
};
