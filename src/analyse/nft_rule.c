/* What a rule in the words of iptables shows, and how that compares. */
#include <peerwall/nft_rule.h>

#include <stdlib.h>
#include <string.h>

void traits_add(struct rule_traits *traits, struct arena *arena, enum trait_kind kind, bool negated, const char *value)
{
	vec_each(trait, &traits->items)
		if (trait->kind == kind && trait->negated == negated && strcmp(trait->value, value) == 0)
			return;
	vec_push(arena, &traits->items, (struct trait){kind, negated, value});
}

const char *traits_ports(const struct port_set *ports, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;

	vec_each(range, &ports->ranges)
		strbuf_addf(&text, "%u-%u,", range->lo, range->hi);
	return strbuf_keep(&text, arena);
}

/* ---- matches ---- */

static void add_network(struct rule_traits *out, enum trait_kind kind, const struct network_match *network, struct arena *arena)
{
	int length = addr_netmask_length(&network->mask);
	char *text = arena_alloc(arena, PREFIX_TEXT_MAX);

	if (!network->present)
		return;
	if (length < 0) {
		out->vague |= 1u << kind;
		return;
	}
	prefix_format(&(struct prefix){network->addr, (uint8_t)length}, text);
	traits_add(out, arena, kind, network->negated, text);
}

static void add_ports(struct rule_traits *out, enum trait_kind kind, const struct option *option, struct arena *arena)
{
	struct port_set set = {0};

	vec_each(range, &option->value.ports.ranges)
		port_set_add(arena, &set, *range);
	port_set_normalise(&set);
	traits_add(out, arena, kind, option->negated, traits_ports(&set, arena));
}

/* The names of bits 0-4 of --ctstate and of --state, in one order with those that nft prints. */
#define PLAIN_STATES 0x1fu

static void add_state(struct rule_traits *out, const struct match *match, struct arena *arena)
{
	const struct option *option = match->options.data;

	/* nft does not print a negation, nor what DNAT and SNAT mean beside a state. */
	if (match->options.len == 1 && (option->id == OPTION_CONNTRACK_CTSTATE || option->id == OPTION_STATE_STATE) &&
	    !option->negated && !(option->value.bits & ~(uint64_t)PLAIN_STATES)) {
		traits_add(out, arena, TRAIT_STATE, false, arena_printf(arena, "%llx", (unsigned long long)option->value.bits));
		return;
	}
	out->vague |= 1u << TRAIT_STATE;
	out->more = true;
}

static void add_type(struct rule_traits *out, const struct match *match, struct arena *arena)
{
	bool source = match->options.len && match->options.data->id == OPTION_ADDRTYPE_SRC_TYPE;
	enum trait_kind kind = source ? TRAIT_SOURCE_TYPE : TRAIT_DESTINATION_TYPE;

	if (match->options.len == 1)
		traits_add(out, arena, kind, match->options.data->negated,
			   arena_printf(arena, "%llx", (unsigned long long)match->options.data->value.bits));
	else
		out->vague |= 1u << TRAIT_SOURCE_TYPE | 1u << TRAIT_DESTINATION_TYPE;
}

static void add_option(struct rule_traits *out, const struct option *option, struct arena *arena)
{
	switch (option->id) {
	case OPTION_TCP_SPORT:
	case OPTION_UDP_SPORT:
	case OPTION_SCTP_SPORT:
	case OPTION_MULTIPORT_SPORTS:
		add_ports(out, TRAIT_SOURCE_PORT, option, arena);
		return;
	case OPTION_TCP_DPORT:
	case OPTION_UDP_DPORT:
	case OPTION_SCTP_DPORT:
	case OPTION_MULTIPORT_DPORTS:
		add_ports(out, TRAIT_DESTINATION_PORT, option, arena);
		return;
	case OPTION_MULTIPORT_PORTS:
		out->vague |= 1u << TRAIT_SOURCE_PORT | 1u << TRAIT_DESTINATION_PORT;
		return;
	default:
		out->more = true;
	}
}

static void add_match(struct rule_traits *out, const struct match *match, struct arena *arena)
{
	switch (match->module) {
	case MODULE_COMMENT:
		return;
	case MODULE_CONNTRACK:
	case MODULE_STATE:
		add_state(out, match, arena);
		return;
	case MODULE_ADDRTYPE:
		add_type(out, match, arena);
		return;
	case MODULE_IPRANGE:
		out->vague |= 1u << TRAIT_SOURCE | 1u << TRAIT_DESTINATION;
		return;
	case MODULE_TCP:
	case MODULE_UDP:
	case MODULE_SCTP:
	case MODULE_MULTIPORT:
		vec_each(option, &match->options)
			add_option(out, option, arena);
		return;
	default:
		out->more = true;
	}
}

/* ---- targets ---- */

/* "dnat 172.18.0.2:8096", "snat [fd00::2-fd00::5]:80-90": brackets where a port follows. */
static const char *nat_text(const char *word, const struct match *target, struct arena *arena)
{
	const struct value *value = target->options.len ? &target->options.data->value : NULL;
	struct strbuf text = STRBUF_EMPTY;
	char address[ADDR_TEXT_MAX];

	strbuf_addf(&text, "%s ", word);
	if (value && value->kind == VALUE_NAT) {
		bool brackets = value->nat.has_addr && value->nat.has_port && value->nat.lo.family == FAMILY_IPV6;

		strbuf_adds(&text, brackets ? "[" : "");
		if (value->nat.has_addr) {
			addr_format(&value->nat.lo, address);
			strbuf_adds(&text, address);
		}
		if (value->nat.has_addr && !addr_equal(&value->nat.lo, &value->nat.hi)) {
			addr_format(&value->nat.hi, address);
			strbuf_addf(&text, "-%s", address);
		}
		strbuf_adds(&text, brackets ? "]" : "");
		if (value->nat.has_port)
			strbuf_addf(&text, ":%u", value->nat.port_lo);
		if (value->nat.has_port && value->nat.port_hi != value->nat.port_lo)
			strbuf_addf(&text, "-%u", value->nat.port_hi);
	}
	return strbuf_keep(&text, arena);
}

static void add_prefix(struct rule_traits *out, const struct match *target, struct arena *arena)
{
	vec_each(option, &target->options)
		if (option->id == OPTION_T_LOG_PREFIX || option->id == OPTION_T_NFLOG_PREFIX)
			traits_add(out, arena, TRAIT_PREFIX, false, option->value.text);
}

static const char *reject_text(const struct match *target)
{
	vec_each(option, &target->options)
		if (option->id == OPTION_T_REJECT_WITH && strcmp(option->value.text, "tcp-reset") == 0)
			return "reject reset";
	return "reject";
}

static const char *connmark_text(const struct match *target)
{
	vec_each(option, &target->options) {
		if (option->id == OPTION_T_CONNMARK_SAVE)
			return "save mark";
		if (option->id == OPTION_T_CONNMARK_RESTORE)
			return "restore mark";
	}
	return "ctmark";
}

/* Targets that nft prints in words of its own; the others by their names. */
static const char *extension_text(const struct match *target, struct arena *arena)
{
	switch (target->module) {
	case MODULE_T_REJECT:
		return reject_text(target);
	case MODULE_T_DNAT:
		return nat_text("dnat", target, arena);
	case MODULE_T_SNAT:
		return nat_text("snat", target, arena);
	case MODULE_T_MASQUERADE:
		return "masquerade";
	case MODULE_T_REDIRECT:
		return "redirect";
	case MODULE_T_LOG:
	case MODULE_T_NFLOG:
		return "log";
	case MODULE_T_TRACE:
		return "trace";
	case MODULE_T_MARK:
		return "mark";
	case MODULE_T_CONNMARK:
		return connmark_text(target);
	case MODULE_T_TCPMSS:
		return "mss";
	case MODULE_T_QUEUE:
	case MODULE_T_NFQUEUE:
		return "queue";
	default:
		return arena_printf(arena, "xt %s", module_name(target));
	}
}

static const char *target_text(const struct target *target, struct arena *arena)
{
	switch (target->kind) {
	case TARGET_NONE:
		return "none";
	case TARGET_ACCEPT:
		return "accept";
	case TARGET_DROP:
		return "drop";
	case TARGET_RETURN:
		return "return";
	case TARGET_JUMP:
		return arena_printf(arena, "jump %s", target->chain);
	case TARGET_GOTO:
		return arena_printf(arena, "goto %s", target->chain);
	case TARGET_EXTENSION:
		break;
	}
	return extension_text(&target->extension, arena);
}

/* ---- the whole ---- */

void traits_of_rule(struct rule_traits *out, const struct rule *rule, struct arena *arena)
{
	*out = (struct rule_traits){0};
	if (rule->opaque) {
		out->vague = ~0u;
		out->more = true;
		return;
	}
	if (rule->in.name && strcmp(rule->in.name, "+") != 0)
		traits_add(out, arena, TRAIT_IN, rule->in.negated, rule->in.name);
	if (rule->out.name && strcmp(rule->out.name, "+") != 0)
		traits_add(out, arena, TRAIT_OUT, rule->out.negated, rule->out.name);
	add_network(out, TRAIT_SOURCE, &rule->source, arena);
	add_network(out, TRAIT_DESTINATION, &rule->destination, arena);
	if (rule->protocol.present)
		traits_add(out, arena, TRAIT_PROTOCOL, rule->protocol.negated, arena_printf(arena, "%u", rule->protocol.number));
	out->more |= rule->fragment != FRAGMENT_NONE;
	vec_each(match, &rule->matches)
		add_match(out, match, arena);
	traits_add(out, arena, TRAIT_TARGET, false, target_text(&rule->target, arena));
	if (rule->target.kind == TARGET_EXTENSION)
		add_prefix(out, &rule->target.extension, arena);
}

static bool has(const struct rule_traits *traits, const struct trait *wanted)
{
	vec_each(trait, &traits->items)
		if (trait->kind == wanted->kind && trait->negated == wanted->negated && strcmp(trait->value, wanted->value) == 0)
			return true;
	return false;
}

static bool has_all(const struct rule_traits *traits, const struct rule_traits *wanted, unsigned vague)
{
	vec_each(trait, &wanted->items)
		if (!(vague >> trait->kind & 1) && !has(traits, trait))
			return false;
	return true;
}

enum likeness traits_compare(const struct rule_traits *a, const struct rule_traits *b)
{
	unsigned vague = a->vague | b->vague;

	if (!has_all(a, b, vague) || !has_all(b, a, vague))
		return LIKENESS_NONE;
	return a->vague == b->vague && a->more == b->more ? LIKENESS_SAME : LIKENESS_MAYBE;
}
