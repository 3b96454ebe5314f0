/*
 * policy.y - the grammar of the policy language.
 *
 * A word may stand wherever any word may: what it has to look like there is resolve's business, whose messages
 * can say more than "syntax error". The token filter sees to it that each statement ends with exactly one
 * END, also before and behind a "}" and at the end of the file. All lists recurse to the left, so the
 * parser's stack does not grow with its input.
 */
%define api.pure full
%define api.prefix {policy_}
%define api.token.prefix {TOK_}
%define api.location.type {struct span}
%define parse.error custom
%define parse.lac full
%expect 0
%param {struct policy_parser *parser}

%code requires {
#include <peerwall/policy_grammar.h>
}

%union {
	struct ast_word word;
	struct ast_item *item;
	struct ast_statement *statement;
	struct ast_words *words;
	struct ast_ports *ports;
	struct ast_block *block;
	struct ast_log *log;
}

%code {
#define YYLLOC_DEFAULT(current, rhs, n)                                         \
	do {                                                                    \
		if (n) {                                                        \
			(current).lo = YYRHSLOC(rhs, 1).lo;                     \
			(current).hi = YYRHSLOC(rhs, n).hi;                     \
		} else {                                                        \
			(current).lo = (current).hi = YYRHSLOC(rhs, 0).hi;      \
		}                                                               \
	} while (0)

/* All that bison itself may ask for: tokens of this many kinds. */
#define EXPECTED_MAX 64

static int policy_lex(POLICY_STYPE *value, struct span *span, struct policy_parser *parser)
{
	int kind = policy_parser_next(parser);

	value->word = parser->current.word;
	*span = parser->current.span;
	return kind;
}

static const struct ast_word no_word;

/* Only for the parser's own failure: its stack is full. */
static void policy_error(struct span *span, struct policy_parser *parser, const char *message)
{
	(void)span;
	(void)message;
	policy_report_nesting(parser);
}
}

%token END "end of line"
%token END_OF_FILE 0 "end of file"
%token <word> WORD "<word>"
%token <word> UNKNOWN "<parameter>"
%token OPEN "{"
%token CLOSE "}"
%token COMMA ","
%token EQUALS "="
%token PEERS "peers"
%token SERVICE "service"
%token INCLUDE "include"
%token INTERFACE "interface"
%token TEST "test"
%token EXPOSE "expose"
%token ALLOW "allow"
%token FORWARD "forward"
%token OTHERWISE "otherwise"
%token TO "to"
%token FROM "from"
%token AT "at"
%token VIA "via"
%token LOG "log"
%token LIMIT "limit"
%token BURST "burst"
%token ICMP "icmp"
%token ICMPV6 "icmpv6"
%token CAN "can"
%token CANNOT "cannot"
%token <word> PING "ping"
%token <word> TCP "tcp"
%token <word> UDP "udp"
%token <word> SCTP "sctp"
%token <word> DROP "drop"
%token <word> REJECT "reject"

%type <item> item
%type <statement> statement assertion verdict
%type <words> words types at
%type <ports> ports services
%type <block> block assertions
%type <log> log
%type <word> word type protocol refusal via

%%

policy
	: %empty
	| policy item END           { vec_push(parser->arena, &parser->file->items, $item); }
	| policy error END          { yyerrok; policy_parser_recovered(parser); }
	| policy PEERS word error END {
		policy_broken_item(parser, AST_PEERS, $word);
		yyerrok;
		policy_parser_recovered(parser);
	}
	| policy SERVICE word error END {
		policy_broken_item(parser, AST_SERVICE, $word);
		yyerrok;
		policy_parser_recovered(parser);
	}
	;

item
	: PEERS word EQUALS words {
		$$ = policy_item(parser, AST_PEERS, @$);
		$$->name = $word;
		$$->words = *$words;
	}
	| SERVICE word EQUALS ports {
		$$ = policy_item(parser, AST_SERVICE, @$);
		$$->name = $word;
		$$->ports = *$ports;
	}
	| INCLUDE word {
		$$ = policy_item(parser, AST_INCLUDE, @$);
		$$->name = $word;
		policy_parser_include(parser, $$);
	}
	| INTERFACE words OPEN block CLOSE {
		$$ = policy_item(parser, AST_INTERFACE, @$);
		$$->words = *$words;
		$$->block = *$block;
		$$->block.open = @OPEN;
		$$->block.close = @CLOSE;
	}
	| TEST OPEN assertions CLOSE {
		$$ = policy_item(parser, AST_TEST, @$);
		$$->block = *$assertions;
		$$->block.open = @OPEN;
		$$->block.close = @CLOSE;
	}
	;

block
	: %empty                    { $$ = policy_block(parser, NULL, NULL); }
	| block[list] statement END { $$ = policy_block(parser, $list, $statement); }
	| block[list] error END     { $$ = $list; yyerrok; policy_parser_recovered(parser); }
	;

statement
	: EXPOSE ports TO words at log {
		$$ = policy_statement(parser, AST_EXPOSE, @$);
		$$->ports = *$ports;
		$$->to = *$words;
		$$->at = *$at;
		$$->log = *$log;
	}
	| ALLOW PING FROM words log {
		$$ = policy_statement(parser, AST_ALLOW, @$);
		$$->allow = AST_ALLOW_PING;
		$$->from = *$words;
		$$->log = *$log;
	}
	| ALLOW ICMP types FROM words log {
		$$ = policy_statement(parser, AST_ALLOW, @$);
		$$->allow = AST_ALLOW_ICMP;
		$$->types = *$types;
		$$->from = *$words;
		$$->log = *$log;
	}
	| ALLOW ICMPV6 types FROM words log {
		$$ = policy_statement(parser, AST_ALLOW, @$);
		$$->allow = AST_ALLOW_ICMPV6;
		$$->types = *$types;
		$$->from = *$words;
		$$->log = *$log;
	}
	| FORWARD FROM words[from] via[from_via] TO words[to] via[to_via] services log {
		$$ = policy_statement(parser, AST_FORWARD, @$);
		$$->from = *$from;
		$$->from_via = $from_via;
		$$->to = *$to;
		$$->to_via = $to_via;
		$$->ports = *$services;
		$$->log = *$log;
	}
	| OTHERWISE refusal log {
		$$ = policy_statement(parser, AST_OTHERWISE, @$);
		$$->refusal = $refusal;
		$$->log = *$log;
	}
	;

assertions
	: %empty                         { $$ = policy_block(parser, NULL, NULL); }
	| assertions[list] assertion END { $$ = policy_block(parser, $list, $assertion); }
	| assertions[list] error END     { $$ = $list; yyerrok; policy_parser_recovered(parser); }
	;

assertion
	: words verdict ports at {
		$$ = $verdict;
		$$->span = @$;
		$$->from = *$words;
		$$->ports = *$ports;
		$$->at = *$at;
	}
	| words verdict PING at {
		$$ = $verdict;
		$$->span = @$;
		$$->from = *$words;
		$$->ping = true;
		$$->at = *$at;
	}
	;

verdict
	: CAN                       { $$ = policy_statement(parser, AST_ASSERTION, @$); $$->can = true; }
	| CANNOT                    { $$ = policy_statement(parser, AST_ASSERTION, @$); }
	;

words
	: word                      { $$ = policy_words(parser, NULL, $word); }
	| words[list] COMMA word    { $$ = policy_words(parser, $list, $word); }
	;

word
	: WORD
	| UNKNOWN
	;

types
	: type                      { $$ = policy_words(parser, NULL, $type); }
	| types[list] COMMA type    { $$ = policy_words(parser, $list, $type); }
	;

type
	: word
	| PING
	;

services
	: %empty                    { $$ = policy_ports(parser, NULL, no_word, no_word); }
	| ports
	;

ports
	: word                                { $$ = policy_ports(parser, NULL, no_word, $word); }
	| protocol word                       { $$ = policy_ports(parser, NULL, $protocol, $word); }
	| ports[list] COMMA word              { $$ = policy_ports(parser, $list, no_word, $word); }
	| ports[list] COMMA protocol word     { $$ = policy_ports(parser, $list, $protocol, $word); }
	;

protocol
	: TCP
	| UDP
	| SCTP
	;

at
	: %empty                    { $$ = policy_words(parser, NULL, no_word); }
	| AT words                  { $$ = $words; }
	;

via
	: %empty                    { $$ = no_word; }
	| VIA word                  { $$ = $word; }
	;

refusal
	: DROP
	| REJECT
	| UNKNOWN
	;

log
	: %empty                    { $$ = policy_log(parser, no_word, no_word, no_word, SPAN_NONE); }
	| LOG word                  { $$ = policy_log(parser, $word, no_word, no_word, @$); }
	| LOG word LIMIT word[rate] { $$ = policy_log(parser, $2, $rate, no_word, @$); }
	| LOG word LIMIT word[rate] BURST word[burst] { $$ = policy_log(parser, $2, $rate, $burst, @$); }
	;

%%

/* bison numbers tokens from 256 on in the order of their declaration, and their symbols from 1 on. */
static int token_of_symbol(yysymbol_kind_t symbol)
{
	_Static_assert(TOK_REJECT == YYNTOKENS - 1 + 255, "no token bears a number of its own");
	return symbol == 0 ? TOK_END_OF_FILE : (int)symbol + 255;
}

static int yyreport_syntax_error(const yypcontext_t *context, struct policy_parser *parser)
{
	yysymbol_kind_t symbols[EXPECTED_MAX];
	int expected[EXPECTED_MAX];
	int count = 0;

	/* Beyond the limit nobody reads it, and asking LAC is costly. */
	if (!diags_full(parser->diags))
		count = yypcontext_expected_tokens(context, symbols, EXPECTED_MAX);
	for (int i = 0; i < count; i++)
		expected[i] = token_of_symbol(symbols[i]);
	policy_report_syntax_error(parser, expected, count > 0 ? (size_t)count : 0);
	return 0;
}
