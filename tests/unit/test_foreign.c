#include "texts.h"
#include "unit.h"

#include "../../src/live/foreign.h"

#include <stdio.h>
#include <string.h>

static struct ruleset read_filter(const char *lines)
{
	return live_of(arena_printf(&arena, "*filter\n%sCOMMIT\n", lines));
}

struct pair {
	const char *before, *now;
	const char *line; /* NULL: the same */
	bool gone;
};

#define BUILT_IN ":INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [5:6]\n"
#define OWN_JUMP "-A INPUT -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1\n"

static const struct pair pairs[] = {
	{"", "", NULL, false},
	{"", BUILT_IN, NULL, false},
	{":INPUT ACCEPT [0:0]\n", ":INPUT ACCEPT [7:8]\n", NULL, false},
	{BUILT_IN "-A INPUT -j DROP\n", BUILT_IN "-A INPUT -j DROP\n", NULL, false},
	{BUILT_IN "-A INPUT -j DROP\n", BUILT_IN ":PW-wg1 - [0:0]\n" OWN_JUMP "-A INPUT -j DROP\n-A PW-wg1 -j DROP\n", NULL, false},
	{BUILT_IN "-A INPUT -j DROP\n", BUILT_IN, "-A INPUT -j DROP", true},
	{BUILT_IN, BUILT_IN "-A INPUT -j DROP\n", "-A INPUT -j DROP", false},
	{BUILT_IN "-A INPUT -j DROP\n", BUILT_IN "-A INPUT -j ACCEPT\n", "-A INPUT -j DROP", true},
	{BUILT_IN "-A INPUT -j DROP\n", BUILT_IN "-A FORWARD -j DROP\n", "-A INPUT -j DROP", true},
	{BUILT_IN "-A INPUT -j DROP\n", BUILT_IN "-A INPUT -s 1.2.3.4/32 -j ACCEPT\n-A INPUT -j DROP\n",
	 "-A INPUT -s 1.2.3.4/32 -j ACCEPT", false},
	{":INPUT DROP [0:0]\n", ":INPUT ACCEPT [0:0]\n", ":INPUT DROP", true},
	{":INPUT ACCEPT [0:0]\n:MINE - [0:0]\n", ":INPUT ACCEPT [0:0]\n", ":MINE", true},
	/* A jump to our chain that is not ours counts as another program's. */
	{BUILT_IN, BUILT_IN ":PW-wg1 - [0:0]\n-A INPUT -j PW-wg1\n", "-A INPUT -j PW-wg1", false},
};

START_TEST(other_programs_rules_are_compared_word_for_word)
{
	const struct pair *pair = &pairs[_i];
	struct ruleset before = read_filter(pair->before), now = read_filter(pair->now);
	struct strbuf line = STRBUF_EMPTY;
	bool gone = false;

	ck_assert_int_eq(foreign_rules_differ(&before, &now, TABLE_FILTER, &arena, &line, &gone), pair->line != NULL);
	if (pair->line) {
		ck_assert_str_eq(strbuf_str(&line), pair->line);
		ck_assert_int_eq(gone, pair->gone);
	}
	strbuf_free(&line);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("foreign");
	TCase *tests = tcase_create("foreign");

	tcase_add_checked_fixture(tests, texts_setup, texts_teardown);
	tcase_add_loop_test(tests, other_programs_rules_are_compared_word_for_word, 0, (int)(sizeof pairs / sizeof *pairs));
	suite_add_tcase(suite, tests);
	return suite;
}
