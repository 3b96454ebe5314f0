/* Numbers, ranges of them, numbers with a mask, and probabilities. */
#include "value.h"
#include "words.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint64_t option_max(const struct value_reader *reader)
{
	unsigned flags = option_rows[reader->option].flags;

	if (flags & BITS_6)
		return 63;
	if (flags & PREFIX_LENGTH)
		return family_bits(reader->family);
	if (flags & LIMIT_BURST)
		return 10000;
	return flags & WIDTH_8 ? UINT8_MAX : flags & WIDTH_16 ? UINT16_MAX : flags & WIDTH_64 ? UINT64_MAX : UINT32_MAX;
}

static bool level_read(const char *text, size_t size, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t level;
	} levels[] = {
		{"emerg", 0}, {"panic", 0}, {"alert", 1}, {"crit", 2}, {"err", 3}, {"error", 3},
		{"warning", 4}, {"warn", 4}, {"notice", 5}, {"info", 6}, {"debug", 7},
	};

	if (number_read(text, size, 7, out))
		return true;
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (word_equal_nocase(text, size, levels[i].name)) {
			*out = levels[i].level;
			return true;
		}
	return false;
}

bool value_number_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	unsigned flags = option_rows[reader->option].flags;
	uint8_t protocol;

	if (flags & PROTOCOL) {
		if (!protocol_number(word->text, word->size, &protocol))
			return false;
		out->number = protocol;
		return protocol != 0;
	}
	if (flags & LOG_LEVEL)
		return level_read(word->text, word->size, &out->number);
	if (reader->transform == TRANSFORM_DSCP_CLASS)
		return dscp_class_read(word->text, word->size, &out->number);
	return number_read(word->text, word->size, option_max(reader), &out->number) &&
	       (out->number > 0 || !(flags & POSITIVE));
}

/* "a:b", either of which may be left out, or one number. */
bool range_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *colon = memchr(word->text, ':', word->size);
	unsigned flags = option_rows[reader->option].flags;
	uint64_t max = flags & QUEUES ? UINT16_MAX - 1 : option_max(reader);

	if (!colon) {
		if (flags & QUEUES || !number_read(word->text, word->size, max, &out->range.lo))
			return false;
		out->range.hi = flags & OPEN_END ? max : out->range.lo;
		return true;
	}
	size_t before = (size_t)(colon - word->text), behind = word->size - before - 1;

	out->range.lo = 0;
	out->range.hi = max;
	if (before > 0 && !number_read(word->text, before, max, &out->range.lo))
		return false;
	if (behind > 0 && !number_read(colon + 1, behind, max, &out->range.hi))
		return false;
	return flags & QUEUES ? out->range.lo < out->range.hi : out->range.lo <= out->range.hi;
}

void range_print(struct strbuf *out, enum option_id option, const struct value *value)
{
	unsigned flags = option_rows[option].flags;

	strbuf_addf(out, "%" PRIu64, value->range.lo);
	if (flags & OPEN_END ? value->range.hi != UINT64_MAX : value->range.hi != value->range.lo)
		strbuf_addf(out, ":%" PRIu64, value->range.hi);
}

bool masked_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *slash = memchr(word->text, '/', word->size);
	size_t before = slash ? (size_t)(slash - word->text) : word->size;
	uint64_t max = option_max(reader), value, mask = max;

	if (option_rows[reader->option].flags & TWO_DIGITS && reader->transform == TRANSFORM_SAME &&
	    tos_name_read(word->text, word->size, &value)) {
		out->masked.value = value;
		out->masked.mask = 0x3f;
		return true;
	}
	if (!number_read(word->text, before, max, &value))
		return false;
	if (slash && (reader->transform > TRANSFORM_SET_BITS ||
		      !number_read(slash + 1, word->size - before - 1, max, &mask)))
		return false;
	switch (reader->transform) {
	case TRANSFORM_SET_BITS:
		mask |= value;
		break;
	case TRANSFORM_AND_BITS:
		mask = ~value & max;
		value = 0;
		break;
	case TRANSFORM_OR_BITS:
		mask = value;
		break;
	case TRANSFORM_XOR_BITS:
		mask = 0;
		break;
	default:
		break;
	}
	out->masked.value = value;
	out->masked.mask = mask;
	return true;
}

void masked_print(struct strbuf *out, enum option_id option, const struct value *value)
{
	unsigned flags = option_rows[option].flags;
	int digits = flags & TWO_DIGITS ? 2 : 1;
	uint64_t all = flags & WIDTH_8 ? UINT8_MAX : UINT32_MAX;

	strbuf_addf(out, "0x%0*" PRIx64, digits, value->masked.value);
	if (flags & FULL_MASK || value->masked.mask != all)
		strbuf_addf(out, "/0x%0*" PRIx64, digits, value->masked.mask);
}

/* As libxt_statistic: a fraction from 0 to 1, kept in units of 2^-31. */
bool probability_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	char digits[64];
	char *end;
	double fraction;

	if (word->size == 0 || word->size >= sizeof digits)
		return false;
	for (size_t i = 0; i < word->size; i++)
		if (!isdigit((unsigned char)word->text[i]) && word->text[i] != '.')
			return false;
	memcpy(digits, word->text, word->size);
	digits[word->size] = '\0';
	fraction = strtod(digits, &end);
	if (*end || !(fraction >= 0 && fraction <= 1))
		return false;
	out->number = (uint64_t)(fraction * 0x80000000u + 0.5);
	return true;
}

void probability_print(struct strbuf *out, const struct value *value)
{
	strbuf_addf(out, "%.11f", (double)value->number / 0x80000000u);
}
