/* Lists of words to sets of addresses and of ports. */
#include "resolver.h"

#include <peerwall/resolve.h>

#include <string.h>

#define PORT_MAX 65535u

const char *describe_word_kind(const struct ast_word *word)
{
	switch (word->kind) {
	case AST_WORD_NAME:
		return "a name";
	case AST_WORD_PATTERN:
		return "a pattern of interfaces";
	case AST_WORD_NUMBER:
		return "a number";
	case AST_WORD_RANGE:
		return "a range of numbers";
	case AST_WORD_ADDRESS:
		return "an address";
	case AST_WORD_TYPE_CODE:
		return "an ICMP type with a code";
	case AST_WORD_RATE:
		return "a rate";
	case AST_WORD_STRING:
		return "a string";
	case AST_WORD_PROTOCOL:
		return "a protocol";
	case AST_WORD_REFUSAL:
		return "what happens otherwise";
	default:
		return "this";
	}
}

static const char *quote(struct resolver *resolver, const struct ast_word *word)
{
	return diags_full(resolver->diags) ? "" : diag_quote(resolver->diags, word->text, word->size);
}

/* Is there room for this many ranges more? Otherwise says so, once. */
static bool charge(struct resolver *resolver, size_t ranges, struct span span)
{
	resolver->expansion += ranges;
	if (resolver->expansion <= EXPANSION_MAX)
		return true;
	resolver->expansion -= ranges;
	if (!resolver->expansion_reported)
		diag_add(resolver->diags, CODE_EXPANSION, span,
			 "with this, the definitions expand to more than %u ranges of addresses and ports", EXPANSION_MAX);
	resolver->expansion_reported = true;
	return false;
}

/* ---- peers ---- */

static void report_bad_address(struct resolver *resolver, const struct ast_word *word)
{
	struct diag *diag = diag_add(resolver->diags, CODE_BAD_ADDRESS, word->span, "%s is not an address",
				     quote(resolver, word));
	const char *slash = memchr(word->text, '/', word->size);
	size_t size = slash ? (size_t)(slash - word->text) : word->size, dots = 0;

	if (memchr(word->text, '%', size)) {
		diag_label(resolver->diags, diag, SPAN_NONE, "the block says the interface: leave out what follows the '%%'");
		return;
	}
	if (memchr(word->text, ':', size)) {
		diag_label(resolver->diags, diag, SPAN_NONE,
			   "IPv6 addresses are eight groups of hexadecimal digits; '::' stands for groups of zeros, once");
		return;
	}
	for (size_t i = 0; i < size; i++)
		dots += word->text[i] == '.';
	if (dots != 3)
		diag_label(resolver->diags, diag, SPAN_NONE, "IPv4 addresses have four parts, as in 10.1.1.4");
	else
		diag_label(resolver->diags, diag, SPAN_NONE,
			   "the four parts of an IPv4 address are numbers from 0 to 255, without leading zeros");
}

static void report_bad_length(struct resolver *resolver, const struct ast_word *word)
{
	const char *slash = memchr(word->text, '/', word->size);
	size_t before = (size_t)(slash - word->text), after = word->size - before - 1;
	struct diag *diag;
	struct addr addr, mask;
	enum family family;
	int length;

	family = addr_parse(word->text, before, &addr) ? addr.family : FAMILY_IPV4;
	diag = diag_add(resolver->diags, CODE_PREFIX_LENGTH, word->span, "%s has no valid prefix length",
			quote(resolver, word));
	diag_label(resolver->diags, diag, SPAN_NONE, "of %s addresses it is a number from 0 to %u", family_name(family),
		   family_bits(family));
	if (addr_parse(slash + 1, after, &mask) && mask.family == family && (length = addr_netmask_length(&mask)) >= 0)
		diag_suggest(resolver->diags, diag, "%.*s/%d", (int)before, word->text, length);
}

static void report_host_bits(struct resolver *resolver, const struct ast_word *word, const struct prefix *prefix)
{
	struct prefix network = prefix_masked(prefix), host = *prefix;
	char network_text[PREFIX_TEXT_MAX], host_text[PREFIX_TEXT_MAX];
	struct diag *diag;

	host.length = (uint8_t)family_bits(prefix->addr.family);
	prefix_format(&network, network_text);
	prefix_format(&host, host_text);
	diag = diag_add(resolver->diags, CODE_HOST_BITS, word->span, "%s has bits set beyond its prefix length",
			quote(resolver, word));
	diag_suggest(resolver->diags, diag, "%s", network_text);
	diag_label(resolver->diags, diag, SPAN_NONE, "the network is %s, the one address is %s", network_text, host_text);
}

/* Also of an address that was diagnosed, as far as it can be guessed, so that no more follows from it. */
static bool read_prefix(struct resolver *resolver, const struct ast_word *word, struct prefix *out)
{
	switch (prefix_parse(word->text, word->size, out)) {
	case PREFIX_BAD_ADDRESS:
		report_bad_address(resolver, word);
		return false;
	case PREFIX_BAD_LENGTH:
		report_bad_length(resolver, word);
		return false;
	case PREFIX_OK:
		break;
	}
	if (prefix_has_host_bits(out)) {
		report_host_bits(resolver, word, out);
		*out = prefix_masked(out);
	}
	return true;
}

static void report_no_peers(struct resolver *resolver, const struct ast_word *word)
{
	struct diag *diag = diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "%s where peers belong",
				     describe_word_kind(word));

	if (word->kind == AST_WORD_NUMBER || word->kind == AST_WORD_RANGE || word->kind == AST_WORD_PROTOCOL)
		diag_label(resolver->diags, diag, SPAN_NONE,
			   "ports come before 'to', peers behind it: expose tcp 22 to 10.1.1.4");
	else if (word->kind == AST_WORD_STRING)
		diag_suggest(resolver->diags, diag, "%.*s", (int)word->size, word->text);
}

/* The definition of peers that the word names; NULL after a diagnostic. */
static struct binding *find_peers(struct resolver *resolver, const struct ast_word *word)
{
	struct binding *binding = resolver_find(resolver, word);
	const char *near;
	struct diag *diag;

	if (binding && binding->is_peers) {
		binding->used = true;
		return binding;
	}
	if (binding) {
		diag = diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "%s is a service, where peers belong",
				quote(resolver, word));
		diag_label(resolver->diags, diag, binding->item->name.span, "defined here");
		binding->used = true;
		return NULL;
	}
	if (resolver->ast->incomplete)
		return NULL;
	diag = diag_add(resolver->diags, CODE_UNDEFINED_NAME, word->span, "no peers are called %s", quote(resolver, word));
	near = resolver_nearest(resolver, word, true);
	if (near)
		diag_suggest(resolver->diags, diag, "%s", near);
	else
		diag_label(resolver->diags, diag, SPAN_NONE, "peers are defined so: peers %.*s = 10.1.1.4, fd00:1::4",
			   word->size <= 32 ? (int)word->size : 4, word->size <= 32 ? word->text : "NAME");
	return NULL;
}

static void add_peers(struct resolver *resolver, const struct binding *binding, struct span span, struct peer_set *out)
{
	for (int family = 0; family < FAMILY_COUNT; family++)
		if (charge(resolver, binding->peers.sets[family].ranges.len, span))
			addr_set_add_set(resolver->arena, &out->sets[family], &binding->peers.sets[family]);
}

void resolver_peers(struct resolver *resolver, const struct ast_words *words, struct peer_set *out)
{
	struct prefix prefix;
	struct binding *binding;

	*out = (struct peer_set){.span = SPAN_NONE};
	for (int family = 0; family < FAMILY_COUNT; family++)
		out->sets[family].family = (enum family)family;
	if (words->items.len == 0)
		return;
	out->span.lo = words->items.data[0].span.lo;
	out->span.hi = words->items.data[words->items.len - 1].span.hi;
	vec_each(word, &words->items) {
		if (word->kind == AST_WORD_NAME) {
			binding = find_peers(resolver, word);
			/* One name alone shares its set: however often it is used, it is there once. */
			if (binding && words->items.len == 1)
				memcpy(out->sets, binding->peers.sets, sizeof out->sets);
			else if (binding)
				add_peers(resolver, binding, word->span, out);
		} else if (word->kind == AST_WORD_ADDRESS) {
			if (read_prefix(resolver, word, &prefix) && charge(resolver, 1, word->span))
				addr_set_add_prefix(resolver->arena, &out->sets[prefix.addr.family], &prefix);
		} else if (word->kind != AST_WORD_BAD) {
			report_no_peers(resolver, word);
		}
	}
	if (words->items.len == 1)
		return;
	for (int family = 0; family < FAMILY_COUNT; family++)
		addr_set_normalise(&out->sets[family]);
}

/* ---- services ---- */

static bool read_port(struct resolver *resolver, const struct ast_word *word, const char *text, size_t size,
		      unsigned *out)
{
	unsigned port = 0;

	for (size_t i = 0; i < size && port <= PORT_MAX; i++)
		port = port * 10 + (unsigned)(text[i] - '0');
	*out = port;
	if (port <= PORT_MAX)
		return true;
	diag_add(resolver->diags, CODE_PORT_RANGE, word->span, "%s: ports go up to %u", quote(resolver, word), PORT_MAX);
	return false;
}

static bool read_port_range(struct resolver *resolver, const struct ast_word *word, struct port_range *out)
{
	const char *hyphen = memchr(word->text, '-', word->size);
	size_t before = hyphen ? (size_t)(hyphen - word->text) : word->size;
	unsigned lo, hi;
	struct diag *diag;

	if (!read_port(resolver, word, word->text, before, &lo))
		return false;
	hi = lo;
	if (hyphen && !read_port(resolver, word, hyphen + 1, word->size - before - 1, &hi))
		return false;
	if (lo > hi) {
		diag = diag_add(resolver->diags, CODE_RANGE_REVERSED, word->span, "%s ends before it begins",
				quote(resolver, word));
		diag_suggest(resolver->diags, diag, "%u-%u", hi, lo);
		return false;
	}
	if (hi == 0) {
		diag_add(resolver->diags, CODE_PORT_RANGE, word->span, "nothing can be reached at port 0");
		return false;
	}
	*out = (struct port_range){(uint16_t)lo, (uint16_t)hi};
	return true;
}

static enum protocol word_protocol(const struct ast_word *word)
{
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		if (strlen(protocol_names[i]) == word->size && memcmp(protocol_names[i], word->text, word->size) == 0)
			return (enum protocol)i;
	return PROTOCOL_TCP;
}

static const struct services_entry *find_entry(struct resolver *resolver, const struct ast_word *word)
{
	if (!resolver->services_loaded)
		resolver->services_error = services_load(&resolver->services, SERVICES_PATH, resolver->arena);
	resolver->services_loaded = true;
	return services_find(&resolver->services, word->text, word->size);
}

/* `tcp ssh`. */
static bool read_named_port(struct resolver *resolver, const struct ast_word *word, enum protocol protocol,
			    struct port_range *out)
{
	const struct services_entry *entry = find_entry(resolver, word);
	struct binding *binding;
	struct diag *diag;

	if (entry && entry->known[protocol]) {
		*out = (struct port_range){entry->ports[protocol], entry->ports[protocol]};
		return true;
	}
	diag = diag_add(resolver->diags, CODE_UNKNOWN_PORT_NAME, word->span, "no port of %s is called %s in %s",
			protocol_names[protocol], quote(resolver, word), SERVICES_PATH);
	binding = resolver_find(resolver, word);
	if (resolver->services_error) {
		diag_label(resolver->diags, diag, SPAN_NONE, "that file cannot be read (%s): write the port's number",
			   strerror(-resolver->services_error));
	} else if (binding && !binding->is_peers) {
		binding->used = true;
		diag_label(resolver->diags, diag, binding->item->name.span,
			   "the service of that name, defined here, is written without '%s'", protocol_names[protocol]);
	} else if (entry) {
		for (int other = 0; other < PROTOCOL_COUNT; other++)
			if (entry->known[other])
				diag_label(resolver->diags, diag, SPAN_NONE, "there is one of %s: %s %.*s", protocol_names[other],
					   protocol_names[other], (int)word->size, word->text);
	}
	return false;
}

static void report_undefined_service(struct resolver *resolver, const struct ast_word *word)
{
	const struct services_entry *entry;
	const char *near;
	struct diag *diag;

	if (resolver->ast->incomplete)
		return;
	diag = diag_add(resolver->diags, CODE_UNDEFINED_NAME, word->span, "no service is called %s", quote(resolver, word));
	entry = find_entry(resolver, word);
	if (entry) {
		enum protocol protocol = entry->known[PROTOCOL_TCP]   ? PROTOCOL_TCP
					 : entry->known[PROTOCOL_UDP] ? PROTOCOL_UDP
								      : PROTOCOL_SCTP;

		diag_label(resolver->diags, diag, SPAN_NONE, "%s knows it: names of its ports stand behind a protocol",
			   SERVICES_PATH);
		diag_suggest(resolver->diags, diag, "%s %.*s", protocol_names[protocol], (int)word->size, word->text);
		return;
	}
	near = resolver_nearest(resolver, word, false);
	if (near)
		diag_suggest(resolver->diags, diag, "%s", near);
	else
		diag_label(resolver->diags, diag, SPAN_NONE, "services are defined so: service %.*s = tcp 8096",
			   word->size <= 32 ? (int)word->size : 4, word->size <= 32 ? word->text : "NAME");
}

/* The service that the word names; NULL after a diagnostic. */
static struct binding *find_service(struct resolver *resolver, const struct ast_word *word)
{
	struct binding *binding = resolver_find(resolver, word);
	struct diag *diag;

	if (!binding) {
		report_undefined_service(resolver, word);
		return NULL;
	}
	binding->used = true;
	if (!binding->is_peers)
		return binding;
	diag = diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "%s are peers, where a service belongs",
			quote(resolver, word));
	if (binding->item)
		diag_label(resolver->diags, diag, binding->item->name.span, "defined here");
	if (resolver->in_forward)
		diag_label(resolver->diags, diag, SPAN_NONE, "if they are meant as peers, a ',' is missing before them");
	return NULL;
}

static void add_service(struct resolver *resolver, const struct binding *binding, struct span span,
			struct service_set *out)
{
	for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
		const struct port_set *ports = &binding->services.ports[protocol];

		if (!charge(resolver, ports->ranges.len, span))
			return;
		vec_each(range, &ports->ranges)
			port_set_add(resolver->arena, &out->ports[protocol], *range);
	}
}

static void report_no_service(struct resolver *resolver, const struct ast_word *word, bool has_protocol)
{
	struct diag *diag;

	if ((word->kind == AST_WORD_NUMBER || word->kind == AST_WORD_RANGE) && !has_protocol) {
		diag = diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "a port needs its protocol before it");
		diag_suggest(resolver->diags, diag, "tcp %.*s", word->size <= 11 ? (int)word->size : 11, word->text);
		return;
	}
	diag = diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "%s where a %s belongs", describe_word_kind(word),
			has_protocol ? "port" : "service");
	if (word->kind == AST_WORD_STRING)
		diag_suggest(resolver->diags, diag, "%.*s", (int)word->size, word->text);
}

void resolver_ports(struct resolver *resolver, const struct ast_ports *ports, uint32_t number, struct service_set *out)
{
	const struct ast_word *current = NULL;
	enum protocol protocol = PROTOCOL_TCP;
	struct port_range range;
	struct binding *binding;

	*out = (struct service_set){.span = ports->span};
	vec_each(port, &ports->items) {
		const struct ast_word *word = &port->value;
		bool written = port->protocol.kind != AST_WORD_NONE, found = false;

		if (written) {
			current = &port->protocol;
			protocol = word_protocol(current);
		}
		if (word->kind == AST_WORD_BAD)
			continue;
		if (word->kind == AST_WORD_NAME && !written) {
			binding = find_service(resolver, word);
			if (binding)
				add_service(resolver, binding, word->span, out);
			continue;
		}
		if (word->kind == AST_WORD_NAME)
			found = read_named_port(resolver, word, protocol, &range);
		else if (current && (word->kind == AST_WORD_NUMBER || word->kind == AST_WORD_RANGE))
			found = read_port_range(resolver, word, &range);
		else
			report_no_service(resolver, word, written);
		if (!found || !charge(resolver, 1, word->span))
			continue;
		port_set_add(resolver->arena, &out->ports[protocol], range);
		if (number != INTERN_NONE)
			vec_push(resolver->arena, &resolver->literals,
				 (struct literal_port){protocol, range, number, word->span});
	}
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		port_set_normalise(&out->ports[i]);
}
