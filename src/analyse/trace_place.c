/* Whose an address is, and by which way a packet goes on. */
#include "trace_walk.h"

#include <string.h>

/* The bits of modules.def's list of types: enum in linux/netfilter/xt_addrtype.h. */
enum {
	TYPE_UNSPEC = 1u << 0, TYPE_UNICAST = 1u << 1, TYPE_LOCAL = 1u << 2, TYPE_BROADCAST = 1u << 3,
	TYPE_ANYCAST = 1u << 4, TYPE_MULTICAST = 1u << 5, TYPE_UNREACHABLE = 1u << 7,
	TYPES_REFUSING = 0xf << 6, /* BLACKHOLE, UNREACHABLE, PROHIBIT, THROW */
};

static const char *spell(struct walk *walk, const struct addr *addr)
{
	char *text = arena_alloc(walk->arena, ADDR_TEXT_MAX);

	addr_format(addr, text);
	return text;
}

static bool is_multicast(const struct addr *addr)
{
	return addr->family == FAMILY_IPV4 ? (addr->bytes[0] & 0xf0) == 0xe0 : addr->bytes[0] == 0xff;
}

static bool is_any(const struct addr *addr)
{
	return addr_equal(addr, &(struct addr){.family = addr->family});
}

static bool is_limited_broadcast(const struct addr *addr)
{
	static const struct addr all = {FAMILY_IPV4, {255, 255, 255, 255}};

	return addr_equal(addr, &all);
}

static bool is_link_local(const struct addr *addr)
{
	return addr->family == FAMILY_IPV6 && addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

static bool is_loopback(const struct addr *addr)
{
	return host_owns(&(struct host){0}, addr);
}

/* ---- whose it is ---- */

/* The kernel's own table of what it answers to was read, for IPv6 too: every host has ::1 in it. */
static bool has_local_table(const struct host *host)
{
	vec_each(route, &host->routes)
		if (route->kind == ROUTE_LOCAL && route->to.addr.family == FAMILY_IPV6)
			return true;
	return false;
}

/* The subnet routers' anycast address (RFC 4291, 2.6.1): a host that forwards answers it. RFC 6164 leaves /127 out. */
static bool is_subnet_anycast(const struct host *host, const struct addr *addr)
{
	const struct host_route *route = host_route(host, addr);

	if (has_local_table(host))
		return route && route->kind == ROUTE_ANYCAST;
	if (route && route->kind == ROUTE_UNICAST && !route->gateway && route->to.length < 127 &&
	    addr_equal(&route->to.addr, addr))
		return true;
	vec_each(address, &host->addresses) {
		struct prefix net = {address->addr, address->length};

		net = prefix_masked(&net);
		if (address->addr.family == FAMILY_IPV6 && address->length < 127 && addr_equal(&net.addr, addr))
			return true;
	}
	return false;
}

/* What can be said of any address without knowing the host; AT_UNKNOWN if nothing. */
static enum place place_by_form(const struct addr *addr)
{
	if (is_multicast(addr))
		return AT_MULTICAST;
	if (addr->family == FAMILY_IPV4 && (is_limited_broadcast(addr) || is_any(addr)))
		return AT_BROADCAST;
	return is_loopback(addr) ? AT_LOCAL : AT_UNKNOWN;
}

static enum place place_by_addresses(const struct host *host, const struct addr *addr)
{
	const struct host_route *route = host_route(host, addr);

	if (host_owns(host, addr))
		return AT_LOCAL;
	if (host_broadcasts(host, addr) || (route && route->kind == ROUTE_BROADCAST))
		return AT_BROADCAST;
	if (addr->family == FAMILY_IPV6 && is_subnet_anycast(host, addr))
		return AT_ANYCAST;
	return AT_ELSEWHERE;
}

static bool is_as_sent(const struct walk *walk)
{
	return addr_equal(&walk->packet.destination.lo, &walk->original.destination.lo) &&
	       bounds_are_single(&walk->packet.destination);
}

static enum place assume_destination(struct walk *walk)
{
	const struct addr *addr = &walk->packet.destination.lo;
	const struct host_route *route = host_route(walk->input->host, addr);

	if (route) {
		walk_assume(walk, "%s is an address behind %s, not one of this host", spell(walk, addr), route->interface);
		return AT_ELSEWHERE;
	}
	if (is_as_sent(walk)) {
		walk_assume(walk, "%s is an address of this host", spell(walk, addr));
		return AT_LOCAL;
	}
	walk_assume(walk, "%s is not an address of this host", spell(walk, addr));
	return AT_ELSEWHERE;
}

static bool is_within(const struct addr_bounds *bounds, const struct addr *addr)
{
	return addr->family == bounds->lo.family && addr_compare(&bounds->lo, addr) <= 0 && addr_compare(addr, &bounds->hi) <= 0;
}

/* Only REDIRECT leaves the address open, which makes it the host's, and only DNAT to a range, which may hold some of the host's. */
static enum place place_of_range(struct walk *walk, const struct addr_bounds *bounds)
{
	if (is_any(&bounds->lo))
		return AT_LOCAL;
	if (walk->hook != HOOK_PREROUTING)
		return walk->local ? AT_LOCAL : AT_ELSEWHERE;
	vec_each(address, &walk->input->host->addresses)
		if (is_within(bounds, &address->addr))
			return AT_UNKNOWN;
	if (!walk->input->host->has_addresses)
		walk_assume(walk, "none of %s to %s is an address of this host", spell(walk, &bounds->lo),
			    spell(walk, &bounds->hi));
	return AT_ELSEWHERE;
}

enum place place_of_destination(struct walk *walk)
{
	const struct addr_bounds *destination = &walk->packet.destination;
	enum place place;

	if (!bounds_are_single(destination))
		return place_of_range(walk, destination);
	place = place_by_form(&destination->lo);
	if (place != AT_UNKNOWN)
		return place;
	if (is_as_sent(walk) && walk->original.place != PLACE_UNSAID)
		return walk->original.place == PLACE_LOCAL ? AT_LOCAL : AT_ELSEWHERE;
	if (walk->input->host->has_addresses)
		return place_by_addresses(walk->input->host, &destination->lo);
	return assume_destination(walk);
}

enum place place_of_source(struct walk *walk)
{
	const struct addr *addr = &walk->packet.source.lo;
	enum place place = place_by_form(addr);

	if (place != AT_UNKNOWN)
		return place;
	if (walk->input->host->has_addresses)
		return place_by_addresses(walk->input->host, addr);
	walk_assume(walk, "%s is not an address of this host", spell(walk, addr));
	return AT_ELSEWHERE;
}

/* ---- addrtype ---- */

/* Asked for one interface, only its own addresses are local: the kernel's __inet_dev_addr_type(), nf_ipv6_chk_addr(). */
static enum truth is_on(const struct walk *walk, const struct addr_bounds *bounds, const char *interface, bool unknown)
{
	const struct host_address *address = host_find_address(walk->input->host, &bounds->lo);

	if (unknown || !walk->input->host->has_addresses || !bounds_are_single(bounds))
		return TRUTH_MAYBE;
	return address && interface && strcmp(address->interface, interface) == 0 ? TRUTH_YES : TRUTH_NO;
}

/* Where there are no rules of policy routing, the kernel's look-up in the local table also meets routes that refuse. */
static bool may_be_refused(const struct walk *walk, const struct addr *addr)
{
	const struct host_route *route = host_route(walk->input->host, addr);

	return route && route->kind == ROUTE_REFUSING;
}

static enum truth match_type4(const struct walk *walk, enum place place, const struct addr *addr, uint64_t types)
{
	static const unsigned bits[] = {
		[AT_LOCAL] = TYPE_LOCAL, [AT_BROADCAST] = TYPE_BROADCAST, [AT_ANYCAST] = TYPE_ANYCAST,
		[AT_MULTICAST] = TYPE_MULTICAST, [AT_ELSEWHERE] = TYPE_UNICAST,
	};

	if (place == AT_ELSEWHERE && types & (TYPE_UNICAST | TYPES_REFUSING) && may_be_refused(walk, addr))
		return TRUTH_MAYBE;
	return types & bits[place] ? TRUTH_YES : TRUTH_NO;
}

static enum truth is_unreachable(const struct host *host, const struct addr *addr)
{
	const struct host_route *route = host_route(host, addr);

	if (!host->has_routes)
		return TRUTH_MAYBE;
	return !route || route->kind == ROUTE_REFUSING ? TRUTH_YES : TRUTH_NO;
}

static enum truth match_lookup6(const struct walk *walk, enum place place, const struct addr *addr, uint64_t types)
{
	if (place == AT_LOCAL)
		return types & TYPE_LOCAL ? TRUTH_YES : TRUTH_NO;
	if (types & TYPE_ANYCAST && place == AT_ANYCAST)
		return TRUTH_YES;
	if (place == AT_MULTICAST || place == AT_ANYCAST)
		return TRUTH_NO;
	return types & TYPE_UNREACHABLE ? is_unreachable(walk->input->host, addr) : TRUTH_NO;
}

/* match_type6(): MULTICAST, UNICAST and UNSPEC are conditions of their own, the others are looked up together. */
static enum truth match_type6(const struct walk *walk, enum place place, const struct addr_bounds *bounds, uint64_t types)
{
	const struct addr *addr = &bounds->lo;
	/* An address that translation left open is somebody's. */
	bool single = bounds_are_single(bounds), multicast = single && is_multicast(addr), any = single && is_any(addr);

	if ((types & TYPE_MULTICAST && !multicast) || (types & TYPE_UNICAST && (multicast || any)) ||
	    (types & TYPE_UNSPEC && !any))
		return TRUTH_NO;
	if (types & (TYPE_ANYCAST | TYPE_LOCAL | TYPE_UNREACHABLE))
		return match_lookup6(walk, place, addr, types);
	return TRUTH_YES;
}

static bool has_option(const struct match *match, enum option_id id)
{
	vec_each(option, &match->options)
		if (option->id == id)
			return true;
	return false;
}

static enum truth match_type(struct walk *walk, const struct match *match, const struct option *option)
{
	bool source = option->id == OPTION_ADDRTYPE_SRC_TYPE;
	bool in = has_option(match, OPTION_ADDRTYPE_LIMIT_IN), out = has_option(match, OPTION_ADDRTYPE_LIMIT_OUT);
	const struct addr_bounds *bounds = source ? &walk->packet.source : &walk->packet.destination;
	enum place place = source ? place_of_source(walk) : place_of_destination(walk);
	enum truth truth;

	/* There, IPv6 asks for a route by that interface. */
	if ((in || out) && walk->packet.family == FAMILY_IPV6 && option->value.bits & (TYPE_ANYCAST | TYPE_UNREACHABLE))
		return TRUTH_MAYBE;
	if ((in || out) && (place == AT_LOCAL || place == AT_BROADCAST)) {
		truth = is_on(walk, bounds, in ? walk->packet.in : walk->out, out && walk->out_unknown);
		if (truth == TRUTH_MAYBE || place == AT_BROADCAST)
			return TRUTH_MAYBE;
		if (truth == TRUTH_NO)
			place = AT_ELSEWHERE;
	}
	truth = walk->packet.family == FAMILY_IPV4 ? match_type4(walk, place, &bounds->lo, option->value.bits)
						   : match_type6(walk, place, bounds, option->value.bits);
	return truth_not(truth, option->negated);
}

enum truth match_addrtype(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	vec_each(option, &match->options)
		if (option->id == OPTION_ADDRTYPE_SRC_TYPE || option->id == OPTION_ADDRTYPE_DST_TYPE)
			truth = truth_and(truth, match_type(walk, match, option));
	return truth;
}

/* ---- the routing decision ---- */

static bool refuse(struct walk *walk, const char *why)
{
	walk_step(walk, STEP_ROUTE)->text = why;
	return walk_end(walk, FATE_DROPPED);
}

static void route_local(struct walk *walk, const char *text)
{
	walk->local = true;
	walk_step(walk, STEP_ROUTE)->text = text;
}

/* What nobody can know here is answered both ways, each on a path of its own. */
static bool suppose(struct walk *walk, const char *why)
{
	bool answer = walk_decide(walk);
	struct trace_step *step = walk_step(walk, STEP_SUPPOSED);

	step->supposed = true;
	step->matched = answer;
	step->why = why;
	return answer;
}

/* A destination of 127.0.0.0/8 from outside is refused, unless route_localnet is set. */
static bool route_loopback(struct walk *walk)
{
	if (!suppose(walk, "whether net.ipv4.conf's route_localnet is set: without it, the kernel refuses 127.0.0.0/8 from "
			   "outside"))
		return refuse(walk, "refused: a loopback address from outside");
	route_local(walk, "for this host");
	return true;
}

static const char *find_way(struct walk *walk)
{
	const struct addr_bounds *destination = &walk->packet.destination;
	const struct host_route *route;

	if (is_as_sent(walk) && walk->original.place == PLACE_FORWARDED)
		return walk->original.via;
	if (walk->input->host->has_rules)
		return NULL;
	route = bounds_are_single(destination) ? host_route(walk->input->host, &destination->lo) : NULL;
	return route ? route->interface : NULL;
}

static bool has_no_route(const struct walk *walk)
{
	const struct addr_bounds *destination = &walk->packet.destination;
	const struct host_route *route;

	if (!walk->input->host->has_routes || walk->input->host->has_rules || !bounds_are_single(destination) ||
	    (is_as_sent(walk) && walk->original.place == PLACE_FORWARDED))
		return false;
	route = host_route(walk->input->host, &destination->lo);
	return !route || route->kind == ROUTE_REFUSING;
}

/* ip6_forward() looks at sources only of what leaves by another interface than it came by. */
static bool is_of_this_link(const struct addr *source)
{
	return is_link_local(source) || (source->family == FAMILY_IPV6 && is_any(source));
}

static bool goes_back(struct walk *walk)
{
	const char *way = find_way(walk);

	if (way)
		return strcmp(way, walk->packet.in) == 0;
	return suppose(walk, "whether it leaves by the interface by which it came: to other links such a source is not forwarded");
}

/* ip_forward() and ip6_forward() come before FORWARD: the hop limit is counted down there. */
static bool route_forward(struct walk *walk)
{
	struct trace_step *step;

	if (has_no_route(walk))
		return refuse(walk, "refused: there is no route to the destination");
	if (is_of_this_link(&walk->packet.source.lo) && !goes_back(walk))
		return refuse(walk, "refused: such a source is not forwarded to other links");
	if (is_link_local(&walk->packet.destination.lo))
		return refuse(walk, "refused: link-local addresses are not forwarded");
	if (walk->packet.has_ttl && walk->packet.ttl <= 1)
		return refuse(walk, "refused: the hop limit is used up");
	walk->local = false;
	walk->out = find_way(walk);
	walk->out_unknown = !walk->out;
	step = walk_step(walk, STEP_ROUTE);
	step->text = walk->out ? arena_printf(walk->arena, "forwarded, out by %s", walk->out)
			       : "forwarded; by which interface is not known";
	walk_assume(walk, "this host forwards %s", family_name(walk->packet.family));
	if (walk->packet.has_ttl)
		walk->packet.ttl--;
	return true;
}

static bool route_either_way(struct walk *walk)
{
	if (!suppose(walk, "whether the address that DNAT chooses is one of this host"))
		return route_forward(walk);
	route_local(walk, "for this host");
	return true;
}

/* More rules of routing than the usual ones may find it in any table, also in one where it is for this host. */
static bool route_by_rules(struct walk *walk)
{
	bool is_said = is_as_sent(walk) && walk->original.place == PLACE_FORWARDED;

	if (is_said || !suppose(walk, "whether the host's rules of routing (ip-rule) deliver it here"))
		return route_forward(walk);
	route_local(walk, "for this host, as its rules of routing say");
	return true;
}

bool walk_route(struct walk *walk)
{
	const struct addr *addr = &walk->packet.destination.lo;

	switch (place_of_destination(walk)) {
	case AT_LOCAL:
		if (bounds_are_single(&walk->packet.destination) && is_loopback(addr))
			return addr->family == FAMILY_IPV4 ? route_loopback(walk)
							   : refuse(walk, "refused: a loopback address from outside");
		route_local(walk, "for this host");
		return true;
	case AT_BROADCAST:
		if (is_any(addr) && !is_any(&walk->packet.source.lo))
			return refuse(walk, "refused: 0.0.0.0 is no destination");
		route_local(walk, "for this host: a broadcast");
		return true;
	case AT_ANYCAST:
		route_local(walk, "for this host: its network's anycast address");
		return true;
	case AT_MULTICAST:
		if (is_as_sent(walk) && walk->original.place == PLACE_FORWARDED) {
			walk_assume(walk, "this host routes multicasts to %s", spell(walk, addr));
			break;
		}
		walk_assume(walk, "this host listens to %s", spell(walk, addr));
		route_local(walk, "for this host: a multicast");
		return true;
	case AT_UNKNOWN:
		return route_either_way(walk);
	case AT_ELSEWHERE:
		break;
	}
	return host_rules_may_deliver(walk->input->host) ? route_by_rules(walk) : route_forward(walk);
}
