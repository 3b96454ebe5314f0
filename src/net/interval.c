#include <peerwall/interval.h>

#include <stdlib.h>

/* ---- ports ---- */

void port_set_add(struct arena *arena, struct port_set *set, struct port_range range)
{
	vec_push(arena, &set->ranges, range);
}

static int compare_port_ranges(const void *left, const void *right)
{
	const struct port_range *a = left, *b = right;

	return a->lo != b->lo ? (int)a->lo - (int)b->lo : (int)a->hi - (int)b->hi;
}

void port_set_normalise(struct port_set *set)
{
	size_t kept = 0;

	if (set->ranges.len == 0)
		return;
	qsort(set->ranges.data, set->ranges.len, sizeof *set->ranges.data, compare_port_ranges);
	for (size_t i = 1; i < set->ranges.len; i++) {
		struct port_range *last = &set->ranges.data[kept], next = set->ranges.data[i];

		if (next.lo > (unsigned)last->hi + 1)
			set->ranges.data[++kept] = next;
		else if (next.hi > last->hi)
			last->hi = next.hi;
	}
	set->ranges.len = kept + 1;
}

bool port_set_contains(const struct port_set *set, uint16_t port)
{
	vec_each(range, &set->ranges)
		if (range->lo <= port && port <= range->hi)
			return true;
	return false;
}

int port_set_compare(const struct port_set *a, const struct port_set *b)
{
	for (size_t i = 0; i < a->ranges.len && i < b->ranges.len; i++) {
		int order = compare_port_ranges(&a->ranges.data[i], &b->ranges.data[i]);

		if (order)
			return order;
	}
	return a->ranges.len < b->ranges.len ? -1 : a->ranges.len > b->ranges.len;
}

bool port_set_equal(const struct port_set *a, const struct port_set *b)
{
	return port_set_compare(a, b) == 0;
}

bool port_set_includes(const struct port_set *outer, const struct port_set *inner)
{
	size_t i = 0;

	vec_each(range, &inner->ranges) {
		while (i < outer->ranges.len && outer->ranges.data[i].hi < range->lo)
			i++;
		if (i == outer->ranges.len || outer->ranges.data[i].lo > range->lo || outer->ranges.data[i].hi < range->hi)
			return false;
	}
	return true;
}

/* ---- addresses ---- */

addr_number addr_to_number(const struct addr *addr)
{
	addr_number number = 0;

	for (unsigned i = 0; i < family_bits(addr->family) / 8; i++)
		number = number << 8 | addr->bytes[i];
	return number;
}

struct addr addr_from_number(enum family family, addr_number number)
{
	struct addr addr = {.family = family};

	for (unsigned i = family_bits(family) / 8; i-- > 0; number >>= 8)
		addr.bytes[i] = (uint8_t)number;
	return addr;
}

/* The last address of the family; also the mask of all its bits. */
static addr_number last_number(enum family family)
{
	return family == FAMILY_IPV4 ? UINT32_MAX : ~(addr_number)0;
}

/* Of a block of 2^bits addresses: how far its last one is from its first. */
static addr_number block_extent(unsigned bits)
{
	return bits >= 128 ? ~(addr_number)0 : ((addr_number)1 << bits) - 1;
}

struct addr_range prefix_to_range(const struct prefix *prefix)
{
	addr_number extent = block_extent(family_bits(prefix->addr.family) - prefix->length);
	addr_number lo = addr_to_number(&prefix->addr) & ~extent;

	return (struct addr_range){lo, lo | extent};
}

void addr_set_add(struct arena *arena, struct addr_set *set, struct addr_range range)
{
	vec_push(arena, &set->ranges, range);
}

void addr_set_add_prefix(struct arena *arena, struct addr_set *set, const struct prefix *prefix)
{
	addr_set_add(arena, set, prefix_to_range(prefix));
}

void addr_set_add_set(struct arena *arena, struct addr_set *set, const struct addr_set *other)
{
	vec_each(range, &other->ranges)
		addr_set_add(arena, set, *range);
}

static int compare_addr_ranges(const void *left, const void *right)
{
	const struct addr_range *a = left, *b = right;

	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->hi != b->hi ? (a->hi < b->hi ? -1 : 1) : 0;
}

void addr_set_normalise(struct addr_set *set)
{
	size_t kept = 0;

	if (set->ranges.len == 0)
		return;
	qsort(set->ranges.data, set->ranges.len, sizeof *set->ranges.data, compare_addr_ranges);
	for (size_t i = 1; i < set->ranges.len; i++) {
		struct addr_range *last = &set->ranges.data[kept], next = set->ranges.data[i];

		/* next.lo - 1 cannot wrap: next.lo >= last->lo, and where it is 0 the first test holds. */
		if (next.lo <= last->hi || next.lo - 1 == last->hi) {
			if (next.hi > last->hi)
				last->hi = next.hi;
		} else {
			set->ranges.data[++kept] = next;
		}
	}
	set->ranges.len = kept + 1;
}

bool addr_set_is_full(const struct addr_set *set)
{
	return set->ranges.len == 1 && set->ranges.data[0].lo == 0 &&
	       set->ranges.data[0].hi == last_number(set->family);
}

/* The range that holds the number, or NULL: by halving. */
static const struct addr_range *range_at(const struct addr_set *set, addr_number number)
{
	size_t lo = 0, hi = set->ranges.len;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;
		const struct addr_range *range = &set->ranges.data[middle];

		if (number < range->lo)
			hi = middle;
		else if (number > range->hi)
			lo = middle + 1;
		else
			return range;
	}
	return NULL;
}

bool addr_set_contains(const struct addr_set *set, const struct addr *addr)
{
	return set->family == addr->family && range_at(set, addr_to_number(addr));
}

int addr_set_compare(const struct addr_set *a, const struct addr_set *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	for (size_t i = 0; i < a->ranges.len && i < b->ranges.len; i++) {
		int order = compare_addr_ranges(&a->ranges.data[i], &b->ranges.data[i]);

		if (order)
			return order;
	}
	return a->ranges.len < b->ranges.len ? -1 : a->ranges.len > b->ranges.len;
}

bool addr_set_equal(const struct addr_set *a, const struct addr_set *b)
{
	return addr_set_compare(a, b) == 0;
}

bool addr_set_includes(const struct addr_set *outer, const struct addr_set *inner)
{
	vec_each(range, &inner->ranges) {
		const struct addr_range *around = range_at(outer, range->lo);

		if (!around || around->hi < range->hi)
			return false;
	}
	return true;
}

bool addr_set_overlaps(const struct addr_set *a, const struct addr_set *b)
{
	size_t i = 0, j = 0;

	while (i < a->ranges.len && j < b->ranges.len) {
		const struct addr_range *left = &a->ranges.data[i], *right = &b->ranges.data[j];

		if (left->hi < right->lo)
			i++;
		else if (right->hi < left->lo)
			j++;
		else
			return true;
	}
	return false;
}

static unsigned low_zeros(addr_number number)
{
	uint64_t low = (uint64_t)number;

	return low ? (unsigned)__builtin_ctzll(low) : 64 + (unsigned)__builtin_ctzll((uint64_t)(number >> 64));
}

static unsigned high_bit(addr_number number)
{
	uint64_t high = (uint64_t)(number >> 64);

	return high ? 127 - (unsigned)__builtin_clzll(high) : 63 - (unsigned)__builtin_clzll((uint64_t)number);
}

/* How many bits are free in the largest aligned block that fits at the range's start. */
static unsigned first_block(const struct addr_range *range, unsigned bits)
{
	addr_number size = range->hi - range->lo + 1; /* 0: every address of IPv6 */
	unsigned aligned = range->lo ? low_zeros(range->lo) : bits, fits = size ? high_bit(size) : bits;

	return aligned < fits ? aligned : fits;
}

/* False: that was the last one. */
static bool peel_off(struct addr_range *range, unsigned free_bits)
{
	addr_number extent = block_extent(free_bits);

	if (range->hi - range->lo == extent)
		return false;
	range->lo += extent + 1;
	return true;
}

void addr_set_prefixes(struct arena *arena, const struct addr_set *set, struct prefix_list *out)
{
	unsigned bits = family_bits(set->family), free_bits;

	vec_each(range, &set->ranges) {
		struct addr_range rest = *range;

		do {
			free_bits = first_block(&rest, bits);
			vec_push(arena, &out->items,
				 (struct prefix){addr_from_number(set->family, rest.lo), (uint8_t)(bits - free_bits)});
		} while (peel_off(&rest, free_bits));
	}
}

size_t addr_set_count_prefixes(const struct addr_set *set)
{
	size_t count = 0;

	vec_each(range, &set->ranges) {
		struct addr_range rest = *range;

		do
			count++;
		while (peel_off(&rest, first_block(&rest, family_bits(set->family))));
	}
	return count;
}
