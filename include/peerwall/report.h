/*
 * report.h - what was found, for people and for machines: text, JSON, SARIF 2.1.0.
 *
 * Purpose: the one place that knows these three formats. The text itself is rendered by diag.h; JSON is our own
 * schema (docs/json.md), SARIF the one of OASIS ("Static Analysis Results Interchange Format Version 2.1.0").
 * Units: lines and columns from 1, columns in code points; the end column is the one behind the last character.
 * Errors: none. Bytes that are not UTF-8 are shown as U+FFFD, since neither format can hold them.
 * Ownership: nothing is kept; the text goes to a string buffer of the caller.
 */
#ifndef PEERWALL_REPORT_H
#define PEERWALL_REPORT_H

#include <peerwall/checks.h>
#include <peerwall/diag.h>
#include <peerwall/source.h>
#include <peerwall/strbuf.h>

#include <jansson.h>
#include <stdbool.h>

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_SARIF };

/* "text", "json", "sarif". False if it is none of them. */
bool report_format_find(const char *name, enum report_format *out);

struct report {
	const struct diags *diags;
	const struct sources *sources;
	const struct suppressed_list *suppressed; /* may be NULL */
	const char *version;                      /* of peerwall */
	int exit_code;
	bool quiet;                               /* text only: errors, and no summary */
	struct diag_style style;                  /* text only */
};

void report_write(struct strbuf *out, const struct report *report, enum report_format format);

/* The three formats, in report_text.c, report_json.c and report_sarif.c. */
void report_write_text(struct strbuf *out, const struct report *report);
void report_write_json(struct strbuf *out, const struct report *report);
void report_write_sarif(struct strbuf *out, const struct report *report);

/* ---- shared by the formats, and by commands that print JSON of their own ---- */

struct report_place {
	const struct source *source;
	unsigned line, column;
	unsigned end_line, end_column;
};

/* False for a span without a place. */
bool report_place_find(const struct sources *sources, struct span span, struct report_place *out);

struct report_counts {
	size_t errors, warnings, notes;
};

/* What is in the list and what the list's limit kept out of it. */
struct report_counts report_count(const struct diags *diags);

const char *severity_name(enum severity severity); /* "error", "warning", "note", "off" */

/* A JSON string of any bytes: what is not UTF-8 becomes U+FFFD. */
json_t *json_text(const char *bytes, size_t size);
/* The diagnostic as an object of docs/json.md. */
json_t *json_diag(const struct diag *diag, const struct sources *sources);
/* A string of all that is in the buffer, which it releases. */
json_t *json_buffer(struct strbuf *text);
/* A string, or null for NULL. */
json_t *json_cstring(const char *text);
/* Appends the value and a newline, and releases it. */
void json_print(struct strbuf *out, json_t *value);
/* The same, all in one line. */
void json_print_line(struct strbuf *out, json_t *value);

/* Appends the lines, each fit for a terminal whatever comments and names are in it: diag_clean(). */
void report_clean_lines(struct strbuf *out, const struct strbuf *lines);

/* The rule as iptables-save prints it, in the arena. */
const char *report_rule_text(const struct rule *rule, enum family family, struct arena *arena);

#endif
