#include "net_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool write_whole(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

/*
 * In a namespace of its own, the child has all rights until it runs a tool: nobody there is root. Ambient rights pass on
 * (capabilities(7)). To make root there of root here would take rights that are not needed for anything else.
 */
static int enter_user_namespace(void)
{
	static const int rights[] = {CAP_NET_ADMIN, CAP_NET_RAW};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return -errno;
	for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
		sets[CAP_TO_INDEX(rights[i])].permitted |= CAP_TO_MASK(rights[i]);
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		sets[i].effective = sets[i].inheritable = sets[i].permitted;
	if (syscall(SYS_capset, &header, sets) != 0)
		return -errno;
	for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, rights[i], 0, 0) != 0)
			return -errno;
	return 0;
}

static int enter_namespace(void)
{
	int error, other;

	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	error = -errno;
	if (error != -EPERM)
		return error;
	other = enter_user_namespace();
	return other == 0 || other == -ENOSPC ? other : error;
}

static _Noreturn void become_worker(net_namespace_work work, void *context, int answer, pid_t parent)
{
	struct strbuf out = STRBUF_EMPTY;
	int error = enter_namespace();

	/* Only now: a change of rights would forget it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	if (error == 0)
		work(context, &out);
	_exit(write_whole(answer, &error, sizeof error) && write_whole(answer, strbuf_str(&out), out.len) ? 0 : 1);
}

static void read_answer(int fd, struct strbuf *out)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			strbuf_add(out, chunk, (size_t)n);
}

int net_namespace_run(net_namespace_work work, void *context, struct strbuf *out)
{
	struct strbuf answer = STRBUF_EMPTY;
	const pid_t parent = getpid();
	int ends[2], status, error = -ECHILD;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	child = fork();
	if (child == 0)
		become_worker(work, context, ends[1], parent);
	if (child < 0)
		error = -errno;
	close(ends[1]);
	if (child > 0) {
		read_answer(ends[0], &answer);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		/* seccomp(2): a filter may kill who asks for what it forbids. */
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			error = -EPERM;
		else if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && answer.len >= sizeof error)
			memcpy(&error, answer.data, sizeof error);
	}
	close(ends[0]);
	if (error == 0)
		strbuf_add(out, answer.data + sizeof error, answer.len - sizeof error);
	strbuf_free(&answer);
	return error;
}
