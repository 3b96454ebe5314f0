/*
 * rule_events.h - being told when somebody changes rules.
 *
 * Purpose: nf_tables tells whoever listens of each commit (the multicast group NFNLGRP_NFTABLES of
 * linux/netfilter/nfnetlink.h); iptables-nft's are among them. What has changed is not looked at, only that something has:
 * the rules are read anew then. Commits that come thick and fast, as when Docker starts, count as one.
 * The legacy backend tells nobody: there is nothing to do but to look again after a while.
 * Units: milliseconds. Errors: -errno; without the right to listen (CAP_NET_ADMIN) there is only looking again.
 */
#ifndef PEERWALL_RULE_EVENTS_H
#define PEERWALL_RULE_EVENTS_H

#include <stdbool.h>

/* A descriptor, for this network namespace. What happens from here on is not missed. */
int rule_events_open(void);

/* True once something has changed and a while has passed without more of it; false when `limit` is over before. */
bool rule_events_wait(int fd, unsigned limit);

#endif
