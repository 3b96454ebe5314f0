/*
 * nft_trace.h - what the kernel's own trace of nf_tables says, event by event.
 *
 * Purpose: one form for two sources: the text of `nft monitor trace`, read here, and the kernel's messages, which live/
 * receives. An event is one line of that text: a packet's header where it enters a base chain, a rule that it met, the end
 * of a chain, a base chain's policy.
 * Sources: what nft 1.0.6 and 1.1 print; net/netfilter/nf_tables_trace.c and nf_tables_core.c of the kernel.
 * Ownership: everything lives in the arena. Units: as packet.h.
 * Errors: a line that is none of the trace is a note, PW631; one that begins like it and cannot be understood a warning, PW632;
 * a text without a single event an error, PW633.
 */
#ifndef PEERWALL_NFT_TRACE_H
#define PEERWALL_NFT_TRACE_H

#include <peerwall/arena.h>
#include <peerwall/diag.h>
#include <peerwall/packet.h>
#include <peerwall/source.h>

#include <stdbool.h>
#include <stdint.h>

#define NFT_TRACE_SIZE_MAX (64u << 20)

enum nft_event_kind {
	NFT_EVENT_PACKET, /* its header, where it enters a base chain */
	NFT_EVENT_RULE,   /* a rule that matched */
	NFT_EVENT_RETURN, /* the end of a chain (CONTINUE), or a RETURN by a rule that the kernel does not name (up to 5.x) */
	NFT_EVENT_POLICY,
	/* What a table of our own sees (nft_watch.h), and no recording holds: */
	NFT_EVENT_PASSED,   /* it came out of a table's chains at that hook, with the header it has now */
	NFT_EVENT_VANISHED, /* it did not */
	NFT_EVENT_END,      /* it has left the last table */
};

enum nft_verdict {
	NFT_CONTINUES,
	NFT_ACCEPTS,
	NFT_DROPS,
	NFT_RETURNS,
	NFT_JUMPS,
	NFT_GOES,
	NFT_QUEUES,
	NFT_STEALS,
};
#define NFT_VERDICT_COUNT 8

extern const char *const nft_verdict_names[NFT_VERDICT_COUNT]; /* "continue", as nft prints them */

/* A packet as far as its header was shown. */
struct nft_header {
	bool has_addresses;
	struct packet packet; /* `in` is NULL for what this host sends */
	const char *out;      /* NULL: none, or not known yet */
};

struct nft_event {
	enum nft_event_kind kind;
	uint32_t id;          /* the kernel's; several packets may bear the same one, one after the other */
	const char *family;   /* of the table: "ip", "ip6", "inet" ... */
	const char *table, *chain; /* table "": none, it came to the hook of that name */
	struct nft_header header; /* NFT_EVENT_PACKET, NFT_EVENT_PASSED */
	enum nft_verdict verdict; /* of the others */
	const char *target;   /* NFT_JUMPS, NFT_GOES: the chain */
	const char *rule;     /* NFT_EVENT_RULE: as nft prints it; NULL where only the handle is known */
	uint64_t handle;      /* 0: unknown */
	struct span span;     /* its line */
};

struct nft_event_list {
	VEC(struct nft_event) items;
};

/* False, with diagnostics, if there is nothing in it to go by. */
bool nft_trace_read(struct nft_event_list *out, const struct source *source, struct arena *arena, struct diags *diags);

/* ---- for the parts of the reader; text that is cut into words ---- */

/* A word: up to the next blank, or a string in its quotes. */
struct nft_word {
	const char *text; /* not NUL-terminated */
	size_t size;      /* 0: there is none */
};

/* Takes the next word off the text. */
struct nft_word nft_word_next(const char **text, const char *end);
/* Takes the next item off a word that is a list with commas. */
bool nft_word_item(struct nft_word *list, struct nft_word *item);
bool nft_word_is(struct nft_word word, const char *text);
/* Without its quotes, in the arena. */
const char *nft_word_keep(struct nft_word word, struct arena *arena);
/* A decimal number, or one with 0x before it. */
bool nft_word_number(struct nft_word word, uint64_t most, uint64_t *out);

/* What stands behind "packet:". False if a number in it cannot be one of that field. */
bool nft_header_read(struct nft_header *out, const char *text, const char *end, struct arena *arena);
/* A type of ICMP by nft's name for it. */
bool nft_icmp_type(struct nft_word word, enum family family, uint8_t *out);

#endif
