#include <peerwall/generation.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct request {
	struct nlmsghdr header;
	struct nfgenmsg family;
};

/* The value of NFTA_GEN_ID among the attributes of an answer. */
static int find_id(const unsigned char *answer, size_t size, uint32_t *out)
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));

	while (at + NLA_HDRLEN <= size) {
		struct nlattr attribute;

		memcpy(&attribute, answer + at, sizeof attribute);
		if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > size - at)
			break;
		if ((attribute.nla_type & NLA_TYPE_MASK) == NFTA_GEN_ID &&
		    attribute.nla_len >= NLA_HDRLEN + sizeof *out) {
			memcpy(out, answer + at + NLA_HDRLEN, sizeof *out);
			*out = ntohl(*out);
			return 0;
		}
		at += NLA_ALIGN(attribute.nla_len);
	}
	return -EPROTO;
}

static int ask(int fd, uint32_t *out)
{
	_Alignas(struct nlmsghdr) unsigned char answer[8192];
	struct request request = {
		.header = {
			.nlmsg_len = sizeof request,
			.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.family = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
	};
	struct nlmsghdr header;
	struct nlmsgerr error;
	ssize_t n;

	if (send(fd, &request, sizeof request, 0) < 0)
		return -errno;
	n = recv(fd, answer, sizeof answer, 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof header)
		return -EPROTO;
	memcpy(&header, answer, sizeof header);
	if (header.nlmsg_len < sizeof header || header.nlmsg_len > (size_t)n)
		return -EPROTO;
	if (header.nlmsg_type == NLMSG_ERROR && header.nlmsg_len >= NLMSG_HDRLEN + sizeof error) {
		memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
		return error.error < 0 ? error.error : -EPROTO;
	}
	if (header.nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		return -EPROTO;
	return find_id(answer, header.nlmsg_len, out);
}

int generation_read(uint32_t *out)
{
	struct timeval limit = {.tv_sec = 2};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int error;

	if (fd < 0)
		return -errno;
	error = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 ? ask(fd, out) : -errno;
	close(fd);
	return error;
}
