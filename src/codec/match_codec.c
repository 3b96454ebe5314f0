/*
 * Rules from words, as iptables-restore's own getopt_long() reads them: options of the matches loaded so far,
 * the last one first; names of long options may be cut short; "-p tcp --dport 1" loads the match by itself.
 */
#include "match_cache.h"
#include "module_normalise.h"
#include "value.h"
#include "words.h"

#include <peerwall/bug.h>

#include <string.h>

/* A match while its words are being read; its options are those of `decoding` with its number. */
struct open_match {
	enum module_id module;
	const struct ipsave_word *opaque; /* MODULE_OPAQUE: its name, and the words behind it */
	size_t opaque_count;
	bool cached; /* it was decoded before: */
	struct match known; /* a copy, since the cache may give its place away while the rule is still read */
	size_t name;  /* the word that is its name; 0 if it came unannounced */
	size_t taken; /* how many words it has taken, with its name ... */
	size_t end;   /* ... and the one behind the last of them */
	bool inexact; /* some of its options were cut short, so what they are depends on other matches */
};

struct decoding {
	struct rule *rule;
	struct decoder *decoder;
	struct arena *arena;
	enum family family;
	const struct table *table;
	const struct ipsave_word *words;
	size_t count;
	size_t at;
	bool negated;      /* a "!" waits for its option */
	struct decode_note *note;
	enum decode_result result;
	struct open_match matches[IPSAVE_WORDS_MAX + 1];
	size_t match_count;
	struct open_match target;
	bool has_target;
	bool has_implicit; /* the protocol's own match was loaded for an option */
	bool has_source, has_destination;
	size_t option_count;
	struct option options[IPSAVE_WORDS_MAX];
	uint16_t owners[IPSAVE_WORDS_MAX]; /* the number of the match, or TARGET_OWNER */
};
#define TARGET_OWNER UINT16_MAX

static bool refuse(struct decoding *decoding, size_t word, const char *reason)
{
	decoding->result = DECODE_REFUSED;
	decoding->note->word = word;
	decoding->note->reason = reason;
	return false;
}

static bool ambiguous(struct decoding *decoding, size_t word, const char *reason)
{
	refuse(decoding, word, reason);
	decoding->result = DECODE_AMBIGUOUS;
	return false;
}

static bool word_is(const struct ipsave_word *word, const char *text)
{
	return word_equal(word->text, word->size, text);
}

/* The word behind an option, which getopt takes whatever it looks like. */
static const struct ipsave_word *take_argument(struct decoding *decoding)
{
	if (decoding->at == decoding->count) {
		refuse(decoding, decoding->at - 1, "this option needs a word behind it");
		return NULL;
	}
	return &decoding->words[decoding->at++];
}

static bool take_negation(struct decoding *decoding)
{
	bool negated = decoding->negated;

	decoding->negated = false;
	return negated;
}

/* ---- the rule's own options ---- */

static bool decode_network(struct decoding *decoding, struct network_match *out, struct address_list *more,
			   bool *given)
{
	size_t here = decoding->at - 1;
	bool negated = take_negation(decoding);
	const struct ipsave_word *word = take_argument(decoding);
	const char *item, *end;

	if (!word)
		return false;
	if (*given)
		return refuse(decoding, here, "this option may be given once only");
	*given = true;
	item = word->text;
	end = word->text + word->size;
	for (bool first = true;; first = false) {
		const char *comma = memchr(item, ',', (size_t)(end - item));
		struct network_match network = {.present = true, .negated = negated};

		if (!network_read(decoding->family, item, (size_t)((comma ? comma : end) - item), &network.addr,
				  &network.mask))
			return refuse(decoding, decoding->at - 1,
				      decoding->family == FAMILY_IPV4 ? "this is no IPv4 address" : "this is no IPv6 address");
		if ((comma || !first) && negated)
			return refuse(decoding, here, "a list of addresses cannot be negated");
		if (mask_is_zero(&network.mask)) {
			if (negated)
				return ambiguous(decoding, here, "one backend refuses the negation of all addresses");
			network.present = false;
		}
		if (first)
			*out = network;
		else
			vec_push(decoding->arena, &more->items, network);
		if (!comma)
			return true;
		item = comma + 1;
	}
}

static bool decode_interface(struct decoding *decoding, struct interface_match *out)
{
	enum { NAME_MAX_BYTES = 15 };
	size_t here = decoding->at - 1;
	bool negated = take_negation(decoding);
	const struct ipsave_word *word = take_argument(decoding);

	if (!word)
		return false;
	if (out->name)
		return refuse(decoding, here, "this option may be given once only");
	if (word->size == 0 || word->size > NAME_MAX_BYTES)
		return refuse(decoding, decoding->at - 1, "an interface has a name of 1 to 15 bytes");
	if (word_is(word, "+")) {
		if (negated)
			return ambiguous(decoding, here, "one backend takes the negation of all interfaces for all");
		return true;
	}
	out->name = arena_strndup(decoding->arena, word->text, word->size);
	out->negated = negated;
	return true;
}

static bool decode_protocol(struct decoding *decoding, struct protocol_match *out)
{
	size_t here = decoding->at - 1;
	bool negated = take_negation(decoding);
	const struct ipsave_word *word = take_argument(decoding);
	uint8_t number;

	if (!word)
		return false;
	if (out->present)
		return refuse(decoding, here, "this option may be given once only");
	if (!protocol_number(word->text, word->size, &number))
		return refuse(decoding, decoding->at - 1, "there is no such protocol");
	if (number == 0 && negated)
		return refuse(decoding, here, "the negation of all protocols matches nothing");
	out->present = number != 0;
	out->negated = negated;
	out->number = number;
	return true;
}

static bool decode_fragment(struct decoding *decoding)
{
	bool negated = take_negation(decoding);

	if (decoding->family == FAMILY_IPV6)
		return refuse(decoding, decoding->at - 1, "IPv6 has no such option");
	decoding->rule->fragment = negated ? FRAGMENT_NO : FRAGMENT_YES;
	return true;
}

/* "-c 5 100" or "-c 5,100" */
static bool decode_counters(struct decoding *decoding)
{
	const struct ipsave_word *packets = take_argument(decoding), *bytes;
	const char *comma = packets ? memchr(packets->text, ',', packets->size) : NULL;
	struct counters *counters = &decoding->rule->counters;
	const char *second;
	size_t first_size, second_size;

	if (!packets)
		return false;
	bytes = comma ? packets : take_argument(decoding);
	if (!bytes)
		return false;
	first_size = comma ? (size_t)(comma - packets->text) : packets->size;
	second = comma ? comma + 1 : bytes->text;
	second_size = (size_t)(bytes->text + bytes->size - second);
	if (!number_read(packets->text, first_size, UINT64_MAX, &counters->packets) ||
	    !number_read(second, second_size, UINT64_MAX, &counters->bytes))
		return refuse(decoding, decoding->at - 1, "a counter is a number");
	decoding->rule->has_counters = true;
	return true;
}

/* ---- matches and targets ---- */

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
			return refuse(decoding, decoding->at, "behind an extension that is not known here, this may be its own");
		decoding->at++;
		match->opaque_count++;
	}
	decoding->result = DECODE_UNKNOWN;
	decoding->note->word = (size_t)(match->opaque - decoding->words) - 1;
	return true;
}

/* The words from the name of an extension on, as written. */
static const char *raw_text(const struct decoding *decoding, size_t from, size_t to, uint32_t *size)
{
	const struct source *source = decoding->decoder->source;

	*size = decoding->words[to - 1].span.hi - decoding->words[from].span.lo;
	return source->text + (decoding->words[from].span.lo - source->start);
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
	text = raw_text(decoding, match->name, end, &size);
	known = match_cache_find(decoding->decoder->cache, text, size, target);
	if (!known)
		return false;
	match->cached = true;
	match->known = *known;
	decoding->at = end;
	return true;
}

static bool decode_match(struct decoding *decoding)
{
	const struct ipsave_word *word;
	struct open_match *match;

	if (take_negation(decoding))
		return refuse(decoding, decoding->at - 1, "a match cannot be negated as a whole");
	word = take_argument(decoding);
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

static bool decode_target(struct decoding *decoding, bool jump)
{
	static const struct {
		const char *name;
		enum target_kind kind;
	} verdicts[] = {{"ACCEPT", TARGET_ACCEPT}, {"DROP", TARGET_DROP}, {"RETURN", TARGET_RETURN}};
	struct target *target = &decoding->rule->target;
	size_t here = decoding->at - 1;
	const struct ipsave_word *word;

	if (take_negation(decoding))
		return refuse(decoding, here, "a target cannot be negated");
	word = take_argument(decoding);
	if (!word)
		return false;
	if (decoding->has_target)
		return refuse(decoding, here, "a rule has one target");
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
		return refuse(decoding, decoding->at - 1, "there is no such chain");
	}
	target->kind = TARGET_EXTENSION;
	decoding->target.module = module_find(word->text, word->size, true, decoding->family);
	if (decoding->target.module != MODULE_OPAQUE) {
		take_cached(decoding, &decoding->target, true);
		return true;
	}
	return take_opaque_words(decoding, &decoding->target, true);
}

/* The match of the protocol, which iptables loads when one of its options comes unannounced. */
static enum module_id implicit_module(const struct decoding *decoding)
{
	const struct protocol_match *protocol = &decoding->rule->protocol;
	enum module_id module;

	if (!protocol->present)
		return MODULE_OPAQUE;
	switch (protocol->number) {
	case 1:
		module = MODULE_ICMP;
		break;
	case 6:
		module = MODULE_TCP;
		break;
	case 17:
		module = MODULE_UDP;
		break;
	case 33:
		module = MODULE_DCCP;
		break;
	case 50:
		module = MODULE_ESP;
		break;
	case 51:
		module = MODULE_AH;
		break;
	case 58:
		module = MODULE_ICMP6;
		break;
	case 132:
		module = MODULE_SCTP;
		break;
	default:
		return MODULE_OPAQUE;
	}
	return module_find(module_row(module).name, module_row(module).name_size, false, decoding->family);
}

struct found_option {
	enum option_lookup lookup;
	enum option_id id;
	enum alias_transform transform;
	uint16_t owner;
};

static void look_in(const struct decoding *decoding, enum module_id module, uint16_t owner,
		    const struct ipsave_word *word, struct found_option *best)
{
	struct found_option found = {.owner = owner};

	if (module == MODULE_OPAQUE || best->lookup == LOOKUP_EXACT)
		return;
	found.lookup = option_find(module, decoding->family, word->text, word->size, &found.id, &found.transform);
	if (found.lookup == LOOKUP_EXACT || best->lookup == LOOKUP_NONE)
		*best = found;
	else if (found.lookup != LOOKUP_NONE)
		best->lookup = LOOKUP_AMBIGUOUS;
}

static bool read_option(struct decoding *decoding, const struct found_option *found, size_t here)
{
	const struct option_row *row = &option_rows[found->id];
	unsigned arity = option_arity(found->id, found->transform);
	struct option *option = &decoding->options[decoding->option_count];
	struct open_match *match;
	struct value_reader reader = {
		.decoder = decoding->decoder,
		.arena = decoding->arena,
		.family = decoding->family,
		.words = &decoding->words[decoding->at],
		.option = found->id,
		.transform = found->transform,
	};

	memset(option, 0, sizeof *option);
	option->id = found->id;
	option->negated = take_negation(decoding);
	if (option->negated && !(row->flags & INVERT))
		return refuse(decoding, here, "this option cannot be negated");
	for (size_t i = 0; i < decoding->option_count && !(row->flags & REPEATED); i++)
		if (decoding->options[i].id == found->id && decoding->owners[i] == found->owner)
			return refuse(decoding, here, "this option may be given once only");
	if (decoding->count - decoding->at < arity)
		return refuse(decoding, here, "this option needs more words behind it");
	if (!value_read(&reader, &option->value))
		return refuse(decoding, arity > 0 ? decoding->at : here,
			      reader.reason ? reader.reason : "this is no value of its option");
	decoding->at += arity;
	decoding->owners[decoding->option_count++] = found->owner;
	match = found->owner == TARGET_OWNER ? &decoding->target : &decoding->matches[found->owner];
	match->taken += 1 + arity + option->negated;
	match->end = decoding->at;
	match->inexact |= found->lookup != LOOKUP_EXACT;
	return true;
}

/* `own` tells that the word may also be short for one of the rule's own options. */
static bool decode_long_option(struct decoding *decoding, const struct ipsave_word *word, bool own, bool *known)
{
	struct found_option best = {.lookup = LOOKUP_NONE};
	enum module_id implicit;
	size_t here = decoding->at - 1;

	if (decoding->has_target && decoding->rule->target.kind == TARGET_EXTENSION)
		look_in(decoding, decoding->target.module, TARGET_OWNER, word, &best);
	for (size_t i = decoding->match_count; i-- > 0;)
		look_in(decoding, decoding->matches[i].module, (uint16_t)i, word, &best);
	*known = best.lookup != LOOKUP_NONE;
	if (best.lookup == LOOKUP_AMBIGUOUS || (own && best.lookup == LOOKUP_PREFIX))
		return refuse(decoding, here, "this may be short for several options");
	if (best.lookup == LOOKUP_NONE) {
		implicit = implicit_module(decoding);
		if (own || implicit == MODULE_OPAQUE || decoding->has_implicit)
			return true;
		look_in(decoding, implicit, (uint16_t)decoding->match_count, word, &best);
		if (best.lookup != LOOKUP_EXACT && best.lookup != LOOKUP_PREFIX)
			return true;
		*known = true;
		decoding->has_implicit = true;
		decoding->matches[decoding->match_count++] = (struct open_match){.module = implicit};
	}
	return read_option(decoding, &best, here);
}

/* ---- the words of a rule ---- */

enum own_option { OWN_NONE, OWN_SOURCE, OWN_DESTINATION, OWN_IN, OWN_OUT, OWN_PROTOCOL, OWN_FRAGMENT, OWN_MATCH,
		  OWN_JUMP, OWN_GOTO, OWN_COUNTERS, OWN_IPV4, OWN_IPV6, OWN_AMBIGUOUS };

static enum own_option own_short_option(char letter)
{
	switch (letter) {
	case 's': return OWN_SOURCE;
	case 'd': return OWN_DESTINATION;
	case 'i': return OWN_IN;
	case 'o': return OWN_OUT;
	case 'p': return OWN_PROTOCOL;
	case 'f': return OWN_FRAGMENT;
	case 'm': return OWN_MATCH;
	case 'j': return OWN_JUMP;
	case 'g': return OWN_GOTO;
	case 'c': return OWN_COUNTERS;
	case '4': return OWN_IPV4;
	case '6': return OWN_IPV6;
	default: return OWN_NONE;
	}
}

static const struct own_name {
	const char *name;
	uint32_t size;
	enum own_option option;
} own_names[] = {
#define OWN(name, option) {name, sizeof(name) - 1, option}
	OWN("--source", OWN_SOURCE), OWN("--src", OWN_SOURCE), OWN("--destination", OWN_DESTINATION),
	OWN("--dst", OWN_DESTINATION), OWN("--in-interface", OWN_IN), OWN("--out-interface", OWN_OUT),
	OWN("--protocol", OWN_PROTOCOL), OWN("--fragments", OWN_FRAGMENT), OWN("--match", OWN_MATCH),
	OWN("--jump", OWN_JUMP), OWN("--goto", OWN_GOTO), OWN("--set-counters", OWN_COUNTERS),
	OWN("--ipv4", OWN_IPV4), OWN("--ipv6", OWN_IPV6),
#undef OWN
};
#define OWN_NAME_COUNT (sizeof own_names / sizeof *own_names)

static enum own_option own_exact(const struct ipsave_word *word)
{
	for (size_t i = 0; i < OWN_NAME_COUNT; i++)
		if (own_names[i].size == word->size && memcmp(own_names[i].name, word->text, word->size) == 0)
			return own_names[i].option;
	return OWN_NONE;
}

/* The only one that begins so. */
static enum own_option own_prefix(const struct ipsave_word *word)
{
	enum own_option found = OWN_NONE;

	for (size_t i = 0; i < OWN_NAME_COUNT; i++)
		if (own_names[i].size > word->size && memcmp(own_names[i].name, word->text, word->size) == 0)
			found = found == OWN_NONE || found == own_names[i].option ? own_names[i].option : OWN_AMBIGUOUS;
	return found;
}

static bool decode_own(struct decoding *decoding, enum own_option option)
{
	struct rule *rule = decoding->rule;

	switch (option) {
	case OWN_SOURCE:
		return decode_network(decoding, &rule->source, &decoding->note->more_sources, &decoding->has_source);
	case OWN_DESTINATION:
		return decode_network(decoding, &rule->destination, &decoding->note->more_destinations,
				      &decoding->has_destination);
	case OWN_IN:
		return decode_interface(decoding, &rule->in);
	case OWN_OUT:
		return decode_interface(decoding, &rule->out);
	case OWN_PROTOCOL:
		return decode_protocol(decoding, &rule->protocol);
	case OWN_FRAGMENT:
		return decode_fragment(decoding);
	case OWN_MATCH:
		return decode_match(decoding);
	case OWN_JUMP:
	case OWN_GOTO:
		return decode_target(decoding, option == OWN_JUMP);
	case OWN_COUNTERS:
		return decode_counters(decoding);
	case OWN_IPV4:
	case OWN_IPV6:
		if ((option == OWN_IPV4) != (decoding->family == FAMILY_IPV4)) {
			decoding->result = DECODE_OTHER_FAMILY;
			return false;
		}
		return true;
	default:
		return refuse(decoding, decoding->at - 1, "iptables-restore does not know this option");
	}
}

static bool decode_word(struct decoding *decoding)
{
	const struct ipsave_word *word = &decoding->words[decoding->at++];
	size_t here = decoding->at - 1;
	enum own_option own;
	bool known = false;

	if (word_is(word, "!")) {
		if (decoding->negated)
			return refuse(decoding, here, "there is a second \"!\"");
		decoding->negated = true;
		return true;
	}
	if (word->size == 2 && word->text[0] == '-' && word->text[1] != '-')
		return decode_own(decoding, own_short_option(word->text[1]));
	if (word->size < 3 || word->text[0] != '-')
		return refuse(decoding, here, "iptables-restore takes no such word here");
	/* "-ptcp" and the like are legal for getopt and never printed. */
	if (word->text[1] != '-')
		return refuse(decoding, here, "an option and its value in one word are not understood here");
	own = own_exact(word);
	if (own != OWN_NONE)
		return decode_own(decoding, own);
	own = own_prefix(word);
	if (!decode_long_option(decoding, word, own != OWN_NONE, &known))
		return false;
	if (known)
		return true;
	return own == OWN_AMBIGUOUS ? refuse(decoding, here, "this may be short for several options")
				    : decode_own(decoding, own);
}

/* ---- what was read becomes the rule ---- */

static void keep_opaque(struct decoding *decoding, const struct open_match *open, struct match *out)
{
	const char **items = open->opaque_count == 0 ? NULL
		: arena_alloc(decoding->arena, open->opaque_count * sizeof *items);
	const struct ipsave_word *name = open->opaque - 1;

	out->opaque_name = arena_strndup(decoding->arena, name->text, name->size);
	for (size_t i = 0; i < open->opaque_count; i++)
		items[i] = arena_strndup(decoding->arena, open->opaque[i].text, open->opaque[i].size);
	out->opaque_words.items.data = items;
	out->opaque_words.items.len = out->opaque_words.items.cap = open->opaque_count;
}

static bool close_match(struct decoding *decoding, const struct open_match *open, uint16_t owner, struct match *out)
{
	struct option buffer[MATCH_OPTIONS_MAX];
	struct match_options options = {buffer, 0};
	const char *reason;

	if (open->cached) {
		*out = open->known;
		return true;
	}
	*out = (struct match){.module = open->module};
	if (open->module == MODULE_OPAQUE) {
		keep_opaque(decoding, open, out);
		return true;
	}
	for (size_t i = 0; i < decoding->option_count; i++)
		if (decoding->owners[i] == owner)
			buffer[options.len++] = decoding->options[i];
	reason = module_normalise(open->module, decoding->family, decoding->arena, &options);
	if (reason == reason_full_range)
		return ambiguous(decoding, 0, reason);
	if (reason)
		return refuse(decoding, 0, reason);
	if (options.len > 0) {
		out->options.data = arena_alloc(decoding->arena, options.len * sizeof *buffer);
		memcpy(out->options.data, buffer, options.len * sizeof *buffer);
		out->options.len = out->options.cap = options.len;
	}
	if (decoding->decoder->cache && open->name > 0 && !open->inexact && open->taken == open->end - open->name) {
		uint32_t size;
		const char *text = raw_text(decoding, open->name, open->end, &size);

		match_cache_put(decoding->decoder->cache, text, size, owner == TARGET_OWNER, out);
	}
	return true;
}

static bool has_ports(const struct match *target)
{
	vec_each(option, &target->options)
		if (option->value.kind == VALUE_PORT_RANGE || (option->value.kind == VALUE_NAT && option->value.nat.has_port))
			return true;
	return false;
}

static bool resets_tcp(const struct match *target)
{
	return target->module == MODULE_T_REJECT && target->options.len > 0 &&
	       strcmp(target->options.data[0].value.text, "tcp-reset") == 0;
}

/* What iptables and the kernel check at the end: what is for one protocol's packets needs that protocol. */
static bool check_protocols(struct decoding *decoding)
{
	static const struct {
		enum module_id module;
		uint8_t number;
	} needs[] = {
		{MODULE_TCP, 6}, {MODULE_UDP, 17}, {MODULE_ICMP, 1}, {MODULE_ICMP6, 58}, {MODULE_SCTP, 132},
		{MODULE_DCCP, 33}, {MODULE_ESP, 50}, {MODULE_TCPMSS, 6}, {MODULE_AH, 51},
	};
	const struct protocol_match *protocol = &decoding->rule->protocol;
	const struct match *target = &decoding->rule->target.extension;
	unsigned number = protocol->present && !protocol->negated ? protocol->number : 0;
	bool transport = number == 6 || number == 17 || number == 33 || number == 132 || number == 136;

	for (size_t i = 0; i < decoding->match_count; i++) {
		enum module_id module = decoding->matches[i].module;

		if (module == MODULE_AH && decoding->family == FAMILY_IPV6)
			continue; /* there it is a header of its own among others */
		for (size_t k = 0; k < sizeof needs / sizeof *needs; k++)
			if (module == needs[k].module && number != needs[k].number)
				return refuse(decoding, 0, "a match needs its protocol by -p");
		if (module == MODULE_MULTIPORT && !transport)
			return refuse(decoding, 0, "ports need a protocol that has them, by -p");
	}
	if (decoding->rule->target.kind != TARGET_EXTENSION)
		return true;
	if (has_ports(target) && !transport)
		return refuse(decoding, 0, "ports need a protocol that has them, by -p");
	if (resets_tcp(target) && number != 6)
		return refuse(decoding, 0, "tcp-reset needs -p tcp");
	if (target->module == MODULE_T_TPROXY && number != 6 && number != 17)
		return refuse(decoding, 0, "TPROXY needs -p tcp or -p udp");
	return true;
}

static bool close_rule(struct decoding *decoding)
{
	struct rule *rule = decoding->rule;

	if (decoding->negated)
		return refuse(decoding, decoding->count - 1, "nothing stands behind the \"!\"");
	if (decoding->match_count > 0) {
		rule->matches.data = arena_alloc(decoding->arena, decoding->match_count * sizeof *rule->matches.data);
		rule->matches.len = rule->matches.cap = decoding->match_count;
	}
	for (size_t i = 0; i < decoding->match_count; i++)
		if (!close_match(decoding, &decoding->matches[i], (uint16_t)i, &rule->matches.data[i]))
			return false;
	if (rule->target.kind == TARGET_EXTENSION &&
	    !close_match(decoding, &decoding->target, TARGET_OWNER, &rule->target.extension))
		return false;
	return check_protocols(decoding);
}

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
	if (close_rule(&decoding))
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
