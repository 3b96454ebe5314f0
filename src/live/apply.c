#include <peerwall/apply.h>

#include "foreign.h"
#include "made_tables.h"
#include "transaction.h"

#include <peerwall/emit.h>
#include <peerwall/generation.h>
#include <peerwall/match_codec.h>
#include <peerwall/rehearsal.h>

#include <string.h>
#include <time.h>

#define DRIFT_NOTES_MAX 5

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

void transaction_plan(struct plan plans[FAMILY_COUNT], const struct live *live, const struct change *change,
		      const struct ruleset now[FAMILY_COUNT], const struct ruleset want[FAMILY_COUNT])
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		plans[f] = (struct plan){.family = (enum family)f};
		if (live->has_family[f])
			plan_make(&plans[f], &now[f], &want[f], &change->interfaces, live->arena);
	}
}

bool plans_are_empty(const struct plan plans[FAMILY_COUNT])
{
	return plans[FAMILY_IPV4].edits.len == 0 && plans[FAMILY_IPV6].edits.len == 0;
}

bool plans_hold_back(const struct plan plans[FAMILY_COUNT])
{
	return plans[FAMILY_IPV4].held.len > 0 || plans[FAMILY_IPV6].held.len > 0;
}

/* Whose chain or jump a command is about. */
static const char *command_interface(const struct live *live, const struct command *command)
{
	const char *interface = own_chain_interface(live->arena, command->chain);

	return interface || !command->rule ? interface : own_jump_interface(live->arena, command->rule);
}

void change_interfaces(struct name_list *out, const struct live *live, const struct change *change)
{
	struct plan plans[FAMILY_COUNT];
	struct intern names;

	intern_init(&names, live->arena);
	transaction_plan(plans, live, change, live->rules, change->want);
	for (int f = 0; f < FAMILY_COUNT; f++)
		vec_each(edit, &plans[f].edits)
			vec_each(command, &edit->commands) {
				const char *interface = command_interface(live, command);

				if (interface)
					intern_add(&names, interface, strlen(interface));
			}
	for (uint32_t i = 0; i < names.count; i++)
		vec_push(live->arena, &out->items, names.strings[i]);
}

void change_describe(struct strbuf *out, const struct live *live, const struct change *change)
{
	struct plan plans[FAMILY_COUNT];

	transaction_plan(plans, live, change, live->rules, change->want);
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

void transaction_pause(unsigned attempt)
{
	nanosleep(&(struct timespec){0, (long)attempt * PAUSE_MS * 1000000L}, NULL);
}

enum restore_outcome transaction_load(struct transaction *transaction, enum family family, const struct edit *edit,
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

bool transaction_needs_order(const struct transaction *transaction, const struct plan *plan)
{
	bool touched[TABLE_COUNT] = {false};

	vec_each(edit, &plan->edits)
		touched[edit->table] = true;
	return touched[TABLE_MANGLE] && touched[TABLE_SECURITY] &&
	       transaction->before[plan->family].tables[TABLE_MANGLE].chains.len > 0 &&
	       transaction->change->want[plan->family].tables[TABLE_MANGLE].chains.len > 0;
}

static bool set_unlike_loaded(struct transaction *transaction)
{
	return failure_set(transaction->live->failure, FAILURE_ROLLED_BACK,
			   "what was read back is not what was loaded, though no tool reported a failure");
}

/* Is it there, as the tool said? False with *again set as for check_result(). */
static bool check_table(struct transaction *transaction, enum family family, enum table_id table, bool *again)
{
	struct live *live = transaction->live;
	struct ruleset now[FAMILY_COUNT];
	struct plan left;

	if (!live_read(live, now, FAILURE_ROLLED_BACK))
		return false;
	plan_make(&left, &now[family], &transaction->change->want[family], &transaction->change->interfaces, live->arena);
	vec_each(edit, &left.edits) {
		if (edit->table != table)
			continue;
		*again = transaction->attempts < ATTEMPTS_MAX && transaction_met_others(transaction);
		if (!*again) {
			set_unlike_loaded(transaction);
			failure_note(live->failure, "%s, table %s", family_name(family), table_names[table]);
		}
		return false;
	}
	return true;
}

static bool load_edit(struct transaction *transaction, enum family family, const struct edit *edit, bool *again)
{
	struct strbuf said = STRBUF_EMPTY;
	enum restore_outcome outcome = transaction_load(transaction, family, edit, &said);

	*again = outcome == RESTORE_BUSY && transaction->attempts < ATTEMPTS_MAX;
	if (outcome != RESTORE_DONE && !*again)
		failure_set(transaction->live->failure, FAILURE_ROLLED_BACK, "%s, table %s: %s", family_name(family),
			    table_names[edit->table], strbuf_str(&said));
	strbuf_free(&said);
	return outcome == RESTORE_DONE;
}

/* False with *again set if it may work when planned anew. */
static bool load_plans(struct transaction *transaction, const struct plan plans[FAMILY_COUNT], bool *again)
{
	*again = false;
	for (int f = 0; f < FAMILY_COUNT; f++) {
		bool in_order = transaction_needs_order(transaction, &plans[f]);
		const struct edit *last = plans[f].edits.data + plans[f].edits.len - 1;

		vec_each(edit, &plans[f].edits)
			if (!load_edit(transaction, (enum family)f, edit, again) ||
			    (in_order && edit != last && !check_table(transaction, (enum family)f, edit->table, again)))
				return false;
	}
	return true;
}

bool transaction_met_others(const struct transaction *transaction)
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

void transaction_note_differences(struct live *live, const struct change *change, const struct ruleset now[FAMILY_COUNT],
				  const struct ruleset want[FAMILY_COUNT])
{
	size_t noted = 0;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct drift_list drifts = {0};

		if (!live->has_family[f])
			continue;
		plan_drift(&drifts, &now[f], &want[f], &change->interfaces, live->arena);
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
			    !foreign_rules_differ(&live->rules[f], &now[f], (enum table_id)t, live->arena, &line,
						 &gone)) {
				strbuf_free(&line);
				continue;
			}
			if (transaction_met_others(transaction)) {
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
	transaction_plan(left, live, transaction->change, now, transaction->change->want);
	if (!plans_are_empty(left)) {
		*again = transaction->attempts < ATTEMPTS_MAX && transaction_met_others(transaction);
		if (!*again) {
			set_unlike_loaded(transaction);
			transaction_note_differences(live, transaction->change, now, transaction->change->want);
		}
		return false;
	}
	if (!check_foreign_rules(transaction, now))
		return false;
	memcpy(live->changed, now, sizeof live->changed);
	return true;
}

static bool go_forward(struct transaction *transaction, struct plan plans[FAMILY_COUNT])
{
	struct ruleset now[FAMILY_COUNT];
	bool again;

	for (;;) {
		transaction->attempts++;
		made_tables_note(transaction->live, plans);
		if (load_plans(transaction, plans, &again) && check_result(transaction, &again))
			return true;
		if (!again)
			return false;
		transaction_pause(transaction->attempts);
		if (!live_read(transaction->live, now, FAILURE_ROLLED_BACK))
			return false;
		transaction_plan(plans, transaction->live, transaction->change, now, transaction->change->want);
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

/* A jump into an empty chain comes back, as if it were not there; a goto does not, and would skip what stands behind it. */
static bool may_leave(const struct change *change, const struct held_chain *held)
{
	return held->chain->rules.len == 0 || (change->leave_held && held->rule->target.kind == TARGET_JUMP);
}

/* The tools would refuse to delete a chain in use, and legacy ones would not even say why. */
static bool check_held_chains(struct live *live, const struct change *change, const struct plan *plan)
{
	vec_each(held, &plan->held) {
		struct strbuf text = STRBUF_EMPTY;

		if (may_leave(change, held))
			continue;
		rule_encode(&text, plan->family, held->rule);
		failure_set(live->failure, FAILURE_CONFLICT,
			    "%s, table %s: a rule that is not peerwall's uses its chain %s: `-A %s %s`",
			    family_name(plan->family), table_names[held->table], held->chain->name, held->holder,
			    strbuf_str(&text));
		failure_note(live->failure, "delete that rule first; nothing was changed");
		strbuf_free(&text);
		return false;
	}
	return true;
}

static void tell_held_chain(struct live *live, enum family family, const struct held_chain *held)
{
	const char *table = table_names[held->table];
	struct strbuf text = STRBUF_EMPTY;

	rule_encode(&text, family, held->rule);
	failure_set(live->failure, FAILURE_LEFTOVER,
		    "%s, table %s: peerwall's chain %s stays, empty, since a rule that is not peerwall's jumps to it; this "
		    "deletes that rule: `%s-%s -t %s -D %s %s`", family_name(family), table, held->chain->name,
		    family == FAMILY_IPV4 ? "iptables" : "ip6tables", backend_name(live->backend), table, held->holder,
		    strbuf_str(&text));
	strbuf_free(&text);
}

/* What is wanted is in force; is anything left over? */
static bool end_change(struct live *live, const struct change *change, const struct plan plans[FAMILY_COUNT])
{
	made_tables_clear(live);
	if (!change->leave_held || !plans_hold_back(plans))
		return true;
	for (int f = 0; f < FAMILY_COUNT; f++)
		vec_each(held, &plans[f].held)
			tell_held_chain(live, (enum family)f, held);
	failure_note(live->failure, "all else is done; once no rule leads there, the same again takes the chain away");
	return false;
}

bool change_run(struct live *live, const struct change *change)
{
	struct transaction transaction = {.live = live, .change = change};
	struct plan plans[FAMILY_COUNT];
	enum rehearsal_extent extent;

	transaction_plan(plans, live, change, live->rules, change->want);
	/* One that was killed may have come this far. */
	if (plans_are_empty(plans))
		return end_change(live, change, plans);
	for (int f = 0; f < FAMILY_COUNT; f++)
		plan_own_part(&transaction.before[f], &live->rules[f], &change->interfaces, live->arena);
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (!check_held_chains(live, change, &plans[f]))
			return false;
	if (!check_tables(&transaction, plans))
		return false;
	if (change->rehearse && !rehearsal_run(live, change, &extent))
		return false;
	if (go_forward(&transaction, plans))
		return end_change(live, change, plans);
	transaction_undo(&transaction);
	if (live->failure->kind == FAILURE_ROLLED_BACK)
		made_tables_clear(live);
	return false;
}
