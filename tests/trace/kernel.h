/*
 * kernel.h - the parts of the differential test: random rules, random packets, the way onto the wire.
 *
 * The world that kernel.sh makes: a host with wg1 (10.1.1.5/24, fd00:1::5/64), br0 (172.18.0.1/16, fd00:18::1/64) and eth0
 * (192.0.2.1/24, fd00:7::1/64, the default route), and nothing but wires behind them. What has passed all rules is
 * counted and dropped by an nftables table of its own, and so is all that the host sends by itself.
 */
#ifndef PEERWALL_TESTS_KERNEL_H
#define PEERWALL_TESTS_KERNEL_H

#include <peerwall/packet.h>
#include <peerwall/strbuf.h>

#include <stdbool.h>
#include <stdint.h>

/* ---- chance: the same seed, the same test ---- */

void random_seed(uint64_t seed);
unsigned random_below(unsigned limit);
/* Once in `of` times. */
bool random_once_in(unsigned of);
const char *random_of(const char *const *words);

/* ---- rules and packets ---- */

/* A whole rule set for iptables-restore: all five tables. */
void make_rules(struct strbuf *out, enum family family);
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

#endif
