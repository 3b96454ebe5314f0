#include "nft_watch_table.h"

#include "netlink.h"

#include <peerwall/ruleset.h>

#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE(name_) (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_##name_)

/* Before raw, whose priority is -300; behind all but what the kernel itself does last. */
#define FIRST_PRIORITY (-301)
#define LAST_PRIORITY (INT_MAX - 1)

enum { OFFSET_TYPE = 0, OFFSET_SOURCE_PORT = 0, OFFSET_DESTINATION_PORT = 2, OFFSET_FLAGS = 13 };
enum { OFFSET_SOURCE4 = 12, OFFSET_DESTINATION4 = 16, OFFSET_SOURCE6 = 8, OFFSET_DESTINATION6 = 24 };

/* ---- the batch ---- */

struct batch {
	struct netlink_request request;
	const char *table;
};

static void begin(struct batch *batch, uint16_t message, uint16_t flags)
{
	netlink_begin(&batch->request, message, (uint16_t)(NLM_F_CREATE | flags), NFPROTO_INET, 0);
}

static void add_table(struct batch *batch)
{
	begin(batch, MESSAGE(NEWTABLE), NLM_F_EXCL);
	netlink_put_text(&batch->request, NFTA_TABLE_NAME, batch->table);
	netlink_put_number(&batch->request, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
}

static void add_plain_chain(struct batch *batch, const char *name)
{
	begin(batch, MESSAGE(NEWCHAIN), 0);
	netlink_put_text(&batch->request, NFTA_CHAIN_TABLE, batch->table);
	netlink_put_text(&batch->request, NFTA_CHAIN_NAME, name);
}

/* enum hook has the order of the kernel's enum nf_inet_hooks. */
static void add_base_chain(struct batch *batch, const char *name, enum hook hook, int priority)
{
	size_t nest;

	add_plain_chain(batch, name);
	netlink_put_text(&batch->request, NFTA_CHAIN_TYPE, "filter");
	netlink_put_number(&batch->request, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nest = netlink_nest(&batch->request, NFTA_CHAIN_HOOK);
	netlink_put_number(&batch->request, NFTA_HOOK_HOOKNUM, (uint32_t)hook);
	netlink_put_number(&batch->request, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	netlink_end(&batch->request, nest);
}

/* ---- expressions ---- */

struct expression {
	size_t element, data;
};

static struct expression begin_expression(struct batch *batch, const char *name)
{
	struct expression expression = {.element = netlink_nest(&batch->request, NFTA_LIST_ELEM)};

	netlink_put_text(&batch->request, NFTA_EXPR_NAME, name);
	expression.data = netlink_nest(&batch->request, NFTA_EXPR_DATA);
	return expression;
}

static void end_expression(struct batch *batch, struct expression expression)
{
	netlink_end(&batch->request, expression.data);
	netlink_end(&batch->request, expression.element);
}

static void put_data(struct batch *batch, uint16_t attribute, const void *bytes, size_t size)
{
	size_t nest = netlink_nest(&batch->request, attribute);

	netlink_put(&batch->request, NFTA_DATA_VALUE, bytes, size);
	netlink_end(&batch->request, nest);
}

static void load_meta(struct batch *batch, uint32_t key)
{
	struct expression expression = begin_expression(batch, "meta");

	netlink_put_number(&batch->request, NFTA_META_KEY, key);
	netlink_put_number(&batch->request, NFTA_META_DREG, NFT_REG_1);
	end_expression(batch, expression);
}

static void load_payload(struct batch *batch, uint32_t base, uint32_t offset, size_t size)
{
	struct expression expression = begin_expression(batch, "payload");

	netlink_put_number(&batch->request, NFTA_PAYLOAD_DREG, NFT_REG_1);
	netlink_put_number(&batch->request, NFTA_PAYLOAD_BASE, base);
	netlink_put_number(&batch->request, NFTA_PAYLOAD_OFFSET, offset);
	netlink_put_number(&batch->request, NFTA_PAYLOAD_LEN, (uint32_t)size);
	end_expression(batch, expression);
}

static void mask(struct batch *batch, const void *bytes, size_t size)
{
	static const uint8_t zero[16];
	struct expression expression = begin_expression(batch, "bitwise");

	netlink_put_number(&batch->request, NFTA_BITWISE_SREG, NFT_REG_1);
	netlink_put_number(&batch->request, NFTA_BITWISE_DREG, NFT_REG_1);
	netlink_put_number(&batch->request, NFTA_BITWISE_LEN, (uint32_t)size);
	put_data(batch, NFTA_BITWISE_MASK, bytes, size);
	put_data(batch, NFTA_BITWISE_XOR, zero, size);
	end_expression(batch, expression);
}

static void compare(struct batch *batch, uint32_t operator, const void *bytes, size_t size)
{
	struct expression expression = begin_expression(batch, "cmp");

	netlink_put_number(&batch->request, NFTA_CMP_SREG, NFT_REG_1);
	netlink_put_number(&batch->request, NFTA_CMP_OP, operator);
	put_data(batch, NFTA_CMP_DATA, bytes, size);
	end_expression(batch, expression);
}

static void jump(struct batch *batch, const char *chain)
{
	struct expression expression = begin_expression(batch, "immediate");
	size_t data, verdict;

	netlink_put_number(&batch->request, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = netlink_nest(&batch->request, NFTA_IMMEDIATE_DATA);
	verdict = netlink_nest(&batch->request, NFTA_DATA_VERDICT);
	netlink_put_number(&batch->request, NFTA_VERDICT_CODE, (uint32_t)NFT_JUMP);
	netlink_put_text(&batch->request, NFTA_VERDICT_CHAIN, chain);
	netlink_end(&batch->request, verdict);
	netlink_end(&batch->request, data);
	end_expression(batch, expression);
}

static void put_number64(struct batch *batch, uint16_t attribute, uint64_t number)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(number >> (56 - 8 * i));
	netlink_put(&batch->request, attribute, bytes, sizeof bytes);
}

static void limit(struct batch *batch, unsigned rate)
{
	struct expression expression = begin_expression(batch, "limit");

	put_number64(batch, NFTA_LIMIT_RATE, rate);
	put_number64(batch, NFTA_LIMIT_UNIT, 1);
	netlink_put_number(&batch->request, NFTA_LIMIT_BURST, rate);
	netlink_put_number(&batch->request, NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
	netlink_put_number(&batch->request, NFTA_LIMIT_FLAGS, 0);
	end_expression(batch, expression);
}

static void set_trace(struct batch *batch)
{
	static const uint8_t yes = 1;
	struct expression expression = begin_expression(batch, "immediate");

	netlink_put_number(&batch->request, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_data(batch, NFTA_IMMEDIATE_DATA, &yes, sizeof yes);
	end_expression(batch, expression);
	expression = begin_expression(batch, "meta");
	netlink_put_number(&batch->request, NFTA_META_KEY, NFT_META_NFTRACE);
	netlink_put_number(&batch->request, NFTA_META_SREG, NFT_REG_1);
	end_expression(batch, expression);
}

/* ---- what a packet has to be ---- */

static void match_byte(struct batch *batch, uint32_t key, uint8_t value)
{
	load_meta(batch, key);
	compare(batch, NFT_CMP_EQ, &value, sizeof value);
}

/* A name with its NULs, or for a pattern its beginning. */
static void match_interface(struct batch *batch, const char *name)
{
	char padded[IFNAMSIZ] = "";
	bool pattern = interface_name_is_pattern(name);

	memcpy(padded, name, strlen(name) - pattern);
	if (pattern && !*padded)
		return;
	load_meta(batch, NFT_META_IIFNAME);
	compare(batch, NFT_CMP_EQ, padded, pattern ? strlen(padded) : sizeof padded);
}

static void match_prefix(struct batch *batch, const struct prefix *prefix, uint32_t offset)
{
	size_t size = family_bits(prefix->addr.family) / 8;
	struct addr bits = addr_netmask(prefix->addr.family, prefix->length);

	if (prefix->length == 0)
		return;
	load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
	if (prefix->length < 8 * size)
		mask(batch, bits.bytes, size);
	compare(batch, NFT_CMP_EQ, prefix->addr.bytes, size);
}

static void match_port(struct batch *batch, const struct port_range *range, uint32_t offset)
{
	uint8_t lo[2] = {(uint8_t)(range->lo >> 8), (uint8_t)range->lo}, hi[2] = {(uint8_t)(range->hi >> 8), (uint8_t)range->hi};

	load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof lo);
	if (range->lo == range->hi) {
		compare(batch, NFT_CMP_EQ, lo, sizeof lo);
		return;
	}
	compare(batch, NFT_CMP_GTE, lo, sizeof lo);
	compare(batch, NFT_CMP_LTE, hi, sizeof hi);
}

static void match_transport_byte(struct batch *batch, uint32_t offset, uint8_t bits, uint8_t value)
{
	load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof value);
	if (bits != UINT8_MAX)
		mask(batch, &bits, sizeof bits);
	compare(batch, NFT_CMP_EQ, &value, sizeof value);
}

static void put_match(struct batch *batch, const struct watch_match *match)
{
	bool is6 = match->family == FAMILY_IPV6;

	if (match->interface)
		match_interface(batch, match->interface);
	if (match->has_family)
		match_byte(batch, NFT_META_NFPROTO, is6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	if (match->has_source)
		match_prefix(batch, &match->source, is6 ? OFFSET_SOURCE6 : OFFSET_SOURCE4);
	if (match->has_destination)
		match_prefix(batch, &match->destination, is6 ? OFFSET_DESTINATION6 : OFFSET_DESTINATION4);
	if (match->has_protocol)
		match_byte(batch, NFT_META_L4PROTO, match->protocol);
	if (match->has_source_port)
		match_port(batch, &match->source_port, OFFSET_SOURCE_PORT);
	if (match->has_destination_port)
		match_port(batch, &match->destination_port, OFFSET_DESTINATION_PORT);
	if (match->has_icmp_type)
		match_transport_byte(batch, OFFSET_TYPE, UINT8_MAX, match->icmp_type);
	if (match->has_flags)
		match_transport_byte(batch, OFFSET_FLAGS, TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK | TCP_URG, match->tcp_flags);
}

/* ---- rules ---- */

static size_t begin_rule(struct batch *batch, const char *chain, uint16_t flags)
{
	begin(batch, MESSAGE(NEWRULE), NLM_F_APPEND | flags);
	netlink_put_text(&batch->request, NFTA_RULE_TABLE, batch->table);
	netlink_put_text(&batch->request, NFTA_RULE_CHAIN, chain);
	return netlink_nest(&batch->request, NFTA_RULE_EXPRESSIONS);
}

static void add_match_rule(struct batch *batch, const char *chain, const struct watch_match *match)
{
	size_t expressions = begin_rule(batch, chain, 0);

	if (match)
		put_match(batch, match);
	jump(batch, WATCH_MARK_CHAIN);
	netlink_end(&batch->request, expressions);
}

/* What this host sends comes by no interface. */
static void add_match_rules(struct batch *batch, const struct watch_match_list *matches)
{
	vec_each(match, &matches->items) {
		add_match_rule(batch, hook_names[HOOK_PREROUTING], match);
		if (!match->interface)
			add_match_rule(batch, hook_names[HOOK_OUTPUT], match);
	}
	if (matches->items.len)
		return;
	add_match_rule(batch, hook_names[HOOK_PREROUTING], NULL);
	add_match_rule(batch, hook_names[HOOK_OUTPUT], NULL);
}

/* The last message answers for all; what is refused answers in any case. */
static void add_mark_rule(struct batch *batch, unsigned rate)
{
	size_t expressions = begin_rule(batch, WATCH_MARK_CHAIN, NLM_F_ACK);

	limit(batch, rate);
	set_trace(batch);
	netlink_end(&batch->request, expressions);
}

/* ---- chains ---- */

/* nf_ip_hook_priorities; nat's two are one table's. In the order in which a packet meets them. */
static const struct {
	enum hook hook;
	enum table_id table;
	int priority;
} table_places[] = {
	{HOOK_PREROUTING, TABLE_RAW, -300},    {HOOK_PREROUTING, TABLE_MANGLE, -150}, {HOOK_PREROUTING, TABLE_NAT, -100},
	{HOOK_INPUT, TABLE_MANGLE, -150},      {HOOK_INPUT, TABLE_FILTER, 0},         {HOOK_INPUT, TABLE_SECURITY, 50},
	{HOOK_INPUT, TABLE_NAT, 100},          {HOOK_FORWARD, TABLE_MANGLE, -150},    {HOOK_FORWARD, TABLE_FILTER, 0},
	{HOOK_FORWARD, TABLE_SECURITY, 50},    {HOOK_OUTPUT, TABLE_RAW, -300},        {HOOK_OUTPUT, TABLE_MANGLE, -150},
	{HOOK_OUTPUT, TABLE_NAT, -100},        {HOOK_OUTPUT, TABLE_FILTER, 0},        {HOOK_OUTPUT, TABLE_SECURITY, 50},
	{HOOK_POSTROUTING, TABLE_MANGLE, -150}, {HOOK_POSTROUTING, TABLE_NAT, 100},
};

#define PLACE_COUNT (sizeof table_places / sizeof *table_places)

const char *nft_watch_next_table(const char *hook, const char *table)
{
	bool passed = !*table;

	for (size_t i = 0; i < PLACE_COUNT; i++) {
		if (strcmp(hook_names[table_places[i].hook], hook) != 0)
			continue;
		if (passed)
			return table_names[table_places[i].table];
		passed = strcmp(table_names[table_places[i].table], table) == 0;
	}
	return NULL;
}

static void add_chains(struct batch *batch, bool between)
{
	char name[64];

	add_plain_chain(batch, WATCH_MARK_CHAIN);
	for (int hook = 0; hook < HOOK_COUNT; hook++) {
		add_base_chain(batch, hook_names[hook], (enum hook)hook, FIRST_PRIORITY);
		if (hook == HOOK_INPUT || hook == HOOK_POSTROUTING) {
			snprintf(name, sizeof name, "%s " WATCH_END_WORD, hook_names[hook]);
			add_base_chain(batch, name, (enum hook)hook, LAST_PRIORITY);
		}
	}
	for (size_t i = 0; between && i < PLACE_COUNT; i++) {
		snprintf(name, sizeof name, "%s %s", hook_names[table_places[i].hook], table_names[table_places[i].table]);
		add_base_chain(batch, name, table_places[i].hook, table_places[i].priority + 1);
	}
}

int watch_table_make(int fd, const char *table, const struct watch_match_list *matches, unsigned rate, bool between)
{
	struct batch batch = {.request = {.size = 0}, .table = table};

	netlink_begin(&batch.request, NFNL_MSG_BATCH_BEGIN, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
	add_table(&batch);
	add_chains(&batch, between);
	add_match_rules(&batch, matches);
	add_mark_rule(&batch, rate);
	netlink_begin(&batch.request, NFNL_MSG_BATCH_END, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
	return netlink_ask(fd, &batch.request, NULL, NULL);
}
