#include "unit.h"

#include <peerwall/host.h>
#include <peerwall/snapshot.h>
#include <peerwall/traverse.h>

#include <string.h>

/* What the kernel does and one would not guess: each of these was seen with real packets first. */

enum { TO_HOST, BY_ETH0, FROM_NOBODY /* from :: to the host */ };
enum outcome { ABSENT, ACCEPTED, DROPPED, EITHER }; /* ABSENT: the packet is in another state */

struct situation {
	const char *behaviour;
	enum family family;
	const char *rules;
	enum tracking tracking;
	uint8_t protocol;
	uint16_t icmp;
	uint8_t hops;
	int way;
	enum outcome outcome;
};

static const char drop_invalid_in_raw[] = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j CT --notrack\n"
					  "-A PREROUTING -m state --state INVALID -j DROP\nCOMMIT\n";
static const char drop_untracked_in_raw[] = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j CT --notrack\n"
					    "-A PREROUTING -m conntrack ! --ctstate INVALID -j DROP\nCOMMIT\n";
static const char maybe_tracked[] =
	"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m length --length 100:200 -j RETURN\n"
	"-A PREROUTING -j CT --notrack\nCOMMIT\n"
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m conntrack --ctstate NEW -j DROP\nCOMMIT\n";
static const char bespoken[] =
	"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j CT --zone 7\n-A PREROUTING -j CT --notrack\n"
	"-A PREROUTING -m state --state NEW -j RETURN\nCOMMIT\n"
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m conntrack --ctstate NEW -j DROP\nCOMMIT\n";
static const char new_in_raw[] =
	"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j CT --zone 7\n"
	"-A PREROUTING -m state --state NEW -j DROP\nCOMMIT\n";
static const char neither_state[] =
	"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m length --length 100:200 -j CT --notrack\n"
	"-A PREROUTING -m conntrack --ctstate NEW,SNAT -j DROP\nCOMMIT\n";
static const char neither_port[] =
	"*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p udp -m udp ! --sport 50000 ! --dport 54 -j DROP\nCOMMIT\n";
static const char drop_63_hops[] =
	"*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m ttl --ttl-eq 63 -j DROP\n:FORWARD ACCEPT [0:0]\n"
	"-A FORWARD -m ttl --ttl-eq 63 -j DROP\nCOMMIT\n";
static const char drop_many_hops[] =
	"*mangle\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -m hl --hl-gt 254 -j DROP\nCOMMIT\n";
static const char drop_invalid[] =
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n";

static const char drop_nobody[] =
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m addrtype --src-type UNSPEC -j DROP\nCOMMIT\n";
static const char drop_unicast[] =
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m addrtype --src-type UNICAST -j DROP\nCOMMIT\n";
static const char drop_new[] =
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m conntrack --ctstate NEW -j DROP\nCOMMIT\n";
static const char drop_port_2048[] =
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p icmp -m conntrack --ctorigdstport 2048 -j DROP\nCOMMIT\n";
static const char drop_port_0[] =
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p esp -m conntrack --ctorigdstport 0 -j DROP\nCOMMIT\n";
static const char drop_icmp_from_5[] =
	"*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p icmp -m conntrack --ctorigsrcport 5 -j DROP\nCOMMIT\n";

static const struct situation situations[] = {
	{"UNSPEC is the source ::", FAMILY_IPV6, drop_nobody, TRACKING_NEW, 17, 0, 64, FROM_NOBODY, DROPPED},
	{"and no other", FAMILY_IPV6, drop_nobody, TRACKING_NEW, 17, 0, 64, TO_HOST, ACCEPTED},
	{":: is no unicast", FAMILY_IPV6, drop_unicast, TRACKING_NEW, 17, 0, 64, FROM_NOBODY, ACCEPTED},
	{"what asks begins something", FAMILY_IPV4, drop_new, TRACKING_NEW, 1, 8 << 8, 64, TO_HOST, DROPPED},
	{"an answer of ICMP does not", FAMILY_IPV4, drop_new, TRACKING_NEW, 1, 0, 64, TO_HOST, ABSENT},
	{"nor does an error", FAMILY_IPV4, drop_new, TRACKING_NEW, 1, 3 << 8, 64, TO_HOST, ABSENT},
	{"they are INVALID then", FAMILY_IPV4, drop_invalid, TRACKING_INVALID, 1, 3 << 8 | 4, 64, TO_HOST, DROPPED},
	{"the same goes for ICMPv6", FAMILY_IPV6, drop_new, TRACKING_NEW, 58, 1 << 8, 64, TO_HOST, ABSENT},
	{"where an echo begins something, too", FAMILY_IPV6, drop_new, TRACKING_NEW, 58, 128 << 8, 64, TO_HOST, DROPPED},
	{"the port of ICMP is its type and code", FAMILY_IPV4, drop_port_2048, TRACKING_NEW, 1, 8 << 8, 64, TO_HOST, DROPPED},
	{"of another type it is another", FAMILY_IPV4, drop_port_2048, TRACKING_NEW, 1, 13 << 8, 64, TO_HOST, ACCEPTED},
	{"the other one is anything", FAMILY_IPV4, drop_icmp_from_5, TRACKING_NEW, 1, 8 << 8, 64, TO_HOST, EITHER},
	{"what has no ports has 0", FAMILY_IPV4, drop_port_0, TRACKING_NEW, 50, 0, 64, TO_HOST, DROPPED},
	{"what raw has taken out of tracking is not INVALID", FAMILY_IPV4, drop_invalid_in_raw, TRACKING_UNTRACKED, 17,
	 0, 64, TO_HOST, ACCEPTED},
	{"what raw has taken out of tracking is UNTRACKED at once", FAMILY_IPV4, drop_untracked_in_raw,
	 TRACKING_UNTRACKED, 17, 0, 64, TO_HOST, DROPPED},
	{"in raw all else is INVALID", FAMILY_IPV4, drop_untracked_in_raw, TRACKING_NEW, 6, 0, 64, TO_HOST, ACCEPTED},
	{"what may have been led past the rule may be tracked", FAMILY_IPV4, maybe_tracked, TRACKING_NEW, 17, 0, 64,
	 TO_HOST, DROPPED},
	{"and may be not", FAMILY_IPV4, maybe_tracked, TRACKING_UNTRACKED, 17, 0, 64, TO_HOST, ACCEPTED},
	{"what CT has settings for stays tracked", FAMILY_IPV4, bespoken, TRACKING_NEW, 17, 0, 64, TO_HOST, DROPPED},
	{"and is never untracked", FAMILY_IPV4, bespoken, TRACKING_UNTRACKED, 17, 0, 64, TO_HOST, ABSENT},
	{"it is NEW in raw already", FAMILY_IPV4, new_in_raw, TRACKING_NEW, 17, 0, 64, TO_HOST, DROPPED},
	{"which others are not", FAMILY_IPV4, new_in_raw, TRACKING_NEW, 6, 0, 64, TO_HOST, ACCEPTED},
	{"in raw nothing is NEW, though it may be untracked", FAMILY_IPV4, neither_state, TRACKING_NEW, 17, 0, 64,
	 TO_HOST, ACCEPTED},
	{"iptables-nft may have loaded two negated ports as not both", FAMILY_IPV4, neither_port, TRACKING_NEW, 17, 0,
	 64, TO_HOST, EITHER},
	{"a hop is taken before FORWARD", FAMILY_IPV4, drop_63_hops, TRACKING_NEW, 17, 0, 64, BY_ETH0, DROPPED},
	{"only one is", FAMILY_IPV4, drop_63_hops, TRACKING_NEW, 17, 0, 63, BY_ETH0, ACCEPTED},
	{"none is taken before INPUT", FAMILY_IPV4, drop_63_hops, TRACKING_NEW, 17, 0, 63, TO_HOST, DROPPED},
	{"nobody has 255 hops behind the routing decision", FAMILY_IPV6, drop_many_hops, TRACKING_NEW, 17, 0, 255,
	 BY_ETH0, ACCEPTED},
	{"a redirect of ICMPv6 is INVALID", FAMILY_IPV6, drop_invalid, TRACKING_INVALID, 58, 137 << 8, 255, TO_HOST,
	 DROPPED},
	{"and not UNTRACKED", FAMILY_IPV6, drop_invalid, TRACKING_UNTRACKED, 58, 137 << 8, 255, TO_HOST, ABSENT},
	{"a neighbour's solicitation is UNTRACKED", FAMILY_IPV6, drop_invalid, TRACKING_UNTRACKED, 58, 135 << 8, 255,
	 TO_HOST, ACCEPTED},
	{"and not INVALID", FAMILY_IPV6, drop_invalid, TRACKING_INVALID, 58, 135 << 8, 255, TO_HOST, ABSENT},
	{"old kernels track the discovery of multicast routers", FAMILY_IPV6, drop_invalid, TRACKING_INVALID, 58,
	 151 << 8, 1, TO_HOST, DROPPED},
	{"newer ones do not", FAMILY_IPV6, drop_invalid, TRACKING_UNTRACKED, 58, 151 << 8, 1, TO_HOST, ACCEPTED},
};

struct stage {
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct ruleset rules;
	struct host host;
	struct packet_space space;
	struct places places;
};

static void stage_init(struct stage *stage, const struct situation *situation)
{
	*stage = (struct stage){.arena = ARENA_EMPTY};
	sources_init(&stage->sources, &stage->arena);
	diags_init(&stage->diags, &stage->arena);
	host_init(&stage->host, &stage->arena);
	ck_assert(snapshot_read(&stage->rules, situation->family,
				sources_add(&stage->sources, "rules", situation->rules, strlen(situation->rules)),
				&stage->arena, &stage->diags));
	ck_assert_msg(!stage->diags.all.len, "%s: %s", situation->behaviour,
		      stage->diags.all.len ? stage->diags.all.data[0]->message : "");
	packet_space_init(&stage->space, situation->family, &stage->arena);
	packet_space_mention_rules(&stage->space, &stage->rules);
	packet_space_mention(&stage->space, FIELD_PROTOCOL, 17, 17);
	packet_space_mention_interface(&stage->space, "eth0");
	traverse_mention(&stage->space);
	places_mention(&stage->space, &stage->host);
	packet_space_close(&stage->space);
	places_make(&stage->places, &stage->space, &stage->host);
}

static void stage_free(struct stage *stage)
{
	packet_space_free(&stage->space);
	arena_free(&stage->arena);
}

static uint32_t packet_of(struct stage *stage, const struct situation *situation)
{
	struct sample sample = {.values = {
		[FIELD_DST] = 0x0a000001,
		[FIELD_SRC] = situation->way == FROM_NOBODY ? 0 : 0x0a000002,
		[FIELD_TYPE] = situation->way == BY_ETH0 ? TYPE_UNICAST : TYPE_LOCAL,
		[FIELD_PROTOCOL] = situation->protocol,
		[FIELD_ICMP] = situation->icmp,
		[FIELD_HOPS] = situation->hops,
		[FIELD_DPORT] = 53,
		[FIELD_SPORT] = 50000,
		[FIELD_FLAGS] = 2,
	}};
	uint32_t way = situation->way == BY_ETH0 ? packets_out(&stage->space, "eth0") : packets_to_host(&stage->space);

	return packets_and(&stage->space,
			   packets_forget(&stage->space, packets_like(&stage->space, &sample), FIELD_BIT(FIELD_OUT)), way);
}

START_TEST(does_as_the_kernel_does)
{
	const struct situation *situation = &situations[_i];
	struct stage stage;
	struct journey journey;
	uint32_t packet;
	bool accepted, dropped;

	stage_init(&stage, situation);
	traverse(&journey, &stage.space,
		 &(struct traverse_input){.ruleset = &stage.rules,
					  .in = "wg1",
					  .tracking = situation->tracking,
					  .places = &stage.places,
					  .arriving = traverse_arriving(&stage.space, &stage.places),
					  .nat_first = true});
	packet = packet_of(&stage, situation);
	accepted = packets_and(&stage.space, journey.accepted[PASSAGE_AS_SENT], packet) != DIAGRAM_NONE;
	dropped = packets_and(&stage.space, journey.dropped[PASSAGE_AS_SENT], packet) != DIAGRAM_NONE;
	ck_assert_msg(!journey.gave_up && (accepted  ? dropped ? EITHER : ACCEPTED
					   : dropped ? DROPPED
						     : ABSENT) == situation->outcome,
		      "%s: accepted %d, dropped %d", situation->behaviour, accepted, dropped);
	stage_free(&stage);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("traverse cases");
	TCase *tests = tcase_create("cases");

	tcase_add_loop_test(tests, does_as_the_kernel_does, 0, (int)(sizeof situations / sizeof *situations));
	suite_add_tcase(suite, tests);
	return suite;
}
