#include "unit.h"

#include <peerwall/backend.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct failure failure;
static char directory[64];

static void setup(void)
{
	failure = FAILURE_INIT(&arena);
	snprintf(directory, sizeof directory, "/tmp/peerwall-tools-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
	arena_free(&arena);
}

static void add_tool(const char *name, const char *script)
{
	const char *path = arena_printf(&arena, "%s/%s", directory, name);
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "#!/bin/sh\n%s\n", script);
	fclose(file);
	ck_assert_int_eq(chmod(path, 0755), 0);
}

#define NFT_VERSION "echo 'iptables-save v1.8.9 (nf_tables)'"
#define LEGACY_VERSION "echo 'iptables-save v1.8.9 (legacy)'"
#define OLD_VERSION "echo 'iptables-save v1.6.1'"

static bool find(struct toolbox *toolbox)
{
	return toolbox_find(toolbox, directory, 5000, &failure);
}

START_TEST(an_empty_directory_has_no_tools)
{
	struct toolbox toolbox;

	ck_assert(find(&toolbox));
	ck_assert(!toolbox.has_preferred);
	for (int b = 0; b < BACKEND_COUNT; b++)
		for (int f = 0; f < FAMILY_COUNT; f++)
			ck_assert(!toolbox.tools[b].save[f] && !toolbox.tools[b].restore[f]);
}
END_TEST

START_TEST(named_tools_win_and_plain_ones_say_what_is_preferred)
{
	struct toolbox toolbox;

	add_tool("iptables-nft-save", "");
	add_tool("iptables-legacy-save", "");
	add_tool("iptables-save", LEGACY_VERSION);
	ck_assert(find(&toolbox));
	ck_assert(toolbox.has_preferred);
	ck_assert_int_eq(toolbox.preferred, BACKEND_LEGACY);
	ck_assert_ptr_nonnull(strstr(toolbox.tools[BACKEND_LEGACY].save[FAMILY_IPV4], "/iptables-legacy-save"));
	ck_assert_ptr_nonnull(strstr(toolbox.tools[BACKEND_NFT].save[FAMILY_IPV4], "/iptables-nft-save"));
	ck_assert_ptr_null(toolbox.tools[BACKEND_NFT].save[FAMILY_IPV6]);
}
END_TEST

START_TEST(plain_tools_serve_the_backend_that_they_name)
{
	struct toolbox toolbox;

	add_tool("iptables-save", NFT_VERSION);
	add_tool("iptables-restore", NFT_VERSION);
	add_tool("ip6tables-save", OLD_VERSION);
	add_tool("ip6tables-restore", OLD_VERSION);
	ck_assert(find(&toolbox));
	ck_assert_ptr_nonnull(toolbox.tools[BACKEND_NFT].save[FAMILY_IPV4]);
	ck_assert_ptr_nonnull(toolbox.tools[BACKEND_NFT].restore[FAMILY_IPV4]);
	ck_assert_ptr_null(toolbox.tools[BACKEND_NFT].save[FAMILY_IPV6]);
	ck_assert_ptr_nonnull(toolbox.tools[BACKEND_LEGACY].save[FAMILY_IPV6]);
	ck_assert_ptr_nonnull(toolbox.tools[BACKEND_LEGACY].restore[FAMILY_IPV6]);
}
END_TEST

START_TEST(a_tool_that_does_not_tell_its_version_is_an_error)
{
	struct toolbox toolbox;

	add_tool("iptables-save", "echo something else; echo oops >&2; exit 3");
	ck_assert(!find(&toolbox));
	ck_assert_int_eq(failure.kind, FAILURE_SYSTEM);
	ck_assert_ptr_nonnull(strstr(failure.message, "does not tell which backend it is: it exited with status 3: oops"));
}
END_TEST

START_TEST(what_others_may_write_is_not_run_as_root)
{
	struct toolbox toolbox;
	const char *path;

	if (geteuid() != 0)
		return;
	add_tool("iptables-nft-save", "");
	path = arena_printf(&arena, "%s/iptables-nft-save", directory);
	ck_assert_int_eq(chmod(path, 0777), 0);
	ck_assert(!find(&toolbox));
	ck_assert_ptr_nonnull(strstr(failure.message, "others than root may write"));

	failure = FAILURE_INIT(&arena);
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert_int_eq(chmod(directory, 0777), 0);
	ck_assert(!find(&toolbox));

	failure = FAILURE_INIT(&arena);
	ck_assert_int_eq(chmod(directory, 0755), 0);
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
	ck_assert(!find(&toolbox));
	ck_assert_int_eq(chown(path, 0, 0), 0);
	ck_assert(find(&toolbox));
}
END_TEST

START_TEST(what_is_no_program_is_no_tool)
{
	struct toolbox toolbox;
	const char *path = arena_printf(&arena, "%s/iptables-nft-save", directory);

	ck_assert_int_eq(mkdir(path, 0755), 0);
	add_tool("iptables-legacy-save", "");
	ck_assert_int_eq(chmod(arena_printf(&arena, "%s/iptables-legacy-save", directory), 0644), 0);
	ck_assert(find(&toolbox));
	ck_assert_ptr_null(toolbox.tools[BACKEND_NFT].save[FAMILY_IPV4]);
	ck_assert_ptr_null(toolbox.tools[BACKEND_LEGACY].save[FAMILY_IPV4]);
}
END_TEST

/* One row: what each backend holds (foreign, own, suspected), and what has to be chosen; -1 is a conflict. */
struct choice {
	size_t nft_foreign, nft_own, legacy_foreign, legacy_own;
	bool legacy_suspected;
	int preferred; /* -1: no plain tools */
	int load, ours;
};

static const struct choice choices[] = {
	{0, 0, 0, 0, false, BACKEND_NFT, BACKEND_NFT, BACKEND_NFT},
	{0, 0, 0, 0, false, BACKEND_LEGACY, BACKEND_LEGACY, BACKEND_LEGACY},
	{5, 0, 0, 0, false, BACKEND_LEGACY, BACKEND_NFT, BACKEND_NFT},
	{0, 0, 5, 0, false, BACKEND_NFT, BACKEND_LEGACY, BACKEND_LEGACY},
	{0, 1, 0, 0, false, BACKEND_LEGACY, BACKEND_NFT, BACKEND_NFT},
	{5, 0, 5, 0, false, BACKEND_NFT, -1, BACKEND_NFT},
	{5, 1, 5, 0, false, BACKEND_LEGACY, -1, BACKEND_NFT},
	{0, 1, 5, 0, false, BACKEND_NFT, -1, BACKEND_NFT},
	{5, 0, 0, 1, false, BACKEND_NFT, -1, BACKEND_LEGACY},
	{0, 1, 0, 1, false, BACKEND_NFT, -1, -1},
	{5, 0, 0, 0, true, BACKEND_NFT, -1, BACKEND_NFT},
	{0, 0, 0, 0, false, -1, BACKEND_LEGACY, BACKEND_LEGACY},
};

START_TEST(rules_go_where_the_others_are)
{
	const struct choice *choice = &choices[_i];
	struct toolbox toolbox = {.has_preferred = choice->preferred >= 0};
	struct holding holdings[BACKEND_COUNT][FAMILY_COUNT] = {0};
	const struct holding(*view)[FAMILY_COUNT] = (const struct holding(*)[FAMILY_COUNT])holdings;
	enum backend chosen;
	/* The families take turns: what one of them holds counts for both. */
	enum family family = _i % 2 ? FAMILY_IPV6 : FAMILY_IPV4;

	if (choice->preferred >= 0)
		toolbox.preferred = (enum backend)choice->preferred;
	holdings[BACKEND_NFT][family] = (struct holding){
		.known = true, .foreign = choice->nft_foreign, .own = choice->nft_own, .summary = "filter 5 rules"};
	holdings[BACKEND_LEGACY][FAMILY_IPV4] = (struct holding){
		.known = !choice->legacy_suspected, .suspected = choice->legacy_suspected,
		.foreign = choice->legacy_foreign, .own = choice->legacy_own, .summary = "nat 5 rules"};

	if (choice->load < 0) {
		ck_assert(!backend_choose(&chosen, NULL, BACKEND_TO_LOAD, &toolbox, view, &failure));
		ck_assert_int_eq(failure.kind, FAILURE_CONFLICT);
		ck_assert_uint_ge(failure.notes.len, 3);
		failure = FAILURE_INIT(&arena);
	} else {
		ck_assert(backend_choose(&chosen, NULL, BACKEND_TO_LOAD, &toolbox, view, &failure));
		ck_assert_int_eq(chosen, choice->load);
	}
	if (choice->ours < 0) {
		ck_assert(!backend_choose(&chosen, NULL, BACKEND_TO_FIND_OURS, &toolbox, view, &failure));
	} else {
		ck_assert(backend_choose(&chosen, NULL, BACKEND_TO_FIND_OURS, &toolbox, view, &failure));
		ck_assert_int_eq(chosen, choice->ours);
	}
}
END_TEST

START_TEST(what_the_user_wants_is_kept_unless_our_rules_are_in_the_other)
{
	struct toolbox toolbox = {0};
	struct holding holdings[BACKEND_COUNT][FAMILY_COUNT] = {0};
	const struct holding(*view)[FAMILY_COUNT] = (const struct holding(*)[FAMILY_COUNT])holdings;
	enum backend wanted = BACKEND_NFT, chosen;

	holdings[BACKEND_LEGACY][FAMILY_IPV4] = (struct holding){.known = true, .foreign = 3, .summary = "filter 3 rules"};
	ck_assert(backend_choose(&chosen, &wanted, BACKEND_TO_LOAD, &toolbox, view, &failure));
	ck_assert_int_eq(chosen, BACKEND_NFT);
	holdings[BACKEND_LEGACY][FAMILY_IPV6].own = 1;
	ck_assert(!backend_choose(&chosen, &wanted, BACKEND_TO_LOAD, &toolbox, view, &failure));
	ck_assert(backend_choose(&chosen, &wanted, BACKEND_TO_FIND_OURS, &toolbox, view, &failure));
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("backend");
	TCase *tests = tcase_create("backend");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, an_empty_directory_has_no_tools);
	tcase_add_test(tests, named_tools_win_and_plain_ones_say_what_is_preferred);
	tcase_add_test(tests, plain_tools_serve_the_backend_that_they_name);
	tcase_add_test(tests, a_tool_that_does_not_tell_its_version_is_an_error);
	tcase_add_test(tests, what_others_may_write_is_not_run_as_root);
	tcase_add_test(tests, what_is_no_program_is_no_tool);
	tcase_add_loop_test(tests, rules_go_where_the_others_are, 0, (int)(sizeof choices / sizeof *choices));
	tcase_add_test(tests, what_the_user_wants_is_kept_unless_our_rules_are_in_the_other);
	suite_add_tcase(suite, tests);
	return suite;
}
