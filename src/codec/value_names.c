/* Names that stand for numbers: ICMP types, REJECT's answers, TCP flags, DSCP classes, types of service. */
#include "value.h"
#include "words.h"

#include <string.h>
#include <strings.h>

struct icmp_name {
	const char *name;
	uint8_t type;
	int16_t code; /* -1: any */
};

/* RFC 792 and successors, by the names of iptables -p icmp -h. */
static const struct icmp_name icmp4_names[] = {
	{"echo-reply", 0, -1}, {"pong", 0, -1}, {"destination-unreachable", 3, -1}, {"network-unreachable", 3, 0},
	{"host-unreachable", 3, 1}, {"protocol-unreachable", 3, 2}, {"port-unreachable", 3, 3},
	{"fragmentation-needed", 3, 4}, {"source-route-failed", 3, 5}, {"network-unknown", 3, 6},
	{"host-unknown", 3, 7}, {"network-prohibited", 3, 9}, {"host-prohibited", 3, 10},
	{"TOS-network-unreachable", 3, 11}, {"TOS-host-unreachable", 3, 12}, {"communication-prohibited", 3, 13},
	{"host-precedence-violation", 3, 14}, {"precedence-cutoff", 3, 15}, {"source-quench", 4, -1},
	{"redirect", 5, -1}, {"network-redirect", 5, 0}, {"host-redirect", 5, 1}, {"TOS-network-redirect", 5, 2},
	{"TOS-host-redirect", 5, 3}, {"echo-request", 8, -1}, {"ping", 8, -1}, {"router-advertisement", 9, -1},
	{"router-solicitation", 10, -1}, {"time-exceeded", 11, -1}, {"ttl-exceeded", 11, -1},
	{"ttl-zero-during-transit", 11, 0}, {"ttl-zero-during-reassembly", 11, 1}, {"parameter-problem", 12, -1},
	{"ip-header-bad", 12, 0}, {"required-option-missing", 12, 1}, {"timestamp-request", 13, -1},
	{"timestamp-reply", 14, -1}, {"address-mask-request", 17, -1}, {"address-mask-reply", 18, -1},
	{NULL, 0, 0},
};

/* RFC 4443 and successors, by the names of ip6tables -p ipv6-icmp -h. */
static const struct icmp_name icmp6_names[] = {
	{"destination-unreachable", 1, -1}, {"no-route", 1, 0}, {"communication-prohibited", 1, 1},
	{"beyond-scope", 1, 2}, {"address-unreachable", 1, 3}, {"port-unreachable", 1, 4}, {"failed-policy", 1, 5},
	{"reject-route", 1, 6}, {"packet-too-big", 2, -1}, {"time-exceeded", 3, -1}, {"ttl-exceeded", 3, -1},
	{"ttl-zero-during-transit", 3, 0}, {"ttl-zero-during-reassembly", 3, 1}, {"parameter-problem", 4, -1},
	{"bad-header", 4, 0}, {"unknown-header-type", 4, 1}, {"unknown-option", 4, 2}, {"echo-request", 128, -1},
	{"ping", 128, -1}, {"echo-reply", 129, -1}, {"pong", 129, -1}, {"mld-listener-query", 130, -1},
	{"mld-listener-report", 131, -1}, {"mld-listener-done", 132, -1}, {"mld-listener-reduction", 132, -1},
	{"router-solicitation", 133, -1}, {"router-advertisement", 134, -1}, {"neighbour-solicitation", 135, -1},
	{"neighbor-solicitation", 135, -1}, {"neighbour-advertisement", 136, -1},
	{"neighbor-advertisement", 136, -1}, {"redirect", 137, -1},
	{NULL, 0, 0},
};

/* By its name or the beginning of one, as long as that says which. */
static const struct icmp_name *find_icmp_name(const struct icmp_name *names, const char *text, size_t size)
{
	const struct icmp_name *found = NULL;

	for (const struct icmp_name *name = names; name->name; name++) {
		if (size == 0 || strncasecmp(name->name, text, size) != 0)
			continue;
		if (strlen(name->name) == size)
			return name;
		if (found && (found->type != name->type || found->code != name->code))
			return NULL;
		found = name;
	}
	return found;
}

bool icmp_read(enum family family, const char *text, size_t size, struct value *out)
{
	const struct icmp_name *name = find_icmp_name(family == FAMILY_IPV4 ? icmp4_names : icmp6_names, text, size);
	const char *slash = memchr(text, '/', size);
	uint64_t type, code, code_hi;

	out->icmp.code = out->icmp.code_hi = -1;
	if (family == FAMILY_IPV4 && word_equal_nocase(text, size, "any")) {
		out->icmp.type = -1;
		return true;
	}
	if (name) {
		out->icmp.type = name->type;
		out->icmp.code = out->icmp.code_hi = name->code;
		return true;
	}
	if (!number_read(text, slash ? (size_t)(slash - text) : size, UINT8_MAX, &type))
		return false;
	out->icmp.type = (int16_t)type;
	if (slash) {
		const char *codes = slash + 1;
		size_t count = (size_t)(text + size - codes);
		const char *colon = memchr(codes, ':', count);

		if (!number_read(codes, colon ? (size_t)(colon - codes) : count, UINT8_MAX, &code))
			return false;
		code_hi = code;
		if (colon && !number_read(colon + 1, (size_t)(codes + count - colon - 1), UINT8_MAX, &code_hi))
			return false;
		if (code > code_hi)
			return false;
		if (code > 0 || code_hi < UINT8_MAX) {
			out->icmp.code = (int16_t)code;
			out->icmp.code_hi = (int16_t)code_hi;
		}
	}
	/* The kernel's xt_icmp takes type 255 with all codes for "any". */
	if (family == FAMILY_IPV4 && type == UINT8_MAX && out->icmp.code < 0)
		out->icmp.type = -1;
	return true;
}

void icmp_print(struct strbuf *out, const struct value *value)
{
	if (value->icmp.type < 0) {
		strbuf_adds(out, "any");
		return;
	}
	strbuf_addf(out, "%d", value->icmp.type);
	if (value->icmp.code >= 0)
		strbuf_addf(out, "/%d", value->icmp.code);
	if (value->icmp.code >= 0 && value->icmp.code_hi > value->icmp.code)
		strbuf_addf(out, ":%d", value->icmp.code_hi);
}

struct reject_name {
	const char *name;
	const char *alias;
};

const char *reject_name(enum family family, const char *text, size_t size)
{
	static const struct reject_name names[2][9] = {
		{
			{"icmp-net-unreachable", "net-unreach"}, {"icmp-host-unreachable", "host-unreach"},
			{"icmp-proto-unreachable", "proto-unreach"}, {"icmp-port-unreachable", "port-unreach"},
			{"icmp-net-prohibited", "net-prohib"}, {"icmp-host-prohibited", "host-prohib"},
			{"tcp-reset", "tcp-rst"}, {"icmp-admin-prohibited", "admin-prohib"}, {NULL, NULL},
		},
		{
			{"icmp6-no-route", "no-route"}, {"icmp6-adm-prohibited", "adm-prohibited"},
			{"icmp6-addr-unreachable", "addr-unreach"}, {"icmp6-port-unreachable", "port-unreach"},
			{"tcp-reset", "tcp-reset"}, {"icmp6-policy-fail", "policy-fail"},
			{"icmp6-reject-route", "reject-route"}, {NULL, NULL}, {NULL, NULL},
		},
	};

	for (const struct reject_name *name = names[family]; name->name; name++)
		if (word_equal_nocase(text, size, name->name) || word_equal_nocase(text, size, name->alias))
			return name->name;
	return NULL;
}

/* In the order in which iptables-save prints them; the bits are the TCP header's. */
static const struct {
	const char *name;
	uint8_t bit;
} tcp_flag_names[] = {
	{"FIN", 0x01}, {"SYN", 0x02}, {"RST", 0x04}, {"PSH", 0x08}, {"ACK", 0x10}, {"URG", 0x20},
};
#define TCP_FLAG_COUNT (sizeof tcp_flag_names / sizeof *tcp_flag_names)

static bool read_flags(const char *text, size_t size, uint8_t *out)
{
	const char *item = text, *end = text + size;

	*out = 0;
	for (;;) {
		const char *comma = memchr(item, ',', (size_t)(end - item));
		size_t length = (size_t)((comma ? comma : end) - item), i;

		for (i = 0; i < TCP_FLAG_COUNT; i++)
			if (word_equal_nocase(item, length, tcp_flag_names[i].name)) {
				*out |= tcp_flag_names[i].bit;
				break;
			}
		if (word_equal_nocase(item, length, "ALL"))
			*out = 0x3f;
		else if (i == TCP_FLAG_COUNT && !word_equal_nocase(item, length, "NONE"))
			return false;
		if (!comma)
			return true;
		item = comma + 1;
	}
}

static void print_flags(struct strbuf *out, uint8_t flags)
{
	bool first = true;

	for (size_t i = 0; i < TCP_FLAG_COUNT; i++)
		if (flags & tcp_flag_names[i].bit) {
			if (!first)
				strbuf_addc(out, ',');
			strbuf_adds(out, tcp_flag_names[i].name);
			first = false;
		}
	if (first)
		strbuf_adds(out, "NONE");
}

bool tcp_flags_read(struct value_reader *reader, struct value *out)
{
	if (reader->transform == TRANSFORM_SYN) {
		out->tcp_flags.mask = 0x17; /* FIN,SYN,RST,ACK */
		out->tcp_flags.comp = 0x02; /* SYN */
		return true;
	}
	return read_flags(reader->words[0].text, reader->words[0].size, &out->tcp_flags.mask) &&
	       read_flags(reader->words[1].text, reader->words[1].size, &out->tcp_flags.comp);
}

void tcp_flags_print(struct strbuf *out, const struct value *value)
{
	print_flags(out, value->tcp_flags.mask);
	strbuf_addc(out, ' ');
	print_flags(out, value->tcp_flags.comp);
}

/* RFC 2474 (CS), RFC 2597 (AF), RFC 3246 (EF). */
bool dscp_class_read(const char *text, size_t size, uint64_t *out)
{
	if (word_equal_nocase(text, size, "BE"))
		*out = 0;
	else if (word_equal_nocase(text, size, "EF"))
		*out = 46;
	else if (size == 3 && strncasecmp(text, "CS", 2) == 0 && text[2] >= '0' && text[2] <= '7')
		*out = (uint64_t)(text[2] - '0') * 8;
	else if (size == 4 && strncasecmp(text, "AF", 2) == 0 && text[2] >= '1' && text[2] <= '4' &&
		 text[3] >= '1' && text[3] <= '3')
		*out = (uint64_t)(text[2] - '0') * 8 + (uint64_t)(text[3] - '0') * 2;
	else
		return false;
	return true;
}

/* RFC 1349. */
bool tos_name_read(const char *text, size_t size, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t value;
	} names[] = {
		{"Minimize-Delay", 0x10}, {"Maximize-Throughput", 0x08}, {"Maximize-Reliability", 0x04},
		{"Minimize-Cost", 0x02}, {"Normal-Service", 0x00},
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (word_equal_nocase(text, size, names[i].name)) {
			*out = names[i].value;
			return true;
		}
	return false;
}
