#include "texts.h"
#include "unit.h"

#include <peerwall/record.h>

#include <string.h>

static const char rules[] =
	"*mangle\n"
	":PW-wg1 - [0:0]\n"
	":PREROUTING ACCEPT [0:0]\n"
	"-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"
	"-A PW-wg1 -j LOG --log-prefix \"it's \\\"no\\\": \"\n"
	"-A PW-wg1 -j DROP\n"
	"-A PREROUTING -i wg1 -m comment --comment \"peerwall wg1\" -j PW-wg1\n"
	"COMMIT\n";

static struct record example(void)
{
	struct record record = {
		.state = RECORD_PENDING, .id = 0xfedcba9876543210, .boot = "1-2-3", .command = "apply",
		.backend = BACKEND_LEGACY, .began = 1795462027, .ended = 7, .deadline = 123456789, .unconfirmed = 5, .left = 0xf00,
		.reason = "iptables-restore said\nno: 100%",
	};

	vec_push(&arena, &record.interfaces.items, "wg1");
	vec_push(&arena, &record.interfaces.items, "w g\n%\xff");
	record.before[FAMILY_IPV4] = live_of(rules);
	ruleset_init(&record.before[FAMILY_IPV6], FAMILY_IPV6, &arena);
	return record;
}

static void assert_same(const struct record *one, const struct record *two)
{
	struct strbuf texts[2] = {STRBUF_EMPTY, STRBUF_EMPTY};

	record_print(&texts[0], one);
	record_print(&texts[1], two);
	ck_assert_str_eq(strbuf_str(&texts[0]), strbuf_str(&texts[1]));
	strbuf_free(&texts[0]);
	strbuf_free(&texts[1]);
}

START_TEST(what_is_printed_is_read_again)
{
	struct record record = example(), again;
	struct strbuf text = STRBUF_EMPTY;

	record_print(&text, &record);
	ck_assert(record_parse(&again, &text, &arena));
	ck_assert_int_eq(again.state, RECORD_PENDING);
	ck_assert(again.id == record.id);
	ck_assert_str_eq(again.boot, "1-2-3");
	ck_assert_int_eq(again.backend, BACKEND_LEGACY);
	ck_assert(again.began == 1795462027 && again.ended == 7 && again.deadline == 123456789 && again.unconfirmed == 5 && again.left == 0xf00);
	ck_assert_str_eq(again.reason, record.reason);
	ck_assert_uint_eq(again.interfaces.items.len, 2);
	ck_assert_str_eq(again.interfaces.items.data[1], record.interfaces.items.data[1]);
	ck_assert_uint_eq(again.before[FAMILY_IPV4].tables[TABLE_MANGLE].chains.data[0].rules.len, 3);
	assert_same(&record, &again);
	strbuf_free(&text);
}
END_TEST

START_TEST(all_states_have_words)
{
	struct record record = example(), again;

	for (int state = 0; state < RECORD_STATE_COUNT; state++) {
		struct strbuf text = STRBUF_EMPTY;

		record.state = (enum record_state)state;
		record_print(&text, &record);
		ck_assert(record_parse(&again, &text, &arena));
		ck_assert_int_eq(again.state, state);
		strbuf_free(&text);
	}
}
END_TEST

/* Wherever it is cut off, and whatever byte of it is another: refused, or the same but for a name or a number. */
START_TEST(damage_is_refused)
{
	struct record record = example(), again;
	struct strbuf text = STRBUF_EMPTY;

	record_print(&text, &record);
	for (size_t size = 0; size < text.len; size++) {
		struct strbuf cut = STRBUF_EMPTY;

		strbuf_add(&cut, text.data, size);
		ck_assert_msg(!record_parse(&again, &cut, &arena), "cut off at %zu", size);
		strbuf_free(&cut);
	}
	strbuf_adds(&text, "end\n");
	ck_assert(!record_parse(&again, &text, &arena));
	strbuf_free(&text);
}
END_TEST

START_TEST(a_digest_is_of_our_chains)
{
	struct ruleset rulesets[FAMILY_COUNT];
	uint64_t digest;

	rulesets[FAMILY_IPV4] = live_of(rules);
	ruleset_init(&rulesets[FAMILY_IPV6], FAMILY_IPV6, &arena);
	digest = record_digest(rulesets, &arena);
	rulesets[FAMILY_IPV4] = live_of("*mangle\n:PREROUTING DROP [1:2]\n:OTHER - [0:0]\n:PW-wg1 - [0:0]\n"
					"-A OTHER -j DROP\n"
					"-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n"
					"-A PW-wg1 -j LOG --log-prefix \"it's \\\"no\\\": \"\n"
					"-A PW-wg1 -j DROP\nCOMMIT\n");
	ck_assert(record_digest(rulesets, &arena) == digest);
	rulesets[FAMILY_IPV4].tables[TABLE_MANGLE].chains.data[2].rules.len--;
	ck_assert(record_digest(rulesets, &arena) != digest);
}
END_TEST

static const char *const wrong[] = {
	"", "peerwall change 3\n", "peerwall change 2\nid -1\n", "peerwall change 2\nid zz\n",
	"peerwall change 2\nid 1\nstate none\n", "peerwall change 2x\n",
};

START_TEST(other_files_are_refused)
{
	struct strbuf text = STRBUF_EMPTY;
	struct record record;

	strbuf_adds(&text, wrong[_i]);
	ck_assert(!record_parse(&record, &text, &arena));
	strbuf_free(&text);
}
END_TEST

/* A size that is larger than the file, and one that would wrap. */
START_TEST(sizes_are_checked)
{
	struct record record = example(), again;
	struct strbuf text = STRBUF_EMPTY, other = STRBUF_EMPTY;
	const char *at;

	record_print(&text, &record);
	at = strstr(strbuf_str(&text), "IPv6 0\n");
	ck_assert_ptr_nonnull(at);
	strbuf_add(&other, text.data, (size_t)(at - text.data));
	strbuf_adds(&other, "IPv6 18446744073709551615\nend\n");
	ck_assert(!record_parse(&again, &other, &arena));
	strbuf_free(&text);
	strbuf_free(&other);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("record");
	TCase *tests = tcase_create("record");

	tcase_add_checked_fixture(tests, texts_setup, texts_teardown);
	tcase_add_test(tests, what_is_printed_is_read_again);
	tcase_add_test(tests, all_states_have_words);
	tcase_add_test(tests, a_digest_is_of_our_chains);
	tcase_add_test(tests, damage_is_refused);
	tcase_add_loop_test(tests, other_files_are_refused, 0, sizeof wrong / sizeof *wrong);
	tcase_add_test(tests, sizes_are_checked);
	suite_add_tcase(suite, tests);
	return suite;
}
