#include "unit.h"

#include "../../src/live/nft_table.h"

#include <peerwall/generation.h>
#include <peerwall/process.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;

static void teardown(void)
{
	arena_free(&arena);
}

/* nf_tables of this process alone. Where that or a tool cannot be had nothing is tried. */
static bool enter_namespace(void)
{
	static const char *const tools[] = {"/usr/sbin/nft", "/usr/sbin/iptables-nft"};

	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
		if (access(tools[i], X_OK) != 0) {
			printf("skipped: nft_table: needs %s\n", tools[i]);
			return false;
		}
	if (geteuid() == 0 && unshare(CLONE_NEWNET) == 0)
		return true;
	printf("skipped: nft_table: needs root\n");
	return false;
}

static void run(const char *const *argv)
{
	struct process process = {.path = argv[0], .argv = argv, .output_limit = 1 << 20, .time_limit = 20000};
	struct process_result result;

	ck_assert_int_eq(process_run(&result, &process), 0);
	ck_assert_msg(process_succeeded(&result), "%s", strbuf_str(&result.err));
	process_result_free(&result);
}

static void iptables(const char *operation, const char *chain, const char *target)
{
	run((const char *const[]){"/usr/sbin/iptables-nft", "-t", "mangle", operation, chain, target ? "-j" : NULL, target, NULL});
}

static void nft(const char *command)
{
	run((const char *const[]){"/usr/sbin/nft", command, NULL});
}

static enum nft_table_state look(enum family family)
{
	enum nft_table_state state;

	ck_assert_int_eq(nft_table_look(&state, family, TABLE_MANGLE, &arena), 0);
	return state;
}

/* As iptables leaves it when its last rule goes. */
static void make_bare(void)
{
	nft("flush ruleset");
	iptables("-A", "FORWARD", NULL);
	iptables("-F", "FORWARD", NULL);
	ck_assert_int_eq(look(FAMILY_IPV4), NFT_TABLE_BARE);
}

START_TEST(only_what_iptables_makes_is_bare)
{
	static const struct {
		const char *command;
		enum nft_table_state state;
	} steps[] = {
		{"add chain ip mangle POSTROUTING { type filter hook postrouting priority mangle; }", NFT_TABLE_BARE},
		{"add table ip other", NFT_TABLE_BARE},
		{"add rule ip mangle FORWARD counter", NFT_TABLE_OTHERS},
		{"add set ip mangle s { type ipv4_addr; }", NFT_TABLE_OTHERS},
		{"add map ip mangle m { type ipv4_addr : mark; }", NFT_TABLE_OTHERS},
		{"add counter ip mangle c", NFT_TABLE_OTHERS},
		{"add chain ip mangle USER", NFT_TABLE_OTHERS},
		{"add chain ip mangle PREROUTING", NFT_TABLE_OTHERS},
		{"add chain ip mangle MINE { type filter hook prerouting priority mangle; }", NFT_TABLE_OTHERS},
		{"add chain ip mangle INPUT { type filter hook input priority 7; }", NFT_TABLE_OTHERS},
		{"add chain ip mangle INPUT { type filter hook output priority mangle; }", NFT_TABLE_OTHERS},
		{"add chain ip mangle INPUT { type filter hook input priority mangle; policy drop; }", NFT_TABLE_OTHERS},
		{"add chain ip mangle INPUT { type filter hook input priority mangle; comment \"x\"; }", NFT_TABLE_OTHERS},
		{"add table ip mangle { flags dormant; }", NFT_TABLE_OTHERS},
		{"add chain ip mangle PW-wg1", NFT_TABLE_OURS},
		{"delete table ip mangle", NFT_TABLE_ABSENT},
	};

	if (!enter_namespace())
		return;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		make_bare();
		nft(steps[i].command);
		ck_assert_msg(look(FAMILY_IPV4) == steps[i].state, "%s", steps[i].command);
		ck_assert_int_eq(look(FAMILY_IPV6), NFT_TABLE_ABSENT);
	}
}
END_TEST

START_TEST(a_bare_table_is_deleted)
{
	uint32_t generation;

	if (!enter_namespace())
		return;
	make_bare();
	ck_assert_int_eq(generation_read(&generation), 0);
	ck_assert_int_eq(nft_table_delete(FAMILY_IPV6, TABLE_MANGLE, generation), -ENOENT);
	ck_assert_int_eq(nft_table_delete(FAMILY_IPV4, TABLE_MANGLE, generation), 0);
	ck_assert_int_eq(look(FAMILY_IPV4), NFT_TABLE_ABSENT);
}
END_TEST

START_TEST(a_commit_of_others_in_between_keeps_the_table)
{
	uint32_t before, after, unchanged;

	if (!enter_namespace())
		return;
	make_bare();
	ck_assert_int_eq(generation_read(&before), 0);
	ck_assert_int_eq(look(FAMILY_IPV4), NFT_TABLE_BARE);
	iptables("-A", "OUTPUT", "ACCEPT");
	ck_assert_int_eq(nft_table_delete(FAMILY_IPV4, TABLE_MANGLE, before), -ERESTART);
	iptables("-C", "OUTPUT", "ACCEPT");
	ck_assert_int_eq(look(FAMILY_IPV4), NFT_TABLE_OTHERS);

	/* A refusal is no commit, and neither is the question whether the kernel looks. */
	ck_assert_int_eq(generation_read(&after), 0);
	ck_assert_int_eq(nft_table_delete(FAMILY_IPV4, TABLE_MANGLE, before), -ERESTART);
	ck_assert_int_eq(nft_table_delete(FAMILY_IPV4, TABLE_MANGLE, 0), -ERESTART);
	ck_assert_int_eq(generation_read(&unchanged), 0);
	ck_assert_uint_eq(after, unchanged);
	ck_assert_uint_ne(after, before);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("nft_table");
	TCase *tests = tcase_create("nft_table");

	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, only_what_iptables_makes_is_bare);
	tcase_add_test(tests, a_bare_table_is_deleted);
	tcase_add_test(tests, a_commit_of_others_in_between_keeps_the_table);
	suite_add_tcase(suite, tests);
	return suite;
}
