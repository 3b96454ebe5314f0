/*
 * record.h - what is kept of the last change, so that it can be undone: now, in a minute, or after a crash.
 *
 * Purpose: before a change begins, peerwall's rules as they are then go to disk, with what is being done; afterwards,
 * what became of it. There is one record for each network namespace, of its last change, in /var/lib/peerwall: rules are
 * lost when a machine restarts, but that nobody had confirmed them is worth knowing then, all the more if the policy
 * that locked everybody out is about to be loaded again. The boot's own number tells whether the rules may still be there.
 * Who reads it without peerwall's lock sees one record or the next, never half of one; it is written under the lock alone.
 * Units: wall clock in seconds since 1970; deadlines in milliseconds of CLOCK_BOOTTIME, which goes on in suspend.
 * Ownership: everything lives in the arena.
 * Errors: 0 or -errno; -ENOENT where there is none, -EBADMSG for a file that is not a record, or not one of this version.
 */
#ifndef PEERWALL_RECORD_H
#define PEERWALL_RECORD_H

#include <peerwall/live.h>
#include <peerwall/plan.h>
#include <peerwall/strbuf.h>

#include <stdbool.h>
#include <stdint.h>

enum record_state {
	RECORD_LOADING, /* the change is on its way */
	RECORD_PENDING, /* it is in force, and is undone at the deadline */
	RECORD_KEPT,    /* it is in force for good */
	RECORD_UNDOING, /* it is being undone */
	RECORD_UNDONE,
	RECORD_FAILED,  /* it failed, and could not be undone whole */
	RECORD_STATE_COUNT
};

struct record {
	enum record_state state;
	uint64_t id;            /* a random number */
	const char *boot;       /* the kernel's boot_id when it began */
	const char *command;    /* "apply", "down" */
	enum backend backend;
	int64_t began, ended;   /* ended: when it was undone, or that failed; 0: not yet */
	uint64_t deadline;      /* 0: none */
	uint64_t left;          /* record_digest() of what it has left loaded; 0: not known */
	int64_t unconfirmed;    /* when an earlier change began that nobody confirmed, and that `before` leaves out; 0: none */
	const char *reason;     /* why it was undone, or could not be; "" */
	struct name_list interfaces;
	struct ruleset before[FAMILY_COUNT]; /* peerwall's part for these interfaces */
};

/* A sane record has some KiB; one of a policy with ten thousands of rules, a few MiB. */
#define RECORD_SIZE_MAX (256u << 20)

/*
 * Of peerwall's chains, all interfaces': equal for equal ones, and never 0. Jumps do not count: others come and go in front of them,
 * and flush them. Every change of peerwall's makes it another.
 */
uint64_t record_digest(const struct ruleset rules[FAMILY_COUNT], struct arena *arena);

/* Could it be that peerwall has changed rules since, without a record? Never so of a change that is not in force as a whole. */
bool record_is_outdated(const struct record *record, const struct ruleset rules[FAMILY_COUNT], struct arena *arena);

void record_print(struct strbuf *out, const struct record *record);
/* False for what record_print() did not print. */
bool record_parse(struct record *out, const struct strbuf *text, struct arena *arena);

/* Where it is for this network namespace. NULL if that cannot be told. */
const char *record_path(const struct live_options *options, struct arena *arena);

int record_read(struct record *out, const struct live_options *options, struct arena *arena);
/* Makes the directory. */
int record_write(const struct record *record, const struct live_options *options, struct arena *arena);
int record_remove(const struct live_options *options, struct arena *arena);

/* The kernel's number for this boot; "" if it does not tell. */
const char *boot_id_read(struct arena *arena);
uint64_t boot_time_now(void);

#endif
