/*
 * snapshot.h - an iptables-save or ip6tables-save text as a ruleset.
 *
 * Purpose: reads a whole dump (from a file, or as captured from the tool) through parse_ipsave and the codec.
 * Errors: located diagnostics; false if the text cannot be trusted as a whole (cut off, a missing COMMIT,
 * an unknown chain, the nft backend's "is incompatible" comment, an unterminated quote ...): then nothing
 * may be concluded from the ruleset, least of all that a table is empty.
 * Ownership: as ruleset.h.
 */
#ifndef PEERWALL_SNAPSHOT_H
#define PEERWALL_SNAPSHOT_H

#include <peerwall/diag.h>
#include <peerwall/ruleset.h>
#include <peerwall/source.h>

enum snapshot_family { SNAPSHOT_FAMILY_UNKNOWN, SNAPSHOT_FAMILY_IPV4, SNAPSHOT_FAMILY_IPV6 };

/* What the text shows of its family: its header comment ("ip6tables-save"), its addresses and protocols. */
enum snapshot_family snapshot_guess_family(const struct source *source);

bool snapshot_read(struct ruleset *out, enum family family, const struct source *source, struct arena *arena,
		   struct diags *diags);

/* The whole ruleset as iptables-save prints it, without its comment lines. Rules that are not canonical are
 * printed as they were read. Built-in chains first, then user chains bytewise, if `sorted`. */
void ruleset_print(struct strbuf *out, const struct ruleset *ruleset, bool sorted);

#endif
