/* Matches and targets by their names; those that are not known here, with all their words. */
#include "decoding.h"
#include "match_cache.h"
#include "module_table.h"

/* Words that begin another part of a rule, and so end what an unknown extension may take. */
static bool begins_part(const struct ipsave_word *word)
{
	static const char *const parts[] = {"-m", "--match", "-j", "--jump", "-g", "--goto"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (word_is(word, parts[i]))
			return true;
	return false;
}

/* Words that would be the rule's own if the unknown extension before them did not take them: nobody can say. */
static bool is_unsure(const struct ipsave_word *word)
{
	static const char *const own[] = {"-s", "-d", "-i", "-o", "-p", "-f", "-4", "-6", "-c"};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (word_is(word, own[i]))
			return true;
	return false;
}

static bool take_opaque_words(struct decoding *decoding, struct open_match *match, bool to_the_end)
{
	match->opaque = &decoding->words[decoding->at];
	match->opaque_count = 0;
	while (decoding->at < decoding->count && (to_the_end || !begins_part(&decoding->words[decoding->at]))) {
		if (is_unsure(&decoding->words[decoding->at]))
			return decode_refuse(decoding, decoding->at,
					     "behind an extension that is not known here, this may be its own");
		decoding->at++;
		match->opaque_count++;
	}
	decoding->result = DECODE_UNKNOWN;
	decoding->note->word = (size_t)(match->opaque - decoding->words) - 1;
	return true;
}

/* Up to the next part of the rule, all words as they stood behind the same name before? */
static bool take_cached(struct decoding *decoding, struct open_match *match, bool target)
{
	size_t end = decoding->at;
	const struct match *known;
	const char *text;
	uint32_t size;

	match->name = decoding->at - 1;
	match->taken = 1;
	match->end = decoding->at;
	if (!decoding->decoder->cache || (decoding->has_target && !target))
		return false;
	while (end < decoding->count && !begins_part(&decoding->words[end]))
		end++;
	text = decode_raw_text(decoding, match->name, end, &size);
	known = match_cache_find(decoding->decoder->cache, text, size, target);
	if (!known)
		return false;
	match->cached = true;
	match->known = *known;
	decoding->at = end;
	return true;
}

bool decode_match(struct decoding *decoding)
{
	const struct ipsave_word *word;
	struct open_match *match;

	if (decode_negation(decoding))
		return decode_refuse(decoding, decoding->at - 1, "a match cannot be negated as a whole");
	word = decode_argument(decoding);
	if (!word)
		return false;
	match = &decoding->matches[decoding->match_count++];
	*match = (struct open_match){.module = module_find(word->text, word->size, false, decoding->family)};
	if (match->module != MODULE_OPAQUE && take_cached(decoding, match, false))
		return true;
	return match->module != MODULE_OPAQUE || take_opaque_words(decoding, match, false);
}

static const char *interned_chain(const struct table *table, const struct ipsave_word *word)
{
	uint32_t number = intern_find(&table->names, word->text, word->size);

	return number == INTERN_NONE ? NULL : table->names.strings[number];
}

/* Targets are named in capitals and digits, all that there ever were; any other name is a chain's. */
static bool may_be_target(const struct ipsave_word *word)
{
	for (uint32_t i = 0; i < word->size; i++)
		if (!(word->text[i] >= 'A' && word->text[i] <= 'Z') && !(word->text[i] >= '0' && word->text[i] <= '9') &&
		    word->text[i] != '_')
			return false;
	return word->size > 0;
}

bool decode_target(struct decoding *decoding, bool jump)
{
	static const struct {
		const char *name;
		enum target_kind kind;
	} verdicts[] = {{"ACCEPT", TARGET_ACCEPT}, {"DROP", TARGET_DROP}, {"RETURN", TARGET_RETURN}};
	struct target *target = &decoding->rule->target;
	size_t here = decoding->at - 1;
	const struct ipsave_word *word;

	if (decode_negation(decoding))
		return decode_refuse(decoding, here, "a target cannot be negated");
	word = decode_argument(decoding);
	if (!word)
		return false;
	if (decoding->has_target)
		return decode_refuse(decoding, here, "a rule has one target");
	decoding->has_target = true;
	decoding->target = (struct open_match){0};
	for (size_t i = 0; jump && i < sizeof verdicts / sizeof *verdicts; i++)
		if (word_is(word, verdicts[i].name)) {
			target->kind = verdicts[i].kind;
			return true;
		}
	/* A chain goes before a target of the same name. */
	target->chain = interned_chain(decoding->table, word);
	if (target->chain) {
		target->kind = jump ? TARGET_JUMP : TARGET_GOTO;
		return true;
	}
	if (!jump || !may_be_target(word)) {
		decoding->note->undeclared = arena_strndup(decoding->arena, word->text, word->size);
		return decode_refuse(decoding, decoding->at - 1, "there is no such chain");
	}
	target->kind = TARGET_EXTENSION;
	decoding->target.module = module_find(word->text, word->size, true, decoding->family);
	if (decoding->target.module != MODULE_OPAQUE) {
		take_cached(decoding, &decoding->target, true);
		return true;
	}
	return take_opaque_words(decoding, &decoding->target, true);
}
