#include <peerwall/declared.h>

#include <string.h>

#define NUMBER_ICMP 1
#define NUMBER_ICMPV6 58
#define TYPE_ECHO_REQUEST 8
#define TYPE_ECHO_REQUEST_V6 128

/* RFC 4861 with its hop limit, and the listener queries of RFC 2710 and 3810: on every interface, by docs/lowering.md. */
#define NEIGHBOUR_FIRST 133
#define NEIGHBOUR_LAST 136
#define LISTENER_QUERY 130
#define HOPS_MAX 255

static const struct prefix link_local = {{FAMILY_IPV6, {0xfe, 0x80}}, 10};

/* ---- mentioning ---- */

static void mention_addresses(struct packet_space *space, enum field field, const struct peer_set *peers)
{
	vec_each(range, &peers->sets[space->family].ranges)
		packet_space_mention(space, field, range->lo, range->hi);
}

static void mention_services(struct packet_space *space, const struct service_set *services)
{
	for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
		vec_each(range, &services->ports[protocol].ranges)
			packet_space_mention(space, FIELD_DPORT, range->lo, range->hi);
}

static void mention_icmp(struct packet_space *space, unsigned type, int code)
{
	packet_space_mention(space, FIELD_ICMP, type << 8 | (unsigned)(code < 0 ? 0 : code),
			     type << 8 | (unsigned)(code < 0 ? 0xff : code));
}

static void mention_permission(struct packet_space *space, const struct permission *permission)
{
	mention_addresses(space, FIELD_SRC, &permission->from);
	mention_addresses(space, FIELD_DST, &permission->to);
	mention_addresses(space, FIELD_DST, &permission->at);
	mention_services(space, &permission->services);
	vec_each(type, &permission->icmp)
		if (type->family == space->family)
			mention_icmp(space, type->type, type->code);
	if (permission->from_via)
		packet_space_mention_interface(space, permission->from_via);
	if (permission->to_via)
		packet_space_mention_interface(space, permission->to_via);
}

void declared_mention(struct packet_space *space, const struct policy *policy)
{
	static const uint8_t protocols[] = {NUMBER_ICMP, NUMBER_ICMPV6};
	struct addr_range range = prefix_to_range(&link_local);

	for (size_t i = 0; i < sizeof protocols; i++)
		packet_space_mention(space, FIELD_PROTOCOL, protocols[i], protocols[i]);
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		packet_space_mention(space, FIELD_PROTOCOL, protocol_numbers[i], protocol_numbers[i]);
	if (space->family == FAMILY_IPV6) {
		packet_space_mention(space, FIELD_SRC, range.lo, range.hi);
		packet_space_mention(space, FIELD_HOPS, HOPS_MAX, HOPS_MAX);
		mention_icmp(space, LISTENER_QUERY, -1);
		for (unsigned type = NEIGHBOUR_FIRST; type <= NEIGHBOUR_LAST; type++)
			mention_icmp(space, type, -1);
	}
	mention_icmp(space, space->family == FAMILY_IPV4 ? TYPE_ECHO_REQUEST : TYPE_ECHO_REQUEST_V6, -1);
	vec_each(block, &policy->interfaces) {
		vec_each(name, &block->names)
			packet_space_mention_interface(space, name->text);
		vec_each(permission, &block->permissions)
			mention_permission(space, permission);
	}
	vec_each(assertion, &policy->assertions) {
		mention_addresses(space, FIELD_SRC, &assertion->from);
		mention_addresses(space, FIELD_DST, &assertion->at);
		mention_services(space, &assertion->services);
	}
}

/* ---- sets ---- */

static uint32_t of_protocol(struct packet_space *space, uint8_t number)
{
	return packets_range(space, FIELD_PROTOCOL, number, number);
}

static uint32_t from_peers(struct packet_space *space, const struct peer_set *peers)
{
	return packets_addresses(space, FIELD_SRC, &peers->sets[space->family]);
}

static uint32_t of_services(struct packet_space *space, const struct service_set *services, enum field field)
{
	uint32_t packets = DIAGRAM_NONE;

	if (services->any)
		return DIAGRAM_ALL;
	for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
		packets = packets_or(space, packets,
				     packets_and(space, of_protocol(space, protocol_numbers[protocol]),
						 packets_ports(space, field, &services->ports[protocol])));
	return packets;
}

static uint8_t icmp_number(const struct packet_space *space)
{
	return space->family == FAMILY_IPV4 ? NUMBER_ICMP : NUMBER_ICMPV6;
}

static uint32_t of_icmp(struct packet_space *space, unsigned type, int code)
{
	uint32_t packets = packets_range(space, FIELD_ICMP, type << 8 | (unsigned)(code < 0 ? 0 : code),
					 type << 8 | (unsigned)(code < 0 ? 0xff : code));

	return packets_and(space, packets, of_protocol(space, icmp_number(space)));
}

/* What a statement lets the host itself be sent, whatever the type of its destination. */
static uint32_t for_host(struct packet_space *space, const struct permission *permission)
{
	uint32_t packets = DIAGRAM_NONE;

	if (permission->kind == PERMISSION_EXPOSE)
		packets = of_services(space, &permission->services, FIELD_DPORT);
	else if (permission->kind == PERMISSION_ICMP)
		vec_each(type, &permission->icmp)
			if (type->family == space->family)
				packets = packets_or(space, packets, of_icmp(space, type->type, type->code));
	packets = packets_and(space, packets, from_peers(space, &permission->from));
	if (permission->has_at)
		packets = packets_and(space, packets,
				      packets_addresses(space, FIELD_DST, &permission->at.sets[space->family]));
	return packets;
}

uint32_t declared_neighbour_discovery(struct packet_space *space)
{
	struct addr_range range = prefix_to_range(&link_local);
	uint32_t packets;

	if (space->family == FAMILY_IPV4)
		return DIAGRAM_NONE;
	packets = packets_range(space, FIELD_ICMP, NEIGHBOUR_FIRST << 8, NEIGHBOUR_LAST << 8 | 0xff);
	packets = packets_and(space, packets, packets_range(space, FIELD_HOPS, HOPS_MAX, HOPS_MAX));
	packets = packets_and(space, packets, of_protocol(space, NUMBER_ICMPV6));
	return packets_or(space, packets,
			  packets_and(space, of_icmp(space, LISTENER_QUERY, -1),
				      packets_range(space, FIELD_SRC, range.lo, range.hi)));
}

/* One `forward`, between the interfaces that its block and its `via` name; the destination as it is now. */
static uint32_t forwarded_by(struct packet_space *space, const struct interface_policy *block,
			     const struct permission *permission, const char *in, enum passage passage)
{
	bool translated = passage == PASSAGE_TRANSLATED;
	uint32_t outs = DIAGRAM_NONE, packets;

	if (permission->kind != PERMISSION_FORWARD)
		return DIAGRAM_NONE;
	vec_each(name, &block->names) {
		const char *from = permission->from_via ? permission->from_via : name->text;
		const char *to = permission->from_via || !permission->to_via ? name->text : permission->to_via;

		if (interface_name_covers(from, in))
			outs = packets_or(space, outs, packets_out(space, to));
	}
	packets = of_services(space, &permission->services, translated ? FIELD_NEW_DPORT : FIELD_DPORT);
	packets = packets_and(space, packets,
			      packets_addresses(space, translated ? FIELD_NEW_DST : FIELD_DST,
						&permission->to.sets[space->family]));
	packets = packets_and(space, packets, from_peers(space, &permission->from));
	return packets_and(space, packets, outs);
}

static uint32_t forwarded(struct packet_space *space, const struct policy *policy, const char *in, enum passage passage)
{
	uint32_t packets = DIAGRAM_NONE;

	vec_each(block, &policy->interfaces)
		vec_each(permission, &block->permissions)
			packets = packets_or(space, packets, forwarded_by(space, block, permission, in, passage));
	return packets;
}

static bool block_covers(const struct interface_policy *block, const char *interface)
{
	vec_each(name, &block->names)
		if (interface_name_covers(name->text, interface))
			return true;
	return false;
}

bool declared_covers(const struct policy *policy, const char *interface)
{
	vec_each(block, &policy->interfaces)
		if (block_covers(block, interface))
			return true;
	return false;
}

/* What would leave by an interface of the policy and has not come in by the same. */
static uint32_t leaving(struct packet_space *space, const struct policy *policy, const char *in)
{
	uint32_t outs = DIAGRAM_NONE;

	vec_each(block, &policy->interfaces)
		vec_each(name, &block->names)
			if (!interface_name_covers(name->text, in))
				outs = packets_or(space, outs, packets_out(space, name->text));
	return outs;
}

/* Takes away what would leave by an interface of the policy that no `forward` lets it leave by. */
static uint32_t without_undeclared_leaving(struct packet_space *space, const struct policy *policy, uint32_t packets,
					   const char *in, enum passage passage)
{
	uint32_t undeclared = packets_minus(space, leaving(space, policy, in), forwarded(space, policy, in, passage));

	return packets_minus(space, packets, undeclared);
}

uint32_t declared_allowed(struct packet_space *space, const struct policy *policy, const char *in, enum passage passage)
{
	uint32_t allowed = DIAGRAM_NONE;

	if (!declared_covers(policy, in))
		return without_undeclared_leaving(space, policy, space->all, in, passage);
	vec_each(block, &policy->interfaces)
		if (block_covers(block, in))
			vec_each(permission, &block->permissions)
				allowed = packets_or(space, allowed, for_host(space, permission));
	allowed = packets_and(space, allowed, packets_of_type(space, TYPE_LOCAL));
	if (passage == PASSAGE_AS_SENT) {
		uint32_t transit = packets_and(space, forwarded(space, policy, in, passage), packets_of_type(space, TYPE_UNICAST));

		allowed = packets_or(space, allowed, packets_or(space, transit, declared_neighbour_discovery(space)));
	}
	return without_undeclared_leaving(space, policy, allowed, in, passage);
}

uint32_t declared_by(struct packet_space *space, const struct policy *policy, const struct interface_policy *block,
		     const struct permission *permission, const char *in, enum passage passage)
{
	uint32_t packets = DIAGRAM_NONE;

	if (permission->kind == PERMISSION_FORWARD) {
		if (passage == PASSAGE_AS_SENT)
			packets = packets_and(space, forwarded_by(space, block, permission, in, passage),
					      packets_of_type(space, TYPE_UNICAST));
	} else if (block_covers(block, in) && (permission->kind == PERMISSION_EXPOSE || passage == PASSAGE_AS_SENT)) {
		packets = packets_and(space, for_host(space, permission), packets_of_type(space, TYPE_LOCAL));
	}
	return without_undeclared_leaving(space, policy, packets, in, passage);
}

uint32_t declared_indistinct(struct packet_space *space, const struct policy *policy, const char *in)
{
	uint32_t exposed = DIAGRAM_NONE, transit = forwarded(space, policy, in, PASSAGE_AS_SENT);

	vec_each(block, &policy->interfaces)
		if (block_covers(block, in))
			vec_each(permission, &block->permissions)
				exposed = packets_or(space, exposed, for_host(space, permission));
	transit = packets_forget(space, packets_and(space, transit, packets_of_type(space, TYPE_UNICAST)), FIELD_BIT(FIELD_OUT));
	return without_undeclared_leaving(space, policy, packets_and(space, transit, exposed), in, PASSAGE_TRANSLATED);
}

uint32_t declared_tested(struct packet_space *space, const struct assertion *assertion)
{
	uint32_t packets = of_services(space, &assertion->services, FIELD_DPORT);

	if (assertion->ping)
		packets = packets_or(space, packets,
				     of_icmp(space,
					     space->family == FAMILY_IPV4 ? TYPE_ECHO_REQUEST : TYPE_ECHO_REQUEST_V6, -1));
	packets = packets_and(space, packets, from_peers(space, &assertion->from));
	return packets_and(space, packets,
			   assertion->has_at ?
				   packets_addresses(space, FIELD_DST, &assertion->at.sets[space->family]) :
				   packets_of_type(space, TYPE_LOCAL));
}
