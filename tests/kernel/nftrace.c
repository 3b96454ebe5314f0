/*
 * The kernel's own trace of each packet's way through the rules of iptables-nft: messages of nf_tables, by netlink.
 * Rules are named by handles there, packets by their headers, where each base chain begins: world.sh asks for it, and
 * wire.c writes a number into every header.
 * Sources: linux/netfilter/nf_tables.h; the kernel's net/netfilter/nf_tables_trace.c.
 */
#include "sets.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER (64 << 20)

/* ---- the socket ---- */

int nftrace_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTRACE - 1)};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), size = RECEIVE_BUFFER;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
	    bind(fd, (struct sockaddr *)&address, sizeof address))
		die("the kernel's trace cannot be listened to");
	return fd;
}

/* ---- handles ---- */

struct handle {
	enum table_id table;
	uint64_t number;
	const struct rule *rule;
};

struct handles {
	VEC(struct handle) all;
};

static int compare_handles(const void *left, const void *right)
{
	const struct handle *a = left, *b = right;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

struct listing {
	const struct analysis *analysis;
	struct handles *out;
	enum table_id table;
	bool in_table;
	const struct chain *chain;
	size_t next; /* of its rules */
};

/* "table ip filter {", "chain INPUT { # handle 1", "ip saddr ... # handle 7". */
static void read_line(struct listing *listing, const char *line)
{
	const char *mark = strstr(line, " # handle ");
	char word[64];

	while (mark && strstr(mark + 1, " # handle "))
		mark = strstr(mark + 1, " # handle ");
	if (sscanf(line, "table %*s %63s {", word) == 1) {
		listing->in_table = table_id_find(word, strlen(word), &listing->table);
		listing->chain = NULL;
	} else if (sscanf(line, "\tchain %63s {", word) == 1) {
		listing->chain = listing->in_table ? table_find_chain(&listing->analysis->rules->tables[listing->table],
								      word, strlen(word))
						   : NULL;
		listing->next = 0;
	} else if (mark && listing->chain && strncmp(line, "\t\t", 2) == 0) {
		if (listing->next == listing->chain->rules.len)
			die("nft lists more rules than iptables-save");
		vec_push(listing->analysis->arena, &listing->out->all,
			 (struct handle){listing->table, strtoull(mark + 10, NULL, 10),
					 &listing->chain->rules.data[listing->next++]});
	}
}

static void list_handles(struct handles *out, const struct analysis *analysis)
{
	struct listing listing = {.analysis = analysis, .out = out};
	FILE *pipe = popen(analysis->space.family == FAMILY_IPV4 ? "nft -a list ruleset ip 2>/dev/null"
								 : "nft -a list ruleset ip6 2>/dev/null",
			   "r");
	char *line = NULL;
	size_t room = 0;

	while (pipe && getline(&line, &room, pipe) > 0)
		read_line(&listing, line);
	if (!pipe || pclose(pipe) != 0)
		die("nft -a list ruleset");
	free(line);
	if (out->all.len)
		qsort(out->all.data, out->all.len, sizeof *out->all.data, compare_handles);
}

/* ---- messages ---- */

struct attributes {
	const unsigned char *of[NFTA_TRACE_MAX + 1];
	size_t size[NFTA_TRACE_MAX + 1];
};

static void read_attributes(struct attributes *out, const unsigned char *at, size_t size)
{
	*out = (struct attributes){0};
	while (size >= NLA_HDRLEN) {
		struct nlattr header;
		unsigned type;
		size_t step;

		memcpy(&header, at, sizeof header);
		type = header.nla_type & NLA_TYPE_MASK;
		if (header.nla_len < NLA_HDRLEN || header.nla_len > size)
			return;
		if (type <= NFTA_TRACE_MAX) {
			out->of[type] = at + NLA_HDRLEN;
			out->size[type] = header.nla_len - NLA_HDRLEN;
		}
		step = ((size_t)header.nla_len + 3) & ~(size_t)3;
		step = step < size ? step : size;
		at += step;
		size -= step;
	}
}

static uint32_t number32(const struct attributes *attributes, unsigned type)
{
	uint32_t number = 0;

	if (attributes->size[type] == sizeof number)
		memcpy(&number, attributes->of[type], sizeof number);
	return ntohl(number);
}

static uint64_t number64(const struct attributes *attributes, unsigned type)
{
	uint64_t number = 0;

	if (attributes->size[type] == sizeof number)
		memcpy(&number, attributes->of[type], sizeof number);
	return be64toh(number);
}

/* The kernel's number of a packet, good for one base chain. */
struct on_the_way {
	uint32_t id;
	unsigned identifier;
};

struct reading {
	const struct handles *handles;
	struct arena *arena;
	struct rule_path *paths; /* by identifier */
	unsigned count;
	VEC(struct on_the_way) packets;
};

/* The number that wire.c has written; 0 if it is none of ours. */
static unsigned identifier_of(const struct attributes *attributes)
{
	const unsigned char *header = attributes->of[NFTA_TRACE_NETWORK_HEADER];
	size_t size = attributes->size[NFTA_TRACE_NETWORK_HEADER];

	if (size >= 20 && header[0] >> 4 == 4)
		return (unsigned)(header[4] << 8 | header[5]);
	return size >= 40 && header[0] >> 4 == 6 ? (unsigned)(header[2] << 8 | header[3]) : 0;
}

/* Several processors may be at work at once; mostly it is the last packet again. */
static struct on_the_way *find_packet(struct reading *reading, uint32_t id)
{
	for (size_t i = reading->packets.len; i-- > 0;)
		if (reading->packets.data[i].id == id)
			return &reading->packets.data[i];
	vec_push(reading->arena, &reading->packets, (struct on_the_way){.id = id});
	return &reading->packets.data[reading->packets.len - 1];
}

static void read_event(struct reading *reading, const struct attributes *attributes)
{
	struct handle key = {.number = number64(attributes, NFTA_TRACE_RULE_HANDLE)};
	const char *table = (const char *)attributes->of[NFTA_TRACE_TABLE];
	struct on_the_way *packet = find_packet(reading, number32(attributes, NFTA_TRACE_ID));
	const struct handle *handle;

	if (attributes->of[NFTA_TRACE_NETWORK_HEADER])
		packet->identifier = identifier_of(attributes);
	if (number32(attributes, NFTA_TRACE_TYPE) != NFT_TRACETYPE_RULE || !table ||
	    !table_id_find(table, strlen(table), &key.table))
		return;
	handle = bsearch(&key, reading->handles->all.data, reading->handles->all.len, sizeof key, compare_handles);
	if (handle && packet->identifier && packet->identifier <= reading->count)
		vec_push(reading->arena, &reading->paths[packet->identifier - 1].rules, handle->rule);
}

static void read_messages(struct reading *reading, const unsigned char *at, size_t size)
{
	while (size >= NLMSG_HDRLEN) {
		struct nlmsghdr header;
		struct attributes attributes;
		size_t step;

		memcpy(&header, at, sizeof header);
		if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > size)
			return;
		if (header.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE)) {
			read_attributes(&attributes, at + NLMSG_HDRLEN + sizeof(struct nfgenmsg),
					header.nlmsg_len - NLMSG_HDRLEN - sizeof(struct nfgenmsg));
			read_event(reading, &attributes);
		}
		step = NLMSG_ALIGN((size_t)header.nlmsg_len);
		step = step < size ? step : size;
		at += step;
		size -= step;
	}
}

void nftrace_read(int fd, struct rule_path *paths, unsigned count, const struct analysis *analysis)
{
	static unsigned char bytes[65536];
	struct handles handles = {0};
	struct reading reading = {.handles = &handles, .arena = analysis->arena, .paths = paths, .count = count};
	ssize_t size;

	list_handles(&handles, analysis);
	while ((size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		read_messages(&reading, bytes, (size_t)size);
	if (size < 0 && errno != EAGAIN)
		die("the kernel's trace was too long");
}
