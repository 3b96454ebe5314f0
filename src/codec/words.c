#include "words.h"

#include <string.h>
#include <strings.h>

bool word_equal(const char *text, size_t size, const char *other)
{
	return strlen(other) == size && memcmp(text, other, size) == 0;
}

bool word_equal_nocase(const char *text, size_t size, const char *other)
{
	return strlen(other) == size && strncasecmp(text, other, size) == 0;
}

bool number_read(const char *text, size_t size, uint64_t max, uint64_t *out)
{
	unsigned base = 10, digit;
	uint64_t value = 0;
	size_t i = 0;

	if (size > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		i = 2;
	} else if (size > 1 && text[0] == '0') {
		base = 8;
		i = 1;
	}
	if (i == size)
		return false;
	for (; i < size; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			digit = (unsigned)(c - 'A') + 10;
		else
			return false;
		if (digit >= base || value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	*out = value;
	return value <= max;
}
