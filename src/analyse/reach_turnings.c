#include "reach_turnings.h"

#include "rule_effect.h"
#include "translation.h"

#include <stdlib.h>

/* Rules that are asked one by one. */
#define CANDIDATES_MAX 32

/* ---- collecting ---- */

static int compare_turnings(const void *left, const void *right)
{
	const struct turning *a = left, *b = right;

	/* Those found by the same in the order in which packets meet them. */
	return a->lo != b->lo ? (a->lo < b->lo ? -1 : 1) : a->event < b->event ? -1 : a->event > b->event;
}

static void sort_turnings(struct turning_list *list)
{
	if (list->items.len)
		qsort(list->items.data, list->items.len, sizeof *list->items.data, compare_turnings);
}

/* Does the rule send all to one address? */
static bool has_one_destination(const struct rule *rule, addr_number *out)
{
	const struct option *option;

	if (rule->opaque || rule->target.kind != TARGET_EXTENSION || rule->target.extension.module != MODULE_T_DNAT)
		return false;
	option = target_option(rule, OPTION_T_DNAT_TO);
	if (!option || !option->value.nat.has_addr || !addr_equal(&option->value.nat.lo, &option->value.nat.hi))
		return false;
	*out = addr_to_number(&option->value.nat.lo);
	return true;
}

/* The least and the greatest port that packets of the event were sent to. */
static void bound_ports(struct turning *turning, struct packet_space *space)
{
	struct addr_set ports;

	packets_values(&ports, space, packets_project(space, turning->event->packets, FIELD_BIT(FIELD_DPORT)), FIELD_DPORT);
	turning->lo = ports.ranges.data[0].lo;
	turning->hi = ports.ranges.data[ports.ranges.len - 1].hi;
}

static void collect(struct turnings *turnings, const struct event *event)
{
	struct packet_space *space = turnings->space;
	struct turning turning = {.event = event};
	bool single = has_one_destination(event->rule, &turning.lo);

	turning.hi = turning.lo;
	vec_push(space->arena, &(single ? &turnings->single_target : &turnings->any_target)->items, turning);
	bound_ports(&turning, space);
	vec_push(space->arena, &(turning.lo == turning.hi ? &turnings->single_port : &turnings->any_port)->items, turning);
}

static uint32_t met_by(struct packet_space *space, const struct journey *journey, enum passage passage)
{
	return packets_or(space, journey->accepted[passage], journey->dropped[passage]);
}

void turnings_collect(struct turnings *out, struct packet_space *space, const struct journey *journey,
		      const struct reach_place *place)
{
	*out = (struct turnings){
		.space = space,
		.vantage = {.in = place->in, .hook = HOOK_PREROUTING, .tracking = TRACKING_NEW, .places = place->places},
		.routable = places_as_made(space, place->places),
		.met = met_by(space, journey, PASSAGE_TRANSLATED),
	};
	out->either_way = packets_and(space, packets_forget(space, out->met, FIELDS_WAY),
				      packets_forget(space, met_by(space, journey, PASSAGE_AS_SENT), FIELDS_WAY));
	vec_each(event, &journey->events.items)
		if (event->kind == EVENT_TRANSLATE)
			collect(out, event);
	sort_turnings(&out->single_target);
	sort_turnings(&out->single_port);
}

static size_t first_from(const struct turning_list *list, addr_number value)
{
	size_t low = 0, high = list->items.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->items.data[middle].lo < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What the rule makes of those of the packets that it took hold of, wherever they are routed to. */
static uint32_t turn(struct turnings *turnings, const struct turning *turning, uint32_t packets)
{
	uint32_t hit = packets_and(turnings->space, packets, turning->event->packets);

	turnings->looks++;
	if (hit == DIAGRAM_NONE)
		return DIAGRAM_NONE;
	return translate(turnings->space, turning->event->rule, &turnings->vantage, hit).made;
}

/* ---- by their targets ---- */

static void add_if_turned(struct turnings *turnings, struct reach_rules *out, const struct turning *turning, uint32_t early,
			  uint32_t late)
{
	const struct event *event = turning->event;

	if (turnings->looks <= REACH_LOOKS_MAX &&
	    packets_and(turnings->space, turn(turnings, turning, early), late) != DIAGRAM_NONE)
		reach_rules_add(turnings->space->arena, out, reach_rule_of(event->table, event->chain, event->rule));
}

void turnings_find(struct turnings *turnings, struct reach_rules *out, uint32_t targets, uint32_t early, uint32_t late)
{
	const struct turning_list *single = &turnings->single_target;
	struct addr_set values;

	packets_values(&values, turnings->space, targets, FIELD_NEW_DST);
	vec_each(range, &values.ranges)
		for (size_t i = first_from(single, range->lo); i < single->items.len; i++) {
			if (single->items.data[i].lo > range->hi || turnings->looks > REACH_LOOKS_MAX)
				break;
			add_if_turned(turnings, out, &single->items.data[i], early, late);
		}
	vec_each(turning, &turnings->any_target.items)
		add_if_turned(turnings, out, turning, early, late);
}

/* ---- by the ports of what they turn ---- */

/* Does the rule pick one of several targets for each connection, or one of this host's addresses? */
static bool is_choice(const struct turnings *turnings, const struct rule *rule)
{
	const struct places *places = turnings->vantage.places;
	const struct option *option;
	addr_number one;

	if (rule->opaque || rule->target.kind != TARGET_EXTENSION)
		return rule->opaque;
	switch (rule->target.extension.module) {
	case MODULE_T_DNAT:
		option = target_option(rule, OPTION_T_DNAT_TO);
		return !option || (option->value.nat.has_addr && !has_one_destination(rule, &one)) ||
		       (option->value.nat.has_port && option->value.nat.port_lo != option->value.nat.port_hi);
	case MODULE_T_REDIRECT:
		option = target_option(rule, OPTION_T_REDIRECT_TO_PORTS);
		return turnings->space->family == FAMILY_IPV6 || !places->addresses_known ||
		       !host_first_address(places->host, turnings->vantage.in, turnings->space->family) ||
		       (option && option->value.range.lo != option->value.range.hi);
	default:
		return false;
	}
}

/* Then a rule of another table may be in doubt instead. */
static bool asks_for_mark(const struct rule *rule)
{
	vec_each(match, &rule->matches)
		if (match->module == MODULE_MARK || match->module == MODULE_CONNMARK)
			return true;
	return false;
}

bool turnings_are_unsure(struct turnings *turnings, const struct ruleset *ruleset)
{
	vec_each(chain, &ruleset->tables[TABLE_NAT].chains)
		vec_each(rule, &chain->rules)
			if (is_choice(turnings, rule) || asks_for_mark(rule) ||
			    !rule_packets(turnings->space, rule, &turnings->vantage).exact)
				return true;
	return false;
}

static bool leads_elsewhere(struct turnings *turnings, const struct turning *turning, uint32_t headers, uint32_t late)
{
	struct packet_space *space = turnings->space;
	uint32_t made = packets_and(space, turn(turnings, turning, headers), turnings->routable);

	return packets_minus(space, made, late) != DIAGRAM_NONE;
}

/* Behind those that turn what was sent to these ports. */
static size_t first_past(const struct turning_list *single, const struct addr_range *ports)
{
	return ports->hi == UINT16_MAX ? single->items.len : first_from(single, ports->hi + 1);
}

static size_t count_candidates(const struct turnings *turnings, const struct addr_set *ports)
{
	size_t count = turnings->any_port.items.len;

	vec_each(range, &ports->ranges)
		count += first_past(&turnings->single_port, range) - first_from(&turnings->single_port, range->lo);
	return count;
}

/*
 * Headers of few ports are mostly those of few rules, though of any destination; these are asked. What goes to any port goes
 * mostly to few destinations, by which the set of all that is turned is soon narrowed down.
 */
bool turnings_lead_elsewhere(struct turnings *turnings, uint32_t headers, uint32_t late)
{
	const struct turning_list *single = &turnings->single_port;
	struct packet_space *space = turnings->space;
	struct addr_set ports;

	late = packets_forget(space, late, FIELD_BIT(FIELD_OUT));
	packets_values(&ports, space, packets_project(space, headers, FIELD_BIT(FIELD_DPORT)), FIELD_DPORT);
	if (count_candidates(turnings, &ports) > CANDIDATES_MAX)
		return packets_minus(space, packets_and(space, turnings->met, headers), late) != DIAGRAM_NONE;
	vec_each(range, &ports.ranges)
		for (size_t i = first_from(single, range->lo), end = first_past(single, range); i < end; i++)
			if (leads_elsewhere(turnings, &single->items.data[i], headers, late))
				return true;
	vec_each(turning, &turnings->any_port.items)
		if (leads_elsewhere(turnings, turning, headers, late))
			return true;
	return false;
}
