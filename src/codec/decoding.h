/*
 * decoding.h - a rule while its words are being read.
 *
 * Purpose: what the steps of decoding share: rule_words.c says what each word is, rule_own.c, rule_matches.c and
 * rule_options.c take the words that belong to it, rule_close.c makes the rule of it all.
 * Inside src/codec only; match_codec.h is the interface. Ownership: what is kept lives in the ruleset's arena.
 * Errors: steps give false, with the result and the note set; nothing more may be read of the rule then.
 */
#ifndef PEERWALL_DECODING_H
#define PEERWALL_DECODING_H

#include <peerwall/match_codec.h>

/* A match while its words are being read; its options are those of `decoding` with its number. */
struct open_match {
	enum module_id module;
	const struct ipsave_word *opaque; /* MODULE_OPAQUE: its name, and the words behind it */
	size_t opaque_count;
	bool cached; /* it was decoded before: */
	struct match known; /* a copy, since the cache may give its place away while the rule is still read */
	size_t name;  /* the word that is its name; 0 if it came unannounced */
	size_t taken; /* how many words it has taken, with its name ... */
	size_t end;   /* ... and the one behind the last of them */
	bool inexact; /* some of its options were cut short, so what they are depends on other matches */
};

struct decoding {
	struct rule *rule;
	struct decoder *decoder;
	struct arena *arena;
	enum family family;
	const struct table *table;
	const struct ipsave_word *words;
	size_t count;
	size_t at;
	bool negated;      /* a "!" waits for its option */
	struct decode_note *note;
	enum decode_result result;
	struct open_match matches[IPSAVE_WORDS_MAX + 1];
	size_t match_count;
	struct open_match target;
	bool has_target;
	bool has_implicit; /* the protocol's own match was loaded for an option */
	bool has_source, has_destination;
	size_t option_count;
	struct option options[IPSAVE_WORDS_MAX];
	uint16_t owners[IPSAVE_WORDS_MAX]; /* the number of the match, or TARGET_OWNER */
};
#define TARGET_OWNER UINT16_MAX

/* ---- decoding.c ---- */

bool decode_refuse(struct decoding *decoding, size_t word, const char *reason);
bool decode_ambiguous(struct decoding *decoding, size_t word, const char *reason);
bool word_is(const struct ipsave_word *word, const char *text);
/* The word behind an option, which getopt takes whatever it looks like; NULL, and refused, if there is none. */
const struct ipsave_word *decode_argument(struct decoding *decoding);
/* Whether a "!" waited for this option. */
bool decode_negation(struct decoding *decoding);
/* The words from the name of an extension on, as written. */
const char *decode_raw_text(const struct decoding *decoding, size_t from, size_t to, uint32_t *size);

/* ---- rule_own.c; its option has been taken already ---- */

bool decode_network(struct decoding *decoding, struct network_match *out, struct address_list *more, bool *given);
bool decode_interface(struct decoding *decoding, struct interface_match *out);
bool decode_protocol(struct decoding *decoding, struct protocol_match *out);
bool decode_fragment(struct decoding *decoding);
bool decode_counters(struct decoding *decoding);

/* ---- rule_matches.c ---- */

bool decode_match(struct decoding *decoding);
bool decode_target(struct decoding *decoding, bool jump);

/* ---- rule_options.c ---- */

/* Not `known`: nothing was taken. `own` tells that the word may also be short for one of the rule's own options. */
bool decode_long_option(struct decoding *decoding, const struct ipsave_word *word, bool own, bool *known);

/* ---- rule_words.c ---- */

bool decode_word(struct decoding *decoding);

/* ---- rule_close.c ---- */

bool decode_close(struct decoding *decoding);

#endif
