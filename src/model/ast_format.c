/*
 * The canonical text of a policy. It is made as lines of cells first, and then printed with the cells of
 * neighbouring lines of one kind below each other.
 */
#include "ast_words.h"

#include <string.h>

#define INDENT 4
/* Comments behind a statement begin here, or two blanks behind a longer one. */
#define COMMENT_COLUMN 40
/* Wider cells are not lined up: one long name would push all others away. */
#define CELL_WIDTH_MAX 40
#define CELLS_MAX 3

enum line_kind { LINE_PLAIN, LINE_PEERS, LINE_SERVICE, LINE_ASSERTION };

struct cell {
	const char *text;
	size_t size;
	size_t width; /* in code points */
};

struct line {
	enum line_kind kind;
	bool blank_before;
	unsigned depth;
	unsigned cell_count;
	struct cell cells[CELLS_MAX];
	struct cell comment; /* behind them; alone in its line if there are no cells */
};

struct formatter {
	struct arena arena;
	const struct source *source;
	const struct ast_file *file;
	size_t next_comment;
	uint32_t last_end; /* in the source, of what was written last */
	unsigned depth;
	bool after_open;   /* no blank line behind a "{" or at the start */
	VEC(struct line) lines;
	struct strbuf text; /* of the cell that is being written */
};

static size_t count_width(const char *text, size_t size)
{
	size_t width = 0;

	for (size_t i = 0; i < size; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

static struct cell make_cell(const char *text, size_t size)
{
	return (struct cell){text, size, count_width(text, size)};
}

/* ---- lines ---- */

static bool blank_line_between(const struct formatter *formatter, uint32_t from, uint32_t to)
{
	const char *at = formatter->source->text + (from - formatter->source->start);
	const char *end = formatter->source->text + (to - formatter->source->start);
	unsigned newlines = 0;

	for (; at < end && newlines < 2; at++)
		newlines += *at == '\n';
	return newlines >= 2;
}

static struct line *push_line(struct formatter *formatter, enum line_kind kind, uint32_t position)
{
	struct line line = {.kind = kind, .depth = formatter->depth};

	line.blank_before = !formatter->after_open && blank_line_between(formatter, formatter->last_end, position);
	formatter->after_open = false;
	vec_push(&formatter->arena, &formatter->lines, line);
	return &formatter->lines.data[formatter->lines.len - 1];
}

static struct cell comment_cell(const struct formatter *formatter, const struct ast_comment *comment)
{
	const char *text = formatter->source->text + (comment->span.lo - formatter->source->start);
	size_t size = comment->span.hi - comment->span.lo;

	while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
		size--;
	return make_cell(text, size);
}

/* Writes the comments that stand before the position. */
static void flush_comments(struct formatter *formatter, uint32_t position)
{
	while (formatter->next_comment < formatter->file->comments.len) {
		const struct ast_comment *comment = &formatter->file->comments.data[formatter->next_comment];
		size_t count = formatter->lines.len;
		struct line *last = count ? &formatter->lines.data[count - 1] : NULL;

		if (comment->span.lo >= position)
			return;
		if (comment->own_line || !last || last->comment.size || last->cell_count == 0)
			last = push_line(formatter, LINE_PLAIN, comment->span.lo);
		last->comment = comment_cell(formatter, comment);
		formatter->last_end = comment->span.hi;
		formatter->next_comment++;
	}
}

static void close_cell(struct formatter *formatter)
{
	struct line *line = &formatter->lines.data[formatter->lines.len - 1];
	size_t size = formatter->text.len;

	while (size > 0 && formatter->text.data[size - 1] == ' ')
		size--;
	line->cells[line->cell_count++] =
		make_cell(arena_strndup(&formatter->arena, strbuf_str(&formatter->text), size), size);
	strbuf_reset(&formatter->text);
}

static void begin_line(struct formatter *formatter, enum line_kind kind, uint32_t position)
{
	flush_comments(formatter, position);
	push_line(formatter, kind, position);
}

static void end_line(struct formatter *formatter, uint32_t end)
{
	close_cell(formatter);
	formatter->last_end = end;
}

/* In lines that are lined up, the next cell; in others just a blank. */
static void next_cell(struct formatter *formatter)
{
	struct line *line = &formatter->lines.data[formatter->lines.len - 1];

	if (line->kind == LINE_PLAIN || line->cell_count + 1 == CELLS_MAX)
		strbuf_addc(&formatter->text, ' ');
	else
		close_cell(formatter);
}

/* A list goes on in a line of its own, as it was written. */
static void break_line(struct formatter *formatter, const struct ast_word *before)
{
	close_cell(formatter);
	formatter->after_open = true;
	formatter->depth++;
	flush_comments(formatter, before->span.lo);
	formatter->after_open = true;
	push_line(formatter, LINE_PLAIN, before->span.lo);
	formatter->depth--;
}

/* ---- words and lists ---- */

static void add(struct formatter *formatter, const char *text)
{
	strbuf_adds(&formatter->text, text);
}

static void add_word(struct formatter *formatter, const struct ast_word *word)
{
	ast_word_print(&formatter->text, word);
}

/* Between two members, and before the first one of a definition. */
static void separate(struct formatter *formatter, const struct ast_word *next, bool first, bool may_break_first)
{
	if (!first)
		add(formatter, ",");
	if (next->own_line && (!first || may_break_first))
		break_line(formatter, next);
	else if (!first)
		add(formatter, " ");
}

static void add_words(struct formatter *formatter, const struct ast_words *words, bool may_break_first)
{
	vec_each(word, &words->items) {
		separate(formatter, word, word == words->items.data, may_break_first);
		add_word(formatter, word);
	}
}

static void add_ports(struct formatter *formatter, const struct ast_ports *ports, bool may_break_first)
{
	vec_each(port, &ports->items) {
		bool has_protocol = port->protocol.kind != AST_WORD_NONE;

		separate(formatter, has_protocol ? &port->protocol : &port->value, port == ports->items.data,
			 may_break_first);
		if (has_protocol) {
			add_word(formatter, &port->protocol);
			add(formatter, " ");
		}
		add_word(formatter, &port->value);
	}
}

static void add_optional(struct formatter *formatter, const char *keyword, const struct ast_word *word)
{
	if (word->kind == AST_WORD_NONE)
		return;
	add(formatter, keyword);
	add_word(formatter, word);
}

static void add_log(struct formatter *formatter, const struct ast_log *log)
{
	add_optional(formatter, " log ", &log->prefix);
	add_optional(formatter, " limit ", &log->limit);
	add_optional(formatter, " burst ", &log->burst);
}

static void add_at(struct formatter *formatter, const struct ast_words *at)
{
	if (at->items.len == 0)
		return;
	add(formatter, " at ");
	add_words(formatter, at, false);
}

/* ---- statements ---- */

static void format_allow(struct formatter *formatter, const struct ast_statement *statement)
{
	static const char *const kinds[] = {
		[AST_ALLOW_PING] = "allow ping", [AST_ALLOW_ICMP] = "allow icmp ", [AST_ALLOW_ICMPV6] = "allow icmpv6 ",
	};

	add(formatter, kinds[statement->allow]);
	add_words(formatter, &statement->types, false);
	add(formatter, " from ");
	add_words(formatter, &statement->from, false);
}

static void format_forward(struct formatter *formatter, const struct ast_statement *statement)
{
	add(formatter, "forward from ");
	add_words(formatter, &statement->from, false);
	add_optional(formatter, " via ", &statement->from_via);
	add(formatter, " to ");
	add_words(formatter, &statement->to, false);
	add_optional(formatter, " via ", &statement->to_via);
	if (statement->ports.items.len == 0)
		return;
	add(formatter, " ");
	add_ports(formatter, &statement->ports, false);
}

static void format_assertion(struct formatter *formatter, const struct ast_statement *statement)
{
	add_words(formatter, &statement->from, false);
	next_cell(formatter);
	add(formatter, statement->can ? "can" : "cannot");
	next_cell(formatter);
	if (statement->ping)
		add(formatter, "ping");
	else
		add_ports(formatter, &statement->ports, false);
	add_at(formatter, &statement->at);
}

static void format_statement(struct formatter *formatter, const struct ast_statement *statement)
{
	begin_line(formatter, statement->kind == AST_ASSERTION ? LINE_ASSERTION : LINE_PLAIN, statement->span.lo);
	switch (statement->kind) {
	case AST_EXPOSE:
		add(formatter, "expose ");
		add_ports(formatter, &statement->ports, false);
		add(formatter, " to ");
		add_words(formatter, &statement->to, false);
		add_at(formatter, &statement->at);
		break;
	case AST_ALLOW:
		format_allow(formatter, statement);
		break;
	case AST_FORWARD:
		format_forward(formatter, statement);
		break;
	case AST_OTHERWISE:
		add(formatter, "otherwise ");
		add_word(formatter, &statement->refusal);
		break;
	case AST_ASSERTION:
		format_assertion(formatter, statement);
		break;
	}
	add_log(formatter, &statement->log);
	end_line(formatter, statement->span.hi);
}

static void format_block(struct formatter *formatter, const struct ast_block *block)
{
	add(formatter, " {");
	end_line(formatter, block->open.hi);
	formatter->after_open = true;
	formatter->depth++;
	vec_each(statement, &block->statements)
		format_statement(formatter, *statement);
	flush_comments(formatter, block->close.lo);
	formatter->depth--;
	formatter->after_open = true;
	push_line(formatter, LINE_PLAIN, block->close.lo);
	add(formatter, "}");
	end_line(formatter, block->close.hi);
}

static void format_item(struct formatter *formatter, const struct ast_item *item)
{
	static const enum line_kind kinds[] = {
		[AST_PEERS] = LINE_PEERS,      [AST_SERVICE] = LINE_SERVICE, [AST_INCLUDE] = LINE_PLAIN,
		[AST_INTERFACE] = LINE_PLAIN,  [AST_TEST] = LINE_PLAIN,
	};

	begin_line(formatter, kinds[item->kind], item->span.lo);
	switch (item->kind) {
	case AST_PEERS:
	case AST_SERVICE:
		add(formatter, item->kind == AST_PEERS ? "peers " : "service ");
		add_word(formatter, &item->name);
		next_cell(formatter);
		add(formatter, "= ");
		add_words(formatter, &item->words, true);
		add_ports(formatter, &item->ports, true);
		end_line(formatter, item->span.hi);
		break;
	case AST_INCLUDE:
		add(formatter, "include ");
		add_word(formatter, &item->name);
		end_line(formatter, item->span.hi);
		break;
	case AST_INTERFACE:
		add(formatter, "interface ");
		add_words(formatter, &item->words, false);
		format_block(formatter, &item->block);
		break;
	case AST_TEST:
		add(formatter, "test");
		format_block(formatter, &item->block);
		break;
	}
}

/* ---- printing ---- */

static void pad(struct strbuf *out, size_t count)
{
	while (count-- > 0)
		strbuf_addc(out, ' ');
}

static void print_line(struct strbuf *out, const struct line *line, const size_t widths[CELLS_MAX])
{
	size_t column = line->depth * INDENT;

	if (line->blank_before)
		strbuf_addc(out, '\n');
	pad(out, column);
	for (unsigned i = 0; i < line->cell_count; i++) {
		const struct cell *cell = &line->cells[i];
		size_t width = cell->width;

		strbuf_add(out, cell->text, cell->size);
		if (i + 1 < line->cell_count) {
			if (width < widths[i])
				width = widths[i];
			width++;
			pad(out, width - cell->width);
		}
		column += width;
	}
	if (line->comment.size > 0) {
		if (line->cell_count > 0)
			pad(out, column + 2 <= COMMENT_COLUMN ? COMMENT_COLUMN - column : 2);
		strbuf_add(out, line->comment.text, line->comment.size);
	}
	strbuf_addc(out, '\n');
}

/* How many lines from here on are lined up with each other, and how wide their cells get. */
static size_t measure_run(const struct line *lines, size_t count, size_t widths[CELLS_MAX])
{
	size_t length = 0;

	memset(widths, 0, CELLS_MAX * sizeof *widths);
	do {
		const struct line *line = &lines[length++];

		for (unsigned i = 0; i + 1 < line->cell_count; i++)
			if (line->cells[i].width > widths[i] && line->cells[i].width <= CELL_WIDTH_MAX)
				widths[i] = line->cells[i].width;
	} while (lines->kind != LINE_PLAIN && length < count && lines[length].kind == lines->kind &&
		 !lines[length].blank_before && lines[length].depth == lines->depth);
	return length;
}

static void print_lines(struct strbuf *out, const struct formatter *formatter)
{
	size_t widths[CELLS_MAX], done = 0;

	while (done < formatter->lines.len) {
		size_t run = measure_run(formatter->lines.data + done, formatter->lines.len - done, widths);

		for (size_t end = done + run; done < end; done++)
			print_line(out, &formatter->lines.data[done], widths);
	}
}

void ast_format(struct strbuf *out, const struct ast *ast)
{
	struct formatter formatter = {
		.arena = ARENA_EMPTY,
		.source = ast->root->source,
		.file = ast->root,
		.last_end = ast->root->source->start,
		.after_open = true,
		.text = STRBUF_EMPTY,
	};

	vec_each(item, &ast->root->items)
		format_item(&formatter, *item);
	flush_comments(&formatter, UINT32_MAX);
	print_lines(out, &formatter);
	strbuf_free(&formatter.text);
	arena_free(&formatter.arena);
}
