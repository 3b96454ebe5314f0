/*
 * services.h - ports by name, as services(5) has them.
 *
 * Purpose: `tcp ssh`. The file is read directly, not through the name service switch: the same input gives the
 * same rules, and no network is asked.
 * Ownership: the table lives in the arena. Lines that cannot be read are passed over, as the C library does.
 * Errors: of reading: -errno; the table is empty then.
 */
#ifndef PEERWALL_SERVICES_H
#define PEERWALL_SERVICES_H

#include <peerwall/arena.h>
#include <peerwall/intern.h>
#include <peerwall/policy.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stdint.h>

#define SERVICES_PATH "/etc/services"

struct services_entry {
	bool known[PROTOCOL_COUNT];
	uint16_t ports[PROTOCOL_COUNT];
};

struct services {
	struct intern names; /* with aliases */
	VEC(struct services_entry) entries; /* by number in `names` */
};

int services_load(struct services *services, const char *path, struct arena *arena);
/* For tests, and for what services_load() has read. */
void services_parse(struct services *services, const char *text, size_t size, struct arena *arena);
/* NULL if no protocol of ours has it. Where two lines disagree the first one counts, as in getservbyname(3). */
const struct services_entry *services_find(const struct services *services, const char *name, size_t size);

#endif
