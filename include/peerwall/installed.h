/*
 * installed.h - what is wrong with rules as they are, whoever wrote them.
 *
 * Purpose: takes everything that can come to each table through its chains, and finds the rules that nothing ever
 * hits, those that could as well be left out, and chains that nothing comes into: PW620 to PW624. Each table is
 * judged alone, with whatever the others may do, so that what is said holds whatever becomes of the others, and of the host's
 * addresses and routes. And what gets in by each interface, by all tables together: PW625.
 * Costs: as many walks through a table as its rules tell interfaces and states of connections apart, each linear in the rules.
 * Ownership: findings live in the arena of the diagnostics.
 * Errors: a table too entangled for the means at hand is told, PW616, and not judged.
 */
#ifndef PEERWALL_INSTALLED_H
#define PEERWALL_INSTALLED_H

#include <peerwall/diag.h>
#include <peerwall/host.h>
#include <peerwall/ruleset.h>

void installed_check_rules(const struct ruleset *ruleset, struct diags *diags);

struct installed_exposure {
	const struct ruleset *ruleset;
	const struct host *host; /* what is known of it; may be nothing */
	bool nat_first;          /* nat's INPUT comes before security's: not so with the legacy tables */
};

void installed_tell_exposure(const struct installed_exposure *input, struct diags *diags);

#endif
