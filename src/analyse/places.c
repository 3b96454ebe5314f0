#include <peerwall/places.h>

#include <stdlib.h>
#include <string.h>

/* What holds for every host. */
static const struct {
	struct prefix prefix;
	enum destination_type type;
} fixed_types[] = {
	{{{FAMILY_IPV4, {224}}, 4}, TYPE_MULTICAST},
	{{{FAMILY_IPV4, {127}}, 8}, TYPE_LOCAL},
	{{{FAMILY_IPV4, {0}}, 8}, TYPE_BROADCAST},
	{{{FAMILY_IPV4, {255, 255, 255, 255}}, 32}, TYPE_BROADCAST},
	{{{FAMILY_IPV6, {0xff}}, 8}, TYPE_MULTICAST},
	{{{FAMILY_IPV6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, 128}, TYPE_LOCAL},
};

static const enum destination_type delivered_types[] = {TYPE_LOCAL, TYPE_BROADCAST, TYPE_ANYCAST};

static bool concerns(const struct packet_space *space, const struct host_route *route)
{
	return route->to.addr.family == space->family;
}

static bool type_of_route(const struct host_route *route, enum destination_type *out)
{
	switch (route->kind) {
	case ROUTE_LOCAL:
		*out = TYPE_LOCAL;
		return true;
	case ROUTE_BROADCAST:
		*out = TYPE_BROADCAST;
		return true;
	case ROUTE_ANYCAST:
		*out = TYPE_ANYCAST;
		return true;
	default:
		return false;
	}
}

/* The local table was printed: it says it all. Without it the addresses do, but for a few that kernels treat differently. */
static bool has_local_table(const struct packet_space *space, const struct host *host)
{
	enum destination_type type;

	vec_each(route, &host->routes)
		if (concerns(space, route) && type_of_route(route, &type))
			return true;
	return false;
}

/* ---- mentioning ---- */

static void mention_prefix(struct packet_space *space, const struct prefix *prefix)
{
	struct addr_range range = prefix_to_range(prefix);

	if (prefix->addr.family != space->family)
		return;
	packet_space_mention(space, FIELD_DST, range.lo, range.hi);
	packet_space_mention(space, FIELD_SRC, range.lo, range.hi);
}

static struct prefix network_of(const struct host_address *address)
{
	return prefix_masked(&(struct prefix){address->addr, address->length});
}

static void mention_single(struct packet_space *space, addr_number number)
{
	packet_space_mention(space, FIELD_DST, number, number);
	packet_space_mention(space, FIELD_SRC, number, number);
}

static void mention_address(struct packet_space *space, const struct host_address *address, bool has_table)
{
	struct prefix network = network_of(address);
	struct addr_range range = prefix_to_range(&network);

	if (address->addr.family != space->family)
		return;
	mention_single(space, addr_to_number(&address->addr));
	if (has_table)
		return;
	mention_single(space, range.lo);
	if (space->family == FAMILY_IPV4)
		mention_single(space, range.hi);
	if (address->has_broadcast)
		mention_single(space, addr_to_number(&address->broadcast));
}

void places_mention(struct packet_space *space, const struct host *host)
{
	bool has_table = has_local_table(space, host);

	for (size_t i = 0; i < sizeof fixed_types / sizeof *fixed_types; i++)
		mention_prefix(space, &fixed_types[i].prefix);
	vec_each(address, &host->addresses)
		mention_address(space, address, has_table);
	vec_each(route, &host->routes) {
		mention_prefix(space, &route->to);
		if (route->interface && concerns(space, route))
			packet_space_mention_interface(space, route->interface);
	}
}

/* ---- types ---- */

static void add_number(struct arena *arena, struct addr_set *set, addr_number number)
{
	addr_set_add(arena, set, (struct addr_range){number, number});
}

static bool is_loopback(const struct host_address *address)
{
	return address->addr.family == FAMILY_IPV4 ? address->addr.bytes[0] == 127 : strcmp(address->interface, "lo") == 0;
}

static void add_address(struct places *places, struct arena *arena, const struct host_address *address, bool has_table)
{
	struct prefix network = network_of(address);
	struct addr_range range = prefix_to_range(&network);

	places->addresses_known |= is_loopback(address);
	add_number(arena, &places->types[TYPE_LOCAL], addr_to_number(&address->addr));
	if (has_table)
		return;
	if (address->has_broadcast)
		add_number(arena, &places->types[TYPE_BROADCAST], addr_to_number(&address->broadcast));
	if (address->addr.family == FAMILY_IPV4 && address->length < 31 && !address->secondary)
		add_number(arena, &places->types[TYPE_BROADCAST], range.hi);
	/* Linux before 5.14 had IPv4's first address for a broadcast; IPv6's is an anycast of routers. */
	if (range.lo != range.hi)
		add_number(arena, &places->unclear, range.lo);
}

static void collect_types(struct places *places, const struct packet_space *space)
{
	bool has_table = has_local_table(space, places->host);
	enum destination_type type;

	for (size_t i = 0; i < sizeof fixed_types / sizeof *fixed_types; i++)
		if (fixed_types[i].prefix.addr.family == space->family)
			addr_set_add(space->arena, &places->types[fixed_types[i].type],
				     prefix_to_range(&fixed_types[i].prefix));
	vec_each(route, &places->host->routes)
		if (concerns(space, route) && type_of_route(route, &type))
			addr_set_add(space->arena, &places->types[type], prefix_to_range(&route->to));
	vec_each(address, &places->host->addresses)
		if (address->addr.family == space->family)
			add_address(places, space->arena, address, has_table);
	for (int i = 0; i < TYPE_COUNT; i++)
		addr_set_normalise(&places->types[i]);
	addr_set_normalise(&places->unclear);
}

/* ---- ways ---- */

static int compare_routes(const void *left, const void *right)
{
	const struct host_route *const *a = left, *const *b = right;
	int order = prefix_compare(&(*a)->to, &(*b)->to);

	return order ? order : (*a)->metric < (*b)->metric ? -1 : (*a)->metric > (*b)->metric;
}

struct route_list {
	VEC(const struct host_route *) items;
};

/* By address, the shorter prefix first; of several for one prefix the one that the kernel takes. */
static void sort_routes(struct route_list *out, const struct packet_space *space, const struct host *host)
{
	size_t kept = 0;
	enum destination_type type;

	vec_each(route, &host->routes)
		if (concerns(space, route) && !type_of_route(route, &type) && route->kind != ROUTE_MULTICAST)
			vec_push(space->arena, &out->items, route);
	if (out->items.len)
		qsort(out->items.data, out->items.len, sizeof *out->items.data, compare_routes);
	for (size_t i = 0; i < out->items.len; i++)
		if (!kept || prefix_compare(&out->items.data[kept - 1]->to, &out->items.data[i]->to) != 0)
			out->items.data[kept++] = out->items.data[i];
	out->items.len = kept;
}

static void add_way(struct places *places, struct arena *arena, addr_number lo, addr_number hi, bool empty,
		    const struct host_route *route)
{
	if (!empty)
		vec_push(arena, &places->ways, (struct way){{lo, hi}, route});
}

/* Prefixes lie within each other or apart: those that the sweep is within stand on a stack, the innermost rules. */
static void collect_ways(struct places *places, const struct packet_space *space)
{
	struct route_list routes = {0}, open = {0};
	addr_number next = 0, last = space->fields[FIELD_DST].last;
	bool done = false;

	sort_routes(&routes, space, places->host);
	for (size_t i = 0; i <= routes.items.len; i++) {
		const struct host_route *route = i < routes.items.len ? routes.items.data[i] : NULL;
		addr_number lo = route ? prefix_to_range(&route->to).lo : 0;

		while (open.items.len) {
			const struct host_route *innermost = open.items.data[open.items.len - 1];
			addr_number hi = prefix_to_range(&innermost->to).hi;

			if (route && hi >= lo)
				break;
			add_way(places, space->arena, next, hi, done || next > hi, innermost);
			done = done || hi == last;
			next = hi == last ? last : hi + 1 > next ? hi + 1 : next;
			open.items.len--;
		}
		if (!route)
			break;
		add_way(places, space->arena, next, lo - 1, done || next >= lo,
			open.items.len ? open.items.data[open.items.len - 1] : NULL);
		next = lo > next ? lo : next;
		vec_push(space->arena, &open.items, route);
	}
	add_way(places, space->arena, next, last, done, NULL);
}

static bool has_main_route(const struct packet_space *space, const struct host *host)
{
	vec_each(route, &host->routes)
		if (concerns(space, route) && route->kind == ROUTE_UNICAST)
			return true;
	return false;
}

void places_make(struct places *out, struct packet_space *space, const struct host *host)
{
	*out = (struct places){.host = host};
	collect_types(out, space);
	collect_ways(out, space);
	out->routes_known = host->has_routes && !host->has_rules && has_main_route(space, host);
}

/* ---- as sets ---- */

static uint32_t all_certain(struct packet_space *space, const struct places *places, enum field field)
{
	uint32_t packets = DIAGRAM_NONE;

	for (int type = 0; type < TYPE_COUNT; type++)
		if (type != TYPE_UNICAST)
			packets = packets_or(space, packets, packets_addresses(space, field, &places->types[type]));
	return packets;
}

/* Of no certain type. */
static uint32_t open_places(struct packet_space *space, const struct places *places, enum field field)
{
	uint32_t certain = all_certain(space, places, field);

	if (!places->addresses_known)
		return packets_minus(space, packets_minus(space, DIAGRAM_ALL, certain),
				     packets_addresses(space, field, &places->elsewhere));
	return packets_minus(space, packets_addresses(space, field, &places->unclear), certain);
}

uint32_t places_certain(struct packet_space *space, const struct places *places, enum field field,
			enum destination_type type)
{
	uint32_t others;

	if (type != TYPE_UNICAST)
		return packets_addresses(space, field, &places->types[type]);
	others = packets_or(space, all_certain(space, places, field), open_places(space, places, field));
	return packets_minus(space, DIAGRAM_ALL, others);
}

uint32_t places_possible(struct packet_space *space, const struct places *places, enum field field,
			 enum destination_type type)
{
	uint32_t certain = places_certain(space, places, field, type);
	enum destination_type absent = space->family == FAMILY_IPV4 ? TYPE_ANYCAST : TYPE_BROADCAST;

	if (type == TYPE_MULTICAST || type == absent || (type == TYPE_LOCAL && places->addresses_known))
		return certain;
	return packets_or(space, certain, open_places(space, places, field));
}

uint32_t places_own(struct packet_space *space, const struct places *places, enum field field, const char *interface)
{
	struct addr_set set = {.family = space->family};

	vec_each(address, &places->host->addresses)
		if (address->addr.family == space->family && !is_loopback(address) &&
		    (!interface || strcmp(address->interface, interface) == 0))
			add_number(space->arena, &set, addr_to_number(&address->addr));
	addr_set_normalise(&set);
	return packets_addresses(space, field, &set);
}

static uint32_t elsewhere(struct packet_space *space)
{
	return packets_minus(space, space->all, packets_to_host(space));
}

/* The interfaces that a route leads to. */
static uint32_t outs_of(struct packet_space *space, const struct places *places, const struct host_route *route)
{
	if (!route)
		return places->routes_known ? DIAGRAM_NONE : elsewhere(space);
	if (route->kind == ROUTE_REFUSING)
		return DIAGRAM_NONE;
	return route->interface ? packets_out(space, route->interface) : elsewhere(space);
}

/* One interface's addresses together: there are far fewer interfaces than routes. */
static uint32_t routed(struct packet_space *space, const struct places *places, enum field field)
{
	size_t count = places->ways.len;
	uint32_t *outs = arena_alloc(space->arena, count * sizeof *outs), packets = DIAGRAM_NONE;

	/* They may lead to a table in which what is sent to others is delivered here. */
	if (places->host->has_rules)
		return host_rules_may_deliver(places->host) ? space->all : elsewhere(space);
	for (size_t i = 0; i < count; i++)
		outs[i] = outs_of(space, places, places->ways.data[i].route);
	for (size_t i = 0; i < count; i++) {
		struct addr_set set = {.family = space->family};
		uint32_t out = outs[i];

		for (size_t j = i; j < count && out != DIAGRAM_NONE; j++)
			if (outs[j] == out) {
				addr_set_add(space->arena, &set, places->ways.data[j].range);
				outs[j] = DIAGRAM_NONE;
			}
		addr_set_normalise(&set);
		packets = packets_or(space, packets, packets_and(space, packets_addresses(space, field, &set), out));
	}
	return packets;
}

static uint32_t delivered(struct packet_space *space, const struct places *places, enum field field)
{
	uint32_t packets = DIAGRAM_NONE;

	for (size_t i = 0; i < sizeof delivered_types / sizeof *delivered_types; i++)
		packets = packets_or(space, packets, places_possible(space, places, field, delivered_types[i]));
	return packets_and(space, packets, packets_to_host(space));
}

/* Multicasts may be delivered, and routed too. */
uint32_t places_as_made(struct packet_space *space, const struct places *places)
{
	uint32_t unicast = places_possible(space, places, FIELD_NEW_DST, TYPE_UNICAST);
	uint32_t packets = packets_and(space, unicast, routed(space, places, FIELD_NEW_DST));

	packets = packets_or(space, packets, delivered(space, places, FIELD_NEW_DST));
	return packets_or(space, packets, places_certain(space, places, FIELD_NEW_DST, TYPE_MULTICAST));
}

uint32_t places_as_sent(struct packet_space *space, const struct places *places)
{
	uint32_t packets = DIAGRAM_NONE;

	for (int type = 0; type < TYPE_COUNT; type++) {
		uint32_t ways = type == TYPE_UNICAST   ? routed(space, places, FIELD_DST) :
				type == TYPE_MULTICAST ? DIAGRAM_ALL :
							 packets_to_host(space);
		uint32_t those = packets_and(space, places_possible(space, places, FIELD_DST, (enum destination_type)type),
					     packets_of_type(space, (enum destination_type)type));

		packets = packets_or(space, packets, packets_and(space, those, ways));
	}
	return packets;
}
