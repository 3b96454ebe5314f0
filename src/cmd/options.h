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
	char letter;      /* 0 where there is only a name */
	bool takes_value;
};

struct arguments {
	const struct subcommand *subcommand;
	const struct flag *flags;
	size_t flag_count;
	int argc;
	char **argv;
	int next;
	const char *bundle;  /* the letters left over of "-abc" */
	bool only_operands;  /* behind "--" */
};

enum { ARGUMENT_END = -1, ARGUMENT_OPERAND = -2, ARGUMENT_ERROR = -3 };

void arguments_init(struct arguments *arguments, const struct subcommand *subcommand, const struct flag *flags,
		    size_t flag_count, int argc, char **argv);

/* The index of the next flag in the table, with its value, or one of the above. */
int arguments_next(struct arguments *arguments, const char **value);

#endif
