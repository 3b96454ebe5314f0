/*
 * options.h - a subcommand's command line, by a table of its flags.
 *
 * Understands --name, --name=value, --name value, -x, -xvalue, -x value, bundles of letters without values, `--`, and
 * flags behind operands; "-" alone is an operand. Errors are worded here, with the nearest flag there is.
 */
#ifndef PEERWALL_OPTIONS_H
#define PEERWALL_OPTIONS_H

#include "cmd.h"

#include <stdbool.h>
#include <stddef.h>

struct flag {
	const char *name; /* without the dashes; NULL where there is only a letter */
	char letter;      /* 0 where there is only a name; neither: nobody can give it */
	bool takes_value;
};

/* What a command takes, and what it does with each. */
struct command_line {
	const struct subcommand *subcommand;
	const struct flag *flags;
	size_t flag_count;
	/* `flag` is its index in the table. Both return EXIT_FINE to go on. */
	int (*take_flag)(void *command, int flag, const char *value);
	int (*take_operand)(void *command, const char *value);
};

/* Hands over one after the other. EXIT_FINE, or EXIT_USAGE, or what a taker returned. */
int command_line_take(const struct command_line *line, void *command, int argc, char **argv);

#endif
