/*
 * parse_ipsave.h - the text of iptables-save as lines and words, without their meaning.
 *
 * Purpose: reads a dump (or a hand-written file of the same form) line by line and hands each line on;
 * nothing of the text is held, so that its size does not matter. Words are split and unquoted as
 * iptables-restore 1.8.9 does it (its add_param_to_argv()): a quote may begin within a word and its end
 * ends the word; a backslash escapes inside quotes alone. Which words are options and how many words
 * each takes is the codec's to know: getopt takes any word for an argument, whatever it begins with.
 * Where iptables-restore itself would lose text in silence (an unterminated quote swallows the rest of
 * the line, a NUL byte ends it), there is an error here.
 * Ownership: a line and its words are good during the call of the handler; an unquoted word points
 * into the source.
 * Errors: diagnostics PW201, PW205, PW208 and PW209, with the place. After one the reading goes on
 * with the next line, so that several are found.
 */
#ifndef PEERWALL_PARSE_IPSAVE_H
#define PEERWALL_PARSE_IPSAVE_H

#include <peerwall/diag.h>
#include <peerwall/ruleset.h>
#include <peerwall/source.h>

/* The limits of iptables-restore: sizes of its buffers, and of its vector of words with the three of its own. */
#define IPSAVE_WORD_MAX 1023
#define IPSAVE_WORDS_MAX 250
#define IPSAVE_LINE_MAX 10238

struct ipsave_word {
	const char *text; /* unquoted; not NUL-terminated */
	uint32_t size;
	struct span span; /* as written, with its quotes */
};

enum ipsave_line_kind {
	IPSAVE_TABLE,   /* "*name": one word */
	IPSAVE_CHAIN,   /* ":NAME POLICY [packets:bytes]": all words; the third one, if any, as counters, too */
	IPSAVE_RULE,    /* "[packets:bytes] -A CHAIN ...": all words from the command on */
	IPSAVE_COMMIT,
	IPSAVE_COMMENT, /* "# ...": the whole line is the one word */
};

struct ipsave_line {
	enum ipsave_line_kind kind;
	struct span span; /* without blanks at its end and without the newline */
	bool has_counters;
	struct counters counters;
	const struct ipsave_word *words;
	size_t count;
	bool tail_blank; /* blanks or a carriage return stand before the newline */
};

typedef void (*ipsave_handler)(void *context, const struct ipsave_line *line);

struct ipsave_summary {
	size_t lines;
	size_t bad_lines;         /* each has a diagnostic and was not handed on */
	size_t carriage_returns;  /* lines that end in CR LF */
	struct span first_return; /* the first of these */
};

/* Returns whether there was no error. The summary is complete either way. */
bool ipsave_parse(const struct source *source, ipsave_handler handler, void *context, struct diags *diags,
		  struct ipsave_summary *summary);

#endif
