/* Where DNAT and SNAT lead to: [addr[-addr]][:port[-port[/base]]], IPv6 addresses before ports in brackets. */
#include "value.h"
#include "words.h"

#include <string.h>

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
