#include <peerwall/generation.h>

#include "netlink.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

struct generation {
	uint32_t id;
	bool known;
};

static int take_generation(void *context, struct netlink_value attributes)
{
	struct generation *generation = context;

	generation->known = netlink_find_number(attributes, NFTA_GEN_ID, &generation->id);
	return 0;
}

int generation_read(uint32_t *out)
{
	struct netlink_request request = {.size = 0};
	struct generation generation = {.known = false};
	int fd = netlink_open(), error;

	if (fd < 0)
		return fd;
	netlink_begin(&request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_ACK, AF_UNSPEC, 0);
	error = netlink_ask(fd, &request, take_generation, &generation);
	close(fd);
	if (error)
		return error;
	*out = generation.id;
	return generation.known ? 0 : -EPROTO;
}
