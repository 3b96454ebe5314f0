/*
 * quoting.h - free text in quotes, in the two ways of iptables-save. Other words: word_encode() of match_codec.h.
 *
 * Inside src/codec only.
 */
#ifndef PEERWALL_QUOTING_H
#define PEERWALL_QUOTING_H

#include <peerwall/strbuf.h>

/* Free text as xtables_save_string() prints it: bare if it is plain. */
void string_print(struct strbuf *out, const char *text);

/* Where the extension has its own way: always in quotes, and an apostrophe is not escaped. */
void string_print_quoted(struct strbuf *out, const char *text);

#endif
