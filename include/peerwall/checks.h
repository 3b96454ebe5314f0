/*
 * checks.h - lint: what is likely wrong with a policy, alone or beside the rules of a snapshot.
 *
 * Purpose: a table of named checks that need no packet sets. Each has a code of codes.def (its number, name and
 * summary), a severity, what it needs to run, and a section in docs/diagnostics.md. They look at the text of
 * rules, not at what packets do; where a rule could not be decoded they keep silent.
 * Ownership: findings live in the arena of the diagnostics; nothing of the input is changed.
 * Errors: none of the system's. State after a failed check: there is none, a check can only add findings.
 * Costs: each check is n log n in the size of policies and snapshots.
 */
#ifndef PEERWALL_CHECKS_H
#define PEERWALL_CHECKS_H

#include <peerwall/diag.h>
#include <peerwall/policy.h>
#include <peerwall/ruleset.h>
#include <peerwall/source.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stddef.h>

/* Which of the two implementations wrote a dump; its header comment says so from iptables 1.8.9 on. */
enum check_backend { CHECK_BACKEND_UNKNOWN, CHECK_BACKEND_LEGACY, CHECK_BACKEND_NFT };

/* Rules that the policies will live beside: a file's or the live ones. */
struct check_snapshot {
	const struct ruleset *ruleset; /* has the family */
	const struct source *source;
	enum check_backend backend;
	bool none_refused; /* the proof ran, and nothing that is declared is refused */
};

enum check_backend check_guess_backend(const struct source *source);

/* A finding that a comment in the policy switched off. */
struct suppressed {
	const struct diag *diag;
	struct span comment;
};

struct suppressed_list {
	VEC(struct suppressed) items;
};

struct check_input {
	const struct sources *sources;
	VEC(const struct policy *) policies;
	VEC(struct check_snapshot) snapshots; /* any number of each family; none: the checks that need one do not run */
	bool installed;                       /* the rules are looked at as they are, not as the policies would make them */
	bool proof_was_tried, tests_run;      /* by the proof, whose findings are in the list already */
	struct suppressed_list *suppressed;   /* where these are recorded; NULL if nobody asks */
};

/* What a check needs before it can say anything. */
enum check_need { CHECK_NEEDS_POLICY, CHECK_NEEDS_SNAPSHOT };

struct check_run; /* a run of the checks: src/analyse/checks_run.h */

struct check {
	enum diag_code code;
	enum severity severity; /* where it is on; codes.def says whether it is on by default */
	enum check_need need;
	bool conflict;          /* an error of it is a conflict with the snapshot or another policy, else the policy is wrong */
	void (*run)(struct check_run *run);
};

/* The table, in the order of the codes. */
const struct check *checks_table(size_t *count);
/* The row of a code, or NULL if the code belongs to no check. */
const struct check *check_find(enum diag_code code);

struct check_settings {
	enum severity severity[CODE_COUNT];
	bool chosen[CODE_COUNT]; /* the user spoke of it by name */
	bool errors;             /* every warning is an error */
	bool prove;              /* the user asks for the test blocks to be proved */
};

enum check_setting { CHECK_SETTING_OK, CHECK_SETTING_UNKNOWN, CHECK_SETTING_FIXED };

void check_settings_init(struct check_settings *settings);
/*
 * "NAME", "no-NAME", "all", "no-all"; a name or a number of any diagnostic. Later ones win over earlier ones.
 * Unknown: no such diagnostic. Fixed: it is an error in itself and cannot be switched.
 */
enum check_setting check_settings_switch(struct check_settings *settings, const char *text);
/* "NAME" (switched on as an error) or "all" (every warning is an error). */
enum check_setting check_settings_error(struct check_settings *settings, const char *text);
/* The name nearest to what -W or --error was given, or NULL. */
const char *check_settings_nearest(const char *text);

/*
 * Runs all checks that are on and have what they need, and gives every diagnostic in the list, also those that
 * were there before, the severity that the settings ask for. What a comment in a policy switches off leaves the
 * list. Where a policy has errors of its language no check runs, and only the settings are applied.
 * True if no error is left.
 */
bool checks_run(const struct check_input *input, const struct check_settings *settings, struct diags *diags);

/* Is each error in the list a conflict with a snapshot, or a snapshot or a host file that cannot be read? */
bool checks_only_conflicts(const struct diags *diags);

#endif
