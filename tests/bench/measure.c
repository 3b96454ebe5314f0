/*
 * Runs a command once, and prints the processor seconds that it took and the greatest memory that it had, in MB.
 *
 *   measure [-n] INPUT COMMAND [ARGUMENT...]
 *
 * INPUT is its standard input. With -n it runs in a network namespace of its own, which is not part of what is measured.
 * The command's exit code is printed, too. Leaves with 1 if it could not be run, or a signal ended it.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void run_child(const char *input, char **command)
{
	int file = open(input, O_RDONLY | O_CLOEXEC);

	if (file < 0 || dup2(file, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
		perror(input);
		_exit(127);
	}
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

int main(int argc, char **argv)
{
	bool apart = argc > 1 && strcmp(argv[1], "-n") == 0;
	struct rusage usage;
	int status;
	pid_t child;

	argv += apart;
	argc -= apart;
	if (argc < 3) {
		fputs("usage: measure [-n] INPUT COMMAND [ARGUMENT...]\n", stderr);
		return 1;
	}
	if (apart && unshare(CLONE_NEWNET) < 0) {
		perror("unshare");
		return 1;
	}
	child = fork();
	if (child == 0)
		run_child(argv[1], argv + 2);
	if (child < 0 || wait4(child, &status, 0, &usage) != child) {
		perror("fork");
		return 1;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return 1;
	printf("%.3f %.0f %d\n", seconds(usage.ru_utime) + seconds(usage.ru_stime), (double)usage.ru_maxrss / 1024,
	       WEXITSTATUS(status));
	return 0;
}
