#include "unit.h"

#include <peerwall/process.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct process_result result;

static void teardown(void)
{
	process_result_free(&result);
}

static int run_shell(const char *script, const char *input, size_t input_size, unsigned time_limit)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct process process = {
		.path = "/bin/sh", .argv = argv, .input = input, .input_size = input_size,
		.output_limit = 1u << 30, .time_limit = time_limit,
	};

	return process_run(&result, &process);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

START_TEST(output_and_status_are_captured)
{
	ck_assert_int_eq(run_shell("cat; echo problem >&2; exit 3", "fed\n", 4, 5000), 0);
	ck_assert_int_eq(result.end, PROCESS_EXITED);
	ck_assert_int_eq(result.code, 3);
	ck_assert(!process_succeeded(&result));
	ck_assert_str_eq(strbuf_str(&result.out), "fed\n");
	ck_assert_str_eq(strbuf_str(&result.err), "problem\n");
}
END_TEST

START_TEST(success_is_status_0_only)
{
	ck_assert_int_eq(run_shell("exit 0", NULL, 0, 5000), 0);
	ck_assert(process_succeeded(&result));
	ck_assert_uint_eq(result.out.len, 0);
}
END_TEST

START_TEST(a_signal_is_told_apart_from_a_status)
{
	struct strbuf text = STRBUF_EMPTY;
	struct process process = {0};

	ck_assert_int_eq(run_shell("kill -TERM $$", NULL, 0, 5000), 0);
	ck_assert_int_eq(result.end, PROCESS_SIGNALLED);
	ck_assert_int_eq(result.code, SIGTERM);
	ck_assert(!process_succeeded(&result));
	process_describe_end(&text, &process, &result);
	ck_assert_str_eq(strbuf_str(&text), "was killed by signal 15 (Terminated)");
	strbuf_free(&text);
}
END_TEST

START_TEST(much_goes_in_and_out_without_a_standstill)
{
	size_t size = 100u << 20;
	char *input = malloc(size);

	ck_assert_ptr_nonnull(input);
	for (size_t i = 0; i < size; i++)
		input[i] = (char)('a' + i % 23);
	ck_assert_int_eq(run_shell("cat", input, size, 60000), 0);
	ck_assert(process_succeeded(&result));
	ck_assert_uint_eq(result.out.len, size);
	ck_assert(memcmp(result.out.data, input, size) == 0);
	free(input);
}
END_TEST

START_TEST(a_tool_that_does_not_read_is_no_harm)
{
	static char input[1 << 20];

	memset(input, 'x', sizeof input);
	ck_assert_int_eq(run_shell("exit 0", input, sizeof input, 5000), 0);
	ck_assert(process_succeeded(&result));
}
END_TEST

START_TEST(a_tool_that_hangs_is_stopped_with_its_children)
{
	double start = seconds_now();
	struct strbuf text = STRBUF_EMPTY;
	struct process process = {.time_limit = 300};
	pid_t child;

	ck_assert_int_eq(run_shell("sleep 60 & echo $!; wait", NULL, 0, 300), 0);
	ck_assert_int_eq(result.end, PROCESS_TIMED_OUT);
	ck_assert(seconds_now() - start < 5);
	process_describe_end(&text, &process, &result);
	ck_assert_str_eq(strbuf_str(&text), "did not finish within 0.3 seconds and was stopped");
	strbuf_free(&text);
	child = atoi(strbuf_str(&result.out));
	ck_assert_int_gt(child, 1);
	/* Orphaned, it is for init to bury: gone or a zombie. */
	for (int i = 0; i < 100 && kill(child, 0) == 0; i++) {
		char path[64], state = '?';
		FILE *file;

		snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
		file = fopen(path, "re");
		if (!file)
			break;
		if (fscanf(file, "%*d %*s %c", &state) != 1)
			state = '?';
		fclose(file);
		if (state == 'Z')
			break;
		usleep(20000);
		ck_assert_int_lt(i, 99);
	}
}
END_TEST

START_TEST(a_tool_that_closes_its_streams_and_stays_is_stopped_too)
{
	ck_assert_int_eq(run_shell("exec <&- >&- 2>&-; sleep 60", NULL, 0, 300), 0);
	ck_assert_int_eq(result.end, PROCESS_TIMED_OUT);
}
END_TEST

START_TEST(output_over_the_limit_stops_the_tool)
{
	const char *const argv[] = {"sh", "-c", "while :; do echo 0123456789; done", NULL};
	struct process process = {.path = "/bin/sh", .argv = argv, .output_limit = 100000, .time_limit = 20000};

	ck_assert_int_eq(process_run(&result, &process), 0);
	ck_assert_int_eq(result.end, PROCESS_OUTPUT_TOO_LARGE);
	ck_assert_uint_eq(result.out.len, 100000);
}
END_TEST

START_TEST(of_endless_errors_the_beginning_is_kept)
{
	ck_assert_int_eq(run_shell("head -c 1000000 /dev/zero | tr '\\0' e >&2; exit 1", NULL, 0, 20000), 0);
	ck_assert_int_eq(result.code, 1);
	ck_assert_uint_eq(result.err.len, 64u << 10);
}
END_TEST

START_TEST(the_environment_is_clean)
{
	const char *const argv[] = {"env", NULL};
	struct process process = {
		.path = "/usr/bin/env", .argv = argv, .lock_file = "/some/lock", .output_limit = 10000, .time_limit = 5000,
	};

	setenv("IPTABLES_LIB_DIR", "/tmp/evil", 1);
	setenv("LD_BIND_NOW", "1", 1);
	ck_assert_int_eq(process_run(&result, &process), 0);
	ck_assert_str_eq(strbuf_str(&result.out),
			 "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\nXTABLES_LOCKFILE=/some/lock\n");
	process_result_free(&result);
	process.lock_file = NULL;
	ck_assert_int_eq(process_run(&result, &process), 0);
	ck_assert_str_eq(strbuf_str(&result.out), "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n");
}
END_TEST

START_TEST(no_descriptor_is_handed_on)
{
	int leaky = open("/dev/null", O_RDONLY), moved = dup2(leaky, 77);

	ck_assert_int_ge(leaky, 0);
	ck_assert_int_eq(moved, 77);
	ck_assert_int_eq(run_shell("ls /proc/$$/fd; true", NULL, 0, 5000), 0);
	close(leaky);
	close(moved);
	/* A shell with a pipe would show that pipe, too, if it is slow to close it. */
	ck_assert_str_eq(strbuf_str(&result.out), "0\n1\n2\n");
}
END_TEST

/* Who gets a lock next, waits for the tools as well; and they do not stay. */
START_TEST(a_tool_dies_with_us_and_keeps_its_lock_until_then)
{
	char path[] = "/tmp/peerwall-process-XXXXXX";
	int fd = mkstemp(path), status;
	pid_t child;

	ck_assert_int_ge(fd, 0);
	close(fd);
	child = fork();
	if (child == 0) {
		const char *const argv[] = {"sh", "-c", "[ -e /proc/self/fd/3 ] && [ ! -e /proc/self/fd/4 ] && exec sleep 30", NULL};
		int held = open(path, O_RDONLY | O_CLOEXEC), other = open("/dev/null", O_RDONLY);
		struct process process = {.path = "/bin/sh", .argv = argv, .output_limit = 10, .keeps = {&held}};

		_exit(held < 0 || other < 0 || flock(held, LOCK_EX) != 0 || process_run(&result, &process) != 0);
	}
	fd = open(path, O_RDONLY);
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) == 0 && tries < 500; tries++) {
		flock(fd, LOCK_UN);
		usleep(10000);
	}
	usleep(200000);
	ck_assert_int_eq(waitpid(child, &status, WNOHANG), 0);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	/* Not after its 30 seconds. */
	alarm(10);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	alarm(0);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(closed_standard_streams_do_not_confuse_the_pipes)
{
	int saved[3];

	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		close(i);
	}
	run_shell("cat; echo problem >&2", "fed", 3, 5000);
	for (int i = 0; i < 3; i++) {
		if (saved[i] < 0)
			continue;
		dup2(saved[i], i);
		close(saved[i]);
	}
	ck_assert_str_eq(strbuf_str(&result.out), "fed");
	ck_assert_str_eq(strbuf_str(&result.err), "problem\n");
}
END_TEST

START_TEST(signals_are_as_by_default_in_the_tool)
{
	sigset_t blocked, before;
	/* The last 7 digits are signals 1 to 28; the C library keeps 32 and 33 to itself. */
	static const char script[] = "sed -nE 's/^Sig(Blk|Ign).*(.{7})$/\\1 \\2/p' /proc/$$/status | tr '\\n' ' '";

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	signal(SIGPIPE, SIG_IGN);
	run_shell(script, NULL, 0, 5000);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	ck_assert_str_eq(strbuf_str(&result.out), "Blk 0000000 Ign 0000000 ");
}
END_TEST

START_TEST(what_cannot_be_started_is_an_error)
{
	const char *const argv[] = {"nothing", NULL};
	struct process process = {.path = "/nonexistent/tool", .argv = argv, .output_limit = 100, .time_limit = 5000};

	ck_assert_int_eq(process_run(&result, &process), -ENOENT);
	process.path = "/etc/passwd";
	ck_assert_int_eq(process_run(&result, &process), -EACCES);
	process.path = "sh";
	ck_assert_int_eq(process_run(&result, &process), -EINVAL);
}
END_TEST

START_TEST(the_tools_message_becomes_one_printable_line)
{
	struct strbuf text = STRBUF_EMPTY;

	run_shell("printf 'iptables-restore: line 3 failed\\n\\nTry `iptables-restore -h'\\'' or "
		  "'\\''iptables-restore --help'\\'' for more information.\\nred \\033[31m\\n' >&2; exit 1", NULL, 0, 5000);
	process_describe_message(&text, &result);
	ck_assert_str_eq(strbuf_str(&text), "iptables-restore: line 3 failed; red ?[31m");
	process_result_free(&result);
	strbuf_reset(&text);
	run_shell("head -c 5000 /dev/zero | tr '\\0' e >&2; exit 1", NULL, 0, 5000);
	process_describe_message(&text, &result);
	ck_assert_uint_eq(text.len, 603);
	strbuf_free(&text);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("process");
	TCase *tests = tcase_create("process");

	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_set_timeout(tests, 90);
	tcase_add_test(tests, output_and_status_are_captured);
	tcase_add_test(tests, success_is_status_0_only);
	tcase_add_test(tests, a_signal_is_told_apart_from_a_status);
	tcase_add_test(tests, much_goes_in_and_out_without_a_standstill);
	tcase_add_test(tests, a_tool_that_does_not_read_is_no_harm);
	tcase_add_test(tests, a_tool_that_hangs_is_stopped_with_its_children);
	tcase_add_test(tests, a_tool_that_closes_its_streams_and_stays_is_stopped_too);
	tcase_add_test(tests, output_over_the_limit_stops_the_tool);
	tcase_add_test(tests, of_endless_errors_the_beginning_is_kept);
	tcase_add_test(tests, the_environment_is_clean);
	tcase_add_test(tests, no_descriptor_is_handed_on);
	tcase_add_test(tests, a_tool_dies_with_us_and_keeps_its_lock_until_then);
	tcase_add_test(tests, closed_standard_streams_do_not_confuse_the_pipes);
	tcase_add_test(tests, signals_are_as_by_default_in_the_tool);
	tcase_add_test(tests, what_cannot_be_started_is_an_error);
	tcase_add_test(tests, the_tools_message_becomes_one_printable_line);
	suite_add_tcase(suite, tests);
	return suite;
}
