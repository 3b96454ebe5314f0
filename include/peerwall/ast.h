/*
 * ast.h - a policy as it was written.
 *
 * Purpose: the tree that parse_policy builds and resolve reads; nothing in it has been looked up. Words point
 * into the sources' texts and have no NUL behind them.
 * Ownership: everything lives in the arena of the compilation; the texts in that of the sources.
 * A statement that was not understood is missing from the tree, and a diagnostic says so.
 */
#ifndef PEERWALL_AST_H
#define PEERWALL_AST_H

#include <peerwall/source.h>
#include <peerwall/strbuf.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a word looks like, which is not what it means. */
enum ast_word_kind {
	AST_WORD_NONE,      /* not written */
	AST_WORD_BAD,       /* diagnosed already: nothing more is said of it */
	AST_WORD_NAME,      /* lan, eth0, echo-request */
	AST_WORD_PATTERN,   /* wg+ */
	AST_WORD_NUMBER,    /* 22 */
	AST_WORD_RANGE,     /* 60000-61000 */
	AST_WORD_ADDRESS,   /* 10.1.1.0/24, fd00::1 */
	AST_WORD_TYPE_CODE, /* 3/4 */
	AST_WORD_RATE,      /* 6/minute */
	AST_WORD_STRING,    /* "..."; the text is what is meant, without quotes and escapes */
	AST_WORD_PROTOCOL,  /* tcp, udp, sctp */
	AST_WORD_REFUSAL,   /* drop, reject */
	AST_WORD_PING,      /* ping, where it stands for an ICMP type */
	AST_WORD_PARAMETER, /* $name, not replaced */
};

struct ast_word {
	enum ast_word_kind kind;
	bool own_line;         /* the first of its line: lists keep their line breaks */
	uint32_t size;
	const char *text;      /* of what was written, never NULL */
	const char *parameter; /* "iface" where the word was written as $iface, else NULL */
	struct span span;
};

struct ast_words {
	VEC(struct ast_word) items;
};

/* `tcp 22`, `22` (of the protocol before it) or `jellyfin`. */
struct ast_port {
	struct ast_word protocol; /* may be AST_WORD_NONE */
	struct ast_word value;
};

struct ast_ports {
	VEC(struct ast_port) items;
	struct span span;
};

struct ast_log {
	bool wanted;
	struct ast_word prefix;
	struct ast_word limit; /* may be AST_WORD_NONE */
	struct ast_word burst; /* may be AST_WORD_NONE */
	struct span span;
};

enum ast_statement_kind { AST_EXPOSE, AST_ALLOW, AST_FORWARD, AST_OTHERWISE, AST_ASSERTION };
enum ast_allow_kind { AST_ALLOW_PING, AST_ALLOW_ICMP, AST_ALLOW_ICMPV6 };

/* One line of a block. The kind says which fields are set. */
struct ast_statement {
	enum ast_statement_kind kind;
	struct span span;
	struct ast_ports ports;      /* expose, forward (may be empty), assertion */
	struct ast_words from;       /* allow, forward, assertion */
	struct ast_words to;         /* expose, forward */
	struct ast_words at;         /* expose, assertion; may be empty */
	struct ast_word from_via;    /* forward */
	struct ast_word to_via;      /* forward */
	enum ast_allow_kind allow;
	struct ast_words types;      /* allow icmp, icmpv6 */
	struct ast_word refusal;     /* otherwise */
	bool can;                    /* assertion */
	bool ping;                   /* assertion: instead of ports */
	struct ast_log log;
};

struct ast_block {
	struct span open;  /* its "{" */
	struct span close; /* its "}" */
	VEC(struct ast_statement *) statements;
};

enum ast_item_kind { AST_PEERS, AST_SERVICE, AST_INCLUDE, AST_INTERFACE, AST_TEST };

struct ast_item {
	enum ast_item_kind kind;
	struct span span;
	struct ast_word name;      /* peers, service; include: the path */
	struct ast_words words;    /* peers: the members; interface: the names */
	struct ast_ports ports;    /* service */
	struct ast_block block;    /* interface, test */
	struct ast_file *included; /* include: NULL if it was not read, or read before */
	bool broken;               /* peers, service: the name is defined, but what it holds was not understood */
};

struct ast_comment {
	struct span span; /* from the "#" to the end of its line, without it */
	bool own_line;
};

struct ast_file {
	const struct source *source;
	VEC(struct ast_item *) items;
	VEC(struct ast_comment) comments;  /* ascending */
	VEC(uint32_t) statement_starts;    /* the position of each statement's first word, ascending */
};

/* Where a parameter was used: for notes that show its value. */
struct ast_parameter_use {
	struct span span;
	const char *name;
	const char *value;
};

struct ast {
	struct ast_file *root;
	VEC(struct ast_parameter_use) uses; /* ascending */
	bool broken;     /* errors were found: statements may be missing */
	bool incomplete; /* a whole file is missing, and with it what it defines */
};

/* Calls `visit` for each item, those of included files in the place of the include; the include itself first. */
void ast_each_item(const struct ast_file *file, void (*visit)(void *context, const struct ast_item *item),
		   void *context);

/*
 * The canonical text of the root file, comments kept. The tree must come from parse_policy_alone() or from a
 * parse without errors. It parses to the same tree, and formatting it again changes nothing.
 */
void ast_format(struct strbuf *out, const struct ast *ast);

/* The tree without places, one line for each item and statement; for tests. */
void ast_dump(struct strbuf *out, const struct ast *ast);

#endif
