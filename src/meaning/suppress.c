/* The comments that switch checks off: `# peerwall: allow NAME, ...`. */
#include "resolver.h"

#include <string.h>

#define MARK "peerwall:"
#define VERB "allow"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(const char *text, size_t at, size_t size)
{
	while (at < size && is_blank(text[at]))
		at++;
	return at;
}

static size_t word_end(const char *text, size_t at, size_t size)
{
	while (at < size && !is_blank(text[at]) && text[at] != ',')
		at++;
	return at;
}

struct next_line {
	uint32_t statement; /* its position */
	size_t end;         /* of its line, as an offset */
};

/* The end of the line that the offset lies in, its newline included. */
static size_t line_end(const struct source *source, size_t offset)
{
	const char *newline = memchr(source->text + offset, '\n', source->size - offset);

	return newline ? (size_t)(newline - source->text) + 1 : source->size;
}

static size_t line_start(const struct source *source, size_t offset)
{
	while (offset > 0 && source->text[offset - 1] != '\n')
		offset--;
	return offset;
}

/* The first statement that begins at or behind the position; 0 if there is none. */
static uint32_t next_statement(const struct ast_file *file, uint32_t position)
{
	size_t lo = 0, hi = file->statement_starts.len;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (file->statement_starts.data[middle] < position)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo < file->statement_starts.len ? file->statement_starts.data[lo] : 0;
}

/* Its own line, and the next one that holds a statement. Many comments before one statement look it up once. */
static void set_extent(struct suppression *suppression, const struct ast_file *file, struct next_line *known)
{
	const struct source *source = file->source;
	size_t own = suppression->span.lo - source->start, end = line_end(source, own);
	uint32_t next = next_statement(file, source->start + (uint32_t)end);

	suppression->from = source->start + (uint32_t)line_start(source, own);
	if (next && next != known->statement)
		*known = (struct next_line){next, line_end(source, next - source->start)};
	suppression->to = source->start + (uint32_t)(next ? known->end : end);
}

static void report_unknown(struct resolver *resolver, struct span span, const char *text, size_t size)
{
	const char *candidates[CODE_COUNT], *near;
	struct diag *diag;

	diag = diag_add(resolver->diags, CODE_UNKNOWN_CHECK, span, "there is no check %s",
			diag_quote(resolver->diags, text, size));
	for (size_t i = 0; i < CODE_COUNT; i++)
		candidates[i] = diag_code_info((enum diag_code)i)->name;
	near = nearest_word(text, size, candidates, CODE_COUNT);
	if (near)
		diag_suggest(resolver->diags, diag, "%s", near);
}

static void add_names(struct resolver *resolver, struct suppression *suppression, const char *text, size_t at,
		      size_t size)
{
	enum diag_code code;

	for (;;) {
		size_t start, end;
		struct span span;

		while (at < size && (is_blank(text[at]) || text[at] == ','))
			at++;
		if (at == size)
			return;
		start = at;
		at = end = word_end(text, at, size);
		span = (struct span){suppression->span.lo + (uint32_t)start, suppression->span.lo + (uint32_t)end};
		if (!diag_code_find(text + start, end - start, &code)) {
			report_unknown(resolver, span, text + start, end - start);
			continue;
		}
		vec_push(resolver->arena, &suppression->names, arena_strndup(resolver->arena, text + start, end - start));
		vec_push(resolver->arena, &suppression->name_spans, span);
	}
}

/* Comments for people are passed over. */
static void read_comment(struct resolver *resolver, const struct ast_file *file, const struct ast_comment *comment,
			 struct next_line *known)
{
	const char *text = file->source->text + (comment->span.lo - file->source->start);
	size_t size = comment->span.hi - comment->span.lo, at = skip_blanks(text, 1, size), end;
	struct suppression suppression = {.span = comment->span};
	struct diag *diag;

	if (size - at < strlen(MARK) || memcmp(text + at, MARK, strlen(MARK)) != 0)
		return;
	at = skip_blanks(text, at + strlen(MARK), size);
	end = word_end(text, at, size);
	if (end - at != strlen(VERB) || memcmp(text + at, VERB, end - at) != 0) {
		diag = diag_add(resolver->diags, CODE_UNKNOWN_CHECK, comment->span, "this comment says nothing to peerwall");
		diag_label(resolver->diags, diag, SPAN_NONE, "checks are switched off so: # " MARK " " VERB " host-bits");
		return;
	}
	add_names(resolver, &suppression, text, end, size);
	set_extent(&suppression, file, known);
	vec_push(resolver->arena, &resolver->policy->suppressions, suppression);
}

void resolver_suppressions(struct resolver *resolver, const struct ast_file *file)
{
	struct next_line known = {0, 0};

	vec_each(comment, &file->comments)
		read_comment(resolver, file, comment, &known);
	vec_each(item, &file->items)
		if ((*item)->included)
			resolver_suppressions(resolver, (*item)->included);
}
