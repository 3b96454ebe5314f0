#include "texts.h"
#include "unit.h"

#include <peerwall/emit.h>

#include <stdio.h>
#include <string.h>

static struct name_list names_of(const char *one, const char *two)
{
	struct name_list names = {0};

	vec_push(&arena, &names.items, one);
	if (two)
		vec_push(&arena, &names.items, two);
	return names;
}

static const char *planned(const char *live_text, const char *policy, const char *one, const char *two)
{
	struct ruleset live = live_of(live_text), want = want_of(policy);
	struct name_list names = names_of(one, two);
	struct strbuf text = STRBUF_EMPTY;
	struct plan plan;

	plan_make(&plan, &live, &want, &names, &arena);
	emit_plan(&text, &plan);
	return strbuf_keep(&text, &arena);
}

/* The live rules after a payload, worked out by hand for the small cases below. */
#define POLICY "interface wg1 { expose tcp 22 to 10.0.0.1 }\n"
#define MANGLE_CHAINS                                                                            \
	"-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"                       \
	"-A PW-wg1 -s 10.0.0.1/32 -p tcp -m tcp --dport 22 -m addrtype --dst-type LOCAL -j RETURN\n" \
	"-A PW-wg1 -j DROP\n"                                                                    \
	"-A PW-wg1/fwd -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"                   \
	"-A PW-wg1/fwd -m conntrack --ctstate DNAT -j RETURN\n"                                  \
	"-A PW-wg1/fwd -j DROP\n"                                                                \
	"-A PW-wg1/out -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"                   \
	"-A PW-wg1/out -i wg1 -j RETURN\n"                                                       \
	"-A PW-wg1/out -j DROP\n"
#define FILTER_CHAINS                                                                            \
	"-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"                       \
	"-A PW-wg1 -s 10.0.0.1/32 -p tcp -m conntrack --ctorigdstport 22 --ctdir ORIGINAL -j ACCEPT\n" \
	"-A PW-wg1/fwd -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"                   \
	"-A PW-wg1/fwd -m conntrack --ctstate DNAT -g PW-wg1\n"                                  \
	"-A PW-wg1/out -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
#define JUMP(chain, side, to) "-A " chain " " side " wg1 -m comment --comment \"peerwall wg1\" -j " to "\n"
#define MANGLE_HEAD                                                                             \
	"*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n"       \
	":OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:PW-wg1 - [0:0]\n"              \
	":PW-wg1/fwd - [0:0]\n:PW-wg1/out - [0:0]\n"
#define FILTER_HEAD                                                                             \
	"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"           \
	":PW-wg1 - [0:0]\n:PW-wg1/fwd - [0:0]\n:PW-wg1/out - [0:0]\n"
#define FILTER_JUMPS                                                                            \
	JUMP("INPUT", "-i", "PW-wg1") JUMP("FORWARD", "-i", "PW-wg1/fwd") JUMP("FORWARD", "-o", "PW-wg1/out")
#define FILTER FILTER_HEAD FILTER_JUMPS FILTER_CHAINS "COMMIT\n"
#define MANGLE_FORWARD JUMP("FORWARD", "-i", "PW-wg1/fwd") JUMP("FORWARD", "-o", "PW-wg1/out")
#define MANGLE MANGLE_HEAD JUMP("PREROUTING", "-i", "PW-wg1") MANGLE_FORWARD MANGLE_CHAINS "COMMIT\n"

START_TEST(what_is_up_needs_nothing)
{
	ck_assert_str_eq(planned(MANGLE FILTER, POLICY, "wg1", NULL), "");
}
END_TEST

START_TEST(up_builds_mangle_before_filter)
{
	const char *text = planned("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", POLICY, "wg1", NULL);
	const char *mangle = strstr(text, "*mangle"), *filter = strstr(text, "*filter");

	ck_assert_ptr_nonnull(mangle);
	ck_assert_ptr_nonnull(filter);
	ck_assert(mangle < filter);
	ck_assert_ptr_nonnull(strstr(text, "-I PREROUTING 1 -i wg1 "));
}
END_TEST

START_TEST(a_reload_leaves_jumps_and_equal_chains_alone)
{
	ck_assert_str_eq(planned(MANGLE FILTER, "interface wg1 { expose tcp 23 to 10.0.0.1 }\n", "wg1", NULL),
			 "*mangle\n"
			 ":PW-wg1 - [0:0]\n"
			 "-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"
			 "-A PW-wg1 -s 10.0.0.1/32 -p tcp -m tcp --dport 23 -m addrtype --dst-type LOCAL -j RETURN\n"
			 "-A PW-wg1 -j DROP\n"
			 "COMMIT\n"
			 "*filter\n"
			 ":PW-wg1 - [0:0]\n"
			 "-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
			 "-A PW-wg1 -s 10.0.0.1/32 -p tcp -m conntrack --ctorigdstport 23 --ctdir ORIGINAL -j ACCEPT\n"
			 "COMMIT\n");
}
END_TEST

START_TEST(down_takes_filter_first_and_touches_nothing_foreign)
{
	ck_assert_str_eq(planned(MANGLE_HEAD ":OTHER - [0:0]\n-A PREROUTING -j OTHER\n" JUMP("PREROUTING", "-i", "PW-wg1")
					 MANGLE_FORWARD MANGLE_CHAINS "COMMIT\n" FILTER,
				 NULL, "wg1", NULL),
			 "*filter\n"
			 "-D INPUT -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1\n"
			 "-D FORWARD -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1/fwd\n"
			 "-D FORWARD -o wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1/out\n"
			 "-F PW-wg1\n-F PW-wg1/fwd\n-F PW-wg1/out\n"
			 "-X PW-wg1\n-X PW-wg1/fwd\n-X PW-wg1/out\n"
			 "COMMIT\n"
			 "*mangle\n"
			 "-D PREROUTING -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1\n"
			 "-D FORWARD -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1/fwd\n"
			 "-D FORWARD -o wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1/out\n"
			 "-F PW-wg1\n-F PW-wg1/fwd\n-F PW-wg1/out\n"
			 "-X PW-wg1\n-X PW-wg1/fwd\n-X PW-wg1/out\n"
			 "COMMIT\n");
}
END_TEST

START_TEST(down_empties_a_chain_that_a_foreign_rule_jumps_to)
{
	const char *head = "*filter\n:FORWARD ACCEPT [0:0]\n:PW-wg1 - [0:0]\n:PW-wg1/fwd - [0:0]\n"
			   "-A FORWARD -i eth9 -j PW-wg1\n";
	const char *full = arena_printf(&arena, "%s-A PW-wg1 -j ACCEPT\nCOMMIT\n", head);

	ck_assert_str_eq(planned(full, NULL, "wg1", NULL),
			 "*filter\n-F PW-wg1\n-F PW-wg1/fwd\n-X PW-wg1/fwd\nCOMMIT\n");
	head = "*filter\n:FORWARD ACCEPT [0:0]\n:PW-wg1 - [0:0]\n-A FORWARD -i eth9 -j PW-wg1\nCOMMIT\n";
	ck_assert_str_eq(planned(head, NULL, "wg1", NULL), "");
}
END_TEST

/* What denies in the last place is emptied only when the first one denies again. */
START_TEST(a_held_chain_of_security_is_emptied_last)
{
	const char *text = planned(MANGLE FILTER "*security\n:FORWARD ACCEPT [0:0]\n:PW-wg1 - [0:0]\n"
				   "-A FORWARD -i eth9 -j PW-wg1\n-A PW-wg1 -j DROP\nCOMMIT\n",
				   "interface wg1 { expose tcp 23 to 10.0.0.1 }\n", "wg1", NULL);
	const char *mangle = strstr(text, "*mangle"), *security = strstr(text, "*security");

	ck_assert_ptr_nonnull(mangle);
	ck_assert_ptr_nonnull(security);
	ck_assert(mangle < security);
	ck_assert_str_eq(security, "*security\n-F PW-wg1\nCOMMIT\n");
}
END_TEST

START_TEST(down_of_what_is_not_up_is_nothing)
{
	ck_assert_str_eq(planned("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", NULL, "wg1", NULL), "");
	ck_assert_str_eq(planned("", NULL, "wg1", NULL), "");
}
END_TEST

START_TEST(another_interface_is_left_alone)
{
	ck_assert_str_eq(planned(MANGLE FILTER, NULL, "wg2", NULL), "");
}
END_TEST

START_TEST(a_doubled_jump_becomes_one)
{
	const char *text = planned(MANGLE_HEAD JUMP("PREROUTING", "-i", "PW-wg1") JUMP("PREROUTING", "-i", "PW-wg1")
					   MANGLE_FORWARD MANGLE_CHAINS "COMMIT\n" FILTER,
				   POLICY, "wg1", NULL);

	ck_assert_str_eq(text, "*mangle\n"
			       "-D PREROUTING -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1\n"
			       "-D PREROUTING -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1\n"
			       "-I PREROUTING 1 -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1\n"
			       "COMMIT\n");
}
END_TEST

static const char *with_foreign(const char *foreign)
{
	return arena_printf(&arena, "%s%s%s", MANGLE_HEAD ":OTHER - [0:0]\n", foreign,
			    JUMP("PREROUTING", "-i", "PW-wg1") MANGLE_FORWARD
				    MANGLE_CHAINS "COMMIT\n" FILTER);
}

START_TEST(a_jump_that_an_accept_has_overtaken_goes_back_to_the_front)
{
	static const char *const overtaking[] = {
		"-A PREROUTING -p tcp -j ACCEPT\n",
		"-A PREROUTING -i wg+ -j ACCEPT\n",
		"-A PREROUTING -j OTHER\n-A OTHER -s 10.0.0.9/32 -j ACCEPT\n",
		"-A PREROUTING ! -i eth0 -j RETURN\n",
		"-A PREROUTING -j NFQUEUE --queue-num 1\n",
		"-A PREROUTING -m unheard-of --what -j WHATEVER\n",
	};
	static const char *const harmless[] = {
		"-A PREROUTING -p udp -m comment --comment \"wg-quick(8) rule for wg0\" -j CONNMARK --restore-mark --nfmask "
		"0xffffffff --ctmask 0xffffffff\n",
		"-A PREROUTING -i eth0 -j ACCEPT\n",
		"-A PREROUTING -j DROP\n",
		"-A PREROUTING -p tcp\n",
		"-A PREROUTING -j OTHER\n-A OTHER -j MARK --set-xmark 0x1/0xffffffff\n",
	};

	for (size_t i = 0; i < sizeof overtaking / sizeof *overtaking; i++)
		ck_assert_msg(strstr(planned(with_foreign(overtaking[i]), POLICY, "wg1", NULL), "-I PREROUTING 1 -i wg1 "),
			      "%s", overtaking[i]);
	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
		ck_assert_str_eq(planned(with_foreign(harmless[i]), POLICY, "wg1", NULL), "");
}
END_TEST

START_TEST(in_filter_a_ban_list_stays_in_front)
{
	const char *text = planned("*filter\n:INPUT ACCEPT [0:0]\n:f2b-sshd - [0:0]\n"
				   "-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n"
				   "-A INPUT -j ACCEPT\n"
				   "-A f2b-sshd -s 192.0.2.7/32 -j REJECT --reject-with icmp-port-unreachable\n"
				   "-A f2b-sshd -j RETURN\nCOMMIT\n",
				   POLICY, "wg1", NULL);

	ck_assert_ptr_nonnull(strstr(text, "-I INPUT 2 -i wg1 "));
}
END_TEST

START_TEST(leftovers_of_an_interrupted_up_are_finished_or_cleared)
{
	const char *half = "*mangle\n:PW-wg1 - [0:0]\n:PW-wg1/9 - [0:0]\n-A PW-wg1 -j DROP\nCOMMIT\n";
	const char *text = planned(half, POLICY, "wg1", NULL);

	ck_assert_ptr_nonnull(strstr(text, "-I PREROUTING 1 -i wg1 "));
	ck_assert_ptr_nonnull(strstr(text, "-F PW-wg1/9\n-X PW-wg1/9\n"));
	ck_assert_str_eq(planned(half, NULL, "wg1", NULL),
			 "*mangle\n-F PW-wg1\n-F PW-wg1/9\n-X PW-wg1\n-X PW-wg1/9\nCOMMIT\n");
}
END_TEST

START_TEST(security_is_built_before_mangle_and_cleared_after)
{
	const char *policy = "interface wg1 { expose tcp 22 to 10.0.0.1; otherwise reject }\n";
	const char *relaxing = planned(MANGLE FILTER, policy, "wg1", NULL);
	struct ruleset want = want_of(policy);
	struct strbuf up = STRBUF_EMPTY;
	const char *strict;

	ck_assert(strstr(relaxing, "*security") < strstr(relaxing, "*mangle"));
	ck_assert(strstr(relaxing, "*mangle") < strstr(relaxing, "*filter"));
	ruleset_print(&up, &want, true);
	strict = planned(strbuf_str(&up), POLICY, "wg1", NULL);
	ck_assert(strstr(strict, "*mangle") < strstr(strict, "*security"));
	ck_assert_ptr_nonnull(strstr(strict, "-X PW-wg1\n"));
	strbuf_free(&up);
}
END_TEST

START_TEST(an_undo_is_a_plan_back_to_what_was_there)
{
	struct ruleset before = live_of(MANGLE FILTER), after = want_of("interface wg1 { otherwise reject }\n"), own, back;
	struct name_list names = names_of("wg1", NULL);
	struct strbuf text = STRBUF_EMPTY;
	struct plan plan;

	plan_own_part(&own, &before, &names, &arena);
	plan_make(&plan, &after, &own, &names, &arena);
	emit_plan(&text, &plan);
	ck_assert_ptr_nonnull(strstr(strbuf_str(&text), "--dport 22"));
	ck_assert_ptr_nonnull(strstr(strbuf_str(&text), "*security\n-D INPUT"));
	strbuf_free(&text);
	plan_own_part(&back, &before, &names, &arena);
	plan_make(&plan, &before, &back, &names, &arena);
	ck_assert_uint_eq(plan.edits.len, 0);
}
END_TEST

START_TEST(drift_names_what_and_where)
{
	struct ruleset want = want_of(POLICY);
	struct ruleset live = live_of(MANGLE_HEAD MANGLE_FORWARD
				      "-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"
				      "-A PW-wg1 -j ACCEPT\n"
				      "-A PW-wg1 -s 10.0.0.1/32 -p tcp -m tcp --dport 22 -m addrtype --dst-type LOCAL -j RETURN\n"
				      "-A PW-wg1 -j DROP\n"
				      "-A PW-wg1/fwd -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"
				      "-A PW-wg1/fwd -m conntrack --ctstate DNAT -j RETURN\n"
				      "-A PW-wg1/fwd -j DROP\n"
				      "-A PW-wg1/out -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"
				      "-A PW-wg1/out -i wg1 -j RETURN\n"
				      "COMMIT\n" FILTER);
	struct name_list names = names_of("wg1", NULL);
	struct drift_list drift;

	plan_drift(&drift, &live, &want, &names, &arena);
	ck_assert_uint_eq(drift.items.len, 3);
	ck_assert_int_eq(drift.items.data[0].kind, DRIFT_JUMP_MISSING);
	ck_assert_str_eq(drift.items.data[0].chain, "PREROUTING");
	ck_assert_int_eq(drift.items.data[1].kind, DRIFT_RULE_EXTRA);
	ck_assert_uint_eq(drift.items.data[1].position, 2);
	ck_assert_int_eq(drift.items.data[2].kind, DRIFT_RULE_MISSING);
	ck_assert_str_eq(drift.items.data[2].chain, "PW-wg1/out");
	ck_assert_uint_eq(drift.items.data[2].position, 3);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("plan");
	TCase *tests = tcase_create("edits");

	tcase_add_checked_fixture(tests, texts_setup, texts_teardown);
	tcase_add_test(tests, what_is_up_needs_nothing);
	tcase_add_test(tests, up_builds_mangle_before_filter);
	tcase_add_test(tests, a_reload_leaves_jumps_and_equal_chains_alone);
	tcase_add_test(tests, down_takes_filter_first_and_touches_nothing_foreign);
	tcase_add_test(tests, down_empties_a_chain_that_a_foreign_rule_jumps_to);
	tcase_add_test(tests, a_held_chain_of_security_is_emptied_last);
	tcase_add_test(tests, down_of_what_is_not_up_is_nothing);
	tcase_add_test(tests, another_interface_is_left_alone);
	tcase_add_test(tests, a_doubled_jump_becomes_one);
	tcase_add_test(tests, a_jump_that_an_accept_has_overtaken_goes_back_to_the_front);
	tcase_add_test(tests, in_filter_a_ban_list_stays_in_front);
	tcase_add_test(tests, leftovers_of_an_interrupted_up_are_finished_or_cleared);
	tcase_add_test(tests, security_is_built_before_mangle_and_cleared_after);
	tcase_add_test(tests, an_undo_is_a_plan_back_to_what_was_there);
	tcase_add_test(tests, drift_names_what_and_where);
	suite_add_tcase(suite, tests);
	return suite;
}
