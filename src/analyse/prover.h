/*
 * prover.h - what the parts of the proof share; for src/analyse/proof*.c alone.
 */
#ifndef PEERWALL_PROVER_H
#define PEERWALL_PROVER_H

#include "witness.h"

#include <peerwall/declared.h>
#include <peerwall/proof.h>

/* Whether a test was kept, as far as the interfaces seen so far tell. */
struct verdict {
	const struct assertion *assertion;
	uint32_t tested[PASSAGE_COUNT];
	bool kept, undecided;   /* `can`: by some interface */
	bool has_witness;
	struct witness witness;
};

struct prover {
	const struct proof_input *input;
	struct packet_space space;
	struct places places;
	struct arena *arena;
	struct diags *diags;
	uint32_t arriving;
	uint32_t elsewhere;     /* to addresses that are taken for containers', as if they were this host's */
	bool left_out;          /* some of these were, for that reason alone */
	VEC(struct verdict) tests;
	VEC(const struct permission *) refused; /* said already */
	VEC(struct cause) leaks;                /* the same */
	size_t remarks;         /* diagnostics that are no findings */
	bool stuck;

	/* Of the interface at hand. */
	const char *in;
	uint32_t allowed[PASSAGE_COUNT]; /* by all policies together */
	struct journey whole;            /* of new connections, once somebody has asked */
	bool has_whole;
};

struct passages {
	uint32_t packets[PASSAGE_COUNT];
};

/* ---- proof.c ---- */

bool passages_are_empty(const struct passages *passages);
/* Of packets that would be this host's own only if it had a container's address. To be asked last: see there. */
uint32_t prover_but_elsewhere(struct prover *prover, uint32_t packets);
void prover_send_through(struct prover *prover, struct journey *out, enum tracking tracking, enum traverse_scope scope);
const struct journey *prover_whole_journey(struct prover *prover);
/* True where nothing may be concluded from the journey, and never more. */
bool prover_is_stuck(struct prover *prover, const struct journey *journey);
/* Of new connections, a packet that cannot begin one is shown as what it is. */
struct witness prover_find_witness(struct prover *prover, const struct passages *among, enum tracking tracking);
/* The words of a policy that a finding about the interface belongs to. */
struct span prover_place(const struct prover *prover, const struct witness *witness);

/* ---- proof_closed.c: nothing undeclared gets in ---- */

void prove_closed(struct prover *prover, enum tracking tracking);

/* ---- proof_open.c: everything declared does ---- */

void prove_open(struct prover *prover, const struct journey *journey);
/* It is never tracked, so that it goes another way than what is promised by name. */
void prove_neighbour_discovery(struct prover *prover);

/* ---- proof_tests.c ---- */

void tests_collect(struct prover *prover);
/* By the interface at hand. */
void tests_run(struct prover *prover, const struct journey *journey, const struct policy *policy);
/* What no interface has kept. */
void tests_report(struct prover *prover);

#endif
