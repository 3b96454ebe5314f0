/*
 * nft_watch_table.h - the table that marks packets and sees them again. Private to nft_watch.
 *
 * Its base chains are named by what they stand behind: "PREROUTING" before all tables of that hook, "PREROUTING raw" behind
 * raw's, "INPUT end" behind all.
 */
#ifndef PEERWALL_NFT_WATCH_TABLE_H
#define PEERWALL_NFT_WATCH_TABLE_H

#include <peerwall/nft_watch.h>

#define WATCH_MARK_CHAIN "marked"
#define WATCH_END_WORD "end"

/* Makes it, as the socket's own. */
int watch_table_make(int fd, const char *table, const struct watch_match_list *matches, unsigned rate, bool between);

#endif
