/* Identifiers in forms of their own: hardware addresses, users and groups, classes of traffic. */
#include "value.h"
#include "words.h"

#include <ctype.h>
#include <string.h>

bool mac_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];

	if (word->size != 17)
		return false;
	for (int i = 0; i < 6; i++) {
		const char *pair = word->text + 3 * i;
		char digits[4] = {'0', 'x', pair[0], pair[1]};
		uint64_t byte;

		if ((i > 0 && pair[-1] != ':') || !number_read(digits, 4, UINT8_MAX, &byte))
			return false;
		out->mac[i] = (uint8_t)byte;
	}
	return true;
}

void mac_print(struct strbuf *out, const struct value *value)
{
	for (int i = 0; i < 6; i++)
		strbuf_addf(out, i == 0 ? "%02x" : ":%02x", value->mac[i]);
}

/* A user or group: a number, a range of them, or a name of this host. */
bool ids_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *dash = memchr(word->text, '-', word->size);
	size_t before;

	if (!dash)
		dash = memchr(word->text, ':', word->size);
	before = dash ? (size_t)(dash - word->text) : word->size;
	if (number_read(word->text, before, UINT32_MAX - 1, &out->range.lo)) {
		out->range.hi = out->range.lo;
		return !dash || (number_read(dash + 1, word->size - before - 1, UINT32_MAX - 1, &out->range.hi) &&
				 out->range.lo <= out->range.hi);
	}
	/* What a name stands for is known to the host of the dump alone, but for the one that all agree on. */
	if (!word_equal(word->text, word->size, "root")) {
		reader->reason = "the number of this user or group is not known here";
		return false;
	}
	out->range.lo = out->range.hi = 0;
	return true;
}

bool class_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *colon = memchr(word->text, ':', word->size);
	uint64_t parts[2] = {0, 0};

	if (!colon || colon == word->text || colon + 1 == word->text + word->size)
		return false;
	for (int i = 0; i < 2; i++) {
		const char *text = i == 0 ? word->text : colon + 1;
		const char *end = i == 0 ? colon : word->text + word->size;

		for (; text < end; text++) {
			if (!isxdigit((unsigned char)*text) || parts[i] > 0xfff)
				return false;
			parts[i] = parts[i] * 16 + (unsigned)(isdigit((unsigned char)*text) ? *text - '0' :
							      tolower((unsigned char)*text) - 'a' + 10);
		}
	}
	out->number = parts[0] << 16 | parts[1];
	return true;
}

void class_print(struct strbuf *out, const struct value *value)
{
	strbuf_addf(out, "%04x:%04x", (unsigned)(value->number >> 16), (unsigned)(value->number & 0xffff));
}
