/*
 * nft_rule.h - is a rule that nft prints one that iptables-save prints?
 *
 * Purpose: a trace of nf_tables shows rules in nft's words, people know them in iptables'. There is no way back from the one to the
 * other, since nft prints some matches in part or by their names alone; so what both show for certain is compared, and
 * what only one shows is told apart from what both do.
 * Sources: what nft 1.0.6 prints for the rules of iptables-nft 1.8.9; libxtables' translations (xlate).
 * Ownership: everything lives in the arena.
 */
#ifndef PEERWALL_NFT_RULE_H
#define PEERWALL_NFT_RULE_H

#include <peerwall/arena.h>
#include <peerwall/ruleset.h>
#include <peerwall/strbuf.h>

#include <stdbool.h>

enum trait_kind {
	TRAIT_IN,
	TRAIT_OUT,
	TRAIT_SOURCE,
	TRAIT_DESTINATION,
	TRAIT_PROTOCOL,
	TRAIT_SOURCE_PORT,
	TRAIT_DESTINATION_PORT,
	TRAIT_STATE,
	TRAIT_SOURCE_TYPE,
	TRAIT_DESTINATION_TYPE,
	TRAIT_PREFIX, /* of a log line */
	TRAIT_TARGET,
};

/* One thing that a rule asks for, or does, in one form for both languages. */
struct trait {
	enum trait_kind kind;
	bool negated;
	const char *value;
};

struct rule_traits {
	VEC(struct trait) items;
	unsigned vague; /* bit i: what there is of enum trait_kind i cannot be compared */
	bool more;      /* it asks for other things, too */
};

void traits_of_rule(struct rule_traits *out, const struct rule *rule, struct arena *arena);
/* Of the text behind "rule", without the verdict. */
void traits_of_nft(struct rule_traits *out, const char *text, struct arena *arena);

enum likeness {
	LIKENESS_NONE,  /* they differ */
	LIKENESS_MAYBE, /* what can be compared is the same */
	LIKENESS_SAME,  /* all that a rule of this form can hold was compared, but for what `more` stands for on both sides */
};

enum likeness traits_compare(const struct rule_traits *a, const struct rule_traits *b);

/* ---- for the two readers ---- */

void traits_add(struct rule_traits *traits, struct arena *arena, enum trait_kind kind, bool negated, const char *value);
const char *traits_ports(const struct port_set *ports, struct arena *arena);

#endif
