/*
 * traced_naming.h - which rule of iptables' a traced rule is. Private to traced.
 */
#ifndef PEERWALL_TRACED_NAMING_H
#define PEERWALL_TRACED_NAMING_H

#include <peerwall/traced.h>

/* Fills in naming, rules and traces of each step; the steps have been placed. */
void traced_name(struct traced_packet *packet, struct traced_rules *rules, struct arena *arena);

/* Does the rule of this step answer what it drops? */
bool traced_rejects(const struct traced_step *step, struct arena *arena);

#endif
