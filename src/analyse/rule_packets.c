#include "rule_reading.h"

/* The order of modules.def. */
enum { ADDRTYPE_UNSPEC, ADDRTYPE_UNICAST, ADDRTYPE_LOCAL, ADDRTYPE_BROADCAST, ADDRTYPE_ANYCAST, ADDRTYPE_MULTICAST };

void demand(struct reading *reading, uint32_t packets, bool negated)
{
	struct packet_space *space = reading->space;

	reading->matched.packets = negated ? packets_minus(space, reading->matched.packets, packets) :
					     packets_and(space, reading->matched.packets, packets);
}

void demand_truth(struct reading *reading, bool truth)
{
	if (!truth)
		reading->matched.packets = DIAGRAM_NONE;
}

void demand_unknown(struct reading *reading)
{
	reading->matched.exact = false;
}

/* ---- addresses and ports ---- */

static enum field destination_of(const struct reading *reading)
{
	return reading->vantage->translated ? FIELD_NEW_DST : FIELD_DST;
}

static enum field port_of(const struct reading *reading)
{
	return reading->vantage->translated ? FIELD_NEW_DPORT : FIELD_DPORT;
}

void demand_network(struct reading *reading, enum field field, const struct addr *addr, const struct addr *mask,
		    bool negated)
{
	int length = addr_netmask_length(mask);
	struct addr_range range;

	if (length < 0) {
		demand_unknown(reading);
		return;
	}
	range = prefix_to_range(&(struct prefix){*addr, (uint8_t)length});
	demand(reading, packets_range(reading->space, field, range.lo, range.hi), negated);
}

static uint32_t port_list_packets(struct reading *reading, enum field field, const struct port_list *ports)
{
	uint32_t packets = DIAGRAM_NONE;

	vec_each(range, &ports->ranges)
		packets = packets_or(reading->space, packets,
				     packets_range(reading->space, field, range->lo, range->hi));
	return packets;
}

static void demand_ports(struct reading *reading, enum field field, const struct option *option)
{
	demand(reading, port_list_packets(reading, field, &option->value.ports), option->negated);
}

/* What SNAT has made of a source is not known. */
static void demand_source(struct reading *reading, uint32_t packets, bool negated)
{
	if (reading->vantage->resourced)
		demand_unknown(reading);
	else
		demand(reading, packets, negated);
}

static void demand_either_port(struct reading *reading, const struct option *option)
{
	uint32_t source = port_list_packets(reading, FIELD_SPORT, &option->value.ports);
	uint32_t destination = port_list_packets(reading, port_of(reading), &option->value.ports);

	demand_source(reading, packets_or(reading->space, source, destination), option->negated);
}

static void demand_interfaces(struct reading *reading, const struct rule *rule)
{
	const struct vantage *vantage = reading->vantage;

	if (rule->in.name) {
		/* Whether the interface of arrival is still known there differs between the backends. */
		if (vantage->hook == HOOK_POSTROUTING)
			demand_unknown(reading);
		else
			demand_truth(reading, interface_name_covers(rule->in.name, vantage->in) != rule->in.negated);
	}
	if (rule->out.name) {
		if (vantage->hook == HOOK_FORWARD || vantage->hook == HOOK_POSTROUTING || vantage->hook == HOOK_OUTPUT)
			demand(reading, packets_out(reading->space, rule->out.name), rule->out.negated);
		else
			demand_truth(reading, rule->out.negated);
	}
}

/* ---- headers ---- */

static void demand_icmp(struct reading *reading, const struct option *option)
{
	int type = option->value.icmp.type, code = option->value.icmp.code;

	if (type < 0) {
		demand_truth(reading, !option->negated);
		return;
	}
	demand(reading,
	       packets_range(reading->space, FIELD_ICMP, (addr_number)(type << 8 | (code < 0 ? 0 : code)),
			     (addr_number)(type << 8 | (code < 0 ? 0xff : option->value.icmp.code_hi))),
	       option->negated);
}

/* ip_forward() and ip6_forward() count down before FORWARD: what was sent had one more. */
static void demand_hops(struct reading *reading, addr_number lo, addr_number hi, bool negated)
{
	enum hook hook = reading->vantage->hook;
	bool by_host = !*reading->vantage->in;

	if (reading->vantage->hops_changed) {
		demand_unknown(reading);
		return;
	}
	if (!by_host && (hook == HOOK_FORWARD || hook == HOOK_POSTROUTING)) {
		lo++;
		hi = hi < UINT8_MAX ? hi + 1 : hi;
	}
	demand(reading, lo > hi ? DIAGRAM_NONE : packets_range(reading->space, FIELD_HOPS, lo, hi), negated);
}

/* ---- types of addresses ---- */

/* Whose type a rule asks for, and which side of what is known of it. */
struct type_view {
	enum field field;
	enum { VIEW_TYPE, VIEW_CERTAIN, VIEW_POSSIBLE } side; /* VIEW_TYPE: that of FIELD_TYPE */
};

static uint32_t type_packets(struct reading *reading, struct type_view view, enum destination_type type)
{
	if (view.side == VIEW_TYPE)
		return packets_of_type(reading->space, type);
	return (view.side == VIEW_CERTAIN ? places_certain : places_possible)(reading->space, reading->vantage->places,
									      view.field, type);
}

/* A set of types, any of them. */
static uint32_t types_ipv4(struct reading *reading, struct type_view view, uint64_t bits)
{
	static const enum destination_type types[] = {
		[ADDRTYPE_UNSPEC] = TYPE_COUNT,	      [ADDRTYPE_UNICAST] = TYPE_UNICAST, [ADDRTYPE_LOCAL] = TYPE_LOCAL,
		[ADDRTYPE_BROADCAST] = TYPE_BROADCAST, [ADDRTYPE_ANYCAST] = TYPE_ANYCAST,
		[ADDRTYPE_MULTICAST] = TYPE_MULTICAST,
	};
	uint32_t packets = DIAGRAM_NONE;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (bits & BIT(i) && types[i] != TYPE_COUNT)
			packets = packets_or(reading->space, packets, type_packets(reading, view, types[i]));
	return packets;
}

/*
 * addrtype_mt6() of the kernel's xt_addrtype.c: MULTICAST, UNICAST and UNSPEC each have to hold, of LOCAL and ANYCAST
 * either; types that IPv6 does not have ask for nothing. UNSPEC is `::` alone, which is no UNICAST: __ipv6_addr_type().
 */
static uint32_t types_ipv6(struct reading *reading, struct type_view view, uint64_t bits)
{
	const uint64_t routed = bits & (BIT(ADDRTYPE_LOCAL) | BIT(ADDRTYPE_ANYCAST));
	struct packet_space *space = reading->space;
	uint32_t packets = DIAGRAM_ALL, multicast = type_packets(reading, view, TYPE_MULTICAST);
	uint32_t nobody = packets_range(space, view.field, 0, 0);

	if (bits & BIT(ADDRTYPE_MULTICAST))
		packets = packets_and(space, packets, multicast);
	if (bits & BIT(ADDRTYPE_UNICAST))
		packets = packets_minus(space, packets, packets_or(space, multicast, nobody));
	if (bits & BIT(ADDRTYPE_UNSPEC))
		packets = packets_and(space, packets, nobody);
	if (routed)
		packets = packets_and(space, packets, types_ipv4(reading, view, routed));
	return packets;
}

static uint32_t types_packets(struct reading *reading, struct type_view view, uint64_t bits)
{
	return (reading->space->family == FAMILY_IPV4 ? types_ipv4 : types_ipv6)(reading, view, bits);
}

#define TYPES_KNOWN                                                                                     \
	(BIT(ADDRTYPE_UNSPEC) | BIT(ADDRTYPE_UNICAST) | BIT(ADDRTYPE_LOCAL) | BIT(ADDRTYPE_BROADCAST) | \
	 BIT(ADDRTYPE_ANYCAST) | BIT(ADDRTYPE_MULTICAST))

static void demand_type(struct reading *reading, const struct option *option)
{
	bool source = option->id == OPTION_ADDRTYPE_SRC_TYPE;
	enum field field = source ? FIELD_SRC : destination_of(reading);
	uint32_t certain, possible;

	if (option->value.bits & ~TYPES_KNOWN || (source && reading->vantage->resourced)) {
		demand_unknown(reading);
		return;
	}
	if (field == FIELD_DST) {
		certain = possible = types_packets(reading, (struct type_view){field, VIEW_TYPE}, option->value.bits);
	} else {
		certain = types_packets(reading, (struct type_view){field, VIEW_CERTAIN}, option->value.bits);
		possible = types_packets(reading, (struct type_view){field, VIEW_POSSIBLE}, option->value.bits);
	}
	if (certain != possible)
		demand_unknown(reading);
	demand(reading, option->negated ? certain : possible, option->negated);
}

static bool asks_for_interface(const struct match *match)
{
	vec_each(option, &match->options)
		if (option->id != OPTION_ADDRTYPE_SRC_TYPE && option->id != OPTION_ADDRTYPE_DST_TYPE)
			return true;
	return false;
}

static void demand_addrtype(struct reading *reading, const struct match *match)
{
	/* Then an address of another interface is not the host's. */
	if (asks_for_interface(match)) {
		demand_unknown(reading);
		return;
	}
	vec_each(option, &match->options)
		demand_type(reading, option);
}

/* ---- all matches ---- */

static void demand_option(struct reading *reading, const struct option *option)
{
	struct packet_space *space = reading->space;
	const struct value *value = &option->value;

	switch (option->id) {
	case OPTION_TCP_SPORT:
	case OPTION_UDP_SPORT:
	case OPTION_SCTP_SPORT:
	case OPTION_DCCP_SPORT:
	case OPTION_MULTIPORT_SPORTS:
		demand_source(reading, port_list_packets(reading, FIELD_SPORT, &value->ports), option->negated);
		return;
	case OPTION_TCP_DPORT:
	case OPTION_UDP_DPORT:
	case OPTION_SCTP_DPORT:
	case OPTION_DCCP_DPORT:
	case OPTION_MULTIPORT_DPORTS:
		demand_ports(reading, port_of(reading), option);
		return;
	case OPTION_MULTIPORT_PORTS:
		demand_either_port(reading, option);
		return;
	case OPTION_TCP_FLAGS:
		demand(reading, packets_masked(space, FIELD_FLAGS, value->tcp_flags.mask, value->tcp_flags.comp),
		       option->negated);
		return;
	case OPTION_ICMP_TYPE:
	case OPTION_ICMP6_TYPE:
		demand_icmp(reading, option);
		return;
	case OPTION_STATE_STATE:
		demand_state(reading, option);
		return;
	case OPTION_TTL_EQ:
	case OPTION_HL_EQ:
		demand_hops(reading, value->number, value->number, option->negated);
		return;
	case OPTION_TTL_LT:
	case OPTION_HL_LT:
		demand_hops(reading, value->number, UINT8_MAX, true);
		return;
	case OPTION_TTL_GT:
	case OPTION_HL_GT:
		demand_hops(reading, 0, value->number, true);
		return;
	case OPTION_MARK_MARK:
		demand(reading,
		       packets_masked(space, FIELD_MARK, (uint32_t)value->masked.mask, (uint32_t)value->masked.value),
		       option->negated);
		return;
	case OPTION_CONNMARK_MARK:
		demand_connmark(reading, option);
		return;
	case OPTION_IPRANGE_SRC:
		demand_source(reading,
			      packets_range(space, FIELD_SRC, addr_to_number(&value->addr_range.lo),
					    addr_to_number(&value->addr_range.hi)),
			      option->negated);
		return;
	case OPTION_IPRANGE_DST:
		demand(reading,
		       packets_range(space, destination_of(reading), addr_to_number(&value->addr_range.lo),
				     addr_to_number(&value->addr_range.hi)),
		       option->negated);
		return;
	case OPTION_COMMENT_COMMENT:
		return;
	default:
		demand_unknown(reading);
		return;
	}
}

static uint32_t one_port(struct reading *reading, const struct option *option)
{
	bool source = option->id == OPTION_TCP_SPORT || option->id == OPTION_UDP_SPORT ||
		      option->id == OPTION_SCTP_SPORT || option->id == OPTION_DCCP_SPORT;

	return port_list_packets(reading, source ? FIELD_SPORT : port_of(reading), &option->value.ports);
}

static bool is_one_negated_port(const struct option *option)
{
	return option->negated && option->value.kind == VALUE_PORTS && option->value.ports.ranges.len == 1 &&
	       option->value.ports.ranges.data[0].lo == option->value.ports.ranges.data[0].hi;
}

/*
 * "! --sport A ! --dport B": iptables-nft 1.8.9 compares both ports at one stroke, so that its rule matches unless both
 * are as named; what it prints, and what others load, asks that neither is.
 */
static void demand_transport(struct reading *reading, const struct match *match)
{
	uint32_t both = DIAGRAM_ALL;
	unsigned negated = 0;

	vec_each(option, &match->options)
		negated += is_one_negated_port(option);
	vec_each(option, &match->options)
		if (negated < 2 || reading->vantage->legacy || !is_one_negated_port(option))
			demand_option(reading, option);
		else
			both = packets_and(reading->space, both, one_port(reading, option));
	if (both == DIAGRAM_ALL)
		return;
	demand_source(reading, both, true);
	demand_unknown(reading);
}

static void demand_match(struct reading *reading, const struct match *match)
{
	switch (match->module) {
	case MODULE_CONNTRACK:
		demand_conntrack(reading, match);
		return;
	case MODULE_ADDRTYPE:
		demand_addrtype(reading, match);
		return;
	case MODULE_TCP:
	case MODULE_UDP:
	case MODULE_SCTP:
	case MODULE_DCCP:
		demand_transport(reading, match);
		return;
	case MODULE_OPAQUE:
	case MODULE_AH:
	case MODULE_ESP:
	case MODULE_EUI64:
	case MODULE_FRAG:
	case MODULE_RPFILTER:
	case MODULE_RT:
	case MODULE_SOCKET:
		demand_unknown(reading);
		return;
	default:
		vec_each(option, &match->options)
			demand_option(reading, option);
		return;
	}
}

struct matched rule_packets(struct packet_space *space, const struct rule *rule, const struct vantage *vantage)
{
	struct reading reading = {space, vantage, {DIAGRAM_ALL, !rule->opaque}};

	if (rule->opaque)
		return reading.matched;
	demand_interfaces(&reading, rule);
	if (reading.matched.packets == DIAGRAM_NONE)
		return reading.matched;
	if (rule->destination.present)
		demand_network(&reading, destination_of(&reading), &rule->destination.addr, &rule->destination.mask,
			       rule->destination.negated);
	if (rule->source.present && vantage->resourced)
		demand_unknown(&reading);
	else if (rule->source.present)
		demand_network(&reading, FIELD_SRC, &rule->source.addr, &rule->source.mask, rule->source.negated);
	if (rule->protocol.present)
		demand(&reading, packets_range(space, FIELD_PROTOCOL, rule->protocol.number, rule->protocol.number),
		       rule->protocol.negated);
	/* With connection tracking fragments are put together before any rule sees them; without, who knows. */
	if (rule->fragment == FRAGMENT_YES)
		demand_unknown(&reading);
	vec_each(match, &rule->matches)
		demand_match(&reading, match);
	return reading.matched;
}
