#include "random.h"
#include "unit.h"

#include <peerwall/reach.h>
#include <peerwall/snapshot.h>
#include <peerwall/strbuf.h>
#include <peerwall/trace.h>

#include <stdio.h>
#include <string.h>

/* Random rules on a host whose addresses and routes are known: what rows say is what the tracer and the sets say. */

#define RULE_SETS 300

static uint64_t seed = 20260711;

static const char host_text[] =
	"[{\"ifname\":\"lo\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"127.0.0.1\",\"prefixlen\":8}]},"
	"{\"ifname\":\"wg1\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"10.1.0.1\",\"prefixlen\":24}]},"
	"{\"ifname\":\"eth0\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"10.0.0.1\",\"prefixlen\":24}]},"
	"{\"ifname\":\"eth1\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"10.2.0.1\",\"prefixlen\":24}]}]"
	"[{\"dst\":\"default\",\"gateway\":\"10.0.0.254\",\"dev\":\"eth0\"},{\"dst\":\"10.0.0.0/24\",\"dev\":\"eth0\"},"
	"{\"dst\":\"10.1.0.0/24\",\"dev\":\"wg1\"},{\"dst\":\"10.2.0.0/24\",\"dev\":\"eth1\"}]";

/* ---- rules ---- */

static void add_matches(struct strbuf *text, bool ports)
{
	if (one_of(3))
		strbuf_addf(text, " %s-s 10.1.0.%u/%u", one_of(4) ? "! " : "", random_below(8), 29 + random_below(4));
	if (one_of(3))
		strbuf_addf(text, " %s-d 10.%u.0.%u/%u", one_of(4) ? "! " : "", random_below(3), random_below(4),
			    30 + random_below(3));
	if (one_of(4))
		strbuf_adds(text, one_of(2) ? " -i wg1" : " ! -i eth0");
	if (ports || one_of(2)) {
		strbuf_addf(text, " -p %s", one_of(3) ? "udp" : "tcp");
		if (one_of(8))
			strbuf_addf(text, " -m multiport --sports %u", 20 + random_below(2));
		strbuf_addf(text, " -m multiport --dports %u:%u", 80 + random_below(2), 82 + random_below(2));
	}
	if (one_of(8))
		strbuf_adds(text, " -m limit --limit 5/min");
	if (one_of(10))
		strbuf_adds(text, " -m ttl --ttl-gt 9");
}

static void add_filter_rules(struct strbuf *text, const char *chain)
{
	static const char *const targets[] = {"ACCEPT", "ACCEPT", "DROP", "REJECT", "a", "RETURN"};

	for (unsigned count = random_below(5); count; count--) {
		const char *target = targets[random_below(*chain == 'a' ? 4 : 6)];

		strbuf_addf(text, "-A %s", chain);
		add_matches(text, false);
		if (strcmp(chain, "FORWARD") == 0 && one_of(3))
			strbuf_addf(text, " -o eth%u", random_below(2));
		strbuf_addf(text, " -j %s\n", target);
	}
}

static void add_nat_rules(struct strbuf *text)
{
	for (unsigned count = random_below(5); count; count--) {
		strbuf_adds(text, "-A PREROUTING");
		add_matches(text, true);
		if (one_of(4))
			strbuf_addf(text, " -j REDIRECT --to-ports %u\n", 80 + random_below(4));
		else if (one_of(6))
			strbuf_addf(text, " -j DNAT --to-destination 10.2.0.%u-10.2.0.9\n", 2 + random_below(3));
		else
			strbuf_addf(text, " -j DNAT --to-destination 10.%u.0.%u%s\n", random_below(3), 1 + random_below(3),
				    one_of(2) ? ":81" : "");
	}
}

static void make_rules(struct strbuf *text)
{
	strbuf_adds(text, "*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n"
			  ":OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n");
	if (one_of(3))
		strbuf_adds(text, "-A PREROUTING -p tcp -m tcp --dport 82 -j DROP\n");
	strbuf_adds(text, "COMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
			  ":POSTROUTING ACCEPT [0:0]\n");
	add_nat_rules(text);
	strbuf_addf(text, "COMMIT\n*filter\n:INPUT %s [0:0]\n:FORWARD %s [0:0]\n:OUTPUT ACCEPT [0:0]\n:a - [0:0]\n",
		    one_of(3) ? "ACCEPT" : "DROP", one_of(3) ? "ACCEPT" : "DROP");
	add_filter_rules(text, "INPUT");
	add_filter_rules(text, "FORWARD");
	add_filter_rules(text, "a");
	strbuf_adds(text, "COMMIT\n");
}

/* ---- rows ---- */

static uint32_t packets_of(struct packet_space *space, const struct exposure_row *row)
{
	uint32_t packets = packets_and(space, packets_and(space, row->sources, row->services), row->outs);

	packets = packets_and(space, packets, packets_and(space, row->destinations, row->types));
	if (row->kind != EXPOSURE_TRANSLATED)
		return packets;
	packets = packets_and(space, packets, packets_and(space, row->targets, row->target_ports));
	return row->port_kept ? packets_and(space, packets, packets_untouched(space, FIELD_DPORT, FIELD_NEW_DPORT)) : packets;
}

static uint32_t shown(struct packet_space *space, uint32_t packets)
{
	return packets_forget(space, packets, FIELD_BIT(FIELD_SPORT) | FIELD_BIT(FIELD_FLAGS) | FIELD_BIT(FIELD_HOPS));
}

/* What gets in is in a row, and what is in a row gets in, as far as anything comes so. */
static void check_cover(struct packet_space *space, const struct reach_interfaces *group)
{
	uint32_t rows[PASSAGE_COUNT] = {DIAGRAM_NONE, DIAGRAM_NONE};

	vec_each(row, &group->rows) {
		enum passage passage = row->what.kind == EXPOSURE_TRANSLATED ? PASSAGE_TRANSLATED : PASSAGE_AS_SENT;

		rows[passage] = packets_or(space, rows[passage], packets_of(space, &row->what));
	}
	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		uint32_t accepted = shown(space, group->accepted[passage]);
		uint32_t wrong = packets_and(space, packets_minus(space, rows[passage], accepted), group->dropped[passage]);

		ck_assert_uint_eq(packets_minus(space, accepted, rows[passage]), DIAGRAM_NONE);
		ck_assert_uint_eq(wrong, DIAGRAM_NONE);
	}
}

static bool has_value(struct packet_space *space, uint32_t set, enum field field, addr_number value)
{
	return packets_and(space, set, packets_range(space, field, value, value)) != DIAGRAM_NONE;
}

static void check_end(struct packet_space *space, const struct reach_row *row, const struct trace_path *path)
{
	addr_number destination = addr_to_number(&path->packet.destination.lo);
	bool host = row->what.outs == packets_to_host(space);

	ck_assert_int_eq(path->forwarded, !host);
	if (!host && path->out)
		ck_assert_uint_ne(packets_and(space, row->what.outs, packets_out(space, path->out)), DIAGRAM_NONE);
	if (row->what.kind != EXPOSURE_TRANSLATED) {
		ck_assert(has_value(space, row->what.destinations, FIELD_DST, destination));
		return;
	}
	ck_assert(has_value(space, row->what.targets, FIELD_NEW_DST, destination));
	if (!row->what.port_kept)
		ck_assert(has_value(space, row->what.target_ports, FIELD_NEW_DPORT, path->packet.destination_port.lo));
}

/* Does the path lead over a rule that the row names? */
static bool is_named(const struct reach_rules *rules, const struct trace_path *path)
{
	vec_each(rule, &rules->items)
		vec_each(step, &path->steps)
			if (step->kind == STEP_RULE && step->matched && step->rule == rule->rule && step->number == rule->number)
				return true;
	return rules->more > 0;
}

/*
 * The sets leave open what kernels do not agree on: the first address of a network and of all may be a broadcast, and the
 * loopback's addresses may be routed. The tracer does not, or says that nobody knows.
 */
static bool is_plain(const struct sample *sample)
{
	addr_number destination = sample->values[FIELD_DST];

	return destination & 0xff && destination >> 24 != 127;
}

/* As it is shown, and read again. */
static struct packet read_again(const struct packet *shown, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	struct sources sources;
	struct packet packet;
	struct diags diags;

	sources_init(&sources, arena);
	diags_init(&diags, arena);
	reach_add_witness(&text, shown);
	ck_assert_msg(packet_parse(&packet, strbuf_str(&text), &sources, arena, &diags), "not taken: %s", strbuf_str(&text));
	strbuf_free(&text);
	return packet;
}

static void check_witness(struct reach *reach, const struct reach_input *input, const struct reach_interfaces *group,
			  const struct reach_row *row)
{
	struct reach_witness witness = reach_find_witness(reach, group, row);
	struct packet packet = read_again(&witness.packet, reach->space.arena);
	struct trace_input traced = {.rules = input->ruleset, .host = input->host, .packet = &packet, .backend = CHECK_BACKEND_NFT};
	struct trace trace;
	bool accepted = false;

	if (!is_plain(&witness.sample))
		return;
	trace_run(&trace, &traced, reach->space.arena);
	vec_each(path, &trace.paths) {
		if (path->fate != FATE_ACCEPTED)
			continue;
		/* What a rule in doubt does may lead elsewhere: that is another row's. */
		if (row->what.certain)
			check_end(&reach->space, row, path);
		if (row->what.kind == EXPOSURE_TRANSLATED && row->what.certain)
			ck_assert(is_named(&row->translations, path));
		accepted = true;
	}
	ck_assert(accepted);
	if (row->what.certain)
		ck_assert_int_eq(trace_fate(&trace), FATE_ACCEPTED);
}

struct world {
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct ruleset ruleset;
	struct host host;
	struct reach_input input;
	struct reach reach;
};

/* All but what limits the work. */
static void world_init(struct world *world, const char *text, bool known)
{
	static const char *const interfaces[] = {"wg1", "eth0", "eth1"};
	struct arena *arena = &world->arena;

	*world = (struct world){
		.arena = ARENA_EMPTY,
		.input = {.ruleset = &world->ruleset, .host = &world->host, .nat_first = true, .wanted = {.services = {.any = true}}},
	};
	sources_init(&world->sources, arena);
	diags_init(&world->diags, arena);
	host_init(&world->host, arena);
	ck_assert(snapshot_read(&world->ruleset, FAMILY_IPV4, sources_add(&world->sources, "rules", text, strlen(text)), arena,
				&world->diags));
	if (known)
		ck_assert(host_read(&world->host, sources_add(&world->sources, "host", host_text, strlen(host_text)), &world->diags));
	for (size_t i = 0; known && i < sizeof interfaces / sizeof *interfaces; i++)
		vec_push(arena, &world->input.interfaces.items, interfaces[i]);
	host_infer(&world->host, &world->ruleset);
}

static void reach_within(struct world *world, size_t rows_most, uint64_t effort_most)
{
	world->input.rows_most = rows_most;
	world->input.effort_most = effort_most;
	ck_assert(reach_make(&world->reach, &world->input, &world->arena));
}

static void world_free(struct world *world)
{
	reach_free(&world->reach);
	arena_free(&world->arena);
}

static size_t check_rules(const char *text, bool known)
{
	struct world world;
	size_t rows = 0;

	world_init(&world, text, known);
	reach_within(&world, EXPOSURE_ROWS_MAX, UINT64_MAX);
	ck_assert_uint_eq(world.reach.omitted.items.len, 0);
	vec_each(group, &world.reach.groups) {
		check_cover(&world.reach.space, group);
		vec_each(row, &group->rows)
			check_witness(&world.reach, &world.input, group, row);
		ck_assert(!group->cut);
		rows += group->rows.len;
	}
	world_free(&world);
	return rows;
}

START_TEST(rows_of_random_rules_hold)
{
	size_t rows = 0;

	for (int i = 0; i < RULE_SETS; i++) {
		struct strbuf text = STRBUF_EMPTY;

		make_rules(&text);
		rows += check_rules(strbuf_str(&text), true);
		strbuf_free(&text);
	}
	printf("reach: %d random rule sets, %zu rows, each replayed\n", RULE_SETS, rows);
	ck_assert_uint_gt(rows, 1000);
}
END_TEST

static const char docker_rules[] =
	"*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n"
	"-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
	"-A POSTROUTING -s 172.18.0.0/16 ! -o br1 -j MASQUERADE\n"
	"-A DOCKER -i br1 -j RETURN\n"
	"-A DOCKER ! -i br1 -p tcp -m tcp --dport 8096 -j DNAT --to-destination 172.18.0.2:80\n"
	"COMMIT\n*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
	"-A FORWARD -d 172.18.0.2/32 ! -i br1 -o br1 -p tcp -m tcp --dport 80 -j ACCEPT\nCOMMIT\n";

/* Where nobody told of the host: a published port and the container's own address. */
START_TEST(a_container_is_reached_both_ways)
{
	/* Twice by any other interface; nothing by the bridge. */
	ck_assert_uint_eq(check_rules(docker_rules, false), 2);
}
END_TEST

/* What sets the mark by which nat chooses, may take hold or not. */
START_TEST(what_a_doubtful_mark_leads_elsewhere_is_not_certain)
{
	static const char rules[] =
		"*mangle\n:PREROUTING ACCEPT [0:0]\n:web - [0:0]\n-A PREROUTING -p tcp -m tcp --dport 80 -j web\n"
		"-A web -m mac --mac-source 58:94:6B:17:41:7C -j RETURN\n-A web -j MARK --set-xmark 0x63/0xffffffff\nCOMMIT\n"
		"*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		"-A PREROUTING -p tcp -m mark --mark 0x63 -j DNAT --to-destination 192.168.188.2\nCOMMIT\n";
	struct world world;

	ck_assert_uint_gt(check_rules(rules, false), 0);
	world_init(&world, rules, false);
	reach_within(&world, EXPOSURE_ROWS_MAX, UINT64_MAX);
	vec_each(row, &world.reach.groups.data[0].rows)
		ck_assert(!row->what.certain || row->what.kind != EXPOSURE_TRANSLATED);
	world_free(&world);
}
END_TEST

/* By every interface and to everything, where nobody told of the host: each row's packet can be traced, and gets where the row says. */
START_TEST(what_is_shown_of_a_row_can_be_traced)
{
	static const char *const rules[] = {
		/* Which address is a broadcast, the host alone knows; which is a multicast, shows. */
		"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		"-A INPUT -i eth0 -m addrtype --dst-type LOCAL -j DROP\nCOMMIT\n",
		"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		"-A INPUT -m addrtype --dst-type BROADCAST -j ACCEPT\n"
		"-A FORWARD -d 224.0.0.0/4 -i eth0 -j ACCEPT\n-A FORWARD -d 10.0.0.0/8 -i eth1 -j ACCEPT\nCOMMIT\n",
		/* HOPOPT. */
		"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		"-A INPUT -p tcp -j DROP\n-A INPUT -p udp -j DROP\n-A INPUT -p icmp -j DROP\n-A INPUT -j ACCEPT\nCOMMIT\n",
		/* One flag is looked at, and it is not the one that begins a connection. */
		"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		"-A INPUT -m conntrack --ctstate NEW -j ACCEPT\n-A OUTPUT -p tcp -m tcp --tcp-flags ACK ACK -j ACCEPT\nCOMMIT\n",
		/* Answers begin nothing. */
		"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		"-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n",
	};

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		ck_assert_uint_gt(check_rules(rules[i], false), 0);
}
END_TEST

START_TEST(rows_beyond_those_that_are_wanted_are_left_out)
{
	struct world world;

	world_init(&world, docker_rules, false);
	reach_within(&world, 1, UINT64_MAX);
	ck_assert_uint_eq(world.reach.groups.len, 2);
	ck_assert_uint_eq(world.reach.groups.data[1].rows.len, 1);
	ck_assert(world.reach.groups.data[1].cut);
	check_witness(&world.reach, &world.input, &world.reach.groups.data[1], &world.reach.groups.data[1].rows.data[0]);
	world_free(&world);
}
END_TEST

START_TEST(interfaces_beyond_the_effort_are_named_and_the_last_one_is_told)
{
	struct world world;

	world_init(&world, docker_rules, false);
	reach_within(&world, EXPOSURE_ROWS_MAX, 0);
	ck_assert_uint_eq(world.reach.omitted.items.len, 1);
	ck_assert_str_eq(world.reach.omitted.items.data[0], "br1");
	ck_assert_uint_eq(world.reach.groups.len, 1);
	ck_assert_str_eq(world.reach.groups.data[0].names.items.data[0], "other");
	ck_assert_uint_eq(world.reach.groups.data[0].rows.len, 2);
	world_free(&world);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("reach");
	TCase *cases = tcase_create("reach");

	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, rows_of_random_rules_hold);
	tcase_add_test(cases, a_container_is_reached_both_ways);
	tcase_add_test(cases, what_a_doubtful_mark_leads_elsewhere_is_not_certain);
	tcase_add_test(cases, what_is_shown_of_a_row_can_be_traced);
	tcase_add_test(cases, rows_beyond_those_that_are_wanted_are_left_out);
	tcase_add_test(cases, interfaces_beyond_the_effort_are_named_and_the_last_one_is_told);
	suite_add_tcase(suite, cases);
	return suite;
}
