/* Checks of the blocks of a policy: interfaces and tests. */
#include "checks_run.h"

#include <stdlib.h>
#include <string.h>

void check_missing_permission(struct check_run *run)
{
	vec_each(policy, &run->input->policies) {
		vec_each(interface, &(*policy)->interfaces) {
			const struct interface_name *name = interface->names.data;

			if (!interface->permissions.len && name)
				diag_add(run->diags, CODE_MISSING_PERMISSION, name->span,
					 "nothing is exposed, allowed or forwarded here: '%s' lets nothing in at all",
					 name->text);
		}
	}
}

/* ---- one interface, two policies ---- */

struct claim {
	const struct interface_name *name;
	const struct policy *policy;
	size_t length;  /* of the name without a pattern's "+" */
	bool pattern;
	uint32_t order; /* as the user gave them */
};

/* Names that begin alike stand together, behind the pattern that covers them. */
static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	size_t common = a->length < b->length ? a->length : b->length;
	int order = memcmp(a->name->text, b->name->text, common);

	if (order)
		return order;
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	if (a->pattern != b->pattern)
		return a->pattern ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static bool claim_covers(const struct claim *outer, const struct claim *inner)
{
	if (outer->length > inner->length || memcmp(outer->name->text, inner->name->text, outer->length) != 0)
		return false;
	return outer->pattern || (outer->length == inner->length && !inner->pattern);
}

static void report_claims(struct check_run *run, const struct claim *a, const struct claim *b)
{
	const struct claim *first = a->order < b->order ? a : b, *second = first == a ? b : a;
	struct diag *diag;

	if (first->policy == second->policy)
		return;
	if (strcmp(first->name->text, second->name->text) == 0)
		diag = diag_add(run->diags, CODE_INTERFACE_CLAIMED_TWICE, second->name->span,
				"the interface '%s' belongs to another policy already", second->name->text);
	else
		diag = diag_add(run->diags, CODE_INTERFACE_CLAIMED_TWICE, second->name->span,
				"'%s' and '%s' of another policy can be the same interface", second->name->text,
				first->name->text);
	diag_label(run->diags, diag, first->name->span, "first claimed here");
}

void check_interface_claimed_twice(struct check_run *run)
{
	VEC(struct claim) claims = {0};
	VEC(const struct claim *) open = {0}; /* each covers the next */

	vec_each(policy, &run->input->policies)
		vec_each(interface, &(*policy)->interfaces)
			vec_each(name, &interface->names) {
				bool pattern = interface_name_is_pattern(name->text);
				struct claim claim = {name, *policy, strlen(name->text) - pattern, pattern,
						      (uint32_t)claims.len};

				vec_push(run->arena, &claims, claim);
			}
	if (claims.len)
		qsort(claims.data, claims.len, sizeof *claims.data, compare_claims);
	vec_each(claim, &claims) {
		while (open.len && !claim_covers(open.data[open.len - 1], claim))
			open.len--;
		if (open.len)
			report_claims(run, open.data[open.len - 1], claim);
		vec_push(run->arena, &open, claim);
	}
}

/* ---- which interfaces ---- */

void check_loopback_interface(struct check_run *run)
{
	vec_each(name, &run->interface_names)
		if (interface_names_overlap((*name)->text, "lo"))
			diag_add(run->diags, CODE_LOOPBACK_INTERFACE, (*name)->span,
				 "'%s' covers the loopback interface: programs of this host could no longer reach "
				 "each other",
				 (*name)->text);
}

void check_pattern_interface(struct check_run *run)
{
	vec_each(name, &run->interface_names) {
		size_t size = strlen((*name)->text);

		if (interface_name_is_pattern((*name)->text))
			diag_add(run->diags, CODE_PATTERN_INTERFACE, (*name)->span,
				 "this holds for every interface whose name begins with '%.*s', now and later",
				 (int)size - 1, (*name)->text);
	}
}

/* ---- tests ---- */

/* The proof runs before the checks, where it can run. */
void check_tests_not_run(struct check_run *run)
{
	if (run->input->tests_run)
		return;
	vec_each(policy, &run->input->policies) {
		size_t count = (*policy)->assertions.len;

		if (count)
			diag_add(run->diags, CODE_TESTS_NOT_RUN, (*policy)->assertions.data[0].span,
				 "%zu test%s not run: %s", count, count == 1 ? " was" : "s were",
				 run->input->proof_was_tried ? "the proof came to no end" :
							       "that takes --snapshot of the host's rules, or --prove");
	}
}
