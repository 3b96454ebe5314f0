/*
 * plan.h - what must change in a live ruleset so that it holds what is wanted, and no more than that.
 *
 * Purpose: compares our part of a live ruleset (chains and jumps of the given interfaces) with what is
 * wanted, and gives the smallest edit of each table, in the order that never opens a gap (see docs/lowering.md).
 * Foreign rules are never part of an edit. The same function makes up, reload, down and undo:
 * an undo is a plan whose `want` is what plan_own_part() took from the ruleset before.
 * Ownership: everything lives in the arena.
 */
#ifndef PEERWALL_PLAN_H
#define PEERWALL_PLAN_H

#include <peerwall/lower.h>
#include <peerwall/ruleset.h>

/* In the words of iptables-restore --noflush. */
enum command_kind {
	COMMAND_CHAIN,        /* ":C - [0:0]": creates or empties */
	COMMAND_APPEND,       /* "-A C rule" */
	COMMAND_INSERT,       /* "-I C position rule" */
	COMMAND_DELETE,       /* "-D C rule": the first equal one */
	COMMAND_ASSERT,       /* "-C C rule": the whole edit fails where it is not there */
	COMMAND_FLUSH,        /* "-F C" */
	COMMAND_DELETE_CHAIN, /* "-X C" */
};

struct command {
	enum command_kind kind;
	const char *chain;
	unsigned position;       /* insert: from 1 */
	const struct rule *rule; /* append, insert, delete, assert */
};

/* One table's commands: applied whole or not at all. */
struct edit {
	enum table_id table;
	VEC(struct command) commands;
};

/* A chain of ours that is not wanted and that a foreign rule leads to: the kernel would not delete it. It is emptied, and stays. */
struct held_chain {
	enum table_id table;
	const struct chain *chain;
	const char *holder;      /* the foreign rule's chain */
	const struct rule *rule; /* jumps there (a jump into an empty chain comes back), or goes there and does not come back */
};

struct plan {
	enum family family;
	VEC(struct edit) edits; /* in the order in which they have to be applied; empty: nothing to do */
	VEC(struct held_chain) held; /* one for each such rule */
};

/* How our part of a live ruleset differs from what is wanted, for status and diff. */
enum drift_kind {
	DRIFT_CHAIN_MISSING,
	DRIFT_CHAIN_EXTRA,    /* a chain of ours that is no longer wanted */
	DRIFT_JUMP_MISSING,
	DRIFT_JUMP_DUPLICATE,
	DRIFT_JUMP_EXTRA,
	DRIFT_JUMP_OVERTAKEN, /* a foreign rule that can accept stands before it */
	DRIFT_RULE_MISSING,   /* wanted, not there */
	DRIFT_RULE_EXTRA,     /* there, not wanted */
};

struct drift {
	enum drift_kind kind;
	enum table_id table;
	const char *interface;
	const char *chain;
	unsigned position;       /* of the rule in its chain, from 1 */
	const struct rule *rule; /* NULL for chains */
	unsigned overtaker_position;  /* of an overtaken jump: the first rule before it that can accept */
	const struct rule *overtaker; /* NULL of all others */
};

struct drift_list {
	VEC(struct drift) items;
};

/* The interfaces whose chains or jumps a ruleset holds, in the order of first appearance. */
struct name_list {
	VEC(const char *) items;
};
void plan_own_interfaces(struct name_list *out, const struct ruleset *live, struct arena *arena);

/* Our part of it for these interfaces: our chains, and our jumps in built-in chains. */
void plan_own_part(struct ruleset *out, const struct ruleset *live, const struct name_list *interfaces,
		   struct arena *arena);

/* `want` as from lower_policy() (several units merged by plan_own_part or one); NULL or empty wants nothing. */
void plan_make(struct plan *out, const struct ruleset *live, const struct ruleset *want,
	       const struct name_list *interfaces, struct arena *arena);

void plan_drift(struct drift_list *out, const struct ruleset *live, const struct ruleset *want,
		const struct name_list *interfaces, struct arena *arena);

/* Puts the units' rules of one family together into one `want`. */
void plan_want(struct ruleset *out, enum family family, const struct unit_list *units, struct arena *arena);

#endif
