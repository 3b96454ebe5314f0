#include <peerwall/rollback.h>

#include <peerwall/apply.h>

#include <string.h>
#include <time.h>

static void keep_record(struct live *live, const struct record *record, bool warn)
{
	int error = record_write(record, &live->options, live->arena);

	if (error && warn)
		strbuf_addf(&live->warnings, "what became of the change cannot be written to %s: %s\n",
			    live->options.state_directory, strerror(-error));
}

bool rollback_run(struct live *live, struct record *record, const char *reason)
{
	struct change change = {.interfaces = record->interfaces, .leave_held = true};
	bool done;

	for (int f = 0; f < FAMILY_COUNT; f++)
		change.want[f] = record->before[f];
	record->state = RECORD_UNDOING;
	keep_record(live, record, false);
	done = change_run(live, &change);
	record->ended = time(NULL);
	record->state = done ? RECORD_UNDONE : RECORD_UNDOING;
	record->reason = done ? reason : live->failure->message;
	keep_record(live, record, true);
	return done;
}
