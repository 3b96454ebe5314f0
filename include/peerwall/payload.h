/*
 * payload.h - what compile writes: payloads for a host that nobody can look at, and a script that climbs them.
 *
 * Purpose: plan.h compares with a live ruleset; here there is none. One interface and family gives three payloads for
 * iptables-restore --noflush: up (nothing of it is loaded), reload (it is up: fails as a whole if not, and leaves
 * the jumps alone), down (it is up). None of them can be idempotent alone, since an insertion cannot map both
 * no jump and one jump to one; the script tries them from the top, for each table and jump by itself.
 * Deterministic: equal units give equal bytes.
 */
#ifndef PEERWALL_PAYLOAD_H
#define PEERWALL_PAYLOAD_H

#include <peerwall/lower.h>
#include <peerwall/plan.h>
#include <peerwall/strbuf.h>

enum payload_kind { PAYLOAD_UP, PAYLOAD_RELOAD, PAYLOAD_DOWN };
#define PAYLOAD_KIND_COUNT 3

extern const char *const payload_names[PAYLOAD_KIND_COUNT]; /* "up", "reload", "down" */

void payload_make(struct plan *out, const struct unit *unit, enum family family, enum payload_kind kind,
		  struct arena *arena);

/* A script for /bin/sh, to be called with `up` or `down`; it needs nothing but iptables-restore and ip6tables-restore. */
void payload_script(struct strbuf *out, const struct unit *unit, struct arena *arena);

#endif
