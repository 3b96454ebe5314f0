/*
 * claims.h - which interfaces are spoken for, by policies and by what is loaded.
 *
 * Two policies that speak of one interface would each deny what the other allows; peerwall refuses to guess.
 * A pattern claims every name that it covers. Costs: n log n in the number of names.
 */
#ifndef PEERWALL_CLAIMS_H
#define PEERWALL_CLAIMS_H

#include <peerwall/diag.h>
#include <peerwall/lower.h>
#include <peerwall/plan.h>

#include <stdbool.h>

/* False, with a diagnostic for each pair, if two units overlap. */
bool claims_check_units(const struct unit_list *units, struct arena *arena, struct diags *diags);

/*
 * False, with a diagnostic, if a unit overlaps with a loaded interface of another name (of the same name it is
 * the same one, loaded anew).
 */
bool claims_check_loaded(const struct unit_list *units, const struct name_list *loaded, struct arena *arena,
			 struct diags *diags);

#endif
