/*
 * prove.h - the proof for the policies as they would be applied.
 */
#ifndef PEERWALL_PROVE_H
#define PEERWALL_PROVE_H

#include <peerwall/checks.h>
#include <peerwall/host.h>

/*
 * For each family that there is a snapshot of; with `always` also for the other, as on a host that has no rules of its own.
 * What the host knows of addresses and routes is held for true; nothing, and the proof is for all hosts.
 * Not for policies with errors. Says in `input` what was done; findings are added to the diagnostics.
 */
void prove(struct check_input *input, const struct host *host, bool always, struct arena *arena, struct diags *diags);

#endif
