#include "cmd.h"

#include <peerwall/diag.h>
#include <peerwall/strbuf.h>

#include <stdarg.h>
#include <stdio.h>

static void print_clean_args(FILE *stream, const char *format, va_list args)
{
	struct strbuf text = STRBUF_EMPTY, clean = STRBUF_EMPTY;

	strbuf_vaddf(&text, format, args);
	diag_clean(&clean, strbuf_str(&text), text.len);
	fprintf(stream, "%s\n", strbuf_str(&clean));
	strbuf_free(&text);
	strbuf_free(&clean);
}

void print_clean(FILE *stream, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_clean_args(stream, format, args);
	va_end(args);
}

/* Words of the command line are names of files as often as not, and these may be anybody's. */
static void print_error_args(const char *format, va_list args)
{
	fputs("peerwall: error: ", stderr);
	print_clean_args(stderr, format, args);
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
