#include "unit.h"

#include <peerwall/snapshot.h>
#include <peerwall/strbuf.h>
#include <peerwall/trace.h>

#include <stdio.h>
#include <string.h>

/* ---- a host, its rules, a packet ---- */

struct fixture {
	struct arena arena;
	struct sources sources;
	struct diags diags;
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

static void trace(struct fixture *fixture, const char *rules, const char *packet, const char *host, enum check_backend backend)
{
	struct trace_input input = {.rules = &fixture->rules, .host = &fixture->host, .packet = &fixture->packet, .backend = backend};
	struct strbuf text = STRBUF_EMPTY;
	struct arena *arena = &fixture->arena;
	bool ok;

	*fixture = (struct fixture){.arena = ARENA_EMPTY};
	sources_init(&fixture->sources, arena);
	diags_init(&fixture->diags, arena);
	host_init(&fixture->host, arena);
	ck_assert_msg(packet_parse(&fixture->packet, packet, &fixture->sources, arena, &fixture->diags), "%s", packet);
	write_rules(&text, rules);
	ok = snapshot_read(&fixture->rules, fixture->packet.family, sources_add(&fixture->sources, "host", text.data, text.len), arena,
			   &fixture->diags);
	ck_assert_msg(ok, "%s: %s", rules, fixture->diags.all.len ? fixture->diags.all.data[0]->message : "");
	strbuf_free(&text);
	if (host)
		ck_assert(host_read(&fixture->host, sources_add(&fixture->sources, "ip", host, strlen(host)), &fixture->diags));
	host_infer(&fixture->host, &fixture->rules);
	trace_run(&fixture->trace, &input, arena);
}

struct trial {
	const char *rules, *packet;
	enum fate fate;
};

static void run_trials(const struct trial *trials, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct fixture fixture;

		trace(&fixture, trials[i].rules, trials[i].packet, host_json, CHECK_BACKEND_NFT);
		ck_assert_msg(trace_fate(&fixture.trace) == trials[i].fate, "%s: %s: fate %d, not %d", trials[i].rules, trials[i].packet,
			      (int)trace_fate(&fixture.trace), (int)trials[i].fate);
		arena_free(&fixture.arena);
	}
}

#define RUN(trials) run_trials(trials, sizeof(trials) / sizeof *(trials))
#define HERE "wg1 10.1.1.4 > 10.1.1.5 "
#define HERE6 "wg1 fd00:1::4 > fd00:1::5 "
#define THERE "wg1 10.1.1.4 > 172.18.0.2 "
#define ACCEPTED FATE_ACCEPTED
#define DROPPED FATE_DROPPED
#define OPEN FATE_UNDECIDED

/* What matches is dropped, so that the fate tells whether it did. */
#define IF(matches) "filter -A INPUT " matches " -j DROP"

START_TEST(matches_are_the_kernels)
{
	static const struct trial trials[] = {
		{IF("-s 10.1.1.0/24"), HERE "tcp 22", DROPPED},
		{IF("! -s 10.1.1.0/24"), HERE "tcp 22", ACCEPTED},
		{IF("-s 10.0.1.4/255.0.255.255"), HERE "tcp 22", DROPPED},
		{IF("-d 10.1.1.6"), HERE "tcp 22", ACCEPTED},
		{IF("-i wg+"), HERE "tcp 22", DROPPED},
		{IF("! -i wg1"), HERE "tcp 22", ACCEPTED},
		{IF("-i wg"), HERE "tcp 22", ACCEPTED},
		{IF("-p udp"), HERE "tcp 22", ACCEPTED},
		{IF("! -p udp"), HERE "tcp 22", DROPPED},
		{IF("-f"), HERE "tcp 22", ACCEPTED},
		{IF("! -f"), HERE "tcp 22", DROPPED},
		{IF("-p tcp -m tcp --dport 20:30"), HERE "tcp 22", DROPPED},
		{IF("-p tcp -m tcp ! --dport 22"), HERE "tcp 22", ACCEPTED},
		{IF("-p tcp -m tcp --sport 1024:65535"), HERE "tcp 22", OPEN},
		{IF("-p tcp -m tcp --sport 1024:65535"), HERE "tcp 22 from 2000", DROPPED},
		{IF("-p tcp -m tcp --sport 0:65535"), HERE "tcp 22", DROPPED},
		/* What iptables-nft 1.8.9 loads for it asks for less. */
		{IF("-p tcp -m tcp ! --sport 9 ! --dport 22"), HERE "tcp 22 from 2000", OPEN},
		{IF("-p tcp -m tcp ! --sport 9 ! --dport 23"), HERE "tcp 22 from 2000", DROPPED},
		{IF("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN"), HERE "tcp 22", DROPPED},
		{IF("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN"), HERE "tcp 22 flags ACK", DROPPED},
		{IF("-p tcp -m tcp --tcp-flags SYN SYN"), HERE "tcp 22 state established", OPEN},
		{IF("-p tcp -m multiport --dports 21,22:25"), HERE "tcp 22", DROPPED},
		{IF("-p tcp -m multiport ! --dports 21,22:25"), HERE "tcp 22", ACCEPTED},
		{IF("-p tcp -m multiport --ports 99"), HERE "tcp 22 from 99", DROPPED},
		{IF("-p tcp -m multiport --ports 99"), HERE "tcp 22", OPEN},
		{IF("-p icmp -m icmp --icmp-type 8"), HERE "icmp ping", DROPPED},
		{IF("-p icmp -m icmp --icmp-type 3/1"), HERE "icmp 3/2", ACCEPTED},
		{IF("-p icmp -m icmp --icmp-type any"), HERE "icmp 3/2", DROPPED},
		{IF("-p ipv6-icmp -m icmp6 --icmpv6-type 128"), HERE6 "icmp ping", DROPPED},
		{IF("-m iprange --src-range 10.1.1.1-10.1.1.4"), HERE "tcp 22", DROPPED},
		{IF("-m iprange ! --dst-range 10.1.1.1-10.1.1.4"), HERE "tcp 22", DROPPED},
		{IF("-m ttl --ttl-eq 64"), HERE "tcp 22", OPEN},
		{IF("-m ttl --ttl-gt 63"), HERE "tcp 22 ttl 64", DROPPED},
		{IF("-m hl --hl-eq 255"), HERE6 "tcp 22 ttl 64", ACCEPTED},
		{IF("-m length --length 100:200"), HERE "tcp 22 length 60", ACCEPTED},
		{IF("-m mac --mac-source 00:11:22:33:44:55"), HERE "tcp 22", OPEN},
		{IF("-m comment --comment hello"), HERE "tcp 22", DROPPED},
	};

	RUN(trials);
}
END_TEST

START_TEST(conntrack_is_the_kernels)
{
	static const struct trial trials[] = {
		{"raw -A PREROUTING -j CT --zone 7\nraw -A PREROUTING -j CT --notrack\nmangle -A PREROUTING -m state --state NEW -j DROP",
		 HERE "tcp 22", DROPPED},
		{"raw -A PREROUTING -j CT --zone 7\nraw -A PREROUTING -m state --state NEW -j DROP", HERE "tcp 22", DROPPED},
		{"raw -A PREROUTING -j CT --zone 7\nraw -A PREROUTING -m conntrack --ctorigdst 10.1.1.5 -j DROP", HERE "tcp 22", OPEN},
		{"raw -A PREROUTING -m conntrack --ctorigdst 10.1.1.5 -j DROP", HERE "tcp 22", ACCEPTED},
		{IF("-m conntrack --ctstate NEW"), HERE "tcp 22", DROPPED},
		{IF("-m conntrack --ctstate NEW"), HERE "tcp 22 flags ACK", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), HERE "tcp 22 flags SYN,ACK", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), HERE "tcp 22 flags RST", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), HERE "tcp 22 flags FIN,ACK", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), HERE "icmp 3/1", DROPPED},
		{IF("-m conntrack --ctstate INVALID"), HERE "icmp 0", DROPPED},
		{IF("-m conntrack --ctstate UNTRACKED"), HERE6 "icmp 135", DROPPED},
		{IF("-m conntrack --ctstate RELATED,ESTABLISHED"), HERE "tcp 22 state established", DROPPED},
		{IF("-m conntrack ! --ctstate NEW"), HERE "tcp 22", ACCEPTED},
		{IF("-m state --state RELATED"), HERE "tcp 22 state related", DROPPED},
		{"raw -A PREROUTING -j CT --notrack\n" IF("-m conntrack --ctstate UNTRACKED"), HERE "tcp 22", DROPPED},
		{"raw -A PREROUTING -m conntrack --ctstate INVALID -j DROP", HERE "tcp 22", DROPPED},
		{IF("-m conntrack --ctorigdst 10.1.1.5 --ctorigdstport 22 --ctdir ORIGINAL"), HERE "tcp 22", DROPPED},
		{IF("-m conntrack --ctdir REPLY"), HERE "tcp 22", ACCEPTED},
		/* Without a connection, only the state counts, and there must be one asked for. */
		{IF("-m conntrack --ctorigdstport 22"), HERE "tcp 22 state invalid", ACCEPTED},
		{IF("-m conntrack --ctstate INVALID --ctorigdstport 99"), HERE "tcp 22 state invalid", DROPPED},
		/* For ICMP, the tuple's port is type and code. */
		{IF("-m conntrack --ctorigdstport 2048"), HERE "icmp 8", DROPPED},
		{IF("-m conntrack --ctstatus CONFIRMED"), HERE "tcp 22", ACCEPTED},
		{IF("-m conntrack --ctstatus ASSURED"), HERE "tcp 22 state established", OPEN},
		{IF("-m connmark --mark 0"), HERE "tcp 22", DROPPED},
		{IF("-m connmark --mark 0"), HERE "tcp 22 state untracked", ACCEPTED},
		{IF("-m connmark ! --mark 1"), HERE "tcp 22 state untracked", ACCEPTED},
		{IF("-m connmark --mark 1"), HERE "tcp 22 state established", OPEN},
	};

	RUN(trials);
}
END_TEST

/* In IPv6 MULTICAST, UNICAST and UNSPEC are conditions of their own, whatever else is in the set. */
START_TEST(addrtype_is_the_kernels_in_each_family)
{
	static const struct trial trials[] = {
		{IF("-m addrtype --dst-type LOCAL"), HERE "tcp 22", DROPPED},
		{IF("-m addrtype --dst-type LOCAL,MULTICAST"), HERE "tcp 22", DROPPED},
		{IF("-m addrtype ! --dst-type LOCAL"), HERE "tcp 22", ACCEPTED},
		{IF("-m addrtype --dst-type BROADCAST"), "wg1 10.1.1.4 > 10.1.1.255 udp 22", DROPPED},
		{IF("-m addrtype --dst-type MULTICAST"), "wg1 10.1.1.4 > 224.0.0.1 udp 22", DROPPED},
		{IF("-m addrtype --src-type LOCAL"), HERE "tcp 22", ACCEPTED},
		{IF("-m addrtype --src-type UNICAST"), HERE "tcp 22", DROPPED},
		{IF("-m addrtype --dst-type LOCAL --limit-iface-in"), "wg1 10.1.1.4 > 172.18.0.1 tcp 22", ACCEPTED},
		{IF("-m addrtype --dst-type LOCAL"), HERE6 "tcp 22", DROPPED},
		{IF("-m addrtype --dst-type LOCAL,MULTICAST"), HERE6 "tcp 22", ACCEPTED},
		{IF("-m addrtype ! --dst-type LOCAL,MULTICAST"), HERE6 "tcp 22", DROPPED},
		{IF("-m addrtype --dst-type LOCAL,UNICAST"), HERE6 "tcp 22", DROPPED},
		{IF("-m addrtype --dst-type UNICAST"), "wg1 fd00:1::4 > ff02::1 udp 22", ACCEPTED},
		{IF("-m addrtype --dst-type LOCAL,ANYCAST"), "wg1 fd00:1::4 > fd00:1:: udp 22", DROPPED},
		/* Which address of the interface that is, kernels differ in. */
		{"nat -A PREROUTING -j REDIRECT\n" IF("-m addrtype --dst-type LOCAL --limit-iface-in"), "wg1 fd00:1::4 > ff02::1 udp 22", OPEN},
		{"nat -A PREROUTING -j REDIRECT\n" IF("-m addrtype --dst-type UNICAST"), "wg1 fd00:1::4 > ff02::1 udp 22", DROPPED},
		{IF("-m addrtype --dst-type LOCAL,ANYCAST --limit-iface-in"), "wg1 fd00:1::4 > fd00:18::1 udp 22", OPEN},
		{"mangle -A PREROUTING -m addrtype ! --dst-type UNREACHABLE -j DROP", "wg1 fd00:1::4 > fd00:18::2 tcp 22", DROPPED},
		{"mangle -A PREROUTING -m addrtype --dst-type UNREACHABLE -j ACCEPT", "wg1 fd00:1::4 > fd00:bad::2 tcp 22", DROPPED},
	};

	RUN(trials);
}
END_TEST

START_TEST(chains_are_the_kernels)
{
	static const struct trial trials[] = {
		{"filter -A INPUT -j U\nfilter -A INPUT -j DROP\nfilter -A U -j RETURN", HERE "tcp 22", DROPPED},
		{"filter -A INPUT -j U\nfilter -A INPUT -j DROP\nfilter -A U -j ACCEPT", HERE "tcp 22", ACCEPTED},
		/* goto comes back to the caller's caller: behind the jump, or to the policy. */
		{"filter -A INPUT -g U\nfilter -A INPUT -j DROP", HERE "tcp 22", ACCEPTED},
		{"filter -A INPUT -j U\nfilter -A INPUT -j DROP\nfilter -A U -g V\nfilter -A U -j ACCEPT", HERE "tcp 22", DROPPED},
		{"filter -A INPUT -j RETURN\nfilter -A INPUT -j DROP", HERE "tcp 22", ACCEPTED},
		{"filter -A INPUT\nfilter -A INPUT -j LOG\nfilter -A INPUT -j DROP", HERE "tcp 22", DROPPED},
		{"filter -P INPUT DROP", HERE "tcp 22", DROPPED},
		{"filter -P FORWARD DROP", HERE "tcp 22", ACCEPTED},
		{"filter -P FORWARD DROP", THERE "tcp 22", DROPPED},
		{"mangle -P POSTROUTING DROP", THERE "tcp 22", DROPPED},
		/* An ACCEPT is one table's opinion. */
		{"mangle -A INPUT -j ACCEPT\nsecurity -A INPUT -j DROP", HERE "tcp 22", DROPPED},
		{"filter -A INPUT -p tcp -j REJECT --reject-with tcp-reset", HERE "tcp 22", FATE_REJECTED},
		{"filter -A INPUT -m limit --limit 1/sec -j LOG\nfilter -A INPUT -j DROP", HERE "tcp 22", DROPPED},
		{"filter -A INPUT -m limit --limit 1/sec -j ACCEPT\nfilter -A INPUT -j DROP", HERE "tcp 22", OPEN},
		{"filter -A INPUT -m set --match-set bad src -j DROP", HERE "tcp 22", OPEN},
		{"filter -A INPUT -m statistic --mode random --probability 0.5 -j DROP\nfilter -A INPUT -j DROP", HERE "tcp 22", DROPPED},
		{"filter -A INPUT -m limit --limit 1/sec -j REJECT\nfilter -A INPUT -j DROP", HERE "tcp 22", DROPPED},
		{"filter -A INPUT -m unheardof --of it -j ACCEPT\nfilter -A INPUT -j DROP", HERE "tcp 22", OPEN},
		{"filter -A INPUT -j UNHEARDOF", HERE "tcp 22", OPEN},
		{"filter -A INPUT -j NFQUEUE --queue-num 1", HERE "tcp 22", OPEN},
	};

	RUN(trials);
}
END_TEST

START_TEST(marks_are_the_kernels)
{
	static const struct trial trials[] = {
		{"mangle -A PREROUTING -j MARK --set-xmark 0x3/0x3\n" IF("-m mark --mark 0x1/0x1"), HERE "tcp 22", DROPPED},
		{"mangle -A PREROUTING -j MARK --set-xmark 0x3/0x3\nmangle -A PREROUTING -j MARK --set-xmark 0x1/0x0\n" IF("-m mark --mark 0x2"),
		 HERE "tcp 22", DROPPED},
		{IF("-m mark ! --mark 0x1"), HERE "tcp 22", DROPPED},
		{IF("-m mark --mark 0x5/0x1"), HERE "tcp 22", ACCEPTED},
		{"mangle -A PREROUTING -j CONNMARK --set-xmark 0x7/0xffffffff\n"
		 "mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0xf --ctmask 0x3\n" IF("-m mark --mark 0x3"), HERE "tcp 22", DROPPED},
		{"mangle -A PREROUTING -j MARK --set-xmark 0x9/0xffffffff\n"
		 "mangle -A PREROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff\n" IF("-m connmark --mark 0x9"),
		 HERE "tcp 22", DROPPED},
		{"mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff\n" IF("-m mark --mark 0x0"),
		 HERE "tcp 22", DROPPED},
		{"mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xf\n" IF("-m mark --mark 0x10/0xf0"),
		 HERE "tcp 22 state established", ACCEPTED},
		{"mangle -A PREROUTING -j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xf\n" IF("-m mark --mark 0x1/0xf"),
		 HERE "tcp 22 state established", OPEN},
		{"raw -A PREROUTING -j NOTRACK\nmangle -A PREROUTING -j CONNMARK --set-xmark 0x7/0xffffffff\n" IF("-m connmark --mark 0x7"),
		 HERE "tcp 22", ACCEPTED},
		{"mangle -A PREROUTING -j TTL --ttl-set 9\n" IF("-m ttl --ttl-eq 9"), HERE "tcp 22", DROPPED},
	};

	RUN(trials);
}
END_TEST

#define FORWARDED(matches) "\nfilter -A FORWARD " matches " -j DROP"

START_TEST(translation_is_the_kernels)
{
	static const struct trial trials[] = {
		{"nat -A PREROUTING -p tcp -j DNAT --to-destination 172.18.0.2:80" FORWARDED("-d 172.18.0.2 -o br0 -p tcp -m tcp --dport 80"),
		 HERE "tcp 22", DROPPED},
		{"nat -A PREROUTING -p tcp -j DNAT --to-destination 172.18.0.2:80"
		 FORWARDED("-m conntrack --ctstate DNAT --ctorigdst 10.1.1.5 --ctorigdstport 22 --ctreplsrc 172.18.0.2"), HERE "tcp 22", DROPPED},
		/* Only new connections are translated. */
		{"nat -A PREROUTING -p tcp -j DNAT --to-destination 172.18.0.2:80" FORWARDED(""), HERE "tcp 22 state established", ACCEPTED},
		{"nat -A PREROUTING -p tcp -j DNAT --to-destination 172.18.0.2:80" FORWARDED(""), HERE "tcp 22 flags RST", ACCEPTED},
		{"raw -A PREROUTING -j CT --notrack\nnat -A PREROUTING -j DNAT --to-destination 172.18.0.2" FORWARDED(""), HERE "tcp 22",
		 ACCEPTED},
		/* To itself is no translation. */
		{"nat -A PREROUTING -j DNAT --to-destination 10.1.1.5\n" IF("-m conntrack --ctstate DNAT"), HERE "tcp 22", ACCEPTED},
		{"nat -A PREROUTING -p tcp -j REDIRECT --to-ports 99\n" IF("-d 10.1.1.5 -p tcp -m tcp --dport 99"), THERE "tcp 22", DROPPED},
		{"nat -A PREROUTING -j REDIRECT", "eth0 10.1.1.4 > 172.18.0.2 tcp 22", DROPPED},
		/* One of these addresses is the host's, the others are behind br0. */
		{"nat -A PREROUTING -j DNAT --to-destination 172.18.0.1-172.18.0.9\nfilter -A FORWARD -j DROP", HERE "tcp 22", OPEN},
		{"nat -A PREROUTING -j DNAT --to-destination 172.18.0.2-172.18.0.9\nfilter -A FORWARD -j DROP", HERE "tcp 22", DROPPED},
		{"nat -A PREROUTING -j NETMAP --to 172.18.0.0/24" FORWARDED("-d 172.18.0.5"), HERE "tcp 22", DROPPED},
		{"nat -A PREROUTING -p tcp -j DNAT --to-destination 172.18.0.2:80-90" FORWARDED("-p tcp -m tcp --dport 85"), HERE "tcp 22", OPEN},
		{"nat -A PREROUTING -p tcp -j DNAT --to-destination 172.18.0.2:80-90" FORWARDED("-p tcp -m tcp --dport 85"), HERE "tcp 85", DROPPED},
		{"nat -A PREROUTING -p tcp -j DNAT --to-destination 172.18.0.2:80-90/20" FORWARDED("-p tcp -m tcp --dport 82"), HERE "tcp 22",
		 DROPPED},
		{"nat -A PREROUTING -j DNAT --to-destination 172.18.0.2-172.18.0.9" FORWARDED("-d 172.18.0.4"), HERE "tcp 22", OPEN},
		{"nat -A PREROUTING -j DNAT --to-destination 172.18.0.2-172.18.0.9" FORWARDED("-d 172.18.0.0/24"), HERE "tcp 22", DROPPED},
		{"nat -A PREROUTING -j DNAT --to-destination 127.0.0.1", HERE "tcp 22", OPEN},
		{"nat -A POSTROUTING -j MASQUERADE", THERE "tcp 22", ACCEPTED},
	};

	RUN(trials);
}
END_TEST

START_TEST(routes_decide)
{
	static const struct trial trials[] = {
		{"filter -A FORWARD -o br0 -j DROP", THERE "tcp 22", DROPPED},
		{"filter -A FORWARD -o eth0 -j DROP", "wg1 10.1.1.4 > 198.51.100.1 tcp 22", DROPPED},
		{"filter -A FORWARD -o wg1 -j DROP", "wg1 10.1.1.4 > 10.1.1.8 tcp 22", DROPPED},
		{"filter -A FORWARD -o tun9 -j DROP", "wg1 10.1.1.4 > 10.1.1.8 tcp 22 via tun9", DROPPED},
		{"filter -A INPUT -j DROP", "wg1 10.1.1.4 > 10.1.1.8 tcp 22 local", DROPPED},
		{"", "wg1 fd00:1::4 > fd00:bad::1 tcp 22", DROPPED},
		{"", "wg1 fd00:1::4 > 2001:db8::1 tcp 22", DROPPED},
		{"", "wg1 fe80::4 > fd00:18::2 tcp 22", DROPPED},
		{"", "wg1 fd00:1::4 > ::1 tcp 22", DROPPED},
		{"", "wg1 10.1.1.4 > 127.0.0.1 tcp 22", OPEN},
		{"", THERE "tcp 22 ttl 1", DROPPED},
		{"filter -A FORWARD -m ttl --ttl-eq 1 -j DROP", THERE "tcp 22 ttl 2", DROPPED},
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
	static const char rules[] = "filter -A INPUT -j DROP";
	struct fixture fixture;

	trace(&fixture, rules, "wg1 fd00:1::4 > fd00:1:: udp 53", table, CHECK_BACKEND_NFT);
	ck_assert_int_eq(trace_fate(&fixture.trace), FATE_DROPPED);
	arena_free(&fixture.arena);
	trace(&fixture, rules, "wg1 fd00:1::4 > fd00:9:: udp 53", table, CHECK_BACKEND_NFT);
	ck_assert_int_eq(trace_fate(&fixture.trace), FATE_ACCEPTED);
	arena_free(&fixture.arena);
}
END_TEST

/* iptables-nft hooks security behind nat at INPUT. */
START_TEST(backends_differ_at_input)
{
	static const char rules[] = "nat -A INPUT -j SNAT --to-source 172.18.0.1\nsecurity -A INPUT -s 172.18.0.1 -j DROP";
	struct fixture fixture;

	trace(&fixture, rules, HERE "tcp 22", host_json, CHECK_BACKEND_NFT);
	ck_assert_int_eq(trace_fate(&fixture.trace), FATE_DROPPED);
	arena_free(&fixture.arena);
	trace(&fixture, rules, HERE "tcp 22", host_json, CHECK_BACKEND_LEGACY);
	ck_assert_int_eq(trace_fate(&fixture.trace), FATE_ACCEPTED);
	arena_free(&fixture.arena);
	trace(&fixture, rules, HERE "tcp 22", host_json, CHECK_BACKEND_UNKNOWN);
	ck_assert_int_eq(fixture.trace.assumptions.len, 1);
	arena_free(&fixture.arena);
}
END_TEST

START_TEST(without_a_host_it_says_what_it_assumes)
{
	struct fixture fixture;

	trace(&fixture, "", HERE "tcp 22", NULL, CHECK_BACKEND_NFT);
	ck_assert_int_eq(trace_fate(&fixture.trace), FATE_ACCEPTED);
	ck_assert_int_eq(fixture.trace.assumptions.len, 1);
	ck_assert_str_eq(fixture.trace.assumptions.data[0], "10.1.1.5 is an address of this host");
	arena_free(&fixture.arena);
	trace(&fixture, "nat -A POSTROUTING -s 172.18.0.0/16 ! -o br7 -j MASQUERADE\nfilter -A FORWARD -o br7 -j DROP", THERE "tcp 22", NULL,
	      CHECK_BACKEND_NFT);
	ck_assert_int_eq(trace_fate(&fixture.trace), FATE_DROPPED);
	ck_assert_str_eq(fixture.trace.assumptions.data[0], "172.18.0.2 is an address behind br7, not one of this host");
	arena_free(&fixture.arena);
	/* An interface that nobody knows may be any. */
	trace(&fixture, "nat -A PREROUTING -j DNAT --to-destination 192.0.2.7\nfilter -A FORWARD -o br7 -j DROP", HERE "tcp 22", NULL,
	      CHECK_BACKEND_NFT);
	ck_assert_int_eq(trace_fate(&fixture.trace), FATE_UNDECIDED);
	ck_assert_int_eq(fixture.trace.paths.len, 2);
	arena_free(&fixture.arena);
}
END_TEST

START_TEST(paths_are_bounded)
{
	struct strbuf rules = STRBUF_EMPTY;
	struct fixture fixture;

	for (int i = 0; i < 40; i++)
		strbuf_addf(&rules, "mangle -A INPUT -m limit --limit %d/sec -j MARK --set-xmark 0x1/0x1\n", i + 1);
	trace(&fixture, rules.data, HERE "tcp 22", host_json, CHECK_BACKEND_NFT);
	ck_assert(fixture.trace.truncated);
	ck_assert_int_eq(fixture.trace.paths.len, TRACE_PATHS_MAX);
	ck_assert_int_eq(trace_fate(&fixture.trace), FATE_UNDECIDED);
	arena_free(&fixture.arena);
	strbuf_free(&rules);
}
END_TEST

/* The kernel refuses such rules; a file may hold them. */
START_TEST(circles_end)
{
	static const struct trial trials[] = {
		{"filter -A INPUT -j U\nfilter -A U -j V\nfilter -A V -j U", HERE "tcp 22", OPEN},
		{"filter -A INPUT -j U\nfilter -A U -g V\nfilter -A V -g U", HERE "tcp 22", OPEN},
	};

	RUN(trials);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("trace");
	TCase *tcase = tcase_create("trace");

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
