/*
 * addr.h - addresses and prefixes of both families.
 *
 * Bytes are in network order; an IPv4 address uses the first four and leaves the rest zero.
 * Text forms follow RFC 4291 on input and RFC 5952 on output, as iptables-save prints them.
 */
#ifndef PEERWALL_ADDR_H
#define PEERWALL_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum family { FAMILY_IPV4, FAMILY_IPV6 };
#define FAMILY_COUNT 2

struct addr {
	enum family family;
	uint8_t bytes[16];
};

struct prefix {
	struct addr addr; /* host bits are zero, unless a caller says otherwise */
	uint8_t length;   /* in bits: 0-32 or 0-128 */
};

#define ADDR_TEXT_MAX 46   /* with the NUL, as INET6_ADDRSTRLEN */
#define PREFIX_TEXT_MAX 50 /* "/128" more */

unsigned family_bits(enum family family);      /* 32, 128 */
const char *family_name(enum family family);   /* "IPv4", "IPv6" */

/* A single address without a length. False if the text is none. */
bool addr_parse(const char *text, size_t size, struct addr *out);
void addr_format(const struct addr *addr, char out[ADDR_TEXT_MAX]);
int addr_compare(const struct addr *a, const struct addr *b); /* IPv4 first, then by value */
bool addr_equal(const struct addr *a, const struct addr *b);

enum prefix_error { PREFIX_OK, PREFIX_BAD_ADDRESS, PREFIX_BAD_LENGTH };

/* "10.0.0.0/8" or a bare address (the family's full length). Host bits are kept as they are. */
enum prefix_error prefix_parse(const char *text, size_t size, struct prefix *out);
/* Always with its length: "10.1.1.4/32". */
void prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_MAX]);
bool prefix_has_host_bits(const struct prefix *prefix);
struct prefix prefix_masked(const struct prefix *prefix);
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);
bool prefix_contains_addr(const struct prefix *outer, const struct addr *addr);
int prefix_compare(const struct prefix *a, const struct prefix *b); /* by address, then shorter first */

/* The netmask of `length` bits. */
struct addr addr_netmask(enum family family, unsigned length);
/* The length of a contiguous netmask, or -1. */
int addr_netmask_length(const struct addr *mask);

#endif
