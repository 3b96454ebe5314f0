#include <peerwall/packetset.h>

#include <peerwall/bug.h>

#include <stdlib.h>
#include <string.h>

/* Fields that are decided bit by bit beside each other. */
static const enum field order[][2] = {
	{FIELD_MARK, FIELD_CONNMARK},	{FIELD_OUT, FIELD_OUT},		{FIELD_TYPE, FIELD_TYPE},
	{FIELD_DST, FIELD_NEW_DST},	{FIELD_SRC, FIELD_SRC},		{FIELD_PROTOCOL, FIELD_PROTOCOL},
	{FIELD_DPORT, FIELD_NEW_DPORT}, {FIELD_SPORT, FIELD_SPORT},	{FIELD_ICMP, FIELD_ICMP},
	{FIELD_FLAGS, FIELD_FLAGS},	{FIELD_HOPS, FIELD_HOPS},
};

static bool is_masked(enum field field)
{
	return field == FIELD_MARK || field == FIELD_CONNMARK || field == FIELD_FLAGS;
}

void packet_space_init(struct packet_space *space, enum family family, struct arena *arena)
{
	addr_number address_last = family == FAMILY_IPV4 ? UINT32_MAX : ~(addr_number)0;
	const addr_number lasts[FIELD_COUNT] = {
		[FIELD_TYPE] = TYPE_COUNT - 1,	   [FIELD_DST] = address_last,	   [FIELD_NEW_DST] = address_last,
		[FIELD_SRC] = address_last,	   [FIELD_PROTOCOL] = UINT8_MAX,   [FIELD_DPORT] = UINT16_MAX,
		[FIELD_NEW_DPORT] = UINT16_MAX,	   [FIELD_SPORT] = UINT16_MAX,	   [FIELD_ICMP] = UINT16_MAX,
		[FIELD_HOPS] = UINT8_MAX,
	};

	*space = (struct packet_space){.arena = arena, .family = family};
	for (int field = 0; field < FIELD_COUNT; field++) {
		space->fields[field].last = lasts[field];
		if (!is_masked((enum field)field))
			vec_push(arena, &space->fields[field].starts, 0);
	}
	for (int type = 0; type < TYPE_COUNT; type++)
		packet_space_mention(space, FIELD_TYPE, (addr_number)type, (addr_number)type);
	intern_init(&space->names, arena);
	packet_space_mention_interface(space, "");
}

void packet_space_mention(struct packet_space *space, enum field field, addr_number lo, addr_number hi)
{
	struct field_atoms *atoms;

	/* What DNAT makes is compared with what was sent, and marks are copied from one to the other. */
	if (field == FIELD_NEW_DST)
		field = FIELD_DST;
	else if (field == FIELD_NEW_DPORT)
		field = FIELD_DPORT;
	else if (field == FIELD_CONNMARK)
		field = FIELD_MARK;
	atoms = &space->fields[field];
	if (is_masked(field)) {
		atoms->mask |= (uint32_t)lo;
		return;
	}
	if (lo)
		vec_push(space->arena, &atoms->starts, lo);
	if (hi < atoms->last)
		vec_push(space->arena, &atoms->starts, hi + 1);
}

void packet_space_mention_mapping(struct packet_space *space, const struct address_mapping *mapping)
{
	packet_space_mention(space, FIELD_DST, mapping->from, mapping->from + mapping->host);
	packet_space_mention(space, FIELD_DST, mapping->to, mapping->to + mapping->host);
	vec_push(space->arena, &space->mappings, *mapping);
}

static int compare_numbers(const void *left, const void *right)
{
	const addr_number *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static void sort_atoms(struct field_atoms *atoms)
{
	size_t kept = 1;

	qsort(atoms->starts.data, atoms->starts.len, sizeof *atoms->starts.data, compare_numbers);
	for (size_t i = 1; i < atoms->starts.len; i++)
		if (atoms->starts.data[i] != atoms->starts.data[kept - 1])
			atoms->starts.data[kept++] = atoms->starts.data[i];
	atoms->starts.len = kept;
}

static void copy_starts(struct packet_space *space, addr_number from, addr_number to, addr_number host)
{
	struct field_atoms *atoms = &space->fields[FIELD_DST];

	for (size_t i = 0, count = atoms->starts.len; i < count; i++)
		if (atoms->starts.data[i] > from && atoms->starts.data[i] - from <= host)
			vec_push(space->arena, &atoms->starts, atoms->starts.data[i] - from + to);
}

/* Networks that are mapped onto each other, and these onto further ones; a circle of mappings ends somewhere. */
static void align_mappings(struct packet_space *space)
{
	struct field_atoms *atoms = &space->fields[FIELD_DST];
	size_t before = 0;

	for (size_t round = 0; round <= space->mappings.len && atoms->starts.len != before; round++) {
		before = atoms->starts.len;
		vec_each(mapping, &space->mappings) {
			copy_starts(space, mapping->from, mapping->to, mapping->host);
			copy_starts(space, mapping->to, mapping->from, mapping->host);
			sort_atoms(atoms);
		}
	}
}

static unsigned bits_for(const struct field_atoms *atoms, enum field field)
{
	unsigned bits = 0;

	if (is_masked(field))
		return (unsigned)__builtin_popcount(atoms->mask);
	while ((size_t)1 << bits < atoms->starts.len)
		bits++;
	return bits;
}

static void number_variables(struct packet_space *space)
{
	unsigned next = 0;

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		for (unsigned bit = 0; bit < space->fields[order[i][0]].bits; bit++) {
			space->fields[order[i][0]].variables[bit] = (uint16_t)next++;
			if (order[i][1] != order[i][0])
				space->fields[order[i][1]].variables[bit] = (uint16_t)next++;
		}
	diagrams_init(&space->diagrams, next, PACKET_NODES_MAX);
}

static bool begins_something(const struct packet_space *space, const char *stem, int size, char next)
{
	vec_each(out, &space->outs)
		if (strlen(*out) > (size_t)size && strncmp(*out, stem, (size_t)size) == 0 && (*out)[size] == next)
			return true;
	return false;
}

/* A name that the pattern stands for and no other pattern or name does: any interface without a rule of its own. */
static const char *fresh_name(struct packet_space *space, const char *pattern)
{
	static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_=@~,%";
	int stem = (int)strlen(pattern) - 1;
	char next = letters[0];

	if (!stem && !begins_something(space, "", 0, 'o'))
		return "other";
	for (const char *letter = letters; *letter; letter++)
		if (!begins_something(space, pattern, stem, *letter)) {
			next = *letter;
			break;
		}
	return arena_printf(space->arena, "%.*s%c", stem, pattern, next);
}

void packet_space_mention_interface(struct packet_space *space, const char *name)
{
	if (intern_add(&space->names, name, strlen(name)) == space->outs.len)
		vec_push(space->arena, &space->outs, name);
}

/* Until now the patterns stand among the names. */
static void settle_interfaces(struct packet_space *space)
{
	packet_space_mention_interface(space, "+");
	vec_push(space->arena, &space->patterns, NULL);
	for (size_t i = 1; i < space->outs.len; i++) {
		const char *name = space->outs.data[i];
		bool pattern = name[strlen(name) - 1] == '+';

		if (pattern)
			space->outs.data[i] = fresh_name(space, name);
		vec_push(space->arena, &space->patterns, pattern ? name : NULL);
		vec_push(space->arena, &space->ins, space->outs.data[i]);
	}
	intern_init(&space->names, space->arena);
	vec_each(out, &space->outs)
		intern_add(&space->names, *out, strlen(*out));
	space->fields[FIELD_OUT].last = space->outs.len - 1;
	for (size_t i = 1; i < space->outs.len; i++)
		vec_push(space->arena, &space->fields[FIELD_OUT].starts, i);
}

void packet_space_close(struct packet_space *space)
{
	settle_interfaces(space);
	sort_atoms(&space->fields[FIELD_DST]);
	align_mappings(space);
	for (int field = 0; field < FIELD_COUNT; field++) {
		struct field_atoms *atoms = &space->fields[field];

		if (field == FIELD_NEW_DST)
			*atoms = space->fields[FIELD_DST];
		else if (field == FIELD_NEW_DPORT)
			*atoms = space->fields[FIELD_DPORT];
		else if (field == FIELD_CONNMARK)
			atoms->mask = space->fields[FIELD_MARK].mask;
		else if (!is_masked((enum field)field))
			sort_atoms(atoms);
		atoms->bits = bits_for(atoms, (enum field)field);
		BUG_ON(atoms->bits > FIELD_BITS_MAX);
	}
	number_variables(space);
	space->all = DIAGRAM_ALL;
}

void packet_space_free(struct packet_space *space)
{
	diagrams_free(&space->diagrams);
}

void packet_space_clear(struct packet_space *space)
{
	unsigned variables = space->diagrams.variables;

	diagrams_free(&space->diagrams);
	diagrams_init(&space->diagrams, variables, PACKET_NODES_MAX);
}

bool packet_space_gave_up(const struct packet_space *space)
{
	return space->diagrams.gave_up;
}

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

/* The intersection of the variables of those bits of a field. */
static uint32_t cube_of(struct packet_space *space, const struct field_atoms *atoms, uint32_t bits)
{
	uint32_t cube = DIAGRAM_ALL;

	for (unsigned bit = atoms->bits; bit-- > 0;)
		if (bits & 1u << bit)
			cube = diagram_choice(&space->diagrams, atoms->variables[bit], DIAGRAM_NONE, cube);
	return cube;
}

uint32_t packets_forget(struct packet_space *space, uint32_t a, enum field field)
{
	return diagram_forget(&space->diagrams, a, cube_of(space, &space->fields[field], UINT32_MAX));
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

/* The bits of the value that the field keeps, the highest first: which one is number `bit`? */
static uint32_t kept_bit(const struct field_atoms *atoms, unsigned bit)
{
	for (uint32_t value = 1u << 31; value; value >>= 1)
		if (atoms->mask & value && bit-- == 0)
			return value;
	BUG("a field has no bit %u", bit);
}

uint32_t packets_masked(struct packet_space *space, enum field field, uint32_t mask, uint32_t wanted)
{
	const struct field_atoms *atoms = &space->fields[field];
	uint32_t set = DIAGRAM_ALL;

	if (wanted & ~mask)
		return DIAGRAM_NONE;
	for (unsigned bit = atoms->bits; bit-- > 0;) {
		uint32_t value = kept_bit(atoms, bit);

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
	uint32_t bits = 0;

	for (unsigned bit = 0; bit < atoms->bits; bit++)
		if (mask & kept_bit(atoms, bit))
			bits |= 1u << bit;
	return diagram_forget(&space->diagrams, a, cube_of(space, atoms, bits));
}

uint32_t packets_forget_marks(struct packet_space *space, uint32_t a)
{
	return packets_forget(space, packets_forget(space, a, FIELD_MARK), FIELD_CONNMARK);
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

	a = packets_and(space, packets_forget_mark(space, a, mark, mask), packets_masked(space, mark, mask, value & mask));
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

/* ---- one packet ---- */

/* The lowest number in the set; the diagram of a non-empty set always leads on. */
static uint32_t lowest(struct packet_space *space, uint32_t *a, const struct field_atoms *atoms)
{
	uint32_t number = 0;

	for (unsigned bit = 0; bit < atoms->bits; bit++) {
		uint32_t one = diagram_variable(&space->diagrams, atoms->variables[bit]);
		uint32_t zero = diagram_minus(&space->diagrams, *a, one);

		number <<= 1;
		if (zero == DIAGRAM_NONE)
			number |= 1;
		*a = zero == DIAGRAM_NONE ? diagram_and(&space->diagrams, *a, one) : zero;
	}
	return number;
}

static addr_number value_of(const struct field_atoms *atoms, enum field field, uint32_t number)
{
	addr_number value = 0, end;

	if (is_masked(field)) {
		for (unsigned bit = 0; bit < atoms->bits; bit++)
			if (number & 1u << (atoms->bits - 1 - bit))
				value |= kept_bit(atoms, bit);
		return value;
	}
	if (number >= atoms->starts.len)
		number = (uint32_t)atoms->starts.len - 1;
	value = atoms->starts.data[number];
	end = number + 1 < atoms->starts.len ? atoms->starts.data[number + 1] - 1 : atoms->last;
	/* The first address of a network seldom is somebody's. */
	if ((field == FIELD_DST || field == FIELD_SRC || field == FIELD_NEW_DST) && end > value)
		value++;
	return value;
}

struct sample packets_sample(struct packet_space *space, uint32_t a, const uint32_t *preferred, size_t count)
{
	struct sample sample = {0};

	BUG_ON(a == DIAGRAM_NONE);
	for (size_t i = 0; i < count; i++) {
		uint32_t narrower = packets_and(space, a, preferred[i]);

		if (narrower != DIAGRAM_NONE)
			a = narrower;
	}
	for (int field = 0; field < FIELD_COUNT; field++)
		sample.values[field] = value_of(&space->fields[field], (enum field)field,
						lowest(space, &a, &space->fields[field]));
	/* Few packets are sent by somebody to himself. */
	if (sample.values[FIELD_SRC] == sample.values[FIELD_DST] &&
	    sample.values[FIELD_SRC] < packet_space_piece(space, FIELD_SRC, sample.values[FIELD_SRC]).hi)
		sample.values[FIELD_SRC]++;
	return sample;
}

uint32_t packets_like(struct packet_space *space, const struct sample *sample)
{
	uint32_t like = packets_masked(space, FIELD_FLAGS, UINT32_MAX, (uint32_t)sample->values[FIELD_FLAGS]);

	for (int field = 0; field < FIELD_COUNT; field++)
		if (!is_masked((enum field)field) && field != FIELD_NEW_DST && field != FIELD_NEW_DPORT)
			like = packets_and(space, like, packets_range(space, (enum field)field, sample->values[field],
								      sample->values[field]));
	return like;
}
