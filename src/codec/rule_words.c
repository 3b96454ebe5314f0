/* What each word of a rule is: the name of one of its own options, of a match's or of a target's. */
#include "decoding.h"

#include <string.h>

enum own_option { OWN_NONE, OWN_SOURCE, OWN_DESTINATION, OWN_IN, OWN_OUT, OWN_PROTOCOL, OWN_FRAGMENT, OWN_MATCH,
		  OWN_JUMP, OWN_GOTO, OWN_COUNTERS, OWN_IPV4, OWN_IPV6, OWN_AMBIGUOUS };

static enum own_option own_short_option(char letter)
{
	switch (letter) {
	case 's': return OWN_SOURCE;
	case 'd': return OWN_DESTINATION;
	case 'i': return OWN_IN;
	case 'o': return OWN_OUT;
	case 'p': return OWN_PROTOCOL;
	case 'f': return OWN_FRAGMENT;
	case 'm': return OWN_MATCH;
	case 'j': return OWN_JUMP;
	case 'g': return OWN_GOTO;
	case 'c': return OWN_COUNTERS;
	case '4': return OWN_IPV4;
	case '6': return OWN_IPV6;
	default: return OWN_NONE;
	}
}

static const struct own_name {
	const char *name;
	uint32_t size;
	enum own_option option;
} own_names[] = {
#define OWN(name, option) {name, sizeof(name) - 1, option}
	OWN("--source", OWN_SOURCE), OWN("--src", OWN_SOURCE), OWN("--destination", OWN_DESTINATION),
	OWN("--dst", OWN_DESTINATION), OWN("--in-interface", OWN_IN), OWN("--out-interface", OWN_OUT),
	OWN("--protocol", OWN_PROTOCOL), OWN("--fragments", OWN_FRAGMENT), OWN("--match", OWN_MATCH),
	OWN("--jump", OWN_JUMP), OWN("--goto", OWN_GOTO), OWN("--set-counters", OWN_COUNTERS),
	OWN("--ipv4", OWN_IPV4), OWN("--ipv6", OWN_IPV6),
#undef OWN
};
#define OWN_NAME_COUNT (sizeof own_names / sizeof *own_names)

static enum own_option own_exact(const struct ipsave_word *word)
{
	for (size_t i = 0; i < OWN_NAME_COUNT; i++)
		if (own_names[i].size == word->size && memcmp(own_names[i].name, word->text, word->size) == 0)
			return own_names[i].option;
	return OWN_NONE;
}

/* The only one that begins so. */
static enum own_option own_prefix(const struct ipsave_word *word)
{
	enum own_option found = OWN_NONE;

	for (size_t i = 0; i < OWN_NAME_COUNT; i++)
		if (own_names[i].size > word->size && memcmp(own_names[i].name, word->text, word->size) == 0)
			found = found == OWN_NONE || found == own_names[i].option ? own_names[i].option : OWN_AMBIGUOUS;
	return found;
}

static bool decode_own(struct decoding *decoding, enum own_option option)
{
	struct rule *rule = decoding->rule;

	switch (option) {
	case OWN_SOURCE:
		return decode_network(decoding, &rule->source, &decoding->note->more_sources, &decoding->has_source);
	case OWN_DESTINATION:
		return decode_network(decoding, &rule->destination, &decoding->note->more_destinations,
				      &decoding->has_destination);
	case OWN_IN:
		return decode_interface(decoding, &rule->in);
	case OWN_OUT:
		return decode_interface(decoding, &rule->out);
	case OWN_PROTOCOL:
		return decode_protocol(decoding, &rule->protocol);
	case OWN_FRAGMENT:
		return decode_fragment(decoding);
	case OWN_MATCH:
		return decode_match(decoding);
	case OWN_JUMP:
	case OWN_GOTO:
		return decode_target(decoding, option == OWN_JUMP);
	case OWN_COUNTERS:
		return decode_counters(decoding);
	case OWN_IPV4:
	case OWN_IPV6:
		if ((option == OWN_IPV4) != (decoding->family == FAMILY_IPV4)) {
			decoding->result = DECODE_OTHER_FAMILY;
			return false;
		}
		return true;
	default:
		return decode_refuse(decoding, decoding->at - 1, "iptables-restore does not know this option");
	}
}

bool decode_word(struct decoding *decoding)
{
	const struct ipsave_word *word = &decoding->words[decoding->at++];
	size_t here = decoding->at - 1;
	enum own_option own;
	bool known = false;

	if (word_is(word, "!")) {
		if (decoding->negated)
			return decode_refuse(decoding, here, "there is a second \"!\"");
		decoding->negated = true;
		return true;
	}
	if (word->size == 2 && word->text[0] == '-' && word->text[1] != '-')
		return decode_own(decoding, own_short_option(word->text[1]));
	if (word->size < 3 || word->text[0] != '-')
		return decode_refuse(decoding, here, "iptables-restore takes no such word here");
	/* "-ptcp" and the like are legal for getopt and never printed. */
	if (word->text[1] != '-')
		return decode_refuse(decoding, here, "an option and its value in one word are not understood here");
	own = own_exact(word);
	if (own != OWN_NONE)
		return decode_own(decoding, own);
	own = own_prefix(word);
	if (!decode_long_option(decoding, word, own != OWN_NONE, &known))
		return false;
	if (known)
		return true;
	return own == OWN_AMBIGUOUS ? decode_refuse(decoding, here, "this may be short for several options")
				    : decode_own(decoding, own);
}
