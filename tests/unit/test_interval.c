#include "unit.h"

#include <peerwall/interval.h>

#include <stdio.h>
#include <string.h>

static struct arena arena;

static void teardown(void)
{
	arena_free(&arena);
}

static struct addr_set set_of(enum family family, const char *text)
{
	struct addr_set set = {.family = family};
	char copy[256];

	snprintf(copy, sizeof copy, "%s", text);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		struct prefix prefix;

		ck_assert_int_eq(prefix_parse(word, strlen(word), &prefix), PREFIX_OK);
		addr_set_add_prefix(&arena, &set, &prefix);
	}
	addr_set_normalise(&set);
	return set;
}

static void check_prefixes(enum family family, const char *in, const char *expected)
{
	struct addr_set set = set_of(family, in);
	struct prefix_list list = {0};
	char text[512] = "", one[PREFIX_TEXT_MAX];

	addr_set_prefixes(&arena, &set, &list);
	ck_assert_uint_eq(addr_set_count_prefixes(&set), list.items.len);
	vec_each(prefix, &list.items) {
		prefix_format(prefix, one);
		if (*text)
			strcat(text, " ");
		strcat(text, one);
	}
	ck_assert_str_eq(text, expected);
}

START_TEST(adjacent_prefixes_merge_into_the_fewest)
{
	check_prefixes(FAMILY_IPV4, "10.0.0.0/24 10.0.1.0/24", "10.0.0.0/23");
	check_prefixes(FAMILY_IPV4, "10.0.1.0/24 10.0.2.0/24", "10.0.1.0/24 10.0.2.0/24");
	check_prefixes(FAMILY_IPV4, "10.1.1.4 10.1.1.5 10.1.1.6 10.1.1.7 10.1.1.8", "10.1.1.4/30 10.1.1.8/32");
	check_prefixes(FAMILY_IPV4, "10.1.1.4 10.1.1.0/24", "10.1.1.0/24");
	check_prefixes(FAMILY_IPV6, "fd00::/65 fd00::8000:0:0:0/65", "fd00::/64");
}
END_TEST

START_TEST(the_whole_space_is_one_prefix)
{
	check_prefixes(FAMILY_IPV4, "0.0.0.0/1 128.0.0.0/1", "0.0.0.0/0");
	check_prefixes(FAMILY_IPV6, "::/1 8000::/1", "::/0");
	check_prefixes(FAMILY_IPV4, "255.255.255.255 0.0.0.0", "0.0.0.0/32 255.255.255.255/32");
	check_prefixes(FAMILY_IPV6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
	struct addr_set all = set_of(FAMILY_IPV6, "::/0");
	ck_assert(addr_set_is_full(&all));
}
END_TEST

START_TEST(sets_know_what_they_include_and_overlap)
{
	struct addr_set lan = set_of(FAMILY_IPV4, "10.1.1.0/24"), laptop = set_of(FAMILY_IPV4, "10.1.1.4");
	struct addr_set other = set_of(FAMILY_IPV4, "10.1.2.0/24 10.1.1.255");

	ck_assert(addr_set_includes(&lan, &laptop));
	ck_assert(!addr_set_includes(&laptop, &lan));
	ck_assert(addr_set_overlaps(&lan, &other));
	ck_assert(!addr_set_overlaps(&laptop, &other));
	ck_assert(!addr_set_equal(&lan, &other));
}
END_TEST

START_TEST(port_ranges_join_when_adjacent)
{
	struct port_set set = {0};

	port_set_add(&arena, &set, (struct port_range){81, 90});
	port_set_add(&arena, &set, (struct port_range){65535, 65535});
	port_set_add(&arena, &set, (struct port_range){80, 80});
	port_set_add(&arena, &set, (struct port_range){0, 3});
	port_set_normalise(&set);
	ck_assert_uint_eq(set.ranges.len, 3);
	ck_assert_uint_eq(set.ranges.data[1].lo, 80);
	ck_assert_uint_eq(set.ranges.data[1].hi, 90);
	ck_assert(port_set_contains(&set, 65535));
	ck_assert(!port_set_contains(&set, 4));
}
END_TEST

START_TEST(addresses_print_as_rfc_5952)
{
	static const struct { const char *in, *out; } cases[] = {
		{"10.1.1.4", "10.1.1.4/32"}, {"0.0.0.0/0", "0.0.0.0/0"},
		{"FD00:0:0:0:0:0:0:1/64", "fd00::1/64"}, {"::ffff:1.2.3.4", "::ffff:1.2.3.4/128"},
	};
	static const char *const bad[] = {"", "10.1.1", "10.1.1.256", "1::2::3", "10.1.1.4/", "10.1.1.4/33", "::/129",
					  "10.1.1.4/1x", "10.1.1.4/0032", "fe80::1%eth0"};
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(prefix_parse(cases[i].in, strlen(cases[i].in), &prefix), PREFIX_OK);
		prefix_format(&prefix, text);
		ck_assert_str_eq(text, cases[i].out);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_ne(prefix_parse(bad[i], strlen(bad[i]), &prefix), PREFIX_OK);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("interval");
	TCase *tests = tcase_create("sets");

	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_add_test(tests, adjacent_prefixes_merge_into_the_fewest);
	tcase_add_test(tests, the_whole_space_is_one_prefix);
	tcase_add_test(tests, sets_know_what_they_include_and_overlap);
	tcase_add_test(tests, port_ranges_join_when_adjacent);
	tcase_add_test(tests, addresses_print_as_rfc_5952);
	suite_add_tcase(suite, tests);
	return suite;
}
