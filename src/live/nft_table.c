#include "nft_table.h"

#include "netlink.h"

#include <peerwall/lower.h>

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE(name_) (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_##name_)

static const uint8_t protocols[FAMILY_COUNT] = {NFPROTO_IPV4, NFPROTO_IPV6};

struct look {
	enum table_id table;
	struct arena *arena;
	uint32_t use;      /* of the table */
	uint32_t bare;     /* chains */
	bool plain;        /* the table itself is as iptables makes it */
	bool ours;
};

/* ---- looking ---- */

static int take_table(void *context, struct netlink_value attributes)
{
	struct look *look = context;
	struct netlink_value value;
	uint32_t flags = 0;

	netlink_find_number(attributes, NFTA_TABLE_FLAGS, &flags);
	look->plain = flags == 0 && netlink_find_number(attributes, NFTA_TABLE_USE, &look->use) &&
		      !netlink_find(attributes, NFTA_TABLE_USERDATA, &value);
	return 0;
}

/*
 * iptables-nft's priority of all chains of a table: the kernel's own for iptables but in security. nat's differ from chain to
 * chain, and peerwall makes none.
 */
static bool find_priority(enum table_id table, int32_t *out)
{
	switch (table) {
	case TABLE_RAW:
		*out = -300;
		return true;
	case TABLE_MANGLE:
		*out = -150;
		return true;
	case TABLE_FILTER:
		*out = 0;
		return true;
	case TABLE_SECURITY:
		*out = 150;
		return true;
	default:
		return false;
	}
}

/* enum hook has the order of the kernel's enum nf_inet_hooks. */
static bool is_builtin(const struct look *look, struct netlink_value chain)
{
	struct netlink_value hook;
	uint32_t number, priority;
	int32_t expected;

	return netlink_find(chain, NFTA_CHAIN_HOOK, &hook) && netlink_find_number(hook, NFTA_HOOK_HOOKNUM, &number) &&
	       netlink_find_number(hook, NFTA_HOOK_PRIORITY, &priority) && find_priority(look->table, &expected) &&
	       number < HOOK_COUNT && (int32_t)priority == expected && table_has_hook(look->table, (enum hook)number) &&
	       netlink_holds_text(chain, NFTA_CHAIN_NAME, hook_names[number]);
}

static bool is_bare(const struct look *look, struct netlink_value chain)
{
	struct netlink_value value;
	uint32_t use, policy;

	return is_builtin(look, chain) && netlink_find_number(chain, NFTA_CHAIN_USE, &use) && use == 0 &&
	       netlink_find_number(chain, NFTA_CHAIN_POLICY, &policy) && policy == NF_ACCEPT &&
	       !netlink_find(chain, NFTA_CHAIN_USERDATA, &value);
}

static int take_chain(void *context, struct netlink_value attributes)
{
	struct look *look = context;
	struct netlink_value name;

	if (!netlink_holds_text(attributes, NFTA_CHAIN_TABLE, table_names[look->table]))
		return 0;
	look->bare += is_bare(look, attributes);
	if (netlink_find(attributes, NFTA_CHAIN_NAME, &name) && name.size && name.bytes[name.size - 1] == '\0')
		look->ours |= own_chain_interface(look->arena, (const char *)name.bytes) != NULL;
	return 0;
}

static int ask_table(int fd, struct look *look, enum family family)
{
	struct netlink_request request = {.size = 0};
	const char *name = table_names[look->table];

	netlink_begin(&request, MESSAGE(GETTABLE), NLM_F_ACK, protocols[family], 0);
	netlink_put_text(&request, NFTA_TABLE_NAME, name);
	return netlink_ask(fd, &request, take_table, look);
}

static int ask_chains(int fd, struct look *look, enum family family)
{
	struct netlink_request request = {.size = 0};

	netlink_begin(&request, MESSAGE(GETCHAIN), NLM_F_DUMP, protocols[family], 0);
	return netlink_ask(fd, &request, take_chain, look);
}

int nft_table_look(enum nft_table_state *out, enum family family, enum table_id table, struct arena *arena)
{
	struct look look = {.table = table, .arena = arena};
	int fd = netlink_open(), error;

	if (fd < 0)
		return fd;
	error = ask_table(fd, &look, family);
	if (error == 0)
		error = ask_chains(fd, &look, family);
	close(fd);
	*out = look.ours ? NFT_TABLE_OURS : NFT_TABLE_OTHERS;
	if (error == -ENOENT) {
		*out = NFT_TABLE_ABSENT;
		error = 0;
	} else if (look.plain && look.bare == look.use) {
		*out = NFT_TABLE_BARE;
	}
	return error;
}

/* ---- deleting ---- */

/* One message in a batch that is bound to a generation. */
static int run_batch(int fd, uint32_t generation, uint16_t message, enum family family, const char *table)
{
	struct netlink_request request = {.size = 0};

	netlink_begin(&request, NFNL_MSG_BATCH_BEGIN, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
	netlink_put_number(&request, NFNL_BATCH_GENID, generation);
	netlink_begin(&request, message, NLM_F_ACK, protocols[family], 0);
	if (table)
		netlink_put_text(&request, NFTA_TABLE_NAME, table);
	netlink_begin(&request, NFNL_MSG_BATCH_END, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
	return netlink_ask(fd, &request, NULL, NULL);
}

/*
 * Old kernels do not look at the generation. So a batch that cannot work in any case is sent first, bound to a
 * generation that is 2^31 commits away: only a kernel that looks says ERESTART to it. (Questions have no place in a batch.)
 */
static bool looks_at_generation(int fd, enum family family, uint32_t generation)
{
	uint32_t far = generation ^ UINT32_C(1) << 31;

	return run_batch(fd, far ? far : 1, MESSAGE(GETGEN), family, NULL) == -ERESTART;
}

int nft_table_delete(enum family family, enum table_id table, uint32_t generation)
{
	int fd = netlink_open(), error;

	if (fd < 0)
		return fd;
	/* To the kernel 0 is no generation, and would hold for any. */
	if (generation == 0)
		error = -ERESTART;
	else if (!looks_at_generation(fd, family, generation))
		error = -EOPNOTSUPP;
	else
		error = run_batch(fd, generation, MESSAGE(DELTABLE), family, table_names[table]);
	close(fd);
	return error;
}
