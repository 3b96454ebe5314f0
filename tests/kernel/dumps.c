/*
 * Rules of real hosts. The world becomes a little like theirs: it has the addresses that rules of INPUT speak of, and
 * routes to the networks that Docker's rules tell of.
 */
#include "sets.h"

#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 8

static bool read_file(struct strbuf *out, const char *path)
{
	FILE *file = fopen(path, "r");
	char block[65536];
	size_t size;

	while (file && (size = fread(block, 1, sizeof block, file)) > 0)
		strbuf_add(out, block, size);
	return file && fclose(file) == 0;
}

/* Every table, without a rule: what a dump does not name would stay as the one before has left it. */
static void add_empty_tables(struct strbuf *out)
{
	for (int table = 0; table < TABLE_COUNT; table++) {
		strbuf_addf(out, "*%s\n", table_names[table]);
		for (int hook = 0; hook < HOOK_COUNT; hook++)
			if (table_has_hook((enum table_id)table, (enum hook)hook))
				strbuf_addf(out, ":%s ACCEPT [0:0]\n", hook_names[hook]);
		strbuf_adds(out, "COMMIT\n");
	}
}

/* ---- the host that the rules speak of ---- */

/* What `ip` adds, and takes away again. */
struct piece {
	const char *kind; /* "address", "route" */
	const char *text;
};

struct furniture {
	VEC(struct piece) pieces;
};

static void furnish(const struct furniture *furniture, const char *verb)
{
	vec_each(piece, &furniture->pieces) {
		char command[256];

		/* What is there already stays as it is. */
		snprintf(command, sizeof command, "ip %s %s %s 2>/dev/null", piece->kind, verb, piece->text);
		if (system(command) == -1)
			die(command);
	}
}

static bool is_here(const struct world *world, const char *interface)
{
	for (int i = 0; interface && i < WORLD_INTERFACES; i++)
		if (strcmp(world->interfaces[i], interface) == 0)
			return true;
	return false;
}

static void plan_addresses(struct furniture *out, const struct world *world, const struct ruleset *rules,
			   struct arena *arena)
{
	const struct chain *input = table_find_chain(&rules->tables[TABLE_FILTER], "INPUT", strlen("INPUT"));
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; input && i < input->rules.len && out->pieces.len < ADDRESSES_MAX; i++) {
		const struct network_match *to = &input->rules.data[i].destination;

		if (!to->present || to->negated || addr_netmask_length(&to->mask) != (int)family_bits(rules->family) ||
		    !is_ordinary_address(rules->family, addr_to_number(&to->addr)))
			continue;
		addr_format(&to->addr, text);
		vec_push(arena, &out->pieces,
			 (struct piece){"address", arena_printf(arena, "%s/%u dev %s", text, family_bits(rules->family),
								world->interfaces[WORLD_INTERFACES - 1])});
	}
}

static void plan_routes(struct furniture *out, const struct world *world, const struct ruleset *rules,
			struct arena *arena)
{
	struct host inferred;
	char text[ADDR_TEXT_MAX];

	host_init(&inferred, arena);
	host_infer(&inferred, rules);
	vec_each(route, &inferred.routes) {
		if (!is_here(world, route->interface))
			continue;
		addr_format(&route->to.addr, text);
		vec_push(arena, &out->pieces,
			 (struct piece){"route",
					arena_printf(arena, "%s/%u dev %s", text, route->to.length, route->interface)});
	}
}

/* ---- one dump ---- */

static void test_loaded(struct test *test, enum family family, const struct strbuf *text)
{
	struct arena arena = ARENA_EMPTY;
	struct furniture furniture = {0};
	struct host host = test->world.host;
	struct ruleset rules;

	world_read_rules(&test->world, &rules, family, &arena);
	plan_addresses(&furniture, &test->world, &rules, &arena);
	plan_routes(&furniture, &test->world, &rules, &arena);
	furnish(&furniture, "add");
	world_read_host(&test->world, &arena);
	test_rules(test, family, text);
	furnish(&furniture, "del");
	test->world.host = host;
	arena_free(&arena);
}

static void test_dump(struct test *test, enum family family, const char *path)
{
	struct strbuf text = STRBUF_EMPTY;

	add_empty_tables(&text);
	if (!read_file(&text, path))
		die(path);
	test->dump = path;
	random_seed(test->seed);
	if (world_load(&test->world, family, &text)) {
		test_loaded(test, family, &text);
		test->rule_sets++;
	} else {
		test->not_loaded++;
	}
	test->dump = NULL;
	strbuf_free(&text);
}

void test_dumps(struct test *test, FILE *list)
{
	char line[4096];

	test->world.quiet = true;
	while (test->differences < DIFFERENCES_MAX && fgets(line, sizeof line, list)) {
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) < 3)
			die("a line that names no dump");
		test_dump(test, line[0] == '6' ? FAMILY_IPV6 : FAMILY_IPV4, line + 2);
	}
}
