#include <peerwall/diagram.h>

#include <peerwall/arena.h>
#include <peerwall/bug.h>

#include <stdlib.h>
#include <string.h>

#define FIRST_NODES (1u << 12)
#define FIRST_MEMO (1u << 12)
#define LAST_MEMO (1u << 20)

enum operation { OPERATION_NONE, OPERATION_AND, OPERATION_OR, OPERATION_MINUS, OPERATION_FORGET };

static uint32_t hash(uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t mixed = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ mixed >> 29 ^ c) * 0xc2b2ae3d27d4eb4fu;
	return (uint32_t)(mixed >> 32);
}

static void rehash(struct diagrams *diagrams, uint32_t heads)
{
	diagrams->heads = checked_realloc(diagrams->heads, (size_t)heads * sizeof *diagrams->heads);
	memset(diagrams->heads, 0, (size_t)heads * sizeof *diagrams->heads);
	diagrams->head_mask = heads - 1;
	for (uint32_t i = 2; i < diagrams->count; i++) {
		struct diagram_node *node = &diagrams->nodes[i];
		uint32_t *head = &diagrams->heads[hash(node->variable, node->low, node->high) & diagrams->head_mask];

		node->next = *head;
		*head = i;
	}
}

/* What was remembered is lost, which costs no more than working it out once more. */
static void reset_memo(struct diagrams *diagrams, uint32_t size)
{
	diagrams->memo = checked_realloc(diagrams->memo, (size_t)size * sizeof *diagrams->memo);
	memset(diagrams->memo, 0, (size_t)size * sizeof *diagrams->memo);
	diagrams->memo_mask = size - 1;
}

void diagrams_init(struct diagrams *diagrams, unsigned variables, uint32_t node_cap)
{
	*diagrams = (struct diagrams){.variables = variables, .cap = node_cap, .room = FIRST_NODES, .count = 2};
	diagrams->nodes = checked_realloc(NULL, FIRST_NODES * sizeof *diagrams->nodes);
	/* The two ends stand behind all variables. */
	diagrams->nodes[DIAGRAM_NONE] = (struct diagram_node){variables, 0, 0, 0};
	diagrams->nodes[DIAGRAM_ALL] = (struct diagram_node){variables, 1, 1, 0};
	rehash(diagrams, FIRST_NODES);
	reset_memo(diagrams, FIRST_MEMO);
}

void diagrams_free(struct diagrams *diagrams)
{
	free(diagrams->nodes);
	free(diagrams->heads);
	free(diagrams->memo);
	*diagrams = (struct diagrams){0};
}

static void grow(struct diagrams *diagrams)
{
	uint32_t room = diagrams->room * 2;

	diagrams->nodes = checked_realloc(diagrams->nodes, (size_t)room * sizeof *diagrams->nodes);
	diagrams->room = room;
	rehash(diagrams, room);
	if (room <= LAST_MEMO)
		reset_memo(diagrams, room);
}

uint32_t diagram_choice(struct diagrams *diagrams, unsigned variable, uint32_t low, uint32_t high)
{
	uint32_t place;

	diagrams->effort++;
	if (low == high)
		return low;
	if (diagrams->gave_up)
		return DIAGRAM_NONE;
	place = hash(variable, low, high) & diagrams->head_mask;
	for (uint32_t i = diagrams->heads[place]; i; i = diagrams->nodes[i].next) {
		const struct diagram_node *node = &diagrams->nodes[i];

		if (node->low == low && node->high == high && node->variable == variable)
			return i;
	}
	if (diagrams->count == diagrams->cap) {
		diagrams->gave_up = true;
		return DIAGRAM_NONE;
	}
	if (diagrams->count == diagrams->room) {
		grow(diagrams);
		place = hash(variable, low, high) & diagrams->head_mask;
	}
	diagrams->nodes[diagrams->count] = (struct diagram_node){variable, low, high, diagrams->heads[place]};
	diagrams->heads[place] = diagrams->count;
	return diagrams->count++;
}

uint32_t diagram_variable(struct diagrams *diagrams, unsigned variable)
{
	BUG_ON(variable >= diagrams->variables);
	return diagram_choice(diagrams, variable, DIAGRAM_NONE, DIAGRAM_ALL);
}

/* The answers that need no look at the nodes. */
static bool is_settled(enum operation operation, uint32_t a, uint32_t b, uint32_t *result)
{
	switch (operation) {
	case OPERATION_AND:
		if (a == DIAGRAM_NONE || b == DIAGRAM_ALL || a == b)
			return *result = a, true;
		if (b == DIAGRAM_NONE || a == DIAGRAM_ALL)
			return *result = b, true;
		return false;
	case OPERATION_OR:
		if (a == DIAGRAM_ALL || b == DIAGRAM_NONE || a == b)
			return *result = a, true;
		if (b == DIAGRAM_ALL || a == DIAGRAM_NONE)
			return *result = b, true;
		return false;
	case OPERATION_MINUS:
		if (a == DIAGRAM_NONE || b == DIAGRAM_NONE)
			return *result = a, true;
		if (b == DIAGRAM_ALL || a == b)
			return *result = DIAGRAM_NONE, true;
		return false;
	case OPERATION_FORGET:
		if (a <= DIAGRAM_ALL || b == DIAGRAM_ALL)
			return *result = a, true;
		return false;
	case OPERATION_NONE:
		break;
	}
	BUG("operation %d", (int)operation);
}

static uint32_t apply(struct diagrams *diagrams, enum operation operation, uint32_t a, uint32_t b);

static uint32_t apply_forget(struct diagrams *diagrams, uint32_t a, uint32_t cube)
{
	struct diagram_node node = diagrams->nodes[a];
	uint32_t low, high;

	while (diagrams->nodes[cube].variable < node.variable)
		cube = diagrams->nodes[cube].high;
	if (cube == DIAGRAM_ALL)
		return a;
	low = apply(diagrams, OPERATION_FORGET, node.low, cube);
	high = apply(diagrams, OPERATION_FORGET, node.high, cube);
	if (diagrams->nodes[cube].variable == node.variable)
		return apply(diagrams, OPERATION_OR, low, high);
	return diagram_choice(diagrams, node.variable, low, high);
}

static uint32_t apply_both(struct diagrams *diagrams, enum operation operation, uint32_t a, uint32_t b)
{
	struct diagram_node left = diagrams->nodes[a], right = diagrams->nodes[b];
	unsigned variable = left.variable < right.variable ? left.variable : right.variable;
	uint32_t low, high;

	low = apply(diagrams, operation, left.variable == variable ? left.low : a,
		    right.variable == variable ? right.low : b);
	high = apply(diagrams, operation, left.variable == variable ? left.high : a,
		     right.variable == variable ? right.high : b);
	return diagram_choice(diagrams, variable, low, high);
}

/* As deep as there are variables. */
static uint32_t apply(struct diagrams *diagrams, enum operation operation, uint32_t a, uint32_t b)
{
	struct diagram_memo *memo;
	uint32_t result, place;

	if (is_settled(operation, a, b, &result))
		return result;
	if (diagrams->gave_up)
		return DIAGRAM_NONE;
	if ((operation == OPERATION_AND || operation == OPERATION_OR) && a > b) {
		uint32_t swapped = a;

		a = b;
		b = swapped;
	}
	place = hash(a, b, operation);
	memo = &diagrams->memo[place & diagrams->memo_mask];
	if (memo->a == a && memo->b == b && memo->operation == operation)
		return memo->result;
	result = operation == OPERATION_FORGET ? apply_forget(diagrams, a, b) : apply_both(diagrams, operation, a, b);
	/* The memo may have moved meanwhile. */
	diagrams->memo[place & diagrams->memo_mask] = (struct diagram_memo){a, b, result, operation};
	return result;
}

uint32_t diagram_and(struct diagrams *diagrams, uint32_t a, uint32_t b)
{
	return apply(diagrams, OPERATION_AND, a, b);
}

uint32_t diagram_or(struct diagrams *diagrams, uint32_t a, uint32_t b)
{
	return apply(diagrams, OPERATION_OR, a, b);
}

uint32_t diagram_minus(struct diagrams *diagrams, uint32_t a, uint32_t b)
{
	return apply(diagrams, OPERATION_MINUS, a, b);
}

uint32_t diagram_forget(struct diagrams *diagrams, uint32_t a, uint32_t cube)
{
	return apply(diagrams, OPERATION_FORGET, a, cube);
}

bool diagram_holds(const struct diagrams *diagrams, uint32_t a, const bool *vector)
{
	while (a > DIAGRAM_ALL)
		a = vector[diagrams->nodes[a].variable] ? diagrams->nodes[a].high : diagrams->nodes[a].low;
	return a == DIAGRAM_ALL;
}

/* Children always have smaller numbers than their parents, so that one pass upwards is enough. */
double diagram_count(struct diagrams *diagrams, uint32_t a)
{
	double *share, result;

	if (a <= DIAGRAM_ALL) {
		result = a;
	} else {
		share = checked_realloc(NULL, ((size_t)a + 1) * sizeof *share);
		share[DIAGRAM_NONE] = 0;
		share[DIAGRAM_ALL] = 1;
		for (uint32_t i = 2; i <= a; i++)
			share[i] = (share[diagrams->nodes[i].low] + share[diagrams->nodes[i].high]) / 2;
		result = share[a];
		free(share);
	}
	for (unsigned i = 0; i < diagrams->variables; i++)
		result *= 2;
	return result;
}

/* Shares of the nodes that were seen, by open addressing; a power of two, at most half full. */
struct share_table {
	struct { uint32_t node; double share; } *slots;
	uint32_t mask, count;
};

static uint32_t share_slot(const struct share_table *table, uint32_t node)
{
	uint32_t slot = hash(node, 0, 0) & table->mask;

	while (table->slots[slot].node && table->slots[slot].node != node)
		slot = (slot + 1) & table->mask;
	return slot;
}

static void share_keep(struct share_table *table, uint32_t node, double share)
{
	struct share_table old = *table;
	uint32_t slot;

	if (!old.slots || old.count * 2 > old.mask) {
		table->mask = old.slots ? old.mask * 2 + 1 : 63;
		table->slots = checked_realloc(NULL, ((size_t)table->mask + 1) * sizeof *table->slots);
		memset(table->slots, 0, ((size_t)table->mask + 1) * sizeof *table->slots);
		for (uint32_t i = 0; old.slots && i <= old.mask; i++)
			if (old.slots[i].node)
				table->slots[share_slot(table, old.slots[i].node)] = old.slots[i];
		free(old.slots);
	}
	slot = share_slot(table, node);
	table->slots[slot].node = node;
	table->slots[slot].share = share;
	table->count++;
}

static double share_of(const struct diagrams *diagrams, uint32_t a, struct share_table *table)
{
	double share;
	uint32_t slot;

	if (a <= DIAGRAM_ALL)
		return a;
	if (table->slots) {
		slot = share_slot(table, a);
		if (table->slots[slot].node)
			return table->slots[slot].share;
	}
	share = (share_of(diagrams, diagrams->nodes[a].low, table) + share_of(diagrams, diagrams->nodes[a].high, table)) / 2;
	share_keep(table, a, share);
	return share;
}

double diagram_share(const struct diagrams *diagrams, uint32_t a)
{
	struct share_table table = {0};
	double share = share_of(diagrams, a, &table);

	free(table.slots);
	return share;
}
