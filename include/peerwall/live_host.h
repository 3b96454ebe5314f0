/*
 * live_host.h - this host's addresses and routes, as the `ip` tool prints them.
 *
 * Purpose: what host.h reads from files, live. `ip` is looked for in the fixed list of directories, as iptables' tools are.
 * Errors: false, worded in the failure of the live run. Nothing on the host is changed.
 */
#ifndef PEERWALL_LIVE_HOST_H
#define PEERWALL_LIVE_HOST_H

#include <peerwall/host.h>
#include <peerwall/live.h>

bool live_host_read(struct live *live, struct host *host);

#endif
