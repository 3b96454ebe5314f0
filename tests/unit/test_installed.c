#include "one_packet.h"
#include "random.h"
#include "unit.h"

#include <peerwall/installed.h>
#include <peerwall/snapshot.h>
#include <peerwall/strbuf.h>

#include <stdio.h>

/*
 * Random rules over a universe so small that every packet can be sent through, one by one: what is called unused is hit by
 * none of them, everything that none hits is called so, what can be left out changes nothing when it is, and those that are blamed take
 * what comes to the rule.
 */

#define RULE_SETS 1000
#define CHAINS_MAX 4
#define RULES_MAX 8
#define COINS_MAX 3 /* rules of one set that take hold by chance, each by its own */

static uint64_t seed = 20260707;

/* ---- rules ---- */

static unsigned coins; /* so far, in the set at hand */

static void add_match(struct strbuf *text)
{
	if (one_of(3))
		strbuf_addf(text, " %s-s 10.1.0.%u/%u", one_of(4) ? "! " : "", random_below(4), 30 + random_below(3));
	if (one_of(4))
		strbuf_addf(text, " %s-d 10.0.0.%u/%u", one_of(4) ? "! " : "", random_below(4), 30 + random_below(3));
	if (one_of(4))
		strbuf_addf(text, " %s-i %s", one_of(4) ? "! " : "", one_of(2) ? "wg1" : "wg+");
	if (one_of(12))
		strbuf_adds(text, " -o eth0");
	if (one_of(2)) {
		strbuf_addf(text, " -p %s", one_of(2) ? "tcp" : "udp");
		if (one_of(2))
			strbuf_addf(text, " -m multiport %s--dports %u,%u:3", one_of(4) ? "! " : "", random_below(2),
				    1 + random_below(2));
	}
	if (coins < COINS_MAX && one_of(8)) {
		strbuf_adds(text, " -m limit --limit 1/sec");
		coins++;
	}
}

static void add_rules(struct strbuf *text, const char *chain, char after)
{
	for (unsigned count = random_below(6); count; count--) {
		strbuf_addf(text, "-A %s", chain);
		add_match(text);
		switch (random_below(7)) {
		case 0:
		case 1:
			strbuf_adds(text, " -j ACCEPT");
			break;
		case 2:
		case 3:
			strbuf_adds(text, " -j DROP");
			break;
		case 4:
			strbuf_adds(text, " -j RETURN");
			break;
		default:
			if (after < 'c')
				strbuf_addf(text, " -%c %c", one_of(3) ? 'g' : 'j',
					    after + 1 + (char)random_below((unsigned)('c' - after)));
		}
		strbuf_addc(text, '\n');
	}
}

static void make_rules(struct strbuf *text)
{
	coins = 0;
	strbuf_addf(text, "*filter\n:INPUT %s [0:0]\n:a - [0:0]\n:b - [0:0]\n:c - [0:0]\n", one_of(2) ? "DROP" : "ACCEPT");
	add_rules(text, "INPUT", 'a' - 1);
	add_rules(text, "a", 'a');
	add_rules(text, "b", 'b');
	add_rules(text, "c", 'c');
	strbuf_adds(text, "COMMIT\n");
}

/* ---- packets, one by one ---- */

/* Where packets came. */
struct seen {
	bool hit[CHAINS_MAX][RULES_MAX], entered[CHAINS_MAX];
};

struct trial {
	struct arena arena;
	struct sources sources;
	struct diags found, read;
	struct ruleset ruleset;
	struct seen seen;
	unsigned coin[CHAINS_MAX][RULES_MAX]; /* whose side matters to the rule: bit numbers */
	const struct rule *left_out;
};

static struct table *table_of(struct trial *trial)
{
	return &trial->ruleset.tables[TABLE_FILTER];
}

/* `seen` may be NULL. */
static enum one_fate walk(struct trial *trial, struct one_packet *packet, unsigned sides, const char *name, struct seen *seen)
{
	const struct chain *chain = table_find_chain(table_of(trial), name, strlen(name));
	size_t index = (size_t)(chain - table_of(trial)->chains.data);
	enum one_fate fate;

	if (seen)
		seen->entered[index] = true;
	vec_each(rule, &chain->rules) {
		packet->coin = sides >> trial->coin[index][rule - chain->rules.data] & 1;
		if (rule == trial->left_out || !one_matches(packet, trial->ruleset.family, rule, HOOK_INPUT))
			continue;
		if (seen)
			seen->hit[index][rule - chain->rules.data] = true;
		switch (rule->target.kind) {
		case TARGET_ACCEPT:
			return ONE_ACCEPT;
		case TARGET_DROP:
			return ONE_DROP;
		case TARGET_JUMP:
		case TARGET_GOTO:
			fate = walk(trial, packet, sides, rule->target.chain, seen);
			if (fate != ONE_GO_ON)
				return fate;
			if (rule->target.kind == TARGET_JUMP)
				continue;
			break;
		case TARGET_RETURN:
			break;
		default:
			continue;
		}
		break;
	}
	if (!chain->builtin)
		return ONE_GO_ON;
	return chain->policy_drop ? ONE_DROP : ONE_ACCEPT;
}

#define PACKETS (5 * 5 * 3 * 3 * 5)
#define SIDES (1u << COINS_MAX)

static struct one_packet packet_number(unsigned number)
{
	static const char *const ins[] = {"wg1", "wg2", "eth0"};
	static const uint8_t protocols[] = {6, 17, 1};
	struct one_packet packet = {.local = true};

	packet.src = 0x0a010000 + number % 5;
	packet.dst = 0x0a000000 + number / 5 % 5;
	packet.in = ins[number / 25 % 3];
	packet.protocol = protocols[number / 75 % 3];
	packet.dport = (uint16_t)(number / 225 % 5);
	return packet;
}

static bool ports_fit(const struct one_packet *packet)
{
	return packet->protocol != 1 || packet->dport == 0;
}

static void try_all(struct trial *trial)
{
	for (unsigned number = 0; number < PACKETS; number++) {
		struct one_packet packet = packet_number(number);

		for (unsigned sides = 0; ports_fit(&packet) && sides < SIDES; sides++)
			walk(trial, &packet, sides, "INPUT", &trial->seen);
	}
}

static bool changes_something(struct trial *trial, const struct rule *rule)
{
	for (unsigned number = 0; number < PACKETS * SIDES; number++) {
		struct one_packet packet = packet_number(number / SIDES);
		enum one_fate with, without;

		if (!ports_fit(&packet))
			continue;
		with = walk(trial, &packet, number % SIDES, "INPUT", NULL);
		trial->left_out = rule;
		without = walk(trial, &packet, number % SIDES, "INPUT", NULL);
		trial->left_out = NULL;
		if (with != without)
			return true;
	}
	return false;
}

/* ---- what was found ---- */

static const struct diag *said_of(const struct trial *trial, struct span span)
{
	const struct diag *said = NULL;

	vec_each(diag, &trial->found.all)
		if ((*diag)->span.lo == span.lo) {
			ck_assert_msg(!said, "said twice of one place");
			said = *diag;
		}
	return said;
}

/* ---- who is blamed ---- */

/* The walk that shows of a packet whether those that are blamed took it. */
struct blame {
	const struct diag *said;
	const struct chain *chain;
	const struct rule *rule;
	unsigned came; /* packets that the rule matches, of those that come into its chain */
};

static bool is_hit(struct trial *trial, const struct seen *seen, struct span span)
{
	for (size_t c = 0; c < table_of(trial)->chains.len; c++)
		for (size_t i = 0; i < table_of(trial)->chains.data[c].rules.len; i++)
			if (seen->hit[c][i] && table_of(trial)->chains.data[c].rules.data[i].span.lo == span.lo)
				return true;
	return false;
}

/* Chance took it before: nobody can be blamed for that. */
static bool is_taken_by_chance(const struct trial *trial, const struct seen *seen)
{
	const struct table *table = &trial->ruleset.tables[TABLE_FILTER];

	for (size_t c = 0; c < table->chains.len; c++)
		for (size_t i = 0; i < table->chains.data[c].rules.len; i++) {
			const struct rule *rule = &table->chains.data[c].rules.data[i];

			vec_each(match, &rule->matches)
				if (match->module == MODULE_LIMIT && seen->hit[c][i] && rule->target.kind != TARGET_JUMP)
					return true;
		}
	return false;
}

static void check_blamed_took(struct trial *trial, struct blame *blame, const struct seen *seen, const char *text)
{
	bool taken = false;

	vec_each(label, &blame->said->labels) {
		/* "and 2 more rules" */
		bool hit = label->span.lo == SPAN_NONE.lo || is_hit(trial, seen, label->span);

		taken = taken || hit;
		ck_assert_msg(hit || !strstr(label->text, "all of it"), "not all of it is taken there: %s, in\n%s",
			      blame->said->message, text);
	}
	ck_assert_msg(taken, "taken by nobody who is blamed: rule %td of %s, in\n%s", blame->rule - blame->chain->rules.data + 1,
		      blame->chain->name, text);
}

static void check_blame(struct trial *trial, struct blame *blame, const char *text)
{
	size_t chain = (size_t)(blame->chain - table_of(trial)->chains.data);

	for (unsigned number = 0; number < PACKETS * SIDES; number++) {
		struct one_packet packet = packet_number(number / SIDES);
		struct seen seen = {0};

		if (!ports_fit(&packet))
			continue;
		walk(trial, &packet, number % SIDES, "INPUT", &seen);
		packet.coin = true;
		if (!seen.entered[chain] || is_taken_by_chance(trial, &seen) ||
		    !one_matches(&packet, trial->ruleset.family, blame->rule, HOOK_INPUT))
			continue;
		blame->came++;
		check_blamed_took(trial, blame, &seen, text);
	}
}

struct count {
	unsigned rules, blames, impossible, shadowed, covered, redundant, chains;
};

static void check_rule(struct trial *trial, const struct chain *chain, const struct rule *rule, bool hit, const char *text,
		       struct count *count)
{
	const struct diag *said = said_of(trial, rule->span), *of_chain = said_of(trial, chain->span);
	bool unused = of_chain || (said && said->code != CODE_REDUNDANT_RULE);

	count->rules++;
	ck_assert_msg(unused == !hit, "rule %td of %s is %s, in\n%s", rule - chain->rules.data + 1, chain->name,
		      hit ? "hit, and called unused" : "never hit, and not called so", text);
	ck_assert_msg(!of_chain || !said, "said of the chain, and of its rule");
	if (!said)
		return;
	count->impossible += said->code == CODE_IMPOSSIBLE_RULE;
	count->shadowed += said->code == CODE_SHADOWED_RULE;
	count->covered += said->code == CODE_COVERED_RULE;
	count->redundant += said->code == CODE_REDUNDANT_RULE;
	if (said->code == CODE_SHADOWED_RULE || said->code == CODE_COVERED_RULE) {
		struct blame blame = {said, chain, rule, 0};

		check_blame(trial, &blame, text);
		count->blames += blame.came > 0;
	}
	ck_assert_msg(!changes_something(trial, rule), "rule %td of %s is needed, in\n%s", rule - chain->rules.data + 1,
		      chain->name, text);
}

static void number_coins(struct trial *trial)
{
	unsigned next = 0;

	for (size_t c = 0; c < table_of(trial)->chains.len; c++)
		for (size_t i = 0; i < table_of(trial)->chains.data[c].rules.len; i++)
			vec_each(match, &table_of(trial)->chains.data[c].rules.data[i].matches)
				if (match->module == MODULE_LIMIT)
					trial->coin[c][i] = next++;
	ck_assert_uint_le(next, COINS_MAX);
}

static void check_rules(struct count *count)
{
	struct trial trial = {.arena = ARENA_EMPTY};
	struct strbuf text = STRBUF_EMPTY;
	struct source *source;

	make_rules(&text);
	sources_init(&trial.sources, &trial.arena);
	diags_init(&trial.found, &trial.arena);
	diags_init(&trial.read, &trial.arena);
	source = sources_add(&trial.sources, "rules", strbuf_str(&text), text.len);
	ck_assert(snapshot_read(&trial.ruleset, FAMILY_IPV4, source, &trial.arena, &trial.read));
	number_coins(&trial);
	installed_check_rules(&trial.ruleset, &trial.found);
	try_all(&trial);
	for (size_t c = 0; c < table_of(&trial)->chains.len; c++) {
		const struct chain *chain = &table_of(&trial)->chains.data[c];

		count->chains += said_of(&trial, chain->span) != NULL;
		for (size_t i = 0; i < chain->rules.len; i++)
			check_rule(&trial, chain, &chain->rules.data[i], trial.seen.hit[c][i], strbuf_str(&text), count);
	}
	strbuf_free(&text);
	arena_free(&trial.arena);
}

START_TEST(agrees_with_every_packet)
{
	struct count count = {0};

	for (unsigned i = 0; i < RULE_SETS; i++)
		check_rules(&count);
	printf("installed: %u random rules: %u impossible, %u shadowed, %u covered, %u of these with packets for whoever is blamed, "
	       "%u redundant, %u chains unreached, no difference\n",
	       count.rules, count.impossible, count.shadowed, count.covered, count.blames, count.redundant, count.chains);
	ck_assert_uint_gt(count.blames, 100);
	ck_assert_uint_gt(count.impossible, 100);
	ck_assert_uint_gt(count.shadowed, 100);
	ck_assert_uint_gt(count.covered, 100);
	ck_assert_uint_gt(count.redundant, 100);
	ck_assert_uint_gt(count.chains, 100);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("installed");
	TCase *tests = tcase_create("installed");

	tcase_set_timeout(tests, 240);
	tcase_add_test(tests, agrees_with_every_packet);
	suite_add_tcase(suite, tests);
	return suite;
}
