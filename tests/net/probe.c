/*
 * Asks with real packets what a host lets in, and answers such questions.
 *
 *   probe serve TAG [tcp:LIST] [udp:LIST] [sctp:LIST] [raw:LIST] [icmp:]
 *     answers on ports (LIST is 22,80,60000-60010; of raw: IP protocol numbers)
 *     of all addresses of both families, each answer beginning with TAG. Binds,
 *     goes to the background, prints its process id. TCP connections echo
 *     after their first line. SCTP is spoken up to INIT and INIT-ACK over raw
 *     sockets, so that kernels without it do. icmp: answers ICMPv6 node
 *     information queries, which the kernel leaves to others.
 *
 *   probe grid [TIMEOUT_MS]
 *     reads lines "PROTO SRC DST PORT" (PROTO is tcp, udp, sctp, icmp with a
 *     type as PORT, raw with an IP protocol as PORT), asks them all at once and
 *     prints each with its outcome: "open TAG", "refused" (a reset for TCP, ICMP port
 *     unreachable for others), "silent", or "error WHAT" for any other ICMP error or
 *     errno.
 *
 *   probe steady SECONDS RATE [TIMEOUT_MS]
 *     asks each of the lines RATE times a second, always from a new port and
 *     without a second try, prints each with "sent N open N refused N ...".
 *
 *   probe hold SECONDS SRC DST PORT
 *     one TCP connection that exchanges a byte about every millisecond; prints
 *     the exchanges and the longest of them in ms. Status 1 if it broke.
 *
 * Times are milliseconds of the monotonic clock, ports are in host order.
 * Status 2 for a wrong call or a failing system call, which is named.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum {
	TAG_MAX = 48,
	SLOTS_MAX = 4096,       /* probes under way at once; keys of 16 bits suffice */
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_COOKIE = 7,
	/* RFC 4620; the kernel tracks the pair as request and reply. */
	NI_QUERY = 139,
	NI_REPLY = 140,
	RAW_SIZE = 12,          /* of a raw question, see answer_datagram() */
};

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* --- common to both sides ------------------------------------------------ */

static void *zalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		error(2, ENOMEM, "calloc");
	return p;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long parse_number(const char *text, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 0 || n > max)
		error(2, 0, "not a number up to %ld: %s", max, text);
	return n;
}

static socklen_t address_len(const union address *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

static const void *address_bytes(const union address *a)
{
	return a->sa.sa_family == AF_INET ? (const void *)&a->v4.sin_addr
					  : (const void *)&a->v6.sin6_addr;
}

static size_t address_size(const union address *a)
{
	return a->sa.sa_family == AF_INET ? 4 : 16;
}

static bool address_equal(const union address *a, const union address *b)
{
	return a->sa.sa_family == b->sa.sa_family &&
	       !memcmp(address_bytes(a), address_bytes(b), address_size(a));
}

static void address_parse(union address *a, const char *text)
{
	/* Also knows fe80::1%eth0. */
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *found;

	if (getaddrinfo(text, NULL, &hints, &found))
		error(2, 0, "not an address: %s", text);
	memset(a, 0, sizeof(*a));
	memcpy(a, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
}

static void address_set_port(union address *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->v4.sin_port = htons(port);
	else
		a->v6.sin6_port = htons(port);
}

static int socket_open(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	int one = 1;
	/* Hundreds of answers may come before we look. */
	int space = 4 << 20, offset = 2;

	if (fd < 0)
		error(2, errno, "socket %d %d %d", family, type, protocol);
	if (type == SOCK_RAW) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof(space));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &space, sizeof(space));
		/* The kernel's REJECT answers no packet whose checksum it finds wrong,
		   and looks for one in every protocol but SCTP and a few. */
		if (family == AF_INET6 && protocol != IPPROTO_SCTP &&
		    protocol != IPPROTO_ICMPV6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof(offset));
	}
	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	return fd;
}

/* Receives one datagram with the address it came to, which may be NULL. */
static ssize_t receive(int fd, void *data, size_t size, union address *from,
		       union address *to)
{
	char control[256] __attribute__((aligned(8)));
	struct iovec iov = { data, size };
	struct msghdr m = {
		.msg_name = from, .msg_namelen = sizeof(*from),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &m, 0);

	if (n < 0 || !to)
		return n;
	memset(to, 0, sizeof(*to));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to->v4.sin_family = AF_INET;
			to->v4.sin_addr = info.ipi_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			to->v6.sin6_family = AF_INET6;
			to->v6.sin6_addr = info.ipi6_addr;
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				to->v6.sin6_scope_id = info.ipi6_ifindex;
		}
	}
	return n;
}

/* Sends one datagram from a named source address. Returns 0 or -errno. */
static int send_from(int fd, const union address *from, const union address *to,
		     const void *data, size_t size)
{
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))]
		__attribute__((aligned(8))) = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct msghdr m = {
		.msg_name = (void *)(uintptr_t)to, .msg_namelen = address_len(to),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control,
	};
	struct cmsghdr *c = (struct cmsghdr *)control;

	if (from->sa.sa_family == AF_INET) {
		struct in_pktinfo info = { .ipi_spec_dst = from->v4.sin_addr };

		m.msg_controllen = CMSG_SPACE(sizeof(info));
		*c = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { from->v6.sin6_addr, from->v6.sin6_scope_id };

		m.msg_controllen = CMSG_SPACE(sizeof(info));
		*c = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO };
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static uint16_t internet_checksum(const uint8_t *data, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* Connection tracking drops what has a wrong CRC32c (RFC 9260, appendix A). */
static void sctp_seal(uint8_t *packet, size_t size)
{
	uint32_t crc = ~0u;

	memset(packet + 8, 0, 4);
	for (size_t i = 0; i < size; i++) {
		crc ^= packet[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	crc = ~crc;
	for (int i = 0; i < 4; i++)
		packet[8 + i] = (uint8_t)(crc >> 8 * i);
}

/* Writes an INIT or INIT-ACK, the latter with TAG as its cookie. Returns the size. */
static size_t sctp_write(uint8_t *p, int type, uint16_t from, uint16_t to,
			 uint32_t verify, uint32_t key, const char *tag)
{
	size_t cookie = type == SCTP_INIT_ACK ? (strlen(tag) + 3) / 4 * 4 : 0;
	size_t chunk = 20 + (cookie ? 4 + cookie : 0);

	memset(p, 0, 12 + chunk);
	put16(p, from);
	put16(p + 2, to);
	put32(p + 4, verify);
	p[12] = (uint8_t)type;
	put16(p + 14, (uint32_t)chunk);
	put32(p + 16, key);
	put32(p + 20, 65536);
	put16(p + 24, 1);
	put16(p + 26, 1);
	put32(p + 28, key);
	if (cookie) {
		put16(p + 32, SCTP_COOKIE);
		put16(p + 34, (uint32_t)(4 + cookie));
		memcpy(p + 36, tag, strlen(tag));
	}
	sctp_seal(p, 12 + chunk);
	return 12 + chunk;
}

/* A received raw packet without its IPv4 header; NULL if it is too short. */
static const uint8_t *raw_payload(const union address *from, const uint8_t *p,
				  size_t *size)
{
	size_t header = 0;

	if (from->sa.sa_family == AF_INET) {
		if (*size < 20)
			return NULL;
		header = (size_t)(p[0] & 15) * 4;
	}
	if (*size < header)
		return NULL;
	*size -= header;
	return p + header;
}

static void raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		error(2, errno, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		error(2, errno, "setrlimit");
}

/* --- serve ---------------------------------------------------------------- */

enum listener_kind {
	LISTEN_TCP,
	LISTEN_ECHO,            /* an accepted connection */
	LISTEN_UDP,
	LISTEN_SCTP,
	LISTEN_RAW,
	LISTEN_ICMP,
};

struct listener {
	enum listener_kind kind;
	int fd;
	struct server *server;
};

struct server {
	int epoll;
	const char *tag;
	uint8_t sctp_ports[65536 / 8];
};

static void listener_add(struct server *s, enum listener_kind kind, int fd)
{
	struct listener *l = zalloc(1, sizeof(*l));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = l };

	*l = (struct listener){ kind, fd, s };
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event))
		error(2, errno, "epoll_ctl");
}

static void serve_port(struct server *s, enum listener_kind kind, uint16_t port)
{
	union address any = { .v6 = { .sin6_family = AF_INET6,
				      .sin6_port = htons(port) } };
	bool tcp = kind == LISTEN_TCP;
	int fd = socket_open(AF_INET6, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	int off = 0, on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &any.sa, sizeof(any.v6)))
		error(2, errno, "bind to port %u", (unsigned)port);
	if (tcp && listen(fd, 1024))
		error(2, errno, "listen on port %u", (unsigned)port);
	listener_add(s, kind, fd);
}

static void serve_raw(struct server *s, enum listener_kind kind, int v4, int v6)
{
	if (v4)
		listener_add(s, kind, socket_open(AF_INET, SOCK_RAW, v4));
	listener_add(s, kind, socket_open(AF_INET6, SOCK_RAW, v6));
}

static void serve_list(struct server *s, const char *proto, char *list)
{
	bool sctp = !strcmp(proto, "sctp");

	if (!strcmp(proto, "icmp")) {
		serve_raw(s, LISTEN_ICMP, 0, IPPROTO_ICMPV6);
		return;
	}
	if (sctp)
		serve_raw(s, LISTEN_SCTP, IPPROTO_SCTP, IPPROTO_SCTP);
	for (char *item = strtok(list, ","); item; item = strtok(NULL, ",")) {
		char *dash = strchr(item, '-');
		long lo, hi;

		if (dash)
			*dash++ = '\0';
		lo = parse_number(item, 65535);
		hi = dash ? parse_number(dash, 65535) : lo;
		for (long n = lo; n <= hi; n++) {
			if (sctp)
				s->sctp_ports[n / 8] |= (uint8_t)(1 << n % 8);
			else if (!strcmp(proto, "tcp"))
				serve_port(s, LISTEN_TCP, (uint16_t)n);
			else if (!strcmp(proto, "udp"))
				serve_port(s, LISTEN_UDP, (uint16_t)n);
			else if (!strcmp(proto, "raw") && n < 256)
				serve_raw(s, LISTEN_RAW, (int)n, (int)n);
			else
				error(2, 0, "cannot serve %s %ld", proto, n);
		}
	}
}

static void answer_tcp(struct listener *l)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char line[TAG_MAX + 1];
	int n;

	if (fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s\n", l->server->tag);
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n) {
		close(fd);
		return;
	}
	listener_add(l->server, LISTEN_ECHO, fd);
}

/* Closing the descriptor also takes it out of the epoll set. */
static void answer_echo(struct listener *l)
{
	char data[512];
	ssize_t n = recv(l->fd, data, sizeof(data), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0 && send(l->fd, data, (size_t)n, MSG_NOSIGNAL) == n)
		return;
	close(l->fd);
	free(l);
}

/*
 * A raw question is 'Q', a zero, a checksum, a key of 8 bytes; its answer is 'R', the
 * same, the tag. An answer must not be taken for a question where both sides
 * share a host.
 */
static void answer_datagram(struct listener *l)
{
	const char *tag = l->server->tag;
	union address from, to;
	uint8_t in[2048], out[64 + TAG_MAX];
	const uint8_t *p = in;
	size_t size;
	ssize_t n = receive(l->fd, in, sizeof(in), &from, &to);

	if (n < 0)
		return;
	size = (size_t)n;
	if (l->kind == LISTEN_UDP) {
		send_from(l->fd, &to, &from, tag, strlen(tag));
		return;
	}
	address_set_port(&from, 0);
	p = raw_payload(&from, in, &size);
	if (!p)
		return;
	if (l->kind == LISTEN_RAW && size >= RAW_SIZE && p[0] == 'Q') {
		memcpy(out, p, RAW_SIZE);
		out[0] = 'R';
		memcpy(out + RAW_SIZE, tag, strlen(tag));
		send_from(l->fd, &to, &from, out, RAW_SIZE + strlen(tag));
	} else if (l->kind == LISTEN_SCTP && size >= 32 && p[12] == SCTP_INIT) {
		uint32_t port = get16(p + 2);

		if (!(l->server->sctp_ports[port / 8] & 1 << port % 8))
			return;
		size = sctp_write(out, SCTP_INIT_ACK, (uint16_t)port,
				  (uint16_t)get16(p), get32(p + 16), 1, tag);
		send_from(l->fd, &to, &from, out, size);
	} else if (l->kind == LISTEN_ICMP && size >= 16 && p[0] == NI_QUERY) {
		memcpy(out, p, 16);
		out[0] = NI_REPLY;
		put16(out + 2, 0);
		send_from(l->fd, &to, &from, out, 16);
	}
}

static int serve_main(int argc, char **argv)
{
	struct server *s = zalloc(1, sizeof(*s));
	int null;
	pid_t pid;

	if (argc < 2 || strlen(argv[0]) >= TAG_MAX)
		error(2, 0, "usage: serve TAG PROTO:LIST...");
	raise_open_files();
	s->tag = argv[0];
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		error(2, errno, "epoll_create1");
	for (int i = 1; i < argc; i++) {
		char *list = strchr(argv[i], ':');

		if (!list)
			error(2, 0, "not PROTO:LIST: %s", argv[i]);
		*list++ = '\0';
		serve_list(s, argv[i], list);
	}

	pid = fork();
	if (pid < 0)
		error(2, errno, "fork");
	if (pid) {
		printf("%d\n", (int)pid);
		return 0;
	}
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(s->epoll, events, ARRAY_SIZE(events), -1);

		for (int i = 0; i < n; i++) {
			struct listener *l = events[i].data.ptr;

			if (l->kind == LISTEN_TCP)
				answer_tcp(l);
			else if (l->kind == LISTEN_ECHO)
				answer_echo(l);
			else
				answer_datagram(l);
		}
	}
}

/* --- grid and steady ------------------------------------------------------- */

enum probe_proto { PROBE_TCP, PROBE_UDP, PROBE_SCTP, PROBE_ICMP, PROBE_RAW };
static const char *const proto_names[] = { "tcp", "udp", "sctp", "icmp", "raw" };

enum outcome { PENDING, OPEN, REFUSED, SILENT, FAILED };

struct question {
	enum probe_proto proto;
	union address src, dst;         /* dst carries the port where there is one */
	uint16_t port;
	char text[160];
	/* what came of it: the last outcome, and how often each */
	enum outcome outcome;
	char detail[TAG_MAX];
	unsigned long count[FAILED + 1];
};

/* One question being asked. A slot is used again once it has its outcome. */
struct slot {
	struct question *question;      /* NULL while free */
	int fd;                         /* -1 for those that share a raw socket */
	bool again;                     /* a second try is due */
	bool connected;
	double sent;
	uint32_t key;
	size_t got;
	char tag[TAG_MAX];
};

struct prober {
	int epoll;
	double timeout;
	bool retry;
	/* Shared raw sockets by family (0 is IPv4) and IP protocol; -1 is not open. */
	int raw[2][256];
	struct slot slots[SLOTS_MAX];
	unsigned pending, next;
	/* Keys start at random, so that no answer to an earlier run fits. */
	uint32_t base;
};

static int family_index(const union address *a)
{
	return a->sa.sa_family == AF_INET6;
}

/* Raw sockets mark themselves in the events by what they are, slots by their index. */
static uint64_t raw_mark(int family, int protocol)
{
	return (uint64_t)1 << 32 | (uint64_t)family << 8 | (uint64_t)protocol;
}

static void slot_finish(struct prober *p, struct slot *s, enum outcome outcome,
			const char *detail)
{
	/* No TIME_WAIT, and no traffic of its own after the answer. */
	struct linger linger = { 1, 0 };

	if (s->fd >= 0) {
		if (s->question->proto == PROBE_TCP)
			setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(s->fd);
	}
	s->question->outcome = outcome;
	snprintf(s->question->detail, sizeof(s->question->detail), "%s", detail);
	s->question->count[outcome]++;
	s->question = NULL;
	p->pending--;
}

/* Was it an ICMP error that ended the connection, and not a reset? */
static bool got_icmp_error(int fd)
{
	char control[512];
	struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };

	return recvmsg(fd, &m, MSG_ERRQUEUE) >= 0;
}

static void slot_fail(struct prober *p, struct slot *s, int err)
{
	if (s->question->proto == PROBE_TCP && s->fd >= 0 && got_icmp_error(s->fd))
		slot_finish(p, s, FAILED, err == ECONNREFUSED ? "unreachable" : strerrorname_np(err));
	else if (err == ECONNREFUSED)
		slot_finish(p, s, REFUSED, "");
	else
		slot_finish(p, s, FAILED, strerrorname_np(err));
}

static uint8_t icmp_unreachable(int family)
{
	return family ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH;
}

/* Keys fit the smallest place they travel in: an ICMP id, an SCTP port. */
static uint16_t slot_key16(const struct prober *p, const struct slot *s)
{
	return (uint16_t)(1024 + (p->base + (uint32_t)(s - p->slots)) % (65536 - 1024));
}

static struct slot *slot_by_key16(struct prober *p, uint32_t key)
{
	uint32_t span = 65536 - 1024;
	uint32_t i = (key - 1024 + span - p->base % span) % span;

	return key >= 1024 && i < SLOTS_MAX && p->slots[i].question ? &p->slots[i] : NULL;
}

static int raw_socket(struct prober *p, int family, int protocol)
{
	struct epoll_event event = { .events = EPOLLIN,
				     .data.u64 = raw_mark(family, protocol) };
	int *fd = &p->raw[family][protocol];

	if (*fd >= 0)
		return *fd;
	*fd = socket_open(family ? AF_INET6 : AF_INET, SOCK_RAW, protocol);
	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, *fd, &event))
		error(2, errno, "epoll_ctl");
	return *fd;
}

static int slot_send(struct prober *p, struct slot *s)
{
	const struct question *q = s->question;
	int family = family_index(&q->dst), protocol;
	union address to = q->dst;
	uint8_t packet[128] = { 0 };
	size_t size;

	if (q->proto == PROBE_UDP)
		return send(s->fd, "?", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;

	address_set_port(&to, 0);
	switch (q->proto) {
	case PROBE_SCTP:
		protocol = IPPROTO_SCTP;
		size = sctp_write(packet, SCTP_INIT, slot_key16(p, s), q->port, 0, s->key, "");
		break;
	case PROBE_ICMP:
		protocol = family ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		size = 20;
		packet[0] = (uint8_t)q->port;
		put16(packet + 4, slot_key16(p, s));
		put16(packet + 6, s->key);
		if (!family)
			put16(packet + 2, internet_checksum(packet, size));
		break;
	default:
		protocol = q->port;
		size = RAW_SIZE;
		packet[0] = 'Q';
		put32(packet + 4, (uint32_t)(s - p->slots));
		put32(packet + 8, s->key);
		if (!family)
			put16(packet + 2, internet_checksum(packet, size));
	}
	return send_from(raw_socket(p, family, protocol), &q->src, &to, packet, size);
}

static void slot_start(struct prober *p, struct question *q)
{
	struct slot *s;
	struct epoll_event event = { 0 };
	int err = 0;

	while (p->slots[p->next].question)
		p->next = (p->next + 1) % SLOTS_MAX;
	s = &p->slots[p->next];
	p->next = (p->next + 1) % SLOTS_MAX;
	p->pending++;
	*s = (struct slot){ .question = q, .fd = -1, .again = p->retry,
			    .sent = now_ms(), .key = s->key + 1 + p->base % 7919 };

	if (q->proto == PROBE_TCP || q->proto == PROBE_UDP) {
		bool tcp = q->proto == PROBE_TCP;
		int on = 1;

		s->fd = socket_open(q->dst.sa.sa_family, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
		if (tcp && family_index(&q->dst))
			setsockopt(s->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
		else if (tcp)
			setsockopt(s->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		event.events = tcp ? EPOLLIN | EPOLLOUT : EPOLLIN;
		event.data.u64 = (uint64_t)(s - p->slots);
		if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, s->fd, &event))
			error(2, errno, "epoll_ctl");
		if (bind(s->fd, &q->src.sa, address_len(&q->src)) ||
		    (connect(s->fd, &q->dst.sa, address_len(&q->dst)) &&
		     errno != EINPROGRESS))
			err = -errno;
	} else {
		/* Where the errors of the other protocols arrive. */
		int family = family_index(&q->dst);

		raw_socket(p, family, family ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	}
	if (!err && q->proto != PROBE_TCP)
		err = slot_send(p, s);
	if (err)
		slot_fail(p, s, -err);
}

/* The tag ends with a newline on TCP, with the datagram on UDP. */
static void slot_event(struct prober *p, struct slot *s)
{
	struct epoll_event event = { .events = EPOLLIN,
				     .data.u64 = (uint64_t)(s - p->slots) };
	bool tcp = s->question->proto == PROBE_TCP;
	int err = 0;
	socklen_t len = sizeof(err);
	ssize_t n;

	if (tcp && !s->connected) {
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err) {
			slot_fail(p, s, err);
			return;
		}
		s->connected = true;
		epoll_ctl(p->epoll, EPOLL_CTL_MOD, s->fd, &event);
	}
	n = recv(s->fd, s->tag + s->got, sizeof(s->tag) - 1 - s->got, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		slot_fail(p, s, errno);
		return;
	}
	s->got += (size_t)n;
	s->tag[s->got] = '\0';
	if (!tcp || n == 0 || strchr(s->tag, '\n')) {
		s->tag[strcspn(s->tag, "\n")] = '\0';
		slot_finish(p, s, OPEN, *s->tag ? s->tag : "?");
	}
}

/* The slot a packet of ours, sent to DST, belongs to; NULL if it is not ours. */
static struct slot *slot_of_packet(struct prober *p, int protocol,
				   const uint8_t *data, size_t size,
				   const union address *dst)
{
	struct slot *s = NULL;
	enum probe_proto proto;

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		proto = PROBE_ICMP;
		if (size >= 8)
			s = slot_by_key16(p, get16(data + 4));
		if (s && get16(data + 6) != (s->key & 0xffff))
			s = NULL;
	} else if (protocol == IPPROTO_SCTP) {
		proto = PROBE_SCTP;
		if (size >= 4)
			s = slot_by_key16(p, get16(data));
		if (s && get16(data + 2) != s->question->port)
			s = NULL;
	} else {
		proto = PROBE_RAW;
		if (size >= 8 && get32(data + 4) < SLOTS_MAX)
			s = &p->slots[get32(data + 4)];
		if (s && (!s->question || s->question->port != protocol))
			s = NULL;
	}
	return s && s->question->proto == proto &&
	       address_equal(&s->question->dst, dst) ? s : NULL;
}

/* An ICMP error: within is the beginning of what we sent. */
static void icmp_error(struct prober *p, int family, const uint8_t *data, size_t size)
{
	const uint8_t *inner = data + 8;
	size_t header = family ? 40 : 20;
	union address dst = { 0 };
	struct slot *s;
	char text[TAG_MAX];
	int protocol;

	if (size < 8 + header)
		return;
	size -= 8;
	if (family) {
		protocol = inner[6];
		dst.v6.sin6_family = AF_INET6;
		memcpy(&dst.v6.sin6_addr, inner + 24, 16);
	} else {
		protocol = inner[9];
		header = (size_t)(inner[0] & 15) * 4;
		dst.v4.sin_family = AF_INET;
		memcpy(&dst.v4.sin_addr, inner + 16, 4);
	}
	/* These have sockets of their own, and hear of it there. */
	if (size < header || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		return;
	s = slot_of_packet(p, protocol, inner + header, size - header, &dst);
	if (!s)
		return;
	if (data[1] == (family ? ICMP6_DST_UNREACH_NOPORT : ICMP_PORT_UNREACH)) {
		slot_finish(p, s, REFUSED, "");
		return;
	}
	snprintf(text, sizeof(text), "unreachable/%u", data[1]);
	slot_finish(p, s, FAILED, text);
}

static void raw_event(struct prober *p, int family, int protocol)
{
	bool icmp = protocol == (family ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	union address from;
	uint8_t in[2048], turned[64];
	char tag[TAG_MAX];
	const uint8_t *data;
	struct slot *s;
	ssize_t n;

	while ((n = receive(p->raw[family][protocol], in, sizeof(in), &from, NULL)) >= 0) {
		size_t size = (size_t)n;

		data = raw_payload(&from, in, &size);
		if (!data || size < 8)
			continue;
		if (icmp && data[0] == icmp_unreachable(family)) {
			icmp_error(p, family, data, size);
			continue;
		}
		snprintf(tag, sizeof(tag), "icmp");
		if (icmp) {
			s = slot_of_packet(p, protocol, data, size, &from);
			/* A reply is the next type (129 of 128), but for 0 of 8. */
			if (s && data[0] != (s->question->port == ICMP_ECHO ? ICMP_ECHOREPLY
						: s->question->port + 1))
				s = NULL;
		} else if (protocol == IPPROTO_SCTP) {
			if (size < 40 || data[12] != SCTP_INIT_ACK)
				continue;
			memcpy(turned, data + 2, 2);
			memcpy(turned + 2, data, 2);
			s = slot_of_packet(p, protocol, turned, 4, &from);
			if (s && get32(data + 4) != s->key)
				s = NULL;
			snprintf(tag, sizeof(tag), "%.*s", (int)(size - 36), data + 36);
		} else {
			if (data[0] != 'R' || size < RAW_SIZE)
				continue;
			s = slot_of_packet(p, protocol, data, size, &from);
			if (s && get32(data + 8) != s->key)
				s = NULL;
			snprintf(tag, sizeof(tag), "%.*s", (int)(size - RAW_SIZE),
				 data + RAW_SIZE);
		}
		if (s)
			slot_finish(p, s, OPEN, tag);
	}
}

/*
 * Handles all that has arrived, waiting up to WAIT ms for the first of it, then
 * ends the questions whose time was over before that look. So a late run of
 * this process is never taken for a silent host.
 */
static void prober_turn(struct prober *p, int wait)
{
	double before = now_ms();
	struct epoll_event events[256];
	int n;

	while ((n = epoll_wait(p->epoll, events, ARRAY_SIZE(events), wait)) > 0) {
		for (int i = 0; i < n; i++) {
			uint64_t mark = events[i].data.u64;

			if (mark >> 32)
				raw_event(p, mark >> 8 & 1, mark & 255);
			else if (p->slots[mark].question)
				slot_event(p, &p->slots[mark]);
		}
		wait = 0;
	}
	for (size_t i = 0; i < SLOTS_MAX && p->pending; i++) {
		struct slot *s = &p->slots[i];
		int err = 0;

		if (!s->question)
			continue;
		if (before >= s->sent + p->timeout) {
			/* Accepted, but nothing said: open all the same. */
			slot_finish(p, s, s->connected ? OPEN : SILENT, s->connected ? "?" : "");
		} else if (s->again && before >= s->sent + p->timeout / 2) {
			s->again = false;
			if (s->question->proto != PROBE_TCP)
				err = slot_send(p, s);
			if (err)
				slot_fail(p, s, -err);
		}
	}
}

static struct question *read_questions(size_t *count)
{
	struct question *list = NULL;
	size_t n = 0, room = 0;
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		char proto[8], src[64], dst[64], port[16], extra;
		struct question *q;
		size_t i = 0;

		if (sscanf(line, "%7s %63s %63s %15s %c", proto, src, dst, port, &extra) != 4)
			error(2, 0, "not PROTO SRC DST PORT: %s", line);
		if (n == room) {
			room = room ? 2 * room : 256;
			list = reallocarray(list, room, sizeof(*list));
			if (!list)
				error(2, ENOMEM, "reallocarray");
		}
		q = &list[n++];
		memset(q, 0, sizeof(*q));
		while (i < ARRAY_SIZE(proto_names) && strcmp(proto, proto_names[i]))
			i++;
		if (i == ARRAY_SIZE(proto_names))
			error(2, 0, "unknown protocol: %s", proto);
		q->proto = (enum probe_proto)i;
		q->port = (uint16_t)parse_number(port, q->proto >= PROBE_ICMP ? 255 : 65535);
		address_parse(&q->src, src);
		address_parse(&q->dst, dst);
		if (q->src.sa.sa_family != q->dst.sa.sa_family)
			error(2, 0, "two families: %s", line);
		address_set_port(&q->dst, q->port);
		snprintf(q->text, sizeof(q->text), "%s %s %s %s", proto, src, dst, port);
	}
	*count = n;
	return list;
}

static struct prober *prober_new(double timeout, bool retry)
{
	struct prober *p = zalloc(1, sizeof(*p));

	raise_open_files();
	p->timeout = timeout;
	p->retry = retry;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0)
		error(2, errno, "epoll_create1");
	if (getrandom(&p->base, sizeof(p->base), 0) != sizeof(p->base))
		error(2, errno, "getrandom");
	p->base &= 0xffffff;
	memset(p->raw, -1, sizeof(p->raw));
	return p;
}

static int grid_main(int argc, char **argv)
{
	double timeout = argc > 0 ? (double)parse_number(argv[0], 60000) : 400;
	struct prober *p = prober_new(timeout, true);
	size_t count;
	struct question *questions = read_questions(&count);

	for (size_t i = 0; i < count; i++) {
		while (p->pending >= SLOTS_MAX / 2)
			prober_turn(p, 5);
		slot_start(p, &questions[i]);
		if (i % 32 == 31)
			prober_turn(p, 0);
	}
	while (p->pending)
		prober_turn(p, 5);
	for (size_t i = 0; i < count; i++) {
		static const char *const words[] = { "pending", "open ", "refused",
						     "silent", "error " };

		printf("%s %s%s\n", questions[i].text, words[questions[i].outcome],
		       questions[i].detail);
	}
	return 0;
}

static int steady_main(int argc, char **argv)
{
	double seconds, rate, start, timeout;
	struct prober *p;
	struct question *questions;
	unsigned long done = 0;
	size_t count;

	if (argc < 2)
		error(2, 0, "usage: steady SECONDS RATE [TIMEOUT_MS]");
	seconds = (double)parse_number(argv[0], 3600);
	rate = (double)parse_number(argv[1], 10000);
	timeout = argc > 2 ? (double)parse_number(argv[2], 60000) : 400;
	p = prober_new(timeout, false);
	questions = read_questions(&count);

	start = now_ms();
	while (now_ms() < start + seconds * 1e3) {
		/* Keep to the clock; what a slow machine missed is not made up for. */
		unsigned long due = (unsigned long)((now_ms() - start) * rate / 1e3);

		if (due > done) {
			done = due;
			for (size_t i = 0; i < count && p->pending < SLOTS_MAX / 2; i++)
				slot_start(p, &questions[i]);
		}
		prober_turn(p, 1);
	}
	while (p->pending)
		prober_turn(p, 5);
	for (size_t i = 0; i < count; i++) {
		const unsigned long *c = questions[i].count;

		printf("%s sent %lu open %lu refused %lu silent %lu error %lu\n",
		       questions[i].text, c[OPEN] + c[REFUSED] + c[SILENT] + c[FAILED],
		       c[OPEN], c[REFUSED], c[SILENT], c[FAILED]);
	}
	return 0;
}

/* --- hold ------------------------------------------------------------------ */

static int hold_main(int argc, char **argv)
{
	union address src, dst;
	struct timespec pause = { 0, 1000000 };
	/* An exchange that waits for TCP's second retransmission still counts as held. */
	struct timeval patience = { 5, 0 };
	double start, longest = 0;
	unsigned long exchanges = 0;
	char c;
	int fd, one = 1;

	if (argc != 4)
		error(2, 0, "usage: hold SECONDS SRC DST PORT");
	address_parse(&src, argv[1]);
	address_parse(&dst, argv[2]);
	address_set_port(&dst, (uint16_t)parse_number(argv[3], 65535));
	fd = socket(dst.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		error(2, errno, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, &src.sa, address_len(&src)) ||
	    connect(fd, &dst.sa, address_len(&dst)))
		error(1, errno, "connect");
	do {
		if (recv(fd, &c, 1, 0) != 1)
			error(1, errno, "no greeting");
	} while (c != '\n');
	start = now_ms();
	while (now_ms() < start + (double)parse_number(argv[0], 3600) * 1e3) {
		double sent = now_ms();

		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || recv(fd, &c, 1, 0) != 1)
			error(1, errno, "broke after %lu exchanges", exchanges);
		exchanges++;
		if (now_ms() - sent > longest)
			longest = now_ms() - sent;
		nanosleep(&pause, NULL);
	}
	printf("exchanges %lu longest %.0f\n", exchanges, longest);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} modes[] = {
		{ "serve", serve_main },
		{ "grid", grid_main },
		{ "steady", steady_main },
		{ "hold", hold_main },
	};

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(modes); i++)
		if (!strcmp(argv[1], modes[i].name))
			return modes[i].run(argc - 2, argv + 2);
	error(2, 0, "usage: probe serve|grid|steady|hold ...");
}
