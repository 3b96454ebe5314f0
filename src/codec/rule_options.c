/*
 * The options of matches and targets, as iptables-restore's own getopt_long() finds them: among the matches loaded
 * so far, the last one first; names may be cut short; "-p tcp --dport 1" loads the match by itself.
 */
#include "decoding.h"
#include "value.h"

#include <string.h>

/* The match of the protocol, which iptables loads when one of its options comes unannounced. */
static enum module_id implicit_module(const struct decoding *decoding)
{
	const struct protocol_match *protocol = &decoding->rule->protocol;
	enum module_id module;

	if (!protocol->present)
		return MODULE_OPAQUE;
	switch (protocol->number) {
	case 1:
		module = MODULE_ICMP;
		break;
	case 6:
		module = MODULE_TCP;
		break;
	case 17:
		module = MODULE_UDP;
		break;
	case 33:
		module = MODULE_DCCP;
		break;
	case 50:
		module = MODULE_ESP;
		break;
	case 51:
		module = MODULE_AH;
		break;
	case 58:
		module = MODULE_ICMP6;
		break;
	case 132:
		module = MODULE_SCTP;
		break;
	default:
		return MODULE_OPAQUE;
	}
	return module_find(module_row(module).name, module_row(module).name_size, false, decoding->family);
}

struct found_option {
	enum option_lookup lookup;
	enum option_id id;
	enum alias_transform transform;
	uint16_t owner;
};

static void look_in(const struct decoding *decoding, enum module_id module, uint16_t owner,
		    const struct ipsave_word *word, struct found_option *best)
{
	struct found_option found = {.owner = owner};

	if (module == MODULE_OPAQUE || best->lookup == LOOKUP_EXACT)
		return;
	found.lookup = option_find(module, decoding->family, word->text, word->size, &found.id, &found.transform);
	if (found.lookup == LOOKUP_EXACT || best->lookup == LOOKUP_NONE)
		*best = found;
	else if (found.lookup != LOOKUP_NONE)
		best->lookup = LOOKUP_AMBIGUOUS;
}

static bool read_option(struct decoding *decoding, const struct found_option *found, size_t here)
{
	const struct option_row *row = &option_rows[found->id];
	unsigned arity = option_arity(found->id, found->transform);
	struct option *option = &decoding->options[decoding->option_count];
	struct open_match *match;
	struct value_reader reader = {
		.decoder = decoding->decoder,
		.arena = decoding->arena,
		.family = decoding->family,
		.words = &decoding->words[decoding->at],
		.option = found->id,
		.transform = found->transform,
	};

	memset(option, 0, sizeof *option);
	option->id = found->id;
	option->negated = decode_negation(decoding);
	if (option->negated && !(row->flags & INVERT))
		return decode_refuse(decoding, here, "this option cannot be negated");
	for (size_t i = 0; i < decoding->option_count && !(row->flags & REPEATED); i++)
		if (decoding->options[i].id == found->id && decoding->owners[i] == found->owner)
			return decode_refuse(decoding, here, "this option may be given once only");
	if (decoding->count - decoding->at < arity)
		return decode_refuse(decoding, here, "this option needs more words behind it");
	if (!value_read(&reader, &option->value))
		return decode_refuse(decoding, arity > 0 ? decoding->at : here,
			      reader.reason ? reader.reason : "this is no value of its option");
	decoding->at += arity;
	decoding->owners[decoding->option_count++] = found->owner;
	match = found->owner == TARGET_OWNER ? &decoding->target : &decoding->matches[found->owner];
	match->taken += 1 + arity + option->negated;
	match->end = decoding->at;
	match->inexact |= found->lookup != LOOKUP_EXACT;
	return true;
}

bool decode_long_option(struct decoding *decoding, const struct ipsave_word *word, bool own, bool *known)
{
	struct found_option best = {.lookup = LOOKUP_NONE};
	enum module_id implicit;
	size_t here = decoding->at - 1;

	if (decoding->has_target && decoding->rule->target.kind == TARGET_EXTENSION)
		look_in(decoding, decoding->target.module, TARGET_OWNER, word, &best);
	for (size_t i = decoding->match_count; i-- > 0;)
		look_in(decoding, decoding->matches[i].module, (uint16_t)i, word, &best);
	*known = best.lookup != LOOKUP_NONE;
	if (best.lookup == LOOKUP_AMBIGUOUS || (own && best.lookup == LOOKUP_PREFIX))
		return decode_refuse(decoding, here, "this may be short for several options");
	if (best.lookup == LOOKUP_NONE) {
		implicit = implicit_module(decoding);
		if (own || implicit == MODULE_OPAQUE || decoding->has_implicit)
			return true;
		look_in(decoding, implicit, (uint16_t)decoding->match_count, word, &best);
		if (best.lookup != LOOKUP_EXACT && best.lookup != LOOKUP_PREFIX)
			return true;
		*known = true;
		decoding->has_implicit = true;
		decoding->matches[decoding->match_count++] = (struct open_match){.module = implicit};
	}
	return read_option(decoding, &best, here);
}
