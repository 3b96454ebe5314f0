/*
 * value.h - the values of options, read and printed: values.def has their kinds.
 *
 * Inside src/codec only. Ownership: what readers allocate lives in their arena.
 * Errors: readers give false for what iptables-restore would not take; the value is in no particular state then.
 */
#ifndef PEERWALL_VALUE_H
#define PEERWALL_VALUE_H

#include "module_table.h"

#include <peerwall/match_codec.h>

struct value_reader {
	struct decoder *decoder;
	struct arena *arena;
	enum family family;
	const struct ipsave_word *words; /* as many as option_arity() says */
	enum option_id option;
	enum alias_transform transform;
	const char *reason; /* of a failure */
};

/* False if iptables-restore would not take it; then `reason` says why. */
bool value_read(struct value_reader *reader, struct value *out);
void value_print(struct strbuf *out, enum option_id option, const struct value *value);

/* "1.2.3.4/24" and "1.2.3.4/255.0.0.0"; masks the address. False for names of hosts. */
bool network_read(enum family family, const char *text, size_t size, struct addr *addr, struct addr *mask);
void network_print(struct strbuf *out, const struct addr *addr, const struct addr *mask, bool bare_host);
bool mask_is_zero(const struct addr *mask);

bool icmp_read(enum family family, const char *text, size_t size, struct value *out);
void icmp_print(struct strbuf *out, const struct value *value);
/* A number, or a name of /etc/services. */
bool port_read(struct value_reader *reader, const char *text, size_t size, uint16_t *out);
bool nat_read(struct value_reader *reader, struct value *out);
void nat_print(struct strbuf *out, const struct value *value);
bool rate_read(const char *text, size_t size, bool bytes_too, struct value *out);
/* The unit that iptables-save would choose; the kernel counts in smaller parts for hashlimit. */
void rate_print(struct strbuf *out, const struct value *value, bool hashlimit);
char rate_normalise(struct value *value, bool hashlimit);
/* hashlimit keeps an entry for one such unit, in milliseconds, if nothing else is said. */
uint32_t rate_expire(char unit);
bool burst_read(const char *text, size_t size, struct value *out);
void burst_print(struct strbuf *out, const struct value *value);
/* Until then without --datestop. */
#define DATE_LAST "2038-01-19T03:14:07"
bool date_read(struct value_reader *reader, struct value *out);
bool tcp_flags_read(const char *text, size_t size, uint8_t *out);
void tcp_flags_print(struct strbuf *out, uint8_t flags);
/* "icmp-port-unreachable" for any of the names that REJECT takes, or NULL. */
const char *reject_name(enum family family, const char *text, size_t size);
bool dscp_class_read(const char *text, size_t size, uint64_t *out);
bool tos_name_read(const char *text, size_t size, uint64_t *out);

#endif
