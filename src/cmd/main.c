#include "cmd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct subcommand *const subcommands[] = {
	&cmd_compile, &cmd_lint, &cmd_apply, &cmd_down, &cmd_confirm, &cmd_rollback, &cmd_status, &cmd_diff, &cmd_trace,
	&cmd_watch, &cmd_reach, &cmd_fmt,
};
#define SUBCOMMAND_COUNT (sizeof subcommands / sizeof *subcommands)

static void print_overview(FILE *out)
{
	fputs("usage: peerwall COMMAND [OPTION...] [POLICY...]\n"
	      "\n"
	      "Says which ports of this host its peers may reach, and makes it so.\n"
	      "\n",
	      out);
	for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
		fprintf(out, "  %-8s  %s\n", subcommands[i]->name, subcommands[i]->summary);
	fputs("\n"
	      "`peerwall COMMAND --help` shows a command's options and examples; peerwall(8) has it all.\n",
	      out);
}

static const struct subcommand *find_subcommand(const char *name)
{
	for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
		if (strcmp(subcommands[i]->name, name) == 0)
			return subcommands[i];
	return NULL;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

/* Nobody reads the pipe any more, as behind `| head -1`: that is the reader's choice, and no error. */
static bool reader_has_gone(void)
{
	struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&output, 1, 0) == 1 && output.revents & POLLERR;
}

/* What was promised on standard output has to have arrived there. */
static int finish(int status)
{
	if ((fflush(stdout) == 0 && !ferror(stdout)) || reader_has_gone())
		return status;
	print_error("cannot write to standard output");
	return status == EXIT_FINE ? EXIT_SYSTEM : status;
}

/*
 * Started with one of 0-2 closed, a file that is opened would take its place and get the messages. Reading and writing
 * fail still: each is opened for what it is not for.
 */
static void fill_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return;
}

int main(int argc, char **argv)
{
	const struct subcommand *subcommand;

	fill_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of writing it */
	if (argc < 2) {
		print_overview(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_overview(stdout);
		return finish(EXIT_FINE);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("peerwall " PEERWALL_VERSION);
		return finish(EXIT_FINE);
	}
	subcommand = find_subcommand(argv[1]);
	if (!subcommand) {
		print_error("there is no command '%s'; `peerwall --help` lists them", argv[1]);
		return EXIT_USAGE;
	}
	if (asks_for_help(argc - 1, argv + 1)) {
		fputs(subcommand->help, stdout);
		return finish(EXIT_FINE);
	}
	return finish(subcommand->run(argc - 1, argv + 1));
}
