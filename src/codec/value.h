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

/*
 * The kinds, each in the file that is named; value_read() and value_print() go to them. Some are told by the
 * option's row how to read or print, and so are given the reader or the option.
 */

/* ---- value_numbers.c ---- */

bool value_number_read(struct value_reader *reader, struct value *out);
bool range_read(struct value_reader *reader, struct value *out);
void range_print(struct strbuf *out, enum option_id option, const struct value *value);
bool masked_read(struct value_reader *reader, struct value *out);
void masked_print(struct strbuf *out, enum option_id option, const struct value *value);
bool probability_read(struct value_reader *reader, struct value *out);
void probability_print(struct strbuf *out, const struct value *value);

/* ---- value_ports.c ---- */

/* A number, or a name of /etc/services. */
bool port_read(struct value_reader *reader, const char *text, size_t size, uint16_t *out);
bool ports_read(struct value_reader *reader, struct value *out);
bool port_list_read(struct value_reader *reader, struct value *out);
void ports_print(struct strbuf *out, const struct value *value);
bool nat_ports_read(struct value_reader *reader, struct value *out);

/* ---- value_nat.c ---- */

bool nat_read(struct value_reader *reader, struct value *out);
void nat_print(struct strbuf *out, const struct value *value);

/* ---- value_networks.c ---- */

/* "1.2.3.4/24" and "1.2.3.4/255.0.0.0"; masks the address. False for names of hosts. */
bool network_read(enum family family, const char *text, size_t size, struct addr *addr, struct addr *mask);
void network_print(struct strbuf *out, const struct addr *addr, const struct addr *mask, bool bare_host);
bool mask_is_zero(const struct addr *mask);
bool address_read(struct value_reader *reader, struct value *out);
bool addr_range_read(struct value_reader *reader, struct value *out);
void addr_print(struct strbuf *out, const struct addr *addr);

/* ---- value_names.c ---- */

bool icmp_read(enum family family, const char *text, size_t size, struct value *out);
void icmp_print(struct strbuf *out, const struct value *value);
bool tcp_flags_read(struct value_reader *reader, struct value *out);
void tcp_flags_print(struct strbuf *out, const struct value *value);
/* "icmp-port-unreachable" for any of the names that REJECT takes, or NULL. */
const char *reject_name(enum family family, const char *text, size_t size);
bool dscp_class_read(const char *text, size_t size, uint64_t *out);
bool tos_name_read(const char *text, size_t size, uint64_t *out);

/* ---- value_words.c ---- */

bool word_read(struct value_reader *reader, struct value *out);
bool words_read(struct value_reader *reader, struct value *out);
bool string_read(struct value_reader *reader, struct value *out);

/* ---- value_lists.c ---- */

void name_print(struct strbuf *out, const char *names, unsigned number);
bool bits_read(struct value_reader *reader, struct value *out);
void bits_print(struct strbuf *out, enum option_id option, const struct value *value);
bool enum_read(struct value_reader *reader, struct value *out);

/* ---- value_rates.c ---- */

bool rate_read(const char *text, size_t size, bool bytes_too, struct value *out);
/* The unit that iptables-save would choose; the kernel counts in smaller parts for hashlimit. */
void rate_print(struct strbuf *out, const struct value *value, bool hashlimit);
char rate_normalise(struct value *value, bool hashlimit);
/* hashlimit keeps an entry for one such unit, in milliseconds, if nothing else is said. */
uint32_t rate_expire(char unit);
bool burst_read(const char *text, size_t size, struct value *out);
void burst_print(struct strbuf *out, const struct value *value);

/* ---- value_times.c ---- */

/* Until then without --datestop. */
#define DATE_LAST "2038-01-19T03:14:07"
bool date_read(struct value_reader *reader, struct value *out);
bool daytime_read(struct value_reader *reader, struct value *out);
void daytime_print(struct strbuf *out, const struct value *value);

/* ---- value_ids.c ---- */

bool mac_read(struct value_reader *reader, struct value *out);
void mac_print(struct strbuf *out, const struct value *value);
bool ids_read(struct value_reader *reader, struct value *out);
bool class_read(struct value_reader *reader, struct value *out);
void class_print(struct strbuf *out, const struct value *value);

#endif
