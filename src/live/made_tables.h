/*
 * made_tables.h - which tables came by peerwall, and how they go again.
 *
 * Purpose: to use a table is to make it, for good as far as iptables is concerned. So that `down` leaves nothing
 * behind, tables that were not there before are noted in the run directory, one file for each network namespace,
 * and a noted table in which nobody has anything is deleted. Only under nf_tables: the legacy backend's tables
 * are the kernel's, and stay. The notes last as long as the rules do, since both are gone after a restart.
 * Errors: none that matter to a firewall; a table that cannot be noted or deleted stays, which is said if it was not noted.
 * State after failure: a note too many does no harm, since it is the table itself that shows whether it is of use.
 */
#ifndef PEERWALL_MADE_TABLES_H
#define PEERWALL_MADE_TABLES_H

#include <peerwall/live.h>
#include <peerwall/plan.h>

/* Before the plans are loaded: notes the tables that this will make. */
void made_tables_note(struct live *live, const struct plan plans[FAMILY_COUNT]);

/* Deletes noted tables that nobody uses, and forgets those that are gone or that others use now. */
void made_tables_clear(struct live *live);

#endif
