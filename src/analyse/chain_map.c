#include <peerwall/chain_map.h>

#include "rule_effect.h"

#include <peerwall/bug.h>

#include <string.h>

enum { SEEN_HIT = 1, SEEN_BLURRED = 2 };

void chain_map_init(struct chain_map *map, const struct ruleset *ruleset, struct arena *arena)
{
	*map = (struct chain_map){.arena = arena, .ruleset = ruleset};
}

static size_t number_of(const struct chain_map *map, enum table_id table, const struct chain *chain)
{
	return (size_t)(chain - map->ruleset->tables[table].chains.data);
}

static size_t find_chain(const struct chain_map *map, enum table_id table, enum hook hook, const struct chain *chain)
{
	const size_t *index = map->index[table][hook];

	return index && chain ? index[number_of(map, table, chain)] - 1 : MAP_CHAIN_NONE;
}

size_t chain_map_find(const struct chain_map *map, enum table_id table, enum hook hook)
{
	const char *name = hook_names[hook];

	return find_chain(map, table, hook, table_find_chain(&map->ruleset->tables[table], name, strlen(name)));
}

static struct map_chain *add_chain(struct chain_map *map, const struct visit *visit)
{
	enum hook hook = visit->vantage->hook;
	size_t **index = &map->index[visit->table][hook], *place;

	if (!*index)
		*index = arena_zalloc(map->arena, map->ruleset->tables[visit->table].chains.len * sizeof **index);
	place = &(*index)[number_of(map, visit->table, visit->chain)];
	if (!*place) {
		vec_push(map->arena, &map->chains,
			 (struct map_chain){.table = visit->table, .hook = hook, .chain = visit->chain,
					    .seen = arena_zalloc(map->arena, visit->chain->rules.len + 1)});
		*place = map->chains.len;
	}
	return &map->chains.data[*place - 1];
}

static void keep_visit(void *context, const struct visit *visit)
{
	struct map_chain *chain;

	if (visit->hit == DIAGRAM_NONE)
		return;
	chain = add_chain(context, visit);
	if (!visit->rule)
		chain->policy_reached = true;
	else
		chain->seen[visit->rule - visit->chain->rules.data] |= SEEN_HIT | (visit->matched.exact ? 0 : SEEN_BLURRED);
}

struct visitor chain_map_visitor(struct chain_map *map)
{
	return (struct visitor){.visit = keep_visit, .context = map, .hits_only = true};
}

static enum deed deed_of(const struct rule *rule)
{
	switch (rule_effect(rule)) {
	case EFFECT_NONE:
	case EFFECT_MARK:
	case EFFECT_CONNMARK:
	case EFFECT_HOPS:
	case EFFECT_NOTRACK:
	case EFFECT_TEMPLATE:
		return DEED_GOES_ON;
	case EFFECT_ACCEPT:
		return DEED_ACCEPTS;
	case EFFECT_DROP:
		return rule->target.kind == TARGET_DROP ? DEED_DROPS : DEED_REJECTS;
	case EFFECT_RETURN:
		return DEED_RETURNS;
	case EFFECT_JUMP:
	case EFFECT_GOTO:
		return DEED_LEADS;
	case EFFECT_DNAT:
	case EFFECT_SNAT:
	case EFFECT_NETMAP:
		return DEED_TRANSLATES;
	case EFFECT_UNKNOWN:
		return DEED_UNKNOWN;
	}
	BUG("what a rule does has no name");
}

static size_t led_to(const struct chain_map *map, const struct map_chain *from, const struct rule *rule)
{
	const char *name = rule->target.chain;

	return find_chain(map, from->table, from->hook,
			  table_find_chain(&map->ruleset->tables[from->table], name, strlen(name)));
}

void chain_map_finish(struct chain_map *map)
{
	vec_each(chain, &map->chains)
		for (size_t i = 0; i < chain->chain->rules.len; i++) {
			const struct rule *rule = &chain->chain->rules.data[i];
			enum deed deed;

			if (!chain->seen[i])
				continue;
			deed = deed_of(rule);
			vec_push(map->arena, &chain->rules,
				 (struct map_rule){.rule = rule, .number = (unsigned)i + 1, .deed = deed,
						   .exact = !(chain->seen[i] & SEEN_BLURRED),
						   .leads = deed == DEED_LEADS ? led_to(map, chain, rule) : MAP_CHAIN_NONE});
		}
}
