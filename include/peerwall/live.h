/*
 * live.h - the rules of this host: how they are read, and the tools that change them.
 *
 * Purpose: finds the tools and the backend in use, takes the locks, reads both families' rules. From live_open() to
 * live_unlock() no other peerwall changes rules; under the legacy backend no other iptables does either, if the
 * rules are to be changed: peerwall holds the tools' own lock meanwhile, and the tools it starts lock a
 * file of their own. nf_tables has no such lock: there, other programs' changes are noticed afterwards.
 * A kernel without IPv6 has only IPv4 rules; anything else that keeps IPv6's rules from being read is an error.
 * Units: milliseconds. Ownership: everything lives in the arena; live_unlock() and live_close() let go of the locks.
 * Errors: false, worded in the failure (and in the diagnostics, for rules that cannot be read). Looking changes
 * nothing on the host: no file or directory is made for a lock that nobody holds, and `iptables-legacy-save` is only run
 * where tables exist, since it may create them.
 */
#ifndef PEERWALL_LIVE_H
#define PEERWALL_LIVE_H

#include <peerwall/backend.h>
#include <peerwall/diag.h>
#include <peerwall/failure.h>
#include <peerwall/lock.h>
#include <peerwall/process.h>
#include <peerwall/ruleset.h>
#include <peerwall/source.h>

#include <stdbool.h>
#include <stdint.h>

#define LIVE_RUN_DIRECTORY "/run/peerwall"
#define LIVE_STATE_DIRECTORY "/var/lib/peerwall"

struct live_options {
	const enum backend *backend;    /* NULL: the one in use */
	const char *tools_directory;    /* NULL: the fixed list */
	const char *run_directory;      /* for lock files, and notes on the tables that we made */
	const char *state_directory;    /* for the record of the last change */
	const char *xtables_lock;       /* the legacy tools' lock file */
	unsigned lock_limit;            /* how long to wait for locks */
	unsigned tool_limit;            /* how long a tool may take */
};

enum live_purpose {
	LIVE_LOOK,   /* at our own rules */
	LIVE_LOAD,   /* to load rules */
	LIVE_UNLOAD, /* to take our own rules away */
	LIVE_PLAN,   /* to say what loading would do */
};

struct live {
	struct arena *arena;
	struct sources *sources;
	struct diags *diags;
	struct failure *failure;
	struct live_options options;
	enum backend backend;
	struct tools tools;
	bool has_family[FAMILY_COUNT];
	struct ruleset rules[FAMILY_COUNT]; /* as read by live_open() */
	struct ruleset changed[FAMILY_COUNT]; /* as read back after a change that was made */
	const struct source *texts[FAMILY_COUNT]; /* what they were read from; NULL where there was nothing to read */
	bool has_generation;                /* of nf_tables, taken before the rules were read */
	uint32_t generation;
	struct strbuf warnings, notes;      /* lines for standard error */
	struct lock own_lock, tools_lock;
};

bool live_open(struct live *live, const struct live_options *options, enum live_purpose purpose, struct sources *sources,
	       struct arena *arena, struct diags *diags, struct failure *failure);
void live_close(struct live *live);

/*
 * Lets go of the locks; what was read stays. Comes before anything is printed: whoever does not read what we say must not keep
 * others from changing rules, nor a change from being undone in time.
 */
void live_unlock(struct live *live);

/* peerwall's own lock alone: for what changes no rules. A shared one is not held where there is no lock file yet. */
bool live_lock(struct lock *lock, const struct live_options *options, enum lock_kind kind, struct failure *failure);

/* Reads the rules once more. A failure is worded with the kind given. */
bool live_read(struct live *live, struct ruleset out[FAMILY_COUNT], enum failure_kind kind);

enum restore_outcome {
	RESTORE_DONE,
	RESTORE_REFUSED, /* the tool said no; a table is loaded whole or not at all */
	RESTORE_BUSY,    /* as refused, but it may work in a moment: status 4, a lock or a concurrent change */
	RESTORE_UNKNOWN, /* it was stopped or killed: it may have done its work or not */
};

/*
 * Feeds a payload to iptables-restore --noflush (or to its --test). What it said, if it did not succeed, is
 * appended to `said`: "/usr/sbin/iptables-nft-restore exited with status 1: iptables-nft-restore: line 3 failed".
 */
enum restore_outcome live_restore(struct live *live, enum family family, const struct strbuf *payload, bool test,
				  struct strbuf *said);

/* The command line as live_restore() runs it, for people. */
void live_describe_restore(struct strbuf *out, const struct live *live, enum family family);

/* Does the legacy backend have this table at work already? Always so under nft, which makes its own. */
bool live_has_table(const struct live *live, enum family family, enum table_id table);

#endif
