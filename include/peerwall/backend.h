/*
 * backend.h - which of iptables' two implementations a host uses, and where its tools are.
 *
 * Purpose: the legacy tools and those on nf_tables keep their rules apart, and a packet has to pass both. Rules
 * belong where the host's other rules are; where both hold some, nobody can say which one is meant.
 * Tools are looked for in a fixed list of directories, never in $PATH, by the names of their backend
 * ("iptables-nft-save") and else by the plain ones, whose "-V" tells what they are: iptables(8); before
 * 1.8 there was only legacy, and nothing was told.
 * A tool that somebody else than root could replace is refused.
 * Ownership: paths live in the failure's arena.
 */
#ifndef PEERWALL_BACKEND_H
#define PEERWALL_BACKEND_H

#include <peerwall/addr.h>
#include <peerwall/failure.h>
#include <peerwall/strbuf.h>

#include <stdbool.h>
#include <stddef.h>

enum backend { BACKEND_NFT, BACKEND_LEGACY };
#define BACKEND_COUNT 2

const char *backend_name(enum backend backend); /* "nft", "legacy" */
bool backend_find(const char *name, enum backend *out);

struct tools {
	const char *save[FAMILY_COUNT];    /* NULL: not installed */
	const char *restore[FAMILY_COUNT];
};

struct toolbox {
	struct tools tools[BACKEND_COUNT];
	bool has_preferred;
	enum backend preferred; /* what the plain name "iptables-save" stands for here */
};

/* `directory` NULL: the fixed list. False for tools that cannot be trusted or do not tell what they are. */
bool toolbox_find(struct toolbox *out, const char *directory, unsigned time_limit, struct failure *failure);

/*
 * The absolute path of a tool, from `directory` or the fixed list. *out is NULL if there is none. False for one that
 * is there and must not be used.
 */
bool tool_find(const char **out, const char *directory, const char *name, struct failure *failure);

/* What one backend holds of one family. */
struct holding {
	bool known;          /* it was read; else the rest is empty */
	bool unusable;       /* the kernel has no such backend, so there is nothing */
	bool suspected;      /* not read, but there is something: tables without their tools, or unreadable ones */
	const char *summary; /* "filter 12 rules, nat 3 rules"; of others' rules */
	size_t foreign;      /* rules of others, and built-in chains whose policy is DROP */
	size_t own;          /* chains and jumps of ours */
};

/*
 * For rules that are about to be loaded, everything has to be in one backend. To look at our own rules or
 * to take them away, it is enough to know where these are.
 */
enum backend_purpose { BACKEND_TO_LOAD, BACKEND_TO_FIND_OURS };

/* `wanted` NULL: find out. False with FAILURE_CONFLICT for a mixture. */
bool backend_choose(enum backend *out, const enum backend *wanted, enum backend_purpose purpose,
		    const struct toolbox *toolbox, const struct holding holdings[BACKEND_COUNT][FAMILY_COUNT],
		    struct failure *failure);

#endif
