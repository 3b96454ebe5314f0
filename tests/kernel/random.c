/* Random rules and packets, from pools small enough that they meet. */
#include "kernel.h"

#include <stdio.h>
#include <string.h>

enum { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17, IP_ICMP6 = 58, IP_OTHER = 99 };

/* ---- chance: splitmix64 ---- */

static uint64_t state;

void random_seed(uint64_t seed)
{
	state = seed;
}

uint64_t random_next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

unsigned random_below(unsigned limit)
{
	return (unsigned)(random_next() % limit);
}

bool random_once_in(unsigned of)
{
	return random_below(of) == 0;
}

const char *random_of(const char *const *words)
{
	unsigned count = 0;

	while (words[count])
		count++;
	return words[random_below(count)];
}

/* ---- pools, IPv4 and IPv6 ---- */

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define EACH(v4, v6) (making.family == FAMILY_IPV4 ? (v4) : (v6))

/* What is being made. */
static struct {
	enum family family;
	struct strbuf *out;
	const char *table;
	const char *hook;     /* NULL in a chain of no hook */
	const char *protocol; /* that the rule asks for, if any */
	bool plain;           /* nothing that sets of packets cannot express */
} making;

/* Once in `of` times, but for what is plain. */
static bool odd_once_in(unsigned of)
{
	return !making.plain && random_once_in(of);
}

static const char *source_address(void)
{
	return random_of(EACH(WORDS("10.1.1.4", "10.1.1.7", "10.1.1.200", "172.18.0.2", "203.0.113.9"),
			      WORDS("fd00:1::4", "fd00:1::7", "fd00:1::200", "fd00:18::2", "2001:db8:9::9", "::", "fe80::4")));
}

/* Of the host, of others, broadcast, multicast, anycast, of no route. */
static const char *destination_address(void)
{
	return random_of(EACH(WORDS("10.1.1.5", "10.1.1.5", "10.1.1.5", "10.1.1.8", "172.18.0.1", "172.18.0.2", "172.18.0.3",
				    "192.0.2.1", "198.51.100.7", "10.1.1.255", "224.0.0.1", "255.255.255.255"),
			      WORDS("fd00:1::5", "fd00:1::5", "fd00:1::5", "fd00:1::8", "fd00:18::1", "fd00:18::2",
				    "fd00:18::3", "fd00:7::1", "2001:db8::7", "fd00:1::", "ff02::1", "fd00:bad::1")));
}

static const char *network(void)
{
	if (odd_once_in(16))
		return EACH("10.0.1.4/255.0.255.252", "::4/::fffc");
	return random_of(EACH(WORDS("10.1.1.0/24", "10.1.1.4/31", "10.0.0.0/8", "172.18.0.0/16", "172.18.0.2/32", "10.1.1.5/32",
				    "192.0.2.0/24", "224.0.0.0/4"),
			      WORDS("fd00:1::/64", "fd00:1::4/127", "fd00::/16", "fd00:18::/64", "fd00:18::2/128", "fd00:1::5/128",
				    "fd00:7::/64", "ff00::/8")));
}

static const char *port(void)
{
	return random_of(WORDS("22", "80", "873", "8096", "8080:8090", "0:1023", "1024:65535", "80:873", "30000:40000"));
}

/* ---- matches ---- */

static const char *negation(void)
{
	return random_once_in(4) ? "! " : "";
}

static void match_basic(void)
{
	if (random_once_in(4))
		strbuf_addf(making.out, " %s-s %s", negation(), network());
	if (random_once_in(4))
		strbuf_addf(making.out, " %s-d %s", negation(), network());
	if ((!making.hook || strcmp(making.hook, "POSTROUTING") != 0) && random_once_in(5))
		strbuf_addf(making.out, " %s-i %s", negation(), random_of(WORDS("wg1", "br0", "wg+", "eth0", "w+")));
	if ((!making.hook || strcmp(making.hook, "FORWARD") == 0 || strcmp(making.hook, "POSTROUTING") == 0) && random_once_in(4))
		strbuf_addf(making.out, " %s-o %s", negation(), random_of(WORDS("wg1", "br0", "wg+", "eth0", "e+")));
}

static void choose_protocol(void)
{
	making.protocol = NULL;
	if (random_once_in(2))
		return;
	if (random_once_in(8)) {
		strbuf_addf(making.out, " ! -p %s", random_of(WORDS("tcp", "udp", "99")));
		return;
	}
	making.protocol = random_of(WORDS("tcp", "tcp", "tcp", "udp", EACH("icmp", "ipv6-icmp"), "99"));
	strbuf_addf(making.out, " -p %s", making.protocol);
}

static bool protocol_is(const char *name)
{
	return making.protocol && strcmp(making.protocol, name) == 0;
}

static bool has_ports(void)
{
	return protocol_is("tcp") || protocol_is("udp");
}

static void match_ports(void)
{
	strbuf_addf(making.out, " -m %s", making.protocol);
	if (random_once_in(4))
		strbuf_addf(making.out, " %s--sport %s", negation(), port());
	if (!random_once_in(4))
		strbuf_addf(making.out, " %s--dport %s", negation(), port());
	if (protocol_is("tcp") && random_once_in(4))
		strbuf_addf(making.out, " %s--tcp-flags %s", negation(),
			    random_of(WORDS("SYN,RST,ACK,FIN SYN", "SYN SYN", "ALL NONE", "ACK,FIN ACK", "SYN,FIN SYN,FIN", "URG URG")));
}

static void match_multiport(void)
{
	strbuf_addf(making.out, " -m multiport %s%s %s", negation(), random_of(WORDS("--dports", "--dports", "--sports", "--ports")),
		    random_of(WORDS("22,80,873", "8080:8090,22", "0:1023,30000:33000", "8096", "873,8096,40000:65535")));
}

static void match_protocol(void)
{
	if (has_ports() && random_once_in(3))
		match_multiport();
	else if (has_ports())
		match_ports();
	else if (protocol_is("icmp"))
		strbuf_addf(making.out, " -m icmp %s--icmp-type %s", negation(), random_of(WORDS("8", "0", "3", "3/1", "11", "any")));
	else if (protocol_is("ipv6-icmp"))
		strbuf_addf(making.out, " -m icmp6 %s--icmpv6-type %s", negation(), random_of(WORDS("128", "129", "1", "1/4", "135")));
}

static void match_state(void)
{
	strbuf_addf(making.out, " -m state %s--state %s", negation(), random_of(WORDS("NEW", "INVALID", "NEW,UNTRACKED", "RELATED")));
}

static void match_ctstate(void)
{
	strbuf_addf(making.out, " -m conntrack %s--ctstate %s", negation(),
		    random_of(WORDS("NEW", "INVALID", "UNTRACKED", "RELATED,ESTABLISHED", "DNAT", "NEW,DNAT", "INVALID,NEW", "SNAT")));
	if (random_once_in(3))
		strbuf_addf(making.out, " %s--ctorigdst %s", negation(), network());
}

static void match_tuple(void)
{
	strbuf_adds(making.out, " -m conntrack");
	if (random_once_in(4))
		strbuf_addf(making.out, " %s--ctproto %s", negation(), random_of(WORDS("6", "17")));
	if (random_once_in(3))
		strbuf_addf(making.out, " %s--ctorigsrc %s", negation(), network());
	if (random_once_in(2))
		strbuf_addf(making.out, " %s--ctorigdst %s", negation(), network());
	if (odd_once_in(4))
		strbuf_addf(making.out, " %s--ctreplsrc %s", negation(), network());
	if (random_once_in(3))
		strbuf_addf(making.out, " %s--ctorigdstport %s", negation(), port());
	if (odd_once_in(6))
		strbuf_addf(making.out, " %s--ctstatus %s", negation(), random_of(WORDS("SEEN_REPLY", "ASSURED", "EXPECTED,CONFIRMED")));
	strbuf_addf(making.out, " --ctdir %s", random_of(WORDS("ORIGINAL", "ORIGINAL", "REPLY")));
}

static const char *address_types(void)
{
	if (making.plain)
		return random_of(EACH(WORDS("LOCAL", "LOCAL", "UNICAST", "MULTICAST", "BROADCAST", "LOCAL,BROADCAST,MULTICAST"),
				      WORDS("LOCAL", "LOCAL", "UNICAST", "MULTICAST", "ANYCAST", "LOCAL,ANYCAST", "LOCAL,MULTICAST")));
	return random_of(EACH(WORDS("LOCAL", "LOCAL", "UNICAST", "MULTICAST", "BROADCAST", "LOCAL,BROADCAST,MULTICAST", "LOCAL,UNICAST"),
			      WORDS("LOCAL", "LOCAL", "UNICAST", "MULTICAST", "ANYCAST", "LOCAL,ANYCAST", "LOCAL,MULTICAST", "LOCAL,UNICAST",
				    "UNREACHABLE", "UNICAST,UNREACHABLE")));
}

/* Limits to interfaces only where both backends let them be. */
static void match_addrtype(void)
{
	bool before = making.hook && (strcmp(making.hook, "PREROUTING") == 0 || strcmp(making.hook, "INPUT") == 0);

	strbuf_adds(making.out, " -m addrtype");
	if (odd_once_in(5))
		strbuf_addf(making.out, " %s--src-type %s", negation(), random_once_in(3) ? "UNSPEC" : address_types());
	strbuf_addf(making.out, " %s--dst-type %s", negation(), address_types());
	if (before && odd_once_in(5))
		strbuf_adds(making.out, " --limit-iface-in");
}

static void match_iprange(void)
{
	strbuf_addf(making.out, " -m iprange %s--%s-range %s", negation(), random_of(WORDS("src", "dst")),
		    random_of(EACH(WORDS("10.1.1.4-10.1.1.8", "10.0.0.0-172.18.0.2"), WORDS("fd00:1::4-fd00:1::8", "fd00:1::5-fd00:18::2"))));
}

static void match_mark(void)
{
	strbuf_addf(making.out, " -m %s %s--mark %s", random_of(WORDS("mark", "mark", "connmark")), negation(),
		    random_of(WORDS("0x0", "0x1", "0x0/0x1", "0x2/0x2", "0x10/0xf0", "0x1/0x3")));
}

static void match_hops(void)
{
	strbuf_addf(making.out, EACH(" -m ttl --ttl-%s %s", " -m hl --hl-%s %s"), random_of(WORDS("eq", "lt", "gt")),
		    random_of(WORDS("1", "2", "63", "64", "255")));
}

static void match_length(void)
{
	strbuf_addf(making.out, " -m length %s--length %s", negation(), random_of(WORDS("0:200", "100:600", "500:65535")));
}

static void match_comment(void)
{
	strbuf_adds(making.out, " -m comment --comment \"it's a \\\"test\\\"\"");
}

static void make_matches(void)
{
	static void (*const extensions[])(void) = {
		match_state, match_ctstate, match_ctstate, match_tuple, match_tuple, match_addrtype, match_addrtype, match_addrtype,
		match_iprange, match_mark, match_mark, match_hops, match_comment, match_length,
	};
	unsigned known = sizeof extensions / sizeof *extensions - making.plain;

	match_basic();
	choose_protocol();
	if (making.protocol && random_once_in(2))
		match_protocol();
	for (unsigned count = random_below(3); count; count--)
		extensions[random_below(known)]();
}

/* ---- targets ---- */

static const char *mark_target(void)
{
	if (making.plain)
		return random_of(WORDS("MARK --set-xmark 0x1/0xffffffff", "MARK --set-xmark 0x2/0x2", "MARK --set-xmark 0x10/0x0",
				       "MARK --set-xmark 0x0/0xf",
				       "CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
				       "CONNMARK --restore-mark --nfmask 0xf --ctmask 0x3"));
	return random_of(WORDS("MARK --set-xmark 0x1/0xffffffff", "MARK --set-xmark 0x2/0x2", "MARK --set-xmark 0x10/0x0",
			       "MARK --set-xmark 0x0/0xf", "CONNMARK --set-xmark 0x1/0xffffffff", "CONNMARK --set-xmark 0x12/0xf2",
			       "CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
			       "CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
			       "CONNMARK --restore-mark --nfmask 0xf --ctmask 0x3"));
}

static const char *hops_target(void)
{
	return random_of(EACH(WORDS("TTL --ttl-set 64", "TTL --ttl-dec 1", "TTL --ttl-inc 200"),
			      WORDS("HL --hl-set 64", "HL --hl-dec 1", "HL --hl-inc 200")));
}

static const char *destination_target(void)
{
	if (has_ports() && random_once_in(2))
		return random_of(EACH(WORDS("DNAT --to-destination 172.18.0.2:80", "DNAT --to-destination 10.1.1.8:22",
					    "DNAT --to-destination 192.0.2.1:8096", "DNAT --to-destination :873",
					    "DNAT --to-destination 172.18.0.3:8000-8199/22", "DNAT --to-destination 172.18.0.3:1-65535",
					    "REDIRECT --to-ports 873"),
				      WORDS("DNAT --to-destination [fd00:18::2]:80", "DNAT --to-destination [fd00:1::8]:22",
					    "DNAT --to-destination [fd00:7::1]:8096", "DNAT --to-destination :873",
					    "DNAT --to-destination [fd00:18::3]:1-65535", "REDIRECT --to-ports 873")));
	return random_of(EACH(WORDS("DNAT --to-destination 172.18.0.2", "DNAT --to-destination 198.51.100.7", "REDIRECT",
				    "DNAT --to-destination 172.18.0.1", "NETMAP --to 172.18.0.0/24", "NETMAP --to 10.1.1.0/28"),
			      WORDS("DNAT --to-destination fd00:18::2", "DNAT --to-destination 2001:db8::7", "REDIRECT",
				    "DNAT --to-destination fd00:18::1", "NETMAP --to fd00:18::/120")));
}

static const char *reject_target(void)
{
	if (protocol_is("tcp") && random_once_in(2))
		return "REJECT --reject-with tcp-reset";
	return EACH("REJECT --reject-with icmp-port-unreachable", "REJECT --reject-with icmp6-port-unreachable");
}

static const char *own_target(void)
{
	if (strcmp(making.table, "raw") == 0)
		return random_once_in(4) ? "CT --zone 7" : "CT --notrack";
	if (strcmp(making.table, "mangle") == 0)
		return odd_once_in(5) ? hops_target() : mark_target();
	if (strcmp(making.table, "filter") == 0)
		return reject_target();
	if (strcmp(making.table, "nat") != 0 || !making.hook)
		return "ACCEPT";
	if (strcmp(making.hook, "PREROUTING") == 0)
		return destination_target();
	return EACH("SNAT --to-source 192.0.2.1", "SNAT --to-source fd00:7::1");
}

static const char *verdict(void)
{
	if (strcmp(making.table, "nat") == 0)
		return random_of(WORDS("ACCEPT", "RETURN"));
	return random_of(WORDS("ACCEPT", "ACCEPT", "RETURN", "RETURN", "DROP"));
}

/* Chains of no hook are numbered, and go only to higher ones. */
static void make_target(unsigned next_chain, unsigned chains)
{
	unsigned kind = random_below(10);

	if (kind < 1)
		return;
	if (kind < 5 && next_chain < chains)
		strbuf_addf(making.out, " -%c U%u", random_once_in(3) ? 'g' : 'j', next_chain + random_below(chains - next_chain));
	else if (kind < 8)
		strbuf_addf(making.out, " -j %s", own_target());
	else
		strbuf_addf(making.out, " -j %s", verdict());
}

/* ---- the whole ---- */

static void make_chain(const char *name, const char *hook, unsigned rules, unsigned next_chain, unsigned chains)
{
	making.hook = hook;
	for (; rules; rules--) {
		strbuf_addf(making.out, "-A %s", name);
		make_matches();
		make_target(next_chain, chains);
		strbuf_addc(making.out, '\n');
	}
}

static bool may_drop(const char *hook)
{
	return strcmp(making.table, "nat") != 0 && strcmp(hook, "OUTPUT") != 0 &&
	       random_once_in(strcmp(making.table, "filter") == 0 ? 4 : 12);
}

static void make_table(const char *name, const char *const *hooks)
{
	bool nat = strcmp(name, "nat") == 0;
	unsigned chains = 1 + random_below(5);

	making.table = name;
	strbuf_addf(making.out, "*%s\n", name);
	for (const char *const *hook = hooks; *hook; hook++)
		strbuf_addf(making.out, ":%s %s [0:0]\n", *hook, may_drop(*hook) ? "DROP" : "ACCEPT");
	for (unsigned i = 0; i < chains; i++)
		strbuf_addf(making.out, ":U%u - [0:0]\n", i);
	for (const char *const *hook = hooks; *hook; hook++)
		/* Nobody goes there. */
		if (strcmp(*hook, "OUTPUT") != 0)
			/* nat's targets depend on the hook, so its chains serve PREROUTING alone. */
			make_chain(*hook, *hook, 2 + random_below(6), nat && strcmp(*hook, "PREROUTING") != 0 ? chains : 0, chains);
	for (unsigned i = 0; i < chains; i++) {
		char chain[16];

		snprintf(chain, sizeof chain, "U%u", i);
		make_chain(chain, nat ? "PREROUTING" : NULL, random_below(6), i + 1, chains);
	}
	strbuf_adds(making.out, "COMMIT\n");
}

void make_rules(struct strbuf *out, enum family family, enum rule_variety variety)
{
	making.plain = variety == RULES_PLAIN;
	making.family = family;
	making.out = out;
	make_table("raw", WORDS("PREROUTING", "OUTPUT"));
	make_table("mangle", WORDS("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"));
	make_table("nat", WORDS("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"));
	make_table("filter", WORDS("INPUT", "FORWARD", "OUTPUT"));
	make_table("security", WORDS("INPUT", "FORWARD", "OUTPUT"));
}

/* ---- packets ---- */

static void set_address(struct addr_bounds *out, const char *text)
{
	addr_parse(text, strlen(text), &out->lo);
	out->hi = out->lo;
}

static void set_transport(struct packet *packet, unsigned index)
{
	static const uint16_t ports[] = {22, 80, 873, 8096, 8085, 53, 40000};
	static const uint8_t flags[] = {
		TCP_SYN, TCP_SYN, TCP_SYN, TCP_SYN, TCP_ACK, TCP_SYN | TCP_ACK, TCP_RST, TCP_FIN | TCP_ACK, TCP_FIN, TCP_PSH | TCP_ACK, 0,
		TCP_SYN | TCP_FIN, TCP_SYN | TCP_URG, TCP_ACK | TCP_URG, TCP_PSH, TCP_RST | TCP_ACK,
	};
	static const uint8_t types4[] = {8, 8, 0, 3, 11, 13, 5, 17}, types6[] = {128, 128, 129, 1, 3, 139, 144};
	uint16_t source = (uint16_t)(random_of(WORDS("low", "high"))[0] == 'l' ? 600 + index : 33000 + index);
	uint16_t port = ports[random_below(sizeof ports / sizeof *ports)];

	if (packet_has_ports(packet)) {
		packet->source_port = (struct port_range){source, source};
		packet->destination_port = (struct port_range){port, port};
	}
	if (packet->protocol == IP_TCP) {
		packet->has_flags = true;
		packet->tcp_flags = flags[random_below(sizeof flags)];
	}
	if (packet_is_icmp(packet)) {
		packet->icmp_type = packet->family == FAMILY_IPV4 ? types4[random_below(sizeof types4)] : types6[random_below(sizeof types6)];
		packet->icmp_code = (uint8_t)random_below(2);
	}
}

void make_packet(struct packet *out, enum family family, unsigned index)
{
	static const uint8_t protocols[] = {IP_TCP, IP_TCP, IP_TCP, IP_TCP, IP_UDP, IP_UDP, IP_ICMP, IP_OTHER};
	static const uint8_t hops[] = {64, 64, 64, 1, 2, 255};

	making.family = family;
	*out = (struct packet){.family = family, .in = random_once_in(5) ? "br0" : "wg1"};
	set_address(&out->source, source_address());
	do
		set_address(&out->destination, destination_address());
	while (addr_equal(&out->source.lo, &out->destination.lo));
	out->protocol = protocols[random_below(sizeof protocols)];
	if (out->protocol == IP_ICMP && family == FAMILY_IPV6)
		out->protocol = IP_ICMP6;
	set_transport(out, index);
	out->has_ttl = out->has_length = true;
	out->ttl = hops[random_below(sizeof hops)];
	out->length = (uint16_t)(80 + random_below(1300));
	out->state = packet_first_state(out);
}
