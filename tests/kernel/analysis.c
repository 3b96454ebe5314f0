/* The sets of a rule set, and what this host's addresses and routes leave of them. */
#include "sets.h"

#include <string.h>

enum { NUMBER_ICMP = 1, NUMBER_TCP = 6, NUMBER_UDP = 17, NUMBER_ICMP6 = 58 };

struct named_range {
	enum family family;
	const char *lo, *hi;
};

/* Everything else is refused before any rule sees it, or behind the rules, for reasons of its own. */
static const struct named_range good_sources[] = {
	{FAMILY_IPV4, "1.0.0.0", "126.255.255.255"},
	{FAMILY_IPV4, "128.0.0.0", "223.255.255.255"},
	{FAMILY_IPV6, "2000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{FAMILY_IPV6, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};
/* The groups are those that every host is in. */
static const struct named_range good_destinations[] = {
	{FAMILY_IPV4, "1.0.0.0", "126.255.255.255"},
	{FAMILY_IPV4, "128.0.0.0", "223.255.255.255"},
	{FAMILY_IPV4, "224.0.0.1", "224.0.0.1"},
	{FAMILY_IPV4, "255.255.255.255", "255.255.255.255"},
	{FAMILY_IPV6, "2000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{FAMILY_IPV6, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{FAMILY_IPV6, "ff02::1", "ff02::1"},
};
/* Numbers without a header that the kernel would want to read; TCP, UDP and ICMP come on top. */
static const struct addr_range plain_protocols[] = {{61, 93}, {99, 102}, {140, 252}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct addr_range numbers_of(const struct named_range *range)
{
	struct addr lo, hi;

	if (!addr_parse(range->lo, strlen(range->lo), &lo) || !addr_parse(range->hi, strlen(range->hi), &hi))
		die("an address of the test itself");
	return (struct addr_range){addr_to_number(&lo), addr_to_number(&hi)};
}

static addr_number icmp_number(enum family family)
{
	return family == FAMILY_IPV4 ? NUMBER_ICMP : NUMBER_ICMP6;
}

/* ---- what the space has to know ---- */

static void mention_sendable(struct packet_space *space)
{
	const addr_number protocols[] = {NUMBER_TCP, NUMBER_UDP, icmp_number(space->family)};

	packet_space_mention(space, FIELD_HOPS, ENOUGH_HOPS, UINT8_MAX);
	for (size_t i = 0; i < COUNT(protocols); i++)
		packet_space_mention(space, FIELD_PROTOCOL, protocols[i], protocols[i]);
	for (size_t i = 0; i < COUNT(plain_protocols); i++)
		packet_space_mention(space, FIELD_PROTOCOL, plain_protocols[i].lo, plain_protocols[i].hi);
	for (size_t i = 0; i < COUNT(good_sources); i++) {
		struct addr_range range = numbers_of(&good_sources[i]);

		if (good_sources[i].family == space->family)
			packet_space_mention(space, FIELD_SRC, range.lo, range.hi);
	}
	for (size_t i = 0; i < COUNT(good_destinations); i++) {
		struct addr_range range = numbers_of(&good_destinations[i]);

		if (good_destinations[i].family == space->family)
			packet_space_mention(space, FIELD_DST, range.lo, range.hi);
	}
}

/* ---- the host ---- */

static uint32_t number_of_out(const struct packet_space *space, const char *interface)
{
	for (uint32_t i = 1; i < space->outs.len; i++)
		if (strcmp(space->outs.data[i], interface) == 0)
			return i;
	die("an interface that nobody mentioned");
}

static bool is_good(const struct named_range *ranges, size_t count, enum family family, addr_number number)
{
	for (size_t i = 0; i < count; i++) {
		struct addr_range range = numbers_of(&ranges[i]);

		if (ranges[i].family == family && range.lo <= number && number <= range.hi)
			return true;
	}
	return false;
}

bool is_ordinary_address(enum family family, addr_number number)
{
	return is_good(good_sources, COUNT(good_sources), family, number);
}

bool analysis_place(const struct analysis *analysis, addr_number destination, enum destination_type *type,
		    uint32_t *out)
{
	const struct host *host = &analysis->world->host;
	enum family family = analysis->space.family;
	struct addr addr = addr_from_number(family, destination);
	const struct host_route *route = host_route(host, &addr);

	*out = OUT_HOST;
	if (!is_good(good_destinations, COUNT(good_destinations), family, destination))
		return false;
	if (family == FAMILY_IPV4 ? addr.bytes[0] == 224 : addr.bytes[0] == 0xff)
		*type = TYPE_MULTICAST;
	else if (host_owns(host, &addr))
		*type = TYPE_LOCAL;
	else if (host_broadcasts(host, &addr) || (route && route->kind == ROUTE_BROADCAST) ||
		 (family == FAMILY_IPV4 && addr.bytes[0] == 255))
		*type = TYPE_BROADCAST;
	else if (route && route->kind == ROUTE_ANYCAST)
		*type = TYPE_ANYCAST;
	else
		*type = TYPE_UNICAST;
	if (*type != TYPE_UNICAST)
		return true;
	if (!route || route->kind != ROUTE_UNICAST || !route->interface)
		return false;
	*out = number_of_out(&analysis->space, route->interface);
	return true;
}

/* Both fields are cut up at all that the host has, so that the first value of a piece stands for it. */
static uint32_t pieces_packets(struct analysis *analysis, enum field field,
			       bool (*wanted)(const struct analysis *, addr_number))
{
	const struct field_atoms *atoms = &analysis->space.fields[field];
	struct addr_set set = {.family = analysis->space.family};

	for (size_t i = 0; i < atoms->starts.len; i++) {
		struct addr_range range = {atoms->starts.data[i],
					   i + 1 < atoms->starts.len ? atoms->starts.data[i + 1] - 1 : atoms->last};

		if (wanted(analysis, range.lo))
			addr_set_add(analysis->arena, &set, range);
	}
	addr_set_normalise(&set);
	return packets_addresses(&analysis->space, field, &set);
}

static bool is_sendable_destination(const struct analysis *analysis, addr_number number)
{
	enum destination_type type;
	uint32_t out;

	return analysis_place(analysis, number, &type, &out);
}

static bool is_sendable_source(const struct analysis *analysis, addr_number number)
{
	const struct host *host = &analysis->world->host;
	struct addr addr = addr_from_number(analysis->space.family, number);
	const struct host_route *route = host_route(host, &addr);

	return is_ordinary_address(analysis->space.family, number) && !host_owns(host, &addr) &&
	       !host_broadcasts(host, &addr) && route && route->kind == ROUTE_UNICAST;
}

static uint32_t sendable_protocols(struct packet_space *space)
{
	const addr_number protocols[] = {NUMBER_TCP, NUMBER_UDP, icmp_number(space->family)};
	uint32_t set = DIAGRAM_NONE;

	for (size_t i = 0; i < COUNT(protocols); i++)
		set = packets_or(space, set, packets_range(space, FIELD_PROTOCOL, protocols[i], protocols[i]));
	for (size_t i = 0; i < COUNT(plain_protocols); i++)
		set = packets_or(space, set,
				 packets_range(space, FIELD_PROTOCOL, plain_protocols[i].lo, plain_protocols[i].hi));
	return set;
}

/* ---- the whole ---- */

static void note_visit(void *context, const struct visit *visit)
{
	struct passing *passing = context;

	if (visit->hit != DIAGRAM_NONE)
		vec_push(passing->analysis->arena, &passing->takings,
			 (struct taking){visit->table, visit->vantage->hook, visit->chain, visit->rule, visit->reached,
					 visit->hit, visit->matched.exact, visit->vantage->translated,
					 visit->vantage->resourced});
}

/* False if it gave up. */
static bool pass(struct analysis *analysis, int in, enum tracking tracking, uint32_t arriving)
{
	struct passing *passing = &analysis->passings[in][tracking];
	struct visitor visitor = {.visit = note_visit, .context = passing};
	struct traverse_input input = {
		.ruleset = analysis->rules,
		.in = analysis->world->interfaces[in],
		.tracking = tracking,
		.places = &analysis->places,
		.arriving = arriving,
		.scope = TRAVERSE_ALL,
		.nat_first = world_is_nft(analysis->world),
		.visitor = &visitor,
	};

	passing->analysis = analysis;
	traverse(&passing->journey, &analysis->space, &input);
	return !passing->journey.gave_up;
}

static void make_space(struct analysis *analysis)
{
	struct packet_space *space = &analysis->space;

	packet_space_init(space, analysis->rules->family, analysis->arena);
	packet_space_mention_rules(space, analysis->rules);
	traverse_mention(space);
	places_mention(space, &analysis->world->host);
	mention_sendable(space);
	for (int i = 0; i < WORLD_INTERFACES; i++)
		packet_space_mention_interface(space, analysis->world->interfaces[i]);
	packet_space_close(space);
	places_make(&analysis->places, space, &analysis->world->host);
}

bool analysis_make(struct analysis *out, const struct world *world, const struct ruleset *rules, struct arena *arena)
{
	struct packet_space *space = &out->space;
	uint32_t arriving, addresses;
	bool done = true;

	*out = (struct analysis){.world = world, .rules = rules, .arena = arena};
	make_space(out);
	addresses = packets_and(space, pieces_packets(out, FIELD_SRC, is_sendable_source),
				pieces_packets(out, FIELD_DST, is_sendable_destination));
	arriving = traverse_arriving(space, &out->places);
	out->sendable = packets_and(space, packets_forget_marks(space, arriving),
				    packets_and(space, addresses, sendable_protocols(space)));
	out->sendable_anyhow = packets_forget(space, out->sendable, FIELD_BIT(FIELD_OUT));
	for (int in = 0; in < WORLD_ENTRANCES; in++)
		for (int tracking = 0; tracking < TRACKINGS_WALKED; tracking++)
			done &= pass(out, in, (enum tracking)tracking, arriving);
	return done && !packet_space_gave_up(space);
}

void analysis_free(struct analysis *analysis)
{
	packet_space_free(&analysis->space);
}
