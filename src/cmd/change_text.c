#include "change_text.h"

#include <peerwall/report.h>

#include <string.h>
#include <time.h>

static void add_time(struct strbuf *out, int64_t seconds)
{
	char text[64] = "an unknown time";
	time_t when = (time_t)seconds;
	struct tm local;

	if (localtime_r(&when, &local))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
	strbuf_adds(out, text);
}

static void add_interfaces(struct strbuf *out, const struct record *record)
{
	vec_each(name, &record->interfaces.items)
		strbuf_addf(out, "%s%s", name == record->interfaces.items.data ? "" : ", ", *name);
}

void change_describe_name(struct strbuf *out, const struct record *record)
{
	strbuf_adds(out, "the change of ");
	add_interfaces(out, record);
	strbuf_addf(out, " (%s, ", record->command);
	add_time(out, record->began);
	strbuf_addc(out, ')');
}

static unsigned long long seconds_left(const struct record *record)
{
	uint64_t now = boot_time_now();

	return record->deadline > now ? (record->deadline - now + 999) / 1000 : 0;
}

static void describe_restart(struct strbuf *out, const struct record *record)
{
	strbuf_adds(out, "the machine was restarted ");
	if (record->state == RECORD_LOADING)
		strbuf_adds(out, "half-way through ");
	else
		strbuf_addf(out, "before %s ", record->state == RECORD_PENDING ? "anybody confirmed" : "it was done undoing");
	change_describe_name(out, record);
	strbuf_adds(out, "; its rules went with that");
}

void change_describe_situation(struct strbuf *out, const struct record *record, enum change_situation situation)
{
	if (situation == SITUATION_NONE)
		return;
	if (situation == SITUATION_RESTARTED) {
		describe_restart(out, record);
		return;
	}
	change_describe_name(out, record);
	switch (situation) {
	case SITUATION_WAITING:
		strbuf_addf(out, " waits to be confirmed: it is undone in %llu s", seconds_left(record));
		break;
	case SITUATION_UNDOING:
		strbuf_adds(out, " is about to be undone");
		if (*record->reason)
			strbuf_addf(out, "; that failed so far: %s", record->reason);
		break;
	case SITUATION_INTERRUPTED:
		strbuf_adds(out, " was interrupted, and may be half done");
		break;
	case SITUATION_UNWATCHED:
		strbuf_adds(out, " was never confirmed, and the process that would undo it is gone");
		break;
	case SITUATION_HALF_UNDONE:
		strbuf_addf(out, " is not undone whole: %s", *record->reason ? record->reason : "that was interrupted");
		break;
	case SITUATION_UNCONFIRMED:
		strbuf_adds(out, " is in force; the one before it, of ");
		add_time(out, record->unconfirmed);
		strbuf_adds(out, ", was never confirmed");
		break;
	case SITUATION_UNDONE:
		strbuf_adds(out, " was undone at ");
		add_time(out, record->ended);
		strbuf_addf(out, ": %s", record->reason);
		break;
	default:
		strbuf_addf(out, " failed and could not be undone whole: %s", record->reason);
		break;
	}
}

const char *change_advice(enum change_situation situation)
{
	switch (situation) {
	case SITUATION_WAITING:
		return "`peerwall confirm` keeps it, `peerwall rollback` undoes it now";
	case SITUATION_UNDOING:
		return "it is tried again at least once a minute; `peerwall rollback` tries at once, and says what stands against it";
	case SITUATION_UNWATCHED:
		return "`peerwall confirm` keeps it, `peerwall rollback` undoes it; so does any `peerwall apply` or `down`";
	case SITUATION_INTERRUPTED:
		return "`peerwall apply` or `peerwall down` puts it right; `peerwall rollback` brings back what was before it";
	case SITUATION_HALF_UNDONE:
	case SITUATION_FAILED:
		return "`peerwall rollback` tries again; `peerwall apply` or `peerwall down` puts it right as well";
	case SITUATION_RESTARTED:
		return "`peerwall apply` loads a policy, perhaps the very one that was on trial; `peerwall rollback` loads what "
		       "was in force before it";
	case SITUATION_UNCONFIRMED:
		return "`peerwall rollback` brings back what was before both, `peerwall confirm` keeps what is";
	default:
		return "";
	}
}

static const char *const situation_words[SITUATION_COUNT] = {
	[SITUATION_NONE] = "none", [SITUATION_WAITING] = "waiting", [SITUATION_UNDOING] = "undoing",
	[SITUATION_INTERRUPTED] = "interrupted", [SITUATION_UNWATCHED] = "unwatched",
	[SITUATION_HALF_UNDONE] = "half-undone", [SITUATION_RESTARTED] = "restarted",
	[SITUATION_UNCONFIRMED] = "unconfirmed", [SITUATION_UNDONE] = "undone", [SITUATION_FAILED] = "failed",
};

json_t *change_json(const struct record *record, enum change_situation situation)
{
	json_t *object, *interfaces;
	struct strbuf message = STRBUF_EMPTY;

	if (situation == SITUATION_NONE)
		return json_null();
	object = json_object();
	interfaces = json_array();
	change_describe_situation(&message, record, situation);
	vec_each(name, &record->interfaces.items)
		json_array_append_new(interfaces, json_text(*name, strlen(*name)));
	json_object_set_new(object, "situation", json_string(situation_words[situation]));
	json_object_set_new(object, "command", json_text(record->command, strlen(record->command)));
	json_object_set_new(object, "interfaces", interfaces);
	json_object_set_new(object, "began", json_integer((json_int_t)record->began));
	json_object_set_new(object, "secondsLeft", situation == SITUATION_WAITING ?
			    json_integer((json_int_t)seconds_left(record)) : json_null());
	json_object_set_new(object, "message", json_text(strbuf_str(&message), message.len));
	strbuf_free(&message);
	return object;
}
