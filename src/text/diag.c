#include <peerwall/diag.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct diag_code_info code_infos[CODE_COUNT] = {
#define CODE(id, number, name, severity, summary) [CODE_##id] = {number, name, severity, summary},
#include <peerwall/codes.def>
#undef CODE
};

/* Words of the user are cut to this many bytes in messages. */
#define QUOTE_MAX 48

const struct diag_code_info *diag_code_info(enum diag_code code)
{
	return &code_infos[code];
}

static bool equals(const char *string, const char *text, size_t size)
{
	return strlen(string) == size && memcmp(string, text, size) == 0;
}

bool diag_code_find(const char *text, size_t size, enum diag_code *out)
{
	for (size_t i = 0; i < CODE_COUNT; i++) {
		if (!equals(code_infos[i].number, text, size) && !equals(code_infos[i].name, text, size))
			continue;
		*out = (enum diag_code)i;
		return true;
	}
	return false;
}

void diags_init(struct diags *diags, struct arena *arena)
{
	*diags = (struct diags){.arena = arena, .spare = arena_zalloc(arena, sizeof *diags->spare)};
}

bool diags_full(const struct diags *diags)
{
	return diags->limit && diags->errors >= diags->limit;
}

static const char *format_text(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	char *text;
	int size;

	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, again);
	va_end(again);
	text = arena_alloc(arena, (size_t)size + 1);
	vsnprintf(text, (size_t)size + 1, format, args);
	return text;
}

/* Counts it, and says whether it is one too many. */
static bool count_is_over(struct diags *diags, enum severity severity)
{
	size_t *count;

	if (severity < SEVERITY_WARNING)
		return false;
	count = severity == SEVERITY_ERROR ? &diags->errors : &diags->warnings;
	++*count;
	if (!diags->limit || *count <= diags->limit)
		return false;
	diags->suppressed += severity == SEVERITY_ERROR;
	return true;
}

struct diag *diag_add(struct diags *diags, enum diag_code code, struct span span, const char *format, ...)
{
	enum severity severity = code_infos[code].severity;
	struct diag *diag;
	va_list args;

	if (count_is_over(diags, severity)) {
		*diags->spare = (struct diag){.code = code, .severity = severity, .span = span, .message = ""};
		return diags->spare;
	}
	diag = arena_zalloc(diags->arena, sizeof *diag);
	diag->code = code;
	diag->severity = severity;
	diag->span = span;
	va_start(args, format);
	diag->message = format_text(diags->arena, format, args);
	va_end(args);
	vec_push(diags->arena, &diags->all, diag);
	return diag;
}

void diag_label(struct diags *diags, struct diag *diag, struct span span, const char *format, ...)
{
	struct diag_label label = {.span = span};
	va_list args;

	if (diag == diags->spare)
		return;
	va_start(args, format);
	label.text = format_text(diags->arena, format, args);
	va_end(args);
	vec_push(diags->arena, &diag->labels, label);
}

void diag_suggest(struct diags *diags, struct diag *diag, const char *format, ...)
{
	va_list args;

	if (diag == diags->spare)
		return;
	va_start(args, format);
	diag->suggestion = format_text(diags->arena, format, args);
	va_end(args);
}

const char *diag_quote(struct diags *diags, const char *text, size_t size)
{
	size_t shown = size;

	if (size <= QUOTE_MAX)
		return arena_printf(diags->arena, "'%.*s'", (int)size, text);
	/* Not within a character of UTF-8. */
	for (shown = QUOTE_MAX; shown > QUOTE_MAX - 4 && ((unsigned char)text[shown] & 0xc0) == 0x80;)
		shown--;
	return arena_printf(diags->arena, "'%.*s...' (%zu bytes)", (int)shown, text, size);
}

/* Where equal, in the order of arrival, which is told by the place in the array before. */
struct sort_entry {
	struct diag *diag;
	size_t arrival;
};

static int compare_entries(const void *left, const void *right)
{
	const struct sort_entry *a = left, *b = right;

	if (a->diag->span.lo != b->diag->span.lo)
		return a->diag->span.lo < b->diag->span.lo ? -1 : 1;
	if (a->diag->code != b->diag->code)
		return a->diag->code < b->diag->code ? -1 : 1;
	return a->arrival < b->arrival ? -1 : 1;
}

void diags_sort(struct diags *diags)
{
	struct sort_entry *entries;

	if (diags->all.len < 2)
		return;
	entries = checked_realloc(NULL, diags->all.len * sizeof *entries);
	for (size_t i = 0; i < diags->all.len; i++)
		entries[i] = (struct sort_entry){diags->all.data[i], i};
	qsort(entries, diags->all.len, sizeof *entries, compare_entries);
	for (size_t i = 0; i < diags->all.len; i++)
		diags->all.data[i] = entries[i].diag;
	free(entries);
}
