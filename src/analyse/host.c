#include <peerwall/host.h>

#include <peerwall/policy.h>

#include <string.h>

void host_init(struct host *host, struct arena *arena)
{
	*host = (struct host){.arena = arena};
}

static bool is_loopback(const struct addr *addr)
{
	static const struct addr loopback6 = {FAMILY_IPV6, {[15] = 1}};

	return addr->family == FAMILY_IPV4 ? addr->bytes[0] == 127 : addr_equal(addr, &loopback6);
}

const struct host_address *host_find_address(const struct host *host, const struct addr *addr)
{
	vec_each(address, &host->addresses)
		if (addr_equal(&address->addr, addr))
			return address;
	return NULL;
}

bool host_owns(const struct host *host, const struct addr *addr)
{
	const struct host_route *route = host_route(host, addr);

	return is_loopback(addr) || host_find_address(host, addr) || (route && route->kind == ROUTE_LOCAL);
}

static struct addr last_of(const struct prefix *prefix)
{
	struct addr addr = prefix->addr;

	for (unsigned bit = prefix->length; bit < family_bits(addr.family); bit++)
		addr.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return addr;
}

/* fib_add_ifaddr() of the kernel's net/ipv4/fib_frontend.c. */
bool host_broadcasts(const struct host *host, const struct addr *addr)
{
	if (addr->family != FAMILY_IPV4)
		return false;
	vec_each(address, &host->addresses) {
		struct prefix net = {address->addr, address->length};
		struct addr last;

		if (address->addr.family != FAMILY_IPV4)
			continue;
		if (address->has_broadcast && addr_equal(&address->broadcast, addr))
			return true;
		net = prefix_masked(&net);
		last = last_of(&net);
		if (address->length < 31 && !address->secondary && addr_equal(&last, addr))
			return true;
	}
	return false;
}

const struct host_address *host_first_address(const struct host *host, const char *interface, enum family family)
{
	vec_each(address, &host->addresses)
		if (address->addr.family == family && !address->secondary && strcmp(address->interface, interface) == 0)
			return address;
	return NULL;
}

const struct host_route *host_route(const struct host *host, const struct addr *addr)
{
	const struct host_route *best = NULL;

	vec_each(route, &host->routes) {
		if (route->to.addr.family != addr->family || !prefix_contains_addr(&route->to, addr))
			continue;
		if (!best || route->to.length > best->to.length ||
		    (route->to.length == best->to.length && route->metric < best->metric))
			best = route;
	}
	return best;
}

/* ---- rules of routing ---- */

static bool is_usual_table(const char *name)
{
	return strcmp(name, "main") == 0 || strcmp(name, "local") == 0 || strcmp(name, "default") == 0;
}

static bool may_deliver(const struct host *host, const char *name)
{
	vec_each(table, &host->tables)
		if (strcmp(table->name, name) == 0)
			return table->delivers;
	return true;
}

bool host_rules_may_deliver(const struct host *host)
{
	vec_each(name, &host->asked_tables)
		if (!is_usual_table(*name) && may_deliver(host, *name))
			return true;
	return false;
}

/* ---- from rules ---- */

/* "-s NETWORK ! -o BRIDGE -j MASQUERADE": what comes from behind the bridge. */
static bool tells_of_bridge(const struct rule *rule)
{
	return !rule->opaque && rule->source.present && !rule->source.negated && rule->out.name && rule->out.negated &&
	       !interface_name_is_pattern(rule->out.name) && !rule->in.name && !rule->destination.present &&
	       !rule->protocol.present && rule->target.kind == TARGET_EXTENSION &&
	       rule->target.extension.module == MODULE_T_MASQUERADE;
}

void host_infer(struct host *host, const struct ruleset *rules)
{
	if (host->has_routes)
		return;
	vec_each(chain, &rules->tables[TABLE_NAT].chains)
		vec_each(rule, &chain->rules) {
			int length = addr_netmask_length(&rule->source.mask);

			if (tells_of_bridge(rule) && length > 0)
				vec_push(host->arena, &host->routes,
					 (struct host_route){.kind = ROUTE_UNICAST,
							     .to = {rule->source.addr, (uint8_t)length},
							     .interface = rule->out.name, .rule = rule});
		}
}
