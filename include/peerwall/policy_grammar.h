/*
 * policy_grammar.h - what grammar/policy.l, grammar/policy.y and src/parse/ share. Nobody else includes it.
 *
 * The scanner cuts a text into raw words; the token filter (policy_tokens.c) gives the parser what it asks for:
 * words told apart, parameters replaced, line ends only where they end a statement, and whatever helps it to
 * get back into step behind an error. The grammar's actions only call the builders below.
 * Ownership: one struct policy_parser for each file, on the stack of the one who parses it; struct policy_run is
 * shared by all files of one policy.
 */
#ifndef PEERWALL_POLICY_GRAMMAR_H
#define PEERWALL_POLICY_GRAMMAR_H

#include <peerwall/ast.h>
#include <peerwall/diag.h>
#include <peerwall/intern.h>
#include <peerwall/parse_policy.h>

/* What the scanner knows. */
enum raw_kind {
	RAW_END_OF_TEXT,
	RAW_NEWLINE,
	RAW_SEMICOLON,
	RAW_OPEN,
	RAW_CLOSE,
	RAW_COMMA,
	RAW_EQUALS,
	RAW_STRING,       /* with its quotes */
	RAW_UNTERMINATED, /* a string without an end in its line */
	RAW_DOLLAR,       /* a word with a "$" in it */
	RAW_WORD,
	RAW_COMMENT,
};

struct raw_scanner {
	void *flex;
	size_t offset; /* of the next byte, in the text */
	size_t start;  /* of the last raw word */
};

void raw_scanner_open(struct raw_scanner *scanner, const char *text, size_t size);
enum raw_kind raw_scanner_next(struct raw_scanner *scanner);
void raw_scanner_close(struct raw_scanner *scanner);

struct token {
	int kind; /* of the parser */
	struct ast_word word;
	struct span span;
};

/* A parameter of the command line, scanned at its first use. */
struct run_parameter {
	const struct parameter *parameter;
	bool used;
	bool scanned;
	struct token token;
};

/* A file that is being parsed: the includes from the root to the current one. */
struct open_file {
	uint32_t identity; /* in `run->files` */
	struct span include;
};

struct policy_run {
	struct sources *sources;
	struct arena *arena;
	struct diags *diags;
	struct ast *ast;
	bool alone; /* parse_policy_alone() */
	struct intern parameter_names;
	VEC(struct run_parameter) parameters; /* by number in parameter_names */
	struct intern files;                  /* device and inode of each file read so far */
	VEC(struct open_file) open;
};

/* The queue holds what the filter puts in before the next raw word. */
#define TOKEN_QUEUE_MAX 8

struct policy_parser {
	struct policy_run *run;
	struct arena *arena;
	struct diags *diags;
	struct source *source;
	struct ast_file *file;

	struct raw_scanner scanner;
	struct token queue[TOKEN_QUEUE_MAX];
	unsigned queue_head, queue_len;

	struct token current;     /* the last one given to the parser */
	int previous;             /* the kind of the one before it; 0 at the start */
	struct span previous_span;
	int context;              /* the last keyword of the statement: it says what a word means here */
	int context_before;       /* the same, without the current token */
	uint32_t end;             /* the position behind the last word */
	bool fresh_line;          /* nothing but comments in this line so far */
	bool recovering;          /* the parser is looking for the end of a broken statement */
	bool skip_block;          /* its block's "{" was read already */
	int block;                /* 0, or the keyword of the block that is open */
	struct span block_open;   /* its "{" */
	size_t open_ahead;        /* the offset of a "{" that is known to be the next word */
	unsigned stray_closes;    /* how many "}" too many are to be expected */
};

/* ---- policy_tokens.c ---- */

/* The next token for the parser: its kind, with its word and place in parser->current. */
int policy_parser_next(struct policy_parser *parser);
/* The parser is back in step. */
void policy_parser_recovered(struct policy_parser *parser);
/* After the broken statement's end, go on as if `kind` had been written where the parser stands. */
void policy_parser_restart(struct policy_parser *parser, int kind, struct token token);
/* The keyword's token, or 0. */
int policy_keyword_find(const char *text, size_t size);
const char *policy_keyword_text(int kind); /* NULL if it is none */

/* ---- policy_errors.c ---- */

/* `expected` are the tokens that would have been right, as LAC found them; too many to count is 0. */
void policy_report_syntax_error(struct policy_parser *parser, const int *expected, size_t expected_count);
void policy_report_nesting(struct policy_parser *parser);
/* A word that is none: says why, and how it is written. */
void policy_report_bad_word(struct policy_parser *parser, struct span span, const char *text, size_t size);

/* ---- parse_policy.c ---- */

void policy_parser_include(struct policy_parser *parser, struct ast_item *item);

/* ---- policy_build.c: builders for the grammar's actions ---- */

struct ast_item *policy_item(struct policy_parser *parser, enum ast_item_kind kind, struct span span);
/* A definition of which only the name was understood: known, so that its uses are no errors. */
void policy_broken_item(struct policy_parser *parser, enum ast_item_kind kind, struct ast_word name);
struct ast_statement *policy_statement(struct policy_parser *parser, enum ast_statement_kind kind, struct span span);
struct ast_words *policy_words(struct policy_parser *parser, struct ast_words *words, struct ast_word word);
struct ast_ports *policy_ports(struct policy_parser *parser, struct ast_ports *ports, struct ast_word protocol,
			       struct ast_word value);
struct ast_block *policy_block(struct policy_parser *parser, struct ast_block *block, struct ast_statement *statement);
struct ast_log *policy_log(struct policy_parser *parser, struct ast_word prefix, struct ast_word limit,
			   struct ast_word burst, struct span span);

/* ---- the generated parser ---- */

int policy_parse(struct policy_parser *parser);

#endif
