#include "checks_run.h"

#include <peerwall/lower.h>

#include <stdlib.h>
#include <string.h>

/* ---- port maps ---- */

static int compare_pieces(const void *left, const void *right)
{
	const struct port_piece *a = left, *b = right;

	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	if (a->hi != b->hi)
		return a->hi > b->hi ? -1 : 1;
	return a->owner < b->owner ? -1 : a->owner > b->owner;
}

/* Sorted by their beginning, each keeps what no earlier one has. */
void port_map_make(struct port_map *map)
{
	uint32_t next = 0; /* the first port that no piece has yet */
	size_t kept = 0;

	if (map->items.len)
		qsort(map->items.data, map->items.len, sizeof *map->items.data, compare_pieces);
	for (size_t i = 0; i < map->items.len; i++) {
		struct port_piece piece = map->items.data[i];

		if (piece.hi < next || piece.hi < piece.lo)
			continue;
		if (piece.lo < next)
			piece.lo = (uint16_t)next;
		next = (uint32_t)piece.hi + 1;
		map->items.data[kept++] = piece;
	}
	map->items.len = kept;
}

const struct port_piece *port_map_overlap(const struct port_map *map, uint16_t lo, uint16_t hi)
{
	size_t low = 0, high = map->items.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->items.data[middle].hi < lo)
			low = middle + 1;
		else
			high = middle;
	}
	return low < map->items.len && map->items.data[low].lo <= hi ? &map->items.data[low] : NULL;
}

const struct port_piece *port_map_find(const struct port_map *map, uint16_t port)
{
	return port_map_overlap(map, port, port);
}

/* ---- reading a rule ---- */

const struct option *match_option(const struct match *match, enum option_id id)
{
	vec_each(option, &match->options)
		if (option->id == id)
			return option;
	return NULL;
}

const struct option *rule_option(const struct rule *rule, enum option_id id)
{
	vec_each(match, &rule->matches) {
		const struct option *option = match_option(match, id);

		if (option)
			return option;
	}
	return NULL;
}

bool protocol_of_number(uint8_t number, enum protocol *out)
{
	for (int i = 0; i < PROTOCOL_COUNT; i++) {
		if (protocol_numbers[i] != number)
			continue;
		*out = (enum protocol)i;
		return true;
	}
	return false;
}

bool rule_is_unconditional(const struct rule *rule)
{
	if (rule->opaque || rule->source.present || rule->destination.present || rule->in.name || rule->out.name ||
	    rule->protocol.present || rule->fragment != FRAGMENT_NONE)
		return false;
	vec_each(match, &rule->matches)
		if (match->module != MODULE_COMMENT)
			return false;
	return true;
}

bool rule_has_options(const struct rule *rule)
{
	vec_each(match, &rule->matches)
		if (match->module != MODULE_COMMENT && match->options.len)
			return true;
	return false;
}

bool rule_target_is(const struct rule *rule, enum module_id module)
{
	return !rule->opaque && rule->target.kind == TARGET_EXTENSION && rule->target.extension.module == module;
}

bool rule_is_terminal(const struct rule *rule)
{
	if (rule->opaque)
		return false;
	switch (rule->target.kind) {
	case TARGET_ACCEPT:
	case TARGET_DROP:
	case TARGET_RETURN:
	case TARGET_GOTO:
		return true;
	case TARGET_EXTENSION:
		return rule->target.extension.module == MODULE_T_REJECT;
	case TARGET_NONE:
	case TARGET_JUMP:
		break;
	}
	return false;
}

bool rule_refuses(const struct rule *rule)
{
	return !rule->opaque && (rule->target.kind == TARGET_DROP || rule_target_is(rule, MODULE_T_REJECT));
}

bool rule_asks_plainly(const struct rule *rule)
{
	if (rule->opaque || rule->in.negated || rule->source.present || rule->destination.present || rule->out.name ||
	    rule->fragment != FRAGMENT_NONE)
		return false;
	vec_each(match, &rule->matches)
		switch (match->module) {
		case MODULE_COMMENT:
			break;
		case MODULE_TCP:
		case MODULE_UDP:
		case MODULE_SCTP:
		case MODULE_MULTIPORT:
			/* Destination ports alone; rule_ports() reads them. */
			if (match->options.len > 1)
				return false;
			break;
		default:
			return false;
		}
	return true;
}

bool rule_is_plain_refusal(const struct rule *rule)
{
	return rule_refuses(rule) && rule->in.name && rule_asks_plainly(rule);
}

bool rule_ports(const struct rule *rule, struct port_list *out)
{
	bool found = false;

	if (rule->opaque)
		return false;
	vec_each(match, &rule->matches) {
		vec_each(option, &match->options) {
			switch (option->id) {
			case OPTION_TCP_DPORT:
			case OPTION_UDP_DPORT:
			case OPTION_SCTP_DPORT:
			case OPTION_MULTIPORT_DPORTS:
				if (found || option->negated)
					return false;
				*out = option->value.ports;
				found = true;
				break;
			default:
				break;
			}
		}
	}
	return found;
}

/* ---- which built-in chains lead where ---- */

static const struct chain *target_chain(const struct table *table, const struct rule *rule)
{
	if (rule->opaque || (rule->target.kind != TARGET_JUMP && rule->target.kind != TARGET_GOTO))
		return NULL;
	return table_find_chain(table, rule->target.chain, strlen(rule->target.chain));
}

/* Each hook on its own walk: every chain and rule is looked at once for each. */
static void reach_init(struct chain_reach *reach, const struct table *table, struct arena *arena)
{
	size_t *waiting = arena_alloc(arena, (table->chains.len + 1) * sizeof *waiting);

	reach->hooks = arena_zalloc(arena, table->chains.len + 1);
	for (size_t start = 0; start < table->chains.len; start++) {
		const struct chain *builtin = &table->chains.data[start];
		size_t count = 1;
		uint8_t bit = (uint8_t)(1u << builtin->hook);

		if (!builtin->builtin)
			continue;
		reach->hooks[start] = bit;
		waiting[0] = start;
		while (count) {
			const struct chain *chain = &table->chains.data[waiting[--count]];

			vec_each(rule, &chain->rules) {
				const struct chain *next = target_chain(table, rule);
				size_t number = next ? (size_t)(next - table->chains.data) : 0;

				if (!next || next->builtin || (reach->hooks[number] & bit))
					continue;
				reach->hooks[number] |= bit;
				waiting[count++] = number;
			}
		}
	}
}

/* ---- destination NAT ---- */

static bool is_loopback(const struct network_match *network)
{
	static const uint8_t v6[16] = {[15] = 1};

	if (!network->present || network->negated)
		return false;
	return network->addr.family == FAMILY_IPV4 ? network->addr.bytes[0] == 127
						   : memcmp(network->addr.bytes, v6, sizeof v6) == 0;
}

/* The port that the target sends to, 0 where the port is kept. False if the target is no destination NAT. */
static bool dnat_target(const struct rule *rule, uint16_t *port)
{
	const struct option *option;

	*port = 0;
	if (rule_target_is(rule, MODULE_T_DNAT)) {
		option = match_option(&rule->target.extension, OPTION_T_DNAT_TO);
		if (option && option->value.nat.has_port)
			*port = option->value.nat.port_lo;
		return true;
	}
	if (rule_target_is(rule, MODULE_T_REDIRECT)) {
		option = match_option(&rule->target.extension, OPTION_T_REDIRECT_TO_PORTS);
		if (option)
			*port = (uint16_t)option->value.range.lo;
		return true;
	}
	return false;
}

static void add_dnat(struct snapshot_index *index, const struct chain *chain, const struct rule *rule,
		     const struct check_run *run)
{
	struct arena *arena = run->arena;
	struct port_list ports;
	struct dnat dnat = {.rule = rule};
	bool loopback = is_loopback(&rule->destination);
	uint16_t to;

	if (rule->opaque) {
		index->dnat_unclear = true;
		return;
	}
	if (!dnat_target(rule, &to) || !policy_interface_met(run, &rule->in))
		return;
	if (!rule->protocol.present || rule->protocol.negated ||
	    !protocol_of_number(rule->protocol.number, &dnat.protocol) || !rule_ports(rule, &ports)) {
		index->dnat_unclear = true;
		return;
	}
	vec_each(range, &ports.ranges) {
		uint32_t number = (uint32_t)index->dnats.len;
		struct port_map *map = loopback ? index->loopback : index->published;

		dnat.lo = range->lo;
		dnat.hi = range->hi;
		dnat.to_port = to ? to : range->lo;
		vec_push(arena, &index->dnats, dnat);
		vec_push(arena, &map[dnat.protocol].items, (struct port_piece){dnat.lo, dnat.hi, number});
		/* Container engines have chains of their own; in PREROUTING itself people forward ports to other hosts. */
		if (!loopback && dnat.to_port != dnat.lo && !chain->builtin)
			vec_push(arena, &index->renamed[dnat.protocol].items,
				 (struct port_piece){dnat.to_port, dnat.to_port, number});
	}
}

static void index_dnat(struct snapshot_index *index, const struct check_run *run)
{
	const struct table *nat = &index->snapshot->ruleset->tables[TABLE_NAT];

	for (size_t i = 0; i < nat->chains.len; i++) {
		if (!(index->reach[TABLE_NAT].hooks[i] & 1u << HOOK_PREROUTING))
			continue;
		vec_each(rule, &nat->chains.data[i].rules)
			add_dnat(index, &nat->chains.data[i], rule, run);
	}
	for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
		port_map_make(&index->published[protocol]);
		port_map_make(&index->loopback[protocol]);
		port_map_make(&index->renamed[protocol]);
	}
}

const struct dnat *dnat_find(const struct snapshot_index *index, const struct port_map *map, uint16_t port)
{
	const struct port_piece *piece = port_map_find(map, port);

	return piece ? &index->dnats.data[piece->owner] : NULL;
}

/* ---- the whole ---- */

void snapshot_index_init(struct snapshot_index *index, const struct check_snapshot *snapshot,
			 const struct check_run *run)
{
	struct arena *arena = run->arena;

	*index = (struct snapshot_index){.snapshot = snapshot};
	for (int id = 0; id < TABLE_COUNT; id++) {
		const struct table *table = &snapshot->ruleset->tables[id];

		reach_init(&index->reach[id], table, arena);
		index->chain_owner[id] = arena_zalloc(arena, (table->chains.len + 1) * sizeof *index->chain_owner[id]);
		for (size_t i = 0; i < table->chains.len; i++)
			index->chain_owner[id][i] = own_chain_interface(arena, table->chains.data[i].name);
	}
	index_dnat(index, run);
}
