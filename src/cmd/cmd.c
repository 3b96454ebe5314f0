#include "cmd.h"

#include <stdarg.h>
#include <stdio.h>

static void print_error_args(const char *format, va_list args)
{
	fputs("peerwall: error: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void print_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error_args(format, args);
	va_end(args);
}

int usage_error(const struct subcommand *subcommand, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error_args(format, args);
	va_end(args);
	fprintf(stderr, "`peerwall %s --help` shows how it is used\n", subcommand->name);
	return EXIT_USAGE;
}
