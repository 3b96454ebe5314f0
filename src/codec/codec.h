/*
 * codec.h - what the parts of the codec share: the rows of modules.def, and readers and printers of values.
 *
 * Inside src/codec only; match_codec.h is the interface.
 * Ownership: what readers allocate lives in the ruleset's arena.
 */
#ifndef PEERWALL_CODEC_H
#define PEERWALL_CODEC_H

#include <peerwall/match_codec.h>

/* The flags of OPTION rows. */
enum option_flags {
	INVERT = 1 << 0,        /* "!" may stand before it */
	REQUIRED = 1 << 1,      /* the module is refused without it; with ONE_OF, without any of these */
	ONE_OF = 1 << 2,        /* excludes the module's other options with this flag */
	REPEATED = 1 << 3,      /* may occur more than once */
	WIDTH_8 = 1 << 4,       /* numbers fit 8 bits; without a width: 32 */
	WIDTH_16 = 1 << 5,
	WIDTH_64 = 1 << 6,
	BITS_6 = 1 << 7,        /* and are below 64 */
	PREFIX_LENGTH = 1 << 8, /* at most the family's bits */
	TWO_DIGITS = 1 << 9,    /* hexadecimal with leading zero: 0x0a */
	FULL_MASK = 1 << 10,    /* the mask is always printed */
	BARE_HOST = 1 << 11,    /* a single address is printed without its length */
	QUOTED = 1 << 12,       /* always in quotes */
	BYTES_TOO = 1 << 13,    /* a rate may be one of bytes */
	OPEN_END = 1 << 14,     /* a range up to the greatest number is printed as its start */
	NONE_WORD = 1 << 15,    /* the empty set of names is "NONE" */
	INTERFACE = 1 << 16,    /* a word with the limits of interface names */
	IPV6_OPTION = 1 << 17,  /* IPv4 does not have it */
	LOG_LEVEL = 1 << 18,    /* or the name of a syslog level */
	LIMIT_BURST = 1 << 19,  /* at most 10000 */
	ZONE = 1 << 20,         /* a number of 16 bits, or "mark" */
	QUEUES = 1 << 21,       /* a range of queues: at least two, 65535 is none */
	POSITIVE = 1 << 22,     /* not 0 */
	PREFIX_ONLY = 1 << 23,  /* the mask has to be one of a length */
	PROTOCOL = 1 << 24,     /* or the name of a protocol; not 0 */
};

/* The transforms of ALIAS rows: how the value of another spelling becomes the option's. */
enum alias_transform {
	TRANSFORM_SAME,
	TRANSFORM_SYN,        /* no value: FIN,SYN,RST,ACK SYN */
	TRANSFORM_SET_BITS,   /* x/m: x/(m|x) */
	TRANSFORM_AND_BITS,   /* x: 0/~x */
	TRANSFORM_OR_BITS,    /* x: x/x */
	TRANSFORM_XOR_BITS,   /* x: x/0 */
	TRANSFORM_DSCP_CLASS, /* a name: EF, CS1, AF11 */
};

enum module_trait { TRAIT_NONE, TRAIT_IPV4_ONLY, TRAIT_IPV6_ONLY };

struct option_row {
	enum module_id module;
	const char *spelling;
	uint32_t spelling_size;
	enum value_kind kind;
	unsigned flags;
	const char *names;
};

struct module_row {
	const char *name;
	uint32_t name_size;
	bool target;
	enum option_id first; /* its options are option_rows[first ... first + count - 1] */
	unsigned count;
	enum module_trait trait;
};

struct alias_row {
	enum option_id option;
	const char *spelling;
	uint32_t spelling_size;
	enum alias_transform transform;
};

extern const struct option_row option_rows[OPTION_COUNT];

struct module_row module_row(enum module_id module);
/* MODULE_OPAQUE if there is none of that name in the family. */
enum module_id module_find(const char *name, size_t size, bool target, enum family family);

enum option_lookup { LOOKUP_NONE, LOOKUP_EXACT, LOOKUP_PREFIX, LOOKUP_AMBIGUOUS };
/* Among one module's options and aliases, as getopt_long() does: exactly, or by the beginning of a name. */
enum option_lookup option_find(enum module_id module, enum family family, const char *name, size_t size,
			       enum option_id *option, enum alias_transform *transform);

/* How many words the option takes. */
unsigned option_arity(enum option_id option, enum alias_transform transform);

/* ---- values ---- */

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

/* Numbers as strtoul() with base 0 takes them: decimal, 0x hexadecimal, 0 octal. */
bool number_read(const char *text, size_t size, uint64_t max, uint64_t *out);
bool word_equal(const char *text, size_t size, const char *other);
bool word_equal_nocase(const char *text, size_t size, const char *other);

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

/* Free text as xtables_save_string() prints it. */
void string_print(struct strbuf *out, const char *text);

/* ---- modules ---- */

struct match_options {
	struct option *data; /* room for MATCH_OPTIONS_MAX */
	size_t len;
};
#define MATCH_OPTIONS_MAX (IPSAVE_WORDS_MAX + 8)

/*
 * Brings a match's or target's options into the order and form of iptables-save: defaults are spelled
 * out or left out as it does. Returns why iptables would refuse them, or NULL.
 */
/* The one reason for which the backends differ. */
extern const char reason_full_range[];
const char *module_normalise(enum module_id module, enum family family, struct arena *arena,
			     struct match_options *options);

#endif
