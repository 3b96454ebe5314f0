/*
 * trace_report.h - a packet's way, for people and for machines.
 *
 * Text is peerwall(8)'s, JSON that of docs/json.md. Ownership: the text goes to the caller's buffer.
 */
#ifndef PEERWALL_TRACE_REPORT_H
#define PEERWALL_TRACE_REPORT_H

#include <peerwall/source.h>
#include <peerwall/strbuf.h>
#include <peerwall/trace.h>

struct trace_report {
	const struct trace *trace;
	const struct packet *packet; /* as it was asked for */
	const struct sources *sources;
	struct arena *arena;
	int exit_code;
};

void trace_write_text(struct strbuf *out, const struct trace_report *report);
void trace_write_json(struct strbuf *out, const struct trace_report *report);

/* ---- shared by both ---- */

/* One sentence in plain words, of all paths together. */
void trace_write_sentence(struct strbuf *out, const struct trace_report *report);
/* The rule as iptables-save prints it, in the arena. */
const char *trace_rule_text(const struct trace_report *report, const struct rule *rule);

#endif
