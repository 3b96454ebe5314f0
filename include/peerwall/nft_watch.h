/*
 * nft_watch.h - asks the kernel to trace packets, and receives what it says of them.
 *
 * Purpose: a table of nf_tables of our own marks the packets that match, before any other rule sees them, and sees them once
 * more where they leave the last one. Nobody else's rules are touched, nor does this depend on what is in them.
 * The table belongs to a socket of this process (NFT_TABLE_F_OWNER): the kernel deletes it when the socket goes, whatever
 * ended the process, and lets nobody else change it. Its name bears the socket's number, so that many may watch at once.
 * Legacy tables are not nf_tables' and their rules are not told of; there, further chains of ours stand between the
 * tables, so that it shows in which of them a packet ends.
 * Sources: net/netfilter/nf_tables_api.c, nf_tables_trace.c, nft_meta.c; linux/netfilter/nf_tables.h; the priorities
 * of linux/netfilter_ipv4.h.
 * Ownership: nft_watch_close() lets go of the sockets, and so of the table. An event's strings last until the next call.
 * Errors: 0 or -errno; -EOPNOTSUPP from a kernel without such tables (before Linux 5.12): then nothing was left there.
 */
#ifndef PEERWALL_NFT_WATCH_H
#define PEERWALL_NFT_WATCH_H

#include <peerwall/arena.h>
#include <peerwall/nft_trace.h>
#include <peerwall/watch_filter.h>

#include <signal.h>
#include <stdbool.h>

struct nft_watch {
	volatile sig_atomic_t owner; /* the table is this socket's; -1: it is gone */
	int events;
	char table[32];
	struct arena scratch;
};

/* What an event of our own table says. */
enum watch_mark {
	WATCH_FOREIGN, /* none: it is about others' rules */
	WATCH_OURS,    /* this packet is one that was asked for */
	WATCH_SEEN,    /* it came to a hook, or out of a table: event->table and chain name these, "" where it is neither */
	WATCH_END,     /* it has left the last table of INPUT or POSTROUTING */
};

/* At most `rate` packets a second. `between`: also see packets between the tables. */
int nft_watch_open(struct nft_watch *out, const struct watch_match_list *matches, unsigned rate, bool between);
void nft_watch_close(struct nft_watch *watch);

/* Is a table of that name some watch's? Such a one refuses nothing, and goes away with it. */
bool nft_watch_owns(const char *table);

/* Lets go of the table alone: no more packets are marked. A signal's handler may call it. */
void nft_watch_stop(struct nft_watch *watch);

typedef void (*nft_watch_handler)(void *context, enum watch_mark mark, const struct nft_event *event);

/*
 * Hands on what is there, without waiting: `events` of the struct is for poll(). -ENOBUFS: the kernel had to
 * throw some away; it goes on.
 */
int nft_watch_receive(struct nft_watch *watch, nft_watch_handler handler, void *context);

/* The table that legacy packets meet at that hook behind `table`, or first if that is ""; NULL behind the last one. */
const char *nft_watch_next_table(const char *hook, const char *table);

#endif
