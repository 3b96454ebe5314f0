/* The words of nft's output. */
#include <peerwall/nft_trace.h>

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct nft_word nft_word_next(const char **text, const char *end)
{
	const char *at = *text, *start;

	while (at < end && is_blank(*at))
		at++;
	start = at;
	if (at < end && *at == '"') {
		const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));

		at = close ? close + 1 : end;
	}
	while (at < end && !is_blank(*at))
		at++;
	*text = at;
	return (struct nft_word){start, (size_t)(at - start)};
}

bool nft_word_item(struct nft_word *list, struct nft_word *item)
{
	const char *end = list->text + list->size, *comma;

	if (list->size == 0)
		return false;
	comma = memchr(list->text, ',', list->size);
	*item = (struct nft_word){list->text, (size_t)((comma ? comma : end) - list->text)};
	list->text = comma ? comma + 1 : end;
	list->size = (size_t)(end - list->text);
	return true;
}

bool nft_word_is(struct nft_word word, const char *text)
{
	return word.size == strlen(text) && memcmp(word.text, text, word.size) == 0;
}

const char *nft_word_keep(struct nft_word word, struct arena *arena)
{
	if (word.size >= 2 && word.text[0] == '"' && word.text[word.size - 1] == '"')
		return arena_strndup(arena, word.text + 1, word.size - 2);
	return arena_strndup(arena, word.text, word.size);
}

bool nft_word_number(struct nft_word word, uint64_t most, uint64_t *out)
{
	bool hex = word.size > 2 && word.text[0] == '0' && word.text[1] == 'x';
	const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
	char copy[24];
	char *end;

	if (word.size == 0 || word.size >= sizeof copy)
		return false;
	memcpy(copy, word.text, word.size);
	copy[word.size] = '\0';
	if (strspn(copy + (hex ? 2 : 0), digits) != word.size - (hex ? 2 : 0) || word.size > 18)
		return false;
	*out = strtoull(copy, &end, hex ? 16 : 10);
	return *out <= most;
}
