/*
 * ipsave.y - the lines of iptables-save: tables, chains, rules as plain words, COMMIT. See parse_ipsave.h.
 *
 * The actions only hand on what was read; what a line means is for snapshot.c and the codec.
 */
%define api.pure full
%define api.prefix {ipsave_yy}
%define api.token.prefix {TOK_}
%define api.value.type {enum ipsave_writing}
%define api.location.type {struct span}
%define parse.error custom
%expect 0
%param {void *scanner} {struct ipsave_reader *reader}

%code requires {
#include <peerwall/parse_ipsave.h>

/* How a word is written. */
enum ipsave_writing { IPSAVE_BARE, IPSAVE_QUOTED, IPSAVE_BRACKETS };

/* What the scanner, the grammar and their driver share during one reading. */
struct ipsave_reader {
	const struct source *source;
	struct diags *diags;
	ipsave_handler handler;
	void *context;
	struct ipsave_summary *summary;
	size_t fill;     /* offset in the text of what the scanner gets next ... */
	size_t end;      /* ... and where its part of the text ends */
	uint32_t next;   /* position behind the last token */
	bool line_told;  /* the line has a diagnostic already */
	bool failed;
	struct ipsave_word words[IPSAVE_WORDS_MAX];
	size_t count;
	bool too_many;
	struct span last; /* of the line's words */
	bool third_in_brackets;
	bool has_counters;
	struct counters counters;
	char scratch[2 * IPSAVE_LINE_MAX]; /* words that had to be unquoted */
	size_t scratch_used;
};

size_t ipsave_reader_fill(struct ipsave_reader *reader, char *buffer, size_t max);

/* These two run once a token. */
static inline void ipsave_reader_advance(struct ipsave_reader *reader, uint32_t size, struct span *span)
{
	span->lo = reader->next;
	span->hi = reader->next += size;
}

static inline void ipsave_reader_skip_blanks(const struct ipsave_reader *reader, struct span *span)
{
	const char *text = reader->source->text + (span->lo - reader->source->start);

	for (; *text == ' ' || *text == '\t'; text++)
		span->lo++;
}

/* The token that a line's first word is: "COMMIT", counters, or one of a rule. */
int ipsave_reader_first_word(const char *text, size_t size);
void ipsave_reader_unterminated(struct ipsave_reader *reader, struct span span);
void ipsave_reader_binary(struct ipsave_reader *reader, struct span span);
void ipsave_reader_word(struct ipsave_reader *reader, struct span span, enum ipsave_writing writing);
void ipsave_reader_counters(struct ipsave_reader *reader, struct span span);
void ipsave_reader_line(struct ipsave_reader *reader, enum ipsave_line_kind kind, struct span start,
			struct span newline);
void ipsave_reader_bad_line(struct ipsave_reader *reader);
void ipsave_reader_blank_line(struct ipsave_reader *reader);
void ipsave_reader_syntax_error(struct ipsave_reader *reader, struct span span, const char *found,
				const char *const *expected, int count);
}

%code provides {
int ipsave_yylex(IPSAVE_YYSTYPE *value, IPSAVE_YYLTYPE *location, void *scanner, struct ipsave_reader *reader);
#define YY_DECL \
	int ipsave_yylex(IPSAVE_YYSTYPE *yylval_param, IPSAVE_YYLTYPE *yylloc_param, void *yyscanner, \
			 struct ipsave_reader *reader __attribute__((unused)))
}

%code {
#define YYLLOC_DEFAULT(current, rhs, count)                                   \
	do {                                                                  \
		(current).lo = (count) ? YYRHSLOC(rhs, 1).lo : YYRHSLOC(rhs, 0).hi; \
		(current).hi = YYRHSLOC(rhs, count).hi;                       \
	} while (0)

static void ipsave_yyerror(IPSAVE_YYLTYPE *location, void *scanner, struct ipsave_reader *reader, const char *message);
}

%initial-action { @$ = SPAN_NONE; }

%token STAR     "'*' and a table"
%token COLON    "':' and a chain"
%token COMMIT   "COMMIT"
%token COMMENT  "a comment"
%token COUNTERS "[packets:bytes] before a rule"
%token WORD     "a word"
%token RETURN   "a carriage return"
%token NEWLINE  "the end of the line"

%%

dump: %empty | dump line ;

line:
  end                 { ipsave_reader_blank_line(reader); }
| COMMENT end         { ipsave_reader_word(reader, @1, IPSAVE_BARE);
			ipsave_reader_line(reader, IPSAVE_COMMENT, @1, @2); }
| STAR WORD end       { ipsave_reader_word(reader, @2, $2);
			ipsave_reader_line(reader, IPSAVE_TABLE, @1, @3); }
| COLON words end     { ipsave_reader_line(reader, IPSAVE_CHAIN, @1, @3); }
| COMMIT end          { ipsave_reader_line(reader, IPSAVE_COMMIT, @1, @2); }
| words end           { ipsave_reader_line(reader, IPSAVE_RULE, @1, @2); }
| COUNTERS words end  { ipsave_reader_counters(reader, @1);
			ipsave_reader_line(reader, IPSAVE_RULE, @1, @3); }
| error end           { ipsave_reader_bad_line(reader); yyerrok; }
;

end: NEWLINE | RETURN NEWLINE ;

words:
  WORD        { ipsave_reader_word(reader, @1, $1); }
| words WORD  { ipsave_reader_word(reader, @2, $2); }
;

%%

static int yyreport_syntax_error(const yypcontext_t *context, void *scanner, struct ipsave_reader *reader)
{
	enum { EXPECTED_MAX = 6 };
	yysymbol_kind_t kinds[EXPECTED_MAX];
	const char *expected[EXPECTED_MAX];
	int count = yypcontext_expected_tokens(context, kinds, EXPECTED_MAX);

	(void)scanner;
	for (int i = 0; i < count; i++)
		expected[i] = yysymbol_name(kinds[i]);
	ipsave_reader_syntax_error(reader, *yypcontext_location(context), yysymbol_name(yypcontext_token(context)),
				   expected, count);
	return 0;
}

static void ipsave_yyerror(IPSAVE_YYLTYPE *location, void *scanner, struct ipsave_reader *reader, const char *message)
{
	/* Only bison's own stack can run out here, and the grammar is not recursive but to the left. */
	(void)location;
	(void)scanner;
	(void)message;
	reader->failed = true;
}
