/* Addresses, ranges of them, and networks with masks. */
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

bool address_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];

	return addr_parse(word->text, word->size, &out->network.addr) && out->network.addr.family == reader->family;
}

bool addr_range_read(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *dash = memchr(word->text, '-', word->size);
	size_t before = dash ? (size_t)(dash - word->text) : word->size;

	if (!addr_parse(word->text, before, &out->addr_range.lo) || out->addr_range.lo.family != reader->family)
		return false;
	out->addr_range.hi = out->addr_range.lo;
	if (dash && (!addr_parse(dash + 1, word->size - before - 1, &out->addr_range.hi) ||
		     out->addr_range.hi.family != reader->family))
		return false;
	return addr_compare(&out->addr_range.lo, &out->addr_range.hi) <= 0;
}

void addr_print(struct strbuf *out, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	strbuf_adds(out, text);
}
