#include <peerwall/vec.h>

#include <stdint.h>
#include <string.h>

void *vec_grow(struct arena *arena, void *data, size_t len, size_t *cap, size_t element_size)
{
	size_t larger, size;
	void *moved;

	if (len < *cap)
		return data;
	larger = *cap ? *cap * 2 : 4;
	/* A size that no memory can hold is refused as one by the arena. */
	if (__builtin_mul_overflow(larger, element_size, &size))
		size = SIZE_MAX;
	moved = arena_alloc(arena, size);
	if (len)
		memcpy(moved, data, len * element_size);
	*cap = larger;
	return moved;
}
