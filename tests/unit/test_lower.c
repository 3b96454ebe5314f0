#include "unit.h"

#include <peerwall/classes.h>
#include <peerwall/lower.h>
#include <peerwall/policy.h>

#include <stdio.h>
#include <string.h>

static struct arena arena;

static void teardown(void)
{
	arena_free(&arena);
}

/* ---- names ---- */

START_TEST(chain_names_fit_and_are_told_apart)
{
	static const char *const names[] = {"wg1", "wg+", "a", "123456789012345", "wg\"1", "wg'1", "wg\\1", "wg 1", "wg-1/x",
					    "\xc3\xa9t\xc3\xa9", "$(reboot)", "a;b|c&d>e<f!g", "PW-wg1", "-x", "=", "_-._@+"};
	const char *seen[64];
	size_t count = 0;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		static const char *const roles[] = {"", "fwd", "out", "9999"};

		if (strchr(names[i], '/'))
			continue; /* no interface has such a name */
		for (size_t j = 0; j < sizeof roles / sizeof *roles; j++) {
			const char *chain = own_chain_name(&arena, names[i], roles[j]);
			const char *back = own_chain_interface(&arena, chain);

			ck_assert_uint_le(strlen(chain), CHAIN_NAME_MAX);
			ck_assert_ptr_nonnull(back);
			ck_assert_str_eq(back, names[i]);
			ck_assert_uint_eq(strspn(chain, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
							"0123456789-_.+@=/"), strlen(chain));
			for (size_t k = 0; k < count; k++)
				ck_assert_str_ne(seen[k], chain);
			ck_assert_uint_lt(count, sizeof seen / sizeof *seen);
			seen[count++] = chain;
		}
	}
}
END_TEST

START_TEST(the_longest_interface_name_of_any_bytes_fits)
{
	char name[INTERFACE_NAME_MAX + 1];

	for (int byte = 1; byte < 256; byte++) {
		memset(name, byte, INTERFACE_NAME_MAX);
		name[INTERFACE_NAME_MAX] = '\0';
		if (byte == '/')
			continue;
		ck_assert_uint_le(strlen(own_chain_name(&arena, name, "9999")), CHAIN_NAME_MAX);
		ck_assert_str_eq(own_chain_interface(&arena, own_chain_name(&arena, name, "out")), name);
	}
}
END_TEST

START_TEST(foreign_chains_are_not_taken_for_ours)
{
	static const char *const names[] = {"DOCKER", "PW", "PW-", "PW=", "PWwg1", "PW=!!", "pw-wg1", "PW-a b", "PW=A",
					    "PW-1234567890123456", "PW=d2cx=", "PW=d2cx", "PW-/out"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_msg(!own_chain_interface(&arena, names[i]), "%s", names[i]);
}
END_TEST

/* ---- classes ---- */

static void add_class(struct class_list *list, const char *prefixes, uint16_t lo, uint16_t hi)
{
	struct class class = {.peers.family = FAMILY_IPV4};
	char copy[256];

	snprintf(copy, sizeof copy, "%s", prefixes);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		struct prefix prefix;

		ck_assert_int_eq(prefix_parse(word, strlen(word), &prefix), PREFIX_OK);
		addr_set_add_prefix(&arena, &class.peers, &prefix);
	}
	addr_set_normalise(&class.peers);
	port_set_add(&arena, &class.ports, (struct port_range){lo, hi});
	vec_push(&arena, &list->items, class);
}

/* May this peer reach this port, by any class of the list? */
static bool allows(const struct class_list *list, uint32_t peer, uint16_t port)
{
	struct addr addr = addr_from_number(FAMILY_IPV4, peer);

	vec_each(class, &list->items)
		if (addr_set_contains(&class->peers, &addr) && port_set_contains(&class->ports, port))
			return true;
	return false;
}

START_TEST(classes_hold_exactly_the_same_pairs)
{
	uint32_t seed = 1;

	for (int round = 0; round < 300; round++) {
		struct class_list permissions = {0}, classes = {0};
		unsigned count = 1 + (unsigned)round % 7;

		for (unsigned i = 0; i < count; i++) {
			char prefix[32];
			uint16_t lo;

			seed = seed * 1103515245u + 12345u;
			snprintf(prefix, sizeof prefix, "10.0.0.%u/%u", (seed >> 8) & 31, 27 + (seed >> 16) % 6);
			lo = (uint16_t)((seed >> 20) % 20 + 1);
			add_class(&permissions, prefix, lo, (uint16_t)(lo + (seed >> 26) % 6));
		}
		classes_make(&arena, &permissions, &classes);
		for (uint32_t peer = 0x0a000000; peer < 0x0a000020; peer++)
			for (uint16_t port = 0; port < 30; port++)
				ck_assert_int_eq(allows(&permissions, peer, port), allows(&classes, peer, port));
	}
}
END_TEST

START_TEST(equal_peers_share_one_class)
{
	struct class_list permissions = {0}, classes = {0};

	add_class(&permissions, "10.1.1.0/24", 22, 22);
	add_class(&permissions, "10.1.1.0/24", 80, 80);
	add_class(&permissions, "10.1.1.4", 22, 22); /* covered */
	classes_make(&arena, &permissions, &classes);
	ck_assert_uint_eq(classes.items.len, 1);
	ck_assert_uint_eq(classes.items.data[0].ports.ranges.len, 2);
}
END_TEST

START_TEST(roles_of_many_peers_are_cut_by_peers)
{
	struct class_list permissions = {0}, classes = {0};

	/* Two groups of scattered peers, one with the ports of the other and more. */
	add_class(&permissions, "10.0.0.1 10.0.0.3 10.0.0.5 10.0.0.7", 22, 22);
	add_class(&permissions, "10.0.0.1 10.0.0.3 10.0.0.5 10.0.0.7", 80, 80);
	add_class(&permissions, "10.9.0.1 10.9.0.3 10.9.0.5 10.9.0.7", 22, 22);
	classes_make(&arena, &permissions, &classes);
	ck_assert_uint_eq(classes.items.len, 2);
	for (size_t i = 0; i < 2; i++)
		ck_assert_uint_eq(classes.items.data[i].peers.ranges.len, 4);
}
END_TEST

START_TEST(a_range_takes_two_slots_of_fifteen)
{
	struct port_set ports = {0};

	for (uint16_t i = 0; i < 7; i++)
		port_set_add(&arena, &ports, (struct port_range){(uint16_t)(10 * i + 1), (uint16_t)(10 * i + 2)});
	port_set_add(&arena, &ports, (struct port_range){1000, 1000});
	port_set_normalise(&ports);
	ck_assert_uint_eq(port_set_chunks(&ports), 1);
	port_set_add(&arena, &ports, (struct port_range){2000, 2000});
	port_set_normalise(&ports);
	ck_assert_uint_eq(port_set_chunks(&ports), 2);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("lower");
	TCase *tests = tcase_create("names and classes");

	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_add_test(tests, chain_names_fit_and_are_told_apart);
	tcase_add_test(tests, the_longest_interface_name_of_any_bytes_fits);
	tcase_add_test(tests, foreign_chains_are_not_taken_for_ours);
	tcase_add_test(tests, classes_hold_exactly_the_same_pairs);
	tcase_add_test(tests, equal_peers_share_one_class);
	tcase_add_test(tests, roles_of_many_peers_are_cut_by_peers);
	tcase_add_test(tests, a_range_takes_two_slots_of_fifteen);
	suite_add_tcase(suite, tests);
	return suite;
}
