#include <peerwall/watcher.h>

#include <peerwall/apply.h>
#include <peerwall/rollback.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 200
#define START_LIMIT_MS 10000
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 60000
/* After a day of tries, nothing will come of it; `status` tells. */
#define TRIES_MAX (24 * 60)

/* Until one that was told that there is nothing to watch over is gone. */
#define END_LIMIT_MS 1000

/* What the process knows; the record is the one that its parent had written, in case that cannot be read any more. */
struct watch {
	struct live_options options;
	struct record record;
	struct lock lock;
	int guard;
	unsigned limit;
};

static const char *lock_path(const struct live_options *options, struct arena *arena)
{
	const char *record = record_path(options, arena), *name = record ? strrchr(record, '/') : NULL;

	return name ? arena_printf(arena, "%s%s.watched", options->run_directory, name) : NULL;
}

static bool is_held(const struct live_options *options, struct arena *arena, unsigned limit)
{
	const char *path = lock_path(options, arena);
	struct lock lock;
	int error = path ? lock_acquire(&lock, path, LOCK_SHARED, limit) : -ENOENT;

	if (error == 0)
		lock_release(&lock);
	return error == -ETIMEDOUT;
}

bool watcher_is_alive(const struct live_options *options, struct arena *arena)
{
	return is_held(options, arena, 0);
}

bool watcher_stays_alive(const struct live_options *options, struct arena *arena)
{
	return is_held(options, arena, END_LIMIT_MS);
}

/* ---- at work ---- */

static void say_end(const struct record *record, const char *reason, const struct failure *failure)
{
	struct strbuf names = STRBUF_EMPTY;

	vec_each(name, &record->interfaces.items)
		strbuf_addf(&names, "%s%s", names.len ? ", " : "", *name);
	openlog("peerwall", LOG_PID, LOG_DAEMON);
	if (failure->kind == FAILURE_NONE)
		syslog(LOG_WARNING, "the change of %s was undone: %s", strbuf_str(&names), reason);
	else if (failure->kind == FAILURE_LEFTOVER)
		syslog(LOG_ERR, "the change of %s was undone (%s), but not whole: %s", strbuf_str(&names), reason,
		       failure->message);
	else
		syslog(LOG_ERR, "the change of %s could not be undone: %s", strbuf_str(&names), failure->message);
	closelog();
	strbuf_free(&names);
}

static bool is_to_be_undone(const struct record *record, uint64_t id)
{
	return record->id == id && (record->state == RECORD_LOADING || record->state == RECORD_PENDING ||
				    record->state == RECORD_UNDOING);
}

/* True if there is nothing left to do. */
static bool undo(const struct watch *watch, const char *reason)
{
	struct arena arena = ARENA_EMPTY;
	struct failure failure = FAILURE_INIT(&arena);
	struct live_options options = watch->options;
	struct sources sources;
	struct diags diags;
	struct live live;
	struct record record;
	sigset_t before;
	bool done = false;

	signals_hold(&before);
	sources_init(&sources, &arena);
	diags_init(&diags, &arena);
	options.backend = &watch->record.backend;
	if (live_open(&live, &options, LIVE_LOAD, &sources, &arena, &diags, &failure)) {
		if (record_read(&record, &options, &arena) != 0)
			record = watch->record;
		if (!is_to_be_undone(&record, watch->record.id)) {
			done = true;
		} else {
			/* What others hold on to may stay for good; it does no harm, and is no reason to keep others waiting. */
			done = rollback_run(&live, &record, reason) || failure.kind == FAILURE_LEFTOVER;
			say_end(&record, reason, &failure);
		}
	}
	live_close(&live);
	arena_free(&arena);
	signals_release(&before);
	return done;
}

/* ---- what somebody clears away ---- */

static void keep_lock(struct watch *watch)
{
	struct arena arena = ARENA_EMPTY;
	const char *path = lock_path(&watch->options, &arena);
	struct lock lock;

	if (path && !lock_is_in_place(&watch->lock, path) && lock_directory_prepare(watch->options.run_directory) == 0 &&
	    lock_acquire(&lock, path, LOCK_EXCLUSIVE, 0) == 0) {
		lock_release(&watch->lock);
		watch->lock = lock;
	}
	arena_free(&arena);
}

/* Under the lock, as others write it. What cannot be written now may be at the next look. */
static void keep_record(struct watch *watch)
{
	struct arena arena = ARENA_EMPTY;
	struct failure unsaid = FAILURE_INIT(&arena);
	struct live_options options = watch->options;
	struct lock lock = LOCK_FREE;
	struct record record;

	options.lock_limit = 0;
	if (live_lock(&lock, &options, LOCK_EXCLUSIVE, &unsaid)) {
		int error = record_read(&record, &options, &arena);

		if (error == -ENOENT || error == -EBADMSG)
			(void)record_write(&watch->record, &options, &arena);
		lock_release(&lock);
	}
	arena_free(&arena);
}

/* Why it has to be undone now; NULL if it has not. `end` is set if nothing ever has to be. */
static const char *look(struct watch *watch, bool *end)
{
	struct arena arena = ARENA_EMPTY;
	struct record record;
	bool known, killed, asked;

	keep_lock(watch);
	known = record_read(&record, &watch->options, &arena) == 0;
	*end = known && !is_to_be_undone(&record, watch->record.id);
	killed = known && record.state == RECORD_LOADING;
	asked = known && record.state == RECORD_PENDING && record.deadline == 0;
	arena_free(&arena);
	if (*end)
		return NULL;
	if (killed)
		return "the process that made it was killed on the way";
	if (asked)
		return "it was not wanted";
	if (!known)
		keep_record(watch);
	return boot_time_now() >= watch->record.deadline ? "nobody confirmed it in time" : NULL;
}

/* Waits; true if a SIGTERM came. */
static bool pause_for(unsigned milliseconds)
{
	struct timespec time = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000L};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	return sigtimedwait(&set, NULL, &time) == SIGTERM;
}

/* False if there is nothing to watch over after all. */
static bool wait_for_release(int guard)
{
	char byte;
	ssize_t n;

	while ((n = read(guard, &byte, 1)) < 0 && errno == EINTR)
		;
	close(guard);
	return n <= 0;
}

static void keep_watch(struct watch *watch)
{
	unsigned retry = RETRY_FIRST_MS;
	const char *reason = NULL;
	bool end = false;

	if (!wait_for_release(watch->guard))
		return;
	watch->record.state = RECORD_PENDING;
	watch->record.deadline = boot_time_now() + watch->limit;
	while ((reason = look(watch, &end)) == NULL) {
		if (end)
			return;
		if (pause_for(LOOK_MS)) {
			reason = "the process that watched over it was told to end";
			break;
		}
	}
	for (unsigned tries = 1; !undo(watch, reason) && tries < TRIES_MAX; tries++) {
		keep_lock(watch);
		pause_for(retry);
		retry = retry * 2 < RETRY_MAX_MS ? retry * 2 : RETRY_MAX_MS;
	}
}

/* ---- becoming a process of its own ---- */

/* The guard and the way to say that it is ready are all it keeps of what was open. */
static void let_go_of_session(int *guard, int *ready)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGALRM};
	int null = open("/dev/null", O_RDWR);
	sigset_t set;

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	clearenv();
	umask(077);
	if (chdir("/") != 0 || null < 0)
		_exit(1);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	/* First out of the way of 3 and 4, where they go. */
	*guard = fcntl(*guard, F_DUPFD_CLOEXEC, 5);
	*ready = fcntl(*ready, F_DUPFD_CLOEXEC, 5);
	if (dup3(*guard, 3, O_CLOEXEC) != 3 || dup3(*ready, 4, O_CLOEXEC) != 4)
		_exit(1);
	*guard = 3;
	*ready = 4;
	/* Locks are among what is closed: they belong to the process that makes the change. */
	closefrom(5);
	prctl(PR_SET_NAME, "peerwall-undo");
}

static _Noreturn void become_watcher(struct watch *watch, int ready)
{
	struct arena arena = ARENA_EMPTY;
	const char *path;

	let_go_of_session(&watch->guard, &ready);
	path = lock_path(&watch->options, &arena);
	/* One of an earlier change may be about to end. */
	if (!path || lock_acquire(&watch->lock, path, LOCK_EXCLUSIVE, START_LIMIT_MS / 2) != 0)
		_exit(1);
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	keep_watch(watch);
	_exit(0);
}

/* Forked twice: its parent is init then, and nobody waits for it. */
static int fork_watcher(struct watch *watch, int guard, int ready)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return -errno;
	if (child == 0) {
		pid_t watcher = setsid() < 0 ? -1 : fork();

		if (watcher != 0)
			_exit(watcher < 0);
		close(guard);
		become_watcher(watch, ready);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EAGAIN;
}

static int wait_until_ready(int ready)
{
	struct pollfd polled = {.fd = ready, .events = POLLIN};
	char byte;
	int found;

	while ((found = poll(&polled, 1, START_LIMIT_MS)) < 0 && errno == EINTR)
		;
	if (found < 0)
		return -errno;
	if (found == 0)
		return -ETIMEDOUT;
	return read(ready, &byte, 1) == 1 ? 0 : -ESRCH;
}

int watcher_start(struct watcher *out, const struct live_options *options, const struct record *record, unsigned limit)
{
	struct watch watch = {.options = *options, .record = *record, .lock = LOCK_FREE, .limit = limit};
	int guard[2] = {-1, -1}, ready[2] = {-1, -1};
	int error = pipe2(guard, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0 ? 0 : -errno;

	*out = WATCHER_NONE;
	if (error == 0) {
		watch.guard = guard[0];
		error = fork_watcher(&watch, guard[1], ready[1]);
	}
	if (ready[1] >= 0)
		close(ready[1]);
	if (error == 0)
		error = wait_until_ready(ready[0]);
	if (ready[0] >= 0)
		close(ready[0]);
	if (guard[0] >= 0)
		close(guard[0]);
	if (error == 0)
		out->guard = guard[1];
	else if (guard[1] >= 0)
		close(guard[1]);
	return error;
}

void watcher_release(struct watcher *watcher)
{
	if (watcher->guard >= 0)
		close(watcher->guard);
	*watcher = WATCHER_NONE;
}

void watcher_cancel(struct watcher *watcher)
{
	/* A watcher that cannot be told goes by the record, which says as much. */
	if (watcher->guard >= 0 && write(watcher->guard, "", 1) < 0)
		watcher_release(watcher);
	watcher_release(watcher);
}

/* ---- what others make of it ---- */

enum change_situation change_situation(const struct record *record, const struct live_options *options,
				       struct arena *arena)
{
	bool same_boot = strcmp(record->boot, boot_id_read(arena)) == 0;

	switch (record->state) {
	case RECORD_KEPT:
		return record->unconfirmed ? SITUATION_UNCONFIRMED : SITUATION_NONE;
	case RECORD_UNDONE:
		return *record->reason ? SITUATION_UNDONE : SITUATION_NONE;
	case RECORD_FAILED:
		return same_boot ? SITUATION_FAILED : SITUATION_NONE;
	default:
		break;
	}
	if (!same_boot)
		return SITUATION_RESTARTED;
	if (watcher_is_alive(options, arena))
		return record->state == RECORD_PENDING && record->deadline > boot_time_now() ? SITUATION_WAITING :
											   SITUATION_UNDOING;
	return record->state == RECORD_LOADING ? SITUATION_INTERRUPTED :
	       record->state == RECORD_PENDING ? SITUATION_UNWATCHED :
						 SITUATION_HALF_UNDONE;
}
