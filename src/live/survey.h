/*
 * survey.h - what the save tools and the kernel's lists show of a backend.
 *
 * Purpose: reads the rules of one backend and family, and sums up what it holds, from which the backend in use is told.
 * Looking changes nothing: the legacy tool is only run where the kernel lists tables, since it may create them.
 * Ownership: everything lives in the arena of `live`. Errors: false, worded in `said` or in live->failure.
 */
#ifndef PEERWALL_SURVEY_H
#define PEERWALL_SURVEY_H

#include <peerwall/backend.h>
#include <peerwall/live.h>

/* What one backend's save tool gave for one family. */
struct reading {
	struct ruleset rules;
	const struct source *text; /* NULL: nothing was read */
	struct diags diags;
	bool ok;
	const char *problem; /* why there is none, where that may not matter: the backend may not be the one */
};

/* The legacy tables that the kernel has registered, one a line. Empty where legacy tables are unknown. */
void read_table_list(struct strbuf *out, enum family family);

/* False if the tool failed, and `said` tells how. Whether its text can be trusted is in reading->ok. */
bool read_rules(struct live *live, struct reading *reading, enum backend backend, enum family family,
		const char *path, struct strbuf *said);

/*
 * Looks into one backend. False for a tool that failed. A backend that was not asked for and has no tools or
 * no tables is passed over.
 */
bool survey_backend(struct live *live, const struct toolbox *toolbox, enum backend backend,
		    struct reading readings[FAMILY_COUNT], struct holding holdings[FAMILY_COUNT]);

#endif
