#include "texts.h"
#include "unit.h"

#include <peerwall/host.h>
#include <peerwall/packet.h>

#include <string.h>

START_TEST(packets_read_and_print)
{
	static const struct { const char *text, *printed; } rows[] = {
		{"wg1 10.1.1.4 > 10.1.1.5 tcp 873", "wg1 10.1.1.4 > 10.1.1.5 tcp 873"},
		{"  wg1\t10.1.1.4 >\n10.1.1.5 udp domain ", "wg1 10.1.1.4 > 10.1.1.5 udp 53"},
		{"wg1 fd00:1:0::4 > fd00:1::5 tcp ssh from 40000", "wg1 fd00:1::4 > fd00:1::5 tcp 22 from 40000"},
		{"wg1 fd00:1::4 > fd00:1::5 icmp ping", "wg1 fd00:1::4 > fd00:1::5 icmpv6 128"},
		{"wg1 10.1.1.4 > 10.1.1.5 icmp 3/1 state related", "wg1 10.1.1.4 > 10.1.1.5 icmp 3/1"},
		{"wg1 10.1.1.4 > 10.1.1.5 gre via eth0", "wg1 10.1.1.4 > 10.1.1.5 gre"},
		{"wg1 10.1.1.4 > 10.1.1.5 99 local ttl 3 length 60", "wg1 10.1.1.4 > 10.1.1.5 99"},
		{"wg1 10.1.1.4 > 10.1.1.5 0 local", "wg1 10.1.1.4 > 10.1.1.5 0"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct packet packet;
		struct strbuf text = STRBUF_EMPTY;

		ck_assert_msg(packet_parse(&packet, rows[i].text, &sources, &arena, &diags), "%s", rows[i].text);
		packet_describe(&text, &packet);
		ck_assert_str_eq(strbuf_str(&text), rows[i].printed);
		strbuf_free(&text);
	}
}
END_TEST

START_TEST(what_is_no_packet_is_shown_where)
{
	static const struct { const char *text, *message; unsigned column; } rows[] = {
		{"", "the packet ends where there should be the name of an interface", 1},
		{"wg+ 10.1.1.4 > 10.1.1.5 tcp 873", "'wg+' is not the name of an interface", 1},
		{"wg1 10.1.1 > 10.1.1.5 tcp 873", "'10.1.1' is not an address", 5},
		{"wg1 10.1.1.4 10.1.1.5 tcp 873", "'10.1.1.5' is not '>', then the destination", 14},
		{"wg1 10.1.1.4 > fd00::1 tcp 873", "'fd00::1' is not an IPv4 address", 16},
		{"wg1 10.1.1.4 > 10.1.1.5 all", "'all' is not a protocol", 25},
		{"wg1 10.1.1.4 > 10.1.1.5 tpc 873", "'tpc' is not a protocol", 25},
		{"wg1 10.1.1.4 > 10.1.1.5 icmpv6 1", "'icmpv6' is not a protocol of IPv4", 25},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp 65536", "'65536' is not a port", 29},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp no-such-name", "'no-such-name' is not a port", 29},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp", "the packet ends where there should be a port", 28},
		{"wg1 10.1.1.4 > 10.1.1.5 icmp 256", "'256' is not a type of ICMP: a number, TYPE/CODE, or ping", 30},
		{"wg1 10.1.1.4 > 10.1.1.5 icmp 3/", "'3/' is not a type of ICMP: a number, TYPE/CODE, or ping", 30},
		{"wg1 10.1.1.4 > 10.1.1.5 udp 1 flags SYN", "'SYN' is not expected here: only TCP has flags", 37},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp 1 flags SYN,,ACK", "'SYN,,ACK' is not a list of flags such as SYN,ACK", 37},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp 1 state odd", "'odd' is not new, established, related, invalid or untracked", 37},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp 1 ttl 256", "'256' is not a hop limit", 35},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp 1 local via eth0", "'via' is not expected here: of local and via, one is said already", 37},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp 1 ttl 3 ttl 4", "'ttl' is not expected here: it was said already", 37},
		{"wg1 10.1.1.4 > 10.1.1.5 tcp 1 873", "'873' is not one of from, state, flags, local, via, ttl, length", 31},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct packet packet;
		struct location place;

		ck_assert_msg(!packet_parse(&packet, rows[i].text, &sources, &arena, &diags), "%s", rows[i].text);
		ck_assert_uint_eq(diags.all.len, i + 1);
		ck_assert_str_eq(diags.all.data[i]->message, rows[i].message);
		ck_assert(sources_locate(&sources, diags.all.data[i]->span.lo, &place));
		ck_assert_uint_eq(place.column, rows[i].column);
	}
}
END_TEST

static bool read_host(struct host *host, const char *text)
{
	host_init(host, &arena);
	return host_read(host, add_text("host", text), &diags);
}

START_TEST(hosts_are_read)
{
	static const char text[] =
		"[{},{\"ifname\":\"wg1\",\"addr_info\":[{},{\"family\":\"inet\",\"local\":\"10.1.1.5\",\"prefixlen\":24},"
		"{\"family\":\"inet6\",\"local\":\"fd00:1::5\",\"prefixlen\":64,\"tentative\":true}]}]\n"
		"[{\"dst\":\"default\",\"gateway\":\"fe80::1\",\"dev\":\"eth0\"},{\"dst\":\"10.1.1.0/24\",\"dev\":\"wg1\",\"metric\":9},"
		"{\"dst\":\"10.1.1.0/24\",\"dev\":\"eth1\",\"metric\":5},{\"dst\":\"10.1.1.7\",\"dev\":\"wg2\",\"table\":\"42\"}]";
	struct host host;
	struct addr addr;

	ck_assert(read_host(&host, text));
	ck_assert(host.has_addresses && host.has_routes);
	ck_assert(addr_parse("10.1.1.5", 8, &addr) && host_owns(&host, &addr));
	ck_assert(addr_parse("fd00:1::5", 9, &addr) && !host_owns(&host, &addr));
	ck_assert_str_eq(host_route(&host, &addr)->interface, "eth0");
	ck_assert(addr_parse("10.1.1.255", 10, &addr) && host_broadcasts(&host, &addr));
	ck_assert(addr_parse("10.1.1.7", 8, &addr));
	ck_assert_str_eq(host_route(&host, &addr)->interface, "eth1");
	ck_assert(addr_parse("127.8.8.8", 9, &addr) && host_owns(&host, &addr));
}
END_TEST

START_TEST(other_files_are_no_hosts)
{
	static const char *const texts[] = {
		"", "  \n", "*filter\n", "{}", "[1", "[{\"a\":1}]", "[{\"ifname\":\"a\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"x\"}]}]",
		"[{\"ifname\":\"a\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"10.0.0.1\",\"prefixlen\":33}]}]",
		"[{\"dst\":\"10.0.0.0/99\"}]", "[{\"dst\":\"10.0.0.0/8\",\"type\":\"odd\"}]", "[] [",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct host host;

		ck_assert_msg(!read_host(&host, texts[i]), "%s", texts[i]);
		ck_assert_uint_eq(diags.all.len, i + 1);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("packet");
	TCase *tcase = tcase_create("packet");

	tcase_add_checked_fixture(tcase, texts_setup, texts_teardown);
	tcase_add_test(tcase, packets_read_and_print);
	tcase_add_test(tcase, what_is_no_packet_is_shown_where);
	tcase_add_test(tcase, hosts_are_read);
	tcase_add_test(tcase, other_files_are_no_hosts);
	suite_add_tcase(suite, tcase);
	return suite;
}
