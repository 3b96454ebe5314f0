/* Rules from words, and from a line of text. */
#include "decoding.h"

#include <peerwall/bug.h>

#include <string.h>

enum decode_result rule_decode_words(struct rule *out, struct decoder *decoder, const struct table *table,
				     const struct ipsave_word *words, size_t count, struct decode_note *note)
{
	struct counters counters = out->counters;
	bool has_counters = out->has_counters;
	struct decoding decoding;

	BUG_ON(count > IPSAVE_WORDS_MAX);
	memset(&decoding, 0, offsetof(struct decoding, matches));
	decoding.match_count = 0;
	decoding.has_target = decoding.has_implicit = decoding.has_source = decoding.has_destination = false;
	decoding.option_count = 0;
	decoding.rule = out;
	decoding.decoder = decoder;
	decoding.arena = decoder->ruleset->arena;
	decoding.family = decoder->ruleset->family;
	decoding.table = table;
	decoding.words = words;
	decoding.count = count;
	decoding.note = note;
	*note = (struct decode_note){0};
	while (decoding.at < count)
		if (!decode_word(&decoding))
			goto failed;
	if (decode_close(&decoding))
		return decoding.result;
failed:
	/* Nothing of a rule that was not understood may look as if it had been. */
	*out = (struct rule){.span = out->span, .text = out->text, .opaque = true, .has_counters = has_counters,
			     .counters = counters};
	return decoding.result;
}

/* One line of words, split by the reader of whole texts. */
struct one_rule {
	struct rule *out;
	struct decoder decoder;
	const struct table *table;
	enum decode_result result;
	bool read;
};

static void decode_line(void *context, const struct ipsave_line *line)
{
	struct one_rule *one = context;
	struct decode_note note;

	/* The words stand behind "-A X". */
	one->read = line->kind == IPSAVE_RULE && line->count >= 2;
	if (!one->read)
		return;
	one->result = rule_decode_words(one->out, &one->decoder, one->table, line->words + 2, line->count - 2, &note);
	if (note.more_sources.items.len + note.more_destinations.items.len > 0)
		one->result = DECODE_REFUSED;
}

enum decode_result rule_decode(struct rule *out, struct ruleset *ruleset, const struct table *table, const char *text)
{
	struct arena scratch = ARENA_EMPTY;
	struct ipsave_summary summary;
	struct one_rule one = {.out = out, .decoder = {.ruleset = ruleset}, .table = table, .result = DECODE_REFUSED};
	struct strbuf encoded = STRBUF_EMPTY;
	struct sources sources;
	struct diags diags;
	char *line;

	sources_init(&sources, &scratch);
	diags_init(&diags, &scratch);
	line = arena_printf(&scratch, "-A X %s", text);
	*out = (struct rule){0};
	if (strchr(text, '\n') || !ipsave_parse(sources_add(&sources, "", line, strlen(line)), decode_line, &one, &diags, &summary) ||
	    !one.read)
		one.result = DECODE_REFUSED;
	if (one.result != DECODE_DONE && one.result != DECODE_UNKNOWN)
		*out = (struct rule){.opaque = true};
	out->text = arena_strdup(ruleset->arena, text);
	if (!out->opaque) {
		rule_encode(&encoded, ruleset->family, out);
		out->canonical = strcmp(strbuf_str(&encoded), text) == 0;
	}
	strbuf_free(&encoded);
	arena_free(&scratch);
	return one.result;
}
