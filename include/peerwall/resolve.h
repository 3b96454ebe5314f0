/*
 * resolve.h - from a policy's tree to what it allows: names looked up, sets worked out, everything checked.
 *
 * Ownership: the policy lives in the arena.
 * Errors: diagnostics with places. True if no error was added. After false the policy holds what could be
 * resolved: good for further reports, never to compile.
 * Costs: n log n in what is written plus what nested names expand to, which EXPANSION_MAX bounds.
 * Service names are looked up in SERVICES_PATH (services(5)) directly, not through the name service switch, so
 * that the same input gives the same rules on a host without a network.
 */
#ifndef PEERWALL_RESOLVE_H
#define PEERWALL_RESOLVE_H

#include <peerwall/ast.h>
#include <peerwall/diag.h>
#include <peerwall/parse_policy.h>
#include <peerwall/policy.h>

#include <stdbool.h>

/* What all nested definitions together may expand to, in ranges of addresses and ports. */
#define EXPANSION_MAX 4000000u

/* Where the log clause does not say. */
#define LOG_LIMIT_DEFAULT 6 /* packets per minute */
#define LOG_BURST_DEFAULT 5

bool resolve_policy(struct policy *out, const struct ast *ast, struct arena *arena, struct diags *diags);

/*
 * Loads, parses and resolves; "-" is standard input. A file that cannot be read is a diagnostic without a place.
 * After syntax errors it still resolves what was understood, for more errors.
 */
bool policy_load(struct policy *out, struct sources *sources, const char *path, const struct parameters *parameters,
		 struct arena *arena, struct diags *diags);

#endif
