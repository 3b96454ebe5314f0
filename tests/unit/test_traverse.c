#include "one_packet.h"
#include "random.h"
#include "unit.h"

#include <peerwall/snapshot.h>
#include <peerwall/strbuf.h>
#include <peerwall/traverse.h>

#include <stdio.h>

/* Random rules over a universe so small that every packet can be sent through, one by one. */

/* Of each some 290 of the 1152 packets: more rule sets find more than more packets of one. */
#define RULE_SETS 2000

static uint64_t seed = 20260202;

static const char *const outs[] = {NULL, "eth0", "eth1"};

static void add_match(struct strbuf *text, bool forward, bool tracked)
{
	bool protocol = one_of(2);

	if (one_of(2))
		strbuf_addf(text, " %s-s 10.1.0.%u/%u", one_of(3) ? "! " : "", random_below(4), 30 + random_below(3));
	if (one_of(2))
		strbuf_addf(text, " %s-d 10.0.0.%u/%u", one_of(3) ? "! " : "", random_below(4), 30 + random_below(3));
	if (one_of(5))
		strbuf_addf(text, " %s-i %s", one_of(3) ? "! " : "", one_of(2) ? "wg1" : "wg+");
	if (forward && one_of(3))
		strbuf_addf(text, " %s-o eth%u", one_of(3) ? "! " : "", random_below(2));
	if (protocol) {
		strbuf_addf(text, " -p %s", one_of(2) ? "tcp" : "udp");
		if (one_of(2))
			strbuf_addf(text, " -m multiport %s--dports %u,%u:3", one_of(3) ? "! " : "", random_below(2),
				    1 + random_below(2));
	}
	/* Behind DNAT nobody but the host knows. */
	if (!tracked && one_of(5))
		strbuf_addf(text, " -m addrtype %s--dst-type LOCAL", one_of(2) ? "! " : "");
	if (one_of(4))
		strbuf_addf(text, " -m mark %s--mark 0x%x/0x3", one_of(2) ? "! " : "", random_below(4));
	if (one_of(6))
		strbuf_addf(text, " -m connmark %s--mark 0x%x/0x3", one_of(2) ? "! " : "", random_below(4));
	if (tracked && one_of(5))
		strbuf_addf(text, " -m conntrack %s--ctstate DNAT", one_of(2) ? "! " : "");
	/* What it is of protocols without ports is not known of all. */
	if (tracked && protocol && one_of(3))
		strbuf_addf(text, " -m conntrack --ctorigdstport %u --ctdir ORIGINAL", 1 + random_below(3));
}

/* Chains a to c; each goes to later ones only. */
static void add_rule(struct strbuf *text, const char *chain, char after, bool forward, bool mangle)
{
	strbuf_addf(text, "-A %s", chain);
	add_match(text, forward, !mangle);
	switch (random_below(mangle ? 11 : 6)) {
	case 0:
		strbuf_adds(text, " -j ACCEPT");
		break;
	case 1:
		strbuf_adds(text, " -j DROP");
		break;
	case 2:
		strbuf_adds(text, " -j RETURN");
		break;
	case 6:
	case 7:
		strbuf_addf(text, " -j MARK --set-xmark 0x%x/0x%x", random_below(4), random_below(4));
		break;
	case 8:
		strbuf_addf(text, " -j CONNMARK --set-xmark 0x%x/0x%x", random_below(4), random_below(4));
		break;
	case 9:
	case 10:
		strbuf_addf(text, " -j CONNMARK --%s-mark --nfmask 0x%x --ctmask 0x%x", one_of(2) ? "save" : "restore",
			    random_below(4), random_below(4));
		break;
	default:
		if (after < 'c')
			strbuf_addf(text, " -%c %c", one_of(3) ? 'g' : 'j', after + 1 + (char)random_below((unsigned)('c' - after)));
	}
	strbuf_addc(text, '\n');
}

/* Behind many rules for services, others are looked at by another way. Nobody sends to that port. */
static void add_services(struct strbuf *text, const char *chain)
{
	for (unsigned count = 20; count; count--)
		strbuf_addf(text, "-A %s -p udp -m udp --dport 9 -j DROP\n", chain);
}

static void add_rules(struct strbuf *text, const char *chain, char after, bool forward, bool mangle)
{
	if (one_of(4))
		add_services(text, chain);
	for (unsigned count = random_below(5); count; count--)
		add_rule(text, chain, after, forward, mangle);
}

static void make_rules(struct strbuf *text)
{
	bool drop = one_of(2);

	strbuf_adds(text, "*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n"
			  ":OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:a - [0:0]\n:b - [0:0]\n:c - [0:0]\n");
	add_rules(text, "PREROUTING", 'a' - 1, false, true);
	add_rules(text, "a", 'a', false, true);
	add_rules(text, "b", 'b', false, true);
	add_rules(text, "c", 'c', false, true);
	strbuf_adds(text, "COMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
			  ":POSTROUTING ACCEPT [0:0]\n");
	for (unsigned count = random_below(4); count; count--)
		if (one_of(3))
			strbuf_addf(text, "-A PREROUTING -d 10.0.0.%u/31 -j NETMAP --to 10.0.0.%u/31\n", 2 * random_below(2),
				    2 * random_below(2));
		else
			strbuf_addf(text, "-A PREROUTING -d 10.0.0.%u/%u -p tcp -m tcp --dport %u -j DNAT --to-destination 10.0.0.%u%s\n",
				    random_below(4), 30 + random_below(3), 1 + random_below(3), random_below(4),
				    one_of(2) ? ":2" : "");
	strbuf_addf(text, "COMMIT\n*filter\n:INPUT %s [0:0]\n:FORWARD %s [0:0]\n:OUTPUT ACCEPT [0:0]\n:a - [0:0]\n"
			  ":b - [0:0]\n:c - [0:0]\n",
		    drop ? "DROP" : "ACCEPT", drop ? "ACCEPT" : "DROP");
	add_rules(text, "INPUT", 'a' - 1, false, false);
	add_rules(text, "FORWARD", 'a' - 1, true, false);
	add_rules(text, "a", 'a', true, false);
	add_rules(text, "b", 'b', true, false);
	add_rules(text, "c", 'c', true, false);
	if (one_of(4))
		strbuf_adds(text, "-A INPUT -m limit --limit 1/s -j DROP\n");
	strbuf_adds(text, "COMMIT\n");
}

static uint32_t number_of_out(const struct packet_space *space, const char *name)
{
	for (uint32_t i = 1; name && i < space->outs.len; i++)
		if (strcmp(space->outs.data[i], name) == 0)
			return i;
	return OUT_HOST;
}

/* The packets of the set that are like this one, whatever DNAT has made of them. */
static bool holds(struct packet_space *space, uint32_t set, const struct one_packet *packet, const char *out)
{
	struct sample sample = {.values = {
		[FIELD_OUT] = number_of_out(space, out),
		[FIELD_TYPE] = packet->local ? TYPE_LOCAL : TYPE_UNICAST,
		[FIELD_DST] = packet->dst, [FIELD_SRC] = packet->src, [FIELD_PROTOCOL] = packet->protocol,
		[FIELD_DPORT] = packet->dport, [FIELD_SPORT] = packet->sport,
	}};

	return packets_and(space, set, packets_like(space, &sample)) != DIAGRAM_NONE;
}

static void mention_universe(struct packet_space *space)
{
	for (addr_number i = 0; i < 4; i++) {
		packet_space_mention(space, FIELD_DST, 0x0a000000 + i, 0x0a000000 + i);
		packet_space_mention(space, FIELD_SRC, 0x0a010000 + i, 0x0a010000 + i);
		packet_space_mention(space, FIELD_DPORT, i, i);
	}
	packet_space_mention(space, FIELD_PROTOCOL, 17, 17);
	for (size_t i = 1; i < sizeof outs / sizeof *outs; i++)
		packet_space_mention_interface(space, outs[i]);
	packet_space_mention_interface(space, "wg1");
}

static void check_packet(struct packet_space *space, const struct journey *journey, const struct ruleset *rules,
			 struct one_packet packet)
{
	bool accepted, dropped, gets_in;

	packet.coin = false;
	gets_in = one_gets_in(packet, rules);
	packet.coin = true;
	accepted = gets_in || one_gets_in(packet, rules);
	dropped = !gets_in || !one_gets_in(packet, rules);
	ck_assert_msg((holds(space, journey->accepted[PASSAGE_AS_SENT], &packet, packet.out) ||
		       holds(space, journey->accepted[PASSAGE_TRANSLATED], &packet, packet.translated_out)) == accepted &&
			      (holds(space, journey->dropped[PASSAGE_AS_SENT], &packet, packet.out) ||
			       holds(space, journey->dropped[PASSAGE_TRANSLATED], &packet, packet.translated_out)) == dropped,
		      "src %u dst %u proto %u dport %u local %d out %s/%s: accepted %d dropped %d",
		      (unsigned)packet.src & 3, (unsigned)packet.dst & 3, packet.protocol, packet.dport, packet.local,
		      packet.out ? packet.out : "-", packet.translated_out ? packet.translated_out : "-", accepted, dropped);
}

static unsigned check_rules(const char *text)
{
	struct arena arena = ARENA_EMPTY;
	struct sources sources;
	struct diags diags;
	struct source *source;
	struct ruleset rules;
	struct packet_space space;
	struct host host;
	struct places places;
	struct traverse_input input = {.ruleset = &rules, .in = "wg1", .places = &places};
	struct journey journey;
	unsigned count = 0;

	sources_init(&sources, &arena);
	diags_init(&diags, &arena);
	source = sources_add(&sources, "random", text, strlen(text));
	ck_assert(snapshot_read(&rules, FAMILY_IPV4, source, &arena, &diags));
	ck_assert_msg(!diags.all.len, "%s: %s", diags.all.len ? diags.all.data[0]->message : "", text);
	packet_space_init(&space, FAMILY_IPV4, &arena);
	packet_space_mention_rules(&space, &rules);
	host_init(&host, &arena);
	places_mention(&space, &host);
	traverse_mention(&space);
	mention_universe(&space);
	packet_space_close(&space);
	places_make(&places, &space, &host);
	input.arriving = traverse_arriving(&space, &places);
	traverse(&journey, &space, &input);
	ck_assert(!journey.gave_up && !packet_space_gave_up(&space));
	/* 4 sources, 4 destinations, 2 protocols, 4 ports, 3 routes and types, 3 routes once translated */
	for (unsigned i = random_below(7); i < 4 * 4 * 2 * 4 * 3 * 3; i += 1 + random_below(7)) {
		struct one_packet packet = {.in = "wg1", .sport = 50000, .hops = 64};
		size_t route = i / 128 % 3;

		packet.src = 0x0a010000 + i % 4;
		packet.dst = 0x0a000000 + i / 4 % 4;
		packet.protocol = i / 16 % 2 ? 6 : 17;
		packet.dport = i / 32 % 4;
		packet.local = route == 0;
		packet.out = outs[route];
		packet.translated_out = outs[i / 384];
		check_packet(&space, &journey, &rules, packet);
		count++;
	}
	packet_space_free(&space);
	arena_free(&arena);
	return count;
}

START_TEST(agrees_with_single_packets)
{
	struct strbuf text = STRBUF_EMPTY;
	unsigned packets = 0;

	for (int i = 0; i < RULE_SETS; i++) {
		strbuf_reset(&text);
		make_rules(&text);
		packets += check_rules(strbuf_str(&text));
	}
	printf("traverse: %d random rule sets, %u packets, no difference\n", RULE_SETS, packets);
	strbuf_free(&text);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("traverse");
	TCase *tests = tcase_create("traverse");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, agrees_with_single_packets);
	suite_add_tcase(suite, tests);
	return suite;
}
