/* What was read becomes the rule, if its parts go together. */
#include "decoding.h"
#include "match_cache.h"
#include "module_normalise.h"

#include <string.h>

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
		return decode_ambiguous(decoding, 0, reason);
	if (reason)
		return decode_refuse(decoding, 0, reason);
	if (options.len > 0) {
		out->options.data = arena_alloc(decoding->arena, options.len * sizeof *buffer);
		memcpy(out->options.data, buffer, options.len * sizeof *buffer);
		out->options.len = out->options.cap = options.len;
	}
	if (decoding->decoder->cache && open->name > 0 && !open->inexact && open->taken == open->end - open->name) {
		uint32_t size;
		const char *text = decode_raw_text(decoding, open->name, open->end, &size);

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
				return decode_refuse(decoding, 0, "a match needs its protocol by -p");
		if (module == MODULE_MULTIPORT && !transport)
			return decode_refuse(decoding, 0, "ports need a protocol that has them, by -p");
	}
	if (decoding->rule->target.kind != TARGET_EXTENSION)
		return true;
	if (has_ports(target) && !transport)
		return decode_refuse(decoding, 0, "ports need a protocol that has them, by -p");
	if (resets_tcp(target) && number != 6)
		return decode_refuse(decoding, 0, "tcp-reset needs -p tcp");
	if (target->module == MODULE_T_TPROXY && number != 6 && number != 17)
		return decode_refuse(decoding, 0, "TPROXY needs -p tcp or -p udp");
	return true;
}

bool decode_close(struct decoding *decoding)
{
	struct rule *rule = decoding->rule;

	if (decoding->negated)
		return decode_refuse(decoding, decoding->count - 1, "nothing stands behind the \"!\"");
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
