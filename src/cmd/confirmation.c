#include "confirmation.h"

#include "change_text.h"
#include "cmd.h"
#include "live_command.h"

#include <peerwall/recorded_change.h>
#include <peerwall/watcher.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LOOK_MS 200

/* ---- one answer ---- */

static int tell_failure(const struct failure *failure)
{
	print_error("%s", failure->message);
	vec_each(note, &failure->notes)
		print_clean(stderr, "  %s", *note);
	return failure_exit_code(failure);
}

/* What is still in force, why, and what to do. */
static int tell_not_undone(const struct record *record, const struct live_options *options)
{
	struct arena arena = ARENA_EMPTY;
	struct strbuf text = STRBUF_EMPTY;
	enum change_situation situation = change_situation(record, options, &arena);

	change_describe_situation(&text, record, situation);
	print_error("too late: %s", strbuf_str(&text));
	print_clean(stderr, "  %s", change_advice(situation));
	strbuf_free(&text);
	arena_free(&arena);
	return EXIT_STUCK;
}

static int tell_outcome(enum confirm_outcome outcome, const struct record *record, const struct live_options *options)
{
	struct strbuf text = STRBUF_EMPTY;
	int code = EXIT_FINE;

	change_describe_name(&text, record);
	switch (outcome) {
	case CONFIRM_DONE:
		print_line("%s is confirmed", strbuf_str(&text));
		break;
	case CONFIRM_ALREADY:
		print_line("nothing waits to be confirmed: %s is in force for good", strbuf_str(&text));
		break;
	case CONFIRM_TOO_LATE:
		print_error("too late: %s was undone%s%s", strbuf_str(&text), *record->reason ? ": " : "", record->reason);
		code = EXIT_UNDONE;
		break;
	case CONFIRM_NOT_UNDONE:
		code = tell_not_undone(record, options);
		break;
	default:
		print_error("there is nothing to confirm: %s is not in force as a whole; see `peerwall status`",
			    strbuf_str(&text));
		code = EXIT_CONFLICT;
		break;
	}
	strbuf_free(&text);
	return code;
}

/* While this one waited. Who wanted it undone hears no complaint. */
static int tell_undone(const struct record *record, bool asked, const struct live_options *options)
{
	struct strbuf text = STRBUF_EMPTY;

	if (!asked && *record->reason)
		return tell_outcome(CONFIRM_TOO_LATE, record, options);
	change_describe_name(&text, record);
	print_line("%s %s", strbuf_str(&text), asked ? "is undone, as asked" : "was undone by `peerwall rollback`");
	strbuf_free(&text);
	return EXIT_UNDONE;
}

int confirmation_keep(const struct live_options *options, uint64_t id)
{
	struct arena arena = ARENA_EMPTY;
	struct failure failure = FAILURE_INIT(&arena);
	struct record record;
	enum confirm_outcome outcome = recorded_change_settle(options, id, true, &record, &failure);
	int code = EXIT_CONFLICT;

	if (outcome == CONFIRM_FAILED)
		code = tell_failure(&failure);
	else if (!record.boot)
		print_error("there is nothing to confirm: no change is recorded here");
	else
		code = tell_outcome(outcome, &record, options);
	arena_free(&arena);
	return code;
}

/* ---- at the terminal ---- */

bool confirmation_can_ask(void)
{
	/* In the background, reading would stop us. */
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static bool terminal_prepare(struct termios *before)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, before) != 0)
		return false;
	raw = *before;
	/* An interrupt is an answer, too. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* What was typed before the question is no answer to it. */
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

static bool signal_came(void)
{
	static const int ending[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT};
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
		if (sigismember(&pending, ending[i]) == 1)
			return true;
	return false;
}

enum answer { ANSWER_NONE, ANSWER_KEEP, ANSWER_UNDO, ANSWER_GONE };

static enum answer read_answer(void)
{
	struct pollfd polled = {.fd = STDIN_FILENO, .events = POLLIN};
	char key;

	if (poll(&polled, 1, LOOK_MS) <= 0)
		return signal_came() ? ANSWER_GONE : ANSWER_NONE;
	if (read(STDIN_FILENO, &key, 1) != 1)
		return errno == EINTR || errno == EAGAIN ? ANSWER_NONE : ANSWER_GONE;
	switch (key) {
	case 'y':
	case 'Y':
		return ANSWER_KEEP;
	case 'n':
	case 'N':
	case '\003': /* Ctrl-C */
	case '\034': /* Ctrl-\ */
		return ANSWER_UNDO;
	default:
		return ANSWER_NONE;
	}
}

static void show_time(const struct record *record)
{
	uint64_t now = boot_time_now(), left = record->deadline > now ? (record->deadline - now + 999) / 1000 : 0;

	fprintf(stderr, "\rpeerwall: keep it? y or n; it is undone in %llu s ", (unsigned long long)left);
	fflush(stderr);
}

static void ask_to_undo(const struct live_options *options, uint64_t id)
{
	struct arena arena = ARENA_EMPTY;
	struct failure failure = FAILURE_INIT(&arena);
	struct record record;

	/* If it cannot be asked, time does it. */
	(void)recorded_change_settle(options, id, false, &record, &failure);
	arena_free(&arena);
}

/* What became of it, or -1 while that is open. */
static int look(const struct live_options *options, uint64_t id, bool show, bool asked)
{
	struct arena arena = ARENA_EMPTY;
	struct record record;
	int code = -1, error = record_read(&record, options, &arena);

	if (error && watcher_is_alive(options, &arena)) {
		/* It writes it again. */
	} else if (error || record.id != id) {
		code = EXIT_CONFLICT;
		fputc('\n', stderr);
		print_error("another change has taken the place of this one; see `peerwall status`");
	} else if (record.state == RECORD_KEPT || record.state == RECORD_UNDONE) {
		fputc('\n', stderr);
		code = record.state == RECORD_KEPT ? tell_outcome(CONFIRM_DONE, &record, options) :
						     tell_undone(&record, asked, options);
	} else if (record.state == RECORD_UNDOING && *record.reason) {
		fputc('\n', stderr);
		code = tell_outcome(CONFIRM_NOT_UNDONE, &record, options);
	} else if (!watcher_is_alive(options, &arena)) {
		code = EXIT_SYSTEM;
		fputc('\n', stderr);
		print_error("the process that would undo it is gone: `peerwall confirm` keeps it, `peerwall rollback` undoes it");
	} else if (show && record.state == RECORD_PENDING && record.deadline) {
		show_time(&record);
	}
	arena_free(&arena);
	return code;
}

int confirmation_wait(const struct live_options *options, uint64_t id)
{
	struct termios before;
	bool show = isatty(STDERR_FILENO), asked = false;
	enum answer answer = ANSWER_NONE;
	int code = -1;

	if (!terminal_prepare(&before))
		return EXIT_FINE;
	while (code < 0 && answer != ANSWER_GONE) {
		code = look(options, id, show, asked);
		if (code >= 0)
			break;
		answer = read_answer();
		if (answer == ANSWER_KEEP) {
			fputc('\n', stderr);
			code = confirmation_keep(options, id);
		} else if (answer == ANSWER_UNDO) {
			asked = true;
			ask_to_undo(options, id);
		}
	}
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	return code < 0 ? EXIT_FINE : code;
}
