#include "packet_fields.h"

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

bool field_is_masked(enum field field)
{
	return field == FIELD_MARK || field == FIELD_CONNMARK || field == FIELD_FLAGS;
}

uint32_t field_kept_bit(const struct field_atoms *atoms, unsigned bit)
{
	for (uint32_t value = 1u << 31; value; value >>= 1)
		if (atoms->mask & value && bit-- == 0)
			return value;
	BUG("a field has no bit %u", bit);
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
		if (!field_is_masked((enum field)field))
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
	if (field_is_masked(field)) {
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

	if (field_is_masked(field))
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
		else if (!field_is_masked((enum field)field))
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
	uint64_t effort = space->diagrams.effort;

	space->cubes.len = 0;
	diagrams_free(&space->diagrams);
	diagrams_init(&space->diagrams, variables, PACKET_NODES_MAX);
	space->diagrams.effort = effort;
}

bool packet_space_gave_up(const struct packet_space *space)
{
	return space->diagrams.gave_up;
}

uint64_t packet_space_effort(const struct packet_space *space)
{
	return space->diagrams.effort;
}

bool packet_space_asks_for_marks(const struct packet_space *space)
{
	return space->fields[FIELD_MARK].mask != 0;
}
