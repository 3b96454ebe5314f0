#include <peerwall/arena.h>

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)256 << 10)
#define EXIT_SYSTEM 5

struct arena_block {
	struct arena_block *next;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

static _Noreturn void out_of_memory(void)
{
	static const char message[] = "peerwall: out of memory; nothing was changed\n";
	ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);

	(void)written;
	_exit(EXIT_SYSTEM);
}

void *checked_realloc(void *memory, size_t size)
{
	void *moved = realloc(memory, size ? size : 1);

	if (!moved)
		out_of_memory();
	return moved;
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof *block)
		out_of_memory();
	block = checked_realloc(NULL, sizeof *block + size);
	block->size = size;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *block = arena->head;
	void *result;

	if (size > SIZE_MAX - align)
		out_of_memory();
	size = (size + align - 1) & ~(align - 1);

	/* A large piece gets a block of its own behind the head, which stays in use. */
	if (block && size > BLOCK_SIZE / 4) {
		struct arena_block *own = block_new(size);

		own->next = block->next;
		block->next = own;
		return own->bytes;
	}
	if (!block || block->size - arena->used < size) {
		struct arena_block *fresh = block_new(size > BLOCK_SIZE ? size : BLOCK_SIZE);

		fresh->next = block;
		arena->head = block = fresh;
		arena->used = 0;
	}
	result = block->bytes + arena->used;
	arena->used += size;
	return result;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

char *arena_strndup(struct arena *arena, const char *bytes, size_t size)
{
	char *copy = arena_alloc(arena, size + 1);

	if (size)
		memcpy(copy, bytes, size);
	copy[size] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *string)
{
	return arena_strndup(arena, string, strlen(string));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char *text;
	int size;

	va_start(args, format);
	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0)
		out_of_memory();
	text = arena_alloc(arena, (size_t)size + 1);
	vsnprintf(text, (size_t)size + 1, format, again);
	va_end(again);
	return text;
}

void arena_free(struct arena *arena)
{
	for (struct arena_block *block = arena->head, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	*arena = ARENA_EMPTY;
}
