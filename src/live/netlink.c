#include "netlink.h"

#include <peerwall/arena.h>
#include <peerwall/bug.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_SIZE 32768 /* the kernel's own limit for a part of a dump */
#define ANSWER_LIMIT 2    /* seconds */
/* Sockets are asked one thing after the other; the number tells late answers to an earlier question. */
static uint32_t request_number;

int netlink_open(void)
{
	struct timeval limit = {.tv_sec = ANSWER_LIMIT};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int error;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static void add(struct netlink_request *request, const void *bytes, size_t size)
{
	size_t padded = NLMSG_ALIGN(size);
	struct nlmsghdr header;

	if (padded > request->capacity - request->size) {
		request->capacity = 2 * request->capacity + padded;
		request->bytes = checked_realloc(request->bytes, request->capacity);
	}
	memset(request->bytes + request->size, 0, padded);
	memcpy(request->bytes + request->size, bytes, size);
	request->size += padded;
	memcpy(&header, request->bytes + request->last, sizeof header);
	header.nlmsg_len = (uint32_t)(request->size - request->last);
	memcpy(request->bytes + request->last, &header, sizeof header);
}

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource)
{
	struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
	struct nfgenmsg generic = {.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};

	if (request->size == 0)
		request_number++;
	header.nlmsg_seq = request_number;
	request->last = request->size;
	add(request, &header, sizeof header);
	add(request, &generic, sizeof generic);
}

void netlink_put(struct netlink_request *request, uint16_t attribute, const void *bytes, size_t size)
{
	struct nlattr header = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = attribute};

	BUG_ON(size > UINT16_MAX - NLA_HDRLEN);
	add(request, &header, sizeof header);
	add(request, bytes, size);
}

void netlink_put_number(struct netlink_request *request, uint16_t attribute, uint32_t number)
{
	number = htonl(number);
	netlink_put(request, attribute, &number, sizeof number);
}

void netlink_put_text(struct netlink_request *request, uint16_t attribute, const char *text)
{
	netlink_put(request, attribute, text, strlen(text) + 1);
}

size_t netlink_nest(struct netlink_request *request, uint16_t attribute)
{
	size_t nest = request->size;

	netlink_put(request, attribute | NLA_F_NESTED, "", 0);
	return nest;
}

void netlink_end(struct netlink_request *request, size_t nest)
{
	struct nlattr header;

	memcpy(&header, request->bytes + nest, sizeof header);
	header.nla_len = (uint16_t)(request->size - nest);
	memcpy(request->bytes + nest, &header, sizeof header);
}

/* What one message says. *done: it was the last one. */
static int take_message(const unsigned char *message, const struct nlmsghdr *header, netlink_visit visit, void *context,
			bool *done)
{
	size_t body = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
	int error;

	if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == NLMSG_DONE) {
		*done = true;
		if (header->nlmsg_len < NLMSG_HDRLEN + sizeof error)
			return header->nlmsg_type == NLMSG_DONE ? 0 : -EPROTO;
		memcpy(&error, message + NLMSG_HDRLEN, sizeof error);
		return error <= 0 ? error : -EPROTO;
	}
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EINTR;
	if (header->nlmsg_len < body)
		return -EPROTO;
	return visit ? visit(context, (struct netlink_value){message + body, header->nlmsg_len - body}) : 0;
}

/* The first failure counts, but all is read, so that nothing is left for the next question. */
static int take_answers(int fd, uint32_t number, netlink_visit visit, void *context)
{
	_Alignas(struct nlmsghdr) unsigned char answer[ANSWER_SIZE];
	struct nlmsghdr header;
	bool done = false;
	int result = 0;

	while (!done) {
		ssize_t n = recv(fd, answer, sizeof answer, MSG_TRUNC);
		size_t left, at = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n > sizeof answer)
			return -EMSGSIZE;
		for (left = (size_t)n; left >= sizeof header && !done; left = at < (size_t)n ? (size_t)n - at : 0) {
			int error = 0;

			memcpy(&header, answer + at, sizeof header);
			if (header.nlmsg_len < sizeof header || header.nlmsg_len > left)
				return -EPROTO;
			if (header.nlmsg_seq == number)
				error = take_message(answer + at, &header, visit, context, &done);
			if (result == 0)
				result = error;
			at += NLMSG_ALIGN(header.nlmsg_len);
		}
	}
	return result;
}

int netlink_ask(int fd, struct netlink_request *request, netlink_visit visit, void *context)
{
	ssize_t sent = send(fd, request->bytes, request->size, 0);
	int error = sent < 0 ? -errno : 0;
	struct nlmsghdr asked;

	memcpy(&asked, request->bytes, sizeof asked);
	free(request->bytes);
	*request = (struct netlink_request){.size = 0};
	return error ? error : take_answers(fd, asked.nlmsg_seq, visit, context);
}

bool netlink_find(struct netlink_value attributes, uint16_t attribute, struct netlink_value *out)
{
	size_t at = 0;

	while (at < attributes.size && attributes.size - at >= NLA_HDRLEN) {
		struct nlattr header;

		memcpy(&header, attributes.bytes + at, sizeof header);
		if (header.nla_len < NLA_HDRLEN || header.nla_len > attributes.size - at)
			return false;
		if ((header.nla_type & NLA_TYPE_MASK) == attribute) {
			*out = (struct netlink_value){attributes.bytes + at + NLA_HDRLEN, header.nla_len - NLA_HDRLEN};
			return true;
		}
		at += NLA_ALIGN(header.nla_len);
	}
	return false;
}

const char *netlink_text(struct netlink_value attributes, uint16_t attribute, struct arena *arena)
{
	struct netlink_value value;

	if (!netlink_find(attributes, attribute, &value))
		return "";
	return arena_strndup(arena, (const char *)value.bytes, strnlen((const char *)value.bytes, value.size));
}

bool netlink_find_number(struct netlink_value attributes, uint16_t attribute, uint32_t *out)
{
	struct netlink_value value;

	if (!netlink_find(attributes, attribute, &value) || value.size != sizeof *out)
		return false;
	memcpy(out, value.bytes, sizeof *out);
	*out = ntohl(*out);
	return true;
}

bool netlink_holds_text(struct netlink_value attributes, uint16_t attribute, const char *text)
{
	struct netlink_value value;

	return netlink_find(attributes, attribute, &value) && value.size == strlen(text) + 1 &&
	       memcmp(value.bytes, text, value.size) == 0;
}
