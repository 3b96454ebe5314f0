/* Dates and times of day. */
#include "value.h"
#include "words.h"

#include <string.h>

/* YYYY[-MM[-DD[Thh[:mm[:ss]]]]], from 1970 until a signed 32-bit time_t ends. */
bool date_read(struct value_reader *reader, struct value *out)
{
	static const char separators[] = "--T::";
	static const unsigned widths[6] = {4, 2, 2, 2, 2, 2}, least[6] = {1970, 1, 1, 0, 0, 0};
	static const unsigned most[6] = {2038, 12, 31, 23, 59, 59}, days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const char *text = reader->words[0].text, *end = text + reader->words[0].size;
	unsigned fields[6] = {1970, 1, 1, 0, 0, 0};

	for (int i = 0; i < 6; i++) {
		unsigned digits = 0, value = 0;

		for (; text < end && *text >= '0' && *text <= '9' && digits < widths[i]; digits++)
			value = value * 10 + (unsigned)(*text++ - '0');
		if (digits == 0 || value < least[i] || value > most[i])
			return false;
		fields[i] = value;
		if (text == end)
			break;
		if (i == 5 || *text++ != separators[i])
			return false;
	}
	if (fields[2] > days[fields[1] - 1] || (fields[1] == 2 && fields[2] == 29 && fields[0] % 4 != 0))
		return false;
	out->text = arena_printf(reader->arena, "%04u-%02u-%02uT%02u:%02u:%02u", fields[0], fields[1], fields[2],
				 fields[3], fields[4], fields[5]);
	return strcmp(out->text, DATE_LAST) <= 0;
}

/* h:mm[:ss] */
bool daytime_read(struct value_reader *reader, struct value *out)
{
	static const unsigned limits[3] = {23, 59, 59};
	const struct ipsave_word *word = &reader->words[0];
	const char *part = word->text, *end = word->text + word->size;
	uint64_t fields[3] = {0, 0, 0};
	int count = 0;

	for (;;) {
		const char *colon = memchr(part, ':', (size_t)(end - part));
		size_t size = (size_t)((colon ? colon : end) - part);

		/* "08" is eight here, not a bad octal number. */
		while (size > 1 && part[0] == '0') {
			part++;
			size--;
		}
		if (count == 3 || !number_read(part, size, limits[count], &fields[count]))
			return false;
		count++;
		if (!colon)
			break;
		part = colon + 1;
	}
	if (count < 2)
		return false;
	out->number = fields[0] * 3600 + fields[1] * 60 + fields[2];
	return true;
}

void daytime_print(struct strbuf *out, const struct value *value)
{
	strbuf_addf(out, "%02u:%02u:%02u", (unsigned)(value->number / 3600), (unsigned)(value->number / 60 % 60),
		    (unsigned)(value->number % 60));
}
