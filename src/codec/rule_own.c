/* The rule's own options: addresses, interfaces, the protocol, fragments, counters. */
#include "decoding.h"
#include "value.h"
#include "words.h"

#include <string.h>

bool decode_network(struct decoding *decoding, struct network_match *out, struct address_list *more,
			   bool *given)
{
	size_t here = decoding->at - 1;
	bool negated = decode_negation(decoding);
	const struct ipsave_word *word = decode_argument(decoding);
	const char *item, *end;

	if (!word)
		return false;
	if (*given)
		return decode_refuse(decoding, here, "this option may be given once only");
	*given = true;
	item = word->text;
	end = word->text + word->size;
	for (bool first = true;; first = false) {
		const char *comma = memchr(item, ',', (size_t)(end - item));
		struct network_match network = {.present = true, .negated = negated};

		if (!network_read(decoding->family, item, (size_t)((comma ? comma : end) - item), &network.addr,
				  &network.mask))
			return decode_refuse(decoding, decoding->at - 1,
				      decoding->family == FAMILY_IPV4 ? "this is no IPv4 address" : "this is no IPv6 address");
		if ((comma || !first) && negated)
			return decode_refuse(decoding, here, "a list of addresses cannot be negated");
		if (mask_is_zero(&network.mask)) {
			if (negated)
				return decode_ambiguous(decoding, here, "one backend refuses the negation of all addresses");
			network.present = false;
		}
		if (first)
			*out = network;
		else
			vec_push(decoding->arena, &more->items, network);
		if (!comma)
			return true;
		item = comma + 1;
	}
}

bool decode_interface(struct decoding *decoding, struct interface_match *out)
{
	enum { NAME_MAX_BYTES = 15 };
	size_t here = decoding->at - 1;
	bool negated = decode_negation(decoding);
	const struct ipsave_word *word = decode_argument(decoding);

	if (!word)
		return false;
	if (out->name)
		return decode_refuse(decoding, here, "this option may be given once only");
	if (word->size == 0 || word->size > NAME_MAX_BYTES)
		return decode_refuse(decoding, decoding->at - 1, "an interface has a name of 1 to 15 bytes");
	if (word_is(word, "+")) {
		if (negated)
			return decode_ambiguous(decoding, here, "one backend takes the negation of all interfaces for all");
		return true;
	}
	out->name = arena_strndup(decoding->arena, word->text, word->size);
	out->negated = negated;
	return true;
}

bool decode_protocol(struct decoding *decoding, struct protocol_match *out)
{
	size_t here = decoding->at - 1;
	bool negated = decode_negation(decoding);
	const struct ipsave_word *word = decode_argument(decoding);
	uint8_t number;

	if (!word)
		return false;
	if (out->present)
		return decode_refuse(decoding, here, "this option may be given once only");
	if (!protocol_number(word->text, word->size, &number))
		return decode_refuse(decoding, decoding->at - 1, "there is no such protocol");
	if (number == 0 && negated)
		return decode_refuse(decoding, here, "the negation of all protocols matches nothing");
	out->present = number != 0;
	out->negated = negated;
	out->number = number;
	return true;
}

bool decode_fragment(struct decoding *decoding)
{
	bool negated = decode_negation(decoding);

	if (decoding->family == FAMILY_IPV6)
		return decode_refuse(decoding, decoding->at - 1, "IPv6 has no such option");
	decoding->rule->fragment = negated ? FRAGMENT_NO : FRAGMENT_YES;
	return true;
}

/* "-c 5 100" or "-c 5,100" */
bool decode_counters(struct decoding *decoding)
{
	const struct ipsave_word *packets = decode_argument(decoding), *bytes;
	const char *comma = packets ? memchr(packets->text, ',', packets->size) : NULL;
	struct counters *counters = &decoding->rule->counters;
	const char *second;
	size_t first_size, second_size;

	if (!packets)
		return false;
	bytes = comma ? packets : decode_argument(decoding);
	if (!bytes)
		return false;
	first_size = comma ? (size_t)(comma - packets->text) : packets->size;
	second = comma ? comma + 1 : bytes->text;
	second_size = (size_t)(bytes->text + bytes->size - second);
	if (!number_read(packets->text, first_size, UINT64_MAX, &counters->packets) ||
	    !number_read(second, second_size, UINT64_MAX, &counters->bytes))
		return decode_refuse(decoding, decoding->at - 1, "a counter is a number");
	decoding->rule->has_counters = true;
	return true;
}
