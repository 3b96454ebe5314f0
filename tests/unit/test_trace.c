#include "texts.h"
#include "unit.h"

#include <peerwall/trace.h>

#include <stdio.h>
#include <string.h>

/* ---- a host, its rules, a packet ---- */

struct world {
	struct ruleset rules;
	struct host host;
	struct packet packet;
	struct trace trace;
};

static const char host_json[] =
	"[{\"ifname\":\"wg1\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"10.1.1.5\",\"prefixlen\":24,\"broadcast\":\"10.1.1.255\"},"
	"{\"family\":\"inet6\",\"local\":\"fd00:1::5\",\"prefixlen\":64}]},"
	"{\"ifname\":\"br0\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"172.18.0.1\",\"prefixlen\":16},"
	"{\"family\":\"inet6\",\"local\":\"fd00:18::1\",\"prefixlen\":64}]}]"
	"[{\"dst\":\"default\",\"gateway\":\"192.0.2.254\",\"dev\":\"eth0\"},{\"dst\":\"10.1.1.0/24\",\"dev\":\"wg1\"},"
	"{\"dst\":\"172.18.0.0/16\",\"dev\":\"br0\"}]"
	"[{\"dst\":\"fd00:1::/64\",\"dev\":\"wg1\"},{\"dst\":\"fd00:18::/64\",\"dev\":\"br0\"},"
	"{\"type\":\"unreachable\",\"dst\":\"fd00:bad::/64\",\"dev\":\"lo\"}]";

/* Lines "TABLE rest", each table's together; chains U and V are there to be used. */
static void write_rules(struct strbuf *out, const char *lines)
{
	for (int t = 0; t < TABLE_COUNT; t++) {
		strbuf_addf(out, "*%s\n", table_names[t]);
		for (int hook = 0; hook < HOOK_COUNT; hook++)
			if (table_has_hook((enum table_id)t, (enum hook)hook))
				strbuf_addf(out, ":%s ACCEPT [0:0]\n", hook_names[hook]);
		strbuf_adds(out, ":U - [0:0]\n:V - [0:0]\n");
		for (const char *line = lines; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
			size_t size = strlen(table_names[t]);

			if (strncmp(line, table_names[t], size) == 0 && line[size] == ' ')
				strbuf_addf(out, "%.*s\n", (int)(strcspn(line, "\n") - size - 1), line + size + 1);
		}
		strbuf_adds(out, "COMMIT\n");
	}
}

/* `host` NULL: nothing is known of it. */
static const struct trace *trace(const char *rules, const char *packet, const char *host, enum check_backend backend)
{
	struct world *world = arena_zalloc(&arena, sizeof *world);
	struct trace_input input = {.rules = &world->rules, .host = &world->host, .packet = &world->packet, .backend = backend};
	struct strbuf text = STRBUF_EMPTY;
	bool ok;

	diags_init(&diags, &arena);
	host_init(&world->host, &arena);
	ck_assert_msg(packet_parse(&world->packet, packet, &sources, &arena, &diags), "%s", packet);
	write_rules(&text, rules);
	ok = snapshot_read(&world->rules, world->packet.family, add_text("host", strbuf_keep(&text, &arena)), &arena, &diags);
	ck_assert_msg(ok, "%s: %s", rules, diags.all.len ? diags.all.data[0]->message : "");
	if (host)
		ck_assert(host_read(&world->host, add_text("ip", host), &diags));
	host_infer(&world->host, &world->rules);
	trace_run(&world->trace, &input, &arena);
	return &world->trace;
}

static enum fate fate_of(const char *rules, const char *packet, const char *host, enum check_backend backend)
{
	return trace_fate(trace(rules, packet, host, backend));
}

struct trial {
	const char *rules, *packet;
	enum fate fate;
};

static void run_trials(const struct trial *trials, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum fate fate = fate_of(trials[i].rules, trials[i].packet, host_json, CHECK_BACKEND_NFT);

		ck_assert_msg(fate == trials[i].fate, "%s: %s: fate %d, not %d", trials[i].rules, trials[i].packet, (int)fate,
			      (int)trials[i].fate);
	}
}

#define RUN(trials) run_trials(trials, sizeof(trials) / sizeof *(trials))
#define ACCEPTED FATE_ACCEPTED
#define DROPPED FATE_DROPPED
#define OPEN FATE_UNDECIDED

/* Packets: of a peer, to the host and to a container behind it. */
#define PEER "wg1 10.1.1.4 > "
#define PEER6 "wg1 fd00:1::4 > "
#define HERE PEER "10.1.1.5 "
#define HERE6 PEER6 "fd00:1::5 "
#define THERE PEER "172.18.0.2 "
#define SSH HERE "tcp 22"
#define SSH6 HERE6 "tcp 22"
#define SSH_THERE THERE "tcp 22"

/* Rules, in the order in which packets come to them. */
#define RAW(rule) "raw -A PREROUTING " rule "\n"
#define MANGLE(rule) "mangle -A PREROUTING " rule "\n"
#define MARK(bits) MANGLE("-j MARK --set-xmark " bits)
#define CONNMARK(change) MANGLE("-j CONNMARK " change)
#define NAT(rule) "nat -A PREROUTING " rule "\n"
#define DNAT(to) NAT("-j DNAT --to-destination " to)
#define DNAT_TCP(to) NAT("-p tcp -j DNAT --to-destination " to)
#define INPUT(rule) "filter -A INPUT " rule "\n"
#define IN_U(rule) "filter -A U " rule "\n"
#define IN_V(rule) "filter -A V " rule "\n"

/* What matches is dropped, so that the fate tells whether it did. */
#define IF(matches) INPUT(matches " -j DROP")
#define IF_FORWARDED(matches) "filter -A FORWARD " matches " -j DROP\n"

START_TEST(matches_are_the_kernels)
{
	static const struct trial trials[] = {
		{IF("-s 10.1.1.0/24"), SSH, DROPPED},
		{IF("! -s 10.1.1.0/24"), SSH, ACCEPTED},
		{IF("-s 10.0.1.4/255.0.255.255"), SSH, DROPPED},
		{IF("-d 10.1.1.6"), SSH, ACCEPTED},
		{IF("-i wg+"), SSH, DROPPED},
		{IF("! -i wg1"), SSH, ACCEPTED},
		{IF("-i wg"), SSH, ACCEPTED},
		{IF("-p udp"), SSH, ACCEPTED},
		{IF("! -p udp"), SSH, DROPPED},
		{IF("-f"), SSH, ACCEPTED},
		{IF("! -f"), SSH, DROPPED},
		{IF("-p tcp -m tcp --dport 20:30"), SSH, DROPPED},
		{IF("-p tcp -m tcp ! --dport 22"), SSH, ACCEPTED},
		{IF("-p tcp -m tcp --sport 1024:65535"), SSH, OPEN},
		{IF("-p tcp -m tcp --sport 1024:65535"), SSH " from 2000", DROPPED},
		{IF("-p tcp -m tcp --sport 0:65535"), SSH, DROPPED},
		/* What iptables-nft 1.8.9 loads for it asks for less. */
		{IF("-p tcp -m tcp ! --sport 9 ! --dport 22"), SSH " from 2000", OPEN},
		{IF("-p tcp -m tcp ! --sport 9 ! --dport 23"), SSH " from 2000", DROPPED},
		{IF("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN"), SSH, DROPPED},
		{IF("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN"), SSH " flags ACK", DROPPED},
		{IF("-p tcp -m tcp --tcp-flags SYN SYN"), SSH " state established", OPEN},
		{IF("-p tcp -m multiport --dports 21,22:25"), SSH, DROPPED},
		{IF("-p tcp -m multiport ! --dports 21,22:25"), SSH, ACCEPTED},
		{IF("-p tcp -m multiport --ports 99"), SSH " from 99", DROPPED},
		{IF("-p tcp -m multiport --ports 99"), SSH, OPEN},
		{IF("-p icmp -m icmp --icmp-type 8"), HERE "icmp ping", DROPPED},
		{IF("-p icmp -m icmp --icmp-type 3/1"), HERE "icmp 3/2", ACCEPTED},
		{IF("-p icmp -m icmp --icmp-type any"), HERE "icmp 3/2", DROPPED},
		{IF("-p ipv6-icmp -m icmp6 --icmpv6-type 128"), HERE6 "icmp ping", DROPPED},
		{IF("-m iprange --src-range 10.1.1.1-10.1.1.4"), SSH, DROPPED},
		{IF("-m iprange ! --dst-range 10.1.1.1-10.1.1.4"), SSH, DROPPED},
		{IF("-m ttl --ttl-eq 64"), SSH, OPEN},
		{IF("-m ttl --ttl-gt 63"), SSH " ttl 64", DROPPED},
		{IF("-m hl --hl-eq 255"), SSH6 " ttl 64", ACCEPTED},
		{IF("-m length --length 100:200"), SSH " length 60", ACCEPTED},
		{IF("-m mac --mac-source 00:11:22:33:44:55"), SSH, OPEN},
		{IF("-m comment --comment hello"), SSH, DROPPED},
	};

	RUN(trials);
}
END_TEST

START_TEST(conntrack_is_the_kernels)
{
	static const struct trial trials[] = {
		{RAW("-j CT --zone 7") RAW("-j CT --notrack") MANGLE("-m state --state NEW -j DROP"), SSH, DROPPED},
		{RAW("-j CT --zone 7") RAW("-m state --state NEW -j DROP"), SSH, DROPPED},
		{RAW("-j CT --zone 7") RAW("-m conntrack --ctorigdst 10.1.1.5 -j DROP"), SSH, OPEN},
		{RAW("-m conntrack --ctorigdst 10.1.1.5 -j DROP"), SSH, ACCEPTED},
		{IF("-m conntrack --ctstate NEW"), SSH, DROPPED},
		{IF("-m conntrack --ctstate NEW"), SSH " flags ACK", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), SSH " flags SYN,ACK", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), SSH " flags RST", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), SSH " flags FIN,ACK", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), HERE "icmp 3/1", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), HERE "icmp 0", DROPPED},
		{IF("-m conntrack --ctstate UNTRACKED"), HERE6 "icmp 135", DROPPED},
		{IF("-m conntrack --ctstate RELATED,ESTABLISHED"), SSH " state established", DROPPED},
		{IF("-m conntrack ! --ctstate NEW"), SSH, ACCEPTED},
		{IF("-m state --state RELATED"), SSH " state related", DROPPED},
		{RAW("-j CT --notrack") IF("-m conntrack --ctstate UNTRACKED"), SSH, DROPPED},
		{RAW("-m conntrack --ctstate INVALID -j DROP"), SSH, DROPPED},
		{IF("-m conntrack --ctorigdst 10.1.1.5 --ctorigdstport 22 --ctdir ORIGINAL"), SSH, DROPPED},
		{IF("-m conntrack --ctdir REPLY"), SSH, ACCEPTED},
		/* Without a connection, only the state counts, and there must be one asked for. */
		{IF("-m conntrack --ctorigdstport 22"), SSH " state invalid", ACCEPTED},
		{IF("-m conntrack --ctstate INVALID --ctorigdstport 99"), SSH " state invalid", DROPPED},
		/* For ICMP, the tuple's port is type and code. */
		{IF("-m conntrack --ctorigdstport 2048"), HERE "icmp 8", DROPPED},
		{IF("-m conntrack --ctstatus CONFIRMED"), SSH, ACCEPTED},
		{IF("-m conntrack --ctstatus ASSURED"), SSH " state established", OPEN},
		{IF("-m connmark --mark 0"), SSH, DROPPED},
		{IF("-m connmark --mark 0"), SSH " state untracked", ACCEPTED},
		{IF("-m connmark ! --mark 1"), SSH " state untracked", ACCEPTED},
		{IF("-m connmark --mark 1"), SSH " state established", OPEN},
	};

	RUN(trials);
}
END_TEST

/* In IPv6 MULTICAST, UNICAST and UNSPEC are conditions of their own, whatever else is in the set. */
START_TEST(addrtype_is_the_kernels_in_each_family)
{
	static const struct trial trials[] = {
		{IF("-m addrtype --dst-type LOCAL"), SSH, DROPPED},
		{IF("-m addrtype --dst-type LOCAL,MULTICAST"), SSH, DROPPED},
		{IF("-m addrtype ! --dst-type LOCAL"), SSH, ACCEPTED},
		{IF("-m addrtype --dst-type BROADCAST"), PEER "10.1.1.255 udp 22", DROPPED},
		{IF("-m addrtype --dst-type MULTICAST"), PEER "224.0.0.1 udp 22", DROPPED},
		{IF("-m addrtype --src-type LOCAL"), SSH, ACCEPTED},
		{IF("-m addrtype --src-type UNICAST"), SSH, DROPPED},
		{IF("-m addrtype --dst-type LOCAL --limit-iface-in"), PEER "172.18.0.1 tcp 22", ACCEPTED},
		{IF("-m addrtype --dst-type LOCAL"), SSH6, DROPPED},
		{IF("-m addrtype --dst-type LOCAL,MULTICAST"), SSH6, ACCEPTED},
		{IF("-m addrtype ! --dst-type LOCAL,MULTICAST"), SSH6, DROPPED},
		{IF("-m addrtype --dst-type LOCAL,UNICAST"), SSH6, DROPPED},
		{IF("-m addrtype --dst-type UNICAST"), PEER6 "ff02::1 udp 22", ACCEPTED},
		{IF("-m addrtype --dst-type LOCAL,ANYCAST"), PEER6 "fd00:1:: udp 22", DROPPED},
		/* Which address of the interface that is, kernels differ in. */
		{NAT("-j REDIRECT") IF("-m addrtype --dst-type LOCAL --limit-iface-in"), PEER6 "ff02::1 udp 22", OPEN},
		{NAT("-j REDIRECT") IF("-m addrtype --dst-type UNICAST"), PEER6 "ff02::1 udp 22", DROPPED},
		{IF("-m addrtype --dst-type LOCAL,ANYCAST --limit-iface-in"), PEER6 "fd00:18::1 udp 22", OPEN},
		{MANGLE("-m addrtype ! --dst-type UNREACHABLE -j DROP"), PEER6 "fd00:18::2 tcp 22", DROPPED},
		{MANGLE("-m addrtype --dst-type UNREACHABLE -j ACCEPT"), PEER6 "fd00:bad::2 tcp 22", DROPPED},
	};

	RUN(trials);
}
END_TEST

START_TEST(chains_are_the_kernels)
{
	static const struct trial trials[] = {
		{INPUT("-j U") INPUT("-j DROP") IN_U("-j RETURN"), SSH, DROPPED},
		{INPUT("-j U") INPUT("-j DROP") IN_U("-j ACCEPT"), SSH, ACCEPTED},
		/* goto comes back to the caller's caller: behind the jump, or to the policy. */
		{INPUT("-g U") INPUT("-j DROP"), SSH, ACCEPTED},
		{INPUT("-j U") INPUT("-j DROP") IN_U("-g V") IN_U("-j ACCEPT"), SSH, DROPPED},
		{INPUT("-j RETURN") INPUT("-j DROP"), SSH, ACCEPTED},
		{INPUT("") INPUT("-j LOG") INPUT("-j DROP"), SSH, DROPPED},
		{"filter -P INPUT DROP", SSH, DROPPED},
		{"filter -P FORWARD DROP", SSH, ACCEPTED},
		{"filter -P FORWARD DROP", SSH_THERE, DROPPED},
		{"mangle -P POSTROUTING DROP", SSH_THERE, DROPPED},
		/* An ACCEPT is one table's opinion. */
		{"mangle -A INPUT -j ACCEPT\nsecurity -A INPUT -j DROP", SSH, DROPPED},
		{INPUT("-p tcp -j REJECT --reject-with tcp-reset"), SSH, FATE_REJECTED},
		{INPUT("-m limit --limit 1/sec -j LOG") INPUT("-j DROP"), SSH, DROPPED},
		{INPUT("-m limit --limit 1/sec -j ACCEPT") INPUT("-j DROP"), SSH, OPEN},
		{IF("-m set --match-set bad src"), SSH, OPEN},
		{IF("-m statistic --mode random --probability 0.5") INPUT("-j DROP"), SSH, DROPPED},
		{INPUT("-m limit --limit 1/sec -j REJECT") INPUT("-j DROP"), SSH, DROPPED},
		{INPUT("-m unheardof --of it -j ACCEPT") INPUT("-j DROP"), SSH, OPEN},
		{INPUT("-j UNHEARDOF"), SSH, OPEN},
		{INPUT("-j NFQUEUE --queue-num 1"), SSH, OPEN},
	};

	RUN(trials);
}
END_TEST

START_TEST(marks_are_the_kernels)
{
	static const struct trial trials[] = {
		{MARK("0x3/0x3") IF("-m mark --mark 0x1/0x1"), SSH, DROPPED},
		{MARK("0x3/0x3") MARK("0x1/0x0") IF("-m mark --mark 0x2"), SSH, DROPPED},
		{IF("-m mark ! --mark 0x1"), SSH, DROPPED},
		{IF("-m mark --mark 0x5/0x1"), SSH, ACCEPTED},
		{CONNMARK("--set-xmark 0x7/0xffffffff") CONNMARK("--restore-mark --nfmask 0xf --ctmask 0x3")
		 IF("-m mark --mark 0x3"), SSH, DROPPED},
		{MARK("0x9/0xffffffff") CONNMARK("--save-mark --nfmask 0xffffffff --ctmask 0xffffffff")
		 IF("-m connmark --mark 0x9"), SSH, DROPPED},
		{CONNMARK("--restore-mark --nfmask 0xffffffff --ctmask 0xffffffff") IF("-m mark --mark 0x0"), SSH, DROPPED},
		{CONNMARK("--restore-mark --nfmask 0xf --ctmask 0xf") IF("-m mark --mark 0x10/0xf0"),
		 SSH " state established", ACCEPTED},
		{CONNMARK("--restore-mark --nfmask 0xf --ctmask 0xf") IF("-m mark --mark 0x1/0xf"),
		 SSH " state established", OPEN},
		{RAW("-j NOTRACK") CONNMARK("--set-xmark 0x7/0xffffffff") IF("-m connmark --mark 0x7"), SSH, ACCEPTED},
		{MANGLE("-j TTL --ttl-set 9") IF("-m ttl --ttl-eq 9"), SSH, DROPPED},
	};

	RUN(trials);
}
END_TEST

START_TEST(translation_is_the_kernels)
{
	static const struct trial trials[] = {
		{DNAT_TCP("172.18.0.2:80") IF_FORWARDED("-d 172.18.0.2 -o br0 -p tcp -m tcp --dport 80"), SSH, DROPPED},
		{DNAT_TCP("172.18.0.2:80")
		 IF_FORWARDED("-m conntrack --ctstate DNAT --ctorigdst 10.1.1.5 --ctorigdstport 22 --ctreplsrc 172.18.0.2"),
		 SSH, DROPPED},
		/* Only new connections are translated. */
		{DNAT_TCP("172.18.0.2:80") IF_FORWARDED(""), SSH " state established", ACCEPTED},
		{DNAT_TCP("172.18.0.2:80") IF_FORWARDED(""), SSH " flags RST", ACCEPTED},
		{RAW("-j CT --notrack") DNAT("172.18.0.2") IF_FORWARDED(""), SSH, ACCEPTED},
		/* To itself is no translation. */
		{DNAT("10.1.1.5") IF("-m conntrack --ctstate DNAT"), SSH, ACCEPTED},
		{NAT("-p tcp -j REDIRECT --to-ports 99") IF("-d 10.1.1.5 -p tcp -m tcp --dport 99"), SSH_THERE, DROPPED},
		{NAT("-j REDIRECT"), "eth0 10.1.1.4 > 172.18.0.2 tcp 22", DROPPED},
		/* One of these addresses is the host's, the others are behind br0. */
		{DNAT("172.18.0.1-172.18.0.9") IF_FORWARDED(""), SSH, OPEN},
		{DNAT("172.18.0.2-172.18.0.9") IF_FORWARDED(""), SSH, DROPPED},
		{NAT("-j NETMAP --to 172.18.0.0/24") IF_FORWARDED("-d 172.18.0.5"), SSH, DROPPED},
		{DNAT_TCP("172.18.0.2:80-90") IF_FORWARDED("-p tcp -m tcp --dport 85"), SSH, OPEN},
		{DNAT_TCP("172.18.0.2:80-90") IF_FORWARDED("-p tcp -m tcp --dport 85"), HERE "tcp 85", DROPPED},
		{DNAT_TCP("172.18.0.2:80-90/20") IF_FORWARDED("-p tcp -m tcp --dport 82"), SSH, DROPPED},
		{DNAT("172.18.0.2-172.18.0.9") IF_FORWARDED("-d 172.18.0.4"), SSH, OPEN},
		{DNAT("172.18.0.2-172.18.0.9") IF_FORWARDED("-d 172.18.0.0/24"), SSH, DROPPED},
		{DNAT("127.0.0.1"), SSH, OPEN},
		{"nat -A POSTROUTING -j MASQUERADE", SSH_THERE, ACCEPTED},
	};

	RUN(trials);
}
END_TEST

START_TEST(routes_decide)
{
	static const struct trial trials[] = {
		{IF_FORWARDED("-o br0"), SSH_THERE, DROPPED},
		{IF_FORWARDED("-o eth0"), PEER "198.51.100.1 tcp 22", DROPPED},
		{IF_FORWARDED("-o wg1"), PEER "10.1.1.8 tcp 22", DROPPED},
		{IF_FORWARDED("-o tun9"), PEER "10.1.1.8 tcp 22 via tun9", DROPPED},
		{INPUT("-j DROP"), PEER "10.1.1.8 tcp 22 local", DROPPED},
		{"", PEER6 "fd00:bad::1 tcp 22", DROPPED},
		{"", PEER6 "2001:db8::1 tcp 22", DROPPED},
		{"", "wg1 fe80::4 > fd00:18::2 tcp 22", DROPPED},
		{"", PEER6 "::1 tcp 22", DROPPED},
		{"", PEER "127.0.0.1 tcp 22", OPEN},
		{"", SSH_THERE " ttl 1", DROPPED},
		{IF_FORWARDED("-m ttl --ttl-eq 1"), SSH_THERE " ttl 2", DROPPED},
	};

	RUN(trials);
}
END_TEST

/* A route by hand to a network where the host has no address makes it no router of that. */
START_TEST(the_local_table_says_what_is_anycast)
{
	static const char table[] = "[{\"ifname\":\"wg1\",\"addr_info\":[{\"family\":\"inet6\",\"local\":\"fd00:1::5\",\"prefixlen\":64}]}]"
				    "[{\"dst\":\"fd00:1::/64\",\"dev\":\"wg1\"},{\"dst\":\"fd00:9::/64\",\"dev\":\"br0\"},"
				    "{\"type\":\"local\",\"dst\":\"::1\",\"dev\":\"lo\"},"
				    "{\"type\":\"anycast\",\"dst\":\"fd00:1::\",\"dev\":\"wg1\"},"
				    "{\"type\":\"local\",\"dst\":\"fd00:1::5\",\"dev\":\"wg1\"}]";

	ck_assert_int_eq(fate_of(IF(""), PEER6 "fd00:1:: udp 53", table, CHECK_BACKEND_NFT), FATE_DROPPED);
	ck_assert_int_eq(fate_of(IF(""), PEER6 "fd00:9:: udp 53", table, CHECK_BACKEND_NFT), FATE_ACCEPTED);
}
END_TEST

/* iptables-nft hooks security behind nat at INPUT. */
START_TEST(backends_differ_at_input)
{
	static const char rules[] = "nat -A INPUT -j SNAT --to-source 172.18.0.1\nsecurity -A INPUT -s 172.18.0.1 -j DROP";

	ck_assert_int_eq(fate_of(rules, SSH, host_json, CHECK_BACKEND_NFT), FATE_DROPPED);
	ck_assert_int_eq(fate_of(rules, SSH, host_json, CHECK_BACKEND_LEGACY), FATE_ACCEPTED);
	ck_assert_int_eq(trace(rules, SSH, host_json, CHECK_BACKEND_UNKNOWN)->assumptions.len, 1);
}
END_TEST

START_TEST(without_a_host_it_says_what_it_assumes)
{
	const struct trace *found = trace("", SSH, NULL, CHECK_BACKEND_NFT);

	ck_assert_int_eq(trace_fate(found), FATE_ACCEPTED);
	ck_assert_int_eq(found->assumptions.len, 1);
	ck_assert_str_eq(found->assumptions.data[0], "10.1.1.5 is an address of this host");
	found = trace("nat -A POSTROUTING -s 172.18.0.0/16 ! -o br7 -j MASQUERADE\n" IF_FORWARDED("-o br7"), SSH_THERE, NULL,
		      CHECK_BACKEND_NFT);
	ck_assert_int_eq(trace_fate(found), FATE_DROPPED);
	ck_assert_str_eq(found->assumptions.data[0], "172.18.0.2 is an address behind br7, not one of this host");
	/* An interface that nobody knows may be any. */
	found = trace(DNAT("192.0.2.7") IF_FORWARDED("-o br7"), SSH, NULL, CHECK_BACKEND_NFT);
	ck_assert_int_eq(trace_fate(found), FATE_UNDECIDED);
	ck_assert_int_eq(found->paths.len, 2);
}
END_TEST

START_TEST(paths_are_bounded)
{
	struct strbuf rules = STRBUF_EMPTY;
	const struct trace *found;

	for (int i = 0; i < 40; i++)
		strbuf_addf(&rules, "mangle -A INPUT -m limit --limit %d/sec -j MARK --set-xmark 0x1/0x1\n", i + 1);
	found = trace(strbuf_keep(&rules, &arena), SSH, host_json, CHECK_BACKEND_NFT);
	ck_assert(found->truncated);
	ck_assert_int_eq(found->paths.len, TRACE_PATHS_MAX);
	ck_assert_int_eq(trace_fate(found), FATE_UNDECIDED);
}
END_TEST

/* The kernel refuses such rules; a file may hold them. */
START_TEST(circles_end)
{
	static const struct trial trials[] = {
		{INPUT("-j U") IN_U("-j V") IN_V("-j U"), SSH, OPEN},
		{INPUT("-j U") IN_U("-g V") IN_V("-g U"), SSH, OPEN},
	};

	RUN(trials);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("trace");
	TCase *tcase = tcase_create("trace");

	tcase_add_checked_fixture(tcase, texts_setup, texts_teardown);
	tcase_add_test(tcase, matches_are_the_kernels);
	tcase_add_test(tcase, conntrack_is_the_kernels);
	tcase_add_test(tcase, addrtype_is_the_kernels_in_each_family);
	tcase_add_test(tcase, chains_are_the_kernels);
	tcase_add_test(tcase, marks_are_the_kernels);
	tcase_add_test(tcase, translation_is_the_kernels);
	tcase_add_test(tcase, routes_decide);
	tcase_add_test(tcase, the_local_table_says_what_is_anycast);
	tcase_add_test(tcase, backends_differ_at_input);
	tcase_add_test(tcase, without_a_host_it_says_what_it_assumes);
	tcase_add_test(tcase, paths_are_bounded);
	tcase_add_test(tcase, circles_end);
	suite_add_tcase(suite, tcase);
	return suite;
}
