#include "rule_effect.h"

#include <peerwall/rule_packets.h>

#include <string.h>

/* What rules mention: the limits at which the fields of a header are cut up. */

static void mention_network(struct packet_space *space, enum field field, const struct addr *addr,
			    const struct addr *mask)
{
	int length = addr_netmask_length(mask);
	struct addr_range range;

	if (length < 0 || addr->family != space->family)
		return;
	range = prefix_to_range(&(struct prefix){*addr, (uint8_t)length});
	packet_space_mention(space, field, range.lo, range.hi);
}

static void mention_ports(struct packet_space *space, enum field field, const struct port_list *ports)
{
	vec_each(range, &ports->ranges)
		packet_space_mention(space, field, range->lo, range->hi);
}

/* As it is on arrival, and behind the routing decision, which takes one. */
static void mention_hops(struct packet_space *space, const struct option *option)
{
	addr_number hops = option->value.number;

	packet_space_mention(space, FIELD_HOPS, hops, hops);
	if (hops < UINT8_MAX)
		packet_space_mention(space, FIELD_HOPS, hops + 1, hops + 1);
}

static void mention_icmp(struct packet_space *space, const struct option *option)
{
	int type = option->value.icmp.type, code = option->value.icmp.code;

	if (type < 0)
		return;
	packet_space_mention(space, FIELD_ICMP, (addr_number)(type << 8 | (code < 0 ? 0 : code)),
			     (addr_number)(type << 8 | (code < 0 ? 0xff : option->value.icmp.code_hi)));
}

/* What the original port of a connection is depends on the protocol: see rule_conntrack.c. */
static void mention_tuples(struct packet_space *space)
{
	static const uint8_t protocols[] = {1, 6, 17, 33, 47, 58, 132, 136};

	for (size_t i = 0; i < sizeof protocols; i++)
		packet_space_mention(space, FIELD_PROTOCOL, protocols[i], protocols[i]);
}

static void mention_option(struct packet_space *space, const struct option *option)
{
	const struct value *value = &option->value;

	switch (option->id) {
	case OPTION_TCP_SPORT:
	case OPTION_UDP_SPORT:
	case OPTION_SCTP_SPORT:
	case OPTION_DCCP_SPORT:
	case OPTION_MULTIPORT_SPORTS:
		mention_ports(space, FIELD_SPORT, &value->ports);
		return;
	case OPTION_TCP_DPORT:
	case OPTION_UDP_DPORT:
	case OPTION_SCTP_DPORT:
	case OPTION_DCCP_DPORT:
	case OPTION_MULTIPORT_DPORTS:
		mention_ports(space, FIELD_DPORT, &value->ports);
		return;
	case OPTION_MULTIPORT_PORTS:
		mention_ports(space, FIELD_SPORT, &value->ports);
		mention_ports(space, FIELD_DPORT, &value->ports);
		return;
	case OPTION_TCP_FLAGS:
		packet_space_mention(space, FIELD_FLAGS, value->tcp_flags.mask, 0);
		return;
	case OPTION_ICMP_TYPE:
	case OPTION_ICMP6_TYPE:
		mention_icmp(space, option);
		return;
	case OPTION_CONNTRACK_CTORIGSRCPORT:
		mention_ports(space, FIELD_SPORT, &value->ports);
		mention_tuples(space);
		return;
	case OPTION_CONNTRACK_CTORIGDSTPORT:
		mention_ports(space, FIELD_DPORT, &value->ports);
		mention_ports(space, FIELD_ICMP, &value->ports);
		mention_tuples(space);
		return;
	case OPTION_CONNTRACK_CTPROTO:
		packet_space_mention(space, FIELD_PROTOCOL, value->number, value->number);
		return;
	case OPTION_CONNTRACK_CTORIGSRC:
		mention_network(space, FIELD_SRC, &value->network.addr, &value->network.mask);
		return;
	case OPTION_CONNTRACK_CTORIGDST:
		mention_network(space, FIELD_DST, &value->network.addr, &value->network.mask);
		return;
	case OPTION_IPRANGE_SRC:
	case OPTION_IPRANGE_DST:
		packet_space_mention(space, option->id == OPTION_IPRANGE_SRC ? FIELD_SRC : FIELD_DST,
				     addr_to_number(&value->addr_range.lo), addr_to_number(&value->addr_range.hi));
		return;
	case OPTION_TTL_EQ:
	case OPTION_TTL_LT:
	case OPTION_TTL_GT:
	case OPTION_HL_EQ:
	case OPTION_HL_LT:
	case OPTION_HL_GT:
		mention_hops(space, option);
		return;
	case OPTION_ADDRTYPE_SRC_TYPE:
	case OPTION_ADDRTYPE_DST_TYPE:
		/* `::` has a type of its own. */
		if (space->family == FAMILY_IPV6)
			packet_space_mention(space, option->id == OPTION_ADDRTYPE_SRC_TYPE ? FIELD_SRC : FIELD_DST, 0, 0);
		return;
	case OPTION_MARK_MARK:
	case OPTION_CONNMARK_MARK:
		packet_space_mention(space, FIELD_MARK, (uint32_t)value->masked.mask, 0);
		return;
	default:
		return;
	}
}

static void mention_nat(struct packet_space *space, const struct value *value)
{
	if (value->nat.has_addr)
		packet_space_mention(space, FIELD_DST, addr_to_number(&value->nat.lo), addr_to_number(&value->nat.hi));
	if (value->nat.has_port)
		packet_space_mention(space, FIELD_DPORT, value->nat.port_lo, value->nat.port_hi);
}

static void mention_target(struct packet_space *space, const struct match *target)
{
	vec_each(option, &target->options)
		switch (option->id) {
		case OPTION_T_DNAT_TO:
			mention_nat(space, &option->value);
			break;
		case OPTION_T_REDIRECT_TO_PORTS:
			packet_space_mention(space, FIELD_DPORT, option->value.range.lo, option->value.range.hi);
			break;
		default:
			break;
		}
}

bool address_mapping_of(struct address_mapping *out, const struct rule *rule)
{
	const struct option *option = target_option(rule, OPTION_T_NETMAP_TO);
	struct prefix to = {option->value.network.addr, (uint8_t)addr_netmask_length(&option->value.network.mask)};
	struct prefix from = {rule->destination.addr, to.length};
	struct addr_range made = prefix_to_range(&to);
	int length = rule->destination.present ? addr_netmask_length(&rule->destination.mask) : -1;

	*out = (struct address_mapping){.to = made.lo, .host = made.hi - made.lo};
	if (rule->destination.negated || length < (int)to.length)
		return false;
	from = prefix_masked(&from);
	out->from = prefix_to_range(&from).lo;
	return true;
}

static void mention_netmap(struct packet_space *space, const struct rule *rule)
{
	struct address_mapping mapping;

	if (address_mapping_of(&mapping, rule))
		packet_space_mention_mapping(space, &mapping);
	else
		packet_space_mention(space, FIELD_DST, mapping.to, mapping.to + mapping.host);
}

static void mention_rule(struct packet_space *space, const struct rule *rule)
{
	if (rule->opaque)
		return;
	if (rule->source.present)
		mention_network(space, FIELD_SRC, &rule->source.addr, &rule->source.mask);
	if (rule->destination.present)
		mention_network(space, FIELD_DST, &rule->destination.addr, &rule->destination.mask);
	if (rule->in.name)
		packet_space_mention_interface(space, rule->in.name);
	if (rule->out.name)
		packet_space_mention_interface(space, rule->out.name);
	if (rule->protocol.present)
		packet_space_mention(space, FIELD_PROTOCOL, rule->protocol.number, rule->protocol.number);
	vec_each(match, &rule->matches)
		vec_each(option, &match->options)
			mention_option(space, option);
	if (rule->target.kind == TARGET_EXTENSION)
		mention_target(space, &rule->target.extension);
	if (rule->target.kind == TARGET_EXTENSION && rule->target.extension.module == MODULE_T_NETMAP)
		mention_netmap(space, rule);
}

void packet_space_mention_rules(struct packet_space *space, const struct ruleset *ruleset)
{
	for (int table = 0; table < TABLE_COUNT; table++)
		vec_each(chain, &ruleset->tables[table].chains)
			vec_each(rule, &chain->rules)
				mention_rule(space, rule);
}
