/*
 * status_watch.h - looking at the same thing again and again, and telling only news.
 *
 * Purpose: what `status --watch` knows from one look to the next: what it has told last, and when to look again. Under nft
 * the kernel says when; else it looks every two seconds, or more seldom where a look takes long.
 */
#ifndef PEERWALL_STATUS_WATCH_H
#define PEERWALL_STATUS_WATCH_H

#include <peerwall/strbuf.h>

#include <stdbool.h>

struct status_watch {
	bool on, ending; /* there is another look; this is the last one */
	unsigned time_limit;   /* milliseconds for all of it; 0: none */
	unsigned report_limit; /* how many may be told; 0: any number */
	bool polls;            /* nobody says when something changes: to be set at each look */
	int events;            /* -1: nobody does */
	unsigned reports;
	struct strbuf last;
	long long begun, looked; /* milliseconds of CLOCK_MONOTONIC */
};

/* Before the first look: from here on nothing is missed. */
void status_watch_begin(struct status_watch *watch);
void status_watch_end(struct status_watch *watch);

/* Is it other than what was told last? Then it counts as told. */
bool status_watch_is_news(struct status_watch *watch, const char *text);

/* Waits for the time of the next look; false if there is none. */
bool status_watch_next(struct status_watch *watch);

#endif
