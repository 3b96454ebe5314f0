/* Between the scanner and the parser: see policy_grammar.h. */
#include <peerwall/bug.h>
#include <peerwall/policy_grammar.h>

#include "policy.tab.h"

#include <string.h>

/* No name, number or address is longer; a longer word is garbage, and strings have limits of their own. */
#define WORD_SIZE_MAX 255

static const struct keyword {
	int kind;
	const char *text;
} keywords[] = {
	{TOK_PEERS, "peers"},     {TOK_SERVICE, "service"},     {TOK_INCLUDE, "include"}, {TOK_INTERFACE, "interface"},
	{TOK_TEST, "test"},       {TOK_EXPOSE, "expose"},       {TOK_ALLOW, "allow"},     {TOK_FORWARD, "forward"},
	{TOK_OTHERWISE, "otherwise"}, {TOK_TO, "to"},           {TOK_FROM, "from"},       {TOK_AT, "at"},
	{TOK_VIA, "via"},         {TOK_LOG, "log"},             {TOK_LIMIT, "limit"},     {TOK_BURST, "burst"},
	{TOK_ICMP, "icmp"},       {TOK_ICMPV6, "icmpv6"},       {TOK_CAN, "can"},         {TOK_CANNOT, "cannot"},
	{TOK_PING, "ping"},       {TOK_TCP, "tcp"},             {TOK_UDP, "udp"},         {TOK_SCTP, "sctp"},
	{TOK_DROP, "drop"},       {TOK_REJECT, "reject"},
};
#define KEYWORD_COUNT (sizeof keywords / sizeof *keywords)

int policy_keyword_find(const char *text, size_t size)
{
	for (size_t i = 0; i < KEYWORD_COUNT; i++)
		if (strlen(keywords[i].text) == size && memcmp(keywords[i].text, text, size) == 0)
			return keywords[i].kind;
	return 0;
}

const char *policy_keyword_text(int kind)
{
	for (size_t i = 0; i < KEYWORD_COUNT; i++)
		if (keywords[i].kind == kind)
			return keywords[i].text;
	return NULL;
}

/* ---- what a word looks like ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t count_digits(const char *text, size_t size)
{
	size_t count = 0;

	while (count < size && is_digit(text[count]))
		count++;
	return count;
}

static size_t count_name(const char *text, size_t size)
{
	size_t count = 0;

	if (size == 0 || !is_letter(text[0]))
		return 0;
	while (count < size && (is_letter(text[count]) || is_digit(text[count]) || text[count] == '-' || text[count] == '.'))
		count++;
	return count;
}

/* Only characters of addresses, and either a colon or a dot or a slash behind a number. */
static bool looks_like_address(const char *text, size_t size)
{
	bool colon = memchr(text, ':', size), hex = false;
	unsigned colons = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		colons += c == ':';
		hex |= (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		if (c == '%')
			return colon; /* fe80::1%eth0, which is none here either: the address is to blame */
		if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') && c != '.' && c != ':' && c != '/')
			return false;
	}
	/* 80:90 is how iptables writes a range of ports. */
	return colon ? colons > 1 || hex : is_digit(text[0]) && memchr(text, '.', size) && !hex;
}

static enum ast_word_kind classify(const char *text, size_t size)
{
	size_t digits = count_digits(text, size), name = count_name(text, size), rest;

	if (size > WORD_SIZE_MAX)
		return AST_WORD_BAD;
	if (digits == size)
		return AST_WORD_NUMBER;
	rest = size - digits - 1;
	if (digits > 0 && rest > 0 && text[digits] == '-' && count_digits(text + digits + 1, rest) == rest)
		return AST_WORD_RANGE;
	if (digits > 0 && rest > 0 && text[digits] == '/' && count_digits(text + digits + 1, rest) == rest)
		return AST_WORD_TYPE_CODE;
	if (digits > 0 && rest > 0 && text[digits] == '/' && count_name(text + digits + 1, rest) == rest)
		return policy_keyword_find(text + digits + 1, rest) ? AST_WORD_BAD : AST_WORD_RATE;
	if (looks_like_address(text, size))
		return AST_WORD_ADDRESS;
	if (name == size)
		return AST_WORD_NAME;
	if (name == size - 1 && text[name] == '+')
		return AST_WORD_PATTERN;
	return AST_WORD_BAD;
}

static enum ast_word_kind keyword_word_kind(int keyword)
{
	switch (keyword) {
	case TOK_TCP:
	case TOK_UDP:
	case TOK_SCTP:
		return AST_WORD_PROTOCOL;
	case TOK_DROP:
	case TOK_REJECT:
		return AST_WORD_REFUSAL;
	case TOK_PING:
		return AST_WORD_PING;
	default:
		return AST_WORD_NAME;
	}
}

/* A word's token; one of the kind UNKNOWN has been diagnosed. */
static struct token make_word(struct policy_parser *parser, const char *text, size_t size, struct span span,
			      struct span blame)
{
	int keyword = policy_keyword_find(text, size);
	struct token token = {.span = span};

	token.word = (struct ast_word){.text = text, .size = (uint32_t)size, .span = span};
	if (keyword) {
		token.kind = keyword;
		token.word.kind = keyword_word_kind(keyword);
		return token;
	}
	token.word.kind = classify(text, size);
	token.kind = token.word.kind == AST_WORD_BAD ? TOK_UNKNOWN : TOK_WORD;
	if (token.kind == TOK_UNKNOWN)
		policy_report_bad_word(parser, blame, text, size);
	return token;
}

/* Takes the quotes off and the escapes out. Returns what is wrong with the string, or NULL. */
static const char *unquote(struct policy_parser *parser, struct ast_word *word, const char *text, size_t size)
{
	char *copy;
	size_t length = 0;

	text++;
	size -= 2;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return "there is a control character in the string";
	word->text = text;
	word->size = (uint32_t)size;
	if (!memchr(text, '\\', size))
		return NULL;
	copy = arena_alloc(parser->arena, size + 1);
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\\') {
			i++;
			if (text[i] != '"' && text[i] != '\\')
				return "a backslash in a string stands before a quote or another backslash";
		}
		copy[length++] = text[i];
	}
	copy[length] = '\0';
	word->text = copy;
	word->size = (uint32_t)length;
	return NULL;
}

static struct token make_string(struct policy_parser *parser, const char *text, size_t size, struct span span,
				struct span blame)
{
	struct token token = {.kind = TOK_WORD, .span = span};
	const char *problem;

	token.word = (struct ast_word){.kind = AST_WORD_STRING, .text = "", .span = span};
	problem = unquote(parser, &token.word, text, size);
	if (!problem)
		return token;
	diag_add(parser->diags, CODE_MALFORMED_WORD, blame, "%s", problem);
	token.kind = TOK_UNKNOWN;
	token.word.kind = AST_WORD_BAD;
	return token;
}

/* ---- parameters ---- */

static struct token bad_token(void)
{
	return (struct token){.kind = TOK_UNKNOWN, .word = {.kind = AST_WORD_BAD, .text = ""}};
}

static bool parameter_may_be(const struct token *token)
{
	return token->kind == TOK_WORD || token->word.kind == AST_WORD_REFUSAL;
}

/* The one word of a value; diagnosed at its first use if it is none. */
static struct token scan_parameter(struct policy_parser *parser, const struct parameter *parameter, struct span use)
{
	const char *value = parameter->value;
	struct raw_scanner scanner;
	struct token token = bad_token();
	struct diag *diag;
	enum raw_kind first, second;
	size_t start, size;

	raw_scanner_open(&scanner, value, strlen(value));
	first = raw_scanner_next(&scanner);
	start = scanner.start;
	size = scanner.offset - scanner.start;
	second = first == RAW_END_OF_TEXT ? first : raw_scanner_next(&scanner);
	raw_scanner_close(&scanner);

	if ((first != RAW_WORD && first != RAW_STRING) || second != RAW_END_OF_TEXT) {
		diag = diag_add(parser->diags, CODE_BAD_PARAMETER, use, "the value of '$%s' has to be exactly one word",
				parameter->name);
		diag_label(parser->diags, diag, SPAN_NONE, "in quotes it is one: -D '%s=\"...\"'", parameter->name);
		return token;
	}
	if (first == RAW_STRING)
		return make_string(parser, value + start, size, use, use);
	token = make_word(parser, value + start, size, use, use);
	if (token.kind == TOK_UNKNOWN || parameter_may_be(&token))
		return token;
	diag = diag_add(parser->diags, CODE_BAD_PARAMETER, use, "the value of '$%s' is a word of the language, '%s'",
			parameter->name, policy_keyword_text(token.kind));
	diag_label(parser->diags, diag, SPAN_NONE, "if it is the name of an interface, put it in quotes: -D '%s=\"%s\"'",
		   parameter->name, policy_keyword_text(token.kind));
	return bad_token();
}

static void report_undefined_parameter(struct policy_parser *parser, struct span span, const char *name)
{
	struct intern *names = &parser->run->parameter_names;
	struct diag *diag;
	const char *near;

	diag = diag_add(parser->diags, CODE_UNDEFINED_PARAMETER, span, "the parameter '$%s' has no value", name);
	diag_label(parser->diags, diag, SPAN_NONE, "parameters are set on the command line: -D %s=VALUE", name);
	near = nearest_word(name, strlen(name), names->strings, names->count);
	if (near)
		diag_suggest(parser->diags, diag, "$%s", near);
}

static struct token make_parameter(struct policy_parser *parser, const char *text, size_t size, struct span span)
{
	struct policy_run *run = parser->run;
	const char *name = arena_strndup(parser->arena, text + 1, size - 1);
	struct run_parameter *found;
	struct token token;
	uint32_t number;

	token = bad_token();
	if (run->alone) {
		token.word.kind = AST_WORD_PARAMETER;
	} else if ((number = intern_find(&run->parameter_names, name, size - 1)) == INTERN_NONE) {
		report_undefined_parameter(parser, span, name);
	} else {
		found = &run->parameters.data[number];
		vec_push(run->arena, &run->ast->uses, (struct ast_parameter_use){span, name, found->parameter->value});
		found->used = true;
		if (!found->scanned)
			found->token = scan_parameter(parser, found->parameter, span);
		found->scanned = true;
		token = found->token;
	}
	token.span = token.word.span = span;
	token.word.parameter = name;
	return token;
}

static struct token make_dollar(struct policy_parser *parser, const char *text, size_t size, struct span span)
{
	struct token token;
	struct diag *diag;

	if (size > 1 && size <= WORD_SIZE_MAX && text[0] == '$' && count_name(text + 1, size - 1) == size - 1)
		return make_parameter(parser, text, size, span);
	diag = diag_add(parser->diags, CODE_MALFORMED_WORD, span, "%s is not the name of a parameter",
			diag_quote(parser->diags, text, size));
	diag_label(parser->diags, diag, SPAN_NONE, "a parameter, such as $iface, stands for a whole word");
	token = bad_token();
	token.span = token.word.span = span;
	return token;
}

/* ---- the stream of tokens ---- */

static struct token plain_token(int kind, uint32_t lo, uint32_t hi)
{
	struct token token = {.kind = kind, .span = {lo, hi}};

	return token;
}

static void enqueue(struct policy_parser *parser, struct token token)
{
	if (parser->queue_len == TOKEN_QUEUE_MAX)
		BUG("the token filter put in more than it may");
	parser->queue[(parser->queue_head + parser->queue_len++) % TOKEN_QUEUE_MAX] = token;
}

static struct token dequeue(struct policy_parser *parser)
{
	struct token token = parser->queue[parser->queue_head];

	parser->queue_head = (parser->queue_head + 1) % TOKEN_QUEUE_MAX;
	parser->queue_len--;
	return token;
}

static bool at_statement_start(const struct policy_parser *parser)
{
	int last = parser->current.kind;

	return last == 0 || last == TOK_END || last == TOK_OPEN;
}

static bool is_top_keyword(int kind)
{
	return kind == TOK_PEERS || kind == TOK_SERVICE || kind == TOK_INCLUDE || kind == TOK_INTERFACE || kind == TOK_TEST;
}

/* Reads on to the "}" that closes the block whose "{" was read already, or to the end of the text. */
static uint32_t skip_block(struct policy_parser *parser)
{
	size_t depth = 1;

	while (depth > 0) {
		enum raw_kind raw = raw_scanner_next(&parser->scanner);

		if (raw == RAW_END_OF_TEXT)
			break;
		depth += raw == RAW_OPEN;
		depth -= raw == RAW_CLOSE;
	}
	parser->fresh_line = false;
	return parser->source->start + (uint32_t)parser->scanner.offset;
}

/* A statement of the top level within a block: the block's "}" is missing before it. */
static void close_block(struct policy_parser *parser, struct token token)
{
	struct diag *diag;

	diag = diag_add(parser->diags, CODE_SYNTAX, token.span, "'%s' cannot stand within a block; is a '}' missing before it?",
			policy_keyword_text(token.kind));
	diag_label(parser->diags, diag, parser->block_open, "the block begins here");
	/* Or it is the statement that is too much, and the "}" still to come. */
	parser->stray_closes++;
	enqueue(parser, plain_token(TOK_CLOSE, token.span.lo, token.span.lo));
	enqueue(parser, plain_token(TOK_END, token.span.lo, token.span.lo));
	enqueue(parser, token);
}

/* Is a block's "{" the next word, perhaps some lines below? */
static bool open_is_next(struct policy_parser *parser)
{
	const char *text = parser->source->text;
	size_t at = parser->scanner.offset, size = parser->source->size;

	if (parser->block || (parser->context != TOK_INTERFACE && parser->context != TOK_TEST))
		return false;
	/* Found before, at one of the lines between. */
	if (at <= parser->open_ahead)
		return true;
	while (at < size && strchr(" \t\r\n#", text[at])) {
		const char *end = text[at] == '#' ? memchr(text + at, '\n', size - at) : text + at + 1;

		at = end ? (size_t)(end - text) : size;
	}
	if (at == size || text[at] != '{')
		return false;
	parser->open_ahead = at;
	return true;
}

/* One raw word from the text into none, one or several tokens of the queue. */
static void feed(struct policy_parser *parser)
{
	enum raw_kind raw = raw_scanner_next(&parser->scanner);
	size_t start = parser->scanner.start, size = parser->scanner.offset - start;
	struct span span = {parser->source->start + (uint32_t)start, parser->source->start + (uint32_t)(start + size)};
	const char *text = parser->source->text + start;
	int last = parser->current.kind;
	bool between = at_statement_start(parser), own_line = parser->fresh_line;
	struct token token;

	switch (raw) {
	case RAW_COMMENT:
		if (text[size - 1] == '\r')
			span.hi--;
		vec_push(parser->arena, &parser->file->comments, (struct ast_comment){span, own_line});
		return;
	case RAW_NEWLINE:
		parser->fresh_line = true;
		/* A list goes on behind a comma, and the "{" may stand in a line of its own. */
		if (!between && last != TOK_COMMA && last != TOK_EQUALS && !open_is_next(parser))
			enqueue(parser, plain_token(TOK_END, parser->end, parser->end));
		return;
	case RAW_SEMICOLON:
		if (!between)
			enqueue(parser, plain_token(TOK_END, span.lo, span.hi));
		return;
	case RAW_END_OF_TEXT:
		if (!between)
			enqueue(parser, plain_token(TOK_END, parser->end, parser->end));
		enqueue(parser, plain_token(TOK_END_OF_FILE, parser->end, parser->end));
		return;
	case RAW_OPEN:
		if (!parser->recovering) {
			token = plain_token(TOK_OPEN, span.lo, span.hi);
			break;
		}
		parser->end = skip_block(parser);
		enqueue(parser, plain_token(TOK_END, parser->end, parser->end));
		return;
	case RAW_CLOSE:
		if (!between)
			enqueue(parser, plain_token(TOK_END, parser->end, parser->end));
		if (!parser->block && parser->stray_closes) {
			parser->stray_closes--;
			return;
		}
		enqueue(parser, plain_token(TOK_CLOSE, span.lo, span.hi));
		enqueue(parser, plain_token(TOK_END, span.hi, span.hi));
		parser->fresh_line = false;
		parser->end = span.hi;
		return;
	case RAW_COMMA:
		token = plain_token(TOK_COMMA, span.lo, span.hi);
		break;
	case RAW_EQUALS:
		token = plain_token(TOK_EQUALS, span.lo, span.hi);
		break;
	case RAW_STRING:
		token = make_string(parser, text, size, span, span);
		break;
	case RAW_UNTERMINATED:
		diag_add(parser->diags, CODE_MALFORMED_WORD, span, "the string has no closing quote in its line");
		/* Nobody knows where it was meant to end: the rest of the line is lost. */
		token = plain_token(TOK_POLICY_error, span.lo, span.hi);
		break;
	case RAW_DOLLAR:
		token = make_dollar(parser, text, size, span);
		break;
	case RAW_WORD:
		token = make_word(parser, text, size, span, span);
		break;
	default:
		BUG("raw word of kind %d", (int)raw);
	}
	token.word.own_line = own_line;
	parser->fresh_line = false;
	parser->end = span.hi;
	/* A bad word has its diagnostic: where only a keyword may stand, the statement needs no second one. */
	if (token.word.kind == AST_WORD_BAD && between && parser->block != TOK_TEST)
		token.kind = TOK_POLICY_error;
	/* The list that was to go on in this line is lost, but what begins here is not. */
	if (parser->recovering && own_line && !between && is_top_keyword(token.kind)) {
		enqueue(parser, plain_token(TOK_END, span.lo, span.lo));
		between = true;
	}
	if (between && is_top_keyword(token.kind) && parser->block)
		close_block(parser, token);
	else
		enqueue(parser, token);
}

/* Follows what the parser is given, to know what a word means there. */
static void follow(struct policy_parser *parser, const struct token *token, bool starts_statement)
{
	int kind = token->kind;

	if (starts_statement && kind != TOK_END && kind != TOK_END_OF_FILE && kind != TOK_CLOSE) {
		vec_push(parser->arena, &parser->file->statement_starts, token->span.lo);
		parser->context = 0;
	}
	if (kind == TOK_OPEN && (parser->context == TOK_INTERFACE || parser->context == TOK_TEST)) {
		parser->block = parser->context;
		parser->block_open = token->span;
	} else if (kind == TOK_CLOSE) {
		parser->block = 0;
	} else if (policy_keyword_text(kind)) {
		parser->context = kind;
	}
	if (kind == TOK_POLICY_error)
		parser->recovering = true;
}

int policy_parser_next(struct policy_parser *parser)
{
	struct token token;
	bool starts_statement = at_statement_start(parser);

	if (parser->skip_block) {
		parser->skip_block = false;
		parser->end = skip_block(parser);
		enqueue(parser, plain_token(TOK_END, parser->end, parser->end));
	}
	while (parser->queue_len == 0)
		feed(parser);
	token = dequeue(parser);
	parser->context_before = starts_statement ? 0 : parser->context;
	follow(parser, &token, starts_statement);
	parser->previous = parser->current.kind;
	parser->previous_span = parser->current.span;
	parser->current = token;
	return token.kind;
}

void policy_parser_recovered(struct policy_parser *parser)
{
	parser->recovering = false;
}

void policy_parser_restart(struct policy_parser *parser, int kind, struct token token)
{
	struct token rest[TOKEN_QUEUE_MAX];
	unsigned count = 0;

	while (parser->queue_len > 0)
		rest[count++] = dequeue(parser);
	enqueue(parser, plain_token(TOK_END, token.span.lo, token.span.lo));
	if (parser->block && is_top_keyword(kind)) {
		parser->stray_closes++;
		enqueue(parser, plain_token(TOK_CLOSE, token.span.lo, token.span.lo));
		enqueue(parser, plain_token(TOK_END, token.span.lo, token.span.lo));
	}
	token.kind = kind;
	enqueue(parser, token);
	for (unsigned i = 0; i < count; i++)
		enqueue(parser, rest[i]);
}
