/* Words written so that iptables-restore's reader gives them back. */
#include "quoting.h"

#include <peerwall/match_codec.h>

#include <string.h>

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static void print_quoted(struct strbuf *out, const char *text)
{
	strbuf_addc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\' || *text == '\'')
			strbuf_addc(out, '\\');
		strbuf_addc(out, *text);
	}
	strbuf_addc(out, '"');
}

void string_print(struct strbuf *out, const char *text)
{
	const char *c = text;

	while (is_plain((unsigned char)*c))
		c++;
	if (*text && !*c)
		strbuf_add(out, text, (size_t)(c - text));
	else
		print_quoted(out, text);
}

void string_print_quoted(struct strbuf *out, const char *text)
{
	strbuf_addc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, *text);
	}
	strbuf_addc(out, '"');
}

/*
 * Bare as long as the reader takes it for one word: it splits at blanks, and a quote opens anywhere.
 * A leading "#", ":", "*" or "[" means something only at the start of a line, where no word of ours stands.
 */
bool word_encode(struct strbuf *out, const char *word)
{
	size_t size = strlen(word);

	if (size > IPSAVE_WORD_MAX || strpbrk(word, "\n"))
		return false;
	if (size > 0 && !strpbrk(word, " \t\r\""))
		strbuf_add(out, word, size);
	else
		print_quoted(out, word);
	return true;
}
