/* What a rule in nft's words shows. Words that are not known here make it vague, never wrong. */
#include <peerwall/nft_rule.h>

#include <peerwall/match_codec.h>
#include <peerwall/nft_trace.h>

#include <string.h>

struct text_reader {
	struct rule_traits *out;
	struct arena *arena;
	const char *rest, *end;
	bool odd;    /* something stands there that may be a statement */
	bool target; /* it was said what is done */
};

static struct nft_word take(struct text_reader *reader)
{
	return nft_word_next(&reader->rest, reader->end);
}

static struct nft_word peek(const struct text_reader *reader)
{
	const char *rest = reader->rest;

	return nft_word_next(&rest, reader->end);
}

/* "!= VALUE", "VALUE" */
static bool take_negation(struct text_reader *reader)
{
	bool negated = nft_word_is(peek(reader), "!=");

	if (negated || nft_word_is(peek(reader), "=="))
		take(reader);
	return negated;
}

static void make_vague(struct text_reader *reader, enum trait_kind kind)
{
	reader->out->vague |= 1u << kind;
}

static void set_target(struct text_reader *reader, const char *value)
{
	reader->target = true;
	traits_add(reader->out, reader->arena, TRAIT_TARGET, false, value);
}

/* Behind "{": up to "}". */
static void skip_set(struct text_reader *reader)
{
	struct nft_word word = take(reader);

	while (word.size && !nft_word_is(word, "}"))
		word = take(reader);
}

static void skip_rest(struct text_reader *reader)
{
	reader->rest = reader->end;
}

/* ---- matches ---- */

static void take_interface(struct text_reader *reader, enum trait_kind kind)
{
	bool negated = take_negation(reader);
	struct nft_word word = take(reader);
	char *name = arena_strdup(reader->arena, nft_word_keep(word, reader->arena));
	size_t size = strlen(name);

	if (nft_word_is(word, "{")) {
		skip_set(reader);
		make_vague(reader, kind);
		return;
	}
	if (size && name[size - 1] == '*')
		name[size - 1] = '+';
	traits_add(reader->out, reader->arena, kind, negated, name);
}

static void take_address(struct text_reader *reader, enum trait_kind kind)
{
	bool negated = take_negation(reader);
	struct nft_word word = take(reader);
	struct prefix prefix;
	char *text;

	if (word.size && prefix_parse(word.text, word.size, &prefix) == PREFIX_OK) {
		text = arena_alloc(reader->arena, PREFIX_TEXT_MAX);
		prefix_format(&prefix, text);
		traits_add(reader->out, reader->arena, kind, negated, text);
		return;
	}
	make_vague(reader, kind);
	if (nft_word_is(word, "{")) {
		skip_set(reader);
	} else if (nft_word_is(word, "&")) {
		take(reader);
		take_negation(reader);
		take(reader);
	}
}

static void add_protocol(struct text_reader *reader, bool negated, const char *name)
{
	uint8_t number;

	if (protocol_number(name, strlen(name), &number))
		traits_add(reader->out, reader->arena, TRAIT_PROTOCOL, negated, arena_printf(reader->arena, "%u", number));
	else
		make_vague(reader, TRAIT_PROTOCOL);
}

static void take_protocol(struct text_reader *reader)
{
	bool negated = take_negation(reader);
	struct nft_word word = take(reader);

	if (nft_word_is(word, "{")) {
		skip_set(reader);
		make_vague(reader, TRAIT_PROTOCOL);
		return;
	}
	add_protocol(reader, negated, nft_word_keep(word, reader->arena));
}

/* "22", "1-5", "80," */
static bool add_port(struct port_set *set, struct nft_word word, struct arena *arena)
{
	const char *dash;
	uint64_t lo, hi;

	if (word.size && word.text[word.size - 1] == ',')
		word.size--;
	dash = memchr(word.text, '-', word.size);
	if (!nft_word_number((struct nft_word){word.text, dash ? (size_t)(dash - word.text) : word.size}, UINT16_MAX, &lo))
		return false;
	hi = lo;
	if (dash && !nft_word_number((struct nft_word){dash + 1, word.size - (size_t)(dash + 1 - word.text)}, UINT16_MAX, &hi))
		return false;
	if (hi < lo)
		return false;
	port_set_add(arena, set, (struct port_range){(uint16_t)lo, (uint16_t)hi});
	return true;
}

/* "tcp sport . tcp dport { ... }": what either port is. */
static void skip_concatenation(struct text_reader *reader)
{
	struct nft_word word = take(reader);

	while (word.size && !nft_word_is(word, "{"))
		word = take(reader);
	skip_set(reader);
	make_vague(reader, TRAIT_SOURCE_PORT);
	make_vague(reader, TRAIT_DESTINATION_PORT);
}

static void take_ports(struct text_reader *reader, enum trait_kind kind)
{
	struct port_set set = {0};
	bool negated, good = true;
	struct nft_word word;

	if (nft_word_is(peek(reader), ".")) {
		skip_concatenation(reader);
		return;
	}
	negated = take_negation(reader);
	word = take(reader);
	if (nft_word_is(word, "{"))
		for (word = take(reader); word.size && !nft_word_is(word, "}"); word = take(reader))
			good &= add_port(&set, word, reader->arena);
	else
		good = add_port(&set, word, reader->arena);
	port_set_normalise(&set);
	if (good && set.ranges.len)
		traits_add(reader->out, reader->arena, kind, negated, traits_ports(&set, reader->arena));
	else
		make_vague(reader, kind);
}

static void take_ip(struct text_reader *reader)
{
	struct nft_word key = take(reader);

	if (nft_word_is(key, "saddr"))
		take_address(reader, TRAIT_SOURCE);
	else if (nft_word_is(key, "daddr"))
		take_address(reader, TRAIT_DESTINATION);
	else if (nft_word_is(key, "protocol") || nft_word_is(key, "nexthdr"))
		take_protocol(reader);
	else
		reader->odd = true;
}

/* "maxseg size set 1000" does something, "maxseg size != 536-65535" asks for it. */
static void take_option(struct text_reader *reader)
{
	bool maxseg = nft_word_is(take(reader), "maxseg") && nft_word_is(take(reader), "size");

	if (maxseg && nft_word_is(peek(reader), "set")) {
		set_target(reader, "mss");
		skip_rest(reader);
		return;
	}
	reader->out->more = true;
	take_negation(reader);
	take(reader);
}

static void take_transport(struct text_reader *reader, struct nft_word name)
{
	struct nft_word key = take(reader);

	if (!nft_word_is(name, "th"))
		add_protocol(reader, false, nft_word_keep(name, reader->arena));
	if (nft_word_is(key, "sport"))
		take_ports(reader, TRAIT_SOURCE_PORT);
	else if (nft_word_is(key, "dport"))
		take_ports(reader, TRAIT_DESTINATION_PORT);
	else if (nft_word_is(key, "option"))
		take_option(reader);
	else
		reader->out->more = true;
}

static void take_icmp(struct text_reader *reader, const char *protocol)
{
	add_protocol(reader, false, protocol);
	reader->out->more = true;
	take(reader);
	take_negation(reader);
	if (nft_word_is(take(reader), "{"))
		skip_set(reader);
}

static bool find_name(struct nft_word name, const char *const *names, unsigned *out)
{
	for (unsigned i = 0; names[i]; i++)
		if (nft_word_is(name, names[i])) {
			*out = i;
			return true;
		}
	return false;
}

/* The bits of a list of names: "related,established", "local", "{ local, broadcast }". */
static bool take_bits(struct text_reader *reader, const char *const *names, uint64_t *out)
{
	struct nft_word word = take(reader), name;
	bool set = nft_word_is(word, "{");
	unsigned bit;

	*out = 0;
	if (set)
		word = take(reader);
	for (;;) {
		while (nft_word_item(&word, &name)) {
			if (!find_name(name, names, &bit))
				return false;
			*out |= UINT64_C(1) << bit;
		}
		if (!set)
			return *out != 0;
		word = take(reader);
		if (!word.size || nft_word_is(word, "}"))
			return *out != 0;
	}
}

static void add_bits(struct text_reader *reader, enum trait_kind kind, const char *const *names)
{
	bool negated = take_negation(reader);
	uint64_t bits;

	if (take_bits(reader, names, &bits))
		traits_add(reader->out, reader->arena, kind, negated,
			   arena_printf(reader->arena, "%llx", (unsigned long long)bits));
	else
		make_vague(reader, kind);
}

/* In the order of modules.def's names. */
static const char *const state_names[] = {"invalid", "new", "related", "established", "untracked", NULL};
static const char *const type_names[] = {
	"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw",
	"nat", "xresolve", NULL,
};

static void take_conntrack(struct text_reader *reader)
{
	struct nft_word key = take(reader);

	if (nft_word_is(key, "state")) {
		add_bits(reader, TRAIT_STATE, state_names);
		return;
	}
	if (nft_word_is(key, "mark") && nft_word_is(peek(reader), "set")) {
		take(reader);
		set_target(reader, nft_word_is(take(reader), "mark") ? "save mark" : "ctmark");
		skip_rest(reader);
		return;
	}
	make_vague(reader, TRAIT_STATE);
	reader->out->more = true;
	/* "ct original ip saddr 10.1.1.4" is not about the packet's own source. */
	if (nft_word_is(key, "original") || nft_word_is(key, "reply")) {
		key = take(reader);
		if (nft_word_is(key, "ip") || nft_word_is(key, "ip6"))
			take(reader);
	}
	take_negation(reader);
	take(reader);
}

/* "daddr type local"; "saddr . iif type local"; "saddr . iif oif 0", which is rpfilter's */
static void take_fib(struct text_reader *reader)
{
	struct nft_word key = take(reader), word = take(reader);
	bool plain = nft_word_is(word, "type");

	while (nft_word_is(word, ".")) {
		take(reader);
		word = take(reader);
	}
	if (plain) {
		add_bits(reader, nft_word_is(key, "saddr") ? TRAIT_SOURCE_TYPE : TRAIT_DESTINATION_TYPE, type_names);
		return;
	}
	if (nft_word_is(word, "type")) {
		make_vague(reader, TRAIT_SOURCE_TYPE);
		make_vague(reader, TRAIT_DESTINATION_TYPE);
	} else {
		reader->out->more = true;
	}
	take_negation(reader);
	if (nft_word_is(take(reader), "{"))
		skip_set(reader);
}

/* "set 0x1", "set mark or 0x2", and "set ct mark" */
static void take_mark(struct text_reader *reader)
{
	take(reader);
	set_target(reader, nft_word_is(take(reader), "ct") ? "restore mark" : "mark");
}

static void take_meta(struct text_reader *reader)
{
	struct nft_word key = take(reader);

	if (nft_word_is(key, "l4proto")) {
		take_protocol(reader);
	} else if (nft_word_is(peek(reader), "set")) {
		if (nft_word_is(key, "nftrace"))
			set_target(reader, "trace");
		else if (nft_word_is(key, "mark"))
			take_mark(reader);
		else
			reader->odd = true;
		skip_rest(reader);
	} else {
		reader->odd = true;
	}
}

/* ---- statements ---- */

static void take_log(struct text_reader *reader)
{
	struct nft_word word;

	set_target(reader, "log");
	for (word = take(reader); word.size; word = take(reader))
		if (nft_word_is(word, "prefix"))
			traits_add(reader->out, reader->arena, TRAIT_PREFIX, false, nft_word_keep(take(reader), reader->arena));
}

static void take_nat(struct text_reader *reader, const char *word)
{
	struct nft_word next = take(reader);

	while (next.size && !nft_word_is(next, "to"))
		next = take(reader);
	set_target(reader, arena_printf(reader->arena, "%s %s", word, nft_word_keep(take(reader), reader->arena)));
	skip_rest(reader);
}

static void take_xt(struct text_reader *reader)
{
	bool target = nft_word_is(take(reader), "target");
	const char *name = nft_word_keep(take(reader), reader->arena);

	if (target)
		set_target(reader, arena_printf(reader->arena, "xt %s", name));
	else
		reader->out->more = true;
}

static void take_counter(struct text_reader *reader)
{
	if (!nft_word_is(peek(reader), "packets"))
		return;
	for (int i = 0; i < 4; i++)
		take(reader);
}

static void take_reject(struct text_reader *reader)
{
	bool reset = nft_word_is(take(reader), "with") && nft_word_is(take(reader), "tcp");

	set_target(reader, reset ? "reject reset" : "reject");
	skip_rest(reader);
}

static bool take_statement(struct text_reader *reader, struct nft_word word)
{
	if (nft_word_is(word, "accept") || nft_word_is(word, "drop") || nft_word_is(word, "return")) {
		set_target(reader, nft_word_keep(word, reader->arena));
	} else if (nft_word_is(word, "jump") || nft_word_is(word, "goto")) {
		set_target(reader, arena_printf(reader->arena, "%s %s", word.text[0] == 'j' ? "jump" : "goto",
						nft_word_keep(take(reader), reader->arena)));
	} else if (nft_word_is(word, "reject")) {
		take_reject(reader);
	} else if (nft_word_is(word, "dnat") || nft_word_is(word, "snat")) {
		take_nat(reader, word.text[0] == 'd' ? "dnat" : "snat");
	} else if (nft_word_is(word, "masquerade") || nft_word_is(word, "redirect") || nft_word_is(word, "queue")) {
		set_target(reader, nft_word_keep(word, reader->arena));
		skip_rest(reader);
	} else if (nft_word_is(word, "log")) {
		take_log(reader);
	} else if (nft_word_is(word, "xt")) {
		take_xt(reader);
	} else if (nft_word_is(word, "counter")) {
		take_counter(reader);
	} else if (nft_word_is(word, "comment")) {
		take(reader);
	} else {
		return false;
	}
	return true;
}

static void take_condition(struct text_reader *reader, struct nft_word word)
{
	if (nft_word_is(word, "iifname") || nft_word_is(word, "iif"))
		take_interface(reader, TRAIT_IN);
	else if (nft_word_is(word, "oifname") || nft_word_is(word, "oif"))
		take_interface(reader, TRAIT_OUT);
	else if (nft_word_is(word, "ip") || nft_word_is(word, "ip6"))
		take_ip(reader);
	else if (nft_word_is(word, "tcp") || nft_word_is(word, "udp") || nft_word_is(word, "sctp") ||
		 nft_word_is(word, "dccp") || nft_word_is(word, "udplite") || nft_word_is(word, "th"))
		take_transport(reader, word);
	else if (nft_word_is(word, "icmp"))
		take_icmp(reader, "icmp");
	else if (nft_word_is(word, "icmpv6"))
		take_icmp(reader, "ipv6-icmp");
	else if (nft_word_is(word, "ct"))
		take_conntrack(reader);
	else if (nft_word_is(word, "fib"))
		take_fib(reader);
	else if (nft_word_is(word, "meta"))
		take_meta(reader);
	else
		reader->odd = true;
}

void traits_of_nft(struct rule_traits *out, const char *text, struct arena *arena)
{
	struct text_reader reader = {.out = out, .arena = arena, .rest = text, .end = text + strlen(text)};

	*out = (struct rule_traits){0};
	for (struct nft_word word = take(&reader); word.size; word = take(&reader))
		if (!take_statement(&reader, word))
			take_condition(&reader, word);
	if (reader.odd)
		out->more = true;
	if (!reader.target && reader.odd)
		make_vague(&reader, TRAIT_TARGET);
	else if (!reader.target)
		traits_add(out, arena, TRAIT_TARGET, false, "none");
}
