/*
 * rule_handles.h - the numbers that nf_tables gives rules, and where in their chains these rules stand.
 *
 * Purpose: the kernel's trace names a rule by its handle; iptables-save prints rules in the order in which the kernel
 * lists them. Source of facts: net/netfilter/nf_tables_api.c (NFT_MSG_GETRULE).
 * Ownership: everything lives in the arena. Errors: 0 or -errno; then nothing of `out` may be used.
 */
#ifndef PEERWALL_RULE_HANDLES_H
#define PEERWALL_RULE_HANDLES_H

#include <peerwall/addr.h>
#include <peerwall/arena.h>
#include <peerwall/intern.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stdint.h>

struct rule_handles {
	struct intern rules;      /* "ip filter INPUT" and the handle */
	VEC(unsigned) positions;  /* by number, from 1 */
};

int rule_handles_read(struct rule_handles *out, const bool families[FAMILY_COUNT], struct arena *arena);

/* From 1; 0 if there is no such rule. `family` in nft's words. */
unsigned rule_handles_find(const struct rule_handles *handles, const char *family, const char *table, const char *chain,
			   uint64_t handle);

#endif
