#include <peerwall/diag.h>

#include <string.h>

/* Longer words are nobody's slip of the finger. */
#define WORD_MAX 32

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * The fewest insertions, deletions, replacements and swaps of neighbours that turn one word into the other
 * (optimal string alignment). Both at most WORD_MAX bytes long; case does not count.
 */
static size_t edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t rows[3][WORD_MAX + 1];

	for (size_t j = 0; j <= b_size; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);

			row[j] = smaller(above[j - 1] + (x != y), smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
				row[j] = smaller(row[j], second[j - 2] + 1);
		}
	}
	return rows[a_size % 3][b_size];
}

const char *nearest_word(const char *word, size_t size, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	size_t limit = size < 3 ? 1 : size / 3, best = limit + 1;

	if (size == 0 || size > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(candidates[i]), distance;

		if (length > WORD_MAX || length + limit < size || size + limit < length)
			continue;
		distance = edit_distance(word, size, candidates[i], length);
		/* A word of one or two bytes is near to too much: half of it has to be right. */
		if (distance < best && distance < length && distance < size) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}
