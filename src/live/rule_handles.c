#include <peerwall/rule_handles.h>

#include "netlink.h"

#include <peerwall/strbuf.h>
#include <peerwall/vec.h>

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <unistd.h>

struct listing {
	struct rule_handles *handles;
	struct arena *arena;
	const char *family;
	struct intern chains;   /* "filter INPUT" */
	VEC(unsigned) lengths;  /* by number: the rules counted so far */
};

static void write_key(struct strbuf *out, const char *family, const char *table, const char *chain, uint64_t handle)
{
	strbuf_addf(out, "%s %s %s %llu", family, table, chain, (unsigned long long)handle);
}

static unsigned next_position(struct listing *listing, const char *table, const char *chain)
{
	const char *name = arena_printf(listing->arena, "%s %s", table, chain);
	uint32_t number = intern_add(&listing->chains, name, strlen(name));

	if (number == listing->lengths.len)
		vec_push(listing->arena, &listing->lengths, 0);
	return ++listing->lengths.data[number];
}

static int take_rule(void *context, struct netlink_value attributes)
{
	struct listing *listing = context;
	const char *table = netlink_text(attributes, NFTA_RULE_TABLE, listing->arena);
	const char *chain = netlink_text(attributes, NFTA_RULE_CHAIN, listing->arena);
	struct strbuf key = STRBUF_EMPTY;
	struct netlink_value value;
	uint64_t handle = 0;

	if (!netlink_find(attributes, NFTA_RULE_HANDLE, &value) || value.size != 8)
		return -EPROTO;
	for (int i = 0; i < 8; i++)
		handle = handle << 8 | value.bytes[i];
	write_key(&key, listing->family, table, chain, handle);
	if (intern_add(&listing->handles->rules, key.data, key.len) == listing->handles->positions.len)
		vec_push(listing->arena, &listing->handles->positions, next_position(listing, table, chain));
	strbuf_free(&key);
	return 0;
}

static int list_rules(int fd, struct rule_handles *out, uint8_t protocol, const char *family, struct arena *arena)
{
	struct listing listing = {.handles = out, .arena = arena, .family = family};
	struct netlink_request request = {.size = 0};

	intern_init(&listing.chains, arena);
	netlink_begin(&request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, NLM_F_DUMP, protocol, 0);
	return netlink_ask(fd, &request, take_rule, &listing);
}

int rule_handles_read(struct rule_handles *out, const bool families[FAMILY_COUNT], struct arena *arena)
{
	int fd = netlink_open(), error = 0;

	*out = (struct rule_handles){0};
	intern_init(&out->rules, arena);
	if (fd < 0)
		return fd;
	if (families[FAMILY_IPV4])
		error = list_rules(fd, out, NFPROTO_IPV4, "ip", arena);
	if (error == 0 && families[FAMILY_IPV6])
		error = list_rules(fd, out, NFPROTO_IPV6, "ip6", arena);
	close(fd);
	return error;
}

unsigned rule_handles_find(const struct rule_handles *handles, const char *family, const char *table, const char *chain,
			   uint64_t handle)
{
	struct strbuf key = STRBUF_EMPTY;
	uint32_t number;

	write_key(&key, family, table, chain, handle);
	number = intern_find(&handles->rules, key.data, key.len);
	strbuf_free(&key);
	return number == INTERN_NONE ? 0 : handles->positions.data[number];
}
