/*
 * watch_report.h - packets that the kernel traced, for people and for machines.
 *
 * Text is peerwall(8)'s, JSON that of docs/json.md: one object a line. Ownership: the text goes to the caller's buffer.
 */
#ifndef PEERWALL_WATCH_REPORT_H
#define PEERWALL_WATCH_REPORT_H

#include <peerwall/source.h>
#include <peerwall/strbuf.h>
#include <peerwall/traced.h>

struct watch_report {
	const struct traced_packet *packet;
	unsigned long number; /* of the packet in this report, from 1 */
	const struct sources *sources;
	struct arena *arena;
};

/* With control characters made visible: rules and recordings are anybody's. */
void watch_write_text(struct strbuf *out, const struct watch_report *report);
void watch_write_json(struct strbuf *out, const struct watch_report *report);

/* ---- shared by both ---- */

/* The packet's fate in plain words, without the full stop. */
void watch_write_sentence(struct strbuf *out, const struct watch_report *report);
/* "rule 3 (host.v4:12)", "rules 3 (host.v4:12) and 4 (host.v4:13)", of a step that has such. */
void watch_write_rules(struct strbuf *out, const struct watch_report *report, const struct traced_step *step);
/* nft's words for the rule, without its counters, which tell nothing; NULL if they are not known. */
const char *watch_nft_text(const struct watch_report *report, const struct traced_step *step);

#endif
