/* Addresses in options: networks with masks, and the ranges of DNAT and SNAT. */
#include "value.h"
#include "words.h"

#include <string.h>

/* iptables takes "10.1/16": missing bytes are zero. */
static bool read_short_ipv4(const char *text, size_t size, struct addr *out)
{
	const char *part = text, *end = text + size;
	uint64_t byte;

	*out = (struct addr){.family = FAMILY_IPV4};
	for (int i = 0; i < 4; i++) {
		const char *dot = memchr(part, '.', (size_t)(end - part));

		if (!number_read(part, (size_t)((dot ? dot : end) - part), UINT8_MAX, &byte))
			return false;
		out->bytes[i] = (uint8_t)byte;
		if (!dot)
			return true;
		part = dot + 1;
	}
	return false;
}

static bool read_addr(enum family family, const char *text, size_t size, struct addr *out)
{
	if (addr_parse(text, size, out))
		return out->family == family;
	return family == FAMILY_IPV4 && read_short_ipv4(text, size, out);
}

bool network_read(enum family family, const char *text, size_t size, struct addr *addr, struct addr *mask)
{
	const char *slash = memchr(text, '/', size);
	size_t before = slash ? (size_t)(slash - text) : size;
	unsigned length = family_bits(family);

	if (slash) {
		const char *digits = slash + 1;
		size_t count = size - before - 1;
		bool plain = count > 0 && count <= 3;

		for (size_t i = 0; i < count && plain; i++)
			plain = digits[i] >= '0' && digits[i] <= '9';
		if (plain) {
			length = 0;
			for (size_t i = 0; i < count; i++)
				length = length * 10 + (unsigned)(digits[i] - '0');
			if (length > family_bits(family))
				return false;
			*mask = addr_netmask(family, length);
		} else if (!addr_parse(digits, count, mask) || mask->family != family) {
			return false;
		}
	} else {
		*mask = addr_netmask(family, length);
	}
	/* With an empty mask whatever stands before it does not matter: "any/0", "0/0" for IPv6. */
	*addr = (struct addr){.family = family};
	if (mask_is_zero(mask))
		return true;
	if (!read_addr(family, text, before, addr))
		return false;
	for (int i = 0; i < 16; i++)
		addr->bytes[i] &= mask->bytes[i];
	return true;
}

void network_print(struct strbuf *out, const struct addr *addr, const struct addr *mask, bool bare_host)
{
	int length = addr_netmask_length(mask);
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	strbuf_adds(out, text);
	if (length < 0) {
		addr_format(mask, text);
		strbuf_addc(out, '/');
		strbuf_adds(out, text);
	} else if (!bare_host || (unsigned)length != family_bits(addr->family)) {
		strbuf_addf(out, "/%d", length);
	}
}

bool mask_is_zero(const struct addr *mask)
{
	return addr_netmask_length(mask) == 0;
}

/* ---- [addr[-addr]][:port[-port[/base]]], IPv6 addresses before ports in brackets ---- */

static bool read_nat_addrs(struct value_reader *reader, const char *text, size_t size, struct value *out)
{
	const char *dash = memchr(text, '-', size);
	size_t before = dash ? (size_t)(dash - text) : size;

	if (!addr_parse(text, before, &out->nat.lo) || out->nat.lo.family != reader->family)
		return false;
	out->nat.hi = out->nat.lo;
	if (dash && (!addr_parse(dash + 1, size - before - 1, &out->nat.hi) || out->nat.hi.family != reader->family))
		return false;
	out->nat.has_addr = true;
	return true;
}

static bool read_nat_port_part(struct value_reader *reader, const char *text, size_t size, struct value *out)
{
	const char *dash = memchr(text, '-', size), *slash = memchr(text, '/', size);
	size_t before = dash ? (size_t)(dash - text) : size;
	uint64_t lo, hi;

	out->nat.has_port = true;
	/* A name may hold dashes; a range has to be of numbers. */
	if (!number_read(text, before, UINT16_MAX, &lo)) {
		if (!port_read(reader, text, size, &out->nat.port_lo))
			return false;
		out->nat.port_hi = out->nat.port_lo;
		return out->nat.port_lo != 0;
	}
	hi = lo;
	if (dash) {
		size_t behind = (size_t)((slash ? slash : text + size) - dash - 1);

		if (!number_read(dash + 1, behind, UINT16_MAX, &hi))
			return false;
	} else if (slash) {
		return false;
	}
	if (slash && (!port_read(reader, slash + 1, (size_t)(text + size - slash - 1), &out->nat.port_base) ||
		      out->nat.port_base == 0))
		return false;
	out->nat.port_lo = (uint16_t)lo;
	out->nat.port_hi = (uint16_t)hi;
	return lo > 0 && lo <= hi;
}

bool nat_read(struct value_reader *reader, struct value *out)
{
	const char *text = reader->words[0].text;
	size_t size = reader->words[0].size, addrs = size;
	const char *colon = NULL;

	memset(&out->nat, 0, sizeof out->nat);
	if (reader->family == FAMILY_IPV4) {
		colon = memchr(text, ':', size);
		addrs = colon ? (size_t)(colon - text) : size;
	} else if (size > 0 && text[0] == '[') {
		const char *bracket = memchr(text, ']', size);

		if (!bracket)
			return false;
		colon = bracket + 1 < text + size ? bracket + 1 : NULL;
		if (colon && *colon != ':')
			return false;
		text++;
		size--;
		addrs = (size_t)(bracket - text);
	} else if (size > 1 && text[0] == ':' && text[1] != ':') {
		colon = text;
		addrs = 0;
	}
	if (addrs == 0 && !colon)
		return false;
	if (addrs > 0 && !read_nat_addrs(reader, text, addrs, out))
		return false;
	return !colon || read_nat_port_part(reader, colon + 1, (size_t)(text + size - colon - 1), out);
}

void nat_print(struct strbuf *out, const struct value *value)
{
	char text[ADDR_TEXT_MAX];
	bool brackets = value->nat.has_addr && value->nat.has_port && value->nat.lo.family == FAMILY_IPV6;

	if (brackets)
		strbuf_addc(out, '[');
	if (value->nat.has_addr) {
		addr_format(&value->nat.lo, text);
		strbuf_adds(out, text);
		if (!addr_equal(&value->nat.lo, &value->nat.hi)) {
			addr_format(&value->nat.hi, text);
			strbuf_addc(out, '-');
			strbuf_adds(out, text);
		}
	}
	if (brackets)
		strbuf_addc(out, ']');
	if (!value->nat.has_port)
		return;
	strbuf_addf(out, ":%u", value->nat.port_lo);
	if (value->nat.port_hi != value->nat.port_lo)
		strbuf_addf(out, "-%u", value->nat.port_hi);
	if (value->nat.port_base)
		strbuf_addf(out, "/%u", value->nat.port_base);
}
