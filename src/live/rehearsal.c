#include <peerwall/rehearsal.h>

#include "foreign.h"
#include "net_namespace.h"
#include "transaction.h"

#include <peerwall/emit.h>
#include <peerwall/snapshot.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the child has to say: lines that begin with one of these. */
enum { LINE_FAILURE = 'F', LINE_FAILURE_NOTE = 'f', LINE_NOTE = 'n', LINE_IMPOSSIBLE = 'i', LINE_ALONE = 'a',
       LINE_DOUBT = 'd' };

struct rehearsal {
	struct live *live;
	const struct change *change;
	struct plan plans[FAMILY_COUNT];    /* of the live rules */
	struct ruleset base[FAMILY_COUNT];  /* what is in the namespace before the payloads */
	bool careful; /* the base is read there, which takes its time, and not taken to be what is loaded here */
	bool doubtful; /* that may not have been so: once more, carefully */
	struct strbuf *said; /* the lines for the parent */
};

static void say(struct rehearsal *rehearsal, char kind, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(struct rehearsal *rehearsal, char kind, const char *format, ...)
{
	va_list args;

	strbuf_addc(rehearsal->said, kind);
	va_start(args, format);
	strbuf_vaddf(rehearsal->said, format, args);
	va_end(args);
	strbuf_addc(rehearsal->said, '\n');
}

/* ---- what the tool refused ---- */

/* "iptables-nft-restore: line 3 failed", "Error occurred at line: 3"; 0 if it names none. */
static unsigned long refused_line(const char *said)
{
	unsigned long line = 0;

	for (const char *at = strstr(said, "line"); at; at = strstr(at + 1, "line")) {
		const char *number = at + strlen("line");

		number += *number == ':';
		if (number[0] == ' ' && number[1] >= '0' && number[1] <= '9')
			line = strtoul(number + 1, NULL, 10);
	}
	return line;
}

/* Its lines are the table's name, the commands and COMMIT; for what the kernel refuses, legacy tools name that last one. */
static void note_line(struct live *live, const struct edit *edit, const struct strbuf *payload, unsigned long line)
{
	const char *text = strbuf_str(payload);
	struct location where;

	if (line < 2 || line > edit->commands.len + 1)
		return;
	for (unsigned long i = 1; i < line; i++)
		text = strchr(text, '\n') + 1;
	failure_note(live->failure, "line %lu of the payload: `%.*s`", line, (int)strcspn(text, "\n"), text);
	if (edit->commands.data[line - 2].rule &&
	    sources_locate(live->sources, edit->commands.data[line - 2].rule->span.lo, &where))
		failure_note(live->failure, "it comes of %s:%u:%u", where.source->name, where.line, where.column);
}

static bool refuse(struct live *live, enum family family, const struct edit *edit, const struct strbuf *payload,
		   const struct strbuf *said)
{
	failure_set(live->failure, FAILURE_SYSTEM, "refused in the rehearsal: %s, table %s: %s", family_name(family),
		    table_names[edit->table], strbuf_str(said));
	note_line(live, edit, payload, refused_line(strbuf_str(said)));
	return false;
}

/* A tool that is busy here is so with nobody but the kernel, unless it is only asked to look at the live rules. */
static bool load_payloads(struct live *live, const struct plan plans[FAMILY_COUNT], bool test)
{
	bool ok = true;

	for (int f = 0; f < FAMILY_COUNT && ok; f++)
		vec_each(edit, &plans[f].edits) {
			struct strbuf payload = STRBUF_EMPTY, said = STRBUF_EMPTY;
			enum restore_outcome outcome;

			emit_edit(&payload, (enum family)f, edit);
			outcome = live_restore(live, (enum family)f, &payload, test, &said);
			if (outcome != RESTORE_DONE && !(test && outcome == RESTORE_BUSY))
				ok = refuse(live, (enum family)f, edit, &payload, &said);
			strbuf_free(&payload);
			strbuf_free(&said);
			if (!ok)
				break;
		}
	return ok;
}

/* ---- in the namespace ---- */

/* The table's part of what iptables-save printed; nothing where it has none. */
static void cut_table(struct strbuf *out, const struct source *text, const struct table *table)
{
	const char *start, *end;

	if (!text || !table->present)
		return;
	start = text->text + (table->span.lo - text->start);
	end = strstr(start, "\nCOMMIT");
	if (end)
		strbuf_add(out, start, (size_t)(end - start) + strlen("\nCOMMIT"));
	strbuf_addc(out, '\n');
}

/* Our own chains and jumps of one table, as they are loaded. */
static void print_own_table(struct strbuf *out, struct rehearsal *rehearsal, enum family family, enum table_id table)
{
	struct live *live = rehearsal->live;
	struct ruleset own, single;

	plan_own_part(&own, &live->rules[family], &rehearsal->change->interfaces, live->arena);
	ruleset_init(&single, family, live->arena);
	single.tables[table] = own.tables[table];
	ruleset_print(out, &single, true);
}

static bool load(struct rehearsal *rehearsal, enum family family, const struct strbuf *text, struct strbuf *said)
{
	return text->len == 0 || live_restore(rehearsal->live, family, text, false, said) == RESTORE_DONE;
}

static bool holds_foreign_rules(const struct rehearsal *rehearsal, enum family family, enum table_id table)
{
	const struct live *live = rehearsal->live;
	struct strbuf line = STRBUF_EMPTY;
	struct ruleset nothing;
	bool gone, holds;

	ruleset_init(&nothing, family, live->arena);
	holds = foreign_rules_differ(&live->rules[family], &nothing, table, live->arena, &line, &gone);
	strbuf_free(&line);
	return holds;
}

/* From nothing, if need be: what was loaded before is not what is being tried. */
static void set_scene(struct rehearsal *rehearsal, enum family family, enum table_id table)
{
	const struct live *live = rehearsal->live;
	struct strbuf copy = STRBUF_EMPTY, own = STRBUF_EMPTY, said = STRBUF_EMPTY;

	cut_table(&copy, live->texts[family], &live->rules[family].tables[table]);
	if (!load(rehearsal, family, &copy, &said)) {
		rehearsal->careful = true;
		say(rehearsal, LINE_ALONE, "%s", "");
		say(rehearsal, LINE_NOTE, "%s, table %s: %s: %s", family_name(family), table_names[table],
		    holds_foreign_rules(rehearsal, family, table) ?
			    "other programs' rules cannot be loaded a second time to rehearse beside them, so peerwall's were rehearsed alone" :
			    "what is loaded cannot be loaded a second time to rehearse on it",
		    strbuf_str(&said));
		strbuf_reset(&said);
		print_own_table(&own, rehearsal, family, table);
		load(rehearsal, family, &own, &said);
	}
	strbuf_free(&copy);
	strbuf_free(&own);
	strbuf_free(&said);
}

/* Tables that the change leaves alone are not there; they count as being as they are. */
static bool read_namespace(struct rehearsal *rehearsal, struct ruleset out[FAMILY_COUNT])
{
	struct live *live = rehearsal->live;

	if (!live_read(live, out, FAILURE_SYSTEM))
		return false;
	for (int f = 0; f < FAMILY_COUNT; f++) {
		bool touched[TABLE_COUNT] = {false};

		vec_each(edit, &rehearsal->plans[f].edits)
			touched[edit->table] = true;
		for (int t = 0; t < TABLE_COUNT; t++)
			if (!touched[t])
				out[f].tables[t] = live->rules[f].tables[t];
	}
	return true;
}

/* What the live change will look at, too: is nothing left to do, and are others' rules as they were? */
static void check_namespace(struct rehearsal *rehearsal)
{
	struct live *live = rehearsal->live;
	struct ruleset now[FAMILY_COUNT];
	struct plan left[FAMILY_COUNT];
	bool ok = true;

	if (!read_namespace(rehearsal, now))
		return;
	transaction_plan(left, live, rehearsal->change, now, rehearsal->change->want);
	if (!plans_are_empty(left)) {
		failure_set(live->failure, FAILURE_SYSTEM,
			    "in the rehearsal, what was read back is not what was loaded, though no tool reported a failure");
		transaction_note_differences(live, rehearsal->change, now, rehearsal->change->want);
		return;
	}
	for (int f = 0; f < FAMILY_COUNT && ok; f++)
		for (int t = 0; t < TABLE_COUNT && ok; t++) {
			struct strbuf line = STRBUF_EMPTY;
			bool gone;

			ok = !foreign_rules_differ(&rehearsal->base[f], &now[f], (enum table_id)t, live->arena, &line, &gone);
			if (!ok && !rehearsal->careful)
				say(rehearsal, LINE_DOUBT, "%s", "");
			else if (!ok)
				failure_set(live->failure, FAILURE_SYSTEM, "in the rehearsal, rules that are not peerwall's changed "
					    "while it loaded its own: %s, table %s: `%s` is %s", family_name((enum family)f),
					    table_names[t], strbuf_str(&line), gone ? "gone" : "new");
			strbuf_free(&line);
		}
}

static void tell_failure(struct rehearsal *rehearsal)
{
	const struct failure *failure = rehearsal->live->failure;

	say(rehearsal, LINE_FAILURE, "%s", failure->message);
	vec_each(note, &failure->notes)
		say(rehearsal, LINE_FAILURE_NOTE, "%s", *note);
}

static void rehearse(void *context, struct strbuf *out)
{
	struct rehearsal *rehearsal = context;
	struct live *live = rehearsal->live;
	struct plan plans[FAMILY_COUNT];

	rehearsal->said = out;
	for (int f = 0; f < FAMILY_COUNT; f++)
		vec_each(edit, &rehearsal->plans[f].edits)
			set_scene(rehearsal, (enum family)f, edit->table);
	memcpy(rehearsal->base, live->rules, sizeof rehearsal->base);
	if (rehearsal->careful && !read_namespace(rehearsal, rehearsal->base)) {
		say(rehearsal, LINE_IMPOSSIBLE, "%s", live->failure->message);
		return;
	}
	transaction_plan(plans, live, rehearsal->change, rehearsal->base, rehearsal->change->want);
	if (load_payloads(live, plans, false))
		check_namespace(rehearsal);
	if (live->failure->kind != FAILURE_NONE)
		tell_failure(rehearsal);
}

/* ---- and here ---- */

/* The child's lines, as if it had been us. What made the rehearsal impossible, or NULL. */
static const char *take_lines(struct rehearsal *rehearsal, char *lines, enum rehearsal_extent *extent)
{
	struct live *live = rehearsal->live;
	const char *impossible = NULL;
	char *line;

	rehearsal->doubtful = false;
	while ((line = strsep(&lines, "\n")) && *line) {
		switch (*line) {
		case LINE_FAILURE:
			failure_set(live->failure, FAILURE_SYSTEM, "%s", line + 1);
			break;
		case LINE_FAILURE_NOTE:
			failure_note(live->failure, "%s", line + 1);
			break;
		case LINE_NOTE:
			strbuf_addf(&live->notes, "%s\n", line + 1);
			break;
		case LINE_ALONE:
			*extent = REHEARSAL_ALONE;
			break;
		case LINE_DOUBT:
			rehearsal->doubtful = true;
			break;
		default:
			impossible = arena_strdup(live->arena, line + 1);
			break;
		}
	}
	return impossible;
}

static bool fall_back(struct live *live, const struct plan plans[FAMILY_COUNT], const char *reason)
{
	strbuf_addf(&live->notes, "no rehearsal in a network namespace, only the tools' --test: %s\n", reason);
	return load_payloads(live, plans, true);
}

/* ENOSPC in the kernel's words is a full disk. */
static const char *namespace_error(int error)
{
	return error == -ENOSPC ? "the limit of namespaces is reached (/proc/sys/user/max_net_namespaces or max_user_namespaces)" :
				  strerror(-error);
}

static const char *run_in_namespace(struct rehearsal *rehearsal, enum rehearsal_extent *extent)
{
	struct strbuf said = STRBUF_EMPTY;
	const char *impossible = NULL;
	int error = net_namespace_run(rehearse, rehearsal, &said);

	if (error == -ECHILD)
		failure_set(rehearsal->live->failure, FAILURE_SYSTEM, "the process that rehearsed the change was killed");
	else if (error)
		impossible = namespace_error(error);
	else
		impossible = take_lines(rehearsal, said.data, extent);
	strbuf_free(&said);
	return impossible;
}

bool rehearsal_run(struct live *live, const struct change *change, enum rehearsal_extent *extent)
{
	struct rehearsal rehearsal = {.live = live, .change = change};
	const char *impossible;

	*extent = REHEARSAL_NEEDLESS;
	transaction_plan(rehearsal.plans, live, change, live->rules, change->want);
	if (plans_are_empty(rehearsal.plans))
		return true;
	*extent = REHEARSAL_WHOLE;
	impossible = run_in_namespace(&rehearsal, extent);
	if (rehearsal.doubtful) {
		rehearsal.careful = true;
		impossible = run_in_namespace(&rehearsal, extent);
	}
	if (impossible) {
		*extent = REHEARSAL_TEST;
		fall_back(live, rehearsal.plans, impossible);
	}
	if (live->failure->kind == FAILURE_NONE)
		return true;
	failure_note(live->failure, "nothing was changed");
	return false;
}
