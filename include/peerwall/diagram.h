/*
 * diagram.h - binary decision diagrams: sets of bit vectors, with one form for each set.
 *
 * Purpose: the algebra under packetset.h. A set is a number; equal numbers are equal sets. Variable 0 is decided first.
 * Ownership: all nodes of a context go with diagrams_free(); nothing is freed one by one.
 * Errors: a context holds at most so many nodes as it was made for. When they are used up, `gave_up` is set, every
 * further result is the empty set, and no result since then may be believed; it is for the caller to look.
 * Costs: each operation is linear in the product of the sizes of its operands; 16 bytes a node, and 4 to 8 for the tables.
 * Sources: R. E. Bryant, "Graph-Based Algorithms for Boolean Function Manipulation" (1986).
 */
#ifndef PEERWALL_DIAGRAM_H
#define PEERWALL_DIAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIAGRAM_NONE = 0, DIAGRAM_ALL = 1 };

struct diagram_node {
	uint32_t variable;
	uint32_t low, high; /* without and with the variable */
	uint32_t next;      /* in the chain of its hash */
};

struct diagram_memo {
	uint32_t a, b, result;
	uint32_t operation;
};

struct diagrams {
	struct diagram_node *nodes;
	uint32_t count, room, cap;
	uint32_t *heads; /* of the hash chains; a power of two */
	uint32_t head_mask;
	struct diagram_memo *memo;
	uint32_t memo_mask;
	unsigned variables;
	uint64_t effort; /* nodes that were asked for, old and new: what all operations so far took */
	bool gave_up;
};

void diagrams_init(struct diagrams *diagrams, unsigned variables, uint32_t node_cap);
void diagrams_free(struct diagrams *diagrams);

/* The vectors whose variable is 1. */
uint32_t diagram_variable(struct diagrams *diagrams, unsigned variable);
/* Those of `low` where the variable is 0 and those of `high` where it is 1; both speak only of later variables. */
uint32_t diagram_choice(struct diagrams *diagrams, unsigned variable, uint32_t low, uint32_t high);

uint32_t diagram_and(struct diagrams *diagrams, uint32_t a, uint32_t b);
uint32_t diagram_or(struct diagrams *diagrams, uint32_t a, uint32_t b);
uint32_t diagram_minus(struct diagrams *diagrams, uint32_t a, uint32_t b);
/* The vectors that come into the set by some change of the variables of `cube`, an intersection of variables. */
uint32_t diagram_forget(struct diagrams *diagrams, uint32_t a, uint32_t cube);

/* Is that vector, a bit for each variable, in the set? */
bool diagram_holds(const struct diagrams *diagrams, uint32_t a, const bool *vector);
/* How many vectors over all variables. */
double diagram_count(struct diagrams *diagrams, uint32_t a);
/* Which part of all vectors; for small sets in large contexts. */
double diagram_share(const struct diagrams *diagrams, uint32_t a);

#endif
