/* A filter word by word; then every combination of what it names, as a match of its own. */
#include <peerwall/watch_filter.h>

#include <peerwall/match_codec.h>
#include <peerwall/services.h>

#include <string.h>
#include <strings.h>

enum { IP_ICMP = 1, IP_TCP = 6, IP_ICMP6 = 58 };

#define ECHO_REQUEST4 8
#define ECHO_REQUEST6 128

/* One kind of traffic: a protocol, with some of its ports. */
struct traffic {
	bool has_protocol;
	uint8_t protocol;
	bool has_family; /* ICMP */
	enum family family;
	bool has_ports, has_type;
	struct port_range ports;
	uint8_t type;
};

struct filter_reader {
	const struct watch_names *names;
	struct arena *arena;
	struct diags *diags;
	const struct source *source;
	const char *rest;
	struct nft_word next;

	const char *interface;
	bool has_source, has_destination;
	struct prefix_list sources, destinations; /* of both families */
	VEC(struct traffic) traffic;              /* empty: any */
	bool has_source_port, has_flags;
	struct port_range source_port;
	uint8_t tcp_flags;
};

/* ---- words ---- */

static const char *end_of(const struct filter_reader *reader)
{
	return reader->source->text + reader->source->size;
}

static void advance(struct filter_reader *reader)
{
	reader->next = nft_word_next(&reader->rest, end_of(reader));
}

static bool wrong(struct filter_reader *reader, const char *wanted)
{
	uint32_t at = reader->source->start + (uint32_t)(reader->next.text - reader->source->text);
	struct span span = {at, at + (uint32_t)reader->next.size};

	if (reader->next.size)
		diag_add(reader->diags, CODE_FILTER, span, "%s is not %s",
			 diag_quote(reader->diags, reader->next.text, reader->next.size), wanted);
	else
		diag_add(reader->diags, CODE_FILTER, span, "the filter ends where there should be %s", wanted);
	return false;
}

static const char *next_text(const struct filter_reader *reader)
{
	return arena_strndup(reader->arena, reader->next.text, reader->next.size);
}

static const struct definition *find_name(const struct filter_reader *reader, bool is_peers)
{
	vec_each(policy, &reader->names->policies)
		vec_each(definition, &(*policy)->definitions)
			if (definition->is_peers == is_peers && nft_word_is(reader->next, definition->name))
				return definition;
	return NULL;
}

/* ---- addresses ---- */

/* Or a list of them. */
static bool is_address(const struct filter_reader *reader)
{
	const char *comma = memchr(reader->next.text, ',', reader->next.size);
	struct prefix prefix;

	return prefix_parse(reader->next.text, comma ? (size_t)(comma - reader->next.text) : reader->next.size, &prefix) !=
	       PREFIX_BAD_ADDRESS;
}

/* "10.1.1.0/24,fd00:1::4", or peers of a policy. */
static bool take_addresses(struct filter_reader *reader, struct prefix_list *out)
{
	const struct definition *definition = find_name(reader, true);
	const char *at = reader->next.text, *end = at + reader->next.size;

	if (definition) {
		for (int f = 0; f < FAMILY_COUNT; f++)
			addr_set_prefixes(reader->arena, &definition->peers.sets[f], out);
		advance(reader);
		return true;
	}
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct prefix prefix;

		if (prefix_parse(at, (size_t)((comma ? comma : end) - at), &prefix) != PREFIX_OK)
			return wrong(reader, "an address, a prefix, or peers of a policy");
		vec_push(reader->arena, &out->items, prefix_masked(&prefix));
		at = comma ? comma + 1 : end;
	}
	if (reader->next.size == 0)
		return wrong(reader, "an address, a prefix, or peers of a policy");
	advance(reader);
	return true;
}

/* ---- protocols and ports ---- */

static bool has_ports(uint8_t protocol)
{
	return packet_has_ports(&(struct packet){.protocol = protocol});
}

static bool find_port(struct filter_reader *reader, uint8_t protocol, struct nft_word word, uint16_t *out)
{
	struct services services = {0};
	const struct services_entry *entry;
	uint64_t number;

	if (nft_word_number(word, UINT16_MAX, &number)) {
		*out = (uint16_t)number;
		return true;
	}
	if (word.size == 0 || services_load(&services, SERVICES_PATH, reader->arena) != 0)
		return false;
	entry = services_find(&services, word.text, word.size);
	for (int i = 0; entry && i < PROTOCOL_COUNT; i++)
		if (entry->known[i] && protocol_numbers[i] == protocol) {
			*out = entry->ports[i];
			return true;
		}
	return false;
}

/* "873", "8000-8010", "ssh"; a name may hold a dash. */
static bool find_range(struct filter_reader *reader, uint8_t protocol, struct nft_word word, struct port_range *out)
{
	const char *dash = memchr(word.text, '-', word.size);

	if (find_port(reader, protocol, word, &out->lo)) {
		out->hi = out->lo;
		return true;
	}
	return dash && find_port(reader, protocol, (struct nft_word){word.text, (size_t)(dash - word.text)}, &out->lo) &&
	       find_port(reader, protocol, (struct nft_word){dash + 1, word.size - (size_t)(dash + 1 - word.text)}, &out->hi) &&
	       out->lo <= out->hi;
}

static bool begins_port(const struct filter_reader *reader)
{
	return reader->next.size && !nft_word_is(reader->next, "from") && !nft_word_is(reader->next, "flags");
}

static bool take_ports(struct filter_reader *reader, uint8_t protocol)
{
	const char *at = reader->next.text, *end = at + reader->next.size;
	struct traffic traffic = {.has_protocol = true, .protocol = protocol};

	if (!has_ports(protocol) || !begins_port(reader)) {
		vec_push(reader->arena, &reader->traffic, traffic);
		return true;
	}
	traffic.has_ports = true;
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct nft_word word = {at, (size_t)((comma ? comma : end) - at)};

		if (!find_range(reader, protocol, word, &traffic.ports))
			return wrong(reader, "a port, a range of ports, or several with commas");
		vec_push(reader->arena, &reader->traffic, traffic);
		at = comma ? comma + 1 : end;
	}
	advance(reader);
	return true;
}

/* "icmp", "icmp ping", "icmp 3"; of both families, unless a number says of which. */
static bool take_icmp(struct filter_reader *reader, bool only6)
{
	struct traffic traffic = {.has_protocol = true, .protocol = IP_ICMP, .has_family = true, .family = FAMILY_IPV4};
	uint64_t number = 0;
	bool ping = nft_word_is(reader->next, "ping"), typed = ping;

	if (begins_port(reader) && !ping) {
		if (!nft_word_number(reader->next, UINT8_MAX, &number))
			return wrong(reader, "a type of ICMP: a number, or ping");
		typed = true;
	}
	traffic.has_type = typed;
	traffic.type = ping ? ECHO_REQUEST4 : (uint8_t)number;
	if (!only6)
		vec_push(reader->arena, &reader->traffic, traffic);
	traffic.protocol = IP_ICMP6;
	traffic.family = FAMILY_IPV6;
	traffic.type = ping ? ECHO_REQUEST6 : (uint8_t)number;
	if (only6 || !typed || ping)
		vec_push(reader->arena, &reader->traffic, traffic);
	if (typed)
		advance(reader);
	return true;
}

static bool take_service_name(struct filter_reader *reader, const struct definition *definition)
{
	for (int p = 0; p < PROTOCOL_COUNT; p++)
		vec_each(range, &definition->services.ports[p].ranges)
			vec_push(reader->arena, &reader->traffic,
				 (struct traffic){.has_protocol = true, .protocol = protocol_numbers[p], .has_ports = true,
						  .ports = *range});
	advance(reader);
	return true;
}

static bool is_protocol(const struct filter_reader *reader, uint8_t *out)
{
	return reader->next.size && protocol_number(next_text(reader), reader->next.size, out) && *out != 0;
}

static bool take_service(struct filter_reader *reader)
{
	const struct definition *definition = find_name(reader, false);
	uint8_t protocol;
	bool only6 = nft_word_is(reader->next, "icmpv6") || nft_word_is(reader->next, "ipv6-icmp");

	if (definition)
		return take_service_name(reader, definition);
	if (only6 || nft_word_is(reader->next, "icmp")) {
		advance(reader);
		return take_icmp(reader, only6);
	}
	if (!is_protocol(reader, &protocol))
		return wrong(reader, "a protocol, or a service of a policy");
	advance(reader);
	return take_ports(reader, protocol);
}

/* ---- what may follow ---- */

static bool take_from(struct filter_reader *reader)
{
	uint8_t protocol = reader->traffic.len ? reader->traffic.data->protocol : 0;

	vec_each(traffic, &reader->traffic)
		if (!has_ports(traffic->protocol))
			protocol = 0;
	if (!has_ports(protocol))
		return wrong(reader, "expected here: only of TCP, UDP and their like there are ports");
	advance(reader);
	if (!find_range(reader, protocol, reader->next, &reader->source_port))
		return wrong(reader, "a port, or a range of ports");
	reader->has_source_port = true;
	advance(reader);
	return true;
}

static bool take_flags(struct filter_reader *reader)
{
	static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
	const char *text;

	vec_each(traffic, &reader->traffic)
		if (traffic->protocol != IP_TCP)
			return wrong(reader, "expected here: only TCP has flags");
	if (reader->traffic.len == 0)
		return wrong(reader, "expected here: only TCP has flags");
	advance(reader);
	text = reader->next.size ? next_text(reader) : "";
	for (const char *at = text; *at; at += strspn(at, ",")) {
		size_t size = strcspn(at, ",");
		unsigned i = 0;

		while (i < 6 && !(size == 3 && strncasecmp(at, names[i], 3) == 0))
			i++;
		if (i == 6)
			return wrong(reader, "a list of flags: SYN,ACK");
		reader->tcp_flags |= (uint8_t)(1u << i);
		at += size;
	}
	if (reader->tcp_flags == 0)
		return wrong(reader, "a list of flags: SYN,ACK");
	reader->has_flags = true;
	advance(reader);
	return true;
}

/* ---- the whole ---- */

static bool begins_service(const struct filter_reader *reader)
{
	uint8_t protocol;

	return nft_word_is(reader->next, "icmp") || nft_word_is(reader->next, "icmpv6") || is_protocol(reader, &protocol) ||
	       find_name(reader, false);
}

static bool take_interface(struct filter_reader *reader)
{
	if (reader->next.size > INTERFACE_NAME_MAX || memchr(reader->next.text, '/', reader->next.size))
		return wrong(reader, "an interface, an address, a protocol, or a name of a policy");
	reader->interface = next_text(reader);
	advance(reader);
	return true;
}

/* A name that a policy defines is that; any other in the first place is an interface. */
static bool read_words(struct filter_reader *reader)
{
	advance(reader);
	if (reader->next.size == 0)
		return wrong(reader, "an interface, an address, or a protocol");
	if (!nft_word_is(reader->next, ">") && !is_address(reader) && !find_name(reader, true) && !begins_service(reader) &&
	    !take_interface(reader))
		return false;
	if (reader->next.size && (is_address(reader) || find_name(reader, true))) {
		reader->has_source = true;
		if (!take_addresses(reader, &reader->sources))
			return false;
	}
	if (nft_word_is(reader->next, ">")) {
		advance(reader);
		reader->has_destination = true;
		if (!take_addresses(reader, &reader->destinations))
			return false;
	}
	if (reader->next.size && !take_service(reader))
		return false;
	if (nft_word_is(reader->next, "from") && !take_from(reader))
		return false;
	if (nft_word_is(reader->next, "flags") && !take_flags(reader))
		return false;
	return reader->next.size == 0 || wrong(reader, "expected here: a filter is [IF] [SOURCE] [> DESTINATION] [PROTOCOL [PORT]]");
}

/* ---- apart ---- */

static const struct prefix any_prefix;
static const struct traffic any_traffic;

struct combination {
	const struct prefix *source, *destination; /* NULL: any */
	const struct traffic *traffic;
};

/* All that is said about the family has to agree. */
static bool settle_family(struct watch_match *match, bool said, enum family family)
{
	if (!said)
		return true;
	if (match->has_family && match->family != family)
		return false;
	match->has_family = true;
	match->family = family;
	return true;
}

static bool add_match(struct filter_reader *reader, struct watch_match_list *out, const struct combination *part)
{
	const struct traffic *traffic = part->traffic;
	struct watch_match match = {
		.interface = reader->interface,
		.has_source = part->source != NULL,
		.has_destination = part->destination != NULL,
		.source = part->source ? *part->source : any_prefix,
		.destination = part->destination ? *part->destination : any_prefix,
		.has_protocol = traffic->has_protocol,
		.protocol = traffic->protocol,
		.has_destination_port = traffic->has_ports,
		.destination_port = traffic->ports,
		.has_source_port = reader->has_source_port,
		.source_port = reader->source_port,
		.has_icmp_type = traffic->has_type,
		.icmp_type = traffic->type,
		.has_flags = reader->has_flags,
		.tcp_flags = reader->tcp_flags,
	};

	if (!settle_family(&match, part->source != NULL, match.source.addr.family) ||
	    !settle_family(&match, part->destination != NULL, match.destination.addr.family) ||
	    !settle_family(&match, traffic->has_family, traffic->family))
		return true;
	if (out->items.len == WATCH_MATCHES_MAX)
		return false;
	vec_push(reader->arena, &out->items, match);
	return true;
}

/* False: there are too many. */
static bool combine(struct filter_reader *reader, struct watch_match_list *out)
{
	size_t sources = reader->has_source ? reader->sources.items.len : 1;
	size_t destinations = reader->has_destination ? reader->destinations.items.len : 1;
	size_t kinds = reader->traffic.len ? reader->traffic.len : 1;

	for (size_t s = 0; s < sources; s++)
		for (size_t d = 0; d < destinations; d++)
			for (size_t k = 0; k < kinds; k++) {
				struct combination part = {
					.source = reader->has_source ? &reader->sources.items.data[s] : NULL,
					.destination = reader->has_destination ? &reader->destinations.items.data[d] : NULL,
					.traffic = reader->traffic.len ? &reader->traffic.data[k] : &any_traffic,
				};

				if (!add_match(reader, out, &part))
					return false;
			}
	return true;
}

bool watch_filter_parse(struct watch_match_list *out, const char *text, const struct watch_names *names,
			struct sources *sources, struct arena *arena, struct diags *diags)
{
	struct filter_reader reader = {.names = names, .arena = arena, .diags = diags};
	size_t before = out->items.len;
	struct span all;

	reader.source = sources_add(sources, WATCH_FILTER_SOURCE_NAME, text, strlen(text));
	if (!reader.source) {
		diag_add(diags, CODE_FILTER, SPAN_NONE, "the filter's text is too long");
		return false;
	}
	reader.rest = reader.source->text;
	if (!read_words(&reader))
		return false;
	all = (struct span){reader.source->start, reader.source->start + (uint32_t)reader.source->size};
	if (!combine(&reader, out))
		diag_add(diags, CODE_FILTER, all, "the filters stand for more than %d combinations of addresses and ports", WATCH_MATCHES_MAX);
	else if (out->items.len == before)
		diag_add(diags, CODE_FILTER, all, "no packet can match: parts of the filter are of IPv4, others of IPv6");
	else
		return true;
	return false;
}

/* ---- on a header ---- */

static bool interface_fits(const char *wanted, const char *name)
{
	if (!wanted)
		return true;
	if (!name)
		return false;
	if (interface_name_is_pattern(wanted))
		return strncmp(name, wanted, strlen(wanted) - 1) == 0;
	return strcmp(name, wanted) == 0;
}

static bool port_fits(bool wanted, const struct port_range *range, const struct port_range *port)
{
	return !wanted || (port->lo >= range->lo && port->lo <= range->hi);
}

static bool fits(const struct watch_match *match, const struct packet *packet)
{
	return interface_fits(match->interface, packet->in) && (!match->has_family || match->family == packet->family) &&
	       (!match->has_source || prefix_contains_addr(&match->source, &packet->source.lo)) &&
	       (!match->has_destination || prefix_contains_addr(&match->destination, &packet->destination.lo)) &&
	       (!match->has_protocol || match->protocol == packet->protocol) &&
	       port_fits(match->has_source_port, &match->source_port, &packet->source_port) &&
	       port_fits(match->has_destination_port, &match->destination_port, &packet->destination_port) &&
	       (!match->has_icmp_type || match->icmp_type == packet->icmp_type) &&
	       (!match->has_flags || match->tcp_flags == packet->tcp_flags);
}

bool watch_matches(const struct watch_match_list *list, const struct nft_header *header)
{
	if (list->items.len == 0)
		return true;
	if (!header)
		return false;
	vec_each(match, &list->items)
		if (fits(match, &header->packet))
			return true;
	return false;
}
