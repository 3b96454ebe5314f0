#include "unit.h"

#include "../../src/cmd/claims.h"

#include <stdio.h>
#include <string.h>

static struct arena arena;

static void teardown(void)
{
	arena_free(&arena);
}

/* Words as units, each with a place of its own. */
static struct unit_list units_of(const char *text)
{
	struct unit_list units = {0};
	char *copy = arena_strdup(&arena, text);
	uint32_t at = 1;

	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "), at++)
		vec_push(&arena, &units.items, (struct unit){.interface = word, .span = {at, at + 1}});
	return units;
}

static struct name_list names_of(const char *text)
{
	struct name_list names = {0};
	char *copy = arena_strdup(&arena, text);

	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		vec_push(&arena, &names.items, word);
	return names;
}

struct row {
	const char *units, *loaded;
	size_t among_units, with_loaded; /* diagnostics */
};

static const struct row rows[] = {
	{"", "", 0, 0},
	{"wg1", "", 0, 0},
	{"wg1 wg2 wg10", "wg1 wg2 wg10", 0, 0},
	{"wg1 wg1", "", 1, 0},
	{"wg1 wg1 wg1", "", 2, 0},
	{"wg+ wg1", "", 1, 0},
	{"wg1 wg+", "", 1, 0},
	{"wg+ wg", "", 1, 0},
	{"wg+ wh1 w", "", 0, 0},
	{"w+ wg+ wg1 x", "", 2, 0},
	{"wg1+ wg+ wg12 wh", "", 2, 0},
	{"wg+", "wg+", 0, 0},
	{"wg+", "wg1 wg2", 0, 2},
	{"wg1 wg2 wh1", "wg+", 0, 2},
	{"wg1", "wg10 wg", 0, 0},
	{"wg1+", "wg+", 0, 1},
	{"wg+", "wg1+", 0, 1},
	{"a wg+ z", "b wh y", 0, 0},
};

START_TEST(overlaps_are_found_whatever_the_order)
{
	const struct row *row = &rows[_i];
	struct unit_list units = units_of(row->units);
	struct name_list loaded = names_of(row->loaded);
	struct diags diags;

	diags_init(&diags, &arena);
	ck_assert_int_eq(claims_check_units(&units, &arena, &diags), row->among_units == 0);
	ck_assert_uint_eq(diags.all.len, row->among_units);
	diags_init(&diags, &arena);
	ck_assert_int_eq(claims_check_loaded(&units, &loaded, &arena, &diags), row->with_loaded == 0);
	ck_assert_uint_eq(diags.all.len, row->with_loaded);
}
END_TEST

START_TEST(the_later_one_is_blamed_and_the_earlier_one_shown)
{
	struct unit_list units = units_of("wg1 eth0 wg+");
	struct diags diags;

	diags_init(&diags, &arena);
	ck_assert(!claims_check_units(&units, &arena, &diags));
	ck_assert_uint_eq(diags.all.data[0]->span.lo, 3);
	ck_assert_uint_eq(diags.all.data[0]->labels.data[0].span.lo, 1);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("claims");
	TCase *tests = tcase_create("claims");

	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_add_loop_test(tests, overlaps_are_found_whatever_the_order, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_test(tests, the_later_one_is_blamed_and_the_earlier_one_shown);
	suite_add_tcase(suite, tests);
	return suite;
}
