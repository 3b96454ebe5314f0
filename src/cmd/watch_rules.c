#include "watch_rules.h"

#include <peerwall/generation.h>
#include <peerwall/lower.h>
#include <peerwall/report.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 5

void watch_rules_free(struct watch_rules *rules)
{
	if (rules)
		arena_free(&rules->arena);
	free(rules);
}

/* ---- the policy's statements ---- */

static const char *rule_key(struct arena *arena, enum table_id table, const struct chain *chain, const struct rule *rule,
			    enum family family)
{
	return arena_printf(arena, "%s %s %s", table_names[table], chain->name, report_rule_text(rule, family, arena));
}

static void collect_spans(struct intern *keys, struct span **spans, const struct ruleset *want, struct arena *arena)
{
	VEC(struct span) found = {0};

	for (int t = 0; t < TABLE_COUNT; t++)
		vec_each(chain, &want->tables[t].chains)
			vec_each(rule, &chain->rules) {
				const char *key = rule_key(arena, (enum table_id)t, chain, rule, want->family);

				if (intern_add(keys, key, strlen(key)) == found.len)
					vec_push(arena, &found, rule->span);
			}
	*spans = found.data;
}

/* Live rules have no place that anybody could look up; our own have one in a policy. */
static void set_spans(struct ruleset *rules, const struct ruleset *want, struct arena *arena)
{
	struct intern keys;
	struct span *spans;

	intern_init(&keys, arena);
	collect_spans(&keys, &spans, want, arena);
	for (int t = 0; t < TABLE_COUNT; t++)
		vec_each(chain, &rules->tables[t].chains)
			vec_each(rule, &chain->rules) {
				const char *key = keys.count ? rule_key(arena, (enum table_id)t, chain, rule, rules->family) : "";
				uint32_t number = intern_find(&keys, key, strlen(key));

				rule->span = number == INTERN_NONE ? SPAN_NONE : spans[number];
			}
}

/* ---- reading ---- */

static unsigned find_position(void *context, const struct nft_event *event)
{
	const struct watch_rules *rules = context;

	return rule_handles_find(&rules->handles, event->family, event->table, event->chain, event->handle);
}

/* Rules and handles of one generation. *again: somebody committed in between. */
static bool read_once(struct watch_rules *rules, struct live_command *command, bool *again)
{
	uint32_t now;
	bool good;
	int error;

	sources_init(&rules->sources, &rules->arena);
	diags_init(&rules->diags, &rules->arena);
	command->failure = FAILURE_INIT(&command->input.arena);
	good = live_open(&rules->live, &command->options, LIVE_PLAN, &rules->sources, &rules->arena, &rules->diags, &command->failure);
	live_close(&rules->live);
	if (!good || rules->live.backend == BACKEND_LEGACY)
		return good;
	error = rule_handles_read(&rules->handles, rules->live.has_family, &rules->arena);
	rules->generation = rules->live.generation;
	rules->has_generation = rules->live.has_generation;
	*again = error == -EINTR || generation_read(&now) != 0 || !rules->has_generation || now != rules->generation;
	return error == 0 || *again ||
	       failure_set(&command->failure, FAILURE_SYSTEM, "the rules' handles cannot be read: %s", strerror(-error));
}

static void prepare(struct watch_rules *rules, struct live_command *command)
{
	traced_rules_init(&rules->traced, &rules->arena);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct ruleset want;

		plan_want(&want, (enum family)f, &command->units, &rules->arena);
		set_spans(&rules->live.rules[f], &want, &rules->arena);
		rules->traced.families[f] = &rules->live.rules[f];
	}
	rules->traced.find = rules->live.backend == BACKEND_NFT ? find_position : NULL;
	rules->traced.context = rules;
}

static void print_diags(struct watch_rules *rules)
{
	struct strbuf text = STRBUF_EMPTY;

	diags_render(&text, &rules->diags, &rules->sources, (struct diag_style){.colour = false});
	fputs(strbuf_str(&text), stderr);
	strbuf_free(&text);
}

struct watch_rules *watch_rules_read(struct live_command *command)
{
	for (unsigned attempt = 1;; attempt++) {
		struct watch_rules *rules = checked_realloc(NULL, sizeof *rules);
		bool again = false;

		*rules = (struct watch_rules){.arena = ARENA_EMPTY};
		if (!read_once(rules, command, &again)) {
			print_diags(rules);
			watch_rules_free(rules);
			return NULL;
		}
		/* Where others never rest, what was read last has to do: what is not known by its handle is shown as such. */
		if (!again || attempt == ATTEMPTS_MAX) {
			prepare(rules, command);
			return rules;
		}
		watch_rules_free(rules);
	}
}

bool watch_rules_are_old(const struct watch_rules *rules)
{
	uint32_t now;

	return rules->has_generation && generation_read(&now) == 0 && now != rules->generation;
}
