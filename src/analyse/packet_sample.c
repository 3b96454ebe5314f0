#include "packet_fields.h"

#include <peerwall/bug.h>

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

	if (field_is_masked(field)) {
		for (unsigned bit = 0; bit < atoms->bits; bit++)
			if (number & 1u << (atoms->bits - 1 - bit))
				value |= field_kept_bit(atoms, bit);
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
		if (!field_is_masked((enum field)field) && field != FIELD_NEW_DST && field != FIELD_NEW_DPORT)
			like = packets_and(space, like, packets_range(space, (enum field)field, sample->values[field],
								      sample->values[field]));
	return like;
}
