#include "unit.h"

#include <peerwall/match_codec.h>

#include <stdio.h>
#include <string.h>

static struct arena arena;
static struct ruleset rulesets[FAMILY_COUNT];

static void setup(void)
{
	for (int family = 0; family < FAMILY_COUNT; family++) {
		struct table *table;

		ruleset_init(&rulesets[family], (enum family)family, &arena);
		table = ruleset_table(&rulesets[family], TABLE_FILTER);
		table_add_chain(&rulesets[family], table, "U", 1);
		table_add_chain(&rulesets[family], table, "LOG", 3);
	}
}

static void teardown(void)
{
	arena_free(&arena);
}

/* What iptables-save 1.8.9 printed for each, in both backends; `want` NULL: the same as was given. */
struct case_of_text {
	enum family family;
	const char *given;
	const char *want;
};

#define V4(given, want) {FAMILY_IPV4, given, want}
#define V6(given, want) {FAMILY_IPV6, given, want}

static const struct case_of_text canonical[] = {
	V4("", NULL),
	V4("-j U", NULL),
	V4("-g U", NULL),
	V4("-j LOG", NULL),
	V4("-s 10.0/8 -j ACCEPT", "-s 10.0.0.0/8 -j ACCEPT"),
	V4("-s 10", "-s 10.0.0.0/32"),
	V4("-s 1.2.3.4/255.0.255.0", "-s 1.0.3.0/255.0.255.0"),
	V4("-s any/0 -j DROP", "-j DROP"),
	V4("! -d 1.2.3.4 ! -i eth+", "! -d 1.2.3.4/32 ! -i eth+"),
	V4("-i + -p all -j ACCEPT", "-j ACCEPT"),
	V4("-p 47", "-p gre"),
	V4("-p 99", NULL),
	V4("! -f", NULL),
	V4("--dest 1.1.1.1 --prot tcp --jump ACCEPT", "-d 1.1.1.1/32 -p tcp -j ACCEPT"),
	V4("-j ACCEPT -c 5 6", "-j ACCEPT"),
	V4("-p tcp --syn --dport 22", "-p tcp -m tcp --dport 22 --tcp-flags FIN,SYN,RST,ACK SYN"),
	V4("-p tcp --sport 1024: --dport :90", "-p tcp -m tcp --sport 1024:65535 --dport 0:90"),
	V4("-p tcp --dport 80:80", "-p tcp -m tcp --dport 80"),
	V4("-p tcp --dport 0:65535", "-p tcp -m tcp"),
	V4("-p tcp --dport 010", "-p tcp -m tcp --dport 8"),
	V4("-m tcp --dport 5 -p tcp -m tcp", "-p tcp -m tcp --dport 5 -m tcp"),
	V4("-p tcp -m comment --comment x --dport 80", "-p tcp -m comment --comment x -m tcp --dport 80"),
	V4("-j MARK --set-mark 1 -p tcp --dport 5", "-p tcp -m tcp --dport 5 -j MARK --set-xmark 0x1/0xffffffff"),
	V4("-p tcp -m multiport --dports 80:90,80", NULL),
	V4("-m state --state UNTRACKED,INVALID", "-m state --state INVALID,UNTRACKED"),
	V4("-m conntrack --ctstate DNAT,NEW --ctorigdst 1.2.3.4/32 --ctproto tcp",
	   "-m conntrack --ctstate NEW,DNAT --ctproto 6 --ctorigdst 1.2.3.4"),
	V4("-m conntrack --ctstatus NONE", NULL),
	V4("-p icmp --icmp-type echo-request", "-p icmp -m icmp --icmp-type 8"),
	V4("-p icmp --icmp-type network-unreachable", "-p icmp -m icmp --icmp-type 3/0"),
	V4("-p icmp -m icmp ! --icmp-type any", NULL),
	V4("-m limit --limit 120/min --limit-burst 5", "-m limit --limit 2/sec"),
	V4("-m limit", "-m limit --limit 3/hour"),
	V4("-m limit --limit 7/min --limit-burst 7", NULL),
	V4("-m hashlimit --hashlimit 120/min --hashlimit-name x",
	   "-m hashlimit --hashlimit-upto 2/sec --hashlimit-burst 5 --hashlimit-name x --hashlimit-htable-expire 60000"),
	V4("-m hashlimit --hashlimit-upto 512kb/s --hashlimit-name x", NULL),
	V4("-m recent --name ssh --set", "-m recent --set --name ssh --mask 255.255.255.255 --rsource"),
	V4("-m connlimit ! --connlimit-above 3", "-m connlimit --connlimit-upto 3 --connlimit-mask 32 --connlimit-saddr"),
	V4("-m statistic --mode random --probability 0.3333", "-m statistic --mode random --probability 0.33330000006"),
	V4("-m string --algo bm --hex-string \"|414243|\"", "-m string --string \"ABC\" --algo bm"),
	V4("-m string --algo bm --string \"a b\\\\\"", "-m string --hex-string \"|6120625c|\" --algo bm"),
	V4("-m time --weekdays Mo,Tu --timestart 10:00",
	   "-m time --timestart 10:00:00 --timestop 23:59:59 --weekdays Mon,Tue --datestop 2038-01-19T03:14:07"),
	V4("-m policy --dir out --pol ipsec --strict --mode transport --reqid 1 --next --proto esp",
	   "-m policy --dir out --pol ipsec --strict --reqid 1 --mode transport --next --proto esp"),
	V4("-m owner --gid-owner 5:9 ! --uid-owner root", "-m owner ! --uid-owner 0 --gid-owner 5-9"),
	V4("-m set --match-set weave-;rGqyMIl1HN^cfDki~Z$3]6!N dst", NULL),
	V4("-m mac --mac-source AA:BB:CC:DD:EE:FF", "-m mac --mac-source aa:bb:cc:dd:ee:ff"),
	V4("-m comment --comment \"a'b\"", "-m comment --comment \"a\\'b\""),
	V4("-m comment --comment \"-j ACCEPT\" -j DROP", NULL),
	V4("-m comment --comment -j -j DROP", NULL),
	V4("-m comment --comment \"\"", NULL),
	V4("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"),
	V4("-p tcp -j REJECT --reject-with tcp-rst", "-p tcp -j REJECT --reject-with tcp-reset"),
	V4("-p tcp -j DNAT --to 1.2.3.4-1.2.3.4:80-80", "-p tcp -j DNAT --to-destination 1.2.3.4:80"),
	V4("-j CONNMARK --save-mark --nfmask 0xff", "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xffffffff"),
	V4("-j MARK --and-mark 5", "-j MARK --set-xmark 0x0/0xfffffffa"),
	V4("-j TOS --set-tos Maximize-Throughput", "-j TOS --set-tos 0x08/0x3f"),
	V4("-j CLASSIFY --set-class 1:a", "-j CLASSIFY --set-class 0001:000a"),
	V6("-s 2001:0db8:0:0:0:0:0:1", "-s 2001:db8::1/128"),
	V6("-s 0/0 -p icmpv6 --icmpv6-type ping", "-p ipv6-icmp -m icmp6 --icmpv6-type 128"),
	V6("-j REJECT --reject-with addr-unreach", "-j REJECT --reject-with icmp6-addr-unreachable"),
	V6("-p tcp -j DNAT --to-destination [2001:db8::1]:80", NULL),
	V6("-j SNAT --to-source [2001:db8::1]", "-j SNAT --to-source 2001:db8::1"),
	V6("-m recent --rcheck",
	   "-m recent --rcheck --name DEFAULT --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource"),
};

START_TEST(a_rule_is_printed_as_iptables_save_prints_it)
{
	const struct case_of_text *one = &canonical[_i];
	const char *want = one->want ? one->want : one->given;
	struct ruleset *ruleset = &rulesets[one->family];
	struct strbuf text = STRBUF_EMPTY;
	struct rule rule;

	ck_assert_msg(rule_decode(&rule, ruleset, &ruleset->tables[TABLE_FILTER], one->given) == DECODE_DONE,
		      "\"%s\" was not decoded", one->given);
	rule_encode(&text, one->family, &rule);
	ck_assert_str_eq(strbuf_str(&text), want);
	ck_assert_int_eq(rule.canonical, strcmp(one->given, want) == 0);
	ck_assert_str_eq(rule.text, one->given);
	/* And that is what it stays. */
	ck_assert(rule_decode(&rule, ruleset, &ruleset->tables[TABLE_FILTER], want) == DECODE_DONE);
	ck_assert(rule.canonical);
	strbuf_free(&text);
}
END_TEST

static const struct {
	enum family family;
	enum decode_result result;
	const char *given;
} others[] = {
	/* What iptables-restore 1.8.9 refuses. */
	{FAMILY_IPV4, DECODE_REFUSED, "-s ! 1.2.3.4"},
	{FAMILY_IPV4, DECODE_REFUSED, "-p tcp -m tcp --dport ! 80"},
	{FAMILY_IPV4, DECODE_REFUSED, "-j ACCEPT # why"},
	{FAMILY_IPV4, DECODE_REFUSED, "-j ACCEPT -j DROP"},
	{FAMILY_IPV4, DECODE_REFUSED, "-s 1.1.1.1 -s 2.2.2.2"},
	{FAMILY_IPV4, DECODE_REFUSED, "-s 1.2.3.4/33"},
	{FAMILY_IPV4, DECODE_REFUSED, "-s 2001:db8::1"},
	{FAMILY_IPV4, DECODE_REFUSED, "-s host.example"},
	{FAMILY_IPV4, DECODE_REFUSED, "! -s 1.1.1.1,2.2.2.2"},
	{FAMILY_IPV4, DECODE_REFUSED, "-i 0123456789abcdef"},
	{FAMILY_IPV4, DECODE_REFUSED, "-i \"\""},
	{FAMILY_IPV4, DECODE_REFUSED, "-p tcp --dport 80:70"},
	{FAMILY_IPV4, DECODE_REFUSED, "-p tcp --dport 99999"},
	{FAMILY_IPV4, DECODE_REFUSED, "-p tcp --dport"},
	{FAMILY_IPV4, DECODE_REFUSED, "-m tcp --dport 80"},
	{FAMILY_IPV4, DECODE_REFUSED, "-p udp -m tcp --dport 80"},
	{FAMILY_IPV4, DECODE_REFUSED, "-p nosuch"},
	{FAMILY_IPV4, DECODE_REFUSED, "-m multiport --dports 80"},
	{FAMILY_IPV4, DECODE_REFUSED, "-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"},
	{FAMILY_IPV4, DECODE_REFUSED, "-m mac --mac-source XX:XX:XX:XX:XX:XX"},
	{FAMILY_IPV4, DECODE_REFUSED, "-j REJECT --reject-with icmp6-no-route"},
	{FAMILY_IPV4, DECODE_REFUSED, "-j REJECT --reject-with tcp-reset"},
	{FAMILY_IPV4, DECODE_REFUSED, "-j LOG --log-prefix \"\" --log-level bad"},
	{FAMILY_IPV4, DECODE_REFUSED, "-g NOSUCH"},
	{FAMILY_IPV4, DECODE_REFUSED, "-j DNAT --to-destination 1.2.3.4:80"},
	{FAMILY_IPV4, DECODE_REFUSED, "-m comment --comment a --comment b"},
	{FAMILY_IPV4, DECODE_REFUSED, "! ! -s 1.2.3.4"},
	{FAMILY_IPV4, DECODE_REFUSED, "-j ACCEPT !"},
	{FAMILY_IPV4, DECODE_REFUSED, "-m comment --comment \"a -j ACCEPT"},
	{FAMILY_IPV6, DECODE_REFUSED, "-f"},
	{FAMILY_IPV6, DECODE_REFUSED, "-s 1.2.3.4"},
	/* One rule is no two rules. */
	{FAMILY_IPV4, DECODE_REFUSED, "-s 1.1.1.1,2.2.2.2"},
	/* The backends disagree. */
	{FAMILY_IPV4, DECODE_AMBIGUOUS, "-p tcp -m tcp ! --dport 0:65535"},
	{FAMILY_IPV4, DECODE_AMBIGUOUS, "! -i +"},
	{FAMILY_IPV4, DECODE_AMBIGUOUS, "! -s 0.0.0.0/0"},
	/* For the other family. */
	{FAMILY_IPV4, DECODE_OTHER_FAMILY, "-6 -j ACCEPT"},
	{FAMILY_IPV6, DECODE_OTHER_FAMILY, "--ipv4 -j ACCEPT"},
	/* Between an unknown extension and -s nobody can tell whose that is. */
	{FAMILY_IPV4, DECODE_REFUSED, "-m nosuch --a -s 1.2.3.4"},
};

START_TEST(what_is_not_understood_is_opaque)
{
	struct ruleset *ruleset = &rulesets[others[_i].family];
	struct rule rule;
	enum decode_result result = rule_decode(&rule, ruleset, &ruleset->tables[TABLE_FILTER], others[_i].given);

	ck_assert_msg(result == others[_i].result, "\"%s\" gave %d", others[_i].given, result);
	ck_assert(rule.opaque);
	ck_assert(!rule.canonical);
	ck_assert_str_eq(rule.text, others[_i].given);
	ck_assert(!rule.source.present);
	ck_assert_int_eq(rule.target.kind, TARGET_NONE);
}
END_TEST

START_TEST(an_unknown_extension_keeps_its_words)
{
	struct strbuf text = STRBUF_EMPTY;
	struct rule rule;

	ck_assert(rule_decode(&rule, &rulesets[0], &rulesets[0].tables[TABLE_FILTER],
			      "-s 1.2.3.4/32 -m nosuch ! --a \"b c\" -j NOSUCH --x -m y") == DECODE_UNKNOWN);
	ck_assert(!rule.opaque);
	ck_assert(rule.canonical);
	ck_assert_uint_eq(rule.matches.len, 1);
	ck_assert_int_eq(rule.matches.data[0].module, MODULE_OPAQUE);
	ck_assert_str_eq(rule.matches.data[0].opaque_name, "nosuch");
	ck_assert_uint_eq(rule.matches.data[0].opaque_words.items.len, 3);
	ck_assert_str_eq(rule.matches.data[0].opaque_words.items.data[2], "b c");
	ck_assert_str_eq(rule.target.extension.opaque_name, "NOSUCH");
	ck_assert_uint_eq(rule.target.extension.opaque_words.items.len, 3);
	strbuf_free(&text);
}
END_TEST

START_TEST(fields_are_what_the_text_says)
{
	struct rule rule;
	const struct option *option;

	ck_assert(rule_decode(&rule, &rulesets[0], &rulesets[0].tables[TABLE_FILTER],
			      "-s 10.1.0.0/16 ! -d 10.1.1.4/32 -i wg1 -p tcp -m tcp ! --dport 80:90 -j LOG") == DECODE_DONE);
	ck_assert(rule.source.present && !rule.source.negated);
	ck_assert_int_eq(addr_netmask_length(&rule.source.mask), 16);
	ck_assert(rule.destination.negated);
	ck_assert_str_eq(rule.in.name, "wg1");
	ck_assert_uint_eq(rule.protocol.number, 6);
	option = &rule.matches.data[0].options.data[0];
	ck_assert_int_eq(option->id, OPTION_TCP_DPORT);
	ck_assert(option->negated);
	ck_assert_uint_eq(option->value.ports.ranges.data[0].lo, 80);
	ck_assert_uint_eq(option->value.ports.ranges.data[0].hi, 90);
	/* There is a chain of that name, and it goes before the target. */
	ck_assert_int_eq(rule.target.kind, TARGET_JUMP);
	ck_assert_str_eq(rule.target.chain, "LOG");
}
END_TEST

START_TEST(long_texts_are_cut_as_the_kernel_cuts_them)
{
	char given[600];
	struct rule rule;

	snprintf(given, sizeof given, "-m comment --comment %0300d -j DROP", 1);
	ck_assert(rule_decode(&rule, &rulesets[0], &rulesets[0].tables[TABLE_FILTER], given) == DECODE_DONE);
	ck_assert_uint_eq(strlen(rule.matches.data[0].options.data[0].value.text), 255);
	snprintf(given, sizeof given, "-j NFLOG --nflog-prefix %0100d", 1);
	ck_assert(rule_decode(&rule, &rulesets[0], &rulesets[0].tables[TABLE_FILTER], given) == DECODE_DONE);
	ck_assert_uint_eq(strlen(rule.target.extension.options.data[0].value.text), 63);
}
END_TEST

START_TEST(words_are_quoted_where_they_need_it)
{
	static const struct {
		const char *word;
		const char *want; /* NULL: it cannot be written */
	} words[] = {
		{"wg1", "wg1"}, {"", "\"\""}, {"a b", "\"a b\""}, {"a\"b", "\"a\\\"b\""}, {"a\\b", "a\\b"},
		{"a\\ b", "\"a\\\\ b\""}, {"it's", "it's"}, {"-j", "-j"}, {"#", "#"}, {"a\tb", "\"a\tb\""}, {"a\nb", NULL},
		{"\xc3\xa9", "\xc3\xa9"},
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct strbuf out = STRBUF_EMPTY;

		ck_assert_int_eq(word_encode(&out, words[i].word), words[i].want != NULL);
		ck_assert_str_eq(strbuf_str(&out), words[i].want ? words[i].want : "");
		strbuf_free(&out);
	}
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("match_codec");
	TCase *tests = tcase_create("rules");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, a_rule_is_printed_as_iptables_save_prints_it, 0, sizeof canonical / sizeof *canonical);
	tcase_add_loop_test(tests, what_is_not_understood_is_opaque, 0, sizeof others / sizeof *others);
	tcase_add_test(tests, an_unknown_extension_keeps_its_words);
	tcase_add_test(tests, fields_are_what_the_text_says);
	tcase_add_test(tests, long_texts_are_cut_as_the_kernel_cuts_them);
	tcase_add_test(tests, words_are_quoted_where_they_need_it);
	suite_add_tcase(suite, tests);
	return suite;
}
