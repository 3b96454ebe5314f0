/*
 * witness.h - one packet of a set, in words, and the rules that decide what becomes of it.
 */
#ifndef PEERWALL_WITNESS_H
#define PEERWALL_WITNESS_H

#include <peerwall/diag.h>
#include <peerwall/packetset.h>
#include <peerwall/traverse.h>

#define WITNESS_RULES_MAX 6

struct witness {
	struct sample sample;
	const char *in;
	enum tracking tracking;
	enum passage passage;
	/* witness_keep(): the rules to blame, for when the journey is gone. */
	VEC(struct event) blamed;
};

/* Values that make witnesses look like what people know; before packet_space_close(). */
void witness_mention(struct packet_space *space);

/* Of a set that is not empty. */
struct witness witness_find(struct packet_space *space, const struct places *places, uint32_t packets, const char *in,
			    enum tracking tracking, enum passage passage);

/* "wg1 10.1.1.4 > 10.1.1.5 tcp 873 (to this host)" */
const char *witness_text(struct packet_space *space, const struct witness *witness, struct arena *arena);

/* Who lets packets in: the last rule that accepts them, or if none does, the last policy of a chain; NULL: there is none. */
struct cause {
	const struct chain *chain;
	const struct rule *rule;
};

struct cause witness_cause(struct packet_space *space, const struct witness *witness, const struct journey *journey);
/* All that it lets in. */
uint32_t cause_packets(struct packet_space *space, const struct cause *cause, const struct journey *journey);

/* Keeps the rules that accepted or dropped it, and where it was translated. */
void witness_keep(struct packet_space *space, struct witness *witness, const struct journey *journey, enum event_kind kind);
/* Adds a label for each rule that was kept. */
void witness_blame(const struct witness *witness, struct diags *diags, struct diag *diag);
/* Both. */
void witness_explain(struct packet_space *space, struct witness *witness, const struct journey *journey,
		     enum event_kind kind, struct diags *diags, struct diag *diag);

#endif
