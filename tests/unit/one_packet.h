/*
 * one_packet.h - the walk of a single packet through a ruleset, as plainly as it can be written.
 *
 * What the sets are compared with: it shares with them the rule model and nothing else. It knows the matches and targets that
 * the compiler writes and the tests make up, and stops the test at any other. A rule with `limit` takes hold by a coin.
 */
#ifndef PEERWALL_ONE_PACKET_H
#define PEERWALL_ONE_PACKET_H

#include <peerwall/match_codec.h>
#include <peerwall/ruleset.h>

#include <check.h>
#include <string.h>

struct one_packet {
	const char *in, *out;   /* `out` NULL: delivered to the host */
	addr_number src, dst, new_dst;
	uint16_t sport, dport, new_dport;
	uint8_t protocol, icmp_type, icmp_code, hops;
	bool local, multicast;  /* what the destination is to the host, as sent */
	bool untracked;
	const char *translated_out; /* where it goes if DNAT turns it */
	uint32_t mark, connmark;
	bool translated;
	bool coin;
};

enum one_fate { ONE_ACCEPT, ONE_DROP, ONE_GO_ON };

static inline bool one_in_network(addr_number number, const struct network_match *network)
{
	addr_number mask = addr_to_number(&network->mask);

	return ((number & mask) == (addr_to_number(&network->addr) & mask)) != network->negated;
}

static inline bool one_in_ports(uint16_t port, const struct option *option)
{
	bool found = false;

	vec_each(range, &option->value.ports.ranges)
		found |= range->lo <= port && port <= range->hi;
	return found != option->negated;
}

static inline bool one_is_interface(const char *name, const struct interface_match *match)
{
	size_t size = strlen(match->name);
	bool same = match->name[size - 1] == '+' ? strncmp(match->name, name, size - 1) == 0 : strcmp(match->name, name) == 0;

	return same != match->negated;
}

/* xt_addrtype: bits UNICAST 1, LOCAL 2, BROADCAST 3, ANYCAST 4, MULTICAST 5. */
static inline bool one_has_type(const struct one_packet *packet, enum family family, const struct option *option)
{
	uint64_t bits = option->value.bits;
	bool matched;

	if (family == FAMILY_IPV4)
		matched = bits >> (packet->multicast ? 5 : packet->local ? 2 : 1) & 1;
	else
		matched = !(bits >> 5 & 1 && !packet->multicast) && !(bits >> 1 & 1 && packet->multicast) &&
			  (!(bits & (1u << 2 | 1u << 4)) || (bits >> 2 & 1 && packet->local));
	return matched != option->negated;
}

/* States: INVALID 0, NEW 1, UNTRACKED 4, DNAT 6. */
static inline bool one_has_state(const struct one_packet *packet, const struct option *option)
{
	uint64_t bits = packet->untracked ? 1u << 4 : 1u << 1 | (packet->translated ? 1u << 6 : 0);

	return ((option->value.bits & bits) != 0) != option->negated;
}

static inline bool one_origin_matches(const struct one_packet *packet, const struct option *option)
{
	struct network_match network = {true, option->negated, option->value.network.addr, option->value.network.mask};

	if (option->id == OPTION_CONNTRACK_CTSTATE)
		return one_has_state(packet, option);
	if (packet->untracked)
		return false;
	switch (option->id) {
	case OPTION_CONNTRACK_CTORIGDSTPORT:
		return one_in_ports(packet->dport, option);
	case OPTION_CONNTRACK_CTORIGDST:
		return one_in_network(packet->dst, &network);
	case OPTION_CONNTRACK_CTORIGSRC:
		return one_in_network(packet->src, &network);
	case OPTION_CONNTRACK_CTDIR:
		return option->value.number == 0;
	default:
		ck_abort_msg("an option that one_packet.h does not know");
	}
	return false;
}

static inline bool one_option_matches(const struct one_packet *packet, enum family family, const struct option *option)
{
	uint16_t dport = packet->translated ? packet->new_dport : packet->dport;

	switch (option->id) {
	case OPTION_TCP_DPORT:
	case OPTION_UDP_DPORT:
	case OPTION_SCTP_DPORT:
	case OPTION_MULTIPORT_DPORTS:
		return one_in_ports(dport, option);
	case OPTION_TCP_SPORT:
	case OPTION_UDP_SPORT:
		return one_in_ports(packet->sport, option);
	case OPTION_ICMP_TYPE:
	case OPTION_ICMP6_TYPE:
		return (packet->icmp_type == option->value.icmp.type &&
			(option->value.icmp.code < 0 || (packet->icmp_code >= option->value.icmp.code &&
							 packet->icmp_code <= option->value.icmp.code_hi))) !=
		       option->negated;
	case OPTION_HL_EQ:
		return (packet->hops == option->value.number) != option->negated;
	case OPTION_ADDRTYPE_DST_TYPE:
		return one_has_type(packet, family, option);
	case OPTION_MARK_MARK:
		return ((packet->mark & option->value.masked.mask) == option->value.masked.value) != option->negated;
	case OPTION_CONNMARK_MARK:
		return !packet->untracked &&
		       ((packet->connmark & option->value.masked.mask) == option->value.masked.value) != option->negated;
	case OPTION_LIMIT_LIMIT:
		return packet->coin;
	case OPTION_LIMIT_BURST:
	case OPTION_COMMENT_COMMENT:
		return true;
	default:
		return one_origin_matches(packet, option);
	}
}

static inline bool one_matches(const struct one_packet *packet, enum family family, const struct rule *rule,
			       enum hook hook)
{
	addr_number dst = packet->translated ? packet->new_dst : packet->dst;

	if (rule->in.name && !one_is_interface(packet->in, &rule->in))
		return false;
	if (rule->out.name && !one_is_interface(hook == HOOK_FORWARD || hook == HOOK_POSTROUTING ? packet->out : "", &rule->out))
		return false;
	if (rule->source.present && !one_in_network(packet->src, &rule->source))
		return false;
	if (rule->destination.present && !one_in_network(dst, &rule->destination))
		return false;
	if (rule->protocol.present && (packet->protocol == rule->protocol.number) == rule->protocol.negated)
		return false;
	vec_each(match, &rule->matches)
		vec_each(option, &match->options)
			if (!one_option_matches(packet, family, option))
				return false;
	return true;
}

static inline enum one_fate one_translate(struct one_packet *packet, const struct rule *rule)
{
	packet->new_dst = packet->dst;
	packet->new_dport = packet->dport;
	vec_each(option, &rule->target.extension.options) {
		ck_assert_int_eq(option->id, OPTION_T_DNAT_TO);
		if (option->value.nat.has_addr)
			packet->new_dst = addr_to_number(&option->value.nat.lo);
		if (option->value.nat.has_port)
			packet->new_dport = option->value.nat.port_lo;
	}
	packet->translated = packet->new_dst != packet->dst || packet->new_dport != packet->dport;
	if (packet->translated)
		packet->out = packet->translated_out;
	return ONE_ACCEPT;
}

static inline enum one_fate one_map(struct one_packet *packet, const struct rule *rule)
{
	const struct value *to = &rule->target.extension.options.data[0].value;
	addr_number mask = addr_to_number(&to->network.mask);

	packet->new_dst = (packet->dst & ~mask) | addr_to_number(&to->network.addr);
	packet->new_dport = packet->dport;
	packet->translated = packet->new_dst != packet->dst;
	if (packet->translated)
		packet->out = packet->translated_out;
	return ONE_ACCEPT;
}

static inline void one_connmark(struct one_packet *packet, const struct rule *rule)
{
	uint32_t ctmask = UINT32_MAX, nfmask = UINT32_MAX, from;

	if (packet->untracked)
		return;
	vec_each(option, &rule->target.extension.options)
		if (option->id == OPTION_T_CONNMARK_CTMASK)
			ctmask = (uint32_t)option->value.number;
		else if (option->id == OPTION_T_CONNMARK_NFMASK)
			nfmask = (uint32_t)option->value.number;
	vec_each(option, &rule->target.extension.options)
		switch (option->id) {
		case OPTION_T_CONNMARK_SET_XMARK:
			packet->connmark &= ~(uint32_t)option->value.masked.mask;
			packet->connmark ^= (uint32_t)option->value.masked.value;
			break;
		case OPTION_T_CONNMARK_SAVE:
			packet->connmark = (packet->connmark & ~ctmask) ^ (packet->mark & nfmask);
			break;
		case OPTION_T_CONNMARK_RESTORE:
			from = packet->connmark & ctmask;
			packet->mark = (packet->mark & ~nfmask) ^ from;
			break;
		default:
			break;
		}
}

static inline enum one_fate one_walk(struct one_packet *packet, const struct ruleset *ruleset, enum table_id table,
				     enum hook hook, const char *name)
{
	const struct chain *chain = table_find_chain(&ruleset->tables[table], name, strlen(name));
	enum one_fate fate = ONE_GO_ON;

	if (!chain)
		return ONE_ACCEPT;
	vec_each(rule, &chain->rules) {
		if (!one_matches(packet, ruleset->family, rule, hook))
			continue;
		switch (rule->target.kind) {
		case TARGET_NONE:
			continue;
		case TARGET_ACCEPT:
			return ONE_ACCEPT;
		case TARGET_DROP:
			return ONE_DROP;
		case TARGET_RETURN:
			goto end;
		case TARGET_GOTO:
			fate = one_walk(packet, ruleset, table, hook, rule->target.chain);
			if (fate != ONE_GO_ON)
				return fate;
			goto end;
		case TARGET_JUMP:
			fate = one_walk(packet, ruleset, table, hook, rule->target.chain);
			if (fate != ONE_GO_ON)
				return fate;
			continue;
		case TARGET_EXTENSION:
			break;
		}
		switch (rule->target.extension.module) {
		case MODULE_T_LOG:
			continue;
		case MODULE_T_REJECT:
			return ONE_DROP;
		case MODULE_T_DNAT:
			return one_translate(packet, rule);
		case MODULE_T_NETMAP:
			return one_map(packet, rule);
		case MODULE_T_CONNMARK:
			one_connmark(packet, rule);
			continue;
		case MODULE_T_MARK:
			packet->mark &= ~(uint32_t)rule->target.extension.options.data[0].value.masked.mask;
			packet->mark ^= (uint32_t)rule->target.extension.options.data[0].value.masked.value;
			continue;
		default:
			ck_abort_msg("a target that one_packet.h does not know");
		}
	}
end:
	if (!chain->builtin)
		return ONE_GO_ON;
	return chain->policy_drop ? ONE_DROP : ONE_ACCEPT;
}

/* Does it get in? */
static inline bool one_gets_in(struct one_packet packet, const struct ruleset *ruleset)
{
	static const enum table_id late[] = {TABLE_MANGLE, TABLE_FILTER, TABLE_SECURITY};
	enum hook hook;

	if (one_walk(&packet, ruleset, TABLE_MANGLE, HOOK_PREROUTING, "PREROUTING") == ONE_DROP)
		return false;
	if (!packet.untracked && one_walk(&packet, ruleset, TABLE_NAT, HOOK_PREROUTING, "PREROUTING") == ONE_DROP)
		return false;
	hook = packet.out ? HOOK_FORWARD : HOOK_INPUT;
	for (size_t i = 0; i < sizeof late / sizeof *late; i++)
		if (one_walk(&packet, ruleset, late[i], hook, hook_names[hook]) == ONE_DROP)
			return false;
	return !packet.out || one_walk(&packet, ruleset, TABLE_MANGLE, HOOK_POSTROUTING, "POSTROUTING") != ONE_DROP;
}

#endif
