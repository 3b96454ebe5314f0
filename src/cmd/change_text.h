/*
 * change_text.h - what became of the last change, in words and in JSON.
 *
 * Ownership: texts go to the caller's buffer, JSON values are the caller's to release.
 */
#ifndef PEERWALL_CHANGE_TEXT_H
#define PEERWALL_CHANGE_TEXT_H

#include <peerwall/record.h>
#include <peerwall/strbuf.h>
#include <peerwall/watcher.h>

#include <jansson.h>

/* "the change of wg1 (apply, 2026-11-23 19:30:12)" */
void change_describe_name(struct strbuf *out, const struct record *record);

/* A sentence; nothing for SITUATION_NONE. */
void change_describe_situation(struct strbuf *out, const struct record *record, enum change_situation situation);

/* What to do about it: one line, or "". */
const char *change_advice(enum change_situation situation);

/* docs/json.md has its members; null for SITUATION_NONE. */
json_t *change_json(const struct record *record, enum change_situation situation);

#endif
