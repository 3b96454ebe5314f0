/*
 * Holds the sets of packets against the kernel: `sets BACKEND NAMESPACE INTERFACES SEED PACKETS RULESETS|dumps`, inside
 * the host's namespace.
 *
 * For each random rule set and family, or each dump that standard input names: loads it by iptables-restore, reads it
 * back, works out the sets, and sends packets that these name: of each rule one that it takes, and one that is just not
 * taken. The kernel's counters of every rule, in packets and bytes (lengths are random), have to be the number of
 * packets that lie in the rule's sets; where rules are understood only in part, they lie between what is certain and what is
 * possible. So have the packets that come out of it all, at the host and by each interface. The tracer has to say the
 * same of each packet, rule by rule, and with iptables-nft the kernel's own trace.
 */
#include "sets.h"

#include <peerwall/match_codec.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_MAX 200000 /* microseconds */

/* A packet, and what is said of it. */
struct asked {
	const struct probe *probe;
	struct prediction prediction;
	bool sent;
	bool traced; /* the tracer is certain of its path */
	struct rule_path path;
};

struct expectation {
	struct tallies tallies;
	struct arrivals least, most;
};

/* ---- what the sets say ---- */

static void expect_rules(struct expectation *out, const struct prediction *prediction, const struct packet *packet)
{
	vec_each(meeting, &prediction->meetings) {
		const struct taking *taking = meeting->taking;
		struct tally *tally = tallies_find(&out->tallies,
						   taking->rule ? (const void *)taking->rule : taking->chain);

		if (meeting->surely)
			count_packet(&tally->least, packet);
		count_packet(&tally->most, packet);
	}
}

static void expect(struct test *test, struct expectation *out, const struct prediction *prediction,
		   const struct packet *packet)
{
	expect_rules(out, prediction, packet);
	for (int i = 0; i <= WORLD_INTERFACES; i++) {
		if (!prediction->may_arrive[i])
			continue;
		count_packet(&out->most.at[i], packet);
		if (prediction->decided) {
			count_packet(&out->least.at[i], packet);
			test->accepted++;
		}
	}
	test->decided += prediction->decided;
	test->sent++;
}

/* ---- what the tracer says ---- */

static bool same_fate(const struct world *world, const struct trace_path *path, const struct prediction *prediction)
{
	if (path->fate != FATE_ACCEPTED)
		return prediction->may_be_dropped || path->steps.data[path->decisive].kind == STEP_ROUTE;
	return prediction->may_arrive[world_place(world, path->forwarded ? path->out : NULL)];
}

static bool tracer_agrees(struct test *test, const struct analysis *analysis, const struct tallies *tallies,
			  struct asked *asked)
{
	const struct trace_path *path;
	struct trace trace;

	world_trace(&test->world, &trace, analysis->rules, &asked->probe->packet, analysis->arena);
	asked->traced = trace_is_decided(&trace);
	if (!asked->traced)
		return true;
	test->traced++;
	path = &trace.paths.data[0];
	path_of_trace(&asked->path, path, analysis->arena);
	return path_fits(&asked->path, &asked->prediction, tallies) &&
	       same_fate(&test->world, path, &asked->prediction);
}

/* ---- comparing ---- */

static bool lies_between(const struct counters *least, const struct counters *most, const struct counters *seen)
{
	return least->packets <= seen->packets && seen->packets <= most->packets && least->bytes <= seen->bytes &&
	       seen->bytes <= most->bytes;
}

static void show_tally(const struct ruleset *rules, const struct tally *tally, const struct counters *seen)
{
	struct strbuf text = STRBUF_EMPTY;

	if (tally->number)
		rule_encode(&text, rules->family, &tally->chain->rules.data[tally->number - 1]);
	else
		strbuf_adds(&text, "the policy");
	printf("    %s %s %u: sets %lu-%lu, kernel %lu packets: %s\n", table_names[tally->table], tally->chain->name,
	       tally->number, tally->least.packets, tally->most.packets, seen->packets, strbuf_str(&text));
	strbuf_free(&text);
}

/* A dump may load counters, too. */
static struct counters counters_since(const struct tally *tally, const struct chain *now)
{
	const struct counters *old = &tally->chain->counters, *new = &now->counters;

	if (tally->number) {
		old = &tally->chain->rules.data[tally->number - 1].counters;
		new = &now->rules.data[tally->number - 1].counters;
	}
	return (struct counters){new->packets - old->packets, new->bytes - old->bytes};
}

static size_t compare_rules(const struct test *test, const struct ruleset *rules, const struct tallies *expected,
			    const struct ruleset *seen, bool show)
{
	size_t wrong = 0;

	vec_each(tally, &expected->all) {
		const struct chain *chain = table_find_chain(&seen->tables[tally->table], tally->chain->name,
							     strlen(tally->chain->name));
		struct counters counted = counters_since(tally, chain);

		/* nft counts no policies. */
		if ((!tally->number && (!chain->builtin || world_is_nft(&test->world))) ||
		    lies_between(&tally->least, &tally->most, &counted))
			continue;
		wrong++;
		if (show)
			show_tally(rules, tally, &counted);
	}
	return wrong;
}

static size_t compare_arrivals(const struct test *test, const struct expectation *expected,
			       const struct arrivals *before, const struct arrivals *after, bool show)
{
	size_t wrong = 0;

	for (int i = 0; i <= WORLD_INTERFACES; i++) {
		const struct counters *least = &expected->least.at[i], *most = &expected->most.at[i];
		struct counters seen = {after->at[i].packets - before->at[i].packets,
					after->at[i].bytes - before->at[i].bytes};

		if (lies_between(least, most, &seen))
			continue;
		wrong++;
		if (show)
			printf("    accepted, %s %s: sets %lu-%lu, kernel %lu packets\n", i ? "out by" : "for this",
			       i ? test->world.interfaces[i - 1] : "host", least->packets, most->packets, seen.packets);
	}
	return wrong;
}

/* ---- one rule set ---- */

static bool is_to_group(const struct packet *packet)
{
	const struct addr *to = &packet->destination.lo;

	return packet->family == FAMILY_IPV4 ? to->bytes[0] >> 4 == 14 : to->bytes[0] == 0xff;
}

/* Nothing that the kernel has its own reasons to refuse, and no groups, which for the sets may go everywhere. */
static bool is_sendable(const struct packet *packet, const struct prediction *prediction)
{
	return !addr_equal(&packet->source.lo, &packet->destination.lo) &&
	       !(prediction->may_be_forwarded && packet->ttl < ENOUGH_HOPS) &&
	       !(prediction->may_be_translated && is_to_group(packet));
}

static void show_packet(const struct test *test, const struct probe *probe, const char *what)
{
	struct strbuf packet = STRBUF_EMPTY;

	describe_whole_packet(&packet, &probe->packet);
	printf("not ok %s seed %lu%s%s: %s: %s\n", test->world.backend, test->seed, test->dump ? " " : "",
	       test->dump ? test->dump : "", what, strbuf_str(&packet));
	strbuf_free(&packet);
}

static size_t send_probes(struct test *test, struct analysis *analysis, struct expectation *expected,
			  struct asked *asked, unsigned count)
{
	size_t wrong = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct packet *packet = &asked[i].probe->packet;

		predict(&asked[i].prediction, analysis, asked[i].probe);
		asked[i].sent = is_sendable(packet, &asked[i].prediction);
		if (!asked[i].sent)
			continue;
		if (!tracer_agrees(test, analysis, &expected->tallies, &asked[i])) {
			wrong++;
			show_packet(test, asked[i].probe, "the tracer differs from the sets");
		}
		expect(test, expected, &asked[i].prediction, packet);
		world_send(&test->world, packet, asked[i].probe->identifier);
	}
	return wrong;
}

/* The kernel's own trace of each packet: it goes with the sets, and where the tracer is certain, as that does. */
static size_t compare_paths(const struct test *test, const struct tallies *tallies, const struct asked *asked,
			    unsigned count, const struct rule_path *paths, bool show)
{
	size_t wrong = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct rule_path *path = &paths[asked[i].probe->identifier - 1];
		bool as_sets = !asked[i].sent || path_fits(path, &asked[i].prediction, tallies);
		bool as_tracer = !asked[i].sent || !asked[i].traced || path_equal(path, &asked[i].path, tallies);

		wrong += !as_sets + !as_tracer;
		if (show && !as_sets)
			show_packet(test, asked[i].probe, "the kernel's trace differs from the sets");
		if (show && !as_tracer)
			show_packet(test, asked[i].probe, "the kernel's trace differs from the tracer");
	}
	return wrong;
}

static struct asked *ask_about(struct analysis *analysis, const struct probe *probes, unsigned count)
{
	struct asked *asked = arena_alloc(analysis->arena, BATCH_MAX * sizeof *asked);

	memset(asked, 0, BATCH_MAX * sizeof *asked);
	for (unsigned i = 0; i < count; i++)
		asked[i].probe = &probes[i];
	return asked;
}

/* In how many places the three differ, which is shown if it is asked for. The rules are loaded. */
static size_t run_probes(struct test *test, struct analysis *analysis, const struct probe *probes, unsigned count,
			 bool show)
{
	struct expectation expected = {0};
	struct asked *asked = ask_about(analysis, probes, count);
	struct rule_path *paths = arena_alloc(analysis->arena, BATCH_MAX * sizeof *paths);
	struct arrivals before, after;
	struct ruleset seen;
	size_t tracer, wrong;

	memset(paths, 0, BATCH_MAX * sizeof *paths);
	tallies_make(&expected.tallies, analysis);
	world_read_arrivals(&before);
	tracer = send_probes(test, analysis, &expected, asked, count);
	/* Mostly the packets are through when they are sent. On a busy machine they may take their time. */
	for (unsigned pause = 2000; pause <= PAUSE_MAX; pause *= 8) {
		bool last = show && pause * 8 > PAUSE_MAX;

		usleep(pause);
		world_read_rules(&test->world, &seen, analysis->rules->family, analysis->arena);
		world_read_arrivals(&after);
		if (world_is_nft(&test->world))
			nftrace_read(test->nftrace, paths, BATCH_MAX, analysis);
		wrong = compare_rules(test, analysis->rules, &expected.tallies, &seen, last) +
			compare_arrivals(test, &expected, &before, &after, last);
		if (world_is_nft(&test->world))
			wrong += compare_paths(test, &expected.tallies, asked, count, paths, last);
		if (!wrong)
			break;
	}
	return tracer + wrong;
}

static void show_difference(struct test *test, struct analysis *analysis, const struct strbuf *text,
			    const struct probe *probes, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		world_load(&test->world, analysis->rules->family, text);
		if (run_probes(test, analysis, &probes[i], 1, false) == 0)
			continue;
		show_packet(test, &probes[i], "the kernel differs");
		world_load(&test->world, analysis->rules->family, text);
		run_probes(test, analysis, &probes[i], 1, true);
		return;
	}
	printf("not ok %s seed %lu: packets differ only together\n", test->world.backend, test->seed);
}

void test_rules(struct test *test, enum family family, const struct strbuf *text)
{
	static struct probe probes[BATCH_MAX];
	struct arena arena = ARENA_EMPTY;
	struct analysis analysis;
	struct ruleset rules;
	unsigned count;

	world_read_rules(&test->world, &rules, family, &arena);
	if (!analysis_make(&analysis, &test->world, &rules, &arena)) {
		test->given_up++;
	} else {
		count = choose_probes(probes, test->packets, &analysis);
		if (run_probes(test, &analysis, probes, count, false)) {
			test->differences++;
			show_difference(test, &analysis, text, probes, count);
		}
	}
	analysis_free(&analysis);
	arena_free(&arena);
}

/* ---- all ---- */

static void test_random_rules(struct test *test, enum family family)
{
	struct strbuf text = STRBUF_EMPTY;

	random_seed(test->seed * FAMILY_COUNT + (uint64_t)family);
	make_rules(&text, family, random_once_in(3) ? RULES_ALL : RULES_PLAIN);
	if (!world_load(&test->world, family, &text))
		die("the rules cannot be loaded");
	test_rules(test, family, &text);
	if (test->differences && getenv("PEERWALL_SHOW_RULES"))
		fputs(strbuf_str(&text), stdout);
	test->rule_sets++;
	strbuf_free(&text);
}

/* Numbers stand alone, for sets.sh to add up. */
static void report(const struct test *test)
{
	if (!test->rule_sets && !test->not_loaded)
		return;
	printf("%s: %zu rule sets, %zu packets: %zu decided, %zu of them accepted; %zu decided by the tracer; "
	       "%zu differ",
	       test->world.backend, test->rule_sets, test->sent, test->decided, test->accepted, test->traced,
	       test->differences);
	if (test->is_dumps)
		printf("; dumps: %zu do not load here, the sets gave up on %zu", test->not_loaded, test->given_up);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct arena arena = ARENA_EMPTY;
	struct test test = {0};
	unsigned long rulesets;

	if (argc != 7)
		die("usage: sets BACKEND NAMESPACE INTERFACES SEED PACKETS RULESETS|dumps");
	test.seed = strtoul(argv[4], NULL, 10);
	test.packets = (unsigned)strtoul(argv[5], NULL, 10);
	rulesets = strtoul(argv[6], NULL, 10);
	if (test.packets > BATCH_MAX)
		die("too many packets at once");
	world_open(&test.world, argv[1], argv[2], argv[3], &arena);
	if (world_is_nft(&test.world))
		test.nftrace = nftrace_open();
	test.is_dumps = strcmp(argv[6], "dumps") == 0;
	if (test.is_dumps)
		test_dumps(&test, stdin);
	for (unsigned long i = 0; i < rulesets && test.differences < DIFFERENCES_MAX; i++, test.seed++)
		for (int family = 0; family < FAMILY_COUNT; family++)
			test_random_rules(&test, (enum family)family);
	report(&test);
	arena_free(&arena);
	return test.differences != 0;
}
