#include "unit.h"

#include <peerwall/report.h>

#include <string.h>

struct fixture {
	struct arena arena;
	struct sources sources;
	struct diags diags;
	struct suppressed_list suppressed;
	struct strbuf out;
};

static void fixture_init(struct fixture *fixture)
{
	*fixture = (struct fixture){.arena = ARENA_EMPTY, .out = STRBUF_EMPTY};
	sources_init(&fixture->sources, &fixture->arena);
	diags_init(&fixture->diags, &fixture->arena);
}

static void fixture_free(struct fixture *fixture)
{
	strbuf_free(&fixture->out);
	arena_free(&fixture->arena);
}

static struct source *add_source(struct fixture *fixture, const char *name, const char *text)
{
	struct source *source = sources_add(&fixture->sources, name, text, strlen(text));

	ck_assert_ptr_nonnull(source);
	return source;
}

static struct span span_of(const struct source *source, const char *from, const char *to)
{
	const char *begin = strstr(source->text, from), *end = strstr(source->text, to);

	ck_assert_ptr_nonnull(begin);
	ck_assert_ptr_nonnull(end);
	return (struct span){source->start + (uint32_t)(begin - source->text),
			     source->start + (uint32_t)(end - source->text + strlen(to))};
}

static json_t *write_and_load(struct fixture *fixture, enum report_format format)
{
	struct report report = {
		.diags = &fixture->diags,
		.sources = &fixture->sources,
		.suppressed = &fixture->suppressed,
		.version = "1.2.3",
		.exit_code = 1,
	};
	json_t *root;

	strbuf_reset(&fixture->out);
	report_write(&fixture->out, &report, format);
	root = json_loadb(fixture->out.data, fixture->out.len, 0, NULL);
	ck_assert_ptr_nonnull(root);
	return root;
}

START_TEST(places)
{
	static const struct {
		const char *text, *from, *to;
		unsigned line, column, end_line, end_column;
	} rows[] = {
		{"abc def\n", "def", "def", 1, 5, 1, 8},
		{"abc\ndef\n", "def", "def", 2, 1, 2, 4},
		{"abc\ndef\n", "bc", "de", 1, 2, 2, 3},
		/* columns count characters, not bytes */
		{"\xc3\xa4\xe2\x86\x92 x\xc3\xb6y\n", "x", "y", 1, 4, 1, 7},
		{"a \xf0\x9f\x98\x80 b", "\xf0", "\x80", 1, 3, 1, 4},
		{"tab\there", "here", "here", 1, 5, 1, 9},
		{"last", "last", "last", 1, 1, 1, 5},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct report_place place;
		struct fixture fixture;
		struct source *source;

		fixture_init(&fixture);
		source = add_source(&fixture, "p", rows[i].text);
		ck_assert(report_place_find(&fixture.sources, span_of(source, rows[i].from, rows[i].to), &place));
		ck_assert_ptr_eq(place.source, source);
		ck_assert_uint_eq(place.line, rows[i].line);
		ck_assert_uint_eq(place.column, rows[i].column);
		ck_assert_uint_eq(place.end_line, rows[i].end_line);
		ck_assert_uint_eq(place.end_column, rows[i].end_column);
		fixture_free(&fixture);
	}
}
END_TEST

START_TEST(no_place)
{
	struct report_place place;
	struct fixture fixture;

	fixture_init(&fixture);
	add_source(&fixture, "p", "text");
	ck_assert(!report_place_find(&fixture.sources, SPAN_NONE, &place));
	fixture_free(&fixture);
}
END_TEST

START_TEST(any_bytes)
{
	static const struct {
		const char *bytes, *expected;
	} rows[] = {
		{"plain", "plain"},
		{"\xc3\xa4", "\xc3\xa4"},
		{"a\xff" "b", "a\xef\xbf\xbd" "b"},
		{"\xc3", "\xef\xbf\xbd"},
		{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                     /* overlong */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},     /* a surrogate */
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* beyond U+10FFFF */
		{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *string = json_text(rows[i].bytes, strlen(rows[i].bytes));

		ck_assert_str_eq(json_string_value(string), rows[i].expected);
		json_decref(string);
	}
}
END_TEST

static struct diag *add_finding(struct fixture *fixture, struct span span, const char *message)
{
	return diag_add(&fixture->diags, CODE_DEAD_RULE, span, "%s", message);
}

START_TEST(json_members)
{
	struct fixture fixture;
	struct source *source;
	struct diag *diag;
	json_t *root, *object, *label;

	fixture_init(&fixture);
	source = add_source(&fixture, "a file.pw", "one two\nthree\n");
	diag = add_finding(&fixture, span_of(source, "two", "two"), "message");
	diag_label(&fixture.diags, diag, span_of(source, "three", "three"), "label");
	diag_label(&fixture.diags, diag, SPAN_NONE, "note");
	diag_suggest(&fixture.diags, diag, "zwei");
	vec_push(&fixture.arena, &fixture.suppressed.items,
		 (struct suppressed){diag, span_of(source, "three", "three")});
	root = write_and_load(&fixture, REPORT_JSON);

	ck_assert_int_eq(json_integer_value(json_object_get(root, "version")), 1);
	object = json_array_get(json_object_get(root, "diagnostics"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(object, "code")), "PW353");
	ck_assert_str_eq(json_string_value(json_object_get(object, "name")), "dead-rule");
	ck_assert_str_eq(json_string_value(json_object_get(object, "severity")), "warning");
	ck_assert_str_eq(json_string_value(json_object_get(object, "file")), "a file.pw");
	ck_assert_str_eq(json_string_value(json_object_get(object, "suggestion")), "zwei");
	ck_assert_int_eq(json_integer_value(json_object_get(object, "endColumn")), 8);
	label = json_array_get(json_object_get(object, "labels"), 1);
	ck_assert_str_eq(json_string_value(json_object_get(label, "message")), "note");
	ck_assert(json_is_null(json_object_get(label, "line")));
	object = json_array_get(json_object_get(root, "suppressed"), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(object, "comment"), "line")), 2);
	object = json_object_get(root, "summary");
	ck_assert_int_eq(json_integer_value(json_object_get(object, "warnings")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(object, "suppressed")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(object, "exitCode")), 1);
	json_decref(root);
	fixture_free(&fixture);
}
END_TEST

static json_t *first_run(json_t *root)
{
	return json_array_get(json_object_get(root, "runs"), 0);
}

static const char *artifact_uri(json_t *root, size_t index)
{
	json_t *artifact = json_array_get(json_object_get(first_run(root), "artifacts"), index);

	return json_string_value(json_object_get(json_object_get(artifact, "location"), "uri"));
}

START_TEST(sarif_uris)
{
	static const struct {
		const char *name, *uri;
	} rows[] = {
		{"wg1.pw", "wg1.pw"},
		{"dir/my policy.pw", "dir/my%20policy.pw"},
		{"/etc/peerwall/wg1.pw", "file:///etc/peerwall/wg1.pw"},
		{"a:b#c?d%e", "a%3Ab%23c%3Fd%25e"},
		{"gr\xc3\xbc\xc3\x9f" "e\xff", "gr%C3%BC%C3%9Fe%FF"},
		{"<stdin>", "stdin:"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture fixture;
		struct source *source;
		json_t *root;

		fixture_init(&fixture);
		source = add_source(&fixture, rows[i].name, "text");
		add_finding(&fixture, span_of(source, "text", "text"), "m");
		root = write_and_load(&fixture, REPORT_SARIF);
		ck_assert_str_eq(artifact_uri(root, 0), rows[i].uri);
		json_decref(root);
		fixture_free(&fixture);
	}
}
END_TEST

START_TEST(sarif_members)
{
	struct fixture fixture;
	struct source *source;
	struct diag *diag;
	json_t *root, *run, *results, *result, *rules;

	fixture_init(&fixture);
	source = add_source(&fixture, "p", "one two\nthree\n");
	diag = add_finding(&fixture, span_of(source, "two", "two"), "a {brace}");
	diag_label(&fixture.diags, diag, span_of(source, "three", "three"), "label");
	diag_label(&fixture.diags, diag, SPAN_NONE, "note");
	diag_suggest(&fixture.diags, diag, "zwei");
	diag = diag_add(&fixture.diags, CODE_CHAIN_NAME_TAKEN, SPAN_NONE, "no place");
	vec_push(&fixture.arena, &fixture.suppressed.items,
		 (struct suppressed){fixture.diags.all.data[0], span_of(source, "three", "three")});
	root = write_and_load(&fixture, REPORT_SARIF);
	run = first_run(root);
	results = json_object_get(run, "results");
	rules = json_object_get(json_object_get(json_object_get(run, "tool"), "driver"), "rules");
	ck_assert_str_eq(json_string_value(json_object_get(run, "columnKind")), "unicodeCodePoints");
	ck_assert_uint_eq(json_array_size(results), 3);
	ck_assert_uint_eq(json_array_size(rules), 2);

	result = json_array_get(results, 0);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(result, "message"), "text")),
			 "a {{brace}}\nnote");
	ck_assert_str_eq(json_string_value(json_object_get(result, "level")), "warning");
	ck_assert_uint_eq(json_array_size(json_object_get(result, "relatedLocations")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(result, "fixes")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(result, "suppressions")), 0);

	result = json_array_get(results, 1);
	ck_assert_int_eq(json_integer_value(json_object_get(result, "ruleIndex")), 1);
	ck_assert_str_eq(json_string_value(json_object_get(result, "level")), "error");
	ck_assert_ptr_null(json_object_get(result, "locations"));

	result = json_array_get(results, 2);
	ck_assert_str_eq(json_string_value(json_object_get(result, "ruleId")), "PW353");
	ck_assert_uint_eq(json_array_size(json_object_get(result, "suppressions")), 1);
	json_decref(root);
	fixture_free(&fixture);
}
END_TEST

START_TEST(text_summary)
{
	struct fixture fixture;
	struct report report = {.version = "1", .exit_code = 0};
	struct source *source;

	fixture_init(&fixture);
	report.diags = &fixture.diags;
	report.sources = &fixture.sources;
	report.suppressed = &fixture.suppressed;
	report_write(&fixture.out, &report, REPORT_TEXT);
	ck_assert_str_eq(strbuf_str(&fixture.out), "");

	source = add_source(&fixture, "p", "text");
	add_finding(&fixture, span_of(source, "text", "text"), "m");
	add_finding(&fixture, span_of(source, "text", "text"), "m");
	diag_add(&fixture.diags, CODE_CHAIN_NAME_TAKEN, SPAN_NONE, "no place");
	report_write(&fixture.out, &report, REPORT_TEXT);
	ck_assert_ptr_nonnull(strstr(strbuf_str(&fixture.out), "\n1 error, 2 warnings\n"));

	strbuf_reset(&fixture.out);
	report.quiet = true;
	report_write(&fixture.out, &report, REPORT_TEXT);
	ck_assert_ptr_nonnull(strstr(strbuf_str(&fixture.out), "no place"));
	ck_assert_ptr_null(strstr(strbuf_str(&fixture.out), "warning"));
	fixture_free(&fixture);
}
END_TEST

START_TEST(formats)
{
	enum report_format format;

	ck_assert(report_format_find("sarif", &format));
	ck_assert_int_eq(format, REPORT_SARIF);
	ck_assert(report_format_find("text", &format));
	ck_assert(!report_format_find("SARIF", &format));
	ck_assert(!report_format_find("", &format));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("report");
	TCase *all = tcase_create("all");

	tcase_add_test(all, places);
	tcase_add_test(all, no_place);
	tcase_add_test(all, any_bytes);
	tcase_add_test(all, json_members);
	tcase_add_test(all, sarif_uris);
	tcase_add_test(all, sarif_members);
	tcase_add_test(all, text_summary);
	tcase_add_test(all, formats);
	suite_add_tcase(suite, all);
	return suite;
}
