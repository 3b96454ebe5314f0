/*
 * watch_live.h - follows the live trace, and prints each packet when it is through. Private to watch.
 */
#ifndef PEERWALL_WATCH_LIVE_H
#define PEERWALL_WATCH_LIVE_H

#include "live_command.h"
#include "watch_report.h"

#include <peerwall/watch_filter.h>

/* In the form that --format says; false if nobody reads on. */
bool watch_print(struct live_command *command, const struct watch_report *report);

/* Until the time is over, enough packets were seen, or a signal ends it. An exit code. */
int watch_live(struct live_command *command, const struct watch_match_list *matches);

#endif
