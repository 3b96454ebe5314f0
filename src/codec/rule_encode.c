/* Rules as iptables-save prints them. */
#include "value.h"

#include <string.h>

static void encode_network(struct strbuf *out, const char *option, const struct network_match *network)
{
	if (!network->present)
		return;
	strbuf_adds(out, network->negated ? " ! " : " ");
	strbuf_adds(out, option);
	strbuf_addc(out, ' ');
	network_print(out, &network->addr, &network->mask, false);
}

static void encode_interface(struct strbuf *out, const char *option, const struct interface_match *interface)
{
	if (!interface->name)
		return;
	strbuf_adds(out, interface->negated ? " ! " : " ");
	strbuf_adds(out, option);
	strbuf_addc(out, ' ');
	word_encode(out, interface->name);
}

static void encode_protocol(struct strbuf *out, const struct protocol_match *protocol)
{
	const char *name = protocol_name(protocol->number);

	if (!protocol->present)
		return;
	strbuf_adds(out, protocol->negated ? " ! -p " : " -p ");
	if (name)
		strbuf_adds(out, name);
	else
		strbuf_addf(out, "%u", protocol->number);
}

static void encode_module(struct strbuf *out, const struct match *match)
{
	strbuf_addc(out, ' ');
	if (match->module == MODULE_OPAQUE) {
		word_encode(out, match->opaque_name);
		for (size_t i = 0; i < match->opaque_words.items.len; i++) {
			strbuf_addc(out, ' ');
			word_encode(out, match->opaque_words.items.data[i]);
		}
		return;
	}
	strbuf_adds(out, module_name(match));
	for (size_t i = 0; i < match->options.len; i++) {
		const struct option *option = &match->options.data[i];

		strbuf_adds(out, option->negated ? " ! " : " ");
		strbuf_add(out, option_rows[option->id].spelling, option_rows[option->id].spelling_size);
		if (option_rows[option->id].kind != VALUE_NONE)
			strbuf_addc(out, ' ');
		value_print(out, option->id, &option->value);
	}
}

static void encode_target(struct strbuf *out, const struct target *target)
{
	switch (target->kind) {
	case TARGET_NONE:
		return;
	case TARGET_ACCEPT:
		strbuf_adds(out, " -j ACCEPT");
		return;
	case TARGET_DROP:
		strbuf_adds(out, " -j DROP");
		return;
	case TARGET_RETURN:
		strbuf_adds(out, " -j RETURN");
		return;
	case TARGET_JUMP:
	case TARGET_GOTO:
		strbuf_adds(out, target->kind == TARGET_JUMP ? " -j " : " -g ");
		word_encode(out, target->chain);
		return;
	case TARGET_EXTENSION:
		strbuf_adds(out, " -j");
		encode_module(out, &target->extension);
		return;
	}
}

void rule_encode(struct strbuf *out, enum family family, const struct rule *rule)
{
	size_t start = out->len;

	(void)family;
	if (rule->opaque) {
		strbuf_adds(out, rule->text);
		return;
	}
	encode_network(out, "-s", &rule->source);
	encode_network(out, "-d", &rule->destination);
	encode_interface(out, "-i", &rule->in);
	encode_interface(out, "-o", &rule->out);
	encode_protocol(out, &rule->protocol);
	if (rule->fragment != FRAGMENT_NONE)
		strbuf_adds(out, rule->fragment == FRAGMENT_YES ? " -f" : " ! -f");
	for (size_t i = 0; i < rule->matches.len; i++) {
		strbuf_adds(out, " -m");
		encode_module(out, &rule->matches.data[i]);
	}
	encode_target(out, &rule->target);
	/* Every part began with its blank; the first one is not wanted. */
	if (out->len > start) {
		memmove(out->data + start, out->data + start + 1, out->len - start);
		out->len--;
	}
}
