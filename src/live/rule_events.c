#include <peerwall/rule_events.h>

#include "netlink.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 200
#define UNREST_MAX_MS 2000

int rule_events_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int group = NFNLGRP_NFTABLES, fd = netlink_open(), error;

	if (fd < 0 || (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
		       setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) == 0))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Takes all that is there. More than the socket could hold (ENOBUFS) is a change as well. */
static void drain(int fd)
{
	char message[8192];
	ssize_t n;

	do
		n = recv(fd, message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
	while (n > 0 || (n < 0 && (errno == ENOBUFS || errno == EINTR)));
}

static bool is_told_within(int fd, long long limit)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	long long end = now_ms() + limit;
	int found;

	while ((found = poll(&polled, 1, (int)limit)) < 0 && errno == EINTR)
		if ((limit = end - now_ms()) <= 0)
			return false;
	return found > 0;
}

bool rule_events_wait(int fd, unsigned limit)
{
	long long unrest_end;

	if (!is_told_within(fd, limit))
		return false;
	unrest_end = now_ms() + UNREST_MAX_MS;
	do
		drain(fd);
	while (now_ms() < unrest_end && is_told_within(fd, QUIET_MS));
	return true;
}
