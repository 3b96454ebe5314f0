/* ast_words.h - what the two printers of the tree share. Nobody else includes it. */
#ifndef PEERWALL_AST_WORDS_H
#define PEERWALL_AST_WORDS_H

#include <peerwall/ast.h>

/* The word as it is written in a policy. */
void ast_word_print(struct strbuf *out, const struct ast_word *word);

#endif
