#include <peerwall/arena.h>
#include <peerwall/bug.h>
#include <peerwall/parse_ipsave.h>
#include <peerwall/strbuf.h>

#include "ipsave.tab.h"
#define YYSTYPE IPSAVE_YYSTYPE
#define YYLTYPE IPSAVE_YYLTYPE
#include "ipsave.lex.h"

#include <stdlib.h>
#include <string.h>

/* ---- called by the scanner ---- */

size_t ipsave_reader_fill(struct ipsave_reader *reader, char *buffer, size_t max)
{
	size_t size = reader->end - reader->fill;

	if (size > max)
		size = max;
	memcpy(buffer, reader->source->text + reader->fill, size);
	reader->fill += size;
	return size;
}

static const char *skip_digits(const char *text)
{
	while (*text >= '0' && *text <= '9')
		text++;
	return text;
}

int ipsave_reader_first_word(const char *text, size_t size)
{
	const char *colon, *bracket;

	if (size == strlen("COMMIT") && memcmp(text, "COMMIT", size) == 0)
		return TOK_COMMIT;
	if (*text != '[')
		return TOK_WORD;
	colon = skip_digits(text + 1);
	if (colon == text + 1 || *colon != ':')
		return TOK_WORD;
	bracket = skip_digits(colon + 1);
	return bracket > colon + 1 && *bracket == ']' && bracket + 1 == text + size ? TOK_COUNTERS : TOK_WORD;
}

/* One diagnostic a line is enough: what follows in it is lost anyway. NULL if the line has had its own. */
static bool line_fails(struct ipsave_reader *reader)
{
	bool first = !reader->line_told;

	reader->line_told = true;
	reader->failed = true;
	return first;
}

void ipsave_reader_unterminated(struct ipsave_reader *reader, struct span span)
{
	if (line_fails(reader))
		diag_add(reader->diags, CODE_SNAPSHOT_UNTERMINATED_QUOTE, span, "this quote has no end");
}

void ipsave_reader_binary(struct ipsave_reader *reader, struct span span)
{
	unsigned char byte = (unsigned char)reader->source->text[span.lo - reader->source->start];

	if (line_fails(reader))
		diag_add(reader->diags, CODE_SNAPSHOT_BINARY, span, "unexpected byte 0x%02x", byte);
}

/* ---- called by the grammar ---- */

static const char *text_at(const struct ipsave_reader *reader, struct span span)
{
	return reader->source->text + (span.lo - reader->source->start);
}

/* Takes quotes and backslashes away: "ab\"c" and ab"c d". */
static const char *unquote(struct ipsave_reader *reader, const char *text, uint32_t *size)
{
	char *out = reader->scratch + reader->scratch_used;
	uint32_t used = 0;
	bool open = false;

	for (uint32_t i = 0; i < *size; i++) {
		if (text[i] == '"') {
			open = true; /* the second one is the last byte */
			continue;
		}
		if (open && text[i] == '\\')
			i++;
		out[used++] = text[i];
	}
	reader->scratch_used += used;
	*size = used;
	return out;
}

void ipsave_reader_word(struct ipsave_reader *reader, struct span span, enum ipsave_writing writing)
{
	const char *text = text_at(reader, span);
	uint32_t size = span.hi - span.lo;

	reader->last = span;
	if (reader->count == IPSAVE_WORDS_MAX) {
		reader->too_many = true;
		return;
	}
	if (writing == IPSAVE_QUOTED && text[0] == '"' && !memchr(text, '\\', size)) {
		text++;
		size -= 2;
	} else if (writing == IPSAVE_QUOTED) {
		text = unquote(reader, text, &size);
	}
	reader->words[reader->count++] = (struct ipsave_word){text, size, span};
	reader->third_in_brackets |= writing == IPSAVE_BRACKETS && reader->count == 3;
}

void ipsave_reader_counters(struct ipsave_reader *reader, struct span span)
{
	const char *text = text_at(reader, span) + 1;
	uint64_t values[2] = {0, 0};

	/* More than 64 bits hold is no counter of any kernel; it stays at the most there can be. */
	for (int i = 0; i < 2; i++, text++)
		for (; *text >= '0' && *text <= '9'; text++) {
			unsigned digit = (unsigned)(*text - '0');

			values[i] = values[i] > (UINT64_MAX - digit) / 10 ? UINT64_MAX : values[i] * 10 + digit;
		}
	reader->has_counters = true;
	reader->counters = (struct counters){values[0], values[1]};
}

static void line_reset(struct ipsave_reader *reader)
{
	reader->count = 0;
	reader->too_many = false;
	reader->third_in_brackets = false;
	reader->scratch_used = 0;
	reader->has_counters = false;
	reader->line_told = false;
	reader->summary->lines++;
}

void ipsave_reader_blank_line(struct ipsave_reader *reader)
{
	line_reset(reader);
}

void ipsave_reader_bad_line(struct ipsave_reader *reader)
{
	reader->summary->bad_lines++;
	line_reset(reader);
}

static bool line_within_limits(struct ipsave_reader *reader, enum ipsave_line_kind kind)
{
	if (kind == IPSAVE_COMMENT)
		return true;
	if (reader->too_many) {
		if (line_fails(reader))
			diag_add(reader->diags, CODE_SNAPSHOT_TOO_LONG, reader->last,
				 "a line has at most %d words", IPSAVE_WORDS_MAX);
		return false;
	}
	for (size_t i = 0; i < reader->count; i++)
		if (reader->words[i].size > IPSAVE_WORD_MAX) {
			if (line_fails(reader))
				diag_add(reader->diags, CODE_SNAPSHOT_TOO_LONG, reader->words[i].span,
					 "this word has %u bytes, and iptables-restore reads at most %d",
					 reader->words[i].size, IPSAVE_WORD_MAX);
			return false;
		}
	return true;
}

void ipsave_reader_line(struct ipsave_reader *reader, enum ipsave_line_kind kind, struct span start,
			struct span newline)
{
	size_t size = newline.hi - newline.lo;

	if (kind == IPSAVE_CHAIN && reader->third_in_brackets)
		ipsave_reader_counters(reader, reader->words[2].span);
	const char *tail = text_at(reader, newline);
	struct ipsave_line line = {
		.kind = kind,
		.span = {start.lo, newline.lo},
		.has_counters = reader->has_counters,
		.counters = reader->counters,
		.words = reader->words,
		.count = reader->count,
		.tail_blank = size > 1,
	};

	if (size > 1 && tail[size - 2] == '\r' && reader->summary->carriage_returns++ == 0)
		reader->summary->first_return = (struct span){newline.hi - 2, newline.hi};
	if (line_within_limits(reader, kind))
		reader->handler(reader->context, &line);
	else
		reader->summary->bad_lines++;
	line_reset(reader);
}

void ipsave_reader_syntax_error(struct ipsave_reader *reader, struct span span, const char *found,
				const char *const *expected, int count)
{
	struct strbuf list = STRBUF_EMPTY;

	if (!line_fails(reader) || diags_full(reader->diags))
		return;
	for (int i = 0; i < count; i++) {
		strbuf_adds(&list, i == 0 ? ": expected " : i == count - 1 ? " or " : ", ");
		strbuf_adds(&list, expected[i]);
	}
	diag_add(reader->diags, CODE_SNAPSHOT_SYNTAX, span, "%s here is not the form of iptables-save%s", found,
		 strbuf_str(&list));
	strbuf_free(&list);
}

/* ---- the driver ---- */

/* The scanner holds one token at a time, so no line may be longer than its limit. Finds the next that is. */
static bool find_long_line(const struct source *source, size_t from, size_t *start, size_t *end)
{
	while (from < source->size) {
		const char *newline = memchr(source->text + from, '\n', source->size - from);
		size_t stop = newline ? (size_t)(newline - source->text) : source->size;

		if (stop - from > IPSAVE_LINE_MAX) {
			*start = from;
			*end = stop;
			return true;
		}
		from = stop + 1;
	}
	return false;
}

static void parse_part(struct ipsave_reader *reader, size_t from, size_t to)
{
	yyscan_t scanner;

	if (from >= to)
		return;
	reader->fill = from;
	reader->end = to;
	reader->next = reader->source->start + (uint32_t)from;
	if (ipsave_yylex_init_extra(reader, &scanner) != 0)
		BUG("the scanner could not be set up");
	if (ipsave_yyparse(scanner, reader) != 0)
		reader->failed = true;
	ipsave_yylex_destroy(scanner);
}

bool ipsave_parse(const struct source *source, ipsave_handler handler, void *context, struct diags *diags,
		  struct ipsave_summary *summary)
{
	struct ipsave_reader *reader = checked_realloc(NULL, sizeof *reader);
	size_t from = 0, start, end;
	bool failed;

	memset(reader, 0, sizeof *reader);
	*summary = (struct ipsave_summary){0};
	reader->source = source;
	reader->diags = diags;
	reader->handler = handler;
	reader->context = context;
	reader->summary = summary;
	while (find_long_line(source, from, &start, &end)) {
		struct span head = {source->start + (uint32_t)start, source->start + (uint32_t)start + 1};

		parse_part(reader, from, start);
		diag_add(diags, CODE_SNAPSHOT_TOO_LONG, head, "this line has %zu bytes, and iptables-restore reads at most %d",
			 end - start, IPSAVE_LINE_MAX);
		reader->failed = true;
		summary->bad_lines++;
		from = end < source->size ? end + 1 : end;
	}
	parse_part(reader, from, source->size);
	failed = reader->failed;
	free(reader);
	return !failed;
}
