/*
 * kernel.h - what the differential tests against the kernel share: the host in its namespace, random rules and packets,
 * the way onto the wire.
 *
 * The world that world.sh makes: a host with wg1 (10.1.1.5/24, fd00:1::5/64), br0 (172.18.0.1/16, fd00:18::1/64) and
 * eth0 (192.0.2.1/24, fd00:7::1/64, the default route), and nothing but wires behind them. What has passed all rules is
 * counted and dropped by an nftables table of its own, and so is all that the host sends by itself: so no packet
 * makes a connection that the next one could belong to.
 */
#ifndef PEERWALL_TESTS_KERNEL_H
#define PEERWALL_TESTS_KERNEL_H

#include <peerwall/arena.h>
#include <peerwall/host.h>
#include <peerwall/packet.h>
#include <peerwall/ruleset.h>
#include <peerwall/strbuf.h>
#include <peerwall/trace.h>

#include <stdbool.h>
#include <stdint.h>

/* ---- chance: the same seed, the same test ---- */

void random_seed(uint64_t seed);
uint64_t random_next(void);
unsigned random_below(unsigned limit);
/* Once in `of` times. */
bool random_once_in(unsigned of);
const char *random_of(const char *const *words);

/* ---- rules and packets ---- */

enum rule_variety {
	RULES_ALL,
	RULES_PLAIN, /* nothing that sets of packets can express only in part */
};

/* A whole rule set for iptables-restore: all five tables. */
void make_rules(struct strbuf *out, enum family family, enum rule_variety variety);
/* The `index`th of a batch: its source port or identifier is its own. */
void make_packet(struct packet *out, enum family family, unsigned index);

/* ---- the wire ---- */

struct wire {
	int fd; /* in the namespace at the other end */
	int index;
	uint8_t destination[6];
};

/* The bytes of a packet, its checksums right. Returns their number. */
unsigned wire_frame(uint8_t *frame, const struct wire *wire, const struct packet *packet, unsigned identifier);
bool wire_open(struct wire *out, const char *namespace, const char *interface, const char *host_interface);
bool wire_send(const struct wire *wire, const uint8_t *frame, unsigned size);

/* ---- the world ---- */

#define WORLD_INTERFACES 3
#define WORLD_ENTRANCES 2 /* the first of them: packets arrive there */

struct world {
	const char *backend; /* "nft", "legacy" */
	const char *interfaces[WORLD_INTERFACES];
	struct wire wires[WORLD_ENTRANCES];
	struct host host;
	bool quiet; /* it is no news that rules cannot be loaded */
};

/* What came to an end without being refused: [0] at the host itself, then out by the interfaces. */
struct arrivals {
	struct counters at[1 + WORLD_INTERFACES];
};

/* A failure of the test itself. */
_Noreturn void die(const char *what);

/* In the host's namespace; `wire_namespace` is the path of the other one. `interfaces`: "wg1 br0 eth0"; it is kept. */
void world_open(struct world *out, const char *backend, const char *wire_namespace, char *interfaces,
		struct arena *arena);
/* Its addresses and routes, again. */
void world_read_host(struct world *world, struct arena *arena);
bool world_is_nft(const struct world *world);
/* False if iptables-restore refuses them. */
bool world_load(const struct world *world, enum family family, const struct strbuf *rules);
/* As iptables-save prints them, with counters. */
void world_read_rules(const struct world *world, struct ruleset *out, enum family family, struct arena *arena);
void world_read_arrivals(struct arrivals *out);
void world_send(const struct world *world, const struct packet *packet, unsigned identifier);
/* The index in struct arrivals of an interface; NULL is the host. */
size_t world_place(const struct world *world, const char *interface);

/* Does the tracer say what becomes of the packet, without supposing anything? */
bool trace_is_decided(const struct trace *trace);
/* What the tracer says of it. */
void world_trace(const struct world *world, struct trace *out, const struct ruleset *rules, const struct packet *packet,
		 struct arena *arena);

void count_packet(struct counters *counters, const struct packet *packet);
/* "wg1 10.1.1.4 > 10.1.1.5 tcp 873 flags SYN ttl 64 length 100" */
void describe_whole_packet(struct strbuf *out, const struct packet *packet);

#endif
