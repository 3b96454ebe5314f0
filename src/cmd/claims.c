#include "claims.h"

#include <stdlib.h>
#include <string.h>

struct claim {
	const char *name;
	const struct unit *unit; /* NULL: loaded */
};

struct claim_list {
	VEC(struct claim) items;
};

static void add_claim(struct claim_list *out, const char *name, const struct unit *unit, struct arena *arena)
{
	vec_push(arena, &out->items, (struct claim){name, unit});
}

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = interface_names_compare(a->name, b->name);

	if (order)
		return order;
	if (!a->unit != !b->unit)
		return a->unit ? 1 : -1;
	return a->unit && a->unit->span.lo < b->unit->span.lo ? -1 : a->unit && a->unit->span.lo > b->unit->span.lo;
}

static void sort_claims(struct claim_list *claims)
{
	if (claims->items.len > 1)
		qsort(claims->items.data, claims->items.len, sizeof *claims->items.data, compare_claims);
}

static bool covers(const struct claim *cover, const struct claim *claim)
{
	return cover && interface_names_overlap(cover->name, claim->name);
}

bool claims_check_units(const struct unit_list *units, struct arena *arena, struct diags *diags)
{
	struct claim_list claims = {0};
	const struct claim *cover = NULL;
	bool ok = true;

	vec_each(unit, &units->items)
		add_claim(&claims, unit->interface, unit, arena);
	sort_claims(&claims);
	vec_each(claim, &claims.items) {
		if (covers(cover, claim)) {
			const struct unit *first = cover->unit, *second = claim->unit;
			struct diag *diag;

			if (second->span.lo < first->span.lo) {
				first = claim->unit;
				second = cover->unit;
			}
			diag = diag_add(diags, CODE_INTERFACE_CLAIMED_TWICE, second->span,
					"two policies claim the interface %s", second->interface);
			diag_label(diags, diag, first->span, "%s is claimed here already", first->interface);
			ok = false;
		} else {
			cover = claim;
		}
	}
	return ok;
}

static void refuse_loaded(struct diags *diags, const struct claim *wanted, const char *loaded)
{
	struct diag *diag = diag_add(diags, CODE_INTERFACE_LOADED, wanted->unit->span,
				     "%s overlaps with %s, whose rules are loaded", wanted->name, loaded);

	diag_label(diags, diag, SPAN_NONE, "take these away first, with `peerwall down %s`", loaded);
}

bool claims_check_loaded(const struct unit_list *units, const struct name_list *loaded, struct arena *arena,
			 struct diags *diags)
{
	struct claim_list claims = {0};
	const struct claim *loaded_cover = NULL, *unit_cover = NULL;
	bool ok = true;

	vec_each(unit, &units->items)
		add_claim(&claims, unit->interface, unit, arena);
	vec_each(name, &loaded->items)
		add_claim(&claims, *name, NULL, arena);
	sort_claims(&claims);
	vec_each(claim, &claims.items) {
		const struct claim *other = claim->unit ? loaded_cover : unit_cover;

		if (covers(other, claim) && strcmp(other->name, claim->name) != 0) {
			refuse_loaded(diags, claim->unit ? claim : other, claim->unit ? other->name : claim->name);
			ok = false;
		}
		/* The outermost pattern stays: it covers all that the inner ones do. */
		if (claim->unit && !covers(unit_cover, claim))
			unit_cover = claim;
		if (!claim->unit && !covers(loaded_cover, claim))
			loaded_cover = claim;
	}
	return ok;
}
