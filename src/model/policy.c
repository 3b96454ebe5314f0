#include <peerwall/policy.h>

#include <string.h>

const char *const protocol_names[PROTOCOL_COUNT] = {
	[PROTOCOL_TCP] = "tcp",
	[PROTOCOL_UDP] = "udp",
	[PROTOCOL_SCTP] = "sctp",
};

const uint8_t protocol_numbers[PROTOCOL_COUNT] = {
	[PROTOCOL_TCP] = 6,
	[PROTOCOL_UDP] = 17,
	[PROTOCOL_SCTP] = 132,
};

bool interface_name_is_pattern(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && name[length - 1] == '+';
}

/* The length without the pattern's "+". */
static size_t stem_of(const char *name)
{
	return strlen(name) - interface_name_is_pattern(name);
}

int interface_names_compare(const char *a, const char *b)
{
	size_t a_stem = stem_of(a), b_stem = stem_of(b);
	int order = memcmp(a, b, a_stem < b_stem ? a_stem : b_stem);

	if (order)
		return order;
	if (a_stem != b_stem)
		return a_stem < b_stem ? -1 : 1;
	/* "wg+" before "wg" */
	return (int)interface_name_is_pattern(b) - (int)interface_name_is_pattern(a);
}

bool interface_names_overlap(const char *a, const char *b)
{
	size_t a_stem = stem_of(a), b_stem = stem_of(b);
	size_t shorter = a_stem < b_stem ? a_stem : b_stem;

	if (memcmp(a, b, shorter) != 0)
		return false;
	/* The shorter one has to be a pattern to hold the longer one; of equal stems any two overlap. */
	if (a_stem < b_stem)
		return interface_name_is_pattern(a);
	if (b_stem < a_stem)
		return interface_name_is_pattern(b);
	return true;
}
