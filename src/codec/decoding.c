#include "decoding.h"
#include "words.h"

bool decode_refuse(struct decoding *decoding, size_t word, const char *reason)
{
	decoding->result = DECODE_REFUSED;
	decoding->note->word = word;
	decoding->note->reason = reason;
	return false;
}

bool decode_ambiguous(struct decoding *decoding, size_t word, const char *reason)
{
	decode_refuse(decoding, word, reason);
	decoding->result = DECODE_AMBIGUOUS;
	return false;
}

bool word_is(const struct ipsave_word *word, const char *text)
{
	return word_equal(word->text, word->size, text);
}

const struct ipsave_word *decode_argument(struct decoding *decoding)
{
	if (decoding->at == decoding->count) {
		decode_refuse(decoding, decoding->at - 1, "this option needs a word behind it");
		return NULL;
	}
	return &decoding->words[decoding->at++];
}

bool decode_negation(struct decoding *decoding)
{
	bool negated = decoding->negated;

	decoding->negated = false;
	return negated;
}

const char *decode_raw_text(const struct decoding *decoding, size_t from, size_t to, uint32_t *size)
{
	const struct source *source = decoding->decoder->source;

	*size = decoding->words[to - 1].span.hi - decoding->words[from].span.lo;
	return source->text + (decoding->words[from].span.lo - source->start);
}
