#include "one_packet.h"
#include "random.h"
#include "unit.h"

#include <peerwall/declared.h>
#include <peerwall/overlay.h>
#include <peerwall/proof.h>
#include <peerwall/resolve.h>
#include <peerwall/snapshot.h>

#include <stdio.h>

/*
 * Mutants: what the compiler writes, with one mistake in it. What the proof does not notice must change nothing: many
 * packets, one by one, have to fare as before.
 */

static uint64_t seed = 20260303;

struct world {
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct policy policy;
	struct unit_list units;
	struct name_list interfaces;
	struct ruleset host[FAMILY_COUNT];
};

static const char *const hosts[FAMILY_COUNT] = {
	"*mangle\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n"
	"*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n"
	"-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
	"-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8096 -j DNAT --to-destination 172.17.0.2:80\nCOMMIT\n"
	"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n-A FORWARD -d 172.17.0.2/32 -o docker0 -j ACCEPT\nCOMMIT\n",
	"*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n",
};

static void world_init(struct world *world, const char *text)
{
	struct ast ast;
	struct source *source;

	*world = (struct world){.arena = ARENA_EMPTY};
	sources_init(&world->sources, &world->arena);
	diags_init(&world->diags, &world->arena);
	source = sources_add(&world->sources, "test.pw", text, strlen(text));
	ck_assert(parse_policy(&ast, &world->sources, source, NULL, &world->arena, &world->diags));
	ck_assert(resolve_policy(&world->policy, &ast, &world->arena, &world->diags));
	lower_policy(&world->units, &world->policy, &world->arena);
	vec_each(unit, &world->units.items)
		vec_push(&world->arena, &world->interfaces.items, unit->interface);
	for (int family = 0; family < FAMILY_COUNT; family++) {
		source = sources_add(&world->sources, "host", hosts[family], strlen(hosts[family]));
		ck_assert(snapshot_read(&world->host[family], (enum family)family, source, &world->arena, &world->diags));
	}
	ck_assert_uint_eq(world->diags.all.len, 0);
}

static void apply(struct world *world, enum family family, struct ruleset *out)
{
	struct ruleset want;
	struct plan plan;

	plan_want(&want, family, &world->units, &world->arena);
	plan_make(&plan, &world->host[family], &want, &world->interfaces, &world->arena);
	overlay_make(out, &world->host[family], &plan, &world->arena);
}

static size_t findings(struct world *world, const struct ruleset *rules)
{
	struct host host;
	struct proof_input input = {.applied = rules, .host = &host, .nat_first = true};
	struct arena arena = ARENA_EMPTY;
	struct diags diags;
	size_t count;

	diags_init(&diags, &arena);
	host_init(&host, &arena);
	vec_push(&arena, &input.policies.items, &world->policy);
	ck_assert(proof_run(&input, &arena, &diags) != PROOF_GIVES_UP);
	count = 0;
	vec_each(diag, &diags.all)
		count += (*diag)->code != CODE_ASSUMED;
	arena_free(&arena);
	return count;
}

/* ---- packets ---- */

static addr_number number_of(const char *text)
{
	struct addr addr;

	ck_assert(addr_parse(text, strlen(text), &addr));
	return addr_to_number(&addr);
}

static struct one_packet random_packet(enum family family)
{
	static const char *const sources[FAMILY_COUNT][8] = {
		{"10.1.1.4", "10.1.1.5", "10.1.1.200", "10.1.2.1", "9.255.255.255", "11.0.0.1", "10.1.0.255", "192.0.2.1"},
		{"fd00:1::4", "fd00:1::5", "fd00:1::", "fd00:2::1", "2001:db8::1", "fe80::1", "fec0::1", "fd00::1"},
	};
	static const char *const destinations[FAMILY_COUNT][8] = {
		{"10.1.1.1", "10.1.1.9", "192.168.7.5", "192.168.8.5", "172.17.0.2", "10.1.2.1", "203.0.113.1", "224.0.0.1"},
		{"fd00:1::1", "fd00:1::9", "fd00:7::5", "fd00:8::5", "2001:db8::2", "fd00:2::1", "2001:db9::1", "ff02::1"},
	};
	static const char *const interfaces[] = {"wg1", "wg1", "wg1", "wg2", "eth0", "docker0"};
	static const char *const outs[] = {"wg1", "wg2", "eth0", "docker0", "eth1"};
	static const uint16_t ports[] = {21, 22, 23, 80, 443, 445, 446, 873, 8095, 8096, 8097, 60000, 60500, 61001};
	static const uint8_t protocols[] = {6, 6, 6, 17, 132, 47, 0};
	static const uint8_t types[] = {0, 3, 8, 128, 129, 132, 133, 134, 136, 137, 130};
	struct one_packet packet = {.sport = 50000};

	packet.in = interfaces[random_below(6)];
	packet.src = number_of(sources[family][random_below(8)]);
	packet.dst = number_of(destinations[family][random_below(8)]);
	packet.multicast = packet.dst == number_of(destinations[family][7]);
	packet.local = !packet.multicast && random_below(2);
	packet.out = packet.local || packet.multicast ? NULL : outs[random_below(5)];
	packet.translated_out = random_below(2) ? "docker0" : outs[random_below(5)];
	packet.protocol = protocols[random_below(7)];
	if (!packet.protocol)
		packet.protocol = family == FAMILY_IPV4 ? 1 : 58;
	packet.dport = ports[random_below(14)];
	packet.icmp_type = types[random_below(11)];
	packet.hops = random_below(2) ? 255 : 64;
	packet.untracked = packet.protocol == 58 && packet.icmp_type >= 130 && packet.icmp_type <= 137;
	return packet;
}

/*
 * What neither enters nor leaves by an interface of the policy is none of its business; nor is neighbour discovery that is
 * forwarded, since that takes one from the hop limit and nobody believes it any more.
 */
static bool concerns(const struct policy *policy, const struct one_packet *packet)
{
	if (packet->untracked && packet->out)
		return false;
	return declared_covers(policy, packet->in) || (packet->out && declared_covers(policy, packet->out) &&
						       declared_covers(policy, packet->translated_out));
}

static bool behave_alike(const struct policy *policy, const struct ruleset *a, const struct ruleset *b)
{
	for (unsigned i = 0; i < 2500; i++) {
		struct one_packet packet = random_packet(a->family);

		if (concerns(policy, &packet) && one_gets_in(packet, a) != one_gets_in(packet, b))
			return false;
	}
	return true;
}

/* ---- mutants ---- */

struct count {
	unsigned mutants, noticed;
};

static void judge(struct world *world, const struct ruleset *right, const struct ruleset *mutant, struct count *count,
		  const char *kind, const struct chain *chain, size_t index)
{
	bool noticed = findings(world, mutant) > 0;

	count->mutants++;
	count->noticed += noticed;
	ck_assert_msg(noticed || behave_alike(&world->policy, right, mutant), "%s: %s of rule %zu of %s changes what gets in and was not noticed",
		      family_name(right->family), kind, index + 1, chain->name);
}

static bool is_own(struct world *world, const struct chain *chain, const struct rule *rule)
{
	return chain->builtin ? own_jump_interface(&world->arena, rule) != NULL :
				own_chain_interface(&world->arena, chain->name) != NULL;
}

static void widen(struct network_match *network)
{
	int length = addr_netmask_length(&network->mask);

	network->mask = addr_netmask(network->addr.family, (unsigned)length - 1);
	for (int i = 0; i < 16; i++)
		network->addr.bytes[i] &= network->mask.bytes[i];
}

/* One match taken out. */
static void forget_match(struct arena *arena, struct rule *rule, size_t index)
{
	struct rule changed = *rule;

	changed.matches.data = NULL;
	changed.matches.len = changed.matches.cap = 0;
	for (size_t i = 0; i < rule->matches.len; i++)
		if (i != index)
			vec_push(arena, &changed.matches, rule->matches.data[i]);
	*rule = changed;
}

static void mutate_rule(struct world *world, const struct ruleset *right, struct ruleset *mutant, struct chain *chain,
			size_t i, struct count *count)
{
	struct rule *rule = &chain->rules.data[i], kept = *rule;
	size_t len = chain->rules.len;

	if (!is_own(world, chain, rule))
		return;
	memmove(rule, rule + 1, (len - i - 1) * sizeof *rule);
	chain->rules.len--;
	judge(world, right, mutant, count, "loss", chain, i);
	chain->rules.len++;
	memmove(rule + 1, rule, (len - i - 1) * sizeof *rule);
	*rule = kept;
	if (i + 1 < len) {
		*rule = rule[1];
		rule[1] = kept;
		judge(world, right, mutant, count, "swap", chain, i);
		rule[1] = *rule;
		*rule = kept;
	}
	if (rule->source.present) {
		widen(&rule->source);
		judge(world, right, mutant, count, "wider source", chain, i);
		*rule = kept;
	}
	if (rule->destination.present) {
		widen(&rule->destination);
		judge(world, right, mutant, count, "wider destination", chain, i);
		*rule = kept;
	}
	if (rule->out.name) {
		rule->out.name = NULL;
		judge(world, right, mutant, count, "forgotten interface", chain, i);
		*rule = kept;
	}
	for (size_t m = 0; m < kept.matches.len; m++) {
		forget_match(&world->arena, rule, m);
		judge(world, right, mutant, count, "forgotten match", chain, i);
		*rule = kept;
	}
	if (rule->target.kind == TARGET_DROP || rule->target.kind == TARGET_RETURN) {
		rule->target.kind = rule->target.kind == TARGET_DROP ? TARGET_RETURN : TARGET_ACCEPT;
		judge(world, right, mutant, count, "other verdict", chain, i);
		*rule = kept;
	}
}

static const char *const policies[] = {
	"peers lan = 10.1.1.0/24, fd00:1::/64\npeers laptop = 10.1.1.4, fd00:1::4\n"
	"interface wg1 {\n expose tcp 8096 to lan\n expose tcp 22, udp 60000-61000 to laptop\n allow ping from lan\n"
	" forward from lan to lan\n forward from laptop to 192.168.7.0/24, fd00:7::/64 via eth0 tcp 445\n"
	" forward from 192.168.7.0/24, fd00:7::/64 via eth0 to laptop tcp 80\n otherwise drop\n}\n"
	"test { laptop can tcp 22\n lan can tcp 8096\n lan can ping\n lan cannot tcp 873 }\n",
	"peers lan = 10.1.1.0/24, fd00:1::/64\npeers laptop = 10.1.1.4, fd00:1::4\n"
	"interface wg1 {\n expose tcp 8096 to lan\n expose tcp 22, udp 60000-61000 to laptop\n allow ping from lan\n"
	" forward from lan to lan\n forward from laptop to 192.168.7.0/24, fd00:7::/64 via eth0 tcp 445\n"
	" forward from 192.168.7.0/24, fd00:7::/64 via eth0 to laptop tcp 80\n otherwise reject\n}\n"
	"test { laptop can tcp 22\n lan can tcp 8096\n lan can ping\n lan cannot tcp 873 }\n",
	"peers lan = 10.1.1.0/24, fd00:1::/64\n"
	"interface wg1, wg2 {\n expose tcp 22, tcp 8096 to lan at 10.1.1.1, fd00:1::1\n otherwise drop\n}\n",
};

static void check_policy(const char *text, struct count *count)
{
	struct world world;

	world_init(&world, text);
	for (int family = 0; family < FAMILY_COUNT; family++) {
		struct ruleset right, mutant;

		apply(&world, (enum family)family, &right);
		ck_assert_uint_eq(findings(&world, &right), 0);
		apply(&world, (enum family)family, &mutant);
		for (int id = 0; id < TABLE_COUNT; id++)
			for (size_t c = 0; c < mutant.tables[id].chains.len; c++)
				for (size_t i = 0; i < mutant.tables[id].chains.data[c].rules.len; i++)
					mutate_rule(&world, &right, &mutant, &mutant.tables[id].chains.data[c], i, count);
		/* The whole family forgotten. */
		judge(&world, &right, &world.host[family], count, "loss of a family", &right.tables[TABLE_MANGLE].chains.data[0],
		      0);
	}
	arena_free(&world.arena);
}

START_TEST(notices_mutants)
{
	struct count count = {0};

	check_policy(policies[_i], &count);
	printf("proof: policy %d: %u mutants, %u noticed, the others change nothing\n", _i + 1, count.mutants, count.noticed);
	ck_assert_uint_gt(count.noticed, count.mutants / 5);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("proof");
	TCase *tests = tcase_create("proof");

	tcase_set_timeout(tests, 240);
	tcase_add_loop_test(tests, notices_mutants, 0, sizeof policies / sizeof *policies);
	suite_add_tcase(suite, tests);
	return suite;
}
