#include "texts.h"
#include "unit.h"

#include <peerwall/overlay.h>

#include <string.h>

static struct ruleset laid(const struct ruleset *live, const char *policy)
{
	struct ruleset want = want_of(policy), after;
	struct name_list names = {0};
	struct plan plan;

	vec_push(&arena, &names.items, "wg1");
	plan_make(&plan, live, &want, &names, &arena);
	overlay_make(&after, live, &plan, &arena);
	/* Applied, there is nothing left to do. */
	plan_make(&plan, &after, &want, &names, &arena);
	ck_assert_uint_eq(plan.edits.len, 0);
	return after;
}

static const char *printed(const struct ruleset *rules)
{
	struct strbuf text = STRBUF_EMPTY;

	ruleset_print(&text, rules, true);
	return strbuf_keep(&text, &arena);
}

static const char host[] =
	"*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
	"-A PREROUTING -i eth0 -j DROP\nCOMMIT\n"
	"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:F2B - [0:0]\n"
	"-A INPUT -p tcp -j F2B\n-A INPUT -i lo -j ACCEPT\n-A F2B -s 192.0.2.1/32 -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n";

static const char one[] = "interface wg1 { expose tcp 22 to 10.0.0.1 }\n";
static const char two[] = "interface wg1 { expose tcp 23 to 10.0.0.1; forward from 10.0.0.0/8 to 10.0.0.0/8; otherwise reject }\n";

START_TEST(a_plan_leaves_nothing_to_do)
{
	static const char *const policies[] = {one, two, one, NULL, two, NULL};
	struct ruleset live = live_of(host);

	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
		live = laid(&live, policies[i]);
}
END_TEST

START_TEST(down_gives_back_what_was_there)
{
	struct ruleset live = live_of(host), up = laid(&live, one), down = laid(&up, NULL);

	ck_assert_str_eq(printed(&down), printed(&live));
}
END_TEST

/* What lies below is shared and must not change. */
START_TEST(the_live_rules_stay_as_they_are)
{
	struct ruleset live = live_of(host);
	const char *before = printed(&live);

	laid(&live, two);
	ck_assert_str_eq(printed(&live), before);
}
END_TEST

START_TEST(jumps_come_to_stand_where_the_plan_says)
{
	struct ruleset live = live_of(host), up = laid(&live, one);
	const struct chain *input = table_find_chain(&up.tables[TABLE_FILTER], "INPUT", 5);
	const struct chain *prerouting = table_find_chain(&up.tables[TABLE_MANGLE], "PREROUTING", 10);

	/* Behind the ban list in filter, first in mangle. */
	ck_assert_uint_eq(input->rules.len, 3);
	ck_assert_str_eq(input->rules.data[1].target.chain, "PW-wg1");
	ck_assert_str_eq(prerouting->rules.data[0].target.chain, "PW-wg1");
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("overlay");
	TCase *tcase = tcase_create("overlay");

	tcase_add_checked_fixture(tcase, texts_setup, texts_teardown);
	tcase_add_test(tcase, a_plan_leaves_nothing_to_do);
	tcase_add_test(tcase, down_gives_back_what_was_there);
	tcase_add_test(tcase, the_live_rules_stay_as_they_are);
	tcase_add_test(tcase, jumps_come_to_stand_where_the_plan_says);
	suite_add_tcase(suite, tcase);
	return suite;
}
