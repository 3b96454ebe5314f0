/*
 * match_codec.h - rules to and from the text of iptables-save.
 *
 * Purpose: one table (modules.def) drives both directions. What iptables-restore 1.8.9 would refuse, or
 * peerwall cannot understand, is kept word for word and taken to match and do anything.
 * Encoding gives the text that iptables-save prints back for the rule: defaults spelled out, options in
 * its order, words quoted as its xtables_save_string() quotes them.
 * Sources: iptables-extensions(8), RFC 5952, and what the tools of iptables 1.8.9 read and printed.
 * Ownership: results live in the ruleset's arena.
 */
#ifndef PEERWALL_MATCH_CODEC_H
#define PEERWALL_MATCH_CODEC_H

#include <peerwall/parse_ipsave.h>
#include <peerwall/ruleset.h>
#include <peerwall/services.h>
#include <peerwall/strbuf.h>

/* ---- encoding ---- */

/* The rule's specification, without "-A CHAIN " and without a newline. Opaque rules give their text. */
void rule_encode(struct strbuf *out, enum family family, const struct rule *rule);

/*
 * A word as iptables-restore's reader gives it back: bare if nothing in it needs quotes, else quoted and
 * escaped. False, with nothing added, if no way of writing transports it: it holds a NUL (by `size`), a
 * newline, or more than 1023 bytes. iptables-save itself quotes only free text (comments, log prefixes);
 * rule_encode() does as it does there, and quotes other words by this function, which leaves all names
 * that could be read back bare.
 */
bool word_encode(struct strbuf *out, const char *word);

/* "/etc/protocols" of Debian 12: the name iptables-save prints for a protocol, or NULL. */
const char *protocol_name(unsigned number);
bool protocol_number(const char *name, size_t size, uint8_t *out);

/* ---- decoding ---- */

enum decode_result {
	DECODE_DONE,         /* every word was understood */
	DECODE_UNKNOWN,      /* a match or target of a module without a row; its words are kept */
	DECODE_REFUSED,      /* iptables-restore would refuse it, or what it means is not known here: opaque */
	DECODE_AMBIGUOUS,    /* the backends take it differently: opaque */
	DECODE_OTHER_FAMILY, /* "-6" among IPv4 rules, "-4" among IPv6 rules: iptables-restore skips it */
};

struct address_list {
	VEC(struct network_match) items;
};

/* What there is to know of a decoding besides the rule. */
struct decode_note {
	const char *reason;   /* words for a message; NULL if all went well */
	size_t word;          /* the word it is about */
	const char *undeclared; /* a chain that the rule goes to and the table does not have, or NULL */
	/* "-s A,B" stands for several rules: all but the first of each list; the rule itself has the first. */
	struct address_list more_sources;
	struct address_list more_destinations;
};

struct match_cache;

/* What decoding holds from one rule to the next: start with `ruleset` alone. */
struct decoder {
	struct ruleset *ruleset;
	bool services_loaded; /* only when the first port is given by name */
	struct services services;
	/* For many rules of one source: where its words stand, and what occurred before. NULL for single rules. */
	const struct source *source;
	struct match_cache *cache;
};

/* The words behind "-A CHAIN"; `table` tells chains from targets. Sets all of `out` but span, text and canonical. */
enum decode_result rule_decode_words(struct rule *out, struct decoder *decoder, const struct table *table,
				     const struct ipsave_word *words, size_t count, struct decode_note *note);

/*
 * One specification as text ("-p tcp -j DROP"), with the rule's text and canonical set.
 * A list of addresses, which stands for several rules, is refused.
 */
enum decode_result rule_decode(struct rule *out, struct ruleset *ruleset, const struct table *table, const char *text);

#endif
