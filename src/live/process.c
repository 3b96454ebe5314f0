#include <peerwall/process.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ERROR_TEXT_LIMIT (64u << 10)
#define MESSAGE_LIMIT 600
/* Above what a tool gets: 0 to 2, and what is kept. */
#define KEPT_ASIDE 16

enum { PIPE_IN, PIPE_OUT, PIPE_ERR, PIPE_COUNT };

/* Our ends and the tool's, each -1 when closed. */
struct pipes {
	int ours[PIPE_COUNT];
	int theirs[PIPE_COUNT];
};

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void pipes_close(struct pipes *pipes)
{
	for (int i = 0; i < PIPE_COUNT; i++) {
		close_descriptor(&pipes->ours[i]);
		close_descriptor(&pipes->theirs[i]);
	}
}

static int pipes_open(struct pipes *pipes)
{
	for (int i = 0; i < PIPE_COUNT; i++)
		pipes->ours[i] = pipes->theirs[i] = -1;
	for (int i = 0; i < PIPE_COUNT; i++) {
		int ends[2];
		int own = i == PIPE_IN ? 1 : 0;

		if (pipe2(ends, O_CLOEXEC) != 0)
			return -errno;
		pipes->ours[i] = ends[own];
		pipes->theirs[i] = ends[!own];
		if (fcntl(pipes->ours[i], F_SETFL, O_NONBLOCK) != 0)
			return -errno;
		/* Started with one of 0-2 closed, a pipe may land there and be overwritten by another's dup2. */
		if (pipes->theirs[i] < PIPE_COUNT) {
			int moved = fcntl(pipes->theirs[i], F_DUPFD_CLOEXEC, PIPE_COUNT);

			if (moved < 0)
				return -errno;
			close(pipes->theirs[i]);
			pipes->theirs[i] = moved;
		}
	}
	return 0;
}

/* All as by default: what the user's shell ignored is none of the tool's business. */
static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The pipes become 0 to 2, what is to be kept 3 and on, and nothing else is left open. */
static bool arrange_descriptors(const struct pipes *pipes, const struct process *process)
{
	int kept[PROCESS_KEEPS_MAX], count = 0;

	/* First out of each other's way. */
	for (int i = 0; i < PROCESS_KEEPS_MAX; i++)
		if (process->keeps[i] && *process->keeps[i] >= 0 &&
		    (kept[count++] = fcntl(*process->keeps[i], F_DUPFD, KEPT_ASIDE)) < 0)
			return false;
	for (int i = 0; i < PIPE_COUNT; i++)
		if (dup2(pipes->theirs[i], i) < 0)
			return false;
	for (int i = 0; i < count; i++)
		if (dup2(kept[i], PIPE_COUNT + i) < 0)
			return false;
	closefrom(PIPE_COUNT + count);
	return true;
}

/*
 * In the child of a vfork(), which shares our memory until it is the tool: system calls, and nothing but them. A tool dies
 * with us: left alone, it might do its work behind the back of whoever comes next to put things right.
 */
static _Noreturn void become_tool(const struct process *process, const struct pipes *pipes, char *const *environment,
				  pid_t parent, volatile int *error)
{
	if (setpgid(0, 0) == 0 && arrange_descriptors(pipes, process) && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
	    getppid() == parent) {
		reset_signals();
		execve(process->path, (char *const *)process->argv, environment);
	}
	*error = errno;
	_exit(127);
}

static int spawn(pid_t *pid, const struct process *process, const struct pipes *pipes)
{
	struct strbuf lock_file = STRBUF_EMPTY;
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *environment[] = {path, locale, NULL, NULL};
	const pid_t parent = getpid();
	volatile int error = 0;

	if (process->lock_file) {
		strbuf_addf(&lock_file, "XTABLES_LOCKFILE=%s", process->lock_file);
		environment[2] = lock_file.data;
	}
	*pid = vfork();
	if (*pid == 0)
		become_tool(process, pipes, environment, parent, &error);
	if (*pid < 0)
		error = errno;
	else if (error)
		waitpid(*pid, NULL, 0);
	strbuf_free(&lock_file);
	return -error;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Sends what the pipe takes; closes it at the end of the input, or when nobody reads any more. */
static void feed(int *fd, const struct process *process, size_t *sent)
{
	while (*sent < process->input_size) {
		ssize_t n = write(*fd, process->input + *sent, process->input_size - *sent);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			break;
		*sent += (size_t)n;
	}
	close_descriptor(fd);
}

/* Reads what there is; false when the buffer is over its limit. What is over is not kept. */
static bool drain(int *fd, struct strbuf *into, size_t limit)
{
	char chunk[1 << 16];
	ssize_t n = read(*fd, chunk, sizeof chunk);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		close_descriptor(fd);
		return true;
	}
	if ((size_t)n > limit - into->len) {
		strbuf_add(into, chunk, limit - into->len);
		return false;
	}
	strbuf_add(into, chunk, (size_t)n);
	return true;
}

/* Moves bytes until all pipes are closed. False, with the reason in `end`, if the tool has to be killed. */
static bool pump(struct pipes *pipes, const struct process *process, struct process_result *result, long long deadline)
{
	size_t sent = 0;

	if (process->input_size == 0)
		close_descriptor(&pipes->ours[PIPE_IN]);
	while (pipes->ours[PIPE_IN] >= 0 || pipes->ours[PIPE_OUT] >= 0 || pipes->ours[PIPE_ERR] >= 0) {
		struct pollfd polled[PIPE_COUNT];
		long long left = process->time_limit ? deadline - now_ms() : -1;

		if (process->time_limit && left <= 0) {
			result->end = PROCESS_TIMED_OUT;
			return false;
		}
		/* poll() passes over descriptors below 0. */
		for (int i = 0; i < PIPE_COUNT; i++)
			polled[i] = (struct pollfd){.fd = pipes->ours[i], .events = i == PIPE_IN ? POLLOUT : POLLIN};
		if (poll(polled, PIPE_COUNT, (int)left) < 0)
			continue;
		if (polled[PIPE_IN].revents)
			feed(&pipes->ours[PIPE_IN], process, &sent);
		if (polled[PIPE_OUT].revents && !drain(&pipes->ours[PIPE_OUT], &result->out, process->output_limit)) {
			result->end = PROCESS_OUTPUT_TOO_LARGE;
			return false;
		}
		if (polled[PIPE_ERR].revents)
			drain(&pipes->ours[PIPE_ERR], &result->err, ERROR_TEXT_LIMIT);
	}
	return true;
}

/* A tool may close its streams and live on: waits for its end, but not for ever. */
static bool wait_for_end(pid_t pid, int *status, const struct process *process, long long deadline)
{
	long pause = 200000; /* ns */

	for (;;) {
		pid_t ended = waitpid(pid, status, process->time_limit ? WNOHANG : 0);

		if (ended == pid)
			return true;
		if (process->time_limit && now_ms() >= deadline)
			return false;
		nanosleep(&(struct timespec){0, pause}, NULL);
		if (pause < 20000000)
			pause *= 2;
	}
}

static void kill_group(pid_t pid)
{
	int status;

	kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

int process_run(struct process_result *result, const struct process *process)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	struct pipes pipes;
	long long deadline = now_ms() + process->time_limit;
	pid_t pid = -1;
	int status, error;

	*result = (struct process_result){.end = PROCESS_EXITED, .out = STRBUF_EMPTY, .err = STRBUF_EMPTY};
	if (!process->path || process->path[0] != '/')
		return -EINVAL;
	error = pipes_open(&pipes);
	if (error == 0)
		error = spawn(&pid, process, &pipes);
	if (error) {
		pipes_close(&pipes);
		return error;
	}
	for (int i = 0; i < PIPE_COUNT; i++)
		close_descriptor(&pipes.theirs[i]);

	/* A tool that does not read its input must not end us. */
	sigaction(SIGPIPE, &ignore, &before);
	if (!pump(&pipes, process, result, deadline)) {
		kill_group(pid);
	} else if (!wait_for_end(pid, &status, process, deadline)) {
		result->end = PROCESS_TIMED_OUT;
		kill_group(pid);
	} else if (WIFSIGNALED(status)) {
		result->end = PROCESS_SIGNALLED;
		result->code = WTERMSIG(status);
	} else {
		result->code = WEXITSTATUS(status);
	}
	sigaction(SIGPIPE, &before, NULL);
	pipes_close(&pipes);
	return 0;
}

bool process_succeeded(const struct process_result *result)
{
	return result->end == PROCESS_EXITED && result->code == 0;
}

void process_describe_end(struct strbuf *out, const struct process *process, const struct process_result *result)
{
	switch (result->end) {
	case PROCESS_EXITED:
		strbuf_addf(out, "exited with status %d", result->code);
		break;
	case PROCESS_SIGNALLED:
		strbuf_addf(out, "was killed by signal %d (%s)", result->code, strsignal(result->code));
		break;
	case PROCESS_TIMED_OUT:
		strbuf_addf(out, "did not finish within %g second%s and was stopped", process->time_limit / 1000.0,
			    process->time_limit == 1000 ? "" : "s");
		break;
	case PROCESS_OUTPUT_TOO_LARGE:
		strbuf_addf(out, "wrote more than %zu bytes and was stopped", process->output_limit);
		break;
	}
}

/* iptables ends its messages with a pointer to its own help, which helps nobody here. */
static bool is_help_hint(const char *line, size_t size)
{
	return size > 4 && strncmp(line, "Try ", 4) == 0 && memmem(line, size, "--help", 6);
}

void process_describe_message(struct strbuf *out, const struct process_result *result)
{
	const char *line = strbuf_str(&result->err), *end = line + result->err.len;
	size_t start = out->len;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t size = (size_t)((newline ? newline : end) - line);

		if (size > 0 && !is_help_hint(line, size)) {
			if (out->len > start)
				strbuf_adds(out, "; ");
			for (size_t i = 0; i < size && out->len - start < MESSAGE_LIMIT; i++)
				strbuf_addc(out, line[i] >= 0x20 && line[i] < 0x7f ? line[i] : '?');
		}
		if (out->len - start >= MESSAGE_LIMIT) {
			strbuf_adds(out, "...");
			return;
		}
		line = newline ? newline + 1 : end;
	}
}

void process_result_free(struct process_result *result)
{
	strbuf_free(&result->out);
	strbuf_free(&result->err);
}
