/*
 * killer.c - kills a process at the nth of its steps: a library to be preloaded.
 *
 * A step is a call that leaves something behind, or that another process can see: a tool is started, has ended; a file is
 * written, flushed, put in its place, deleted; a lock is taken; a process is started; a message goes to the kernel.
 * FAULT_MAIN is the number of the step at which the program dies, FAULT_CHILD that of a process which it has forked off
 * and that goes on without it (a watcher). Steps are counted for each from 1, and the step itself is not taken, but for
 * waiting, which is only known to be one when it is over. What is executed is not preloaded: its environment is clean.
 * With FAULT_COARSE only those are counted that alone can have changed much: a tool has ended, a file is put in its place, a
 * process is started. The file FAULT_MARK is there afterwards if anything was killed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum grain { FINE, COARSE };

static pid_t main_process;
static enum grain grain;
static char mark[256];
static long limits[2], counts[2];

__attribute__((constructor)) static void begin(void)
{
	const char *main_limit = getenv("FAULT_MAIN"), *child_limit = getenv("FAULT_CHILD");

	/* Kept, since a watcher clears its environment. */
	snprintf(mark, sizeof mark, "%s", getenv("FAULT_MARK") ? getenv("FAULT_MARK") : "/dev/null");
	grain = getenv("FAULT_COARSE") ? COARSE : FINE;
	main_process = getpid();
	limits[0] = main_limit ? atol(main_limit) : 0;
	limits[1] = child_limit ? atol(child_limit) : 0;
}

static void step(pid_t process, enum grain of)
{
	int who = process != main_process;

	if (of < grain || ++counts[who] != limits[who])
		return;
	close(creat(mark, 0600));
	kill(process, SIGKILL);
	for (;;)
		pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* In the child of a vfork(), whose parent is the one that is meant. */
int execve(const char *path, char *const argv[], char *const environment[])
{
	step(getppid(), FINE);
	return REAL(execve)(path, argv, environment);
}

pid_t waitpid(pid_t process, int *status, int options)
{
	pid_t ended = REAL(waitpid)(process, status, options);

	if (ended > 0)
		step(getpid(), COARSE);
	return ended;
}

/* The child that forks once more is of no account. */
pid_t fork(void)
{
	if (getpid() == main_process)
		step(main_process, COARSE);
	return REAL(fork)();
}

#define STEP(grain, type, name, parameters, arguments) \
	type name parameters                    \
	{                                       \
		step(getpid(), grain);          \
		return REAL(name) arguments;    \
	}

int rename(const char *, const char *);
int mkdir(const char *, mode_t);
int flock(int, int);
ssize_t send(int, const void *, size_t, int);

STEP(FINE, ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
STEP(FINE, int, fsync, (int fd), (fd))
STEP(COARSE, int, rename, (const char *from, const char *to), (from, to))
STEP(FINE, int, unlink, (const char *path), (path))
STEP(FINE, int, mkdir, (const char *path, mode_t mode), (path, mode))
STEP(FINE, int, flock, (int fd, int operation), (fd, operation))
STEP(FINE, ssize_t, send, (int fd, const void *bytes, size_t size, int flags), (fd, bytes, size, flags))
