/*
 * match_codec.h - rules to and from the text of iptables-save.
 *
 * Purpose: one table (modules.def) drives both directions. Decoding never fails: a rule that the table
 * does not cover is kept word for word, opaque, or with the one unknown match opaque.
 * Encoding gives the text that iptables-save prints back for the rule; see shared quoting rules in
 * iptables' xtables_save_string().
 * Ownership: results live in the ruleset's arena.
 */
#ifndef PEERWALL_MATCH_CODEC_H
#define PEERWALL_MATCH_CODEC_H

#include <peerwall/ruleset.h>
#include <peerwall/strbuf.h>

/* The rule's specification, without "-A CHAIN " and without a newline. Opaque rules give their text. */
void rule_encode(struct strbuf *out, enum family family, const struct rule *rule);

/* A word as iptables-save prints it: bare if it needs no quotes, else quoted and escaped. */
void word_encode(struct strbuf *out, const char *word);

#endif
