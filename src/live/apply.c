#include <peerwall/apply.h>

#include "foreign.h"

#include <peerwall/emit.h>
#include <peerwall/generation.h>
#include <peerwall/snapshot.h>

#include <string.h>
#include <time.h>

/* How often a change is planned anew because somebody else was in its way. */
#define ATTEMPTS_MAX 4
#define PAUSE_MS 150
#define DRIFT_NOTES_MAX 5

struct transaction {
	struct live *live;
	const struct change *change;
	struct ruleset before[FAMILY_COUNT];          /* our part, as it was */
	bool committed[FAMILY_COUNT][TABLE_COUNT];    /* loaded by us, as far as the tool said */
	bool doubtful[FAMILY_COUNT][TABLE_COUNT];     /* the tool was stopped on the way */
	unsigned commits;
	unsigned attempts;
};

void signals_hold(sigset_t *before)
{
	static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGALRM, SIGUSR1, SIGUSR2};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof held / sizeof *held; i++)
		sigaddset(&set, held[i]);
	sigprocmask(SIG_BLOCK, &set, before);
}

void signals_release(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

static void make_plans(struct plan plans[FAMILY_COUNT], const struct live *live, const struct change *change,
		       const struct ruleset now[FAMILY_COUNT], const struct ruleset want[FAMILY_COUNT])
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		plans[f] = (struct plan){.family = (enum family)f};
		if (live->has_family[f])
			plan_make(&plans[f], &now[f], &want[f], &change->interfaces, live->arena);
	}
}

static bool plans_are_empty(const struct plan plans[FAMILY_COUNT])
{
	return plans[FAMILY_IPV4].edits.len == 0 && plans[FAMILY_IPV6].edits.len == 0;
}

bool change_is_needed(const struct live *live, const struct change *change)
{
	struct plan plans[FAMILY_COUNT];

	make_plans(plans, live, change, live->rules, change->want);
	return !plans_are_empty(plans);
}

void change_describe(struct strbuf *out, const struct live *live, const struct change *change)
{
	struct plan plans[FAMILY_COUNT];

	make_plans(plans, live, change, live->rules, change->want);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		vec_each(edit, &plans[f].edits) {
			strbuf_adds(out, "# ");
			live_describe_restore(out, live, (enum family)f);
			strbuf_addc(out, '\n');
			emit_edit(out, (enum family)f, edit);
		}
	}
}

/* ---- forwards ---- */

static void pause_before_retry(unsigned attempt)
{
	nanosleep(&(struct timespec){0, (long)attempt * PAUSE_MS * 1000000L}, NULL);
}

static enum restore_outcome load_edit(struct transaction *transaction, enum family family, const struct edit *edit,
				      struct strbuf *said)
{
	struct strbuf payload = STRBUF_EMPTY;
	enum restore_outcome outcome;

	emit_edit(&payload, family, edit);
	outcome = live_restore(transaction->live, family, &payload, false, said);
	strbuf_free(&payload);
	if (outcome == RESTORE_DONE) {
		transaction->committed[family][edit->table] = true;
		transaction->commits++;
	}
	if (outcome == RESTORE_UNKNOWN)
		transaction->doubtful[family][edit->table] = true;
	return outcome;
}

/* False with *busy set if it may work when planned anew. */
static bool load_plans(struct transaction *transaction, const struct plan plans[FAMILY_COUNT], bool *busy)
{
	*busy = false;
	for (int f = 0; f < FAMILY_COUNT; f++) {
		vec_each(edit, &plans[f].edits) {
			struct strbuf said = STRBUF_EMPTY;
			enum restore_outcome outcome = load_edit(transaction, (enum family)f, edit, &said);

			*busy = outcome == RESTORE_BUSY && transaction->attempts < ATTEMPTS_MAX;
			if (outcome != RESTORE_DONE && !*busy)
				failure_set(transaction->live->failure, FAILURE_ROLLED_BACK, "%s, table %s: %s",
					    family_name((enum family)f), table_names[edit->table], strbuf_str(&said));
			strbuf_free(&said);
			if (outcome != RESTORE_DONE)
				return false;
		}
	}
	return true;
}

/* Under nft: did anybody but us commit since the rules were first read? Unknown counts as yes. */
static bool others_changed_rules(const struct transaction *transaction)
{
	const struct live *live = transaction->live;
	uint32_t now;

	if (live->backend == BACKEND_LEGACY)
		return false;
	return !live->has_generation || generation_read(&now) != 0 || now - live->generation != transaction->commits;
}

static const char *drift_word(enum drift_kind kind)
{
	switch (kind) {
	case DRIFT_CHAIN_MISSING:
	case DRIFT_JUMP_MISSING:
	case DRIFT_RULE_MISSING:
		return "is missing";
	case DRIFT_JUMP_DUPLICATE:
		return "is there twice";
	case DRIFT_JUMP_OVERTAKEN:
		return "stands too low";
	case DRIFT_CHAIN_EXTRA:
	case DRIFT_JUMP_EXTRA:
	case DRIFT_RULE_EXTRA:
		break;
	}
	return "is too much";
}

static void note_differences(struct transaction *transaction, const struct ruleset now[FAMILY_COUNT],
			     const struct ruleset want[FAMILY_COUNT])
{
	struct live *live = transaction->live;
	size_t noted = 0;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct drift_list drifts = {0};

		if (!live->has_family[f])
			continue;
		plan_drift(&drifts, &now[f], &want[f], &transaction->change->interfaces, live->arena);
		vec_each(drift, &drifts.items) {
			if (noted++ == DRIFT_NOTES_MAX) {
				failure_note(live->failure, "and more");
				return;
			}
			if (drift->rule)
				failure_note(live->failure, "%s, table %s: rule %u of chain %s %s", family_name((enum family)f),
					     table_names[drift->table], drift->position, drift->chain,
					     drift_word(drift->kind));
			else
				failure_note(live->failure, "%s, table %s: chain %s %s", family_name((enum family)f),
					     table_names[drift->table], drift->chain, drift_word(drift->kind));
		}
	}
}

/* Nothing that we load names a foreign rule. Whether the tool kept to it is looked at all the same. */
static bool check_foreign_rules(struct transaction *transaction, const struct ruleset now[FAMILY_COUNT])
{
	struct live *live = transaction->live;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		for (int t = 0; t < TABLE_COUNT; t++) {
			struct strbuf line = STRBUF_EMPTY;
			bool gone;

			if ((!transaction->committed[f][t] && !transaction->doubtful[f][t]) ||
			    !foreign_rules_differ(&live->rules[f].tables[t], &now[f].tables[t], live->arena, &line, &gone)) {
				strbuf_free(&line);
				continue;
			}
			if (others_changed_rules(transaction)) {
				strbuf_addf(&live->warnings, "meanwhile another program changed %s rules in table %s\n",
					    family_name((enum family)f), table_names[t]);
				strbuf_free(&line);
				continue;
			}
			failure_set(live->failure, FAILURE_ROLLED_BACK,
				    "%s, table %s: rules that are not peerwall's changed while it loaded its own: "
				    "`%s` is %s", family_name((enum family)f), table_names[t], strbuf_str(&line),
				    gone ? "gone" : "new");
			strbuf_free(&line);
			return false;
		}
	}
	return true;
}

/* Reads back and compares. False with *again set if somebody else's change is the likely reason. */
static bool check_result(struct transaction *transaction, bool *again)
{
	struct live *live = transaction->live;
	struct ruleset now[FAMILY_COUNT];
	struct plan left[FAMILY_COUNT];

	*again = false;
	if (!live_read(live, now, FAILURE_ROLLED_BACK))
		return false;
	make_plans(left, live, transaction->change, now, transaction->change->want);
	if (!plans_are_empty(left)) {
		*again = transaction->attempts < ATTEMPTS_MAX && others_changed_rules(transaction);
		if (!*again) {
			failure_set(live->failure, FAILURE_ROLLED_BACK,
				    "what was read back is not what was loaded, though no tool reported a failure");
			note_differences(transaction, now, transaction->change->want);
		}
		return false;
	}
	return check_foreign_rules(transaction, now);
}

static bool go_forward(struct transaction *transaction, struct plan plans[FAMILY_COUNT])
{
	struct ruleset now[FAMILY_COUNT];
	bool again;

	for (;;) {
		transaction->attempts++;
		if (load_plans(transaction, plans, &again) && check_result(transaction, &again))
			return true;
		if (!again)
			return false;
		pause_before_retry(transaction->attempts);
		if (!live_read(transaction->live, now, FAILURE_ROLLED_BACK))
			return false;
		make_plans(plans, transaction->live, transaction->change, now, transaction->change->want);
	}
}

/* ---- back ---- */

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
			pause_before_retry(attempt);
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

/* Every table is tried, whatever became of the others; the last family and table first. */
static void load_undo(struct transaction *transaction, const struct plan plans[FAMILY_COUNT], bool last_try)
{
	for (int f = FAMILY_COUNT - 1; f >= 0; f--) {
		vec_each(edit, &plans[f].edits) {
			struct strbuf said = STRBUF_EMPTY;

			if (load_edit(transaction, (enum family)f, edit, &said) != RESTORE_DONE && last_try)
				failure_note(transaction->live->failure, "undoing %s, table %s: %s",
					     family_name((enum family)f), table_names[edit->table], strbuf_str(&said));
			strbuf_free(&said);
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
	for (int f = 0; f < FAMILY_COUNT; f++)
		vec_each(edit, &left[f].edits)
			failure_note(failure, "left as it is now: %s, table %s", family_name((enum family)f),
				     table_names[edit->table]);
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

			if (foreign_rules_differ(&live->rules[f].tables[t], &now[f].tables[t], live->arena, &line, &gone)) {
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
	make_plans(plans, transaction->live, transaction->change, assumed, transaction->before);
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

static void undo(struct transaction *transaction)
{
	bool was_committed[FAMILY_COUNT][TABLE_COUNT];
	struct ruleset now[FAMILY_COUNT];
	struct plan plans[FAMILY_COUNT];
	bool others = others_changed_rules(transaction), restored = false;

	memcpy(was_committed, transaction->committed, sizeof was_committed);
	for (unsigned attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
		if (!read_for_undo(transaction, now, 3)) {
			undo_blindly(transaction);
			return;
		}
		make_plans(plans, transaction->live, transaction->change, now, transaction->before);
		restored = is_as_before(transaction, now) || plans_are_empty(plans);
		if (restored)
			break;
		/* A table that was not known to be loaded, and was: the tool lied, or was stopped too late. */
		for (int f = 0; f < FAMILY_COUNT; f++)
			vec_each(edit, &plans[f].edits)
				was_committed[f][edit->table] = true;
		if (attempt > 1)
			pause_before_retry(attempt);
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

/* ---- before ---- */

static const char *loss_without(enum table_id table)
{
	switch (table) {
	case TABLE_SECURITY:
		return "`otherwise reject` needs it: there peerwall has the last word over what other programs accept in "
		       "table filter. Without it, any ACCEPT of theirs would open what the policy closes. "
		       "`otherwise drop` does without";
	case TABLE_MANGLE:
		return "there peerwall denies, before any other program's rules; without it nothing can be promised";
	default:
		return "the policy cannot be put in force without it";
	}
}

/* The legacy backend's tables are modules of the kernel, and may not be there: asked before anything is done. */
static bool check_tables(struct transaction *transaction, const struct plan plans[FAMILY_COUNT])
{
	struct live *live = transaction->live;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		vec_each(edit, &plans[f].edits) {
			struct strbuf payload = STRBUF_EMPTY, said = STRBUF_EMPTY;
			bool ok = live_has_table(live, (enum family)f, edit->table);

			strbuf_addf(&payload, "*%s\nCOMMIT\n", table_names[edit->table]);
			if (!ok && live_restore(live, (enum family)f, &payload, true, &said) != RESTORE_DONE) {
				failure_set(live->failure, FAILURE_SYSTEM, "%s, table %s cannot be used: %s",
					    family_name((enum family)f), table_names[edit->table], strbuf_str(&said));
				failure_note(live->failure, "%s", loss_without(edit->table));
				failure_note(live->failure, "nothing was changed");
			}
			strbuf_free(&payload);
			strbuf_free(&said);
			if (live->failure->kind != FAILURE_NONE)
				return false;
		}
	}
	return true;
}

bool change_run(struct live *live, const struct change *change)
{
	struct transaction transaction = {.live = live, .change = change};
	struct plan plans[FAMILY_COUNT];

	make_plans(plans, live, change, live->rules, change->want);
	if (plans_are_empty(plans))
		return true;
	for (int f = 0; f < FAMILY_COUNT; f++)
		plan_own_part(&transaction.before[f], &live->rules[f], &change->interfaces, live->arena);
	if (!check_tables(&transaction, plans))
		return false;
	if (go_forward(&transaction, plans))
		return true;
	undo(&transaction);
	return false;
}
