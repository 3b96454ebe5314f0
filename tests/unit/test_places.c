#include "random.h"
#include "unit.h"

#include <peerwall/places.h>
#include <peerwall/traverse.h>

#include <stdio.h>
#include <string.h>

/* What the sets say of every address, beside what host.h says of it. */

#define HOSTS 300

static uint64_t seed = 20260404;

static const char *const interfaces[] = {"wg1", "br0", "eth0"};

static struct addr address(unsigned last)
{
	return (struct addr){FAMILY_IPV4, {10, 0, 0, (uint8_t)last}};
}

/* 10.0.0.0 to 10.0.0.63 are divided among routes that lie within each other; there is a default route or none. */
static void make_host(struct host *host, struct arena *arena, bool with_loopback)
{
	host_init(host, arena);
	host->has_addresses = host->has_routes = host->rules_read = true;
	if (with_loopback)
		vec_push(arena, &host->addresses,
			 (struct host_address){.interface = "lo", .addr = {FAMILY_IPV4, {127, 0, 0, 1}}, .length = 8});
	for (unsigned count = 1 + random_below(3); count; count--)
		vec_push(arena, &host->addresses,
			 (struct host_address){.interface = interfaces[random_below(3)], .addr = address(random_below(64)),
					       .length = (uint8_t)(26 + random_below(7))});
	for (unsigned count = 1 + random_below(6); count; count--) {
		struct prefix to = {address(random_below(64)), (uint8_t)(24 + random_below(9))};

		vec_push(arena, &host->routes,
			 (struct host_route){.kind = random_below(6) ? ROUTE_UNICAST : ROUTE_REFUSING,
					     .to = prefix_masked(&to), .interface = interfaces[random_below(3)],
					     .metric = count * 7 % 5 * 16 + count});
	}
	if (random_below(2))
		vec_push(arena, &host->routes,
			 (struct host_route){.kind = ROUTE_UNICAST, .to = {{.family = FAMILY_IPV4}, 0}, .interface = "eth0"});
}

static void space_open(struct packet_space *space, struct places *places, const struct host *host, struct arena *arena)
{
	packet_space_init(space, FAMILY_IPV4, arena);
	for (unsigned i = 0; i < 64; i++) {
		struct addr addr = address(i);

		packet_space_mention(space, FIELD_DST, addr_to_number(&addr), addr_to_number(&addr));
	}
	for (size_t i = 0; i < 3; i++)
		packet_space_mention_interface(space, interfaces[i]);
	places_mention(space, host);
	packet_space_close(space);
	places_make(places, space, host);
}

static bool is_empty(struct packet_space *space, uint32_t a, uint32_t b)
{
	return packets_and(space, a, b) == DIAGRAM_NONE;
}

static bool has_main_route(const struct host *host)
{
	vec_each(route, &host->routes)
		if (route->kind == ROUTE_UNICAST)
			return true;
	return false;
}

/* Of that destination, as if it were not the host's: the one interface it leaves by, or none. */
static void check_way(struct packet_space *space, uint32_t sets, const struct host *host, const struct addr *addr)
{
	const struct host_route *route = host_route(host, addr);
	bool refused = route ? route->kind == ROUTE_REFUSING : has_main_route(host);

	for (size_t i = 0; i < 3; i++) {
		bool expected = !refused && (!route || strcmp(route->interface, interfaces[i]) == 0);

		ck_assert_int_eq(!is_empty(space, sets, packets_out(space, interfaces[i])), expected);
	}
}

static bool is_first_of_network(const struct host *host, const struct addr *addr)
{
	vec_each(own, &host->addresses) {
		struct prefix network = prefix_masked(&(struct prefix){own->addr, own->length});

		if (own->length < 32 && addr_equal(&network.addr, addr))
			return true;
	}
	return false;
}

static void check_address(struct packet_space *space, const struct places *places, unsigned last)
{
	const struct host *host = places->host;
	struct addr addr = address(last);
	addr_number number = addr_to_number(&addr);
	uint32_t sent = packets_and(space, places_as_sent(space, places), packets_range(space, FIELD_DST, number, number));
	uint32_t made = packets_and(space, places_as_made(space, places), packets_range(space, FIELD_NEW_DST, number, number));
	bool own = host_owns(host, &addr), known = places->addresses_known, broadcast = host_broadcasts(host, &addr);
	bool elsewhere = !own && !broadcast;

	if (is_first_of_network(host, &addr) && elsewhere)
		return;
	ck_assert_int_eq(!is_empty(space, sent, packets_of_type(space, TYPE_LOCAL)), own || (!known && elsewhere));
	if (!own)
		ck_assert_int_eq(!is_empty(space, sent, packets_of_type(space, TYPE_BROADCAST)),
				 broadcast || (!known && elsewhere));
	ck_assert(is_empty(space, packets_and(space, sent, packets_of_type(space, TYPE_LOCAL)),
			   packets_minus(space, DIAGRAM_ALL, packets_to_host(space))));
	if (elsewhere) {
		check_way(space, packets_and(space, sent, packets_of_type(space, TYPE_UNICAST)), host, &addr);
		check_way(space, packets_minus(space, made, packets_to_host(space)), host, &addr);
	}
	ck_assert_int_eq(!is_empty(space, made, packets_to_host(space)), !elsewhere || !known);
}

START_TEST(each_address_has_the_types_and_ways_that_the_host_gives_it)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		struct arena arena = ARENA_EMPTY;
		struct packet_space space;
		struct places places;
		struct host host;

		make_host(&host, &arena, i % 2);
		space_open(&space, &places, &host, &arena);
		ck_assert_int_eq(places.addresses_known, i % 2);
		for (unsigned last = 0; last < 64; last++)
			check_address(&space, &places, last);
		packet_space_free(&space);
		arena_free(&arena);
	}
}
END_TEST

START_TEST(rules_of_policy_routing_leave_every_way_open)
{
	struct arena arena = ARENA_EMPTY;
	struct packet_space space;
	struct places places;
	struct host host;
	uint32_t sent;

	make_host(&host, &arena, true);
	host.has_rules = true;
	space_open(&space, &places, &host, &arena);
	sent = packets_and(&space, places_as_sent(&space, &places), packets_of_type(&space, TYPE_UNICAST));
	for (size_t i = 0; i < 3; i++)
		ck_assert(!is_empty(&space, sent, packets_out(&space, interfaces[i])));
	packet_space_free(&space);
	arena_free(&arena);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("places");
	TCase *tests = tcase_create("places");

	tcase_add_test(tests, each_address_has_the_types_and_ways_that_the_host_gives_it);
	tcase_add_test(tests, rules_of_policy_routing_leave_every_way_open);
	suite_add_tcase(suite, tests);
	return suite;
}
