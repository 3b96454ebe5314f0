/* The way back from a change that failed. */
#include "foreign.h"
#include "transaction.h"

#include <peerwall/snapshot.h>

#include <string.h>

/* What must be loaded now if the tools did what they said: for when the rules cannot be read any more. */
static void assume_rules(const struct transaction *transaction, struct ruleset out[FAMILY_COUNT])
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		ruleset_init(&out[f], (enum family)f, transaction->live->arena);
		for (int t = 0; t < TABLE_COUNT; t++)
			out[f].tables[t] = transaction->committed[f][t] ? transaction->change->want[f].tables[t] :
									  transaction->before[f].tables[t];
	}
}

/* Reading is tried again: what made it fail may have passed. */
static bool read_for_undo(struct transaction *transaction, struct ruleset out[FAMILY_COUNT], unsigned tries)
{
	struct failure unsaid = FAILURE_INIT(transaction->live->arena);
	struct diags unsaid_diags;
	struct failure *failure = transaction->live->failure;
	struct diags *diags = transaction->live->diags;
	bool ok = false;

	diags_init(&unsaid_diags, transaction->live->arena);
	transaction->live->failure = &unsaid;
	transaction->live->diags = &unsaid_diags;
	for (unsigned attempt = 1; attempt <= tries && !ok; attempt++) {
		if (attempt > 1)
			transaction_pause(attempt);
		ok = live_read(transaction->live, out, FAILURE_ROLLED_BACK);
	}
	transaction->live->failure = failure;
	transaction->live->diags = diags;
	return ok;
}

/* Word for word: duplicates and wrong places of ours, which a plan would put right, are to come back as they were. */
static bool is_as_before(const struct transaction *transaction, const struct ruleset now[FAMILY_COUNT])
{
	bool same = true;

	for (int f = 0; f < FAMILY_COUNT && same; f++) {
		struct strbuf texts[2] = {STRBUF_EMPTY, STRBUF_EMPTY};
		struct ruleset own;

		plan_own_part(&own, &now[f], &transaction->change->interfaces, transaction->live->arena);
		ruleset_print(&texts[0], &transaction->before[f], true);
		ruleset_print(&texts[1], &own, true);
		same = strcmp(strbuf_str(&texts[0]), strbuf_str(&texts[1])) == 0;
		strbuf_free(&texts[0]);
		strbuf_free(&texts[1]);
	}
	return same;
}

/* Every table is tried, whatever became of the others, unless it relies on one of them; the last family first. */
static void load_undo(struct transaction *transaction, const struct plan plans[FAMILY_COUNT], bool last_try)
{
	for (int f = FAMILY_COUNT - 1; f >= 0; f--) {
		bool in_order = transaction_needs_order(transaction, &plans[f]);

		vec_each(edit, &plans[f].edits) {
			struct strbuf said = STRBUF_EMPTY;
			bool loaded = transaction_load(transaction, (enum family)f, edit, &said) == RESTORE_DONE;

			if (!loaded && last_try)
				failure_note(transaction->live->failure, "undoing %s, table %s: %s",
					     family_name((enum family)f), table_names[edit->table], strbuf_str(&said));
			strbuf_free(&said);
			if (!loaded && in_order)
				break;
		}
	}
}

static void note_next_steps(struct transaction *transaction)
{
	struct strbuf names = STRBUF_EMPTY;

	vec_each(name, &transaction->change->interfaces.items)
		strbuf_addf(&names, " %s", *name);
	failure_note(transaction->live->failure,
		     "see `peerwall status` and the tools' own output; then `peerwall down%s`, or apply again",
		     strbuf_str(&names));
	strbuf_free(&names);
}

static void stay_stuck(struct transaction *transaction, const struct plan left[FAMILY_COUNT])
{
	struct failure *failure = transaction->live->failure;

	failure->kind = FAILURE_STUCK;
	for (int f = 0; f < FAMILY_COUNT; f++) {
		vec_each(edit, &left[f].edits)
			failure_note(failure, "left as it is now: %s, table %s", family_name((enum family)f),
				     table_names[edit->table]);
		vec_each(held, &left[f].held)
			failure_note(failure, "left, since a rule that is not peerwall's leads there: %s, table %s, chain %s",
				     family_name((enum family)f), table_names[held->table], held->chain->name);
	}
	note_next_steps(transaction);
}

/* What was done and taken back: "IPv4 mangle, IPv4 filter". */
static void note_undone(struct transaction *transaction, const bool was_committed[FAMILY_COUNT][TABLE_COUNT])
{
	struct strbuf done = STRBUF_EMPTY;

	for (int f = 0; f < FAMILY_COUNT; f++)
		for (int t = 0; t < TABLE_COUNT; t++)
			if (was_committed[f][t])
				strbuf_addf(&done, "%s%s %s", done.len ? ", " : "", family_name((enum family)f),
					    table_names[t]);
	if (done.len)
		failure_note(transaction->live->failure, "undone in %s; all rules are as they were before", strbuf_str(&done));
	else
		failure_note(transaction->live->failure, "nothing was changed");
	strbuf_free(&done);
}

/* Also what others have lost stays lost: peerwall never loads rules that are not its own. */
static bool note_foreign_losses(struct transaction *transaction, const struct ruleset now[FAMILY_COUNT])
{
	struct live *live = transaction->live;
	bool lost = false;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		for (int t = 0; t < TABLE_COUNT; t++) {
			struct strbuf line = STRBUF_EMPTY;
			bool gone;

			if (foreign_rules_differ(&live->rules[f], &now[f], (enum table_id)t, live->arena, &line,
						 &gone)) {
				lost = true;
				failure_note(live->failure, "%s, table %s: other programs' rules differ from before, "
					     "beginning with `%s`, which is %s", family_name((enum family)f), table_names[t],
					     strbuf_str(&line), gone ? "gone" : "new");
			}
			strbuf_free(&line);
		}
	}
	return lost;
}

/* It may be our own rules that kept the tools from being read; then reading works again now. */
static void undo_blindly(struct transaction *transaction)
{
	struct ruleset assumed[FAMILY_COUNT], now[FAMILY_COUNT];
	struct plan plans[FAMILY_COUNT];
	struct failure *failure = transaction->live->failure;
	bool was_committed[FAMILY_COUNT][TABLE_COUNT];

	memcpy(was_committed, transaction->committed, sizeof was_committed);
	assume_rules(transaction, assumed);
	transaction_plan(plans, transaction->live, transaction->change, assumed, transaction->before);
	load_undo(transaction, plans, true);
	if (read_for_undo(transaction, now, 1) && is_as_before(transaction, now)) {
		note_undone(transaction, (const bool(*)[TABLE_COUNT])was_committed);
		return;
	}
	failure->kind = FAILURE_STUCK;
	failure_note(failure, "the rules cannot be read any more: what was loaded was undone unseen, and nobody can tell "
			      "whether that is all");
	note_next_steps(transaction);
}

void transaction_undo(struct transaction *transaction)
{
	bool was_committed[FAMILY_COUNT][TABLE_COUNT];
	struct ruleset now[FAMILY_COUNT];
	struct plan plans[FAMILY_COUNT];
	bool others = transaction_met_others(transaction), restored = false;

	memcpy(was_committed, transaction->committed, sizeof was_committed);
	for (unsigned attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
		if (!read_for_undo(transaction, now, 3)) {
			undo_blindly(transaction);
			return;
		}
		transaction_plan(plans, transaction->live, transaction->change, now, transaction->before);
		restored = is_as_before(transaction, now) || (plans_are_empty(plans) && !plans_hold_back(plans));
		if (restored)
			break;
		/* A table that was not known to be loaded, and was: the tool lied, or was stopped too late. */
		for (int f = 0; f < FAMILY_COUNT; f++)
			vec_each(edit, &plans[f].edits)
				was_committed[f][edit->table] = true;
		if (attempt > 1)
			transaction_pause(attempt);
		if (attempt < ATTEMPTS_MAX)
			load_undo(transaction, plans, attempt == ATTEMPTS_MAX - 1);
	}
	if (!restored) {
		stay_stuck(transaction, plans);
	} else if (!others && note_foreign_losses(transaction, now)) {
		transaction->live->failure->kind = FAILURE_STUCK;
		failure_note(transaction->live->failure,
			     "peerwall's own rules are as they were before; have the other programs load theirs again");
	} else {
		note_undone(transaction, (const bool(*)[TABLE_COUNT])was_committed);
	}
}
