/*
 * generation.h - how often the rules of nf_tables were changed.
 *
 * Purpose: each commit to nf_tables raises its generation by one (NFT_MSG_GETGEN, linux/netfilter/nf_tables.h). Two
 * readings and the number of our own commits tell whether somebody else changed rules in between.
 * Units: a counter that wraps at 2^32. Errors: 0 or -errno; then nothing can be told.
 */
#ifndef PEERWALL_GENERATION_H
#define PEERWALL_GENERATION_H

#include <stdint.h>

/* Of this network namespace. Needs CAP_NET_ADMIN. */
int generation_read(uint32_t *out);

#endif
