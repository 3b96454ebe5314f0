#include <peerwall/recorded_change.h>

#include <peerwall/overlay.h>
#include <peerwall/rollback.h>
#include <peerwall/watcher.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* How long a record that is gone is waited for: a watcher looks five times a second. */
#define SETTLE_TRIES 5
#define SETTLE_TRIES_UNWATCHED 2
#define SETTLE_PAUSE_MS 200

static bool is_unfinished(const struct record *record)
{
	return record->state == RECORD_LOADING || record->state == RECORD_PENDING || record->state == RECORD_UNDOING;
}

static bool holds_name(const struct name_list *names, const char *wanted)
{
	vec_each(name, &names->items)
		if (strcmp(*name, wanted) == 0)
			return true;
	return false;
}

static void list_interfaces(struct strbuf *out, const struct name_list *names)
{
	vec_each(name, &names->items)
		strbuf_addf(out, "%s%s", out->len ? ", " : "", *name);
}

/* Of a record that cannot be understood nothing is known; the next change replaces it. */
static bool read_earlier(struct live *live, struct record *out)
{
	int error = record_read(out, &live->options, live->arena);

	if (error && error != -ENOENT)
		strbuf_addf(&live->warnings, "the record of the last change in %s cannot be read (%s): it is replaced\n",
			    live->options.state_directory, error == -EBADMSG ? "it is not one" : strerror(-error));
	return error == 0;
}

static bool refuse_unknown(struct live *live)
{
	failure_set(live->failure, FAILURE_CONFLICT, "a change waits to be confirmed, but its record in %s is gone or cannot be read",
		    live->options.state_directory);
	failure_note(live->failure, "the process that undoes it when its time is up writes it again, if it can; nothing was changed");
	return false;
}

bool recorded_change_may_begin(struct live *live)
{
	struct strbuf names = STRBUF_EMPTY;
	struct record record;
	enum change_situation situation;

	if (record_read(&record, &live->options, live->arena) != 0)
		return !watcher_stays_alive(&live->options, live->arena) || refuse_unknown(live);
	situation = change_situation(&record, &live->options, live->arena);
	if (situation != SITUATION_WAITING && situation != SITUATION_UNDOING)
		return true;
	list_interfaces(&names, &record.interfaces);
	if (situation == SITUATION_WAITING) {
		failure_set(live->failure, FAILURE_CONFLICT, "a change of %s waits to be confirmed, and is undone in %llu s",
			    strbuf_str(&names), (unsigned long long)((record.deadline - boot_time_now()) / 1000 + 1));
		failure_note(live->failure, "`peerwall confirm` keeps it, `peerwall rollback` undoes it now; nothing was changed");
	} else {
		failure_set(live->failure, FAILURE_CONFLICT, "a change of %s is about to be undone: nobody confirmed it",
			    strbuf_str(&names));
		if (*record.reason)
			failure_note(live->failure, "that failed so far: %s", record.reason);
		failure_note(live->failure, "wait for that, or see `peerwall status`; nothing was changed");
	}
	strbuf_free(&names);
	return false;
}

/* ---- what there was before ---- */

static void join_names(struct name_list *out, const struct name_list *more, struct arena *arena)
{
	struct intern seen;

	intern_init(&seen, arena);
	vec_each(name, &out->items)
		intern_add(&seen, *name, strlen(*name));
	vec_each(name, &more->items)
		if (intern_find(&seen, *name, strlen(*name)) == INTERN_NONE)
			vec_push(arena, &out->items, *name);
}

/* What was loaded before the earlier change, in place of what it has left. */
static void take_over(struct live *live, const struct record *earlier, struct record *record)
{
	join_names(&record->interfaces, &earlier->interfaces, live->arena);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct ruleset rules;
		struct plan plan;

		plan_make(&plan, &live->rules[f], &earlier->before[f], &earlier->interfaces, live->arena);
		overlay_make(&rules, &live->rules[f], &plan, live->arena);
		plan_own_part(&record->before[f], &rules, &record->interfaces, live->arena);
	}
	record->unconfirmed = earlier->unconfirmed ? earlier->unconfirmed : earlier->deadline ? earlier->began : 0;
}

static void make_record(struct live *live, const struct change *change, const char *command,
			const struct record *earlier, struct record *out)
{
	*out = (struct record){
		.state = RECORD_LOADING, .boot = boot_id_read(live->arena), .command = command, .backend = live->backend,
		.began = time(NULL), .reason = "",
	};
	/* 0 is no id. */
	while (out->id == 0 && getrandom(&out->id, sizeof out->id, 0) >= 0)
		;
	join_names(&out->interfaces, &change->interfaces, live->arena);
	for (int f = 0; f < FAMILY_COUNT; f++)
		plan_own_part(&out->before[f], &live->rules[f], &change->interfaces, live->arena);
	if (earlier && is_unfinished(earlier) && earlier->backend == live->backend)
		take_over(live, earlier, out);
}

/* Could it be brought back from what is written of it? */
static bool can_be_read_again(const struct record *record, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	struct record again;
	bool ok;

	record_print(&text, record);
	ok = text.len <= RECORD_SIZE_MAX && record_parse(&again, &text, arena);
	strbuf_free(&text);
	return ok;
}

/* ---- the change ---- */

struct recording {
	struct live *live;
	struct record *record;
	const struct record *earlier; /* NULL: there is none */
	struct watcher watcher;
	unsigned limit;
	bool written;
};

static bool refuse(struct recording *recording, const char *what, const char *why)
{
	if (recording->limit == 0) {
		strbuf_addf(&recording->live->warnings, "%s (%s): this change cannot be undone by `peerwall rollback`\n", what,
			    why);
		return true;
	}
	failure_set(recording->live->failure, FAILURE_SYSTEM, "%s: %s", what, why);
	failure_note(recording->live->failure, "without it this change could not be undone; nothing was changed");
	return false;
}

static void restore_record(struct recording *recording)
{
	struct live *live = recording->live;

	if (!recording->written)
		return;
	if (recording->earlier)
		(void)record_write(recording->earlier, &live->options, live->arena);
	else
		(void)record_remove(&live->options, live->arena);
}

static bool begin(struct recording *recording)
{
	struct live *live = recording->live;
	const char *what = arena_printf(live->arena, "what is loaded cannot be kept in %s", live->options.state_directory);
	int error;

	if (!can_be_read_again(recording->record, live->arena))
		return refuse(recording, what, "somebody has changed peerwall's chains");
	error = record_write(recording->record, &live->options, live->arena);
	if (error == -EPERM)
		return refuse(recording, what, "others than root may write there");
	if (error)
		return refuse(recording, what, strerror(-error));
	recording->written = true;
	if (recording->limit == 0)
		return true;
	error = watcher_start(&recording->watcher, &live->options, recording->record, recording->limit);
	if (error == 0)
		return true;
	restore_record(recording);
	return refuse(recording, "the process that would undo it cannot be started", strerror(-error));
}

/* Going back by it would undo the wrong change. Where it cannot be removed, its digest tells. */
static void forget_earlier(struct recording *recording)
{
	struct live *live = recording->live;

	/* A watcher that is about to end, since its change is confirmed, must not take it for one that was cleared away. */
	if (recording->earlier && !watcher_is_alive(&live->options, live->arena))
		(void)record_remove(&live->options, live->arena);
}

/* In force; but if nobody could tell later that it waits, it must not stay. */
static bool end_well(struct recording *recording)
{
	struct live *live = recording->live;
	struct record *record = recording->record;
	int error;

	if (!recording->written) {
		forget_earlier(recording);
		return true;
	}
	record->left = record_digest(live->changed, live->arena);
	record->state = recording->limit ? RECORD_PENDING : RECORD_KEPT;
	record->deadline = recording->limit ? boot_time_now() + recording->limit : 0;
	error = record_write(record, &live->options, live->arena);
	if (error == 0)
		return true;
	if (recording->limit == 0)
		return refuse(recording, "the record of it cannot be written", strerror(-error));
	failure_set(live->failure, FAILURE_ROLLED_BACK, "the record of it cannot be written to %s: %s",
		    live->options.state_directory, strerror(-error));
	if (!live_read(live, live->rules, FAILURE_ROLLED_BACK) || !rollback_run(live, record, "")) {
		live->failure->kind = FAILURE_STUCK;
		/* By the last record that was written, it takes this for a change that was killed. */
		watcher_release(&recording->watcher);
	}
	return false;
}

static void end_badly(struct recording *recording)
{
	struct live *live = recording->live;
	struct record *record = recording->record;

	if (live->failure->kind != FAILURE_STUCK) {
		restore_record(recording);
		return;
	}
	record->state = RECORD_FAILED;
	record->ended = time(NULL);
	record->reason = live->failure->message;
	if (recording->written && record_write(record, &live->options, live->arena) == 0)
		failure_note(live->failure, "or go back once more with `peerwall rollback`");
}

static bool is_needed(const struct live *live, const struct change *change)
{
	struct name_list changed = {0};

	change_interfaces(&changed, live, change);
	return changed.items.len > 0;
}

static bool is_loaded(const struct live *live, const char *interface)
{
	struct name_list loaded = {0};

	for (int f = 0; f < FAMILY_COUNT; f++)
		plan_own_interfaces(&loaded, &live->rules[f], live->arena);
	return holds_name(&loaded, interface);
}

/* Everything is as it is wanted already: so that is what became of a change which was interrupted. */
static void settle_earlier(struct live *live, const struct change *change)
{
	struct record earlier;

	if (record_read(&earlier, &live->options, live->arena) != 0 || !is_unfinished(&earlier))
		return;
	vec_each(name, &earlier.interfaces.items)
		if (!holds_name(&change->interfaces, *name) && is_loaded(live, *name))
			return;
	earlier.state = RECORD_KEPT;
	earlier.left = record_digest(live->rules, live->arena);
	earlier.deadline = 0;
	earlier.reason = "";
	/* If it cannot be written, status goes on to tell of it, and that is all. */
	(void)record_write(&earlier, &live->options, live->arena);
}

bool recorded_change_run(struct live *live, const struct change *change, const char *command, unsigned limit,
			 struct record *out)
{
	struct record earlier;
	struct recording recording = {.live = live, .record = out, .watcher = WATCHER_NONE, .limit = limit};
	bool done;

	*out = (struct record){0};
	if (!is_needed(live, change)) {
		if (limit == 0)
			settle_earlier(live, change);
		return change_run(live, change);
	}
	if (read_earlier(live, &earlier))
		recording.earlier = &earlier;
	make_record(live, change, command, recording.earlier, out);
	if (!begin(&recording))
		return false;
	done = change_run(live, change) || live->failure->kind == FAILURE_LEFTOVER;
	if (!done)
		end_badly(&recording);
	else
		done = end_well(&recording);
	if (done)
		watcher_release(&recording.watcher);
	else
		watcher_cancel(&recording.watcher);
	return done;
}

/* ---- afterwards ---- */

static enum confirm_outcome judge(const struct record *record, uint64_t id, struct arena *arena)
{
	if (id && record->id != id)
		return CONFIRM_NOTHING;
	switch (record->state) {
	case RECORD_PENDING:
		return strcmp(record->boot, boot_id_read(arena)) == 0 ? CONFIRM_DONE : CONFIRM_NOTHING;
	case RECORD_KEPT:
		return record->unconfirmed ? CONFIRM_DONE : CONFIRM_ALREADY;
	case RECORD_UNDONE:
		return CONFIRM_TOO_LATE;
	/* Whoever undoes holds the lock: so this time it did not work. */
	case RECORD_UNDOING:
		return CONFIRM_NOT_UNDONE;
	default:
		return CONFIRM_NOTHING;
	}
}

/* 0 with the outcome, or -errno of the record. */
static int settle(const struct live_options *options, uint64_t id, bool keep, struct record *record, struct arena *arena,
		  enum confirm_outcome *outcome)
{
	int error = record_read(record, options, arena);

	if (error)
		return error;
	*outcome = judge(record, id, arena);
	if (*outcome != CONFIRM_DONE)
		return 0;
	record->state = keep ? RECORD_KEPT : RECORD_PENDING;
	record->unconfirmed = 0;
	record->deadline = 0;
	error = record_write(record, options, arena);
	if (error)
		*outcome = CONFIRM_NOTHING;
	return error;
}

enum confirm_outcome recorded_change_settle(const struct live_options *options, uint64_t id, bool keep,
					    struct record *record, struct failure *failure)
{
	enum confirm_outcome outcome = CONFIRM_NOTHING;
	bool watched = false;
	int error = 0;

	for (unsigned tries = 0; tries < SETTLE_TRIES; tries++) {
		struct lock lock = LOCK_FREE;

		*record = (struct record){0};
		if (!live_lock(&lock, options, LOCK_EXCLUSIVE, failure))
			return CONFIRM_FAILED;
		error = settle(options, id, keep, record, failure->arena, &outcome);
		lock_release(&lock);
		watched = (error == -ENOENT || error == -EBADMSG) && watcher_is_alive(options, failure->arena);
		/* Its lock may be gone as well. */
		if ((error != -ENOENT || tries >= SETTLE_TRIES_UNWATCHED) && !watched)
			break;
		/* Without the lock: the watcher is about to write it again. */
		nanosleep(&(struct timespec){0, SETTLE_PAUSE_MS * 1000000L}, NULL);
	}
	if (error == 0 || (error == -ENOENT && !watched))
		return outcome;
	failure_set(failure, FAILURE_SYSTEM, "the record of the last change in %s: %s", options->state_directory,
		    error == -EBADMSG ? "it is not one of this version" : strerror(-error));
	if (watched)
		failure_note(failure, "a change waits that cannot be confirmed without it: it will be undone when its time is up");
	return CONFIRM_FAILED;
}
