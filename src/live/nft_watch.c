#include <peerwall/nft_watch.h>

#include "netlink.h"
#include "nft_watch_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_TRACE (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE)
#define TABLE_PREFIX "peerwall-watch-"
#define MESSAGE_SIZE 32768
#define BUFFER_SIZE (8 << 20) /* a burst of some thousand packets */

enum { IP_TCP = 6, IP_ICMP = 1, IP_ICMP6 = 58 };

/* ---- sockets ---- */

/* A socket without a number is passed over by what the kernel sends to all. */
static int open_events(struct nft_watch *watch)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int group = NFNLGRP_NFTRACE, size = BUFFER_SIZE;

	watch->events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (watch->events < 0)
		return -errno;
	/* Without the right to it, as much as the system allows. */
	if (setsockopt(watch->events, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
		(void)setsockopt(watch->events, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(watch->events, (struct sockaddr *)&address, sizeof address) != 0 ||
	    setsockopt(watch->events, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
		return -errno;
	return 0;
}

/* The number that the kernel gave the socket is free among all that are open now. */
static int name_table(struct nft_watch *watch)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	socklen_t size = sizeof address;

	if (bind(watch->owner, (struct sockaddr *)&address, sizeof address) != 0 ||
	    getsockname(watch->owner, (struct sockaddr *)&address, &size) != 0)
		return -errno;
	snprintf(watch->table, sizeof watch->table, TABLE_PREFIX "%u", address.nl_pid);
	return 0;
}

bool nft_watch_owns(const char *table)
{
	return strncmp(table, TABLE_PREFIX, strlen(TABLE_PREFIX)) == 0;
}

int nft_watch_open(struct nft_watch *out, const struct watch_match_list *matches, unsigned rate, bool between)
{
	int error;

	*out = (struct nft_watch){.events = -1, .scratch = ARENA_EMPTY};
	error = netlink_open();
	out->owner = error;
	if (error < 0)
		return error;
	error = name_table(out);
	if (error == 0)
		error = open_events(out);
	if (error == 0)
		error = watch_table_make(out->owner, out->table, matches, rate, between);
	if (error)
		nft_watch_close(out);
	return error;
}

void nft_watch_stop(struct nft_watch *watch)
{
	int fd = watch->owner;

	watch->owner = -1;
	if (fd >= 0)
		close(fd);
}

void nft_watch_close(struct nft_watch *watch)
{
	nft_watch_stop(watch);
	if (watch->events >= 0)
		close(watch->events);
	watch->events = -1;
	arena_free(&watch->scratch);
}

/* ---- headers ---- */

static uint16_t take16(const unsigned char *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void set_address(struct addr_bounds *out, enum family family, const unsigned char *bytes)
{
	*out = (struct addr_bounds){.lo = {.family = family}};
	memcpy(out->lo.bytes, bytes, family_bits(family) / 8);
	out->hi = out->lo;
}

static bool read_ip(struct nft_header *out, struct netlink_value value)
{
	struct packet *packet = &out->packet;
	const unsigned char *bytes = value.bytes;
	bool is6 = value.size > 0 && bytes[0] >> 4 == 6;

	if (value.size < (is6 ? 40 : 20) || (!is6 && bytes[0] >> 4 != 4))
		return false;
	packet->family = is6 ? FAMILY_IPV6 : FAMILY_IPV4;
	packet->has_ttl = packet->has_length = true;
	packet->ttl = bytes[is6 ? 7 : 8];
	packet->protocol = bytes[is6 ? 6 : 9];
	/* IPv6 counts what is behind its header; a jumbogram says 0, and ends up too short. */
	packet->length = (uint16_t)(take16(bytes + (is6 ? 4 : 2)) + (is6 ? 40 : 0));
	set_address(&packet->source, packet->family, bytes + (is6 ? 8 : 12));
	set_address(&packet->destination, packet->family, bytes + (is6 ? 24 : 16));
	out->has_addresses = true;
	return true;
}

static void read_transport(struct packet *packet, struct netlink_value value)
{
	if (packet_has_ports(packet) && value.size >= 4) {
		packet->source_port.lo = packet->source_port.hi = take16(value.bytes);
		packet->destination_port.lo = packet->destination_port.hi = take16(value.bytes + 2);
	}
	if (packet->protocol == IP_TCP && value.size >= 14) {
		packet->has_flags = true;
		packet->tcp_flags = value.bytes[13] & 0x3f;
	}
	if (packet_is_icmp(packet) && value.size >= 2) {
		packet->icmp_type = value.bytes[0];
		packet->icmp_code = value.bytes[1];
	}
	packet->state = packet_first_state(packet);
}

static const char *interface_name(uint32_t index, struct arena *arena)
{
	char name[IF_NAMESIZE];

	return if_indextoname(index, name) ? arena_strdup(arena, name) : arena_printf(arena, "%u", index);
}

/* The kernel sends it with the first event of a base chain. */
static bool read_header(struct nft_header *out, struct netlink_value attributes, struct arena *arena)
{
	struct netlink_value value;
	uint32_t index;

	*out = (struct nft_header){0};
	if (!netlink_find(attributes, NFTA_TRACE_NETWORK_HEADER, &value) || !read_ip(out, value))
		return false;
	if (netlink_find(attributes, NFTA_TRACE_TRANSPORT_HEADER, &value))
		read_transport(&out->packet, value);
	if (netlink_find_number(attributes, NFTA_TRACE_IIF, &index))
		out->packet.in = interface_name(index, arena);
	if (netlink_find_number(attributes, NFTA_TRACE_OIF, &index))
		out->out = interface_name(index, arena);
	return true;
}

/* ---- events ---- */

static const char *family_word(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_NETDEV:
		return "netdev";
	}
	return "other";
}

static enum nft_verdict verdict_of(uint32_t code)
{
	switch ((int32_t)code) {
	case NFT_CONTINUE:
	case NFT_BREAK:
		return NFT_CONTINUES;
	case NFT_JUMP:
		return NFT_JUMPS;
	case NFT_GOTO:
		return NFT_GOES;
	case NFT_RETURN:
		return NFT_RETURNS;
	}
	switch (code & NF_VERDICT_MASK) {
	case NF_DROP:
		return NFT_DROPS;
	case NF_ACCEPT:
		return NFT_ACCEPTS;
	case NF_QUEUE:
		return NFT_QUEUES;
	}
	return NFT_STEALS;
}

static void read_verdict(struct nft_event *event, struct netlink_value attributes, struct arena *arena)
{
	struct netlink_value verdict;
	uint32_t code = (uint32_t)NFT_CONTINUE;

	if (netlink_find(attributes, NFTA_TRACE_VERDICT, &verdict)) {
		netlink_find_number(verdict, NFTA_VERDICT_CODE, &code);
		event->target = netlink_text(verdict, NFTA_VERDICT_CHAIN, arena);
	}
	event->verdict = verdict_of(code);
	if (event->verdict != NFT_JUMPS && event->verdict != NFT_GOES)
		event->target = NULL;
}

static uint64_t read_handle(struct netlink_value attributes)
{
	struct netlink_value value;
	uint64_t handle = 0;

	if (netlink_find(attributes, NFTA_TRACE_RULE_HANDLE, &value) && value.size == 8)
		for (int i = 0; i < 8; i++)
			handle = handle << 8 | value.bytes[i];
	return handle;
}

static bool read_event(struct nft_event *event, struct netlink_value attributes, uint8_t family, struct arena *arena)
{
	uint32_t type = 0, policy = NF_ACCEPT;

	*event = (struct nft_event){
		.family = family_word(family),
		.table = netlink_text(attributes, NFTA_TRACE_TABLE, arena),
		.chain = netlink_text(attributes, NFTA_TRACE_CHAIN, arena),
	};
	if (!netlink_find_number(attributes, NFTA_TRACE_ID, &event->id) || !netlink_find_number(attributes, NFTA_TRACE_TYPE, &type))
		return false;
	switch (type) {
	case NFT_TRACETYPE_POLICY:
		event->kind = NFT_EVENT_POLICY;
		netlink_find_number(attributes, NFTA_TRACE_POLICY, &policy);
		event->verdict = verdict_of(policy);
		return true;
	case NFT_TRACETYPE_RULE:
	case NFT_TRACETYPE_RETURN:
		event->handle = read_handle(attributes);
		/* Without a rule it is the end of a chain. */
		event->kind = type == NFT_TRACETYPE_RULE && event->handle ? NFT_EVENT_RULE : NFT_EVENT_RETURN;
		read_verdict(event, attributes, arena);
		return true;
	}
	return false;
}

/* ---- our own table's ---- */

/*
 * Only events with a header count, one for each chain. A rule is one that marks; it is met in a base chain first by a packet that
 * somebody else traces already. All else tells that the packet came by: "PREROUTING raw" says what lies before it.
 */
static enum watch_mark read_mark(struct nft_event *event, struct arena *arena)
{
	const char *blank = strchr(event->chain, ' ');

	if (event->kind == NFT_EVENT_RULE)
		return WATCH_OURS;
	event->table = blank ? blank + 1 : "";
	event->chain = blank ? arena_strndup(arena, event->chain, (size_t)(blank - event->chain)) : event->chain;
	return strcmp(event->table, WATCH_END_WORD) == 0 ? WATCH_END : WATCH_SEEN;
}

/* A message may stand for two lines of a trace: the header, and what happened. */
static void take_message(struct nft_watch *watch, const struct nlmsghdr *header, const unsigned char *bytes, nft_watch_handler handler,
			 void *context)
{
	size_t body = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct nft_event event, first;
	struct netlink_value attributes;
	struct nfgenmsg generic;

	if (header->nlmsg_type != MESSAGE_TRACE || header->nlmsg_len < body)
		return;
	memcpy(&generic, bytes + NLMSG_HDRLEN, sizeof generic);
	attributes = (struct netlink_value){bytes + body, header->nlmsg_len - body};
	if (!read_event(&event, attributes, generic.nfgen_family, &watch->scratch))
		return;
	first = (struct nft_event){.kind = NFT_EVENT_PACKET, .id = event.id, .family = event.family, .table = event.table,
				   .chain = event.chain};
	if (strcmp(event.table, watch->table) == 0) {
		if (read_header(&event.header, attributes, &watch->scratch))
			handler(context, read_mark(&event, &watch->scratch), &event);
		return;
	}
	/* Another one that watches decides nothing. */
	if (nft_watch_owns(event.table))
		return;
	if (read_header(&first.header, attributes, &watch->scratch))
		handler(context, WATCH_FOREIGN, &first);
	handler(context, WATCH_FOREIGN, &event);
}

static void take_messages(struct nft_watch *watch, const unsigned char *bytes, size_t size, nft_watch_handler handler, void *context)
{
	struct nlmsghdr header;

	while (size >= sizeof header) {
		size_t step;

		memcpy(&header, bytes, sizeof header);
		if (header.nlmsg_len < sizeof header || header.nlmsg_len > size)
			return;
		take_message(watch, &header, bytes, handler, context);
		step = NLMSG_ALIGN(header.nlmsg_len);
		bytes += step < size ? step : size;
		size -= step < size ? step : size;
	}
}

int nft_watch_receive(struct nft_watch *watch, nft_watch_handler handler, void *context)
{
	_Alignas(struct nlmsghdr) unsigned char message[MESSAGE_SIZE];
	ssize_t n;

	arena_free(&watch->scratch);
	while ((n = recv(watch->events, message, sizeof message, 0)) != 0) {
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
		take_messages(watch, message, (size_t)n, handler, context);
	}
	return 0;
}
