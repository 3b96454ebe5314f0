#include "translation.h"

#include "rule_effect.h"

/* What becomes of one part of a destination: its address or its port. */
struct rewriting {
	uint32_t relation; /* of what was sent to what is made */
	uint32_t same;     /* packets for which these may be the same */
	bool certain;      /* each value becomes just one other */
};

static struct rewriting keep(struct packet_space *space, enum field sent, enum field made)
{
	return (struct rewriting){packets_untouched(space, sent, made), DIAGRAM_ALL, true};
}

static struct rewriting become(struct packet_space *space, enum field sent, enum field made, addr_number lo,
			       addr_number hi)
{
	return (struct rewriting){packets_range(space, made, lo, hi), packets_range(space, sent, lo, hi), lo == hi};
}

static const struct rewriting anything = {DIAGRAM_ALL, DIAGRAM_NONE, false};

/* ---- DNAT ---- */

static struct rewriting dnat_address(struct packet_space *space, const struct value *to)
{
	if (!to->nat.has_addr)
		return keep(space, FIELD_DST, FIELD_NEW_DST);
	return become(space, FIELD_DST, FIELD_NEW_DST, addr_to_number(&to->nat.lo), addr_to_number(&to->nat.hi));
}

static struct rewriting dnat_port(struct packet_space *space, const struct value *to)
{
	if (!to->nat.has_port)
		return keep(space, FIELD_DPORT, FIELD_NEW_DPORT);
	return become(space, FIELD_DPORT, FIELD_NEW_DPORT, to->nat.port_lo, to->nat.port_hi);
}

/* ---- REDIRECT ---- */

/*
 * The address of the interface of arrival: nf_nat_redirect_ipv4() and _ipv6() of net/netfilter/nf_nat_redirect.c. Which of
 * IPv6's, kernels do not agree on.
 */
static struct rewriting redirect_address(struct packet_space *space, const struct vantage *vantage)
{
	const struct places *places = vantage->places;
	const struct host_address *first = host_first_address(places->host, vantage->in, space->family);
	addr_number number;

	if (!places->addresses_known || !first)
		return (struct rewriting){packets_to_host(space), packets_of_type(space, TYPE_LOCAL), false};
	number = addr_to_number(&first->addr);
	if (space->family == FAMILY_IPV4)
		return become(space, FIELD_DST, FIELD_NEW_DST, number, number);
	return (struct rewriting){places_own(space, places, FIELD_NEW_DST, vantage->in),
				  places_own(space, places, FIELD_DST, vantage->in), false};
}

static struct rewriting redirect_port(struct packet_space *space, const struct option *ports)
{
	if (!ports)
		return keep(space, FIELD_DPORT, FIELD_NEW_DPORT);
	return become(space, FIELD_DPORT, FIELD_NEW_DPORT, ports->value.range.lo, ports->value.range.hi);
}

/* ---- NETMAP ---- */

/* The host part stays: xt_NETMAP.c. Each piece of the addresses goes where it belongs in the other network. */
static struct rewriting netmap_address(struct packet_space *space, const struct rule *rule)
{
	struct rewriting rewriting = {DIAGRAM_NONE, DIAGRAM_NONE, true};
	struct address_mapping mapping;

	if (!address_mapping_of(&mapping, rule)) {
		addr_number lo = mapping.to, hi = mapping.to + mapping.host;

		return (struct rewriting){packets_range(space, FIELD_NEW_DST, lo, hi), packets_range(space, FIELD_DST, lo, hi),
					  false};
	}
	for (struct addr_range piece = packet_space_piece(space, FIELD_DST, mapping.from);;
	     piece = packet_space_piece(space, FIELD_DST, piece.hi + 1)) {
		addr_number lo = piece.lo - mapping.from + mapping.to, hi = piece.hi - mapping.from + mapping.to;
		struct addr_range image = packet_space_piece(space, FIELD_DST, lo);

		rewriting.certain = rewriting.certain && image.lo == lo && image.hi == hi;
		rewriting.relation = packets_or(space, rewriting.relation,
						packets_and(space, packets_range(space, FIELD_DST, piece.lo, piece.hi),
							    packets_range(space, FIELD_NEW_DST, lo, hi)));
		if (piece.hi == mapping.from + mapping.host)
			break;
	}
	if (mapping.from == mapping.to)
		rewriting.same = DIAGRAM_ALL;
	return rewriting;
}

/* ---- all of them ---- */

static struct translation apply(struct packet_space *space, uint32_t packets, struct rewriting address,
				struct rewriting port)
{
	/* First together: the two are small, which the packets need not be. */
	uint32_t relation = packets_and(space, address.relation, port.relation);
	struct translation translation;

	translation.made = packets_and(space, packets_forget(space, packets, FIELD_BIT(FIELD_OUT)), relation);
	translation.same = packets_and(space, packets, packets_and(space, address.same, port.same));
	if (address.certain && port.certain)
		translation.made = packets_minus(space, translation.made,
						 packets_forget(space, translation.same, FIELD_BIT(FIELD_OUT)));
	return translation;
}

struct translation translate(struct packet_space *space, const struct rule *rule, const struct vantage *vantage,
			     uint32_t packets)
{
	const struct option *to;

	if (rule->opaque || rule->target.kind != TARGET_EXTENSION)
		return apply(space, packets, anything, anything);
	switch (rule->target.extension.module) {
	case MODULE_T_DNAT:
		to = target_option(rule, OPTION_T_DNAT_TO);
		return apply(space, packets, dnat_address(space, &to->value), dnat_port(space, &to->value));
	case MODULE_T_REDIRECT:
		return apply(space, packets, redirect_address(space, vantage),
			     redirect_port(space, target_option(rule, OPTION_T_REDIRECT_TO_PORTS)));
	case MODULE_T_NETMAP:
		return apply(space, packets, netmap_address(space, rule), keep(space, FIELD_DPORT, FIELD_NEW_DPORT));
	default:
		return apply(space, packets, anything, anything);
	}
}
