#include "unit.h"

#include <peerwall/exposure.h>
#include <peerwall/snapshot.h>

#include <string.h>

struct world {
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct host host;
	struct ruleset ruleset;
	struct packet_space space;
	struct places places;
	struct journey journey;
	struct exposure exposure;
	uint32_t arriving;
};

static void world_init(struct world *world, enum family family, const char *rules, const char *in)
{
	struct source *source;
	struct traverse_input input = {.in = in, .tracking = TRACKING_NEW, .nat_first = true};

	*world = (struct world){.arena = ARENA_EMPTY};
	sources_init(&world->sources, &world->arena);
	diags_init(&world->diags, &world->arena);
	host_init(&world->host, &world->arena);
	source = sources_add(&world->sources, "rules", rules, strlen(rules));
	ck_assert(snapshot_read(&world->ruleset, family, source, &world->arena, &world->diags));
	packet_space_init(&world->space, family, &world->arena);
	packet_space_mention_rules(&world->space, &world->ruleset);
	places_mention(&world->space, &world->host);
	traverse_mention(&world->space);
	packet_space_close(&world->space);
	places_make(&world->places, &world->space, &world->host);
	world->arriving = traverse_arriving(&world->space, &world->places);
	input.ruleset = &world->ruleset;
	input.places = &world->places;
	input.arriving = world->arriving;
	traverse(&world->journey, &world->space, &input);
	exposure_make(&world->exposure, &world->space, &world->journey,
		      traverse_entering(&world->space, input.in, world->arriving), EXPOSURE_ROWS_MAX);
	ck_assert(!world->exposure.cut && !packet_space_gave_up(&world->space));
}

static void world_free(struct world *world)
{
	packet_space_free(&world->space);
	arena_free(&world->arena);
}

static void add_row(struct strbuf *text, struct packet_space *space, const struct exposure_row *row)
{
	static const char *const kinds[] = {"host", "forwarded", "translated"};

	strbuf_addf(text, "%s%s ", row->certain ? "" : "perhaps ", kinds[row->kind]);
	exposure_add_services(text, space, row->services, 4);
	strbuf_adds(text, " from ");
	exposure_add_addresses(text, space, row->sources, FIELD_SRC, 4);
	strbuf_adds(text, " to ");
	exposure_add_addresses(text, space, row->destinations, FIELD_DST, 4);
	if (row->kind == EXPOSURE_TRANSLATED) {
		strbuf_adds(text, " as ");
		exposure_add_addresses(text, space, row->targets, FIELD_NEW_DST, 4);
		if (!row->port_kept) {
			strbuf_adds(text, " port ");
			exposure_add_ports(text, space, row->target_ports, FIELD_NEW_DPORT, 4);
		}
	}
	strbuf_adds(text, " by ");
	exposure_add_interfaces(text, space, row->outs, 4);
	strbuf_addc(text, '\n');
}

/* All rows, or those about unicasts. */
static void check_rows(enum family family, const char *rules, const char *in, const char *expected)
{
	struct strbuf text = STRBUF_EMPTY;
	struct world world;

	world_init(&world, family, rules, in);
	vec_each(row, &world.exposure.rows)
		if (packets_and(&world.space, row->types, packets_of_type(&world.space, TYPE_LOCAL)) != DIAGRAM_NONE ||
		    packets_and(&world.space, row->types, packets_of_type(&world.space, TYPE_UNICAST)) != DIAGRAM_NONE)
			add_row(&text, &world.space, row);
	ck_assert_str_eq(strbuf_str(&text), expected);
	strbuf_free(&text);
	world_free(&world);
}

#define HOOKS ":INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
#define NAT_HOOKS ":PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"

START_TEST(groups_sources)
{
	check_rows(FAMILY_IPV4,
		   "*filter\n" HOOKS "-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT\n"
		   "-A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT\n"
		   "-A INPUT -s 10.1.0.0/16 -p udp -m udp --dport 53 -j ACCEPT\n"
		   "-A INPUT -s 10.0.0.0/8 -p icmp -m icmp --icmp-type 8 -j ACCEPT\nCOMMIT\n",
		   "other",
		   "host tcp 80, tcp 443 from any to any by this host\n"
		   "host icmp 8, tcp 22 from 10.0.0.0/8 to any by this host\n"
		   "host udp 53 from 10.1.0.0/16 to any by this host\n");
}
END_TEST

START_TEST(tells_what_is_not_let_in)
{
	check_rows(FAMILY_IPV4,
		   "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		   "-A INPUT ! -s 192.0.2.7/32 -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n",
		   "other",
		   "host anything but tcp 22 from any to any by this host\n"
		   "host tcp 22 from 192.0.2.7 to any by this host\n");
	/* Of IPv6, neighbour discovery is never a new connection, and so not missed. */
	check_rows(FAMILY_IPV6,
		   "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		   "-A INPUT -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n",
		   "other", "host anything but tcp 22 from any to any by this host\n");
}
END_TEST

START_TEST(shows_ways_through)
{
	static const char rules[] =
		"*filter\n" HOOKS "-A FORWARD -i lan0 -o wan0 -j ACCEPT\n"
		"-A FORWARD -d 10.2.0.0/16 -i wan0 -o lan0 -p tcp -m tcp --dport 8000:8010 -j ACCEPT\nCOMMIT\n";

	check_rows(FAMILY_IPV4, rules, "lan0", "forwarded anything from any to any by wan0\n");
	check_rows(FAMILY_IPV4, rules, "wan0",
		   "forwarded tcp 8000-8010 from any to 10.2.0.0/16 by lan0\n");
	check_rows(FAMILY_IPV4, rules, "other", "");
}
END_TEST

START_TEST(shows_translations)
{
	check_rows(FAMILY_IPV4,
		   "*nat\n" NAT_HOOKS
		   "-A PREROUTING -m addrtype --dst-type LOCAL -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\n"
		   "-A PREROUTING -d 198.51.100.1/32 -p tcp -m tcp --dport 8443 -j DNAT --to-destination 172.17.0.2:443\n"
		   "-A PREROUTING -d 198.51.100.1/32 -p udp -m udp --dport 53 -j DNAT --to-destination 172.17.0.3\n"
		   "-A PREROUTING -p tcp -m tcp --dport 9999 -j REDIRECT --to-ports 22\nCOMMIT\n"
		   "*filter\n" HOOKS "-A FORWARD -o docker0 -j ACCEPT\n"
		   "-A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate DNAT -j ACCEPT\nCOMMIT\n",
		   "other",
		   "forwarded anything but tcp 8443, tcp 9999, udp 53 from any to any by docker0\n"
		   "forwarded tcp 8443, udp 53 from any to all but 198.51.100.1 by docker0\n"
		   "translated tcp 9999 from any to any as any port 22 by this host\n"
		   "translated tcp 8080 from any to any as 172.17.0.2 port 80 by docker0\n"
		   "translated tcp 8443 from any to 198.51.100.1 as 172.17.0.2 port 443 by docker0\n"
		   "translated udp 53 from any to 198.51.100.1 as 172.17.0.3 by docker0\n");
}
END_TEST

START_TEST(parts_must_from_may)
{
	check_rows(FAMILY_IPV4,
		   "*filter\n" HOOKS "-A INPUT -p tcp -m tcp --dport 22 -m set --match-set friends src -j ACCEPT\n"
		   "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT\nCOMMIT\n",
		   "other",
		   "host tcp 80 from any to any by this host\n"
		   "perhaps host tcp 22 from any to any by this host\n");
}
END_TEST

START_TEST(lists_values)
{
	struct world world;
	struct addr_set values;
	struct packet_classes classes;
	struct packet_space *space = &world.space;

	world_init(&world, FAMILY_IPV4,
		   "*filter\n" HOOKS "-A INPUT -p tcp -m multiport --dports 80,81,90:99,65535 -j ACCEPT\nCOMMIT\n", "other");
	packets_values(&values, space,
		       packets_or(space, packets_range(space, FIELD_DPORT, 80, 81), packets_range(space, FIELD_DPORT, 65535, 65535)),
		       FIELD_DPORT);
	ck_assert_uint_eq(values.ranges.len, 2);
	ck_assert_uint_eq((unsigned)values.ranges.data[0].lo, 80);
	ck_assert_uint_eq((unsigned)values.ranges.data[0].hi, 81);
	ck_assert_uint_eq((unsigned)values.ranges.data[1].lo, 65535);
	ck_assert_uint_eq((unsigned)values.ranges.data[1].hi, 65535);
	packets_values(&values, space, DIAGRAM_ALL, FIELD_DPORT);
	ck_assert_uint_eq(values.ranges.len, 1);
	ck_assert_uint_eq((unsigned)values.ranges.data[0].hi, 65535);
	packets_values(&values, space, DIAGRAM_NONE, FIELD_DPORT);
	ck_assert_uint_eq(values.ranges.len, 0);
	packets_classify(&classes, space,
			 packets_and(space, packets_range(space, FIELD_PROTOCOL, 6, 6), packets_range(space, FIELD_DPORT, 80, 80)),
			 FIELD_PROTOCOL);
	ck_assert_uint_eq(classes.items.len, 1);
	ck_assert_uint_eq(classes.items.data[0].values, packets_range(space, FIELD_PROTOCOL, 6, 6));
	ck_assert_uint_eq(classes.items.data[0].rest, packets_range(space, FIELD_DPORT, 80, 80));
	world_free(&world);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("exposure");
	TCase *tests = tcase_create("exposure");

	tcase_add_test(tests, groups_sources);
	tcase_add_test(tests, tells_what_is_not_let_in);
	tcase_add_test(tests, shows_ways_through);
	tcase_add_test(tests, shows_translations);
	tcase_add_test(tests, parts_must_from_may);
	tcase_add_test(tests, lists_values);
	suite_add_tcase(suite, tests);
	return suite;
}
