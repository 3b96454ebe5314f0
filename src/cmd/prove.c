#include "prove.h"

#include <peerwall/lower.h>
#include <peerwall/overlay.h>
#include <peerwall/plan.h>
#include <peerwall/proof.h>

#include <stdlib.h>
#include <string.h>

static struct check_snapshot *find_snapshot(const struct check_input *input, enum family family, size_t *count)
{
	struct check_snapshot *found = NULL;

	*count = 0;
	vec_each(snapshot, &input->snapshots)
		if (snapshot->ruleset->family == family) {
			found = snapshot;
			++*count;
		}
	return found;
}

/* What apply would make of the rules that are there. */
static void apply_in_memory(struct ruleset *out, const struct ruleset *live, const struct unit_list *units,
			    struct arena *arena)
{
	struct name_list interfaces = {0};
	struct ruleset want;
	struct plan plan;

	vec_each(unit, &units->items)
		vec_push(arena, &interfaces.items, unit->interface);
	plan_want(&want, live->family, units, arena);
	plan_make(&plan, live, &want, &interfaces, arena);
	overlay_make(out, live, &plan, arena);
}

static void say_not_proved(struct diags *diags, enum family family, const char *reason)
{
	diag_add(diags, CODE_NOT_PROVED, SPAN_NONE, "%s: what gets in was not worked out: %s", family_name(family), reason);
}

/* Among the findings from that number on. */
static bool finds_refused(const struct diags *diags, size_t from)
{
	for (size_t i = from; i < diags->all.len; i++) {
		enum diag_code code = diags->all.data[i]->code;

		if (code == CODE_DECLARED_REFUSED || code == CODE_DECLARED_MAY_BE_REFUSED)
			return true;
	}
	return false;
}

static bool prove_family(const struct check_input *input, const struct host *host, const struct unit_list *units,
			 enum family family, bool always, struct arena *arena, struct diags *diags)
{
	struct proof_input proof = {.host = host, .nat_first = true};
	struct ruleset *applied = arena_alloc(arena, sizeof *applied), *none;
	size_t snapshots;
	enum proof_outcome outcome;
	size_t before = diags->all.len;
	struct check_snapshot *snapshot = find_snapshot(input, family, &snapshots);

	if (snapshots > 1) {
		say_not_proved(diags, family, "both backends hold rules");
		return false;
	}
	if (input->installed && !snapshot) {
		say_not_proved(diags, family, "no snapshot holds its rules");
		return true;
	}
	vec_each(policy, &input->policies)
		vec_push(arena, &proof.policies.items, *policy);
	if (snapshot)
		proof.nat_first = snapshot->backend != CHECK_BACKEND_LEGACY;
	none = arena_alloc(arena, sizeof *none);
	ruleset_init(none, family, arena);
	proof.as_they_are = input->installed;
	if (proof.as_they_are)
		*applied = *snapshot->ruleset;
	else
		apply_in_memory(applied, snapshot ? snapshot->ruleset : none, units, arena);
	proof.applied = applied;
	outcome = proof_run(&proof, arena, diags);
	if (outcome == PROOF_GIVES_UP) {
		say_not_proved(diags, family, "the rules are too entangled");
		return false;
	}
	if (snapshot)
		snapshot->none_refused = !finds_refused(diags, before);
	if (always && outcome == PROOF_HOLDS)
		diag_add(diags, CODE_PROVED, SPAN_NONE, "%s: proved that exactly what is declared gets in%s",
			 family_name(family),
			 snapshot ? "" : "; without a snapshot, as on a host that has no other rules");
	return true;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/*
 * Interfaces that are claimed twice are an error of their own; what would be applied then nobody knows. All names that
 * begin with a pattern's stem stand together when sorted, and the pattern among them: so if any two overlap, two
 * neighbours do.
 */
static bool are_disjoint(const struct unit_list *units, struct arena *arena)
{
	size_t count = units->items.len;
	const char **names = arena_alloc(arena, count * sizeof *names);

	for (size_t i = 0; i < count; i++)
		names[i] = units->items.data[i].interface;
	qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 1; i < count; i++)
		if (interface_names_overlap(names[i - 1], names[i]))
			return false;
	return true;
}

void prove(struct check_input *input, const struct host *host, bool always, struct arena *arena, struct diags *diags)
{
	struct unit_list units = {0};
	bool done = true;
	size_t count;

	if (diags->errors || !input->policies.len || (!always && !input->snapshots.len))
		return;
	vec_each(policy, &input->policies) {
		struct unit_list own;

		lower_policy(&own, *policy, arena);
		vec_each(unit, &own.items)
			vec_push(arena, &units.items, *unit);
	}
	if (!are_disjoint(&units, arena))
		return;
	for (int family = 0; family < FAMILY_COUNT; family++)
		if (always || find_snapshot(input, (enum family)family, &count))
			done &= prove_family(input, host, &units, (enum family)family, always, arena, diags);
	input->proof_was_tried = true;
	input->tests_run = done;
}
