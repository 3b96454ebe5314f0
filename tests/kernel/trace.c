/*
 * Holds the tracer against the kernel: `trace BACKEND NAMESPACE INTERFACES SEED RULESETS PACKETS`, inside the host's namespace.
 *
 * For each random rule set and family: loads it by iptables-restore, reads it back, sends a batch of packets onto the
 * wire, and reads every rule's counters. The tracer says for each packet which rules it matches and where it ends; its
 * sums of packets and of bytes (lengths are random, so they tell packets apart) have to be the kernel's, rule by rule.
 * Where they are not, packets are sent one by one, and the first that differs is shown with its seed.
 */
#include "kernel.h"

#include <peerwall/match_codec.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 400

struct test {
	struct world world;
	uint64_t seed;
	size_t sent, undecided, accepted, differences;
};

struct batch {
	struct packet packets[BATCH_MAX];
	bool decided[BATCH_MAX];
	unsigned count;
};

/* ---- the tracer's side ---- */

static void forget_counters(struct ruleset *rules)
{
	for (int t = 0; t < TABLE_COUNT; t++)
		vec_each(chain, &rules->tables[t].chains)
			vec_each(rule, &chain->rules)
				rule->counters = (struct counters){0};
}

static struct rule *own_rule(struct ruleset *rules, const struct trace_step *step)
{
	return &table_find_chain(&rules->tables[step->table], step->chain->name, strlen(step->chain->name))->rules.data[step->number - 1];
}

static void expect_arrival(const struct world *world, struct arrivals *arrivals, const struct trace_path *path, const struct packet *packet)
{
	if (path->fate == FATE_ACCEPTED && (!path->forwarded || path->out))
		count_packet(&arrivals->at[path->forwarded ? world_place(world, path->out) : 0], packet);
}

/* False if nobody can tell: then it is not sent. */
static bool expect(struct test *test, struct ruleset *rules, struct arrivals *arrivals, const struct packet *packet,
		   struct arena *arena)
{
	struct trace trace;

	world_trace(&test->world, &trace, rules, packet, arena);
	if (!trace_is_decided(&trace))
		return false;
	vec_each(step, &trace.paths.data[0].steps)
		if (step->kind == STEP_RULE && step->matched)
			count_packet(&own_rule(rules, step)->counters, packet);
	expect_arrival(&test->world, arrivals, &trace.paths.data[0], packet);
	test->accepted += trace.paths.data[0].fate == FATE_ACCEPTED;
	return true;
}

/* ---- comparing ---- */

static bool counters_equal(const struct counters *a, const struct counters *b)
{
	return a->packets == b->packets && a->bytes == b->bytes;
}

static void show_rule(const struct ruleset *rules, enum table_id table, const struct chain *chain, size_t i, const struct counters *seen)
{
	struct strbuf text = STRBUF_EMPTY;

	rule_encode(&text, rules->family, &chain->rules.data[i]);
	printf("    %s %s %zu: tracer %lu, kernel %lu packets: %s\n", table_names[table], chain->name, i + 1,
	       chain->rules.data[i].counters.packets, seen->packets, strbuf_str(&text));
	strbuf_free(&text);
}

static size_t compare_rules(const struct ruleset *expected, const struct ruleset *seen, bool show)
{
	size_t wrong = 0;

	for (int t = 0; t < TABLE_COUNT; t++)
		vec_each(chain, &expected->tables[t].chains) {
			const struct chain *other = table_find_chain(&seen->tables[t], chain->name, strlen(chain->name));

			for (size_t i = 0; i < chain->rules.len; i++) {
				const struct counters *a = &chain->rules.data[i].counters, *b = &other->rules.data[i].counters;

				if (counters_equal(a, b))
					continue;
				wrong++;
				if (show)
					show_rule(expected, (enum table_id)t, chain, i, b);
			}
		}
	return wrong;
}

static size_t compare_arrivals(const struct world *world, const struct arrivals *expected, const struct arrivals *before,
			       const struct arrivals *after, bool show)
{
	size_t wrong = 0;

	for (size_t i = 0; i <= WORLD_INTERFACES; i++) {
		const struct counters *want = &expected->at[i], *old = &before->at[i], *new = &after->at[i];
		struct counters seen = {new->packets - old->packets, new->bytes - old->bytes};

		if (counters_equal(want, &seen))
			continue;
		wrong++;
		if (show)
			printf("    accepted, %s %s: tracer %lu, kernel %lu packets\n", i ? "out by" : "for this",
			       i ? world->interfaces[i - 1] : "host", want->packets, seen.packets);
	}
	return wrong;
}

/* Sends packets [from, to) and says in how many places the two differ. */
static size_t run_part(struct test *test, const struct strbuf *text, enum family family, const struct batch *batch, unsigned from,
		       unsigned to, bool show)
{
	struct arena arena = ARENA_EMPTY;
	struct ruleset rules, seen;
	struct arrivals before, after, expected = {0};
	size_t wrong;

	if (!world_load(&test->world, family, text))
		die("the rules cannot be loaded");
	world_read_rules(&test->world, &rules, family, &arena);
	forget_counters(&rules);
	world_read_arrivals(&before);
	for (unsigned i = from; i < to; i++) {
		bool decided = expect(test, &rules, &expected, &batch->packets[i], &arena);

		test->sent += decided;
		test->undecided += !decided;
		if (decided)
			world_send(&test->world, &batch->packets[i], i + 1);
	}
	usleep(2000);
	world_read_rules(&test->world, &seen, family, &arena);
	world_read_arrivals(&after);
	wrong = compare_rules(&rules, &seen, show) + compare_arrivals(&test->world, &expected, &before, &after, show);
	arena_free(&arena);
	return wrong;
}

static void show_difference(struct test *test, const struct strbuf *text, enum family family, const struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct strbuf packet = STRBUF_EMPTY;

		if (run_part(test, text, family, batch, i, i + 1, false) == 0)
			continue;
		describe_whole_packet(&packet, &batch->packets[i]);
		printf("not ok %s seed %lu: %s\n", test->world.backend, test->seed, strbuf_str(&packet));
		run_part(test, text, family, batch, i, i + 1, true);
		if (getenv("PEERWALL_SHOW_RULES"))
			fputs(strbuf_str(text), stdout);
		strbuf_free(&packet);
		return;
	}
	printf("not ok %s seed %lu: packets differ only together\n", test->world.backend, test->seed);
}

static void run_rules(struct test *test, enum family family, unsigned packets)
{
	static struct batch batch;
	struct strbuf text = STRBUF_EMPTY;

	random_seed(test->seed * FAMILY_COUNT + (uint64_t)family);
	make_rules(&text, family, RULES_ALL);
	batch.count = packets;
	for (unsigned i = 0; i < packets; i++)
		make_packet(&batch.packets[i], family, i);
	if (run_part(test, &text, family, &batch, 0, packets, false)) {
		test->differences++;
		show_difference(test, &text, family, &batch);
	}
	strbuf_free(&text);
}

int main(int argc, char **argv)
{
	struct arena arena = ARENA_EMPTY;
	struct test test = {0};
	unsigned long rulesets, packets;

	if (argc != 7)
		die("usage: trace BACKEND NAMESPACE INTERFACES SEED RULESETS PACKETS");
	test.seed = strtoul(argv[4], NULL, 10);
	rulesets = strtoul(argv[5], NULL, 10);
	packets = strtoul(argv[6], NULL, 10);
	if (packets > BATCH_MAX)
		die("too many packets at once");
	world_open(&test.world, argv[1], argv[2], argv[3], &arena);
	for (unsigned long i = 0; i < rulesets && test.differences < 5; i++, test.seed++)
		for (int family = 0; family < FAMILY_COUNT; family++)
			run_rules(&test, (enum family)family, (unsigned)packets);
	printf("G7: %s: %zu packets through %lu rule sets of each family, %zu accepted; %zu not decided; "
	       "%zu rule sets differ\n",
	       test.world.backend, test.sent, rulesets, test.accepted, test.undecided, test.differences);
	arena_free(&arena);
	return test.differences != 0;
}
