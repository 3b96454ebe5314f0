/*
 * given_rules.h - the rules that trace and reach ask about: those of snapshots, or the live ones; with policies, as they would be
 * once these were applied; and what is known of the host.
 *
 * Ownership: everything lives in the command's arena.
 * Functions that return an exit code return EXIT_FINE to go on; at any other the command is over.
 */
#ifndef PEERWALL_GIVEN_RULES_H
#define PEERWALL_GIVEN_RULES_H

#include "live_command.h"

#include <stdbool.h>

/* What --host names, into the input's host. */
int given_host(struct live_command *command);

/* The one snapshot of the family, if there is one. */
int given_snapshot(struct live_command *command, enum family family, struct check_snapshot *out, bool *found);
/* The kernel's rules of the family, if it has it; also the host's addresses and routes, where no file told them. */
int given_live(struct live_command *command, enum family family, struct check_snapshot *out, bool *found);

/* Reads what --policy names, and compiles it. */
int given_policies(struct live_command *command);
/* The rules as they would be once the policies were applied. */
int given_rules_with_policies(struct live_command *command, struct check_snapshot *rules);

#endif
