/*
 * foreign.h - are other programs' rules as they were?
 *
 * Compares what is not peerwall's of two readings of one table: chains, policies, and rules word for word, in
 * their order. Counters do not count. Ownership: nothing is kept; `line` is the caller's.
 */
#ifndef PEERWALL_FOREIGN_H
#define PEERWALL_FOREIGN_H

#include <peerwall/ruleset.h>
#include <peerwall/strbuf.h>

#include <stdbool.h>

/* If they differ, `line` is the first that does, *gone whether it is of `before`. */
bool foreign_rules_differ(const struct ruleset *before, const struct ruleset *now, enum table_id table,
			  struct arena *arena, struct strbuf *line, bool *gone);

#endif
