#include "rule_order.h"

#include <string.h>

/* The first insertion makes up for the rules that were appended before it. */
static void note_place(struct rule_order *order, struct arena *arena, const struct chain *chain, uint32_t place)
{
	while (order->places.len + 1 < chain->rules.len) {
		uint32_t next = (uint32_t)order->places.len;

		vec_push(arena, &order->places, next);
	}
	vec_push(arena, &order->places, place);
}

void rule_order_insert(struct rule_order *order, struct arena *arena, const struct chain *chain, uint32_t place)
{
	note_place(order, arena, chain, place);
}

void rule_order_append(struct rule_order *order, struct arena *arena, const struct chain *chain)
{
	if (order->places.len > 0)
		note_place(order, arena, chain, (uint32_t)chain->rules.len - 1);
}

/*
 * Seen from the last rule back, each one takes the place-th slot that is still free. The free slots are
 * counted in a Fenwick tree: counts[i] is the number of free slots in the (i & -i) slots that end at i.
 */
void rule_order_apply(struct rule_order *order, struct arena *arena, struct chain *chain)
{
	size_t n = chain->rules.len, top = 1;
	uint32_t *counts;
	struct rule *sorted;

	if (order->places.len == 0)
		return;
	counts = arena_alloc(arena, (n + 1) * sizeof *counts);
	sorted = arena_alloc(arena, n * sizeof *sorted);
	for (size_t i = 1; i <= n; i++)
		counts[i] = (uint32_t)(i & -i);
	while (top * 2 <= n)
		top *= 2;
	for (size_t rule = n; rule-- > 0;) {
		uint32_t left = order->places.data[rule];
		size_t slot = 0;

		for (size_t step = top; step > 0; step /= 2)
			if (slot + step <= n && counts[slot + step] <= left) {
				slot += step;
				left -= counts[slot];
			}
		sorted[slot] = chain->rules.data[rule];
		for (size_t i = slot + 1; i <= n; i += i & -i)
			counts[i]--;
	}
	memcpy(chain->rules.data, sorted, n * sizeof *sorted);
	order->places.len = 0;
}
