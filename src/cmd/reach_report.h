/*
 * reach_report.h - the service matrix, for people, for machines and as a picture.
 *
 * Text is peerwall(8)'s, JSON that of docs/json.md, pictures are Graphviz's (its language: dot(1)).
 * Ownership: the text goes to the caller's buffer.
 */
#ifndef PEERWALL_REACH_REPORT_H
#define PEERWALL_REACH_REPORT_H

#include <peerwall/reach.h>
#include <peerwall/source.h>
#include <peerwall/strbuf.h>

struct reach_family {
	struct reach reach;
	struct reach_input input;
};

struct reach_report {
	struct reach_family *families[FAMILY_COUNT]; /* NULL: there are no rules of it */
	const struct host *host;
	const struct sources *sources;
	struct arena *arena;
	const char *wanted; /* as it was asked for; "" for everything */
	bool all;           /* text: every row, whole */
	int exit_code;
};

void reach_write_text(struct strbuf *out, const struct reach_report *report);
void reach_write_json(struct strbuf *out, const struct reach_report *report);
/* The way of what comes by the first interface. */
void reach_write_dot(struct strbuf *out, const struct reach_report *report);

/* ---- shared by text and JSON ---- */

struct reach_sentences {
	VEC(const char *) items;
};

/* What was taken for granted, in sentences. */
void reach_assumptions(struct reach_sentences *out, const struct reach_report *report);

#endif
