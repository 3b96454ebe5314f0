/*
 * module_normalise.h - a module's options as iptables-save prints them.
 *
 * Inside src/codec only. Ownership: what is added lives in the arena that is given.
 * Errors: the words for which iptables would refuse the options; they are in no particular state then.
 */
#ifndef PEERWALL_MODULE_NORMALISE_H
#define PEERWALL_MODULE_NORMALISE_H

#include <peerwall/parse_ipsave.h>
#include <peerwall/ruleset.h>

/* What a rule may hold, and the defaults that are added. */
#define MATCH_OPTIONS_MAX (IPSAVE_WORDS_MAX + 8)

struct match_options {
	struct option *data; /* room for MATCH_OPTIONS_MAX */
	size_t len;
};

/* The one reason for which the backends differ. */
extern const char reason_full_range[];

/*
 * Brings a match's or target's options into the order and form of iptables-save: defaults are spelled
 * out or left out as it does. Returns why iptables would refuse them, or NULL.
 */
const char *module_normalise(enum module_id module, enum family family, struct arena *arena,
			     struct match_options *options);

#endif
