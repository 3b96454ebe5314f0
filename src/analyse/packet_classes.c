#include <peerwall/packet_classes.h>

#include <peerwall/bug.h>

#include <stdlib.h>

/* ---- pieces ---- */

struct piece {
	uint32_t rest;
	size_t lo, hi; /* numbers of pieces of the field */
};

struct pieces {
	VEC(struct piece) items; /* ascending */
};

struct cutting {
	struct packet_space *space;
	const struct field_atoms *atoms;
	struct pieces *pieces;
};

static void add_piece(struct cutting *cutting, uint32_t rest, size_t lo, size_t hi)
{
	struct pieces *pieces = cutting->pieces;

	/* Numbers beyond the last piece stand for it. */
	if (rest == DIAGRAM_NONE || lo >= cutting->atoms->starts.len)
		return;
	if (hi >= cutting->atoms->starts.len)
		hi = cutting->atoms->starts.len - 1;
	if (pieces->items.len) {
		struct piece *last = &pieces->items.data[pieces->items.len - 1];

		if (last->rest == rest && last->hi + 1 == lo) {
			last->hi = hi;
			return;
		}
	}
	vec_push(cutting->space->arena, &pieces->items, (struct piece){rest, lo, hi});
}

/* Numbers that begin with what was decided so far. */
static void cut(struct cutting *cutting, uint32_t a, unsigned bit, size_t base)
{
	const struct diagrams *diagrams = &cutting->space->diagrams;
	const struct field_atoms *atoms = cutting->atoms;
	size_t size = (size_t)1 << (atoms->bits - bit);
	uint32_t low = a, high = a;

	if (a <= DIAGRAM_ALL || bit == atoms->bits || diagrams->nodes[a].variable > atoms->variables[atoms->bits - 1]) {
		add_piece(cutting, a, base, base + size - 1);
		return;
	}
	BUG_ON(diagrams->nodes[a].variable < atoms->variables[bit]);
	if (diagrams->nodes[a].variable == atoms->variables[bit]) {
		low = diagrams->nodes[a].low;
		high = diagrams->nodes[a].high;
	}
	cut(cutting, low, bit + 1, base);
	cut(cutting, high, bit + 1, base + size / 2);
}

static void cut_up(struct pieces *out, struct packet_space *space, uint32_t a, enum field field)
{
	struct cutting cutting = {space, &space->fields[field], out};

	*out = (struct pieces){0};
	cut(&cutting, a, 0, 0);
}

static struct addr_range values_of(const struct field_atoms *atoms, const struct piece *piece)
{
	bool last = piece->hi + 1 == atoms->starts.len;

	return (struct addr_range){atoms->starts.data[piece->lo], last ? atoms->last : atoms->starts.data[piece->hi + 1] - 1};
}

/* ---- classes ---- */

static int compare_rests(const void *left, const void *right)
{
	const struct piece *a = left, *b = right;

	if (a->rest != b->rest)
		return a->rest < b->rest ? -1 : 1;
	return a->lo < b->lo ? -1 : a->lo > b->lo;
}

struct ranked_class {
	size_t first; /* its least piece */
	struct packet_class made;
};

static int compare_ranks(const void *left, const void *right)
{
	const struct ranked_class *a = left, *b = right;

	return a->first < b->first ? -1 : a->first > b->first;
}

void packets_classify(struct packet_classes *out, struct packet_space *space, uint32_t a, enum field field)
{
	VEC(struct ranked_class) ranked = {0};
	struct pieces pieces;

	*out = (struct packet_classes){0};
	cut_up(&pieces, space, a, field);
	if (!pieces.items.len)
		return;
	qsort(pieces.items.data, pieces.items.len, sizeof *pieces.items.data, compare_rests);
	for (size_t i = 0, end; i < pieces.items.len; i = end) {
		struct addr_set values = {.family = space->family};
		uint32_t rest = pieces.items.data[i].rest;

		for (end = i; end < pieces.items.len && pieces.items.data[end].rest == rest; end++)
			addr_set_add(space->arena, &values, values_of(&space->fields[field], &pieces.items.data[end]));
		vec_push(space->arena, &ranked,
			 (struct ranked_class){pieces.items.data[i].lo,
					       {packets_addresses(space, field, &values), rest}});
	}
	qsort(ranked.data, ranked.len, sizeof *ranked.data, compare_ranks);
	vec_each(class, &ranked)
		vec_push(space->arena, &out->items, class->made);
}

void packets_values(struct addr_set *out, struct packet_space *space, uint32_t a, enum field field)
{
	struct pieces pieces;

	*out = (struct addr_set){.family = space->family};
	cut_up(&pieces, space, a, field);
	vec_each(piece, &pieces.items) {
		BUG_ON(piece->rest != DIAGRAM_ALL);
		addr_set_add(space->arena, out, values_of(&space->fields[field], piece));
	}
}
