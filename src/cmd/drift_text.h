/*
 * drift_text.h - how what is loaded differs from what is wanted, in words and in JSON.
 *
 * Ownership: texts go to the caller's buffer, JSON values are the caller's to release.
 */
#ifndef PEERWALL_DRIFT_TEXT_H
#define PEERWALL_DRIFT_TEXT_H

#include <peerwall/plan.h>
#include <peerwall/strbuf.h>

#include <jansson.h>

/* "rule-missing": for machines; stable. */
const char *drift_kind_name(enum drift_kind kind);

/* "IPv4 mangle PW-wg1, rule 3: missing: -s 10.1.1.4/32 -j RETURN" */
void drift_describe(struct strbuf *out, enum family family, const struct drift *drift);

/* {"kind", "table", "chain", "position", "rule", "overtakenBy"}; the last three only where there are such rules. */
json_t *drift_json(enum family family, const struct drift *drift);

#endif
