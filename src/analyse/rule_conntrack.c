#include "rule_reading.h"

#include <peerwall/bug.h>

/* The order of modules.def. */
enum { STATE_INVALID, STATE_NEW, STATE_RELATED, STATE_ESTABLISHED, STATE_UNTRACKED, STATE_SNAT, STATE_DNAT };

bool vantage_is_tracked(const struct vantage *vantage)
{
	return !vantage->before_tracking && vantage->tracking != TRACKING_UNTRACKED &&
	       vantage->tracking != TRACKING_INVALID;
}

/* state_mt() and conntrack_mt() of the kernel's xt_state.c and xt_conntrack.c. */
static uint64_t certain_states(const struct vantage *vantage)
{
	switch (vantage->tracking) {
	case TRACKING_NEW:
		return BIT(STATE_NEW) | (vantage->translated ? BIT(STATE_DNAT) : 0);
	case TRACKING_UNTRACKED:
		return BIT(STATE_UNTRACKED);
	case TRACKING_INVALID:
		return BIT(STATE_INVALID);
	case TRACKING_ESTABLISHED:
		return BIT(STATE_ESTABLISHED);
	case TRACKING_RELATED:
		return BIT(STATE_RELATED);
	}
	BUG("tracking %d", (int)vantage->tracking);
}

/* Whether the connection was translated, where this is not known. */
static uint64_t possible_states(const struct vantage *vantage)
{
	if (!vantage_is_tracked(vantage))
		return 0;
	if (vantage->tracking != TRACKING_NEW)
		return BIT(STATE_SNAT) | BIT(STATE_DNAT);
	return vantage->resourced ? BIT(STATE_SNAT) : 0;
}

static bool asks_for(const struct option *option, int state)
{
	return ((option->value.bits & BIT(state)) != 0) != option->negated;
}

/* In raw: what was taken out of tracking is UNTRACKED at once, what CT has bespoken NEW, and all else INVALID. */
static void demand_early_state(struct reading *reading, const struct option *option)
{
	struct packet_space *space = reading->space;
	const struct vantage *vantage = reading->vantage;
	bool untracked = asks_for(option, STATE_UNTRACKED), new = asks_for(option, STATE_NEW);
	bool invalid = asks_for(option, STATE_INVALID);
	uint32_t settled = packets_or(space, vantage->surely_untracked, vantage->surely_templated);
	uint32_t packets = invalid ? packets_minus(space, DIAGRAM_ALL, settled) : DIAGRAM_NONE;

	if (untracked == invalid && new == invalid) {
		demand_truth(reading, invalid);
		return;
	}
	if (vantage->untracked != vantage->surely_untracked || vantage->templated != vantage->surely_templated)
		demand_unknown(reading);
	if (untracked)
		packets = packets_or(space, packets, vantage->untracked);
	if (new)
		packets = packets_or(space, packets, vantage->templated);
	demand(reading, packets, false);
}

/* What CT has bespoken has a connection of which nothing is known yet. */
static void demand_template(struct reading *reading)
{
	demand(reading, reading->vantage->before_tracking ? reading->vantage->templated : DIAGRAM_NONE, false);
	demand_unknown(reading);
}

void demand_state(struct reading *reading, const struct option *option)
{
	if (reading->vantage->before_tracking)
		demand_early_state(reading, option);
	else if (certain_states(reading->vantage) & option->value.bits)
		demand_truth(reading, !option->negated);
	else if (possible_states(reading->vantage) & option->value.bits)
		demand_unknown(reading);
	else
		demand_truth(reading, option->negated);
}

/* ---- ports of a connection that have no ports in a header ---- */

#define NUMBER_GRE 47

/* nf_conntrack_l4proto() of net/netfilter/nf_conntrack_proto.c: those whose tuples hold ports. */
static const uint8_t with_ports[] = {6, 17, 33, 132, 136};

static uint32_t of_protocol(struct packet_space *space, uint8_t protocol)
{
	return packets_range(space, FIELD_PROTOCOL, protocol, protocol);
}

static bool holds_zero(const struct port_list *ports)
{
	vec_each(range, &ports->ranges)
		if (range->lo == 0)
			return true;
	return false;
}

/*
 * Of ICMP the tuple holds type and code in the place of the destination's port and a number that the sender chooses in that of
 * the source's; of what has no ports it holds zeros, and of GRE a key that may be one (icmp_pkt_to_tuple(), gre_pkt_to_tuple(),
 * nf_ct_get_tuple()).
 */
static void demand_original_port(struct reading *reading, enum field field, const struct option *option)
{
	struct packet_space *space = reading->space;
	const struct port_list *ports = &option->value.ports;
	uint32_t icmp = of_protocol(space, space->family == FAMILY_IPV4 ? 1 : 58), gre = of_protocol(space, NUMBER_GRE);
	uint32_t in_header = DIAGRAM_NONE, wanted = DIAGRAM_NONE, open = field == FIELD_SPORT ? packets_or(space, icmp, gre) : gre;

	for (size_t i = 0; i < sizeof with_ports / sizeof *with_ports; i++)
		in_header = packets_or(space, in_header, of_protocol(space, with_ports[i]));
	vec_each(range, &ports->ranges) {
		uint32_t of_icmp = packets_and(space, icmp, packets_range(space, FIELD_ICMP, range->lo, range->hi));

		wanted = packets_or(space, wanted, packets_and(space, in_header, packets_range(space, field, range->lo, range->hi)));
		if (field == FIELD_DPORT)
			wanted = packets_or(space, wanted, of_icmp);
	}
	if (holds_zero(ports))
		wanted = packets_or(space, wanted, packets_minus(space, space->all, packets_or(space, in_header, icmp)));
	if (packets_and(space, reading->matched.packets, open) != DIAGRAM_NONE)
		demand_unknown(reading);
	demand(reading, option->negated ? packets_minus(space, wanted, open) : packets_or(space, wanted, open), option->negated);
}

/* How the connection began: the packet itself tells only if it begins one. */
static void demand_origin(struct reading *reading, const struct option *option)
{
	const struct value *value = &option->value;

	if (option->id == OPTION_CONNTRACK_CTSTATE) {
		demand_state(reading, option);
		return;
	}
	if (reading->vantage->tracking != TRACKING_NEW) {
		demand_unknown(reading);
		return;
	}
	switch (option->id) {
	case OPTION_CONNTRACK_CTPROTO:
		demand(reading, packets_range(reading->space, FIELD_PROTOCOL, value->number, value->number),
		       option->negated);
		return;
	case OPTION_CONNTRACK_CTORIGSRC:
		demand_network(reading, FIELD_SRC, &value->network.addr, &value->network.mask, option->negated);
		return;
	case OPTION_CONNTRACK_CTORIGDST:
		demand_network(reading, FIELD_DST, &value->network.addr, &value->network.mask, option->negated);
		return;
	case OPTION_CONNTRACK_CTORIGSRCPORT:
		demand_original_port(reading, FIELD_SPORT, option);
		return;
	case OPTION_CONNTRACK_CTORIGDSTPORT:
		demand_original_port(reading, FIELD_DPORT, option);
		return;
	case OPTION_CONNTRACK_CTDIR:
		demand_truth(reading, value->number == 0);
		return;
	default:
		demand_unknown(reading);
		return;
	}
}

void demand_conntrack(struct reading *reading, const struct match *match)
{
	bool asks_state = false;

	if (vantage_is_tracked(reading->vantage)) {
		vec_each(option, &match->options)
			demand_origin(reading, option);
		return;
	}
	/* Without a connection nothing but the state is looked at, and without that nothing matches. */
	vec_each(option, &match->options)
		if (option->id == OPTION_CONNTRACK_CTSTATE) {
			asks_state = true;
			demand_state(reading, option);
		}
	if (!asks_state)
		demand_template(reading);
	else if (match->options.len > 1 && reading->vantage->templated != DIAGRAM_NONE)
		demand_unknown(reading);
}

void demand_connmark(struct reading *reading, const struct option *option)
{
	if (!vantage_is_tracked(reading->vantage))
		demand_template(reading);
	else
		demand(reading,
		       packets_masked(reading->space, FIELD_CONNMARK, (uint32_t)option->value.masked.mask,
				      (uint32_t)option->value.masked.value),
		       option->negated);
}
