/*
 * words.h - words compared, and the numbers that they stand for.
 *
 * Inside src/codec only.
 */
#ifndef PEERWALL_WORDS_H
#define PEERWALL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool word_equal(const char *text, size_t size, const char *other);
bool word_equal_nocase(const char *text, size_t size, const char *other);

/* Numbers as strtoul() with base 0 takes them: decimal, 0x hexadecimal, 0 octal. */
bool number_read(const char *text, size_t size, uint64_t max, uint64_t *out);

#endif
