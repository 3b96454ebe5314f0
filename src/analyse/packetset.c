#include "packet_fields.h"

#include <string.h>

/* ---- algebra ---- */

uint32_t packets_and(struct packet_space *space, uint32_t a, uint32_t b)
{
	return diagram_and(&space->diagrams, a, b);
}

uint32_t packets_or(struct packet_space *space, uint32_t a, uint32_t b)
{
	return diagram_or(&space->diagrams, a, b);
}

uint32_t packets_minus(struct packet_space *space, uint32_t a, uint32_t b)
{
	return diagram_minus(&space->diagrams, a, b);
}

/* The intersection of the variables of these fields. */
static uint32_t cube_of(struct packet_space *space, unsigned fields)
{
	bool wanted[FIELD_COUNT * FIELD_BITS_MAX] = {false};
	uint32_t cube = DIAGRAM_ALL;

	for (int field = 0; field < FIELD_COUNT; field++)
		for (unsigned bit = 0; bit < space->fields[field].bits; bit++)
			wanted[space->fields[field].variables[bit]] = fields & FIELD_BIT(field);
	for (unsigned variable = space->diagrams.variables; variable-- > 0;)
		if (wanted[variable])
			cube = diagram_choice(&space->diagrams, variable, DIAGRAM_NONE, cube);
	return cube;
}

uint32_t packets_forget(struct packet_space *space, uint32_t a, unsigned fields)
{
	vec_each(known, &space->cubes)
		if (known->fields == fields)
			return diagram_forget(&space->diagrams, a, known->cube);
	vec_push(space->arena, &space->cubes, (struct field_cube){fields, cube_of(space, fields)});
	return packets_forget(space, a, fields);
}

uint32_t packets_project(struct packet_space *space, uint32_t a, unsigned kept)
{
	return packets_forget(space, a, FIELDS_ALL & ~kept);
}

/* ---- sets of one field ---- */

/* The number of the piece that a value lies in. */
static size_t atom_of(const struct field_atoms *atoms, addr_number value)
{
	size_t low = 0, high = atoms->starts.len;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (atoms->starts.data[middle] <= value)
			low = middle;
		else
			high = middle;
	}
	return low;
}

struct addr_range packet_space_piece(const struct packet_space *space, enum field field, addr_number value)
{
	const struct field_atoms *atoms = &space->fields[field];
	size_t atom = atom_of(atoms, value);

	return (struct addr_range){atoms->starts.data[atom],
				   atom + 1 < atoms->starts.len ? atoms->starts.data[atom + 1] - 1 : atoms->last};
}

struct atom_range {
	size_t lo, hi;
};

/* Numbers beyond the last piece stand for it, too: so every number means something, and sets need not say so. */
static struct atom_range range_of(const struct field_atoms *atoms, addr_number lo, addr_number hi)
{
	struct atom_range range = {atom_of(atoms, lo), atom_of(atoms, hi)};

	if (range.hi + 1 == atoms->starts.len)
		range.hi = ((size_t)1 << atoms->bits) - 1;
	return range;
}

/* Numbers within the ranges, which are ascending and disjoint, of those that begin with what was decided so far. */
static uint32_t choose(struct packet_space *space, const struct field_atoms *atoms, unsigned bit, size_t base,
		       const struct atom_range *ranges, size_t count)
{
	size_t size = (size_t)1 << (atoms->bits - bit), middle = base + size / 2, below = 0, from;
	uint32_t low, high;

	if (!count)
		return DIAGRAM_NONE;
	if (ranges[0].lo <= base && base + size - 1 <= ranges[0].hi)
		return DIAGRAM_ALL;
	while (below < count && ranges[below].lo < middle)
		below++;
	from = below && ranges[below - 1].hi >= middle ? below - 1 : below;
	low = choose(space, atoms, bit + 1, base, ranges, below);
	high = choose(space, atoms, bit + 1, middle, ranges + from, count - from);
	return diagram_choice(&space->diagrams, atoms->variables[bit], low, high);
}

uint32_t packets_range(struct packet_space *space, enum field field, addr_number lo, addr_number hi)
{
	const struct field_atoms *atoms = &space->fields[field];
	struct atom_range range = range_of(atoms, lo, hi);

	return choose(space, atoms, 0, 0, &range, 1);
}

uint32_t packets_of_type(struct packet_space *space, enum destination_type type)
{
	return packets_range(space, FIELD_TYPE, type, type);
}

uint32_t packets_to_host(struct packet_space *space)
{
	return packets_range(space, FIELD_OUT, OUT_HOST, OUT_HOST);
}

struct atom_ranges {
	VEC(struct atom_range) items;
};

static void add_range(struct packet_space *space, struct atom_ranges *ranges, enum field field, addr_number lo,
		      addr_number hi)
{
	const struct field_atoms *atoms = &space->fields[field];
	struct atom_range range = range_of(atoms, lo, hi);

	/* Joined, so that what covers a whole branch does so in one piece. */
	if (ranges->items.len && ranges->items.data[ranges->items.len - 1].hi + 1 >= range.lo)
		ranges->items.data[ranges->items.len - 1].hi = range.hi;
	else
		vec_push(space->arena, &ranges->items, range);
}

uint32_t packets_addresses(struct packet_space *space, enum field field, const struct addr_set *set)
{
	struct atom_ranges ranges = {0};

	vec_each(range, &set->ranges)
		add_range(space, &ranges, field, range->lo, range->hi);
	return choose(space, &space->fields[field], 0, 0, ranges.items.data, ranges.items.len);
}

uint32_t packets_ports(struct packet_space *space, enum field field, const struct port_set *set)
{
	struct atom_ranges ranges = {0};

	vec_each(range, &set->ranges)
		add_range(space, &ranges, field, range->lo, range->hi);
	return choose(space, &space->fields[field], 0, 0, ranges.items.data, ranges.items.len);
}

uint32_t packets_masked(struct packet_space *space, enum field field, uint32_t mask, uint32_t wanted)
{
	const struct field_atoms *atoms = &space->fields[field];
	uint32_t set = DIAGRAM_ALL;

	if (wanted & ~mask)
		return DIAGRAM_NONE;
	for (unsigned bit = atoms->bits; bit-- > 0;) {
		uint32_t value = field_kept_bit(atoms, bit);

		if (!(mask & value))
			continue;
		set = wanted & value ? diagram_choice(&space->diagrams, atoms->variables[bit], DIAGRAM_NONE, set) :
				       diagram_choice(&space->diagrams, atoms->variables[bit], set, DIAGRAM_NONE);
	}
	return set;
}

bool interface_name_covers(const char *pattern, const char *name)
{
	size_t size = strlen(pattern);

	if (size && pattern[size - 1] == '+')
		return strncmp(pattern, name, size - 1) == 0;
	return strcmp(pattern, name) == 0;
}

uint32_t packets_out(struct packet_space *space, const char *name)
{
	struct atom_ranges ranges = {0};
	size_t size = strlen(name);
	uint32_t known;

	if (!size || name[size - 1] != '+') {
		known = intern_find(&space->names, name, size);
		return known == INTERN_NONE || known == OUT_HOST ? DIAGRAM_NONE :
								   packets_range(space, FIELD_OUT, known, known);
	}
	for (size_t i = 1; i < space->outs.len; i++)
		if (interface_name_covers(name, space->outs.data[i]))
			add_range(space, &ranges, FIELD_OUT, i, i);
	return choose(space, &space->fields[FIELD_OUT], 0, 0, ranges.items.data, ranges.items.len);
}

const char *packets_sole_out(const struct packet_space *space, uint32_t a)
{
	const struct field_atoms *atoms = &space->fields[FIELD_OUT];
	const struct diagram_node *nodes = space->diagrams.nodes;
	size_t number = 0, decided = 0;

	if (!atoms->bits)
		return NULL;
	while (a > DIAGRAM_ALL && nodes[a].variable <= atoms->variables[atoms->bits - 1]) {
		if (nodes[a].low != DIAGRAM_NONE && nodes[a].high != DIAGRAM_NONE)
			return NULL;
		if (nodes[a].variable >= atoms->variables[0]) {
			number = number << 1 | (nodes[a].low == DIAGRAM_NONE);
			decided++;
		}
		a = nodes[a].low == DIAGRAM_NONE ? nodes[a].high : nodes[a].low;
	}
	return decided == atoms->bits && number != OUT_HOST ? space->outs.data[number] : NULL;
}

bool packets_are_of_services(const struct packet_space *space, uint32_t a)
{
	const struct field_atoms *first = &space->fields[FIELD_PROTOCOL];

	return a > DIAGRAM_ALL && first->bits && space->diagrams.nodes[a].variable >= first->variables[0];
}

uint32_t packets_untouched(struct packet_space *space, enum field sent, enum field made)
{
	const struct field_atoms *a = &space->fields[sent], *b = &space->fields[made];
	uint32_t set = DIAGRAM_ALL;

	for (unsigned bit = a->bits; bit-- > 0;) {
		uint32_t zero = diagram_choice(&space->diagrams, b->variables[bit], set, DIAGRAM_NONE);
		uint32_t one = diagram_choice(&space->diagrams, b->variables[bit], DIAGRAM_NONE, set);

		set = diagram_choice(&space->diagrams, a->variables[bit], zero, one);
	}
	return set;
}

/* ---- marks ---- */

uint32_t packets_forget_mark(struct packet_space *space, uint32_t a, enum field mark, uint32_t mask)
{
	const struct field_atoms *atoms = &space->fields[mark];
	uint32_t cube = DIAGRAM_ALL;

	for (unsigned bit = atoms->bits; bit-- > 0;)
		if (mask & field_kept_bit(atoms, bit))
			cube = diagram_choice(&space->diagrams, atoms->variables[bit], DIAGRAM_NONE, cube);
	return diagram_forget(&space->diagrams, a, cube);
}

uint32_t packets_forget_marks(struct packet_space *space, uint32_t a)
{
	return packets_forget(space, a, FIELD_BIT(FIELD_MARK) | FIELD_BIT(FIELD_CONNMARK));
}

static uint32_t set_bit(struct packet_space *space, uint32_t a, enum field mark, uint32_t bit, bool set)
{
	return packets_and(space, packets_forget_mark(space, a, mark, bit),
			   packets_masked(space, mark, bit, set ? bit : 0));
}

static uint32_t flip_bit(struct packet_space *space, uint32_t a, enum field mark, uint32_t bit)
{
	uint32_t one = packets_masked(space, mark, bit, bit);
	uint32_t with = packets_and(space, a, one), without = packets_minus(space, a, one);

	return packets_or(space, set_bit(space, with, mark, bit, false), set_bit(space, without, mark, bit, true));
}

uint32_t packets_set_mark(struct packet_space *space, uint32_t a, enum field mark, uint32_t mask, uint32_t value)
{
	uint32_t flipped = value & ~mask & space->fields[mark].mask;

	a = packets_and(space, packets_forget_mark(space, a, mark, mask),
			packets_masked(space, mark, mask, value & mask));
	for (uint32_t bit = 1; bit; bit <<= 1)
		if (flipped & bit)
			a = flip_bit(space, a, mark, bit);
	return a;
}

static uint32_t copy_bit(struct packet_space *space, uint32_t a, enum field to, bool cleared, enum field from,
			 uint32_t bit)
{
	uint32_t one = packets_masked(space, from, bit, bit);
	uint32_t with = packets_and(space, a, one), without = packets_minus(space, a, one);

	if (cleared)
		return packets_or(space, set_bit(space, with, to, bit, true), set_bit(space, without, to, bit, false));
	return packets_or(space, flip_bit(space, with, to, bit), without);
}

uint32_t packets_copy_mark(struct packet_space *space, uint32_t a, enum field to, uint32_t to_mask, enum field from,
			   uint32_t from_mask)
{
	for (uint32_t bit = 1; bit; bit <<= 1) {
		if (!(bit & space->fields[to].mask))
			continue;
		if (bit & from_mask)
			a = copy_bit(space, a, to, bit & to_mask, from, bit);
		else if (bit & to_mask)
			a = set_bit(space, a, to, bit, false);
	}
	return a;
}
