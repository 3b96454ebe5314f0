/*
 * emit.h - the bytes of payloads for iptables-restore --noflush.
 *
 * Every name and word is quoted as iptables' own reader needs it, so that nothing in a policy or a
 * snapshot can end a line or a word. A payload holds one block for each table.
 */
#ifndef PEERWALL_EMIT_H
#define PEERWALL_EMIT_H

#include <peerwall/plan.h>
#include <peerwall/strbuf.h>

/* "*table", its commands, "COMMIT". */
void emit_edit(struct strbuf *out, enum family family, const struct edit *edit);
void emit_plan(struct strbuf *out, const struct plan *plan);

#endif
