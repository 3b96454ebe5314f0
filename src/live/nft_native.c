#include <peerwall/nft_native.h>

#include "netlink.h"

#include <peerwall/nft_watch.h>
#include <peerwall/ruleset.h>

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <unistd.h>

static const struct nft_family {
	uint8_t protocol;
	const char *name;
	bool is_iptables; /* has the tables of iptables-nft */
} families[] = {
	{NFPROTO_INET, "inet", false},	   {NFPROTO_IPV4, "ip", true},		{NFPROTO_IPV6, "ip6", true},
	{NFPROTO_NETDEV, "netdev", false}, {NFPROTO_BRIDGE, "bridge", false},
};

struct listing {
	struct nft_native_tables *out;
	struct arena *arena;
	const struct nft_family *family;
};

static bool is_iptables_table(const struct nft_family *family, const char *name)
{
	for (int id = 0; family->is_iptables && id < TABLE_COUNT; id++)
		if (strcmp(name, table_names[id]) == 0)
			return true;
	return false;
}

static bool does_something(struct netlink_value chain)
{
	struct netlink_value hook;
	uint32_t use = 0, policy = NF_ACCEPT;

	if (!netlink_find(chain, NFTA_CHAIN_HOOK, &hook))
		return false;
	netlink_find_number(chain, NFTA_CHAIN_USE, &use);
	netlink_find_number(chain, NFTA_CHAIN_POLICY, &policy);
	return use > 0 || policy != NF_ACCEPT;
}

static void add_table(struct listing *listing, const char *table)
{
	const char *name = arena_printf(listing->arena, "%s %s", listing->family->name, table);

	vec_each(known, &listing->out->items)
		if (strcmp(*known, name) == 0)
			return;
	vec_push(listing->arena, &listing->out->items, name);
}

static int take_chain(void *context, struct netlink_value attributes)
{
	struct listing *listing = context;
	const char *table;

	if (!does_something(attributes))
		return 0;
	table = netlink_text(attributes, NFTA_CHAIN_TABLE, listing->arena);
	if (!is_iptables_table(listing->family, table) && !nft_watch_owns(table))
		add_table(listing, table);
	return 0;
}

int nft_native_list(struct nft_native_tables *out, struct arena *arena)
{
	int fd = netlink_open(), error = 0;

	*out = (struct nft_native_tables){0};
	if (fd < 0)
		return fd;
	for (size_t i = 0; i < sizeof families / sizeof *families && error == 0; i++) {
		struct listing listing = {out, arena, &families[i]};
		struct netlink_request request = {.size = 0};

		netlink_begin(&request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, families[i].protocol, 0);
		error = netlink_ask(fd, &request, take_chain, &listing);
		/* A kernel without that family has no tables of it. */
		if (error == -EOPNOTSUPP || error == -ENOENT)
			error = 0;
	}
	close(fd);
	return error;
}
