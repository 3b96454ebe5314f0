/*
 * vec.h - growable arrays in an arena.
 *
 * VEC(T) is a struct of `data`, `len` and `cap`, counted in elements; all zero is the empty vector.
 * Growth doubles, and the outgrown copy stays in the arena until it is freed: at most as much again.
 */
#ifndef PEERWALL_VEC_H
#define PEERWALL_VEC_H

#include <peerwall/arena.h>

#include <stddef.h>

#define VEC(T)              \
	struct {            \
		T *data;    \
		size_t len; \
		size_t cap; \
	}

/* Makes room for one more element and returns the array, moved if it had to be. */
void *vec_grow(struct arena *arena, void *data, size_t len, size_t *cap, size_t element_size);

#define vec_push(arena, vec, ...)                                                             \
	((vec)->data = vec_grow((arena), (vec)->data, (vec)->len, &(vec)->cap, sizeof *(vec)->data), \
	 (vec)->data[(vec)->len++] = (__VA_ARGS__))

#define vec_each(item, vec) \
	for (__typeof__((vec)->data + 0) item = (vec)->data; item && item < (vec)->data + (vec)->len; item++)

#endif
