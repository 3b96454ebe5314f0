#include "unit.h"

#include <peerwall/source.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct sources sources;
static char directory[64];

static void setup(void)
{
	sources_init(&sources, &arena);
	snprintf(directory, sizeof directory, "/tmp/peerwall-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void teardown(void)
{
	char command[128];

	arena_free(&arena);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static const char *make_file(const char *name, const char *text, size_t size)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

START_TEST(places_in_lines)
{
	static const char text[] = "ab\ncd\r\n\n\tx\xc3\xa9y";
	static const struct {
		size_t offset;
		unsigned line, column;
		const char *shown;
	} cases[] = {
		{0, 1, 1, "ab"},  {1, 1, 2, "ab"},          {2, 1, 3, "ab"},
		{3, 2, 1, "cd"},  {5, 2, 3, "cd"},          {6, 2, 4, "cd"},
		{7, 3, 1, ""},    {8, 4, 1, "\tx\xc3\xa9y"}, {9, 4, 2, "\tx\xc3\xa9y"},
		{10, 4, 3, "\tx\xc3\xa9y"}, {12, 4, 4, "\tx\xc3\xa9y"}, {13, 4, 5, "\tx\xc3\xa9y"},
	};
	struct source *source = sources_add(&sources, "name", text, sizeof text - 1);
	struct location location;

	/* Backwards too: look-ups remember where they were. */
	for (int round = 0; round < 2; round++)
		for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
			size_t i = round ? sizeof cases / sizeof *cases - 1 - n : n;

			ck_assert(sources_locate(&sources, source->start + (uint32_t)cases[i].offset, &location));
			ck_assert_ptr_eq(location.source, source);
			ck_assert_uint_eq(location.line, cases[i].line);
			ck_assert_msg(location.column == cases[i].column, "offset %zu: column %u", cases[i].offset,
				      location.column);
			ck_assert_uint_eq(location.line_size, strlen(cases[i].shown));
			ck_assert_mem_eq(location.line_text, cases[i].shown, location.line_size);
		}
}
END_TEST

START_TEST(several_sources_share_one_space)
{
	struct source *a = sources_add(&sources, "a", "one", 3), *empty = sources_add(&sources, "e", "", 0);
	struct source *b = sources_add(&sources, "b", "two\nthree", 9);
	struct location location;
	size_t size;

	ck_assert(!sources_locate(&sources, 0, &location));
	ck_assert(!sources_locate(&sources, sources.next, &location));
	ck_assert(sources_locate(&sources, a->start + 3, &location));
	ck_assert_ptr_eq(location.source, a);
	ck_assert(sources_locate(&sources, empty->start, &location));
	ck_assert_ptr_eq(location.source, empty);
	ck_assert_uint_eq(location.line, 1);
	ck_assert(sources_locate(&sources, b->start + 4, &location));
	ck_assert_ptr_eq(location.source, b);
	ck_assert_uint_eq(location.line, 2);
	ck_assert_str_eq(sources_text(&sources, SPAN_NONE, &size), "");
	ck_assert_uint_eq(size, 0);
	ck_assert_mem_eq(sources_text(&sources, (struct span){b->start + 4, b->start + 9}, &size), "three", 5);
	ck_assert_uint_eq(size, 5);
}
END_TEST

START_TEST(loads_files)
{
	struct source *source = NULL;

	ck_assert_int_eq(sources_load(&sources, make_file("bom", "\xef\xbb\xbfhello\0x", 10), 100, &source), 0);
	ck_assert_uint_eq(source->size, 7);
	ck_assert_mem_eq(source->text, "hello\0x", 8);
	ck_assert_str_eq(source->name, path_of("bom"));
	ck_assert_int_eq(sources_load(&sources, make_file("empty", "", 0), 100, &source), 0);
	ck_assert_uint_eq(source->size, 0);
	ck_assert_int_eq(sources_load(&sources, make_file("full", "0123456789", 10), 10, &source), 0);
	ck_assert_uint_eq(source->size, 10);
}
END_TEST

START_TEST(refuses_what_is_no_file)
{
	struct source *source = NULL;
	size_t count = sources.all.len;

	ck_assert_int_eq(sources_load(&sources, path_of("nosuch"), 100, &source), -ENOENT);
	ck_assert_int_eq(sources_load(&sources, directory, 100, &source), -EISDIR);
	ck_assert_int_eq(sources_load(&sources, make_file("large", "0123456789", 10), 9, &source), -EFBIG);
	ck_assert_int_eq(sources_load(&sources, "/dev/zero", 100000, &source), -EFBIG);
	ck_assert_uint_eq(sources.all.len, count);
	ck_assert_ptr_null(source);
	/* A file without a size is read to its end. */
	ck_assert_int_eq(sources_load(&sources, "/dev/null", 100, &source), 0);
	ck_assert_uint_eq(source->size, 0);
}
END_TEST

START_TEST(reads_pipes_to_their_end)
{
	struct source *source = NULL;
	char *path = strdup(path_of("fifo"));
	size_t size = 300000;
	pid_t writer;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	writer = fork();
	if (writer == 0) {
		FILE *file = fopen(path, "w");

		for (size_t i = 0; file && i < size; i++)
			fputc('x', file);
		_exit(!file || fclose(file) != 0);
	}
	ck_assert_int_eq(sources_load(&sources, path, 1u << 20, &source), 0);
	ck_assert_uint_eq(source->size, size);
	free(path);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("source");
	TCase *tests = tcase_create("source");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, places_in_lines);
	tcase_add_test(tests, several_sources_share_one_space);
	tcase_add_test(tests, loads_files);
	tcase_add_test(tests, refuses_what_is_no_file);
	tcase_add_test(tests, reads_pipes_to_their_end);
	suite_add_tcase(suite, tests);
	return suite;
}
