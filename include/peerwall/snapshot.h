/*
 * snapshot.h - an iptables-save or ip6tables-save text as a ruleset.
 *
 * Purpose: reads a whole dump (from a file, or as captured from the tool) through parse_ipsave and the codec.
 * Files written by hand for iptables-restore are read too, as far as they say what tables hold: -A and -I
 * with all that iptables 1.8.9 takes for a rule, -N, -P, -F, -X and -Z before there is anything to delete.
 * A rule that peerwall cannot understand, or that iptables-restore would refuse, is kept word for word,
 * opaque, with a warning or a note: it may match anything and do anything.
 * Errors: located diagnostics, PW201 to PW215; false if the text cannot be trusted as a whole (cut off, a
 * missing COMMIT, an unknown chain, the nft backend's "is incompatible" comment, an unterminated quote ...):
 * then nothing may be concluded from the ruleset, least of all that a table is empty.
 * A text without any table is what the tool prints when nothing is loaded. It is read, with note PW210 and
 * snapshot_is_empty(), since it may also be that somebody saved nothing by mistake.
 * Ownership: as ruleset.h. Costs: n log n; memory of a few times the text's size.
 */
#ifndef PEERWALL_SNAPSHOT_H
#define PEERWALL_SNAPSHOT_H

#include <peerwall/diag.h>
#include <peerwall/ruleset.h>
#include <peerwall/source.h>
#include <peerwall/strbuf.h>

enum snapshot_family { SNAPSHOT_FAMILY_UNKNOWN, SNAPSHOT_FAMILY_IPV4, SNAPSHOT_FAMILY_IPV6 };

/* What the text shows of its family: its header comment ("ip6tables-save"), its addresses and protocols. */
enum snapshot_family snapshot_guess_family(const struct source *source);

bool snapshot_read(struct ruleset *out, enum family family, const struct source *source, struct arena *arena,
		   struct diags *diags);

/* Whether it holds no table at all. */
bool snapshot_is_empty(const struct ruleset *ruleset);

/* The whole ruleset as iptables-save prints it, without its comment lines. Rules that are not canonical are
 * printed as they were read. Built-in chains first, then user chains bytewise, if `sorted`. */
void ruleset_print(struct strbuf *out, const struct ruleset *ruleset, bool sorted);

#endif
