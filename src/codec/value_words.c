/* Words and free text. */
#include "value.h"
#include "words.h"

#include <inttypes.h>

static const char *copy_word(struct value_reader *reader, const struct ipsave_word *word)
{
	return arena_strndup(reader->arena, word->text, word->size);
}

bool word_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	unsigned flags = option_rows[reader->option].flags;
	const char *name;
	uint64_t number;

	if (flags & INTERFACE && (word->size == 0 || word->size > 15))
		return false;
	if (flags & ZONE && !word_equal(word->text, word->size, "mark")) {
		if (!number_read(word->text, word->size, UINT16_MAX, &number))
			return false;
		out->text = arena_printf(reader->arena, "%" PRIu64, number);
		return true;
	}
	if (reader->option == OPTION_T_REJECT_WITH) {
		name = reject_name(reader->family, word->text, word->size);
		if (!name)
			return false;
		out->text = name;
		return true;
	}
	if (word->size == 0)
		return false;
	out->text = copy_word(reader, word);
	return true;
}

bool words_read(struct value_reader *reader, struct value *out)
{
	const char **items = arena_alloc(reader->arena, 2 * sizeof *items);

	for (int i = 0; i < 2; i++) {
		if (reader->words[i].size == 0)
			return false;
		items[i] = copy_word(reader, &reader->words[i]);
	}
	out->words.items.data = items;
	out->words.items.len = out->words.items.cap = 2;
	return true;
}

/* The kernel keeps that many bytes, and iptables cuts the rest off without a word. */
static size_t string_max(enum option_id option)
{
	return option == OPTION_COMMENT_COMMENT ? 255 : option == OPTION_T_LOG_PREFIX ? 29 :
	       option == OPTION_T_NFLOG_PREFIX ? 63 : option == OPTION_HELPER_HELPER ? 29 : IPSAVE_WORD_MAX;
}

bool string_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	size_t max = string_max(reader->option);

	if ((reader->option == OPTION_T_LOG_PREFIX || reader->option == OPTION_T_NFLOG_PREFIX) && word->size == 0) {
		reader->reason = "a log prefix may not be empty";
		return false;
	}
	out->text = arena_strndup(reader->arena, word->text, word->size > max ? max : word->size);
	return true;
}
