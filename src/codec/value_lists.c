/* Names out of the list that an option has in its row: one of them, or a set as bits. */
#include "value.h"
#include "words.h"

#include <string.h>
#include <strings.h>

/* The number of a name in the comma-separated list of an option, or -1. */
static int find_name(const char *names, const char *text, size_t size)
{
	int number = 0;

	for (;; number++) {
		size_t length = strcspn(names, ",");

		if (length == size && strncasecmp(names, text, size) == 0)
			return number;
		if (!names[length])
			return -1;
		names += length + 1;
	}
}

void name_print(struct strbuf *out, const char *names, unsigned number)
{
	for (; number > 0; number--)
		names += strcspn(names, ",") + 1;
	strbuf_add(out, names, strcspn(names, ","));
}

/* "Mo" to "Monday" for weekdays, and 1 to 7. */
static int find_weekday(const char *names, const char *text, size_t size)
{
	if (size == 1 && text[0] >= '1' && text[0] <= '7')
		return text[0] - '1';
	for (int i = 0; size >= 2 && i < 7; i++)
		if (strncasecmp(names + 4 * i, text, size < 3 ? size : 3) == 0)
			return i;
	return -1;
}

bool bits_read(struct value_reader *reader, struct value *out)
{
	const struct option_row *row = &option_rows[reader->option];
	const struct ipsave_word *word = &reader->words[0];
	const char *item = word->text, *end = word->text + word->size;

	out->bits = 0;
	for (;;) {
		const char *comma = memchr(item, ',', (size_t)(end - item));
		size_t size = (size_t)((comma ? comma : end) - item);
		int number = reader->option == OPTION_TIME_WEEKDAYS ? find_weekday(row->names, item, size)
								    : find_name(row->names, item, size);

		if (number >= 0)
			out->bits |= (uint64_t)1 << number;
		else if (!(row->flags & NONE_WORD && word_equal_nocase(item, size, "NONE")))
			return false;
		if (!comma)
			return true;
		item = comma + 1;
	}
}

void bits_print(struct strbuf *out, enum option_id option, const struct value *value)
{
	const struct option_row *row = &option_rows[option];
	bool first = true;

	if (row->flags & NONE_WORD && value->bits == 0)
		strbuf_adds(out, "NONE");
	for (unsigned i = 0; i < 64; i++)
		if (value->bits >> i & 1) {
			if (!first)
				strbuf_addc(out, ',');
			name_print(out, row->names, i);
			first = false;
		}
}

bool enum_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	int number = find_name(option_rows[reader->option].names, word->text, word->size);

	if (number < 0 && reader->option == OPTION_PKTTYPE_TYPE && word_equal_nocase(word->text, word->size, "host"))
		number = 0;
	if (number < 0)
		return false;
	out->number = (uint64_t)number;
	return true;
}
