/*
 * nft_table.h - what a table of nf_tables holds, and how it goes away.
 *
 * Purpose: iptables can make a table and cannot delete one. Under nf_tables the kernel can, and can be told to do it only if
 * nothing was committed since a given generation: so a table that was seen to be empty is deleted empty or not at all.
 * Source of facts: net/netfilter/nf_tables_api.c (a table's use counts its chains, sets, objects and flowtables, a chain's
 * use its rules and the jumps to it), net/netfilter/nfnetlink.c (NFNL_BATCH_GENID), nft list ruleset (priorities).
 * Errors: 0 or -errno. State after failure: nothing was deleted.
 */
#ifndef PEERWALL_NFT_TABLE_H
#define PEERWALL_NFT_TABLE_H

#include <peerwall/arena.h>
#include <peerwall/ruleset.h>

#include <stdint.h>

enum nft_table_state {
	NFT_TABLE_ABSENT,
	NFT_TABLE_BARE,   /* nothing but built-in chains as iptables makes them, without a rule, that accept */
	NFT_TABLE_OURS,   /* chains of peerwall's, whatever else */
	NFT_TABLE_OTHERS, /* something else */
};

int nft_table_look(enum nft_table_state *out, enum family family, enum table_id table, struct arena *arena);

/* -ERESTART if there was a commit since `generation`; -EOPNOTSUPP from a kernel that would not look. */
int nft_table_delete(enum family family, enum table_id table, uint32_t generation);

#endif
