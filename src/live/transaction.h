/*
 * transaction.h - one change on its way: what apply.c (forwards) and undo.c (back) share.
 */
#ifndef PEERWALL_TRANSACTION_H
#define PEERWALL_TRANSACTION_H

#include <peerwall/apply.h>

/* How often a change is planned anew because somebody else was in its way. */
#define ATTEMPTS_MAX 4
#define PAUSE_MS 150

struct transaction {
	struct live *live;
	const struct change *change;
	struct ruleset before[FAMILY_COUNT];          /* our part, as it was */
	bool committed[FAMILY_COUNT][TABLE_COUNT];    /* loaded by us, as far as the tool said */
	bool doubtful[FAMILY_COUNT][TABLE_COUNT];     /* the tool was stopped on the way */
	unsigned commits;
	unsigned attempts;
};

void transaction_plan(struct plan plans[FAMILY_COUNT], const struct live *live, const struct change *change,
		      const struct ruleset now[FAMILY_COUNT], const struct ruleset want[FAMILY_COUNT]);
bool plans_are_empty(const struct plan plans[FAMILY_COUNT]);

/* Does a rule of others keep a chain from going? */
bool plans_hold_back(const struct plan plans[FAMILY_COUNT]);

/* Loads one table, and keeps account of it. */
enum restore_outcome transaction_load(struct transaction *transaction, enum family family, const struct edit *edit,
				      struct strbuf *said);

/*
 * From one policy to another, one table may be about to let go of what another one holds from now on: mangle and security
 * where `otherwise` changes. Then no table may be touched before it is certain that the one before it was loaded.
 */
bool transaction_needs_order(const struct transaction *transaction, const struct plan *plan);

/* Notes on the failure how `now` differs from `want`, as far as that is worth reading. */
void transaction_note_differences(struct live *live, const struct change *change, const struct ruleset now[FAMILY_COUNT],
				  const struct ruleset want[FAMILY_COUNT]);

/* Under nft: did anybody but us commit since the rules were first read? Unknown counts as yes. */
bool transaction_met_others(const struct transaction *transaction);

void transaction_pause(unsigned attempt);

/* Brings everything back to what was read first, and says in live->failure what became of that. */
void transaction_undo(struct transaction *transaction);

#endif
