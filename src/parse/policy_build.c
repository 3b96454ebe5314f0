/* What the grammar's actions call: each makes one node of the tree. */
#include <peerwall/policy_grammar.h>

struct ast_item *policy_item(struct policy_parser *parser, enum ast_item_kind kind, struct span span)
{
	struct ast_item *item = arena_zalloc(parser->arena, sizeof *item);

	item->kind = kind;
	item->span = span;
	return item;
}

void policy_broken_item(struct policy_parser *parser, enum ast_item_kind kind, struct ast_word name)
{
	struct ast_item *item = policy_item(parser, kind, name.span);

	item->name = name;
	item->broken = true;
	vec_push(parser->arena, &parser->file->items, item);
}

struct ast_statement *policy_statement(struct policy_parser *parser, enum ast_statement_kind kind, struct span span)
{
	struct ast_statement *statement = arena_zalloc(parser->arena, sizeof *statement);

	statement->kind = kind;
	statement->span = span;
	return statement;
}

struct ast_words *policy_words(struct policy_parser *parser, struct ast_words *words, struct ast_word word)
{
	if (!words)
		words = arena_zalloc(parser->arena, sizeof *words);
	if (word.kind != AST_WORD_NONE)
		vec_push(parser->arena, &words->items, word);
	return words;
}

struct ast_ports *policy_ports(struct policy_parser *parser, struct ast_ports *ports, struct ast_word protocol,
			       struct ast_word value)
{
	if (!ports)
		ports = arena_zalloc(parser->arena, sizeof *ports);
	if (value.kind == AST_WORD_NONE)
		return ports;
	if (ports->items.len == 0)
		ports->span.lo = protocol.kind == AST_WORD_NONE ? value.span.lo : protocol.span.lo;
	ports->span.hi = value.span.hi;
	vec_push(parser->arena, &ports->items, (struct ast_port){protocol, value});
	return ports;
}

struct ast_block *policy_block(struct policy_parser *parser, struct ast_block *block, struct ast_statement *statement)
{
	if (!block)
		block = arena_zalloc(parser->arena, sizeof *block);
	if (statement)
		vec_push(parser->arena, &block->statements, statement);
	return block;
}

struct ast_log *policy_log(struct policy_parser *parser, struct ast_word prefix, struct ast_word limit,
			   struct ast_word burst, struct span span)
{
	struct ast_log *log = arena_zalloc(parser->arena, sizeof *log);

	*log = (struct ast_log){prefix.kind != AST_WORD_NONE, prefix, limit, burst, span};
	return log;
}
