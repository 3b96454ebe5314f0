#include <peerwall/match_codec.h>
#include <peerwall/snapshot.h>

#include "match_cache.h"
#include "rule_order.h"
#include "snapshot_reserve.h"

#include <string.h>

/* Lists of addresses multiply: so many rules may come of them in one text. */
#define EXPANSION_MAX 1000000u

struct reading {
	struct ruleset *ruleset;
	struct arena *arena;
	struct diags *diags;
	const struct source *source;
	struct decoder decoder;
	struct rule_counts counts;
	struct table *table; /* NULL outside of tables */
	size_t user_chains;  /* of the table */
	VEC(struct rule_order) orders; /* by the chain's number in the table */
	VEC(uint32_t) filled; /* the table's chains that have, or had, rules */
	struct intern unknown; /* extensions that were noted already */
	struct strbuf scratch;
	size_t expanded;
	bool other_family_told;
	bool failed;
};

static struct diag *fail(struct reading *reading, enum diag_code code, struct span span, const char *message)
{
	reading->failed = true;
	return diag_add(reading->diags, code, span, "%s", message);
}

static const char *quoted(struct reading *reading, const struct ipsave_word *word)
{
	return diag_quote(reading->diags, word->text, word->size);
}

static bool word_is(const struct ipsave_word *word, const char *text)
{
	return strlen(text) == word->size && memcmp(text, word->text, word->size) == 0;
}

/* ---- tables ---- */

static void end_table(struct reading *reading)
{
	for (size_t i = 0; i < reading->table->chains.len; i++)
		rule_order_apply(&reading->orders.data[i], reading->arena, &reading->table->chains.data[i]);
	reading->table = NULL;
}

static void cut_off(struct reading *reading, struct span here)
{
	struct diag *diag = fail(reading, CODE_SNAPSHOT_TRUNCATED, here, "COMMIT is missing before this");

	diag_label(reading->diags, diag, reading->table->span, "the table begins here");
	end_table(reading);
}

static void read_table(struct reading *reading, const struct ipsave_line *line)
{
	const struct ipsave_word *name = &line->words[0];
	struct diag *diag;
	enum table_id id;

	if (reading->table)
		cut_off(reading, line->span);
	if (!table_id_find(name->text, name->size, &id)) {
		reading->failed = true;
		diag_add(reading->diags, CODE_SNAPSHOT_UNKNOWN_TABLE, name->span,
			 "iptables has no table %s", quoted(reading, name));
		return;
	}
	if (reading->ruleset->tables[id].present) {
		diag = fail(reading, CODE_SNAPSHOT_DUPLICATE_TABLE, line->span, "this table occurs twice");
		diag_label(reading->diags, diag, reading->ruleset->tables[id].span, "first here");
		return;
	}
	reading->table = ruleset_table(reading->ruleset, id);
	reading->table->span = line->span;
	reading->user_chains = 0;
	reading->orders.len = 0;
	reading->filled.len = 0;
}

static struct chain *add_chain(struct reading *reading, const struct ipsave_word *name, struct span span)
{
	struct chain *chain;

	if (name->size > CHAIN_NAME_MAX || name->size == 0) {
		reading->failed = true;
		diag_add(reading->diags, CODE_SNAPSHOT_TOO_LONG, name->span, "a chain's name has 1 to %d bytes",
			 CHAIN_NAME_MAX);
		return NULL;
	}
	chain = table_add_chain(reading->ruleset, reading->table, name->text, name->size);
	while (reading->orders.len < reading->table->chains.len) {
		vec_push(reading->arena, &reading->orders, (struct rule_order){0});
		reading->user_chains += !chain->builtin;
	}
	chain->span = span;
	rule_counts_reserve(&reading->counts, reading->table->id, reading->arena, chain);
	return chain;
}

/* A chain that a command names: declared before, or built-in. */
static struct chain *find_chain(struct reading *reading, const struct ipsave_word *name)
{
	struct chain *chain = table_find_chain(reading->table, name->text, name->size);

	if (chain)
		return chain;
	for (int hook = 0; hook < HOOK_COUNT; hook++)
		if (table_has_hook(reading->table->id, (enum hook)hook) && word_is(name, hook_names[hook]))
			return add_chain(reading, name, SPAN_NONE);
	reading->failed = true;
	if (!diags_full(reading->diags))
		diag_add(reading->diags, CODE_SNAPSHOT_UNKNOWN_CHAIN, name->span,
			 "table %s has no chain %s before this line", table_names[reading->table->id],
			 quoted(reading, name));
	return NULL;
}

static void flush_chain(struct reading *reading, struct chain *chain)
{
	chain->rules.len = 0;
	reading->orders.data[chain - reading->table->chains.data].places.len = 0;
}

static bool set_policy(struct reading *reading, struct chain *chain, const struct ipsave_word *policy)
{
	if (word_is(policy, "DROP"))
		chain->policy_drop = true;
	else if (word_is(policy, "ACCEPT"))
		chain->policy_drop = false;
	else if (!word_is(policy, "-")) {
		fail(reading, CODE_SNAPSHOT_SYNTAX, policy->span, "a policy is ACCEPT or DROP");
		return false;
	}
	return true;
}

static void read_chain(struct reading *reading, const struct ipsave_line *line)
{
	const struct ipsave_word *name = &line->words[0], *policy = &line->words[1];
	struct chain *chain;

	if (!reading->table) {
		fail(reading, CODE_SNAPSHOT_SYNTAX, line->span, "a chain outside of any table");
		return;
	}
	if (line->count < 2) {
		fail(reading, CODE_SNAPSHOT_SYNTAX, name->span, "a policy, or \"-\", is missing behind the name of this chain");
		return;
	}
	/* What stands behind "-" is not read. */
	if (line->count > 2 && !line->has_counters && !word_is(policy, "-")) {
		fail(reading, CODE_SNAPSHOT_SYNTAX, line->words[2].span, "these are no counters");
		return;
	}
	chain = add_chain(reading, name, line->span);
	if (!chain)
		return;
	chain->counters = line->counters;
	if (!chain->builtin && !word_is(policy, "-"))
		fail(reading, CODE_SNAPSHOT_SYNTAX, policy->span, "only built-in chains have a policy; others have \"-\"");
	else if (chain->builtin)
		set_policy(reading, chain, policy);
	else
		flush_chain(reading, chain); /* as iptables-restore does when it is declared again */
}

/* ---- rules ---- */

static const char *spec_text(const struct reading *reading, const struct ipsave_line *line, size_t first, size_t *size)
{
	uint32_t lo = first < line->count ? line->words[first].span.lo : line->span.hi;

	*size = line->span.hi - lo;
	return reading->source->text + (lo - reading->source->start);
}

static void tell_result(struct reading *reading, enum decode_result result, const struct decode_note *note,
			const struct ipsave_line *line, size_t first)
{
	size_t at = first + note->word;
	struct span span = at < line->count ? line->words[at].span : line->span;
	const struct ipsave_word *word;

	switch (result) {
	case DECODE_DONE:
		return;
	case DECODE_OTHER_FAMILY:
		if (!reading->other_family_told)
			diag_add(reading->diags, CODE_SNAPSHOT_OTHER_FAMILY, line->span,
				 "rules for the other family, as this one, are passed over");
		reading->other_family_told = true;
		return;
	case DECODE_UNKNOWN:
		word = &line->words[at];
		if (intern_find(&reading->unknown, word->text, word->size) != INTERN_NONE)
			return;
		intern_add(&reading->unknown, word->text, word->size);
		diag_add(reading->diags, CODE_SNAPSHOT_UNKNOWN_EXTENSION, span,
			 "the extension %s is not known here; what it does is left open", quoted(reading, word));
		return;
	case DECODE_AMBIGUOUS:
		diag_add(reading->diags, CODE_SNAPSHOT_AMBIGUOUS, span, "%s", note->reason);
		return;
	case DECODE_REFUSED:
		if (note->undeclared) {
			reading->failed = true;
			diag_add(reading->diags, CODE_SNAPSHOT_UNKNOWN_CHAIN, span,
				 "table %s has no chain %s before this line", table_names[reading->table->id],
				 quoted(reading, &line->words[at]));
		} else {
			diag_add(reading->diags, CODE_SNAPSHOT_REFUSED_RULE, span, "%s", note->reason);
		}
		return;
	}
}

static void put_rule(struct reading *reading, struct chain *chain, const struct rule *rule, bool insert, uint32_t place)
{
	uint32_t number = (uint32_t)(chain - reading->table->chains.data);
	struct rule_order *order = &reading->orders.data[number];

	if (chain->rules.len == 0)
		vec_push(reading->arena, &reading->filled, number);
	*chain_add_rule(reading->ruleset, chain) = *rule;
	if (insert)
		rule_order_insert(order, reading->arena, chain, place);
	else
		rule_order_append(order, reading->arena, chain);
}

/* Every source with every destination, in this order. Inserted ones go one before the other. */
static void put_expanded(struct reading *reading, struct chain *chain, struct rule *rule,
			 const struct decode_note *note, const struct ipsave_line *line, bool insert, uint32_t place)
{
	size_t sources = note->more_sources.items.len + 1, destinations = note->more_destinations.items.len + 1;
	const struct network_match source = rule->source, destination = rule->destination;

	if (sources * destinations > EXPANSION_MAX - reading->expanded) {
		fail(reading, CODE_SNAPSHOT_TOO_LONG, line->span, "lists of addresses stand for too many rules");
		return;
	}
	reading->expanded += sources * destinations;
	rule->text = NULL;
	rule->canonical = false;
	for (size_t s = 0; s < sources; s++)
		for (size_t d = 0; d < destinations; d++) {
			rule->source = s == 0 ? source : note->more_sources.items.data[s - 1];
			rule->destination = d == 0 ? destination : note->more_destinations.items.data[d - 1];
			put_rule(reading, chain, rule, insert, place);
		}
}

static void read_rule(struct reading *reading, const struct ipsave_line *line, struct chain *chain, size_t first,
		      bool insert, uint32_t place)
{
	struct rule rule = {.span = line->span, .has_counters = line->has_counters, .counters = line->counters};
	struct decode_note note;
	enum decode_result result;
	const char *text;
	size_t size;

	result = rule_decode_words(&rule, &reading->decoder, reading->table, line->words + first, line->count - first,
				   &note);
	tell_result(reading, result, &note, line, first);
	if (result == DECODE_OTHER_FAMILY)
		return;
	text = spec_text(reading, line, first, &size);
	if (!rule.opaque) {
		strbuf_reset(&reading->scratch);
		rule_encode(&reading->scratch, reading->ruleset->family, &rule);
		rule.canonical = reading->scratch.len == size && memcmp(strbuf_str(&reading->scratch), text, size) == 0;
	}
	if (note.more_sources.items.len + note.more_destinations.items.len > 0) {
		put_expanded(reading, chain, &rule, &note, line, insert, place);
		return;
	}
	if (!rule.canonical)
		rule.text = arena_strndup(reading->arena, text, size);
	put_rule(reading, chain, &rule, insert, place);
}

/* ---- commands ---- */

enum command { APPEND, INSERT, NEW_CHAIN, POLICY, FLUSH, DELETE_CHAIN, ZERO };

static bool find_command(const struct ipsave_word *word, enum command *out)
{
	static const struct {
		const char *brief;
		const char *name;
		enum command command;
	} commands[] = {
		{"-A", "--append", APPEND}, {"-I", "--insert", INSERT}, {"-N", "--new-chain", NEW_CHAIN},
		{"-P", "--policy", POLICY}, {"-F", "--flush", FLUSH}, {"-X", "--delete-chain", DELETE_CHAIN},
		{"-Z", "--zero", ZERO},
	};

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (word_is(word, commands[i].brief) || word_is(word, commands[i].name)) {
			*out = commands[i].command;
			return true;
		}
	return false;
}

static void read_insert(struct reading *reading, const struct ipsave_line *line, struct chain *chain, size_t first)
{
	uint64_t number = 1;

	if (first < line->count && line->words[first].size > 0 && line->words[first].text[0] >= '0' &&
	    line->words[first].text[0] <= '9') {
		const struct ipsave_word *word = &line->words[first];

		number = 0;
		for (size_t i = 0; i < word->size && number <= UINT32_MAX; i++)
			number = word->text[i] >= '0' && word->text[i] <= '9'
				? number * 10 + (uint64_t)(word->text[i] - '0') : UINT64_MAX / 2;
		if (number == 0 || number > chain->rules.len + 1) {
			fail(reading, CODE_SNAPSHOT_SYNTAX, word->span, "there is no such place in the chain");
			return;
		}
		first++;
	}
	read_rule(reading, line, chain, first, true, (uint32_t)number - 1);
}

static void read_flush(struct reading *reading, const struct ipsave_line *line, size_t first)
{
	struct chain *chain = first < line->count ? find_chain(reading, &line->words[first]) : NULL;

	if (chain) {
		flush_chain(reading, chain);
	} else if (first == line->count) {
		vec_each(number, &reading->filled)
			flush_chain(reading, &reading->table->chains.data[*number]);
		reading->filled.len = 0;
	}
}

static void read_command(struct reading *reading, const struct ipsave_line *line)
{
	size_t at = 0;
	struct chain *chain;
	enum command command;

	if (!reading->table) {
		fail(reading, CODE_SNAPSHOT_SYNTAX, line->span, "a rule outside of any table");
		return;
	}
	/* "-6 -A ..." among IPv4 rules is passed over, and the other way round. */
	if (word_is(&line->words[0], "-4") || word_is(&line->words[0], "-6")) {
		at = 1;
		if (word_is(&line->words[0], "-4") != (reading->ruleset->family == FAMILY_IPV4)) {
			tell_result(reading, DECODE_OTHER_FAMILY, &(struct decode_note){0}, line, 0);
			return;
		}
	}
	if (at == line->count || !find_command(&line->words[at], &command)) {
		fail(reading, CODE_SNAPSHOT_SYNTAX, line->words[at < line->count ? at : 0].span,
		     "a line of a table begins with -A; what changes or asks for rules is not read here");
		return;
	}
	at++;
	if (command == FLUSH) {
		read_flush(reading, line, at);
		return;
	}
	if (command == ZERO)
		return; /* counters stay as they were read */
	if (command == DELETE_CHAIN) {
		if (reading->user_chains > 0)
			fail(reading, CODE_SNAPSHOT_SYNTAX, line->span, "a chain is deleted that this text declares");
		return;
	}
	if (at == line->count) {
		fail(reading, CODE_SNAPSHOT_SYNTAX, line->span, "this command needs a chain");
		return;
	}
	if (command == NEW_CHAIN) {
		if (table_find_chain(reading->table, line->words[at].text, line->words[at].size))
			fail(reading, CODE_SNAPSHOT_SYNTAX, line->words[at].span, "there is a chain of this name already");
		else
			add_chain(reading, &line->words[at], line->span);
		return;
	}
	chain = find_chain(reading, &line->words[at]);
	if (!chain)
		return;
	at++;
	if (command == POLICY) {
		if (at == line->count || !chain->builtin || word_is(&line->words[at], "-"))
			fail(reading, CODE_SNAPSHOT_SYNTAX, line->span, "-P takes a built-in chain and its policy");
		else
			set_policy(reading, chain, &line->words[at]);
	} else if (command == INSERT) {
		read_insert(reading, line, chain, at);
	} else {
		read_rule(reading, line, chain, at, false, 0);
	}
}

/* ---- lines ---- */

/* The nft backend says so, in a comment and with exit status 0, instead of printing the table. */
static void read_comment(struct reading *reading, const struct ipsave_line *line)
{
	static const char start[] = "# Table `";
	const char *text = line->words[0].text;
	size_t size = line->words[0].size;

	if (size > sizeof start - 1 && memcmp(text, start, sizeof start - 1) == 0 &&
	    memmem(text, size, "incompatible", strlen("incompatible")))
		fail(reading, CODE_SNAPSHOT_INCOMPATIBLE, line->span,
		     "iptables-save could not print this table: it holds rules that only nft can show");
}

/* Does the text begin so, or is it the beginning of that? */
static bool begins(const char *text, size_t size, const char *start)
{
	size_t length = strlen(start);

	/* Not a "#" alone, which people write, too. */
	return size > 2 && memcmp(text, start, size < length ? size : length) == 0;
}

/* Between two tables no COMMIT is missing, but iptables-save writes a line before each table and one behind it. */
static bool ends_between_tables(const struct source *source, struct span *last)
{
	size_t end = source->size, start;
	bool whole = end > 0 && source->text[end - 1] == '\n';
	const char *line;

	end -= whole;
	for (start = end; start > 0 && source->text[start - 1] != '\n'; start--)
		;
	line = source->text + start;
	*last = (struct span){source->start + (uint32_t)start, source->start + (uint32_t)end};
	if (end == start || line[0] != '#')
		return false;
	if (begins(line, end - start, "# Generated by "))
		return true;
	/* The year is the last that "# Completed on" has. */
	return !whole && begins(line, end - start, "# Completed on ") &&
	       strspn(line + end - start - (end - start < 4 ? end - start : 4), "0123456789") < 4;
}

static void read_line(void *context, const struct ipsave_line *line)
{
	struct reading *reading = context;

	switch (line->kind) {
	case IPSAVE_TABLE:
		read_table(reading, line);
		return;
	case IPSAVE_CHAIN:
		read_chain(reading, line);
		return;
	case IPSAVE_RULE:
		read_command(reading, line);
		return;
	case IPSAVE_COMMENT:
		read_comment(reading, line);
		return;
	case IPSAVE_COMMIT:
		if (!reading->table)
			fail(reading, CODE_SNAPSHOT_SYNTAX, line->span, "COMMIT outside of any table");
		else
			end_table(reading);
		return;
	}
}

bool snapshot_read(struct ruleset *out, enum family family, const struct source *source, struct arena *arena,
		   struct diags *diags)
{
	struct reading reading = {.ruleset = out, .arena = arena, .diags = diags, .source = source,
				  .decoder = {.ruleset = out}, .scratch = STRBUF_EMPTY};
	struct ipsave_summary summary;
	struct arena passing = ARENA_EMPTY;
	uint32_t end = source->start + (uint32_t)source->size;
	struct span last;

	ruleset_init(out, family, arena);
	intern_init(&reading.unknown, arena);
	reading.decoder.source = source;
	reading.decoder.cache = arena_zalloc(&passing, sizeof *reading.decoder.cache);
	rule_counts_init(&reading.counts, &passing);
	rule_counts_take(&reading.counts, source);
	if (!ipsave_parse(source, read_line, &reading, diags, &summary))
		reading.failed = true;
	if (reading.table)
		cut_off(&reading, (struct span){end > source->start ? end - 1 : end, end});
	else if (ends_between_tables(source, &last))
		diag_add(diags, CODE_SNAPSHOT_ENDS_EARLY, last, "the text breaks off here: tables may be missing");
	if (summary.carriage_returns > 0)
		diag_add(diags, CODE_SNAPSHOT_LINE_ENDS, summary.first_return,
			 "%zu lines end in CR LF, which iptables-restore refuses; they are read without the CR",
			 summary.carriage_returns);
	if (!reading.failed && snapshot_is_empty(out))
		diag_add(diags, CODE_SNAPSHOT_EMPTY, (struct span){source->start, source->start},
			 "%s holds no table: nothing was loaded when it was saved", source->name);
	strbuf_free(&reading.scratch);
	arena_free(&passing);
	return !reading.failed;
}

bool snapshot_is_empty(const struct ruleset *ruleset)
{
	for (int id = 0; id < TABLE_COUNT; id++)
		if (ruleset->tables[id].present)
			return false;
	return true;
}
