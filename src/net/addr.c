#include <peerwall/addr.h>

#include <arpa/inet.h>
#include <string.h>

unsigned family_bits(enum family family)
{
	return family == FAMILY_IPV4 ? 32 : 128;
}

const char *family_name(enum family family)
{
	return family == FAMILY_IPV4 ? "IPv4" : "IPv6";
}

static int socket_family(enum family family)
{
	return family == FAMILY_IPV4 ? AF_INET : AF_INET6;
}

bool addr_parse(const char *text, size_t size, struct addr *out)
{
	char copy[ADDR_TEXT_MAX];

	if (size == 0 || size >= sizeof copy || memchr(text, '\0', size))
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	memset(out, 0, sizeof *out);
	out->family = memchr(copy, ':', size) ? FAMILY_IPV6 : FAMILY_IPV4;
	return inet_pton(socket_family(out->family), copy, out->bytes) == 1;
}

void addr_format(const struct addr *addr, char out[ADDR_TEXT_MAX])
{
	inet_ntop(socket_family(addr->family), addr->bytes, out, ADDR_TEXT_MAX);
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_compare(a, b) == 0;
}

struct addr addr_netmask(enum family family, unsigned length)
{
	struct addr mask = {.family = family};

	for (unsigned bit = 0; bit < length; bit++)
		mask.bytes[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
	return mask;
}

int addr_netmask_length(const struct addr *mask)
{
	unsigned bits = family_bits(mask->family), length = 0;
	struct addr contiguous;

	while (length < bits && mask->bytes[length / 8] & (0x80u >> (length % 8)))
		length++;
	contiguous = addr_netmask(mask->family, length);
	return addr_equal(&contiguous, mask) ? (int)length : -1;
}

static bool length_parse(const char *text, size_t size, unsigned max, uint8_t *out)
{
	unsigned length = 0;

	if (size == 0 || size > 3)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		length = length * 10 + (unsigned)(text[i] - '0');
	}
	if (length > max)
		return false;
	*out = (uint8_t)length;
	return true;
}

enum prefix_error prefix_parse(const char *text, size_t size, struct prefix *out)
{
	const char *slash = memchr(text, '/', size);
	size_t addr_size = slash ? (size_t)(slash - text) : size;

	if (!addr_parse(text, addr_size, &out->addr))
		return PREFIX_BAD_ADDRESS;
	out->length = (uint8_t)family_bits(out->addr.family);
	if (slash && !length_parse(slash + 1, size - addr_size - 1, out->length, &out->length))
		return PREFIX_BAD_LENGTH;
	return PREFIX_OK;
}

void prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_MAX])
{
	char digits[4];
	size_t used, count = 0;
	unsigned length = prefix->length;

	addr_format(&prefix->addr, out);
	used = strlen(out);
	do
		digits[count++] = (char)('0' + length % 10);
	while (length /= 10);
	out[used++] = '/';
	while (count)
		out[used++] = digits[--count];
	out[used] = '\0';
}

struct prefix prefix_masked(const struct prefix *prefix)
{
	struct addr mask = addr_netmask(prefix->addr.family, prefix->length);
	struct prefix masked = *prefix;

	for (size_t i = 0; i < sizeof masked.addr.bytes; i++)
		masked.addr.bytes[i] &= mask.bytes[i];
	return masked;
}

bool prefix_has_host_bits(const struct prefix *prefix)
{
	struct prefix masked = prefix_masked(prefix);

	return !addr_equal(&masked.addr, &prefix->addr);
}

bool prefix_contains_addr(const struct prefix *outer, const struct addr *addr)
{
	struct prefix network = {*addr, outer->length};

	if (outer->addr.family != addr->family)
		return false;
	network = prefix_masked(&network);
	return addr_equal(&network.addr, &outer->addr);
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	return outer->length <= inner->length && prefix_contains_addr(outer, &inner->addr);
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->length - (int)b->length;
}
