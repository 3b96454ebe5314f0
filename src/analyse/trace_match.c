/* Does a rule match the packet: each match as its xt_*.c in the kernel has it. */
#include "trace_walk.h"

#include <peerwall/policy.h>

#include <string.h>

static enum truth truth_of(bool yes)
{
	return yes ? TRUTH_YES : TRUTH_NO;
}

/* ---- the basic matches ---- */

static enum truth match_network(const struct network_match *wanted, const struct addr_bounds *bounds)
{
	if (!wanted->present)
		return TRUTH_YES;
	return truth_not(address_matches(bounds, &wanted->addr, &wanted->mask), wanted->negated);
}

static bool interface_is(const char *wanted, const char *name)
{
	size_t size = strlen(wanted);

	if (interface_name_is_pattern(wanted))
		return strncmp(wanted, name, size - 1) == 0;
	return strcmp(wanted, name) == 0;
}

/* Where there is no interface its name is empty, which "+" matches and nothing else does. */
static enum truth match_interface(const struct interface_match *wanted, const char *name, bool unknown)
{
	if (!wanted->name)
		return TRUTH_YES;
	if (unknown && strcmp(wanted->name, "+") != 0)
		return TRUTH_MAYBE;
	return truth_not(truth_of(interface_is(wanted->name, name ? name : "")), wanted->negated);
}

static enum truth match_protocol(const struct protocol_match *wanted, uint8_t protocol)
{
	if (!wanted->present)
		return TRUTH_YES;
	return truth_not(truth_of(wanted->number == protocol), wanted->negated);
}

/* ---- protocols ---- */

static enum truth match_tcp_flags(const struct packet *packet, const struct option *option)
{
	if (!packet->has_flags)
		return TRUTH_MAYBE;
	return truth_not(truth_of((packet->tcp_flags & option->value.tcp_flags.mask) == option->value.tcp_flags.comp),
			 option->negated);
}

static enum truth match_transport_option(const struct packet *packet, const struct option *option)
{
	switch ((int)option->id) {
	case OPTION_TCP_SPORT:
	case OPTION_UDP_SPORT:
	case OPTION_SCTP_SPORT:
	case OPTION_DCCP_SPORT:
		return truth_not(ports_match(&packet->source_port, &option->value.ports), option->negated);
	case OPTION_TCP_DPORT:
	case OPTION_UDP_DPORT:
	case OPTION_SCTP_DPORT:
	case OPTION_DCCP_DPORT:
		return truth_not(ports_match(&packet->destination_port, &option->value.ports), option->negated);
	case OPTION_TCP_FLAGS:
		return match_tcp_flags(packet, option);
	}
	return TRUTH_MAYBE;
}

static bool is_single_negation(const struct option *option)
{
	return option->negated && option->value.kind == VALUE_PORTS && option->value.ports.ranges.len == 1 &&
	       option->value.ports.ranges.data[0].lo == option->value.ports.ranges.data[0].hi;
}

/*
 * "! --sport A ! --dport B": iptables-nft 1.8.9 compares both ports at one stroke, so that its rule matches unless both
 * are as named; others ask that neither is. Where the two differ, nobody can tell from the text.
 */
static enum truth match_both_negated(const struct walk *walk, enum truth source, enum truth destination)
{
	if (walk->input->backend == CHECK_BACKEND_LEGACY || source == destination)
		return truth_and(source, destination);
	return TRUTH_MAYBE;
}

static enum truth match_transport(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES, pair[2];
	size_t pairs = 0;

	vec_each(option, &match->options) {
		enum truth one = match_transport_option(&walk->packet, option);

		if (is_single_negation(option) && pairs < 2)
			pair[pairs++] = one;
		else
			truth = truth_and(truth, one);
	}
	if (pairs == 2)
		return truth_and(truth, match_both_negated(walk, pair[0], pair[1]));
	return pairs ? truth_and(truth, pair[0]) : truth;
}

static enum truth match_icmp(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	vec_each(option, &match->options) {
		const struct packet *packet = &walk->packet;
		int type = option->value.icmp.type, code = option->value.icmp.code;
		bool yes = type < 0 || (packet->icmp_type == type &&
					(code < 0 || (packet->icmp_code >= code &&
						      packet->icmp_code <= option->value.icmp.code_hi)));

		truth = truth_and(truth, truth_not(truth_of(yes), option->negated));
	}
	return truth;
}

static enum truth match_multiport(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	vec_each(option, &match->options) {
		enum truth one = TRUTH_NO;

		if (option->id != OPTION_MULTIPORT_DPORTS)
			one = truth_or(one, ports_match(&walk->packet.source_port, &option->value.ports));
		if (option->id != OPTION_MULTIPORT_SPORTS)
			one = truth_or(one, ports_match(&walk->packet.destination_port, &option->value.ports));
		truth = truth_and(truth, truth_not(one, option->negated));
	}
	return truth;
}

/* ---- others ---- */

static enum truth match_mark_value(const struct mark *mark, const struct option *option)
{
	uint32_t mask = (uint32_t)option->value.masked.mask, value = (uint32_t)option->value.masked.value;

	if (((mark->value ^ value) & mask & ~mark->unknown) || (value & ~mask))
		return truth_not(TRUTH_NO, option->negated);
	return mark->unknown & mask ? TRUTH_MAYBE : truth_not(TRUTH_YES, option->negated);
}

static enum truth match_mark(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	walk_assume(walk, "the packet arrives without a mark");
	vec_each(option, &match->options)
		truth = truth_and(truth, match_mark_value(&walk->mark, option));
	return truth;
}

/* connmark_mt(): without a connection it never matches, negated or not. */
static enum truth match_connmark(struct walk *walk, const struct match *match)
{
	enum truth truth = awaits_tracking(walk) ? TRUTH_MAYBE : truth_of(walk->tracked);

	vec_each(option, &match->options)
		truth = truth_and(truth, match_mark_value(&walk->connmark, option));
	return truth;
}

static enum truth match_iprange(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	vec_each(option, &match->options) {
		const struct addr_bounds *bounds = option->id == OPTION_IPRANGE_SRC ? &walk->packet.source
										   : &walk->packet.destination;
		addr_number lo = addr_to_number(&bounds->lo), hi = addr_to_number(&bounds->hi);
		addr_number from = addr_to_number(&option->value.addr_range.lo), to = addr_to_number(&option->value.addr_range.hi);
		enum truth one = hi < from || lo > to ? TRUTH_NO : lo >= from && hi <= to ? TRUTH_YES : TRUTH_MAYBE;

		truth = truth_and(truth, truth_not(one, option->negated));
	}
	return truth;
}

static enum truth match_hops_option(const struct packet *packet, const struct option *option)
{
	if (!packet->has_ttl)
		return TRUTH_MAYBE;
	switch ((int)option->id) {
	case OPTION_TTL_LT:
	case OPTION_HL_LT:
		return truth_of(packet->ttl < option->value.number);
	case OPTION_TTL_GT:
	case OPTION_HL_GT:
		return truth_of(packet->ttl > option->value.number);
	}
	return truth_not(truth_of(packet->ttl == option->value.number), option->negated);
}

static enum truth match_hops(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	vec_each(option, &match->options)
		truth = truth_and(truth, match_hops_option(&walk->packet, option));
	return truth;
}

static enum truth match_length(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	vec_each(option, &match->options) {
		enum truth one = TRUTH_MAYBE;

		if (walk->packet.has_length)
			one = truth_not(range_matches(walk->packet.length, walk->packet.length, option->value.range.lo,
						      option->value.range.hi), option->negated);
		truth = truth_and(truth, one);
	}
	return truth;
}

static enum truth match_states(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	vec_each(option, &match->options)
		truth = truth_and(truth, match_state(walk, option));
	return truth;
}

static enum truth match_always(struct walk *walk, const struct match *match)
{
	(void)walk;
	(void)match;
	return TRUTH_YES;
}

/* A packet that arrives has no owner, until it is for this host: then nobody knows. owner_mt(). */
static enum truth match_owner(struct walk *walk, const struct match *match)
{
	enum truth truth = TRUTH_YES;

	if (walk->hook == HOOK_INPUT)
		return TRUTH_MAYBE;
	vec_each(option, &match->options)
		truth = truth_and(truth, truth_of(option->negated));
	return truth;
}

typedef enum truth (*match_function)(struct walk *walk, const struct match *match);

/* What is not here can be told of no packet from its text: rates, sets, MAC addresses, contents, times ... */
static const match_function functions[MODULE_COUNT] = {
	[MODULE_TCP] = match_transport,     [MODULE_UDP] = match_transport,     [MODULE_SCTP] = match_transport,
	[MODULE_DCCP] = match_transport,    [MODULE_ICMP] = match_icmp,         [MODULE_ICMP6] = match_icmp,
	[MODULE_MULTIPORT] = match_multiport, [MODULE_CONNTRACK] = match_conntrack, [MODULE_STATE] = match_states,
	[MODULE_ADDRTYPE] = match_addrtype, [MODULE_TTL] = match_hops,          [MODULE_HL] = match_hops,
	[MODULE_MARK] = match_mark,         [MODULE_CONNMARK] = match_connmark, [MODULE_IPRANGE] = match_iprange,
	[MODULE_LENGTH] = match_length,     [MODULE_COMMENT] = match_always,    [MODULE_OWNER] = match_owner,
};

static enum truth match_module(struct walk *walk, const struct match *match)
{
	match_function function = match->module < MODULE_COUNT ? functions[match->module] : NULL;

	return function ? function(walk, match) : TRUTH_MAYBE;
}

/* ---- a rule ---- */

/* Folds one match in. *why stays with the first that is least certain. */
static bool fold(enum truth *all, enum truth one, const char *name, const char **why)
{
	if (one < *all)
		*why = name;
	*all = truth_and(*all, one);
	return *all != TRUTH_NO;
}

static bool fold_basic(struct walk *walk, const struct rule *rule, enum truth *all, const char **why)
{
	const struct packet *packet = &walk->packet;

	return fold(all, match_network(&rule->source, &packet->source), "-s", why) &&
	       fold(all, match_network(&rule->destination, &packet->destination), "-d", why) &&
	       fold(all, match_interface(&rule->in, packet->in, false), "-i", why) &&
	       fold(all, match_interface(&rule->out, walk->out, walk->out_unknown), "-o", why) &&
	       fold(all, match_protocol(&rule->protocol, packet->protocol), "-p", why) &&
	       fold(all, truth_of(rule->fragment != FRAGMENT_YES), "-f", why);
}

enum truth rule_matches(struct walk *walk, const struct rule *rule, const char **why)
{
	enum truth all = TRUTH_YES;

	if (rule->opaque) {
		*why = "a rule that peerwall does not understand";
		return TRUTH_MAYBE;
	}
	if (!fold_basic(walk, rule, &all, why))
		return TRUTH_NO;
	vec_each(match, &rule->matches) {
		enum truth one = match_module(walk, match);
		const char *name = one < all ? arena_printf(walk->arena, "-m %s", module_name(match)) : NULL;

		if (!fold(&all, one, name, why))
			return TRUTH_NO;
	}
	return all;
}
