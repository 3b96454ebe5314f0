/*
 * proof.h - that exactly what policies declare gets in, or the packet that shows otherwise.
 *
 * Purpose: compares what becomes of all packets (traverse.h) with what is declared (declared.h), for every interface:
 * nothing undeclared gets in; everything declared does; the first does not depend on nat or filter; tests hold.
 * Findings PW610 to PW619; docs/diagnostics.md says what each means and what was assumed.
 * Ownership: findings live in the arena of the diagnostics.
 * Errors: a ruleset too entangled for the means at hand is a finding, too.
 */
#ifndef PEERWALL_PROOF_H
#define PEERWALL_PROOF_H

#include <peerwall/diag.h>
#include <peerwall/host.h>
#include <peerwall/policy.h>
#include <peerwall/ruleset.h>
#include <peerwall/vec.h>

#include <stdbool.h>

struct proof_policies {
	VEC(const struct policy *) items;
};

struct proof_input {
	struct proof_policies policies;
	const struct ruleset *applied; /* one family's, mostly as they would be with the policies applied */
	const struct host *host;       /* what is known of it; may be nothing */
	bool as_they_are;              /* what others may add to raw, nat and filter is not asked for */
	bool nat_first;                /* nat's INPUT comes before security's: not so with the legacy tables */
};

enum proof_outcome {
	PROOF_HOLDS,
	PROOF_FINDS,    /* something: see the diagnostics */
	PROOF_GIVES_UP, /* nothing may be concluded */
};

/* What was assumed is said in a diagnostic, and is no finding. */
enum proof_outcome proof_run(const struct proof_input *input, struct arena *arena, struct diags *diags);

#endif
