/* Words the errors of syntax: what was found, what would have been right, what was probably meant. */
#include <peerwall/addr.h>
#include <peerwall/policy_grammar.h>

#include "policy.tab.h"

#include <ctype.h>
#include <string.h>

#define EXPECTED_TEXT_MAX 64

/* ---- what a word means at this point ---- */

static const char *describe_word(const struct policy_parser *parser)
{
	int last = parser->previous;

	switch (parser->context_before) {
	case TOK_PEERS:
		return last == TOK_PEERS ? "a name for the peers" : "an address or a name of peers";
	case TOK_SERVICE:
		return last == TOK_SERVICE ? "a name for the service" : "the name of a service";
	case TOK_INCLUDE:
		return "a file name in quotes";
	case TOK_INTERFACE:
	case TOK_VIA:
		return last == TOK_INTERFACE || last == TOK_VIA || last == TOK_COMMA ? "the name of an interface"
										    : "the name of a service";
	case TOK_TO:
		return last == TOK_TO || last == TOK_COMMA ? "an address or a name of peers" : "the name of a service";
	case 0:
	case TOK_FROM:
	case TOK_AT:
		return "an address or a name of peers";
	case TOK_EXPOSE:
	case TOK_CAN:
	case TOK_CANNOT:
		return "the name of a service";
	case TOK_TCP:
	case TOK_UDP:
	case TOK_SCTP:
		return last == TOK_COMMA ? "a port" : "a port or a range of ports";
	case TOK_ICMP:
	case TOK_ICMPV6:
		return "an ICMP type";
	case TOK_LOG:
		return "a prefix in quotes";
	case TOK_LIMIT:
		return "a rate such as 6/minute";
	case TOK_BURST:
		return "a number of packets";
	default:
		return "a word";
	}
}

static bool add_alternative(struct strbuf *out, const struct policy_parser *parser, int kind)
{
	const char *keyword = policy_keyword_text(kind);

	switch (kind) {
	case TOK_UNKNOWN:
		return false;
	case TOK_WORD:
		strbuf_adds(out, describe_word(parser));
		return true;
	case TOK_END:
		strbuf_adds(out, "the end of the line");
		return true;
	case TOK_END_OF_FILE:
		return false;
	case TOK_OPEN:
		strbuf_adds(out, "'{'");
		return true;
	case TOK_CLOSE:
		strbuf_adds(out, "'}'");
		return true;
	case TOK_COMMA:
		strbuf_adds(out, "','");
		return true;
	case TOK_EQUALS:
		strbuf_adds(out, "'='");
		return true;
	default:
		strbuf_addf(out, "'%s'", keyword);
		return true;
	}
}

/* "'to', 'at' or the end of the line". Empty if nothing is known. */
static void add_expected(struct strbuf *out, const struct policy_parser *parser, const int *expected, size_t count)
{
	struct strbuf last = STRBUF_EMPTY, next = STRBUF_EMPTY;
	bool first = true;

	for (size_t i = 0; i < count; i++) {
		strbuf_reset(&next);
		if (!add_alternative(&next, parser, expected[i]))
			continue;
		if (last.len > 0) {
			strbuf_addf(out, "%s%s", first ? "" : ", ", strbuf_str(&last));
			first = false;
		}
		strbuf_reset(&last);
		strbuf_adds(&last, strbuf_str(&next));
	}
	if (last.len > 0)
		strbuf_addf(out, "%s%s", first ? "" : " or ", strbuf_str(&last));
	strbuf_free(&last);
	strbuf_free(&next);
}

static const char *describe_found(struct policy_parser *parser)
{
	const struct token *token = &parser->current;
	const char *keyword = policy_keyword_text(token->kind);

	switch (token->kind) {
	case TOK_END:
		return token->span.hi > token->span.lo ? "';'" : "the end of the line";
	case TOK_END_OF_FILE:
		return "the end of the file";
	case TOK_OPEN:
		return "'{'";
	case TOK_CLOSE:
		return "'}'";
	case TOK_COMMA:
		return "','";
	case TOK_EQUALS:
		return "'='";
	default:
		if (keyword)
			return diag_quote(parser->diags, keyword, strlen(keyword));
		if (token->word.parameter)
			return diag_quote(parser->diags, arena_printf(parser->arena, "$%s", token->word.parameter),
					  strlen(token->word.parameter) + 1);
		if (token->word.kind == AST_WORD_STRING)
			return "a string";
		return diag_quote(parser->diags, token->word.text, token->word.size);
	}
}

static const char *nearest_keyword(const struct policy_parser *parser, const int *expected, size_t count)
{
	const char *candidates[EXPECTED_TEXT_MAX];
	size_t found = 0;

	for (size_t i = 0; i < count && found < EXPECTED_TEXT_MAX; i++) {
		candidates[found] = policy_keyword_text(expected[i]);
		found += candidates[found] != NULL;
	}
	if (parser->current.kind != TOK_WORD || parser->current.word.kind == AST_WORD_STRING)
		return NULL;
	return nearest_word(parser->current.word.text, parser->current.word.size, candidates, found);
}

static bool is_expected(int kind, const int *expected, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (expected[i] == kind)
			return true;
	return false;
}

static bool belongs_in_interface(int kind)
{
	return kind == TOK_EXPOSE || kind == TOK_ALLOW || kind == TOK_FORWARD || kind == TOK_OTHERWISE;
}

static bool starts_top_level(int kind)
{
	return kind == TOK_PEERS || kind == TOK_SERVICE || kind == TOK_INCLUDE || kind == TOK_INTERFACE || kind == TOK_TEST;
}

static void add_hints(struct policy_parser *parser, struct diag *diag, const int *expected, size_t count)
{
	const struct token *token = &parser->current;
	const char *keyword = policy_keyword_text(token->kind);

	if (belongs_in_interface(token->kind) && !parser->block)
		diag_label(parser->diags, diag, SPAN_NONE, "it belongs in a block: interface NAME { ... }");
	else if (belongs_in_interface(token->kind) && parser->block == TOK_TEST)
		diag_label(parser->diags, diag, parser->block_open,
			   "in a test, lines read: PEERS can SERVICE, or PEERS cannot SERVICE");
	else if (token->word.own_line && (parser->previous == TOK_COMMA || parser->previous == TOK_EQUALS))
		diag_label(parser->diags, diag, parser->previous_span, "the line before goes on behind this");
	else if (keyword && (parser->context_before == TOK_INTERFACE || parser->context_before == TOK_VIA) &&
		 is_expected(TOK_WORD, expected, count))
		diag_label(parser->diags, diag, SPAN_NONE,
			   "'%s' is a word of the language; an interface of that name is put in quotes", keyword);
	else if (keyword && is_expected(TOK_WORD, expected, count))
		diag_label(parser->diags, diag, SPAN_NONE, "'%s' is a word of the language and cannot be a name", keyword);
	if (token->kind == TOK_END_OF_FILE && parser->block)
		diag_label(parser->diags, diag, parser->block_open, "this block is not closed");
	if (token->kind == TOK_EQUALS && parser->block)
		diag_label(parser->diags, diag, SPAN_NONE, "definitions stand outside of blocks");
}

/* Puts in what lets the parser go on with the least loss. */
static void prepare_recovery(struct policy_parser *parser, const char *near, bool starts_statement)
{
	struct token token = parser->current;

	parser->recovering = true;
	switch (token.kind) {
	case TOK_OPEN:
		parser->skip_block = true;
		if (parser->block_open.lo == token.span.lo)
			parser->block = 0;
		return;
	case TOK_END_OF_FILE:
		if (!parser->block)
			return;
		/* What the open block holds is kept. */
		parser->block = 0;
		policy_parser_restart(parser, TOK_CLOSE, token);
		token.kind = TOK_END;
		parser->queue[(parser->queue_head + parser->queue_len++) % TOKEN_QUEUE_MAX] = token;
		token.kind = TOK_END_OF_FILE;
		parser->queue[(parser->queue_head + parser->queue_len++) % TOKEN_QUEUE_MAX] = token;
		return;
	default:
		if (near && starts_statement)
			policy_parser_restart(parser, policy_keyword_find(near, strlen(near)), token);
		else if (starts_top_level(token.kind) && token.word.own_line && !starts_statement)
			policy_parser_restart(parser, token.kind, token);
	}
}

void policy_report_syntax_error(struct policy_parser *parser, const int *expected, size_t expected_count)
{
	bool starts_statement = parser->previous == 0 || parser->previous == TOK_END || parser->previous == TOK_OPEN;
	struct strbuf text = STRBUF_EMPTY;
	const char *near = NULL;
	struct diag *diag;

	/* A bad word has its diagnostic: that it stands in a wrong place as well helps nobody. */
	if (parser->current.kind == TOK_UNKNOWN && parser->current.word.kind == AST_WORD_BAD) {
		prepare_recovery(parser, NULL, starts_statement);
		return;
	}
	if (expected_count == 0) {
		diag_add(parser->diags, CODE_SYNTAX, parser->current.span, "this cannot stand here");
		prepare_recovery(parser, NULL, starts_statement);
		return;
	}
	add_expected(&text, parser, expected, expected_count);
	if (text.len == 0)
		diag = diag_add(parser->diags, CODE_SYNTAX, parser->current.span, "%s cannot stand here",
				describe_found(parser));
	else
		diag = diag_add(parser->diags, CODE_SYNTAX, parser->current.span, "expected %s, found %s",
				strbuf_str(&text), describe_found(parser));
	strbuf_free(&text);
	add_hints(parser, diag, expected, expected_count);
	near = nearest_keyword(parser, expected, expected_count);
	if (near)
		diag_suggest(parser->diags, diag, "%s", near);
	prepare_recovery(parser, near, starts_statement);
}

void policy_report_nesting(struct policy_parser *parser)
{
	diag_add(parser->diags, CODE_SYNTAX, parser->current.span, "this is nested too deeply");
}

/* ---- words that are none ---- */

static bool all_digits(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return size > 0;
}

static bool is_protocol_token(int kind)
{
	return kind == TOK_TCP || kind == TOK_UDP || kind == TOK_SCTP;
}

static bool is_protocol(const char *text, size_t size)
{
	return is_protocol_token(policy_keyword_find(text, size));
}

/* "tcp/22", "22/tcp", "tcp:22", "80:90": as other programs write it. False if it is something else. */
static bool hint_at_port(struct policy_parser *parser, struct diag *diag, const char *text, size_t size)
{
	const char *separator = memchr(text, '/', size);
	size_t left, right;

	if (!separator)
		separator = memchr(text, ':', size);
	if (!separator)
		return false;
	left = (size_t)(separator - text);
	right = size - left - 1;
	separator++;
	if (is_protocol(text, left) && right > 0)
		diag_suggest(parser->diags, diag, "%.*s %.*s", (int)left, text, (int)right, separator);
	else if (all_digits(text, left) && is_protocol(separator, right) && is_protocol_token(parser->current.kind))
		diag_suggest(parser->diags, diag, "%.*s", (int)left, text);
	else if (all_digits(text, left) && is_protocol(separator, right))
		diag_suggest(parser->diags, diag, "%.*s %.*s", (int)right, separator, (int)left, text);
	else if (all_digits(text, left) && all_digits(separator, right))
		diag_suggest(parser->diags, diag, "%.*s-%.*s", (int)left, text, (int)right, separator);
	else
		return false;
	return true;
}

static bool has_control_character(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	return false;
}

static bool is_address_range(const char *text, size_t size)
{
	const char *hyphen = memchr(text, '-', size);
	struct addr addr;
	size_t left = hyphen ? (size_t)(hyphen - text) : 0;

	return hyphen && addr_parse(text, left, &addr) && addr_parse(hyphen + 1, size - left - 1, &addr);
}

/* "wg*", as a shell has it; "10.1.1.*" is something else. */
static bool is_interface_pattern(const char *text, size_t size)
{
	return size > 1 && text[size - 1] == '*' && isalpha((unsigned char)text[0]);
}

void policy_report_bad_word(struct policy_parser *parser, struct span span, const char *text, size_t size)
{
	struct diags *diags = parser->diags;
	struct diag *diag;

	/* One in a statement is enough: the rest of it is passed over. */
	if (parser->recovering)
		return;
	if (has_control_character(text, size)) {
		diag_add(diags, CODE_MALFORMED_WORD, span, "there is a control character here");
		return;
	}
	diag = diag_add(diags, CODE_MALFORMED_WORD, span, "%s is not a word of the policy language",
			diags_full(diags) ? "" : diag_quote(diags, text, size));
	if (size > 64 || hint_at_port(parser, diag, text, size))
		return;
	if (text[0] == '!')
		diag_label(diags, diag, SPAN_NONE, "there is no 'not': what is not allowed is refused");
	else if (is_address_range(text, size))
		diag_label(diags, diag, SPAN_NONE, "ranges of addresses are written as prefixes, such as 10.1.1.0/29");
	else if (is_interface_pattern(text, size))
		diag_suggest(diags, diag, "%.*s+", (int)size - 1, text);
	else
		diag_label(diags, diag, SPAN_NONE,
			   "names begin with a letter of a-z or A-Z and go on with these, 0-9, '_', '-' and '.'; "
			   "unusual names of interfaces are put in quotes");
}
