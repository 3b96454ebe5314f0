/* A packet's header as `nft monitor trace` prints it: "iif "wg1" ip saddr 10.1.1.4 ... tcp dport 873 tcp flags == syn". */
#include <peerwall/nft_trace.h>

#include <peerwall/match_codec.h>

#include <string.h>

#define IP6_HEADER_SIZE 40

/* What the names stand for, in nft's tables of constants (src/proto.c, src/exthdr.c of nftables). */
struct constant {
	const char *name;
	uint8_t value;
};

static const struct constant types4[] = {
	{"echo-reply", 0}, {"destination-unreachable", 3}, {"source-quench", 4}, {"redirect", 5}, {"echo-request", 8},
	{"router-advertisement", 9}, {"router-solicitation", 10}, {"time-exceeded", 11}, {"parameter-problem", 12},
	{"timestamp-request", 13}, {"timestamp-reply", 14}, {"info-request", 15}, {"info-reply", 16},
	{"address-mask-request", 17}, {"address-mask-reply", 18}, {NULL, 0},
};

static const struct constant types6[] = {
	{"destination-unreachable", 1}, {"packet-too-big", 2}, {"time-exceeded", 3}, {"parameter-problem", 4},
	{"echo-request", 128}, {"echo-reply", 129}, {"mld-listener-query", 130}, {"mld-listener-report", 131},
	{"mld-listener-done", 132}, {"mld-listener-reduction", 132}, {"nd-router-solicit", 133}, {"nd-router-advert", 134},
	{"nd-neighbor-solicit", 135}, {"nd-neighbor-advert", 136}, {"nd-redirect", 137}, {"router-renumbering", 138},
	{"ind-neighbor-solicit", 141}, {"ind-neighbor-advert", 142}, {"mld2-listener-report", 143}, {NULL, 0},
};

static const struct constant codes4[] = {
	{"net-unreachable", 0}, {"host-unreachable", 1}, {"prot-unreachable", 2}, {"port-unreachable", 3}, {"frag-needed", 4},
	{"net-prohibited", 9}, {"host-prohibited", 10}, {"admin-prohibited", 13}, {NULL, 0},
};

static const struct constant codes6[] = {
	{"no-route", 0}, {"admin-prohibited", 1}, {"addr-unreachable", 3}, {"port-unreachable", 4}, {"policy-fail", 5},
	{"reject-route", 6}, {NULL, 0},
};

static const struct constant tcp_flags[] = {
	{"fin", TCP_FIN}, {"syn", TCP_SYN}, {"rst", TCP_RST}, {"psh", TCP_PSH}, {"ack", TCP_ACK}, {"urg", TCP_URG}, {NULL, 0},
};

static bool find_constant(const struct constant *table, struct nft_word word, uint8_t *out)
{
	uint64_t number;

	for (; table->name; table++)
		if (nft_word_is(word, table->name)) {
			*out = table->value;
			return true;
		}
	if (!nft_word_number(word, UINT8_MAX, &number))
		return false;
	*out = (uint8_t)number;
	return true;
}

bool nft_icmp_type(struct nft_word word, enum family family, uint8_t *out)
{
	return find_constant(family == FAMILY_IPV4 ? types4 : types6, word, out);
}

struct header_reader {
	struct nft_header *header;
	struct arena *arena;
	const char *rest, *end;
	unsigned addresses;
	bool impossible; /* a number is larger than its field */
};

static struct nft_word take(struct header_reader *reader)
{
	return nft_word_next(&reader->rest, reader->end);
}

/* False if it is none: nft may print names. */
static bool take_number(struct header_reader *reader, uint64_t most, uint64_t *out)
{
	struct nft_word word = take(reader);
	bool taken = nft_word_number(word, most, out);

	reader->impossible |= !taken && word.size && word.text[0] >= '0' && word.text[0] <= '9';
	return taken;
}

static void take_address(struct header_reader *reader, struct addr_bounds *out)
{
	struct nft_word word = take(reader);

	if (!addr_parse(word.text, word.size, &out->lo))
		return;
	out->hi = out->lo;
	reader->header->packet.family = out->lo.family;
	reader->addresses++;
}

static void take_protocol(struct header_reader *reader)
{
	struct nft_word word = take(reader);
	uint8_t number;

	if (protocol_number(nft_word_keep(word, reader->arena), word.size, &number))
		reader->header->packet.protocol = number;
}

static void take_ip(struct header_reader *reader, bool is6)
{
	struct packet *packet = &reader->header->packet;
	struct nft_word key = take(reader);
	uint64_t number;

	if (nft_word_is(key, "saddr")) {
		take_address(reader, &packet->source);
	} else if (nft_word_is(key, "daddr")) {
		take_address(reader, &packet->destination);
	} else if (nft_word_is(key, is6 ? "nexthdr" : "protocol")) {
		take_protocol(reader);
	} else if (nft_word_is(key, is6 ? "hoplimit" : "ttl")) {
		packet->has_ttl = take_number(reader, UINT8_MAX, &number);
		packet->ttl = packet->has_ttl ? (uint8_t)number : 0;
	} else if (nft_word_is(key, "length")) {
		packet->has_length = take_number(reader, UINT16_MAX, &number) && number <= UINT16_MAX - IP6_HEADER_SIZE;
		packet->length = packet->has_length ? (uint16_t)(number + (is6 ? IP6_HEADER_SIZE : 0)) : 0;
	} else {
		take(reader);
	}
}

/* "syn", "syn,ack", "0x14", "syn | ack", each with or without "==" before it. */
static void take_flags(struct header_reader *reader)
{
	struct packet *packet = &reader->header->packet;
	struct nft_word word = take(reader), name;
	uint8_t bits;

	if (nft_word_is(word, "=="))
		word = take(reader);
	for (;;) {
		while (nft_word_item(&word, &name))
			if (find_constant(tcp_flags, name, &bits)) {
				packet->tcp_flags |= bits & (TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG);
				packet->has_flags = true;
			}
		const char *before = reader->rest;
		if (!nft_word_is(take(reader), "|")) {
			reader->rest = before;
			return;
		}
		word = take(reader);
	}
}

static void take_port(struct header_reader *reader, struct port_range *out)
{
	uint64_t number;

	if (take_number(reader, UINT16_MAX, &number))
		*out = (struct port_range){(uint16_t)number, (uint16_t)number};
}

/* A header of the transport layer: its name, then one field. */
static void take_transport(struct header_reader *reader, struct nft_word name)
{
	struct packet *packet = &reader->header->packet;
	const char *protocol = nft_word_is(name, "icmpv6") ? "ipv6-icmp" : nft_word_keep(name, reader->arena);
	struct nft_word key = take(reader);
	bool icmp = nft_word_is(name, "icmp") || nft_word_is(name, "icmpv6");
	uint8_t number;

	if (protocol_number(protocol, strlen(protocol), &number) && number)
		packet->protocol = number;
	if (icmp && nft_word_is(key, "type"))
		nft_icmp_type(take(reader), packet->family, &packet->icmp_type);
	else if (icmp && nft_word_is(key, "code"))
		find_constant(packet->family == FAMILY_IPV4 ? codes4 : codes6, take(reader), &packet->icmp_code);
	else if (nft_word_is(key, "sport"))
		take_port(reader, &packet->source_port);
	else if (nft_word_is(key, "dport"))
		take_port(reader, &packet->destination_port);
	else if (nft_word_is(key, "flags"))
		take_flags(reader);
	else
		take(reader);
}

static void take_meta(struct header_reader *reader)
{
	if (nft_word_is(take(reader), "l4proto"))
		take_protocol(reader);
	else
		take(reader);
}

bool nft_header_read(struct nft_header *out, const char *text, const char *end, struct arena *arena)
{
	struct header_reader reader = {.header = out, .arena = arena, .rest = text, .end = end};

	*out = (struct nft_header){0};
	for (struct nft_word word = take(&reader); word.size; word = take(&reader)) {
		if (nft_word_is(word, "iif") || nft_word_is(word, "iifname"))
			out->packet.in = nft_word_keep(take(&reader), arena);
		else if (nft_word_is(word, "oif") || nft_word_is(word, "oifname"))
			out->out = nft_word_keep(take(&reader), arena);
		else if (nft_word_is(word, "ip") || nft_word_is(word, "ip6"))
			take_ip(&reader, word.size == 3);
		else if (nft_word_is(word, "meta"))
			take_meta(&reader);
		else if (word.text[0] == '@')
			take(&reader);
		else
			take_transport(&reader, word);
	}
	out->has_addresses = reader.addresses == 2;
	out->packet.state = packet_first_state(&out->packet);
	return !reader.impossible;
}
