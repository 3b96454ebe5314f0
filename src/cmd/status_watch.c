#include "status_watch.h"

#include <peerwall/rule_events.h>

#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 2000
/* Looking may take this part of the time. */
#define POLL_SHARE 10

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void status_watch_begin(struct status_watch *watch)
{
	*watch = (struct status_watch){.events = rule_events_open(), .last = STRBUF_EMPTY, .begun = now_ms()};
	watch->looked = watch->begun;
}

void status_watch_end(struct status_watch *watch)
{
	if (watch->events >= 0)
		close(watch->events);
	strbuf_free(&watch->last);
}

bool status_watch_is_news(struct status_watch *watch, const char *text)
{
	if (watch->reports && strcmp(text, strbuf_str(&watch->last)) == 0)
		return false;
	strbuf_reset(&watch->last);
	strbuf_adds(&watch->last, text);
	watch->reports++;
	return true;
}

static void pause_for(long long milliseconds)
{
	nanosleep(&(struct timespec){milliseconds / 1000, (milliseconds % 1000) * 1000000}, NULL);
}

bool status_watch_next(struct status_watch *watch)
{
	long long now = now_ms(), took = now - watch->looked, left = LLONG_MAX, pause;

	if (!watch->on || (watch->report_limit && watch->reports >= watch->report_limit))
		return false;
	if (watch->time_limit)
		left = watch->begun + watch->time_limit - now;
	/* Once more at the end, for the exit code. */
	watch->ending = left <= 0;
	if (watch->ending)
		return true;
	if (watch->polls || watch->events < 0) {
		pause = took * POLL_SHARE > POLL_MS ? took * POLL_SHARE : POLL_MS;
		pause_for(pause < left ? pause : left);
	} else {
		rule_events_wait(watch->events, left < INT_MAX ? (unsigned)left : INT_MAX);
	}
	watch->looked = now_ms();
	return true;
}
