/*
 * sets.h - the parts of sets.c: what the sets say of a rule set and of one packet, which packets are worth asking
 * about, and what the tracer and the kernel have to say of them.
 */
#ifndef PEERWALL_TESTS_SETS_H
#define PEERWALL_TESTS_SETS_H

#include "kernel.h"

#include <peerwall/traverse.h>
#include <peerwall/vec.h>

#include <stdio.h>

#define TRACKINGS_WALKED 3 /* of enum tracking, the first */
/* What is forwarded has to have some left; the sets do not speak of that. TTL targets take a few. */
#define ENOUGH_HOPS 20

/* ---- analysis.c: the sets of one rule set, and what this host makes of them ---- */

/* That some packets came to a rule, and that it took hold of some of these. */
struct taking {
	enum table_id table;
	enum hook hook;
	const struct chain *chain;
	const struct rule *rule; /* NULL: the chain's policy */
	uint32_t reached, hit;
	bool exact;              /* false: some of the hit may pass by */
	bool translated;         /* by DNAT */
	bool resourced;          /* by SNAT */
};

/* All packets that enter by one interface in one state. */
struct passing {
	struct analysis *analysis;
	struct journey journey;
	VEC(struct taking) takings; /* in the order in which packets meet them */
};

struct analysis {
	const struct world *world;
	const struct ruleset *rules;
	struct arena *arena;
	struct packet_space space;
	struct places places;
	struct passing passings[WORLD_ENTRANCES][TRACKINGS_WALKED];
	uint32_t sendable; /* what the kernel lets in at all, the host has a way for, and the wire can make */
	uint32_t sendable_anyhow; /* the same, by whatever way it goes on */
};

/* A packet on the wire. */
struct probe {
	struct packet packet;
	unsigned identifier; /* of ICMP, as connection tracking sees it; else of the header */
};

/* False if the sets gave up. */
bool analysis_make(struct analysis *out, const struct world *world, const struct ruleset *rules, struct arena *arena);
void analysis_free(struct analysis *analysis);
/* Of no special use. */
bool is_ordinary_address(enum family family, addr_number number);
/* What the host has to say of a destination, by host.h. False if it goes nowhere. */
bool analysis_place(const struct analysis *analysis, addr_number destination, enum destination_type *type,
		    uint32_t *out);

/* ---- prediction.c: of one packet ---- */

/* A rule or a policy that may take hold of it. */
struct meeting {
	const struct taking *taking;
	bool surely;
};

struct prediction {
	VEC(struct meeting) meetings; /* in the order of the packet's way */
	bool decided;                 /* there is one way only */
	bool may_be_dropped, may_be_forwarded, may_be_translated;
	bool may_arrive[1 + WORLD_INTERFACES]; /* as struct arrivals has it */
};

void predict(struct prediction *out, struct analysis *analysis, const struct probe *probe);

/* ---- path.c: the rules that one packet met ---- */

struct tallies;

/* In their order; those that the analysis walks. */
struct rule_path {
	VEC(const struct rule *) rules;
};

void path_of_trace(struct rule_path *out, const struct trace_path *trace, struct arena *arena);
/* All that is certain lies on the path, and nothing else than what is possible. */
bool path_fits(const struct rule_path *path, const struct prediction *prediction, const struct tallies *tallies);
bool path_equal(const struct rule_path *a, const struct rule_path *b, const struct tallies *tallies);

/* ---- nftrace.c: the kernel's own trace ---- */

/* From here on; in the host's namespace. */
int nftrace_open(void);
/* All that has come of the packets with the identifiers 1 to `count`; the rules are as they were loaded. */
void nftrace_read(int fd, struct rule_path *paths, unsigned count, const struct analysis *analysis);

/* ---- choice.c ---- */

/* For every taking that there is room for, a packet inside of it and one just outside. Returns how many. */
unsigned choose_probes(struct probe *out, unsigned room, struct analysis *analysis);

/* ---- tally.c: how often each rule was taken ---- */

struct tally {
	const void *subject; /* a rule, or a chain for its policy */
	enum table_id table;
	const struct chain *chain;
	unsigned number;     /* of the rule; 0: the policy */
	struct counters least, most;
};

struct tallies {
	VEC(struct tally) all; /* by subject */
};

/* Of all rules that the analysis walks. */
void tallies_make(struct tallies *out, const struct analysis *analysis);
struct tally *tallies_find(const struct tallies *tallies, const void *subject);

/* ---- sets.c ---- */

#define BATCH_MAX 400
#define DIFFERENCES_MAX 5

struct test {
	struct world world;
	uint64_t seed;
	unsigned packets;
	const char *dump; /* NULL: the rules are random */
	bool is_dumps;
	int nftrace;
	size_t rule_sets, sent, decided, accepted, traced, differences;
	size_t not_loaded, given_up;
};

/* The rules are loaded; the text is what they were loaded from. */
void test_rules(struct test *test, enum family family, const struct strbuf *text);

/* ---- dumps.c ---- */

/* Lines of "FAMILY PATH". */
void test_dumps(struct test *test, FILE *list);

#endif
