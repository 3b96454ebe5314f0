/*
 * nft_native.h - rules that nft itself has loaded, beside those of iptables.
 *
 * Purpose: peerwall reads and judges what iptables-save prints. Where nftables has tables of its own that can refuse or turn
 * packets (firewalld's, Docker's own, /etc/nftables.conf), it says so: what it tells of packets holds as far as these let it.
 * Source of facts: linux/netfilter/nf_tables.h; iptables-nft's tables are those of the families ip and ip6 that bear the names of
 * iptables' (nft_find_table() of iptables' nft.c).
 * Ownership: texts live in the arena. Errors: 0 or -errno; then nothing can be told.
 */
#ifndef PEERWALL_NFT_NATIVE_H
#define PEERWALL_NFT_NATIVE_H

#include <peerwall/arena.h>
#include <peerwall/vec.h>

struct nft_native_tables {
	VEC(const char *) items; /* "inet filter", each once */
};

/* Those of this network namespace with a chain at some hook that holds rules or drops by itself. */
int nft_native_list(struct nft_native_tables *out, struct arena *arena);

#endif
