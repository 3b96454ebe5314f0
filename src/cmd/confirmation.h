/*
 * confirmation.h - waiting for somebody to say that a change may stay.
 *
 * Purpose: at a terminal, `apply --confirm` shows how much time is left and takes one key: y keeps the change, n or an
 * interrupt undoes it at once, anything else is no answer. It only looks on: the watcher does the work, so that it does no
 * harm if this process ends. Without a terminal there is nobody to ask, and nothing to wait for.
 */
#ifndef PEERWALL_CONFIRMATION_H
#define PEERWALL_CONFIRMATION_H

#include <peerwall/live.h>

#include <stdint.h>

/* Is there a terminal whose keys are ours to take? */
bool confirmation_can_ask(void);

/* Call with signals held: one that comes ends the waiting. The exit code for what became of the change. */
int confirmation_wait(const struct live_options *options, uint64_t id);

/* What `confirm` says and answers; `id` 0 is whichever change waits. */
int confirmation_keep(const struct live_options *options, uint64_t id);

#endif
