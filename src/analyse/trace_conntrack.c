/* What the kernel's xt_conntrack.c and xt_state.c make of a packet's connection. */
#include "trace_walk.h"

/* The bits of modules.def's lists. */
enum { CTSTATE_INVALID, CTSTATE_NEW, CTSTATE_RELATED, CTSTATE_ESTABLISHED, CTSTATE_UNTRACKED, CTSTATE_SNAT, CTSTATE_DNAT };
enum { CTSTATUS_EXPECTED = 1, CTSTATUS_SEEN_REPLY = 2, CTSTATUS_ASSURED = 4, CTSTATUS_CONFIRMED = 8 };

/* ---- ranges ---- */

enum truth range_matches(uint64_t lo, uint64_t hi, uint64_t wanted_lo, uint64_t wanted_hi)
{
	if (hi < wanted_lo || lo > wanted_hi)
		return TRUTH_NO;
	return lo >= wanted_lo && hi <= wanted_hi ? TRUTH_YES : TRUTH_MAYBE;
}

enum truth ports_match(const struct port_range *ports, const struct port_list *wanted)
{
	enum truth truth = TRUTH_NO;

	vec_each(range, &wanted->ranges)
		truth = truth_or(truth, range_matches(ports->lo, ports->hi, range->lo, range->hi));
	return truth;
}

static enum truth single_matches(const struct addr *at, const struct addr *addr, const struct addr *mask)
{
	for (unsigned i = 0; i < family_bits(at->family) / 8; i++)
		if ((at->bytes[i] ^ addr->bytes[i]) & mask->bytes[i])
			return TRUTH_NO;
	return TRUTH_YES;
}

enum truth address_matches(const struct addr_bounds *bounds, const struct addr *addr, const struct addr *mask)
{
	int length = addr_netmask_length(mask);
	struct prefix prefix;
	struct addr_range wanted;
	addr_number lo = addr_to_number(&bounds->lo), hi = addr_to_number(&bounds->hi);

	if (bounds_are_single(bounds))
		return single_matches(&bounds->lo, addr, mask);
	if (length < 0)
		return TRUTH_MAYBE;
	prefix = (struct prefix){*addr, (uint8_t)length};
	wanted = prefix_to_range(&prefix);
	if (hi < wanted.lo || lo > wanted.hi)
		return TRUTH_NO;
	return lo >= wanted.lo && hi <= wanted.hi ? TRUTH_YES : TRUTH_MAYBE;
}

/* ---- the state ---- */

static uint64_t state_bit(const struct walk *walk)
{
	static const unsigned bits[PACKET_STATE_COUNT] = {
		[PACKET_NEW] = CTSTATE_NEW, [PACKET_ESTABLISHED] = CTSTATE_ESTABLISHED, [PACKET_RELATED] = CTSTATE_RELATED,
		[PACKET_INVALID] = CTSTATE_INVALID, [PACKET_UNTRACKED] = CTSTATE_UNTRACKED,
	};

	return 1u << bits[walk->packet.state];
}

enum truth match_state(struct walk *walk, const struct option *option)
{
	return truth_not(option->value.bits & state_bit(walk) ? TRUTH_YES : TRUTH_NO, option->negated);
}

static enum truth match_ctstate(const struct walk *walk, const struct option *option)
{
	uint64_t bits = state_bit(walk);

	if (walk->dnat)
		bits |= 1u << CTSTATE_DNAT;
	if (walk->snat)
		bits |= 1u << CTSTATE_SNAT;
	return truth_not(option->value.bits & bits ? TRUTH_YES : TRUTH_NO, option->negated);
}

/* A connection that is new has none of these bits; which an older one has depends on what has passed. */
static enum truth match_ctstatus(const struct walk *walk, const struct option *option)
{
	uint64_t certain = 0, possible = 0;

	if (walk->packet.state == PACKET_RELATED)
		possible = CTSTATUS_EXPECTED;
	if (walk->packet.state == PACKET_ESTABLISHED) {
		certain = CTSTATUS_SEEN_REPLY | CTSTATUS_CONFIRMED;
		possible = CTSTATUS_EXPECTED | CTSTATUS_ASSURED;
	}
	if (option->value.bits & certain)
		return truth_not(TRUTH_YES, option->negated);
	return option->value.bits & possible ? TRUTH_MAYBE : truth_not(TRUTH_NO, option->negated);
}

/* ---- the tuples ---- */

/* In a tuple, what ICMP has for a destination port are type and code, and for a source port its identifier. */
static struct port_range tuple_destination_port(const struct packet *packet)
{
	uint16_t of_icmp = (uint16_t)(packet->icmp_type << 8 | packet->icmp_code);

	return packet_is_icmp(packet) ? (struct port_range){of_icmp, of_icmp} : packet->destination_port;
}

static struct port_range tuple_source_port(const struct packet *packet)
{
	return packet_is_icmp(packet) ? (struct port_range){0, UINT16_MAX} : packet->source_port;
}

static enum truth match_port(struct port_range port, const struct option *option)
{
	return truth_not(ports_match(&port, &option->value.ports), option->negated);
}

static enum truth match_address(const struct addr_bounds *bounds, const struct option *option)
{
	return truth_not(address_matches(bounds, &option->value.network.addr, &option->value.network.mask), option->negated);
}

/* Replies come from where the packet is led to, and go to where it seems to come from. */
static enum truth match_reply_port(const struct packet *now, struct port_range port, const struct option *option)
{
	return packet_is_icmp(now) ? TRUTH_MAYBE : match_port(port, option);
}

static enum truth match_tracked(const struct walk *walk, const struct option *option)
{
	const struct packet *first = &walk->original, *now = &walk->packet;

	switch ((int)option->id) {
	case OPTION_CONNTRACK_CTSTATE:
		return match_ctstate(walk, option);
	case OPTION_CONNTRACK_CTPROTO:
		return truth_not(first->protocol == option->value.number ? TRUTH_YES : TRUTH_NO, option->negated);
	case OPTION_CONNTRACK_CTORIGSRC:
		return match_address(&first->source, option);
	case OPTION_CONNTRACK_CTORIGDST:
		return match_address(&first->destination, option);
	case OPTION_CONNTRACK_CTREPLSRC:
		return match_address(&now->destination, option);
	case OPTION_CONNTRACK_CTREPLDST:
		return match_address(&now->source, option);
	case OPTION_CONNTRACK_CTORIGSRCPORT:
		return match_port(tuple_source_port(first), option);
	case OPTION_CONNTRACK_CTORIGDSTPORT:
		return match_port(tuple_destination_port(first), option);
	case OPTION_CONNTRACK_CTREPLSRCPORT:
		return match_reply_port(now, now->destination_port, option);
	case OPTION_CONNTRACK_CTREPLDSTPORT:
		return match_reply_port(now, now->source_port, option);
	case OPTION_CONNTRACK_CTSTATUS:
		return match_ctstatus(walk, option);
	case OPTION_CONNTRACK_CTDIR: /* 0 is ORIGINAL, and so is the packet */
		return truth_not(option->value.number == 0 ? TRUTH_YES : TRUTH_NO, option->negated);
	}
	return TRUTH_MAYBE; /* when it expires */
}

/* conntrack_mt(): without a connection only the state is looked at, and where none is asked for nothing matches. */
static enum truth match_untracked(const struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_NO;

	vec_each(option, &match->options)
		if (option->id == OPTION_CONNTRACK_CTSTATE)
			truth = match_ctstate(walk, option);
	return truth;
}

bool awaits_tracking(const struct walk *walk)
{
	return walk->bespoken && !walk->conntrack_seen;
}

/* Of the connection that CT has bespoken nothing is known yet but that it is to be NEW. */
static enum truth match_bespoken(const struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	vec_each(option, &match->options)
		truth = truth_and(truth, option->id == OPTION_CONNTRACK_CTSTATE ? match_ctstate(walk, option) : TRUTH_MAYBE);
	return truth;
}

enum truth match_conntrack(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	if (awaits_tracking(walk))
		return match_bespoken(walk, match);
	if (!walk->tracked)
		return match_untracked(walk, match);
	vec_each(option, &match->options)
		truth = truth_and(truth, match_tracked(walk, option));
	return truth;
}
