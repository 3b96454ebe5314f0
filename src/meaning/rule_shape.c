#include "rule_shape.h"

#include <peerwall/bug.h>
#include <peerwall/match_codec.h>

#include <string.h>

/* In libxt_conntrack's list of states, see modules.def. */
#define STATE_RELATED (1u << 2)
#define STATE_ESTABLISHED (1u << 3)
#define STATE_DNAT (1u << 6)

/* The bits of modules.def's list of address types: enum in linux/netfilter/xt_addrtype.h. */
#define TYPE_LOCAL (1u << 2)
#define TYPE_BROADCAST (1u << 3)
#define TYPE_ANYCAST (1u << 4)
#define TYPE_MULTICAST (1u << 5)

/* limit's default, which iptables-save leaves out (XT_LIMIT_BURST). */
#define LIMIT_BURST_DEFAULT 5

static bool all_ports(const struct port_range *range)
{
	return range->lo == 0 && range->hi == UINT16_MAX;
}

static enum protocol protocol_of(uint8_t number)
{
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		if (protocol_numbers[i] == number)
			return (enum protocol)i;
	BUG("protocol %u has no ports", number);
}

static void add_ports(struct ruleset *rules, struct rule *rule, const struct shape *shape)
{
	static const struct { enum module_id module; enum option_id dport; } own_match[PROTOCOL_COUNT] = {
		[PROTOCOL_TCP] = {MODULE_TCP, OPTION_TCP_DPORT},
		[PROTOCOL_UDP] = {MODULE_UDP, OPTION_UDP_DPORT},
		[PROTOCOL_SCTP] = {MODULE_SCTP, OPTION_SCTP_DPORT},
	};
	struct match *match;
	struct option *option;

	if (!shape->ports || shape->place != PORTS_NOW || all_ports(&shape->ports[0]))
		return;
	if (shape->port_count == 1) {
		enum protocol protocol = protocol_of(shape->protocol);

		match = rule_add_match(rules, rule, own_match[protocol].module);
		option = match_add_option(rules, match, own_match[protocol].dport);
	} else {
		match = rule_add_match(rules, rule, MODULE_MULTIPORT);
		option = match_add_option(rules, match, OPTION_MULTIPORT_DPORTS);
	}
	for (size_t i = 0; i < shape->port_count; i++)
		vec_push(rules->arena, &option->value.ports.ranges, shape->ports[i]);
}

static void add_icmp(struct ruleset *rules, struct rule *rule, const struct icmp_type *icmp)
{
	bool v4 = icmp->family == FAMILY_IPV4;
	struct match *match = rule_add_match(rules, rule, v4 ? MODULE_ICMP : MODULE_ICMP6);
	struct option *option = match_add_option(rules, match, v4 ? OPTION_ICMP_TYPE : OPTION_ICMP6_TYPE);

	option->value.icmp.type = icmp->type;
	option->value.icmp.code = option->value.icmp.code_hi = icmp->code;
}

static void add_hop_limit(struct ruleset *rules, struct rule *rule, unsigned hop_limit)
{
	struct match *match = rule_add_match(rules, rule, MODULE_HL);

	match_add_option(rules, match, OPTION_HL_EQ)->value.number = hop_limit;
}

static void add_sent(struct ruleset *rules, struct match *match, enum option_id id, const struct prefix *prefix)
{
	struct prefix network = prefix_masked(prefix);
	struct option *option = match_add_option(rules, match, id);

	option->value.network.addr = network.addr;
	option->value.network.mask = addr_netmask(network.addr.family, network.length);
}

static void add_conntrack(struct ruleset *rules, struct rule *rule, const struct shape *shape)
{
	bool ports = shape->ports && shape->place == PORTS_AS_SENT && !all_ports(&shape->ports[0]);
	bool sent_from = shape->sent_from && shape->sent_from->length;
	bool sent_to = shape->sent_to && shape->sent_to->length;
	struct match *match;

	if (!shape->established && shape->translation == TRANSLATION_ANY && !ports && !sent_from && !sent_to)
		return;
	match = rule_add_match(rules, rule, MODULE_CONNTRACK);
	if (shape->established)
		match_add_option(rules, match, OPTION_CONNTRACK_CTSTATE)->value.bits = STATE_RELATED | STATE_ESTABLISHED;
	if (shape->translation != TRANSLATION_ANY) {
		struct option *option = match_add_option(rules, match, OPTION_CONNTRACK_CTSTATE);

		option->negated = shape->translation == TRANSLATION_NO;
		option->value.bits = STATE_DNAT;
	}
	if (sent_from)
		add_sent(rules, match, OPTION_CONNTRACK_CTORIGSRC, shape->sent_from);
	if (sent_to)
		add_sent(rules, match, OPTION_CONNTRACK_CTORIGDST, shape->sent_to);
	if (ports) {
		struct option *option = match_add_option(rules, match, OPTION_CONNTRACK_CTORIGDSTPORT);

		vec_push(rules->arena, &option->value.ports.ranges, shape->ports[0]);
	}
	if (ports || sent_from || sent_to)
		match_add_option(rules, match, OPTION_CONNTRACK_CTDIR)->value.number = 0; /* ORIGINAL */
}

static void add_dst_type(struct ruleset *rules, struct rule *rule, bool negated, uint64_t types)
{
	struct match *match = rule_add_match(rules, rule, MODULE_ADDRTYPE);
	struct option *option = match_add_option(rules, match, OPTION_ADDRTYPE_DST_TYPE);

	option->negated = negated;
	option->value.bits = types;
}

static bool may_be_multicast(const struct prefix *destination)
{
	static const struct prefix multicast = {{FAMILY_IPV6, {0xff}}, 8};

	return !destination || prefix_contains(destination, &multicast) || prefix_contains(&multicast, destination);
}

/*
 * Broadcasts, multicasts and subnet anycasts are answered here, too: they are no transit. In IPv6 the types of one
 * match are not alternatives: a set with MULTICAST in it never matches a unicast address (match_type6() of the kernel's
 * xt_addrtype.c), and its negation lets every address of the host by. So MULTICAST stands alone.
 */
static void add_transit(struct ruleset *rules, struct rule *rule, const struct shape *shape)
{
	if (rules->family == FAMILY_IPV4) {
		add_dst_type(rules, rule, true, TYPE_LOCAL | TYPE_BROADCAST | TYPE_MULTICAST);
		return;
	}
	add_dst_type(rules, rule, true, TYPE_LOCAL | TYPE_ANYCAST);
	if (may_be_multicast(shape->destination))
		add_dst_type(rules, rule, true, TYPE_MULTICAST);
}

static void add_locality(struct ruleset *rules, struct rule *rule, const struct shape *shape)
{
	switch (shape->locality) {
	case LOCALITY_ANY:
		return;
	case LOCALITY_HOST:
		add_dst_type(rules, rule, false, TYPE_LOCAL);
		return;
	case LOCALITY_NOT_HOST:
		add_dst_type(rules, rule, true, TYPE_LOCAL);
		return;
	case LOCALITY_TRANSIT:
		add_transit(rules, rule, shape);
		return;
	}
	BUG("locality %d", (int)shape->locality);
}

static void add_limit(struct ruleset *rules, struct rule *rule, const struct log_rule *log)
{
	static const char units[] = {
		[LOG_PER_SECOND] = 's', [LOG_PER_MINUTE] = 'm', [LOG_PER_HOUR] = 'h', [LOG_PER_DAY] = 'd',
	};
	struct match *match = rule_add_match(rules, rule, MODULE_LIMIT);
	struct option *option = match_add_option(rules, match, OPTION_LIMIT_LIMIT);

	option->value.rate.count = log->count;
	option->value.rate.unit = units[log->unit];
	if (log->burst != LIMIT_BURST_DEFAULT)
		match_add_option(rules, match, OPTION_LIMIT_BURST)->value.number = log->burst;
}

static void add_comment(struct ruleset *rules, struct rule *rule, const char *comment)
{
	struct match *match = rule_add_match(rules, rule, MODULE_COMMENT);

	match_add_option(rules, match, OPTION_COMMENT_COMMENT)->value.text = comment;
}

static const char *reject_with(enum family family, const struct shape *shape)
{
	if (shape->has_protocol && shape->protocol == protocol_numbers[PROTOCOL_TCP])
		return "tcp-reset";
	return family == FAMILY_IPV4 ? "icmp-port-unreachable" : "icmp6-port-unreachable";
}

static void set_extension(struct ruleset *rules, struct rule *rule, enum module_id module, enum option_id id,
			  const char *text)
{
	rule->target.kind = TARGET_EXTENSION;
	rule->target.extension.module = module;
	match_add_option(rules, &rule->target.extension, id)->value.text = text;
}

static void set_verdict(struct ruleset *rules, struct rule *rule, const struct shape *shape)
{
	switch (shape->verdict) {
	case VERDICT_RETURN:
		rule->target.kind = TARGET_RETURN;
		return;
	case VERDICT_ACCEPT:
		rule->target.kind = TARGET_ACCEPT;
		return;
	case VERDICT_DROP:
		rule->target.kind = TARGET_DROP;
		return;
	case VERDICT_JUMP:
	case VERDICT_GOTO:
		rule->target.kind = shape->verdict == VERDICT_JUMP ? TARGET_JUMP : TARGET_GOTO;
		rule->target.chain = shape->chain;
		return;
	case VERDICT_REJECT:
		set_extension(rules, rule, MODULE_T_REJECT, OPTION_T_REJECT_WITH, reject_with(rules->family, shape));
		return;
	case VERDICT_LOG:
		set_extension(rules, rule, MODULE_T_LOG, OPTION_T_LOG_PREFIX, shape->log->prefix);
		return;
	}
	BUG("verdict %d", (int)shape->verdict);
}

void shape_add(struct ruleset *rules, struct chain *chain, const struct shape *shape)
{
	struct rule *rule = chain_add_rule(rules, chain);

	rule->span = shape->span;
	if (shape->source)
		rule_set_source(rule, shape->source);
	if (shape->destination)
		rule_set_destination(rule, shape->destination);
	rule->in.name = shape->in;
	rule->out.name = shape->out;
	rule->protocol.present = shape->has_protocol;
	rule->protocol.number = shape->protocol;
	add_ports(rules, rule, shape);
	if (shape->icmp)
		add_icmp(rules, rule, shape->icmp);
	if (shape->hop_limit)
		add_hop_limit(rules, rule, shape->hop_limit);
	add_conntrack(rules, rule, shape);
	add_locality(rules, rule, shape);
	if (shape->log)
		add_limit(rules, rule, shape->log);
	if (shape->comment)
		add_comment(rules, rule, shape->comment);
	set_verdict(rules, rule, shape);
}
