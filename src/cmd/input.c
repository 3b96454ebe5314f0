#include "input.h"

#include <peerwall/resolve.h>
#include <peerwall/strbuf.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void input_init(struct input *input, const struct subcommand *subcommand)
{
	*input = (struct input){.subcommand = subcommand, .arena = ARENA_EMPTY};
	sources_init(&input->sources, &input->arena);
	diags_init(&input->diags, &input->arena);
	input->diags.limit = INPUT_ERRORS_MAX;
	host_init(&input->host, &input->arena);
}

void input_free(struct input *input)
{
	arena_free(&input->arena);
}

bool input_set_colour(struct input *input, const char *text)
{
	static const char *const names[] = {"auto", "always", "never"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], text) == 0) {
			input->colour = (enum colour)i;
			return true;
		}
	return false;
}

bool input_add_parameter(struct input *input, const char *argument)
{
	struct parameter parameter;

	if (!parameter_from_argument(&input->arena, argument, &parameter))
		return false;
	vec_push(&input->arena, &input->parameters.items, parameter);
	return true;
}

int input_claim(struct input *input, const char *path)
{
	if (strcmp(path, "-") != 0)
		return EXIT_FINE;
	if (input->standard_input)
		return usage_error(input->subcommand, "standard input can be only one of the files");
	input->standard_input = true;
	return EXIT_FINE;
}

static int note_snapshot(struct input *input, const char *path, enum snapshot_family family)
{
	if (input_claim(input, path) != EXIT_FINE)
		return EXIT_USAGE;
	vec_push(&input->arena, &input->snapshot_arguments, (struct snapshot_argument){path, family});
	return EXIT_FINE;
}

int input_take_flag(struct input *input, int flag, const char *value)
{
	switch (flag) {
	case INPUT_FLAG_SNAPSHOT:
		return note_snapshot(input, value, SNAPSHOT_FAMILY_UNKNOWN);
	case INPUT_FLAG_SNAPSHOT4:
		return note_snapshot(input, value, SNAPSHOT_FAMILY_IPV4);
	case INPUT_FLAG_SNAPSHOT6:
		return note_snapshot(input, value, SNAPSHOT_FAMILY_IPV6);
	case INPUT_FLAG_PARAMETER:
		if (!input_add_parameter(input, value))
			return usage_error(input->subcommand, "-D takes NAME=VALUE, not '%s'", value);
		return EXIT_FINE;
	case INPUT_FLAG_COLOUR:
		if (!input_set_colour(input, value))
			return usage_error(input->subcommand, "--color takes auto, always or never, not '%s'", value);
		return EXIT_FINE;
	}
	return EXIT_USAGE;
}

bool input_policy(struct input *input, const char *path)
{
	struct policy *policy = arena_zalloc(&input->arena, sizeof *policy);
	bool right = policy_load(policy, &input->sources, path, &input->parameters, &input->arena, &input->diags);

	vec_push(&input->arena, &input->policies, policy);
	return right;
}

/* In the words of the option that settles it. */
static bool find_family(struct input *input, const struct source *source, enum snapshot_family *family)
{
	struct span start = {source->start, source->start};
	struct diag *diag;

	if (*family == SNAPSHOT_FAMILY_UNKNOWN)
		*family = snapshot_guess_family(source);
	if (*family != SNAPSHOT_FAMILY_UNKNOWN)
		return true;
	diag = diag_add(&input->diags, CODE_SNAPSHOT_FAMILY, start,
			"nothing in this snapshot tells whether it is IPv4 or IPv6");
	diag_label(&input->diags, diag, SPAN_NONE, "--snapshot4 FILE and --snapshot6 FILE say which it is");
	return false;
}

bool input_snapshot(struct input *input, const char *path, enum snapshot_family family)
{
	struct input_snapshot snapshot = {0};
	struct source *source;
	int error = sources_load(&input->sources, path, SNAPSHOT_SIZE_MAX, &source);

	if (error) {
		diag_add(&input->diags, CODE_SNAPSHOT_UNREADABLE, SPAN_NONE, "cannot read the snapshot %s: %s",
			 diag_quote(&input->diags, path, strlen(path)),
			 error == -EFBIG ? "it is larger than a snapshot may be (1 GiB)" : strerror(-error));
		return false;
	}
	snapshot.source = source;
	snapshot.ruleset = arena_zalloc(&input->arena, sizeof *snapshot.ruleset);
	if (!find_family(input, source, &family))
		return false;
	snapshot.trusted = snapshot_read(snapshot.ruleset,
					 family == SNAPSHOT_FAMILY_IPV4 ? FAMILY_IPV4 : FAMILY_IPV6, source,
					 &input->arena, &input->diags);
	vec_push(&input->arena, &input->snapshots, snapshot);
	return snapshot.trusted;
}

void input_read_snapshots(struct input *input)
{
	vec_each(argument, &input->snapshot_arguments)
		input_snapshot(input, argument->path, argument->family);
}

bool input_host(struct input *input, const char *path)
{
	struct source *source;
	int error = sources_load(&input->sources, path, HOST_SIZE_MAX, &source);

	if (!error)
		return host_read(&input->host, source, &input->diags);
	diag_add(&input->diags, CODE_FILE_UNREADABLE, SPAN_NONE, "cannot read %s: %s",
		 diag_quote(&input->diags, path, strlen(path)), strerror(-error));
	return false;
}

/* One dump of each family and backend: more than that cannot be one host's. */
int input_use_snapshots(struct input *input, struct check_input *checked)
{
	vec_each(snapshot, &input->snapshots) {
		struct check_snapshot added = {snapshot->ruleset, snapshot->source,
					       check_guess_backend(snapshot->source), false};

		vec_each(other, &checked->snapshots)
			if (other->ruleset->family == added.ruleset->family && other->backend == added.backend)
				return usage_error(input->subcommand, "%s and %s are both %s snapshots",
						   other->source->name, added.source->name,
						   family_name(added.ruleset->family));
		if (snapshot->trusted)
			vec_push(&input->arena, &checked->snapshots, added);
	}
	return EXIT_FINE;
}

bool input_colour(const struct input *input, FILE *stream)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	if (input->colour != COLOUR_AUTO)
		return input->colour == COLOUR_ALWAYS;
	return !(no_colour && *no_colour) && !(term && strcmp(term, "dumb") == 0) && isatty(fileno(stream));
}

void input_print_diags(struct input *input)
{
	struct strbuf text = STRBUF_EMPTY;
	struct diag_style style = {.colour = input_colour(input, stderr)};

	diags_sort(&input->diags);
	diags_render(&text, &input->diags, &input->sources, style);
	fputs(strbuf_str(&text), stderr);
	strbuf_free(&text);
}
