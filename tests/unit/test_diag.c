#include "texts.h"
#include "unit.h"

#include <peerwall/diag.h>

#include <stdio.h>
#include <string.h>

static struct span span_in(const struct source *source, uint32_t from, uint32_t to)
{
	return (struct span){source->start + from, source->start + to};
}

static void check_render(const char *expected)
{
	struct strbuf out = STRBUF_EMPTY;

	diags_render(&out, &diags, &sources, (struct diag_style){false});
	ck_assert_str_eq(strbuf_str(&out), expected);
	strbuf_free(&out);
}

START_TEST(codes_are_distinct)
{
	enum diag_code found;

	for (int i = 0; i < CODE_COUNT; i++) {
		const struct diag_code_info *info = diag_code_info((enum diag_code)i);

		ck_assert_uint_eq(strlen(info->number), 5);
		ck_assert_int_eq(strncmp(info->number, "PW", 2), 0);
		ck_assert(diag_code_find(info->number, 5, &found));
		ck_assert_int_eq(found, i);
		ck_assert(diag_code_find(info->name, strlen(info->name), &found));
		ck_assert_int_eq(found, i);
	}
	ck_assert(!diag_code_find("PW000", 5, &found));
	ck_assert(!diag_code_find("host-bit", 8, &found));
	ck_assert(!diag_code_find("", 0, &found));
}
END_TEST

START_TEST(renders_places_notes_and_help)
{
	struct source *a = add_text("a.pw", "peers a = 1\n\tpeers b = \xc3\xa4 x\n");
	struct source *b = add_text("b.pw", "one");
	struct diag *diag = diag_add(&diags, CODE_HOST_BITS, span_in(a, 23, 26), "bad %s", "thing");

	diag_label(&diags, diag, span_in(b, 1, 3), "first defined here");
	diag_label(&diags, diag, SPAN_NONE, "a note");
	diag_suggest(&diags, diag, "10.0.0.0/8");
	diag_add(&diags, CODE_UNUSED_PARAMETER, SPAN_NONE, "no place");
	check_render("a.pw:2:12: error: bad thing [PW104 host-bits]\n"
		     "    \tpeers b = \xc3\xa4 x\n"
		     "    \t          ^~\n"
		     "    = note: a note\n"
		     "    = help: did you mean '10.0.0.0/8'?\n"
		     "b.pw:1:2: note: first defined here\n"
		     "    one\n"
		     "     ^~\n"
		     "peerwall: warning: no place [PW110 unused-parameter]\n");
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_uint_eq(diags.warnings, 1);
}
END_TEST

START_TEST(shows_control_characters_harmlessly)
{
	/* ESC, CSI as a C1 control, a right-to-left override, a bad byte, a surrogate, DEL. */
	static const char line[] = "x\033[31m\xc2\x9b\xe2\x80\xae\xff\xed\xa0\x80\x7fz";
	struct source *source = add_text("e\033vil.pw", line);
	struct strbuf out = STRBUF_EMPTY;

	diag_add(&diags, CODE_SYNTAX, span_in(source, sizeof line - 2, sizeof line - 1), "found '%s'", line);
	diags_render(&out, &diags, &sources, (struct diag_style){false});
	for (size_t i = 0; i < out.len; i++)
		ck_assert(out.data[i] == '\n' || (unsigned char)out.data[i] >= 0x20);
	ck_assert_ptr_null(strchr(strbuf_str(&out), 0x7f));
	ck_assert_ptr_null(strstr(strbuf_str(&out), "\xc2\x9b"));
	ck_assert_ptr_null(strstr(strbuf_str(&out), "\xe2\x80\xae"));
	ck_assert_ptr_null(strchr(strbuf_str(&out), '\xff'));
	/* One replacement for each, so that the caret still stands below its character. */
	ck_assert_ptr_nonnull(strstr(strbuf_str(&out), "\n                 ^\n"));
	strbuf_free(&out);
}
END_TEST

START_TEST(cuts_long_lines_around_the_caret)
{
	size_t size = 1u << 20;
	char *line = arena_alloc(&arena, size);
	struct source *source;
	struct strbuf out = STRBUF_EMPTY;

	memset(line, 'x', size);
	line[size / 2] = '!';
	memcpy(line + size / 2 - 20, "\xc3\xa9", 2);
	source = sources_add(&sources, "long.pw", line, size);
	diag_add(&diags, CODE_SYNTAX, span_in(source, (uint32_t)size / 2, (uint32_t)size), "here");
	diags_render(&out, &diags, &sources, (struct diag_style){false});
	ck_assert_uint_lt(out.len, 500);
	ck_assert_ptr_nonnull(strstr(strbuf_str(&out), "    ...xxx"));
	ck_assert_ptr_nonnull(strstr(strbuf_str(&out), "xxx...\n"));
	ck_assert_ptr_nonnull(strstr(strbuf_str(&out), "x!x"));
	/* The caret stands below the mark, whose line holds one character of two bytes before it. */
	ck_assert_int_eq(strchr(strbuf_str(&out), '!') - strstr(strbuf_str(&out), "    ...") - 1,
			 strchr(strbuf_str(&out), '^') - (strstr(strbuf_str(&out), "xxx...\n") + 7));
	strbuf_free(&out);
}
END_TEST

START_TEST(caret_behind_the_end)
{
	struct source *source = add_text("a.pw", "ab");

	diag_add(&diags, CODE_SYNTAX, span_in(source, 2, 2), "missing");
	check_render("a.pw:1:3: error: missing [PW101 syntax-error]\n"
		     "    ab\n"
		     "      ^\n");
}
END_TEST

START_TEST(keeps_no_more_than_the_limit)
{
	struct source *source = add_text("a.pw", "ab");
	struct diag *diag;

	diags.limit = 2;
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(diags_full(&diags), i >= 2);
		diag = diag_add(&diags, CODE_SYNTAX, span_in(source, 0, 1), "error %d", i);
		ck_assert_ptr_nonnull(diag);
		diag_label(&diags, diag, SPAN_NONE, "note");
		diag_suggest(&diags, diag, "x");
		diag_add(&diags, CODE_UNUSED_NAME, span_in(source, 0, 1), "warning %d", i);
	}
	ck_assert_uint_eq(diags.all.len, 4);
	ck_assert_uint_eq(diags.errors, 1000);
	ck_assert_uint_eq(diags.suppressed, 998);
	ck_assert_uint_eq(diags.warnings, 1000);
}
END_TEST

START_TEST(sorts_stably_by_place_and_code)
{
	struct source *source = add_text("a.pw", "abcdef");
	const char *order = "";

	diag_add(&diags, CODE_HOST_BITS, span_in(source, 3, 4), "d");
	diag_add(&diags, CODE_SYNTAX, span_in(source, 3, 4), "b");
	diag_add(&diags, CODE_SYNTAX, span_in(source, 3, 5), "c");
	diag_add(&diags, CODE_SYNTAX, SPAN_NONE, "1");
	diag_add(&diags, CODE_UNUSED_NAME, span_in(source, 1, 2), "a");
	diags_sort(&diags);
	vec_each(diag, &diags.all)
		order = arena_printf(&arena, "%s%s", order, (*diag)->message);
	ck_assert_str_eq(order, "1abcd");
}
END_TEST

START_TEST(finds_the_nearest_word)
{
	static const char *const words[] = {"expose", "allow", "forward", "otherwise", "to", "from", "at"};
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{"exopse", "expose"},  {"EXPOSE", "expose"}, {"expos", "expose"},  {"exposse", "expose"},
		{"form", "from"},      {"fowrard", "forward"}, {"otherwsie", "otherwise"}, {"too", "to"},
		{"xyz", NULL},         {"", NULL},           {"a", NULL},          {"banana", NULL},
		{"expose-everything-that-there-is-now", NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *found = nearest_word(cases[i].word, strlen(cases[i].word), words, 7);

		if (cases[i].nearest)
			ck_assert_pstr_eq(found, cases[i].nearest);
		else
			ck_assert_msg(!found, "%s: %s", cases[i].word, found);
	}
}
END_TEST

START_TEST(quotes_long_words_short)
{
	char word[200];
	const char *quoted;

	memset(word, 'a', sizeof word);
	ck_assert_str_eq(diag_quote(&diags, word, 3), "'aaa'");
	quoted = diag_quote(&diags, word, sizeof word);
	ck_assert_uint_lt(strlen(quoted), 80);
	ck_assert_ptr_nonnull(strstr(quoted, "200 bytes"));
	/* Never within a character. */
	word[47] = '\xc3';
	word[48] = '\xa4';
	quoted = diag_quote(&diags, word, sizeof word);
	ck_assert_ptr_null(strchr(quoted, '\xc3'));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("diag");
	TCase *tests = tcase_create("diag");

	tcase_add_checked_fixture(tests, texts_setup, texts_teardown);
	tcase_add_test(tests, codes_are_distinct);
	tcase_add_test(tests, renders_places_notes_and_help);
	tcase_add_test(tests, shows_control_characters_harmlessly);
	tcase_add_test(tests, cuts_long_lines_around_the_caret);
	tcase_add_test(tests, caret_behind_the_end);
	tcase_add_test(tests, keeps_no_more_than_the_limit);
	tcase_add_test(tests, sorts_stably_by_place_and_code);
	tcase_add_test(tests, finds_the_nearest_word);
	tcase_add_test(tests, quotes_long_words_short);
	suite_add_tcase(suite, tests);
	return suite;
}
