#include "options.h"

#include <peerwall/diag.h>

#include <string.h>

/* What is left of a command line. */
struct arguments {
	const struct command_line *line;
	int argc;
	char **argv;
	int next;
	const char *bundle; /* the letters left over of "-abc" */
	bool only_operands; /* behind "--" */
};

/* In place of a flag's index. */
enum { ARGUMENT_END = -1, ARGUMENT_OPERAND = -2, ARGUMENT_ERROR = -3 };

static int unknown_name(const struct arguments *arguments, const char *name, size_t size)
{
	const char *names[64], *nearest;
	size_t count = 0;

	for (size_t i = 0; i < arguments->line->flag_count && count < sizeof names / sizeof *names; i++)
		if (arguments->line->flags[i].name)
			names[count++] = arguments->line->flags[i].name;
	nearest = nearest_word(name, size, names, count);
	if (nearest)
		usage_error(arguments->line->subcommand, "there is no option --%.*s; did you mean --%s?", (int)size, name, nearest);
	else
		usage_error(arguments->line->subcommand, "there is no option --%.*s", (int)size, name);
	return ARGUMENT_ERROR;
}

static int take_name(struct arguments *arguments, const char *text, const char **value)
{
	size_t size = strcspn(text, "=");

	for (size_t i = 0; i < arguments->line->flag_count; i++) {
		const struct flag *flag = &arguments->line->flags[i];

		if (!flag->name || strlen(flag->name) != size || strncmp(flag->name, text, size) != 0)
			continue;
		if (!flag->takes_value && text[size] == '=') {
			usage_error(arguments->line->subcommand, "--%s takes no value", flag->name);
			return ARGUMENT_ERROR;
		}
		if (flag->takes_value && text[size] == '=') {
			*value = text + size + 1;
		} else if (flag->takes_value && arguments->next == arguments->argc) {
			usage_error(arguments->line->subcommand, "--%s needs a value", flag->name);
			return ARGUMENT_ERROR;
		} else if (flag->takes_value) {
			*value = arguments->argv[arguments->next++];
		}
		return (int)i;
	}
	return unknown_name(arguments, text, size);
}

static int take_letter(struct arguments *arguments, const char **value)
{
	char letter = *arguments->bundle++;

	for (size_t i = 0; i < arguments->line->flag_count; i++) {
		const struct flag *flag = &arguments->line->flags[i];

		if (flag->letter != letter)
			continue;
		if (!flag->takes_value)
			return (int)i;
		if (*arguments->bundle) {
			*value = arguments->bundle;
		} else if (arguments->next == arguments->argc) {
			usage_error(arguments->line->subcommand, "-%c needs a value", letter);
			return ARGUMENT_ERROR;
		} else {
			*value = arguments->argv[arguments->next++];
		}
		arguments->bundle = NULL;
		return (int)i;
	}
	usage_error(arguments->line->subcommand, "there is no option -%c", letter);
	return ARGUMENT_ERROR;
}

/* The index of the next flag in the table, with its value, or one of the above. */
static int next_argument(struct arguments *arguments, const char **value)
{
	const char *text;

	*value = NULL;
	if (arguments->bundle && *arguments->bundle)
		return take_letter(arguments, value);
	arguments->bundle = NULL;
	if (arguments->next == arguments->argc)
		return ARGUMENT_END;
	text = arguments->argv[arguments->next++];
	if (arguments->only_operands || text[0] != '-' || text[1] == '\0') {
		*value = text;
		return ARGUMENT_OPERAND;
	}
	if (strcmp(text, "--") == 0) {
		arguments->only_operands = true;
		return next_argument(arguments, value);
	}
	if (text[1] == '-')
		return take_name(arguments, text + 2, value);
	arguments->bundle = text + 1;
	return take_letter(arguments, value);
}

int command_line_take(const struct command_line *line, void *command, int argc, char **argv)
{
	struct arguments arguments = {.line = line, .argc = argc, .argv = argv, .next = 1};
	const char *value;
	int found, code = EXIT_FINE;

	while (code == EXIT_FINE && (found = next_argument(&arguments, &value)) != ARGUMENT_END) {
		if (found == ARGUMENT_ERROR)
			return EXIT_USAGE;
		code = found == ARGUMENT_OPERAND ? line->take_operand(command, value) : line->take_flag(command, found, value);
	}
	return code;
}
