#include <peerwall/reach.h>

#include "reach_rows.h"
#include "rule_effect.h"

#include <string.h>

/* ---- the space ---- */

static void mention_addresses(struct packet_space *space, enum field field, const struct addr_set *set)
{
	vec_each(range, &set->ranges)
		packet_space_mention(space, field, range->lo, range->hi);
}

static void mention_wanted(struct packet_space *space, const struct reach_wanted *wanted)
{
	mention_addresses(space, FIELD_DST, &wanted->addresses[space->family]);
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		vec_each(range, &wanted->services.ports[i].ranges) {
			packet_space_mention(space, FIELD_PROTOCOL, protocol_numbers[i], protocol_numbers[i]);
			packet_space_mention(space, FIELD_DPORT, range->lo, range->hi);
		}
	vec_each(protocol, &wanted->protocols)
		packet_space_mention(space, FIELD_PROTOCOL, *protocol, *protocol);
}

static void mention_all(struct packet_space *space, const struct reach_input *input)
{
	packet_space_mention_rules(space, input->ruleset);
	places_mention(space, input->host);
	traverse_mention(space);
	reach_rows_mention(space);
	mention_wanted(space, &input->wanted);
	vec_each(name, &input->interfaces.items)
		packet_space_mention_interface(space, *name);
	vec_each(policy, &input->policies)
		vec_each(definition, &(*policy)->definitions)
			if (definition->is_peers)
				mention_addresses(space, FIELD_SRC, &definition->peers.sets[space->family]);
}

uint32_t reach_wanted_services(struct packet_space *space, const struct reach_wanted *wanted)
{
	uint32_t packets = DIAGRAM_NONE;

	if (wanted->services.any)
		return DIAGRAM_ALL;
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		packets = packets_or(space, packets,
				     packets_and(space,
						 packets_range(space, FIELD_PROTOCOL, protocol_numbers[i], protocol_numbers[i]),
						 packets_ports(space, FIELD_DPORT, &wanted->services.ports[i])));
	vec_each(protocol, &wanted->protocols)
		packets = packets_or(space, packets, packets_range(space, FIELD_PROTOCOL, *protocol, *protocol));
	return packets;
}

uint32_t reach_wanted_destinations(struct packet_space *space, const struct reach_wanted *wanted)
{
	return wanted->has_addresses ? packets_addresses(space, FIELD_DST, &wanted->addresses[space->family]) : DIAGRAM_ALL;
}

/* ---- what lies behind bridges ---- */

static bool is_behind_bridge(const struct host *host, const struct addr *addr)
{
	vec_each(route, &host->routes)
		if (route->rule && prefix_contains_addr(&route->to, addr))
			return true;
	return false;
}

/*
 * Where nobody knows the host's addresses, any may be its own. But what rules send packets on to and what lies in a
 * network that is behind a bridge is a container's.
 */
static void collect_containers(struct addr_set *out, const struct reach_input *input, struct arena *arena)
{
	out->family = input->ruleset->family;
	vec_each(chain, &input->ruleset->tables[TABLE_NAT].chains)
		vec_each(rule, &chain->rules) {
			const struct option *option;

			if (rule->opaque || rule->target.kind != TARGET_EXTENSION ||
			    rule->target.extension.module != MODULE_T_DNAT)
				continue;
			option = target_option(rule, OPTION_T_DNAT_TO);
			if (option && option->value.nat.has_addr && is_behind_bridge(input->host, &option->value.nat.lo) &&
			    addr_equal(&option->value.nat.lo, &option->value.nat.hi))
				addr_set_add(arena, out, (struct addr_range){addr_to_number(&option->value.nat.lo),
									     addr_to_number(&option->value.nat.lo)});
		}
	addr_set_normalise(out);
}

/* ---- interfaces ---- */

struct seen_interface {
	uint32_t accepted[PASSAGE_COUNT], dropped[PASSAGE_COUNT];
	size_t group;
};

struct reaching {
	struct reach *out;
	const struct reach_input *input;
	struct arena *arena;
	struct reach_names names; /* the interfaces of arrival */
	uint32_t arriving;
	VEC(struct seen_interface) seen;
};

/* As they are without a connection: new, never tracked, or, of ICMP, neither. */
static void send_through(struct reaching *reaching, struct journey *out, const char *in, const struct visitor *visitor)
{
	static const enum tracking states[] = {TRACKING_NEW, TRACKING_UNTRACKED, TRACKING_INVALID};
	const struct reach_input *input = reaching->input;
	struct packet_space *space = &reaching->out->space;
	struct traverse_input way = {
		.ruleset = input->ruleset, .in = in, .places = &reaching->out->places, .scope = TRAVERSE_ALL,
		.nat_first = input->nat_first, .visitor = visitor,
	};

	*out = (struct journey){0};
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		struct journey journey;

		way.tracking = states[i];
		way.arriving = reaching->arriving;
		if (way.tracking == TRACKING_INVALID)
			way.arriving = packets_and(space, way.arriving, traverse_never_new(space));
		traverse(&journey, space, &way);
		journey_join(space, out, &journey);
	}
}

/* The group of the interfaces by which just the same gets in, if there is one. */
static struct reach_interfaces *find_group(struct reaching *reaching, const struct journey *journey)
{
	vec_each(seen, &reaching->seen)
		if (memcmp(seen->accepted, journey->accepted, sizeof seen->accepted) == 0 &&
		    memcmp(seen->dropped, journey->dropped, sizeof seen->dropped) == 0)
			return &reaching->out->groups.data[seen->group];
	return NULL;
}

static struct reach_interfaces *add_group(struct reaching *reaching, const struct journey *journey)
{
	struct seen_interface seen = {.group = reaching->out->groups.len};

	memcpy(seen.accepted, journey->accepted, sizeof seen.accepted);
	memcpy(seen.dropped, journey->dropped, sizeof seen.dropped);
	vec_push(reaching->arena, &reaching->seen, seen);
	vec_push(reaching->arena, &reaching->out->groups, (struct reach_interfaces){0});
	return &reaching->out->groups.data[seen.group];
}

static void draw_map(struct reaching *reaching, const char *in, const struct journey *journey)
{
	struct packet_space *space = &reaching->out->space;
	struct chain_map *map = &reaching->out->map;
	struct visitor visitor = chain_map_visitor(map);
	struct journey again;

	chain_map_init(map, reaching->input->ruleset, reaching->arena);
	send_through(reaching, &again, in, &visitor);
	chain_map_finish(map);
	reaching->out->map_outs = DIAGRAM_NONE;
	for (int passage = 0; passage < PASSAGE_COUNT; passage++)
		reaching->out->map_outs =
			packets_or(space, reaching->out->map_outs,
				   packets_project(space, journey->accepted[passage], FIELD_BIT(FIELD_OUT)));
}

static bool is_uncertain(struct packet_space *space, const struct journey *journey)
{
	for (int passage = 0; passage < PASSAGE_COUNT; passage++)
		if (journey_certain(space, journey, (enum passage)passage) != journey->accepted[passage])
			return true;
	return false;
}

/* Once more, since few rulesets have any. */
static void collect_blurs(struct reaching *reaching, struct blurs *blurs, const char *in)
{
	struct visitor visitor = blurs_visitor(blurs, &reaching->out->space);
	struct journey journey;

	send_through(reaching, &journey, in, &visitor);
}

/* False once nothing can be concluded. */
static bool add_interface(struct reaching *reaching, const char *in)
{
	struct packet_space *space = &reaching->out->space;
	struct reach_interfaces *group;
	struct journey journey;

	send_through(reaching, &journey, in, NULL);
	if (reaching->input->wants_map && !reaching->seen.len)
		draw_map(reaching, in, &journey);
	if (journey.gave_up || packet_space_gave_up(space))
		return false;
	group = find_group(reaching, &journey);
	if (!group) {
		struct blurs blurs = {0};
		struct reach_place place = {
			.in = in, .ruleset = reaching->input->ruleset, .places = &reaching->out->places,
			.wanted = &reaching->input->wanted,
			.entered = traverse_entering(space, in, reaching->arriving),
			.rows_most = reaching->input->rows_most,
		};

		group = add_group(reaching, &journey);
		if (is_uncertain(space, &journey))
			collect_blurs(reaching, &blurs, in);
		reach_rows_make(group, space, &journey, &blurs, &place);
	}
	vec_push(reaching->arena, &group->names.items, in);
	return !packet_space_gave_up(space);
}

/* What is worked out already would be lost with the next one. */
static bool is_exhausted(const struct reaching *reaching)
{
	const struct packet_space *space = &reaching->out->space;

	return packet_space_effort(space) > reaching->input->effort_most || space->diagrams.count > PACKET_NODES_MAX / 2;
}

/* Those that were asked for; else all but the loopback, by which comes what the host itself has sent. */
static void choose_interfaces(struct reaching *reaching)
{
	if (reaching->input->interfaces.items.len) {
		reaching->names = reaching->input->interfaces;
		return;
	}
	vec_each(name, &reaching->out->space.ins)
		if (strcmp(*name, "lo") != 0)
			vec_push(reaching->arena, &reaching->names.items, *name);
}

/* The last one, which stands for all that no rule names, is always told. */
static bool add_interfaces(struct reaching *reaching)
{
	const struct reach_names *names = &reaching->names;

	for (size_t i = 0; i < names->items.len; i++) {
		const char *name = names->items.data[i];

		if (i + 1 < names->items.len && is_exhausted(reaching))
			vec_push(reaching->arena, &reaching->out->omitted.items, name);
		else if (!add_interface(reaching, name))
			return false;
	}
	return true;
}

bool reach_make(struct reach *out, const struct reach_input *input, struct arena *arena)
{
	struct reaching reaching = {.out = out, .input = input, .arena = arena};
	struct packet_space *space = &out->space;

	*out = (struct reach){0};
	packet_space_init(space, input->ruleset->family, arena);
	mention_all(space, input);
	packet_space_close(space);
	places_make(&out->places, space, input->host);
	collect_containers(&out->places.elsewhere, input, arena);
	reaching.arriving = packets_and(space, reach_wanted_services(space, &input->wanted),
					reach_wanted_destinations(space, &input->wanted));
	reaching.arriving = packets_and(space, reaching.arriving, traverse_arriving(space, &out->places));
	choose_interfaces(&reaching);
	return add_interfaces(&reaching) && !packet_space_gave_up(space);
}

void reach_free(struct reach *reach)
{
	packet_space_free(&reach->space);
}

const char *reach_peers_name(struct reach *reach, const struct reach_input *input, uint32_t sources)
{
	struct packet_space *space = &reach->space;

	vec_each(policy, &input->policies)
		vec_each(definition, &(*policy)->definitions)
			if (definition->is_peers &&
			    packets_addresses(space, FIELD_SRC, &definition->peers.sets[space->family]) == sources)
				return definition->name;
	return NULL;
}
