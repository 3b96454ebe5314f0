/*
 * ruleset.h - the typed model of iptables rules that stands in the middle of everything.
 *
 * Purpose: a policy lowers into it, a snapshot decodes into it, analysis, plan and emission know nothing else.
 * One ruleset holds one family's tables. A rule's basic matches are fields; its extension matches are a
 * list, in the order in which iptables-save prints them, each with its options in that order.
 * The extension modules and their options are rows of modules.def; see there for the sources of their
 * semantics (iptables-extensions(8) and the print functions of iptables 1.8.9).
 * Units: ports and numbers in host order, addresses as in addr.h, positions as in source.h.
 * Ownership: everything lives in one arena. No I/O here.
 */
#ifndef PEERWALL_RULESET_H
#define PEERWALL_RULESET_H

#include <peerwall/addr.h>
#include <peerwall/intern.h>
#include <peerwall/interval.h>
#include <peerwall/source.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stdint.h>

/* In the order in which a packet meets them at a hook; nat stands for both DNAT and SNAT. */
enum table_id { TABLE_RAW, TABLE_MANGLE, TABLE_NAT, TABLE_FILTER, TABLE_SECURITY, TABLE_COUNT };
enum hook { HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING, HOOK_COUNT };

extern const char *const table_names[TABLE_COUNT];
extern const char *const hook_names[HOOK_COUNT]; /* "PREROUTING": the built-in chains' names */
/* Does the table have a built-in chain there? ip_tables(4), the kernel's net/ipv4/netfilter/iptable_*.c */
bool table_has_hook(enum table_id table, enum hook hook);

/* XT_EXTENSION_MAXNAMELEN is 29 with the NUL (linux/netfilter/x_tables.h). */
#define CHAIN_NAME_MAX 28

struct counters {
	uint64_t packets;
	uint64_t bytes;
};

/* ---- the values of options ---- */

enum value_kind {
#define VALUE(kind) VALUE_##kind,
#include <peerwall/values.def>
#undef VALUE
	VALUE_KIND_COUNT
};

struct word_list {
	VEC(const char *) items;
};

struct port_list {
	VEC(struct port_range) ranges; /* as written: multiport keeps order and duplicates */
};

struct value {
	enum value_kind kind;
	union {
		uint64_t number;
		struct { uint64_t lo, hi; } range;               /* inclusive */
		struct { uint64_t value, mask; } masked;
		struct port_list ports;
		struct { struct addr addr, mask; } network;      /* the mask may be non-contiguous */
		struct { struct addr lo, hi; } addr_range;
		const char *text;                                /* strings and single words */
		struct word_list words;
		uint64_t bits;                                   /* a set of the option's named flags, bit i is name i */
		struct { uint8_t mask, comp; } tcp_flags;        /* bits as in the TCP header: FIN 1, SYN 2, ... */
		struct { int16_t type; int16_t code; int16_t code_hi; } icmp; /* type -1: any; code -1: any; else code-code_hi */
		struct { uint64_t count; char unit; } rate;      /* unit: 's' 'm' 'h' 'd' */
		uint8_t mac[6];
		struct {
			bool has_addr, has_port;
			struct addr lo, hi;                      /* hi equals lo for a single one */
			uint16_t port_lo, port_hi;
			uint16_t port_base;                      /* "lo-hi/base", 0 if none */
		} nat;
	};
};

/* ---- modules and options: rows of modules.def ---- */

enum module_id {
#define MODULE(id, name, kind) MODULE_##id,
#define OPTION(module, id, spelling, value, flags, names)
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
	MODULE_OPAQUE, /* a module without a row: its words are kept */
	MODULE_COUNT
};

enum option_id {
#define MODULE(id, name, kind)
#define OPTION(module, id, spelling, value, flags, names) OPTION_##module##_##id,
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
	OPTION_COUNT
};

struct option {
	enum option_id id;
	bool negated; /* "! --dport 80" */
	struct value value;
};

struct match {
	enum module_id module;
	VEC(struct option) options;
	const char *opaque_name; /* MODULE_OPAQUE only: the -m word ... */
	struct word_list opaque_words; /* ... and its words, unquoted */
};

/* "conntrack", "LOG": as behind -m or -j. */
const char *module_name(const struct match *match);

enum target_kind {
	TARGET_NONE,      /* the rule only counts */
	TARGET_ACCEPT,
	TARGET_DROP,
	TARGET_RETURN,
	TARGET_JUMP,      /* -j CHAIN */
	TARGET_GOTO,      /* -g CHAIN */
	TARGET_EXTENSION, /* a module of modules.def, or an opaque one */
};

struct target {
	enum target_kind kind;
	const char *chain; /* jump and goto */
	struct match extension; /* TARGET_EXTENSION: module and options, as a match has them */
};

/* ---- rules ---- */

struct network_match {
	bool present, negated;
	struct addr addr; /* masked */
	struct addr mask;
};

struct interface_match {
	const char *name; /* NULL: none; a trailing "+" is a pattern */
	bool negated;
};

struct protocol_match {
	bool present, negated;
	uint8_t number; /* IANA; 0 never occurs (it means all, and is not printed) */
};

enum fragment_match { FRAGMENT_NONE, FRAGMENT_YES, FRAGMENT_NO }; /* -f, ! -f; IPv4 only */

struct rule {
	struct span span;   /* the line of a snapshot, or the policy's statement; SPAN_NONE for rules of no statement */
	const char *text;   /* as read, behind "-A CHAIN "; NULL for rules that were built, and for canonical ones of a
			       snapshot, whose encoding it is, or one of several from a list of addresses */
	bool opaque;        /* could not be decoded: only `text` holds; it may match anything and do anything */
	bool canonical;     /* printing it gives `text` again */
	bool has_counters;
	struct counters counters;
	struct network_match source, destination;
	struct interface_match in, out;
	struct protocol_match protocol;
	enum fragment_match fragment;
	VEC(struct match) matches;
	struct target target;
};

struct chain {
	const char *name;
	struct span span; /* of its ":NAME" line */
	bool builtin;
	enum hook hook;   /* builtin only */
	bool policy_drop; /* builtin only */
	struct counters counters;
	VEC(struct rule) rules;
};

struct table {
	bool present;
	enum table_id id;
	struct span span; /* of its "*name" line */
	VEC(struct chain) chains; /* in the order of arrival */
	struct intern names;      /* chain names; a chain's number is its index in `chains` */
};

struct ruleset {
	enum family family;
	struct arena *arena;
	struct table tables[TABLE_COUNT];
};

void ruleset_init(struct ruleset *ruleset, enum family family, struct arena *arena);

/* Marks the table as present and returns it; its built-in chains are not added. */
struct table *ruleset_table(struct ruleset *ruleset, enum table_id id);
bool table_id_find(const char *name, size_t size, enum table_id *out);

/* The chain of that name, or NULL. Pointers to chains move when a chain is added. */
struct chain *table_find_chain(const struct table *table, const char *name, size_t size);
/* Adds it if it is not there. Built-in names become built-in chains with policy ACCEPT. */
struct chain *table_add_chain(struct ruleset *ruleset, struct table *table, const char *name, size_t size);
/* A cleared rule at the end of the chain; the pointer is good until the next one is added. */
struct rule *chain_add_rule(struct ruleset *ruleset, struct chain *chain);

/* ---- builders, for rules that are made here ---- */

struct match *rule_add_match(struct ruleset *ruleset, struct rule *rule, enum module_id module);
struct option *match_add_option(struct ruleset *ruleset, struct match *match, enum option_id option);
void rule_set_source(struct rule *rule, const struct prefix *prefix);      /* /0 sets nothing */
void rule_set_destination(struct rule *rule, const struct prefix *prefix); /* /0 sets nothing */

#endif
