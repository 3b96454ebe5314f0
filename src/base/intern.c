#include <peerwall/intern.h>
#include <peerwall/vec.h>

#include <string.h>

/* FNV-1a, 64 bits (draft-eastlake-fnv), folded. */
static uint32_t hash_bytes(const char *bytes, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
	return (uint32_t)(hash ^ (hash >> 32));
}

void intern_init(struct intern *table, struct arena *arena)
{
	*table = (struct intern){.arena = arena};
}

/* The slot that holds the string, or the free one where it would go. */
static uint32_t slot_of(const struct intern *table, const char *bytes, size_t size)
{
	uint32_t mask = table->slot_count - 1;
	uint32_t slot = hash_bytes(bytes, size) & mask;

	for (; table->slots[slot]; slot = (slot + 1) & mask) {
		uint32_t number = table->slots[slot] - 1;

		if (table->lengths[number] == size && memcmp(table->strings[number], bytes, size) == 0)
			break;
	}
	return slot;
}

static void rehash(struct intern *table)
{
	table->slot_count = table->slot_count ? table->slot_count * 2 : 16;
	table->slots = arena_zalloc(table->arena, table->slot_count * sizeof *table->slots);
	for (uint32_t number = 0; number < table->count; number++)
		table->slots[slot_of(table, table->strings[number], table->lengths[number])] = number + 1;
}

uint32_t intern_find(const struct intern *table, const char *bytes, size_t size)
{
	uint32_t entry;

	if (!table->slot_count)
		return INTERN_NONE;
	entry = table->slots[slot_of(table, bytes, size)];
	return entry ? entry - 1 : INTERN_NONE;
}

uint32_t intern_add(struct intern *table, const char *bytes, size_t size)
{
	uint32_t number = intern_find(table, bytes, size);

	if (number != INTERN_NONE)
		return number;
	if (table->count * 2 >= table->slot_count)
		rehash(table);
	if (table->count == table->cap) {
		size_t cap = table->cap;

		table->strings = vec_grow(table->arena, table->strings, table->count, &cap, sizeof *table->strings);
		cap = table->cap;
		table->lengths = vec_grow(table->arena, table->lengths, table->count, &cap, sizeof *table->lengths);
		table->cap = (uint32_t)cap;
	}
	number = table->count++;
	table->strings[number] = arena_strndup(table->arena, bytes, size);
	table->lengths[number] = (uint32_t)size;
	table->slots[slot_of(table, bytes, size)] = number + 1;
	return number;
}
