/*
 * module_table.h - the rows of modules.def: which modules there are, and which options each of them has.
 *
 * Inside src/codec only; match_codec.h is the interface.
 * Sources: as modules.def.
 */
#ifndef PEERWALL_MODULE_TABLE_H
#define PEERWALL_MODULE_TABLE_H

#include <peerwall/ruleset.h>

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

#endif
