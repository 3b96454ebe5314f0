/*
 * Holds the tracer against the kernel: `kernel BACKEND NAMESPACE SEED RULESETS PACKETS`, inside the host's namespace.
 *
 * For each random rule set and family: loads it by iptables-restore, reads it back, sends a batch of packets onto the
 * wire, and reads every rule's counters. The tracer says for each packet which rules it matches and where it ends; its
 * sums of packets and of bytes (lengths are random, so they tell packets apart) have to be the kernel's, rule by rule.
 * Where they are not, packets are sent one by one, and the first that differs is shown with its seed.
 */
#include "kernel.h"

#include <peerwall/arena.h>
#include <peerwall/diag.h>
#include <peerwall/host.h>
#include <peerwall/match_codec.h>
#include <peerwall/snapshot.h>
#include <peerwall/trace.h>

#include <net/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const interfaces[] = {"wg1", "br0", "eth0"};
#define INTERFACE_COUNT 3
#define BATCH_MAX 400

/* What came to an end without being refused: at this host, or out by an interface. */
struct arrivals {
	struct counters local, out[INTERFACE_COUNT];
};

struct test {
	const char *backend;
	struct wire wires[2]; /* wg1, br0 */
	struct host host;
	uint64_t seed;
	size_t sent, undecided, accepted, differences;
};

struct batch {
	struct packet packets[BATCH_MAX];
	bool decided[BATCH_MAX];
	unsigned count;
};

static void die(const char *what)
{
	fprintf(stderr, "kernel: %s\n", what);
	exit(2);
}

/* ---- tools ---- */

static const char *program(enum family family)
{
	return family == FAMILY_IPV4 ? "iptables" : "ip6tables";
}

static void read_output(struct strbuf *out, const char *command)
{
	FILE *pipe = popen(command, "r");
	char block[65536];
	size_t size;

	while (pipe && (size = fread(block, 1, sizeof block, pipe)) > 0)
		strbuf_add(out, block, size);
	if (!pipe || pclose(pipe) != 0)
		die(command);
}

static bool load(const struct test *test, enum family family, const struct strbuf *rules)
{
	char command[128];
	FILE *pipe;

	snprintf(command, sizeof command, "%s-%s-restore -w 5", program(family), test->backend);
	pipe = popen(command, "w");
	if (!pipe)
		die(command);
	fwrite(rules->data, 1, rules->len, pipe);
	return pclose(pipe) == 0;
}

static void read_back(const struct test *test, struct ruleset *out, enum family family, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	struct sources sources;
	struct diags diags;
	struct source *source;
	char command[128];

	snprintf(command, sizeof command, "%s-%s-save -c", program(family), test->backend);
	read_output(&text, command);
	sources_init(&sources, arena);
	diags_init(&diags, arena);
	source = sources_add(&sources, "live", strbuf_str(&text), text.len);
	if (!source || !snapshot_read(out, family, source, arena, &diags))
		die("the rules cannot be read back");
	strbuf_free(&text);
}

static void read_host(struct test *test, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	struct sources sources;
	struct diags diags;

	read_output(&text, "ip -j addr; ip -j -4 route show table all; ip -j -6 route show table all");
	sources_init(&sources, arena);
	diags_init(&diags, arena);
	host_init(&test->host, arena);
	if (!host_read(&test->host, sources_add(&sources, "ip", strbuf_str(&text), text.len), &diags))
		die("the host's addresses and routes cannot be read");
	strbuf_free(&text);
}

/* The counters of kernel.sh's table, in its order: local, wg1, br0, eth0. */
static void read_arrivals(struct arrivals *out)
{
	struct strbuf text = STRBUF_EMPTY;
	struct counters *counters[] = {&out->local, &out->out[0], &out->out[1], &out->out[2]};
	char *at;

	read_output(&text, "nft list table inet sink");
	at = text.data;
	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
		at = at ? strstr(at, "counter packets ") : NULL;
		if (!at || sscanf(at, "counter packets %lu bytes %lu", &counters[i]->packets, &counters[i]->bytes) != 2)
			die("the sink's counters cannot be read");
		at++;
	}
	strbuf_free(&text);
}

/* ---- the tracer's side ---- */

static void count(struct counters *counters, const struct packet *packet)
{
	counters->packets++;
	counters->bytes += packet->length;
}

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

static void expect_arrival(struct arrivals *arrivals, const struct trace_path *path, const struct packet *packet)
{
	if (path->fate != FATE_ACCEPTED)
		return;
	if (!path->forwarded) {
		count(&arrivals->local, packet);
		return;
	}
	for (int i = 0; i < INTERFACE_COUNT; i++)
		if (path->out && strcmp(path->out, interfaces[i]) == 0)
			count(&arrivals->out[i], packet);
}

static bool is_decided(const struct trace *trace)
{
	if (trace->paths.len != 1 || trace->paths.data[0].fate == FATE_UNDECIDED)
		return false;
	vec_each(step, &trace->paths.data[0].steps)
		if (step->supposed || step->harmless)
			return false;
	return true;
}

/* False if nobody can tell: then it is not sent. */
static bool expect(struct test *test, struct ruleset *rules, struct arrivals *arrivals, const struct packet *packet,
		   struct arena *arena)
{
	struct trace_input input = {.rules = rules, .host = &test->host, .packet = packet,
				    .backend = strcmp(test->backend, "nft") == 0 ? CHECK_BACKEND_NFT : CHECK_BACKEND_LEGACY};
	struct trace trace;

	trace_run(&trace, &input, arena);
	if (!is_decided(&trace))
		return false;
	vec_each(step, &trace.paths.data[0].steps)
		if (step->kind == STEP_RULE && step->matched)
			count(&own_rule(rules, step)->counters, packet);
	expect_arrival(arrivals, &trace.paths.data[0], packet);
	test->accepted += trace.paths.data[0].fate == FATE_ACCEPTED;
	return true;
}

/* ---- the kernel's side ---- */

static void send_packet(struct test *test, const struct packet *packet, unsigned identifier)
{
	const struct wire *wire = &test->wires[strcmp(packet->in, "br0") == 0];
	uint8_t frame[ETH_HLEN + 2048];
	unsigned size = wire_frame(frame, wire, packet, identifier + 1);

	if (!wire_send(wire, frame, size))
		die("a packet cannot be sent");
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

static size_t compare_arrivals(const struct arrivals *expected, const struct arrivals *before, const struct arrivals *after, bool show)
{
	size_t wrong = 0;

	for (int i = -1; i < INTERFACE_COUNT; i++) {
		const struct counters *want = i < 0 ? &expected->local : &expected->out[i];
		const struct counters *old = i < 0 ? &before->local : &before->out[i], *new = i < 0 ? &after->local : &after->out[i];
		struct counters seen = {new->packets - old->packets, new->bytes - old->bytes};

		if (counters_equal(want, &seen))
			continue;
		wrong++;
		if (show)
			printf("    accepted, %s %s: tracer %lu, kernel %lu packets\n", i < 0 ? "for this" : "out by",
			       i < 0 ? "host" : interfaces[i], want->packets, seen.packets);
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

	if (!load(test, family, text))
		die("the rules cannot be loaded");
	read_back(test, &rules, family, &arena);
	forget_counters(&rules);
	read_arrivals(&before);
	for (unsigned i = from; i < to; i++) {
		bool decided = expect(test, &rules, &expected, &batch->packets[i], &arena);

		test->sent += decided;
		test->undecided += !decided;
		if (decided)
			send_packet(test, &batch->packets[i], i);
	}
	usleep(2000);
	read_back(test, &seen, family, &arena);
	read_arrivals(&after);
	wrong = compare_rules(&rules, &seen, show) + compare_arrivals(&expected, &before, &after, show);
	arena_free(&arena);
	return wrong;
}

static void show_difference(struct test *test, const struct strbuf *text, enum family family, const struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct strbuf packet = STRBUF_EMPTY;

		if (run_part(test, text, family, batch, i, i + 1, false) == 0)
			continue;
		packet_describe(&packet, &batch->packets[i]);
		strbuf_adds(&packet, " flags ");
		packet_describe_flags(&packet, batch->packets[i].tcp_flags);
		printf("not ok %s seed %lu: %s ttl %u length %u\n", test->backend, test->seed, strbuf_str(&packet), batch->packets[i].ttl,
		       batch->packets[i].length);
		run_part(test, text, family, batch, i, i + 1, true);
		if (getenv("PEERWALL_SHOW_RULES"))
			fputs(strbuf_str(text), stdout);
		strbuf_free(&packet);
		return;
	}
	printf("not ok %s seed %lu: packets differ only together\n", test->backend, test->seed);
}

static void run_rules(struct test *test, enum family family, unsigned packets)
{
	static struct batch batch;
	struct strbuf text = STRBUF_EMPTY;

	random_seed(test->seed * FAMILY_COUNT + (uint64_t)family);
	make_rules(&text, family);
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

	if (argc != 6)
		die("usage: kernel BACKEND NAMESPACE SEED RULESETS PACKETS");
	test.backend = argv[1];
	test.seed = strtoul(argv[3], NULL, 10);
	rulesets = strtoul(argv[4], NULL, 10);
	packets = strtoul(argv[5], NULL, 10);
	if (packets > BATCH_MAX)
		die("too many packets at once");
	if (!wire_open(&test.wires[0], argv[2], "wg1", "wg1") || !wire_open(&test.wires[1], argv[2], "br0", "br0"))
		die("no way onto the wire");
	read_host(&test, &arena);
	for (unsigned long i = 0; i < rulesets && test.differences < 5; i++, test.seed++)
		for (int family = 0; family < FAMILY_COUNT; family++)
			run_rules(&test, (enum family)family, (unsigned)packets);
	printf("%s: %zu packets through %lu rule sets of each family, %zu accepted; %zu not decided; %zu rule sets differ\n", test.backend,
	       test.sent, rulesets, test.accepted, test.undecided, test.differences);
	arena_free(&arena);
	return test.differences != 0;
}
