/* The tree as text, for tests: all that has a meaning, and nothing of how it was laid out. */
#include "ast_words.h"

void ast_word_print(struct strbuf *out, const struct ast_word *word)
{
	if (word->parameter) {
		strbuf_addf(out, "$%s", word->parameter);
		return;
	}
	if (word->kind != AST_WORD_STRING) {
		strbuf_add(out, word->text, word->size);
		return;
	}
	strbuf_addc(out, '"');
	for (uint32_t i = 0; i < word->size; i++) {
		if (word->text[i] == '"' || word->text[i] == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, word->text[i]);
	}
	strbuf_addc(out, '"');
}

static void dump_word(struct strbuf *out, const struct ast_word *word)
{
	strbuf_addc(out, ' ');
	ast_word_print(out, word);
}

static void dump_words(struct strbuf *out, const char *label, const struct ast_words *words)
{
	if (words->items.len == 0)
		return;
	strbuf_addf(out, " (%s", label);
	vec_each(word, &words->items)
		dump_word(out, word);
	strbuf_addc(out, ')');
}

static void dump_ports(struct strbuf *out, const struct ast_ports *ports)
{
	if (ports->items.len == 0)
		return;
	strbuf_adds(out, " (ports");
	vec_each(port, &ports->items) {
		strbuf_adds(out, " (");
		if (port->protocol.kind != AST_WORD_NONE) {
			ast_word_print(out, &port->protocol);
			strbuf_addc(out, ' ');
		}
		ast_word_print(out, &port->value);
		strbuf_addc(out, ')');
	}
	strbuf_addc(out, ')');
}

static void dump_optional(struct strbuf *out, const char *label, const struct ast_word *word)
{
	if (word->kind == AST_WORD_NONE)
		return;
	strbuf_addf(out, " (%s", label);
	dump_word(out, word);
	strbuf_addc(out, ')');
}

static void dump_log(struct strbuf *out, const struct ast_log *log)
{
	dump_optional(out, "log", &log->prefix);
	dump_optional(out, "limit", &log->limit);
	dump_optional(out, "burst", &log->burst);
}

static void dump_statement(struct strbuf *out, const struct ast_statement *statement)
{
	static const char *const names[] = {
		[AST_EXPOSE] = "expose",       [AST_ALLOW] = "allow",         [AST_FORWARD] = "forward",
		[AST_OTHERWISE] = "otherwise", [AST_ASSERTION] = "assertion",
	};
	static const char *const allowed[] = {
		[AST_ALLOW_PING] = " ping", [AST_ALLOW_ICMP] = " icmp", [AST_ALLOW_ICMPV6] = " icmpv6",
	};

	strbuf_addf(out, "\n  (%s", names[statement->kind]);
	if (statement->kind == AST_ALLOW)
		strbuf_adds(out, allowed[statement->allow]);
	if (statement->kind == AST_ASSERTION)
		strbuf_addf(out, " %s%s", statement->can ? "can" : "cannot", statement->ping ? " ping" : "");
	dump_optional(out, "refusal", &statement->refusal);
	dump_words(out, "types", &statement->types);
	dump_words(out, "from", &statement->from);
	dump_optional(out, "via", &statement->from_via);
	dump_words(out, "to", &statement->to);
	dump_optional(out, "via", &statement->to_via);
	dump_words(out, "at", &statement->at);
	dump_ports(out, &statement->ports);
	dump_log(out, &statement->log);
	strbuf_addc(out, ')');
}

static void dump_item(void *context, const struct ast_item *item)
{
	static const char *const names[] = {
		[AST_PEERS] = "peers",         [AST_SERVICE] = "service", [AST_INCLUDE] = "include",
		[AST_INTERFACE] = "interface", [AST_TEST] = "test",
	};
	struct strbuf *out = context;

	strbuf_addf(out, "(%s", names[item->kind]);
	dump_optional(out, "name", &item->name);
	dump_words(out, "words", &item->words);
	dump_ports(out, &item->ports);
	vec_each(statement, &item->block.statements)
		dump_statement(out, *statement);
	strbuf_adds(out, ")\n");
}

void ast_dump(struct strbuf *out, const struct ast *ast)
{
	ast_each_item(ast->root, dump_item, out);
}
