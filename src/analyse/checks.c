#include "checks_run.h"

#include <peerwall/checks.h>
#include <peerwall/strbuf.h>

#include <stdlib.h>
#include <string.h>

static const struct check checks[] = {
	{CODE_MISSING_PERMISSION, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, check_missing_permission},
	{CODE_INTERFACE_CLAIMED_TWICE, SEVERITY_ERROR, CHECK_NEEDS_POLICY, true, check_interface_claimed_twice},
	{CODE_LOOPBACK_INTERFACE, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, check_loopback_interface},
	{CODE_PATTERN_INTERFACE, SEVERITY_NOTE, CHECK_NEEDS_POLICY, false, check_pattern_interface},
	{CODE_TESTS_NOT_RUN, SEVERITY_NOTE, CHECK_NEEDS_POLICY, false, check_tests_not_run},
	/* Found out at the very end, from what the others found. */
	{CODE_USELESS_SUPPRESSION, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, NULL},
	{CODE_SAME_PEERS, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, check_same_peers},
	{CODE_OVERLAPPING_PEERS, SEVERITY_NOTE, CHECK_NEEDS_POLICY, false, check_overlapping_peers},
	{CODE_EXPOSED_TO_ANY, SEVERITY_NOTE, CHECK_NEEDS_POLICY, false, check_exposed_to_any},
	{CODE_BROAD_PREFIX, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, check_broad_prefix},
	{CODE_IPV6_FORGOTTEN, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, check_ipv6_forgotten},
	{CODE_NEVER_MATCHES, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, check_never_matches},
	{CODE_REDUNDANT_PERMISSION, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, check_redundant_permission},
	{CODE_LARGE_PORT_RANGE, SEVERITY_NOTE, CHECK_NEEDS_POLICY, false, check_large_port_range},
	{CODE_DOCKER_API_EXPOSED, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, check_docker_api},
	{CODE_SENSITIVE_PORT, SEVERITY_NOTE, CHECK_NEEDS_POLICY, false, check_sensitive_port},
	{CODE_CONTAINER_PORT, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_container_port},
	{CODE_PORT_NOT_PUBLISHED, SEVERITY_NOTE, CHECK_NEEDS_SNAPSHOT, false, check_port_not_published},
	{CODE_PUBLISHED_ON_LOOPBACK, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_published_on_loopback},
	{CODE_PUBLISHED_NOT_EXPOSED, SEVERITY_NOTE, CHECK_NEEDS_SNAPSHOT, false, check_published_not_exposed},
	{CODE_BYPASSED_INPUT_RULE, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_bypassed_input_rule},
	{CODE_DOCKER_DIRECT_DROP, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_docker_direct_drop},
	{CODE_CHAIN_NAME_TAKEN, SEVERITY_ERROR, CHECK_NEEDS_SNAPSHOT, true, check_chain_name_taken},
	{CODE_FOREIGN_PREFIX, SEVERITY_NOTE, CHECK_NEEDS_SNAPSHOT, false, check_foreign_prefix},
	{CODE_DUPLICATE_JUMP, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_duplicate_jump},
	{CODE_UNKNOWN_OWN_INTERFACE, SEVERITY_NOTE, CHECK_NEEDS_SNAPSHOT, false, check_unknown_own_interface},
	{CODE_ORPHAN_CHAIN, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_orphan_chain},
	{CODE_OVERTAKEN_JUMP, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_overtaken_jump},
	{CODE_BOTH_BACKENDS, SEVERITY_ERROR, CHECK_NEEDS_SNAPSHOT, true, check_both_backends},
	{CODE_UNKNOWN_INTERFACE, SEVERITY_NOTE, CHECK_NEEDS_SNAPSHOT, false, check_unknown_interface},
	{CODE_PRIVATE_BLANKET, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_private_blanket},
	{CODE_DEAD_RULE, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_dead_rule},
	{CODE_UNREACHABLE_RULE, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_unreachable_rule},
	{CODE_NOTRACK, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_notrack},
	{CODE_FOREIGN_DROP, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_foreign_drop},
	{CODE_LEGACY_TABLES, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_legacy_tables},
	{CODE_CONNTRACK_HELPER, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, false, check_conntrack_helper},
	/* Found by the proof, which runs before the checks. */
	{CODE_LEAK, SEVERITY_ERROR, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_POSSIBLE_LEAK, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_DECLARED_REFUSED, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_DECLARED_MAY_BE_REFUSED, SEVERITY_NOTE, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_TEST_FAILED, SEVERITY_ERROR, CHECK_NEEDS_POLICY, false, NULL},
	{CODE_TEST_UNDECIDED, SEVERITY_WARNING, CHECK_NEEDS_POLICY, false, NULL},
	{CODE_NOT_PROVED, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_PROVED, SEVERITY_NOTE, CHECK_NEEDS_POLICY, false, NULL},
	{CODE_ASSUMED, SEVERITY_NOTE, CHECK_NEEDS_POLICY, false, NULL},
	{CODE_DIVERTED, SEVERITY_NOTE, CHECK_NEEDS_SNAPSHOT, false, NULL},
	/* Found in rules as they are, on demand. */
	{CODE_IMPOSSIBLE_RULE, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_SHADOWED_RULE, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_COVERED_RULE, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_UNREACHED_CHAIN, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_REDUNDANT_RULE, SEVERITY_WARNING, CHECK_NEEDS_SNAPSHOT, true, NULL},
	{CODE_EXPOSURE, SEVERITY_NOTE, CHECK_NEEDS_SNAPSHOT, true, NULL},
};
#define CHECK_COUNT (sizeof checks / sizeof *checks)

const struct check *checks_table(size_t *count)
{
	*count = CHECK_COUNT;
	return checks;
}

const struct check *check_find(enum diag_code code)
{
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if (checks[i].code == code)
			return &checks[i];
	return NULL;
}

/* ---- settings ---- */

static enum severity severity_when_on(enum diag_code code)
{
	const struct check *check = check_find(code);

	return check ? check->severity : diag_code_info(code)->severity;
}

/* What is an error by itself is no opinion. */
static bool is_fixed(enum diag_code code)
{
	return severity_when_on(code) == SEVERITY_ERROR;
}

void check_settings_init(struct check_settings *settings)
{
	*settings = (struct check_settings){0};
	for (size_t i = 0; i < CODE_COUNT; i++)
		settings->severity[i] = diag_code_info((enum diag_code)i)->severity;
}

static void choose(struct check_settings *settings, enum diag_code code, enum severity severity)
{
	settings->severity[code] = severity;
	settings->chosen[code] = true;
}

enum check_setting check_settings_switch(struct check_settings *settings, const char *text)
{
	enum diag_code code;
	bool on = strncmp(text, "no-", 3) != 0;

	if (!on)
		text += 3;
	if (strcmp(text, "all") == 0) {
		for (size_t i = 0; i < CHECK_COUNT; i++)
			if (!is_fixed(checks[i].code))
				choose(settings, checks[i].code, on ? checks[i].severity : SEVERITY_OFF);
		return CHECK_SETTING_OK;
	}
	if (!diag_code_find(text, strlen(text), &code))
		return CHECK_SETTING_UNKNOWN;
	if (is_fixed(code))
		return on ? CHECK_SETTING_OK : CHECK_SETTING_FIXED;
	choose(settings, code, on ? severity_when_on(code) : SEVERITY_OFF);
	return CHECK_SETTING_OK;
}

enum check_setting check_settings_error(struct check_settings *settings, const char *text)
{
	enum diag_code code;

	if (strcmp(text, "all") == 0) {
		settings->errors = true;
		return CHECK_SETTING_OK;
	}
	if (!diag_code_find(text, strlen(text), &code))
		return CHECK_SETTING_UNKNOWN;
	choose(settings, code, SEVERITY_ERROR);
	return CHECK_SETTING_OK;
}

const char *check_settings_nearest(const char *text)
{
	const char *names[CODE_COUNT];

	if (strncmp(text, "no-", 3) == 0)
		text += 3;
	for (size_t i = 0; i < CODE_COUNT; i++)
		names[i] = diag_code_info((enum diag_code)i)->name;
	return nearest_word(text, strlen(text), names, CODE_COUNT);
}

bool check_is_on(const struct check_run *run, enum diag_code code)
{
	return run->settings->severity[code] != SEVERITY_OFF;
}

/* ---- suppressions ---- */

/* One comment of one policy, and which of its names have switched something off. */
struct comment {
	const struct suppression *suppression;
	bool *used;    /* by name; one for all copies of the comment */
	bool is_first; /* of its copies */
};

struct comments {
	VEC(struct comment) items; /* sorted by where what they cover begins, and so by where it ends */
	VEC(bool *) used;           /* by place */
};

static int compare_comments(const void *left, const void *right)
{
	const struct comment *a = left, *b = right;

	if (a->suppression->from != b->suppression->from)
		return a->suppression->from < b->suppression->from ? -1 : 1;
	return 0;
}

/* Adds what tells a place in a file from all others, also where the file was read for several policies. */
static bool add_place_key(struct strbuf *key, const struct sources *sources, struct span span)
{
	struct location place;

	if (!sources_locate(sources, span.lo, &place))
		return false;
	strbuf_addf(key, "%s\n%u", place.source->name, span.lo - place.source->start);
	return true;
}

static void add_comment(struct comments *comments, const struct check_run *run, struct intern *places,
			const struct suppression *suppression)
{
	struct comment comment = {.suppression = suppression};
	struct strbuf key = STRBUF_EMPTY;
	uint32_t count = places->count, number;

	add_place_key(&key, run->input->sources, suppression->span);
	number = intern_add(places, strbuf_str(&key), key.len);
	strbuf_free(&key);
	comment.is_first = places->count > count;
	if (comment.is_first)
		vec_push(run->arena, &comments->used, arena_zalloc(run->arena, suppression->names.len + 1));
	comment.used = comments->used.data[number];
	vec_push(run->arena, &comments->items, comment);
}

static void comments_init(struct comments *comments, const struct check_run *run)
{
	struct intern places;

	intern_init(&places, run->arena);
	vec_each(policy, &run->input->policies)
		vec_each(suppression, &(*policy)->suppressions)
			add_comment(comments, run, &places, suppression);
	if (comments->items.len)
		qsort(comments->items.data, comments->items.len, sizeof *comments->items.data, compare_comments);
}

/* Does one of the comment's names stand for the code? Each that does has been of use. */
static bool comment_names(struct comment *comment, enum diag_code code)
{
	enum diag_code named;
	bool found = false;

	for (size_t i = 0; i < comment->suppression->names.len; i++) {
		const char *name = comment->suppression->names.data[i];

		if (!diag_code_find(name, strlen(name), &named) || named != code)
			continue;
		comment->used[i] = true;
		found = true;
	}
	return found;
}

/*
 * The nearest comment that covers a position and names the code. A comment covers its own line and that of the
 * next statement, so those that cover a position stand together.
 */
static struct comment *comment_at(struct comments *comments, uint32_t position, enum diag_code code)
{
	size_t low = 0, high = comments->items.len;

	if (!position)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (comments->items.data[middle].suppression->from <= position)
			low = middle + 1;
		else
			high = middle;
	}
	while (low > 0 && position < comments->items.data[low - 1].suppression->to)
		if (comment_names(&comments->items.data[--low], code))
			return &comments->items.data[low];
	return NULL;
}

static const struct comment *comment_for(struct comments *comments, const struct diag *diag)
{
	const struct comment *comment = comment_at(comments, diag->span.lo, diag->code);

	for (size_t i = 0; i < diag->labels.len && !comment; i++)
		comment = comment_at(comments, diag->labels.data[i].span.lo, diag->code);
	return comment;
}

/* Could the check have found anything in this run? */
static bool has_run(const struct check_run *run, const struct check *check)
{
	/* Of rules as they are, what nothing can match is told elsewhere, and more of it. */
	if (run->input->installed && (check->code == CODE_DEAD_RULE || check->code == CODE_UNREACHABLE_RULE))
		return false;
	return check->run && !run->blind && check_is_on(run, check->code) &&
	       (check->need == CHECK_NEEDS_POLICY || run->input->snapshots.len);
}

/* With --prove, all but a complete proof is an error. */
static bool is_owed(const struct check_run *run, enum diag_code code)
{
	static const enum diag_code owed[] = {CODE_TESTS_NOT_RUN, CODE_POSSIBLE_LEAK, CODE_DECLARED_REFUSED,
					      CODE_NOT_PROVED};

	for (size_t i = 0; i < sizeof owed / sizeof *owed; i++)
		if (code == owed[i])
			return run->settings->prove;
	return false;
}

static bool cannot_be_suppressed(const struct check_run *run, enum diag_code code)
{
	return is_fixed(code) || is_owed(run, code);
}

static void report_useless(struct check_run *run, const struct comments *comments)
{
	vec_each(comment, &comments->items) {
		const struct suppression *suppression = comment->suppression;

		for (size_t i = 0; i < suppression->names.len; i++) {
			const char *name = suppression->names.data[i];
			const struct check *check;
			enum diag_code code;

			if (!comment->is_first || comment->used[i] || !diag_code_find(name, strlen(name), &code))
				continue;
			check = check_find(code);
			if (!check || !has_run(run, check) || cannot_be_suppressed(run, code))
				continue;
			diag_add(run->diags, CODE_USELESS_SUPPRESSION, suppression->name_spans.data[i],
				 "%s found nothing here that this comment could switch off", name);
		}
	}
}

/* ---- the run ---- */

static enum severity settled_severity(const struct check_run *run, const struct diag *diag)
{
	const struct check *check = check_find(diag->code);
	enum severity severity = diag->severity;

	if (check || (run->settings->chosen[diag->code] && !is_fixed(diag->code)))
		severity = run->settings->severity[diag->code];
	if (severity == SEVERITY_WARNING && run->settings->errors)
		severity = SEVERITY_ERROR;
	if (is_owed(run, diag->code))
		severity = SEVERITY_ERROR;
	return severity;
}

/* A file that several policies include is read for each; what is found in it is said once. */
static bool is_repeated(struct check_run *run, const struct diag *diag)
{
	struct strbuf key = STRBUF_EMPTY;
	uint32_t count = run->reported.count;
	bool placed = add_place_key(&key, run->input->sources, diag->span);

	strbuf_addf(&key, "\n%d\n%s", (int)diag->code, diag->message);
	if (placed)
		intern_add(&run->reported, strbuf_str(&key), key.len);
	strbuf_free(&key);
	return placed && run->reported.count == count;
}

/* Gives the diagnostics from the `first` one on their severities; what is off or switched off leaves the list. */
static void settle(struct check_run *run, struct comments *comments, size_t first)
{
	struct diags *diags = run->diags;
	struct suppressed_list *suppressed = run->input->suppressed;
	size_t kept = first;

	for (size_t i = first; i < diags->all.len; i++) {
		struct diag *diag = diags->all.data[i];
		const struct comment *comment;

		diag->severity = settled_severity(run, diag);
		if (diag->severity == SEVERITY_OFF)
			continue;
		comment = cannot_be_suppressed(run, diag->code) ? NULL : comment_for(comments, diag);
		if (is_repeated(run, diag))
			continue;
		if (!comment) {
			diags->all.data[kept++] = diag;
			continue;
		}
		if (suppressed)
			vec_push(run->arena, &suppressed->items,
				 (struct suppressed){diag, comment->suppression->span});
	}
	diags->all.len = kept;
}

static size_t count_severity(const struct diags *diags, enum severity severity)
{
	size_t count = 0;

	vec_each(diag, &diags->all)
		count += (*diag)->severity == severity;
	return count;
}

/* What is missing from a policy that was not understood whole may be what a check would miss. */
static bool has_language_error(const struct diags *diags)
{
	vec_each(diag, &diags->all)
		if ((*diag)->severity == SEVERITY_ERROR &&
		    strncmp(diag_code_info((*diag)->code)->number, "PW1", 3) == 0)
			return true;
	return false;
}

bool checks_run(const struct check_input *input, const struct check_settings *settings, struct diags *diags)
{
	struct check_run run = {.input = input, .settings = settings, .arena = diags->arena, .diags = diags};
	struct comments comments = {0};
	size_t limit = diags->limit, omitted_warnings, settled;

	/* The limit is there for what a broken policy says over and over; what the checks find is kept. */
	omitted_warnings = diags->warnings - count_severity(diags, SEVERITY_WARNING);
	diags->limit = 0;
	check_run_init(&run);
	run.blind = has_language_error(diags);
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if (has_run(&run, &checks[i]))
			checks[i].run(&run);
	comments_init(&comments, &run);
	intern_init(&run.reported, run.arena);
	settle(&run, &comments, 0);
	settled = diags->all.len;
	if (check_is_on(&run, CODE_USELESS_SUPPRESSION)) {
		report_useless(&run, &comments);
		settle(&run, &comments, settled);
	}
	diags->limit = limit;
	diags->errors = count_severity(diags, SEVERITY_ERROR) + diags->suppressed;
	diags->warnings = count_severity(diags, SEVERITY_WARNING) + omitted_warnings;
	diags_sort(diags);
	return diags->errors == 0;
}

static bool is_conflict(enum diag_code code)
{
	const struct check *check = check_find(code);

	return check ? check->conflict : code == CODE_HOST_FILE || strncmp(diag_code_info(code)->number, "PW2", 3) == 0;
}

bool checks_only_conflicts(const struct diags *diags)
{
	vec_each(diag, &diags->all)
		if ((*diag)->severity == SEVERITY_ERROR && !is_conflict((*diag)->code))
			return false;
	return true;
}
