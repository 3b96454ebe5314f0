#include <peerwall/packet.h>

#include <peerwall/match_codec.h>
#include <peerwall/services.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17, IP_DCCP = 33, IP_ICMP6 = 58, IP_SCTP = 132, IP_UDPLITE = 136 };

#define ECHO_REQUEST4 8
#define ECHO_REQUEST6 128

const char *const packet_state_names[PACKET_STATE_COUNT] = {"NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"};

static const char *const flag_names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
#define FLAG_COUNT (sizeof flag_names / sizeof *flag_names)

struct word {
	const char *text; /* NUL-terminated copy; NULL at the end */
	size_t size;
	struct span span;
};

struct packet_reader {
	const struct source *source;
	struct arena *arena;
	struct diags *diags;
	const char *rest;
	struct word next;
	bool state_given;
};

/* ---- words ---- */

static void advance(struct packet_reader *reader)
{
	const char *start = reader->rest + strspn(reader->rest, " \t\n");
	size_t size = strcspn(start, " \t\n");
	uint32_t at = reader->source->start + (uint32_t)(start - reader->source->text);

	reader->next = (struct word){
		.text = size ? arena_strndup(reader->arena, start, size) : NULL,
		.size = size,
		.span = {at, at + (uint32_t)size},
	};
	reader->rest = start + size;
}

static bool next_is(const struct packet_reader *reader, const char *text)
{
	return reader->next.text && strcmp(reader->next.text, text) == 0;
}

/* At the word, or behind the last one. */
static bool wrong(struct packet_reader *reader, const char *wanted)
{
	struct word word = reader->next;

	if (!word.text)
		diag_add(reader->diags, CODE_PACKET, word.span, "the packet ends where there should be %s", wanted);
	else
		diag_add(reader->diags, CODE_PACKET, word.span, "%s is not %s",
			 diag_quote(reader->diags, word.text, word.size), wanted);
	return false;
}

static bool take_number(struct packet_reader *reader, unsigned long least, unsigned long most, unsigned long *out,
			const char *wanted)
{
	const char *text = reader->next.text;
	char *end;

	if (!text || !*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return wrong(reader, wanted);
	*out = strtoul(text, &end, 10);
	if (*out < least || *out > most)
		return wrong(reader, wanted);
	advance(reader);
	return true;
}

/* ---- the parts ---- */

static bool take_interface(struct packet_reader *reader, const char **out)
{
	const struct word *word = &reader->next;

	if (!word->text || word->size > INTERFACE_NAME_MAX || strchr(word->text, '/') || interface_name_is_pattern(word->text))
		return wrong(reader, "the name of an interface");
	*out = word->text;
	advance(reader);
	return true;
}

static bool take_address(struct packet_reader *reader, struct addr_bounds *out, const char *wanted)
{
	if (!reader->next.text || !addr_parse(reader->next.text, reader->next.size, &out->lo))
		return wrong(reader, wanted);
	out->hi = out->lo;
	advance(reader);
	return true;
}

static bool find_protocol(const char *name, size_t size, enum family family, uint8_t *out)
{
	if (strcasecmp(name, "icmp") == 0 || strcasecmp(name, "icmpv6") == 0) {
		*out = family == FAMILY_IPV4 ? IP_ICMP : IP_ICMP6;
		return (family == FAMILY_IPV6) || strcasecmp(name, "icmp") == 0;
	}
	/* "all" is no packet's. */
	return protocol_number(name, size, out) && (*out != 0 || *name == '0');
}

static bool take_port_name(struct packet_reader *reader, const struct packet *packet, uint16_t *out)
{
	struct services services = {0};
	const struct services_entry *entry;

	if (services_load(&services, SERVICES_PATH, reader->arena) != 0)
		return wrong(reader, "a port");
	entry = services_find(&services, reader->next.text, reader->next.size);
	for (int i = 0; entry && i < PROTOCOL_COUNT; i++)
		if (entry->known[i] && protocol_numbers[i] == packet->protocol) {
			*out = entry->ports[i];
			advance(reader);
			return true;
		}
	return wrong(reader, "a port");
}

static bool take_port(struct packet_reader *reader, const struct packet *packet, struct port_range *out)
{
	unsigned long number;
	uint16_t port = 0;

	if (reader->next.text && strspn(reader->next.text, "0123456789") != reader->next.size) {
		if (!take_port_name(reader, packet, &port))
			return false;
	} else {
		if (!take_number(reader, 0, UINT16_MAX, &number, "a port"))
			return false;
		port = (uint16_t)number;
	}
	*out = (struct port_range){port, port};
	return true;
}

/* "8", "3/1", or "ping". */
static bool take_icmp(struct packet_reader *reader, struct packet *packet)
{
	const char *text = reader->next.text, *slash = text ? strchr(text, '/') : NULL;
	unsigned long type, code = 0;
	char *end;

	if (next_is(reader, "ping")) {
		packet->icmp_type = packet->family == FAMILY_IPV4 ? ECHO_REQUEST4 : ECHO_REQUEST6;
		advance(reader);
		return true;
	}
	if (!text || strspn(text, "0123456789/") != reader->next.size || *text == '/' || (slash && !slash[1]) ||
	    reader->next.size > 7)
		return wrong(reader, "a type of ICMP: a number, TYPE/CODE, or ping");
	type = strtoul(text, &end, 10);
	if (slash)
		code = strtoul(slash + 1, &end, 10);
	if (*end || type > UINT8_MAX || code > UINT8_MAX)
		return wrong(reader, "a type of ICMP: a number, TYPE/CODE, or ping");
	packet->icmp_type = (uint8_t)type;
	packet->icmp_code = (uint8_t)code;
	advance(reader);
	return true;
}

static bool take_service(struct packet_reader *reader, struct packet *packet)
{
	if (!reader->next.text || !find_protocol(reader->next.text, reader->next.size, packet->family, &packet->protocol)) {
		if (next_is(reader, "icmpv6"))
			return wrong(reader, "a protocol of IPv4");
		return wrong(reader, "a protocol");
	}
	advance(reader);
	if (packet_is_icmp(packet))
		return take_icmp(reader, packet);
	packet->source_port = (struct port_range){1, UINT16_MAX};
	return !packet_has_ports(packet) || take_port(reader, packet, &packet->destination_port);
}

/* ---- what may follow ---- */

static bool take_state(struct packet_reader *reader, struct packet *packet)
{
	for (int i = 0; i < PACKET_STATE_COUNT; i++)
		if (reader->next.text && strcasecmp(reader->next.text, packet_state_names[i]) == 0) {
			packet->state = (enum packet_state)i;
			reader->state_given = true;
			advance(reader);
			return true;
		}
	return wrong(reader, "new, established, related, invalid or untracked");
}

static bool find_flag(const char *name, size_t size, uint8_t *out)
{
	for (size_t i = 0; i < FLAG_COUNT; i++)
		if (strlen(flag_names[i]) == size && strncasecmp(name, flag_names[i], size) == 0) {
			*out = (uint8_t)(1u << i);
			return true;
		}
	*out = 0;
	return size == 4 && strncasecmp(name, "none", size) == 0;
}

static bool take_flags(struct packet_reader *reader, struct packet *packet)
{
	const char *text = reader->next.text;

	if (packet->protocol != IP_TCP)
		return wrong(reader, "expected here: only TCP has flags");
	for (const char *at = text; at; at = strchr(at, ',')) {
		uint8_t flag;

		at += *at == ',';
		if (!find_flag(at, strcspn(at, ","), &flag))
			return wrong(reader, "a list of flags such as SYN,ACK");
		packet->tcp_flags |= flag;
	}
	if (!text)
		return wrong(reader, "a list of flags such as SYN,ACK");
	packet->has_flags = true;
	advance(reader);
	return true;
}

static bool take_from(struct packet_reader *reader, struct packet *packet)
{
	if (!packet_has_ports(packet))
		return wrong(reader, "expected here: the protocol has no ports");
	return take_port(reader, packet, &packet->source_port);
}

static bool take_local(struct packet_reader *reader, struct packet *packet)
{
	(void)reader;
	packet->place = PLACE_LOCAL;
	return true;
}

static bool take_via(struct packet_reader *reader, struct packet *packet)
{
	packet->place = PLACE_FORWARDED;
	return take_interface(reader, &packet->via);
}

static bool take_ttl(struct packet_reader *reader, struct packet *packet)
{
	unsigned long number;

	if (!take_number(reader, 0, UINT8_MAX, &number, "a hop limit"))
		return false;
	packet->has_ttl = true;
	packet->ttl = (uint8_t)number;
	return true;
}

static bool take_length(struct packet_reader *reader, struct packet *packet)
{
	unsigned long number;

	if (!take_number(reader, 20, UINT16_MAX, &number, "a length of 20 to 65535 bytes"))
		return false;
	packet->has_length = true;
	packet->length = (uint16_t)number;
	return true;
}

typedef bool (*part_function)(struct packet_reader *reader, struct packet *packet);

enum { PART_FROM = 1, PART_STATE = 2, PART_FLAGS = 4, PART_PLACE = 8, PART_TTL = 16, PART_LENGTH = 32 };

static const struct part {
	const char *word;
	unsigned bit; /* each part once */
	part_function take;
} parts[] = {
	{"from", PART_FROM, take_from},   {"state", PART_STATE, take_state}, {"flags", PART_FLAGS, take_flags},
	{"local", PART_PLACE, take_local}, {"via", PART_PLACE, take_via},    {"ttl", PART_TTL, take_ttl},
	{"length", PART_LENGTH, take_length},
};

static bool take_part(struct packet_reader *reader, struct packet *packet, unsigned *seen)
{
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!next_is(reader, parts[i].word))
			continue;
		if (*seen & parts[i].bit)
			return wrong(reader, parts[i].bit == PART_PLACE ? "expected here: of local and via, one is said already" :
									  "expected here: it was said already");
		*seen |= parts[i].bit;
		advance(reader);
		return parts[i].take(reader, packet);
	}
	return wrong(reader, "one of from, state, flags, local, via, ttl, length");
}

/* ---- the whole ---- */

static bool take_head(struct packet_reader *reader, struct packet *packet)
{
	if (!take_interface(reader, &packet->in) || !take_address(reader, &packet->source, "an address"))
		return false;
	packet->family = packet->source.lo.family;
	if (!next_is(reader, ">"))
		return wrong(reader, "'>', then the destination");
	advance(reader);
	if (reader->next.text && addr_parse(reader->next.text, reader->next.size, &packet->destination.lo) &&
	    packet->destination.lo.family != packet->family)
		return wrong(reader, packet->family == FAMILY_IPV4 ? "an IPv4 address" : "an IPv6 address");
	return take_address(reader, &packet->destination, "an address") && take_service(reader, packet);
}

/* A connection's first packet has SYN alone, unless something else was said. */
static void complete(struct packet *packet, bool state_given)
{
	bool tcp = packet->protocol == IP_TCP;

	if (tcp && !packet->has_flags && (!state_given || packet->state == PACKET_NEW)) {
		packet->tcp_flags = TCP_SYN;
		packet->has_flags = true;
	}
	if (!state_given)
		packet->state = packet_first_state(packet);
}

bool packet_parse(struct packet *out, const char *text, struct sources *sources, struct arena *arena, struct diags *diags)
{
	struct packet_reader reader = {.arena = arena, .diags = diags};
	unsigned seen = 0;

	*out = (struct packet){0};
	reader.source = sources_add(sources, PACKET_SOURCE_NAME, text, strlen(text));
	if (!reader.source) {
		diag_add(diags, CODE_PACKET, SPAN_NONE, "the packet's text is too long");
		return false;
	}
	reader.rest = reader.source->text;
	advance(&reader);
	if (!take_head(&reader, out))
		return false;
	while (reader.next.text)
		if (!take_part(&reader, out, &seen))
			return false;
	complete(out, reader.state_given);
	return true;
}

/* ---- what can be told of a packet ---- */

bool packet_has_ports(const struct packet *packet)
{
	switch (packet->protocol) {
	case IP_TCP:
	case IP_UDP:
	case IP_SCTP:
	case IP_DCCP:
	case IP_UDPLITE:
		return true;
	}
	return false;
}

bool packet_is_icmp(const struct packet *packet)
{
	return packet->protocol == (packet->family == FAMILY_IPV4 ? IP_ICMP : IP_ICMP6);
}

bool bounds_are_single(const struct addr_bounds *bounds)
{
	return addr_equal(&bounds->lo, &bounds->hi);
}

/* tcp_valid_flags and the rows of tcp_conntracks for a connection that is not known yet. */
enum packet_state packet_state_of_flags(uint8_t tcp_flags)
{
	switch (tcp_flags & ~TCP_PSH) {
	case TCP_SYN:
	case TCP_SYN | TCP_URG:
	case TCP_ACK:
	case TCP_ACK | TCP_URG:
		return PACKET_NEW;
	}
	return PACKET_INVALID;
}

/* icmp_pkt_to_tuple's requests; all else answers something, or is an error about something. */
static enum packet_state icmp_state(uint8_t type)
{
	return type == ECHO_REQUEST4 || type == 13 || type == 15 || type == 17 ? PACKET_NEW : PACKET_INVALID;
}

/* nf_conntrack_proto_icmpv6.c: neighbour discovery and listeners' reports are not tracked at all, nor, since Linux 6.9, is the
 * discovery of multicast routers. */
static enum packet_state icmp6_state(uint8_t type)
{
	if ((type >= 130 && type <= 136) || type == 143 || type == 151 || type == 152)
		return PACKET_UNTRACKED;
	return type == ECHO_REQUEST6 || type == 139 ? PACKET_NEW : PACKET_INVALID;
}

enum packet_state packet_first_state(const struct packet *packet)
{
	if (packet->protocol == IP_TCP)
		return packet_state_of_flags(packet->tcp_flags);
	if (packet_is_icmp(packet))
		return packet->family == FAMILY_IPV4 ? icmp_state(packet->icmp_type) : icmp6_state(packet->icmp_type);
	return PACKET_NEW;
}

/* ---- in words ---- */

void packet_describe_bounds(struct strbuf *out, const struct addr_bounds *bounds)
{
	char text[ADDR_TEXT_MAX];

	addr_format(&bounds->lo, text);
	strbuf_adds(out, text);
	if (bounds_are_single(bounds))
		return;
	addr_format(&bounds->hi, text);
	strbuf_addf(out, "-%s", text);
}

static void describe_port(struct strbuf *out, const struct port_range *port)
{
	strbuf_addf(out, port->lo == port->hi ? " %u" : " %u-%u", port->lo, port->hi);
}

void packet_describe_service(struct strbuf *out, const struct packet *packet)
{
	const char *name = protocol_name(packet->protocol);

	if (packet_is_icmp(packet))
		strbuf_adds(out, packet->family == FAMILY_IPV4 ? "icmp" : "icmpv6");
	else if (name)
		strbuf_adds(out, name);
	else
		strbuf_addf(out, "%u", packet->protocol);
	if (packet_is_icmp(packet))
		strbuf_addf(out, packet->icmp_code ? " %u/%u" : " %u", packet->icmp_type, packet->icmp_code);
	else if (packet_has_ports(packet))
		describe_port(out, &packet->destination_port);
}

void packet_describe_flags(struct strbuf *out, uint8_t tcp_flags)
{
	const char *separator = "";

	for (size_t i = 0; i < FLAG_COUNT; i++)
		if (tcp_flags & (1u << i)) {
			strbuf_addf(out, "%s%s", separator, flag_names[i]);
			separator = ",";
		}
	if (!*separator)
		strbuf_adds(out, "none");
}

void packet_describe(struct strbuf *out, const struct packet *packet)
{
	if (packet->in)
		strbuf_addf(out, "%s ", packet->in);
	packet_describe_bounds(out, &packet->source);
	strbuf_adds(out, " > ");
	packet_describe_bounds(out, &packet->destination);
	strbuf_addc(out, ' ');
	packet_describe_service(out, packet);
	if (packet_has_ports(packet) && packet->source_port.lo == packet->source_port.hi)
		strbuf_addf(out, " from %u", packet->source_port.lo);
}
