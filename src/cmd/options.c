#include "options.h"

#include <peerwall/diag.h>

#include <string.h>

void arguments_init(struct arguments *arguments, const struct subcommand *subcommand, const struct flag *flags,
		    size_t flag_count, int argc, char **argv)
{
	*arguments = (struct arguments){
		.subcommand = subcommand, .flags = flags, .flag_count = flag_count, .argc = argc, .argv = argv, .next = 1,
	};
}

static int unknown_name(const struct arguments *arguments, const char *name, size_t size)
{
	const char *names[64], *nearest;
	size_t count = 0;

	for (size_t i = 0; i < arguments->flag_count && count < sizeof names / sizeof *names; i++)
		if (arguments->flags[i].name)
			names[count++] = arguments->flags[i].name;
	nearest = nearest_word(name, size, names, count);
	if (nearest)
		usage_error(arguments->subcommand, "there is no option --%.*s; did you mean --%s?", (int)size, name, nearest);
	else
		usage_error(arguments->subcommand, "there is no option --%.*s", (int)size, name);
	return ARGUMENT_ERROR;
}

static int take_name(struct arguments *arguments, const char *text, const char **value)
{
	size_t size = strcspn(text, "=");

	for (size_t i = 0; i < arguments->flag_count; i++) {
		const struct flag *flag = &arguments->flags[i];

		if (!flag->name || strlen(flag->name) != size || strncmp(flag->name, text, size) != 0)
			continue;
		if (!flag->takes_value && text[size] == '=') {
			usage_error(arguments->subcommand, "--%s takes no value", flag->name);
			return ARGUMENT_ERROR;
		}
		if (flag->takes_value && text[size] == '=') {
			*value = text + size + 1;
		} else if (flag->takes_value && arguments->next == arguments->argc) {
			usage_error(arguments->subcommand, "--%s needs a value", flag->name);
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

	for (size_t i = 0; i < arguments->flag_count; i++) {
		const struct flag *flag = &arguments->flags[i];

		if (flag->letter != letter)
			continue;
		if (!flag->takes_value)
			return (int)i;
		if (*arguments->bundle) {
			*value = arguments->bundle;
		} else if (arguments->next == arguments->argc) {
			usage_error(arguments->subcommand, "-%c needs a value", letter);
			return ARGUMENT_ERROR;
		} else {
			*value = arguments->argv[arguments->next++];
		}
		arguments->bundle = NULL;
		return (int)i;
	}
	usage_error(arguments->subcommand, "there is no option -%c", letter);
	return ARGUMENT_ERROR;
}

int arguments_next(struct arguments *arguments, const char **value)
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
		return arguments_next(arguments, value);
	}
	if (text[1] == '-')
		return take_name(arguments, text + 2, value);
	arguments->bundle = text + 1;
	return take_letter(arguments, value);
}
