#include <peerwall/traverse.h>

#include <peerwall/bug.h>

#include <string.h>

/* nft allows 16 levels of chains and legacy as many as there are chains; a circle is refused by both. */
#define DEPTH_MAX 400
/* Rules looked at in one traversal. Chains that are called from everywhere are gone through again and again. */
#define STEPS_MAX 20000000u

#define FLAG_FIN 0x01u
#define FLAG_SYN 0x02u
#define FLAG_RST 0x04u
#define FLAG_ACK 0x10u
#define OPENING_FLAGS (FLAG_FIN | FLAG_SYN | FLAG_RST | FLAG_ACK)

#define NUMBER_TCP 6
#define NUMBER_ICMPV6 58

struct walk {
	struct packet_space *space;
	struct journey *journey;
	const struct ruleset *ruleset;
	struct vantage vantage;
	enum traverse_scope scope;
	enum table_id table; /* of the chains that are walked now */
	uint32_t reached;    /* what came to the rule that is looked at */
	uint32_t accepted, dropped;
	uint32_t untracked;       /* of raw: what may have been taken out of connection tracking */
	uint32_t surely_untracked;
	uint32_t translated;      /* of nat */
	unsigned depth;
	unsigned steps;
};

/* ---- what can arrive ---- */

/* RFC 1112, 919, 1122; RFC 4291. */
static const struct {
	struct prefix prefix;
	enum destination_type type;
} fixed_types[] = {
	{{{FAMILY_IPV4, {224}}, 4}, TYPE_MULTICAST},
	{{{FAMILY_IPV4, {127}}, 8}, TYPE_LOCAL},
	{{{FAMILY_IPV4, {255, 255, 255, 255}}, 32}, TYPE_BROADCAST},
	{{{FAMILY_IPV6, {0xff}}, 8}, TYPE_MULTICAST},
	{{{FAMILY_IPV6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, 128}, TYPE_LOCAL},
};

/* Types that conntrack leaves alone: nf_conntrack_icmpv6_error() of net/netfilter/nf_conntrack_proto_icmpv6.c. */
static const uint8_t untracked_icmpv6[] = {130, 131, 132, 133, 134, 135, 136, 137, 143};

void traverse_mention(struct packet_space *space)
{
	for (size_t i = 0; i < sizeof fixed_types / sizeof *fixed_types; i++) {
		struct addr_range range = prefix_to_range(&fixed_types[i].prefix);

		if (fixed_types[i].prefix.addr.family == space->family)
			packet_space_mention(space, FIELD_DST, range.lo, range.hi);
	}
	packet_space_mention(space, FIELD_PROTOCOL, NUMBER_TCP, NUMBER_TCP);
	packet_space_mention(space, FIELD_PROTOCOL, NUMBER_ICMPV6, NUMBER_ICMPV6);
	for (size_t i = 0; i < sizeof untracked_icmpv6; i++)
		packet_space_mention(space, FIELD_ICMP, (addr_number)untracked_icmpv6[i] << 8,
				     (addr_number)untracked_icmpv6[i] << 8 | 0xff);
}

static uint32_t of_type(struct packet_space *space, enum destination_type type)
{
	return packets_range(space, FIELD_TYPE, type, type);
}

static uint32_t to_host(struct packet_space *space)
{
	return packets_range(space, FIELD_OUT, OUT_HOST, OUT_HOST);
}

uint32_t traverse_arriving(struct packet_space *space)
{
	uint32_t all = space->all, multicast = DIAGRAM_NONE;
	uint32_t unicast = of_type(space, TYPE_UNICAST), delivered;

	for (size_t i = 0; i < sizeof fixed_types / sizeof *fixed_types; i++) {
		struct addr_range range = prefix_to_range(&fixed_types[i].prefix);
		uint32_t packets;

		if (fixed_types[i].prefix.addr.family != space->family)
			continue;
		packets = packets_range(space, FIELD_DST, range.lo, range.hi);
		all = packets_minus(space, all, packets_minus(space, packets, of_type(space, fixed_types[i].type)));
		if (fixed_types[i].type == TYPE_MULTICAST)
			multicast = packets;
	}
	all = packets_minus(space, all, packets_minus(space, of_type(space, TYPE_MULTICAST), multicast));
	all = packets_minus(space, all,
			    of_type(space, space->family == FAMILY_IPV4 ? TYPE_ANYCAST : TYPE_BROADCAST));
	/* Multicasts may be delivered and routed; the others are one or the other. */
	delivered = packets_minus(space, packets_minus(space, all, unicast), of_type(space, TYPE_MULTICAST));
	all = packets_minus(space, all, packets_and(space, unicast, to_host(space)));
	all = packets_minus(space, all, packets_minus(space, delivered, to_host(space)));
	/* Marks belong to the host. */
	return packets_and(space, all, packets_masked(space, FIELD_MARK, UINT32_MAX, 0));
}

/* ---- targets ---- */

enum effect {
	EFFECT_NONE,      /* the packet goes on, unchanged */
	EFFECT_ACCEPT,
	EFFECT_DROP,
	EFFECT_RETURN,
	EFFECT_JUMP,
	EFFECT_GOTO,
	EFFECT_MARK,
	EFFECT_HOPS,      /* it has another time to live from here on */
	EFFECT_CONNMARK,
	EFFECT_NOTRACK,
	EFFECT_TRANSLATE,
	EFFECT_UNKNOWN,   /* anything */
};

/* Those that iptables-extensions(8) says to end nothing and change nothing that any match here asks for. */
static enum effect extension_effect(const struct match *target)
{
	switch (target->module) {
	case MODULE_T_LOG:
	case MODULE_T_NFLOG:
	case MODULE_T_TRACE:
	case MODULE_T_TCPMSS:
	case MODULE_T_CHECKSUM:
	case MODULE_T_CLASSIFY:
	case MODULE_T_DSCP:
	case MODULE_T_TOS:
	case MODULE_T_TEE:
	case MODULE_T_AUDIT:
	case MODULE_T_ECN:
	case MODULE_T_CONNSECMARK:
		return EFFECT_NONE;
	case MODULE_T_SET:
		vec_each(option, &target->options)
			if (option->id == OPTION_T_SET_MAP)
				return EFFECT_UNKNOWN;
		return EFFECT_NONE;
	case MODULE_T_CT:
		vec_each(option, &target->options)
			if (option->id == OPTION_T_CT_NOTRACK)
				return EFFECT_NOTRACK;
		return EFFECT_NONE;
	case MODULE_T_NOTRACK:
		return EFFECT_NOTRACK;
	case MODULE_T_REJECT:
		return EFFECT_DROP;
	case MODULE_T_MARK:
		return EFFECT_MARK;
	case MODULE_T_TTL:
	case MODULE_T_HL:
		return EFFECT_HOPS;
	case MODULE_T_CONNMARK:
		return EFFECT_CONNMARK;
	case MODULE_T_DNAT:
	case MODULE_T_REDIRECT:
	case MODULE_T_NETMAP:
		return EFFECT_TRANSLATE;
	case MODULE_T_SNAT:
	case MODULE_T_MASQUERADE:
		return EFFECT_ACCEPT;
	default:
		return EFFECT_UNKNOWN;
	}
}

static enum effect rule_effect(const struct rule *rule)
{
	if (rule->opaque)
		return EFFECT_UNKNOWN;
	switch (rule->target.kind) {
	case TARGET_NONE:
		return EFFECT_NONE;
	case TARGET_ACCEPT:
		return EFFECT_ACCEPT;
	case TARGET_DROP:
		return EFFECT_DROP;
	case TARGET_RETURN:
		return EFFECT_RETURN;
	case TARGET_JUMP:
		return EFFECT_JUMP;
	case TARGET_GOTO:
		return EFFECT_GOTO;
	case TARGET_EXTENSION:
		return extension_effect(&rule->target.extension);
	}
	BUG("target %d", (int)rule->target.kind);
}

static const struct option *target_option(const struct rule *rule, enum option_id id)
{
	vec_each(option, &rule->target.extension.options)
		if (option->id == id)
			return option;
	return NULL;
}

static uint32_t set_mark(struct walk *walk, uint32_t packets, const struct rule *rule)
{
	const struct option *option = target_option(rule, OPTION_T_MARK_SET_XMARK);

	if (!option)
		return packets_forget_mark(walk->space, packets, UINT32_MAX);
	return packets_set_mark(walk->space, packets, (uint32_t)option->value.masked.mask,
				(uint32_t)option->value.masked.value);
}

static bool restores_mark(const struct walk *walk, const struct rule *rule)
{
	return target_option(rule, OPTION_T_CONNMARK_RESTORE) && walk->vantage.tracking == TRACKING_NEW &&
	       !walk->vantage.before_tracking;
}

/* A new connection's mark is zero unless some rule sets it. */
static uint32_t restore_mark(struct walk *walk, uint32_t packets, const struct rule *rule)
{
	const struct option *option = target_option(rule, OPTION_T_CONNMARK_NFMASK);
	uint32_t mask = option ? (uint32_t)option->value.number : UINT32_MAX;

	if (!restores_mark(walk, rule))
		return packets;
	return walk->space->connmarks_change ? packets_forget_mark(walk->space, packets, UINT32_MAX) :
					       packets_set_mark(walk->space, packets, mask, 0);
}

/* ---- destination NAT ---- */

/* What a rule makes of a destination; without limits it stays as it was. */
struct rewriting {
	bool changes_dst, changes_dport;
	bool local; /* it becomes one of the host's */
	bool unknown;
	addr_number dst_lo, dst_hi, dport_lo, dport_hi;
};

static struct rewriting rewriting_of(const struct rule *rule)
{
	struct rewriting rewriting = {0};
	const struct option *option;

	if (rule->opaque || rule->target.kind != TARGET_EXTENSION)
		return (struct rewriting){.unknown = true};
	switch (rule->target.extension.module) {
	case MODULE_T_DNAT:
		option = target_option(rule, OPTION_T_DNAT_TO);
		if (!option)
			return (struct rewriting){.unknown = true};
		rewriting.changes_dst = option->value.nat.has_addr;
		if (rewriting.changes_dst) {
			rewriting.dst_lo = addr_to_number(&option->value.nat.lo);
			rewriting.dst_hi = addr_to_number(&option->value.nat.hi);
		}
		rewriting.changes_dport = option->value.nat.has_port;
		rewriting.dport_lo = option->value.nat.port_lo;
		rewriting.dport_hi = option->value.nat.port_hi;
		return rewriting;
	case MODULE_T_REDIRECT:
		option = target_option(rule, OPTION_T_REDIRECT_TO_PORTS);
		rewriting.local = true;
		rewriting.changes_dport = option != NULL;
		if (option) {
			rewriting.dport_lo = option->value.range.lo;
			rewriting.dport_hi = option->value.range.hi;
		}
		return rewriting;
	default:
		return (struct rewriting){.unknown = true};
	}
}

static uint32_t translate(struct walk *walk, uint32_t packets, const struct rewriting *rewriting)
{
	struct packet_space *space = walk->space;
	uint32_t made = packets_forget(space, packets, FIELD_OUT), loopback;

	if (rewriting->unknown)
		return made;
	if (rewriting->local)
		made = packets_and(space, made, to_host(space));
	else
		made = packets_and(space, made,
				   rewriting->changes_dst ?
					   packets_range(space, FIELD_NEW_DST, rewriting->dst_lo, rewriting->dst_hi) :
					   packets_untouched(space, FIELD_DST, FIELD_NEW_DST));
	made = packets_and(space, made,
			   rewriting->changes_dport ?
				   packets_range(space, FIELD_NEW_DPORT, rewriting->dport_lo, rewriting->dport_hi) :
				   packets_untouched(space, FIELD_DPORT, FIELD_NEW_DPORT));
	for (size_t i = 0; i < sizeof fixed_types / sizeof *fixed_types; i++)
		if (fixed_types[i].type == TYPE_LOCAL && fixed_types[i].prefix.addr.family == space->family) {
			struct addr_range range = prefix_to_range(&fixed_types[i].prefix);

			loopback = packets_range(space, FIELD_NEW_DST, range.lo, range.hi);
			made = packets_minus(space, made, packets_minus(space, loopback, to_host(space)));
		}
	return made;
}

/* Those that the rewriting leaves as they were: for connection tracking these are not translated at all. */
static uint32_t left_alone(struct walk *walk, uint32_t packets, const struct rewriting *rewriting)
{
	struct packet_space *space = walk->space;

	if (rewriting->changes_dst)
		packets = packets_and(space, packets,
				      packets_range(space, FIELD_DST, rewriting->dst_lo, rewriting->dst_hi));
	if (rewriting->local)
		packets = packets_and(space, packets, of_type(space, TYPE_LOCAL));
	if (rewriting->changes_dport)
		packets = packets_and(space, packets,
				      packets_range(space, FIELD_DPORT, rewriting->dport_lo, rewriting->dport_hi));
	return packets;
}

static void take_translation(struct walk *walk, uint32_t packets, const struct rule *rule)
{
	struct packet_space *space = walk->space;
	struct rewriting rewriting = rewriting_of(rule);
	uint32_t made = translate(walk, packets, &rewriting), same = left_alone(walk, packets, &rewriting);
	bool certain = !rewriting.unknown && !rewriting.local && rewriting.dst_lo == rewriting.dst_hi &&
		       rewriting.dport_lo == rewriting.dport_hi;

	walk->accepted = packets_or(space, walk->accepted, same);
	if (certain)
		made = packets_minus(space, made, packets_forget(space, same, FIELD_OUT));
	walk->translated = packets_or(space, walk->translated, made);
}

/* ---- chains ---- */

static void record(struct walk *walk, enum event_kind kind, const struct chain *chain, const struct rule *rule,
		   uint32_t packets, bool exact)
{
	if (packets != DIAGRAM_NONE)
		vec_push(walk->space->arena, &walk->journey->events,
			 (struct event){.kind = kind, .table = walk->table, .hook = walk->vantage.hook, .chain = chain,
					.rule = rule, .packets = packets, .reached = walk->reached, .exact = exact,
					.translated = walk->vantage.translated});
}

/* Of a rule behind which the packets go on: of interest only to who asks for every rule. */
static void record_passing(struct walk *walk, enum event_kind kind, const struct chain *chain, const struct rule *rule,
			   uint32_t packets, bool exact)
{
	if (walk->scope == TRAVERSE_EVERY_RULE)
		record(walk, kind, chain, rule, packets, exact);
}

static void take_accept(struct walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
			bool exact)
{
	record(walk, EVENT_ACCEPT, chain, rule, packets, exact);
	walk->accepted = packets_or(walk->space, walk->accepted, packets);
}

static void take_drop(struct walk *walk, const struct chain *chain, const struct rule *rule, uint32_t packets,
		      bool exact)
{
	record(walk, EVENT_DROP, chain, rule, packets, exact);
	walk->dropped = packets_or(walk->space, walk->dropped, packets);
}

static uint32_t walk_chain(struct walk *walk, const struct chain *chain, uint32_t packets);

static uint32_t walk_into(struct walk *walk, const char *name, uint32_t packets)
{
	const struct chain *chain = table_find_chain(&walk->ruleset->tables[walk->table], name, strlen(name));
	uint32_t returned;

	if (!chain || walk->depth == DEPTH_MAX) {
		walk->journey->gave_up = true;
		return DIAGRAM_NONE;
	}
	walk->depth++;
	returned = walk_chain(walk, chain, packets);
	walk->depth--;
	return returned;
}

/* What `hit` of the packets become; what goes on behind the rule is added to `rest`, what leaves the chain to `returned`. */
static void take_rule(struct walk *walk, const struct chain *chain, const struct rule *rule, uint32_t hit, bool exact,
		      uint32_t *rest, uint32_t *returned)
{
	struct packet_space *space = walk->space;

	switch (rule_effect(rule)) {
	case EFFECT_ACCEPT:
		take_accept(walk, chain, rule, hit, exact);
		return;
	case EFFECT_DROP:
		take_drop(walk, chain, rule, hit, exact);
		return;
	case EFFECT_RETURN:
		record(walk, EVENT_RETURN, chain, rule, hit, exact);
		*returned = packets_or(space, *returned, hit);
		return;
	case EFFECT_JUMP:
		record_passing(walk, EVENT_JUMP, chain, rule, hit, exact);
		*rest = packets_or(space, *rest, walk_into(walk, rule->target.chain, hit));
		return;
	case EFFECT_GOTO:
		record_passing(walk, EVENT_JUMP, chain, rule, hit, exact);
		*returned = packets_or(space, *returned, walk_into(walk, rule->target.chain, hit));
		return;
	case EFFECT_MARK:
		record_passing(walk, EVENT_CHANGE, chain, rule, hit, exact && target_option(rule, OPTION_T_MARK_SET_XMARK));
		*rest = packets_or(space, *rest, set_mark(walk, hit, rule));
		return;
	case EFFECT_HOPS:
		record_passing(walk, EVENT_CHANGE, chain, rule, hit, exact);
		/* The rules that these packets meet from here on are all looked at later. */
		walk->vantage.hops_changed = true;
		*rest = packets_or(space, *rest, hit);
		return;
	case EFFECT_CONNMARK:
		record_passing(walk, EVENT_CHANGE, chain, rule, hit,
			       exact && !(space->connmarks_change && restores_mark(walk, rule)));
		*rest = packets_or(space, *rest, restore_mark(walk, hit, rule));
		return;
	case EFFECT_NOTRACK:
		record_passing(walk, EVENT_CHANGE, chain, rule, hit, exact);
		walk->untracked = packets_or(space, walk->untracked, packets_forget_mark(space, hit, UINT32_MAX));
		if (exact)
			walk->surely_untracked = packets_or(space, walk->surely_untracked, hit);
		*rest = packets_or(space, *rest, hit);
		return;
	case EFFECT_TRANSLATE:
		record(walk, EVENT_TRANSLATE, chain, rule, hit, exact);
		take_translation(walk, hit, rule);
		return;
	case EFFECT_UNKNOWN:
		walk->vantage.hops_changed = true;
		if (walk->table == TABLE_NAT) {
			record(walk, EVENT_TRANSLATE, chain, rule, hit, false);
			take_translation(walk, hit, rule);
		}
		take_accept(walk, chain, rule, hit, false);
		take_drop(walk, chain, rule, hit, false);
		*rest = packets_or(space, *rest, packets_forget_mark(space, hit, UINT32_MAX));
		return;
	case EFFECT_NONE:
		record_passing(walk, EVENT_PASS, chain, rule, hit, exact);
		*rest = packets_or(space, *rest, hit);
		return;
	}
	BUG("effect of a rule");
}

/* What comes out at the chain's end, or by RETURN. */
static uint32_t walk_chain(struct walk *walk, const struct chain *chain, uint32_t packets)
{
	struct packet_space *space = walk->space;
	uint32_t returned = DIAGRAM_NONE;

	vec_each(rule, &chain->rules) {
		struct matched matched;
		uint32_t hit;

		if (packets == DIAGRAM_NONE || walk->journey->gave_up)
			break;
		if (++walk->steps > STEPS_MAX) {
			walk->journey->gave_up = true;
			break;
		}
		if (rule_effect(rule) == EFFECT_NONE && walk->scope != TRAVERSE_EVERY_RULE)
			continue;
		matched = rule_packets(space, rule, &walk->vantage);
		hit = packets_and(space, packets, matched.packets);
		if (hit == DIAGRAM_NONE)
			continue;
		walk->reached = packets;
		if (matched.exact)
			packets = packets_minus(space, packets, matched.packets);
		take_rule(walk, chain, rule, hit, matched.exact, &packets, &returned);
	}
	return packets_or(space, packets, returned);
}

/* ---- tables ---- */

/* What the table lets go on. */
static uint32_t pass_table(struct walk *walk, enum table_id id, enum hook hook, uint32_t packets)
{
	const struct chain *chain = table_find_chain(&walk->ruleset->tables[id], hook_names[hook], strlen(hook_names[hook]));
	enum passage passage = walk->vantage.translated ? PASSAGE_TRANSLATED : PASSAGE_AS_SENT;
	uint32_t *dropped = &walk->journey->dropped[passage], rest;

	if (!chain || packets == DIAGRAM_NONE)
		return packets;
	walk->table = id;
	walk->vantage.hook = hook;
	walk->accepted = walk->dropped = DIAGRAM_NONE;
	rest = walk->reached = walk_chain(walk, chain, packets);
	if (chain->policy_drop)
		take_drop(walk, chain, NULL, rest, true);
	else
		take_accept(walk, chain, NULL, rest, true);
	*dropped = packets_or(walk->space, *dropped, packets_forget(walk->space, walk->dropped, FIELD_MARK));
	return walk->accepted;
}

static uint32_t pass_hook(struct walk *walk, enum hook hook, uint32_t packets)
{
	static const enum table_id tables[] = {TABLE_MANGLE, TABLE_FILTER, TABLE_SECURITY};

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (tables[i] == TABLE_FILTER && walk->scope == TRAVERSE_OWN_TABLES)
			packets = packets_forget_mark(walk->space, packets, UINT32_MAX);
		else
			packets = pass_table(walk, tables[i], hook, packets);
	return packets;
}

/* From the routing decision on. */
static void pass_on(struct walk *walk, uint32_t packets, bool translated)
{
	struct packet_space *space = walk->space;
	uint32_t *accepted = &walk->journey->accepted[translated ? PASSAGE_TRANSLATED : PASSAGE_AS_SENT];
	uint32_t host = to_host(space), delivered, forwarded;

	walk->vantage.translated = translated;
	delivered = pass_hook(walk, HOOK_INPUT, packets_and(space, packets, host));
	forwarded = pass_hook(walk, HOOK_FORWARD, packets_minus(space, packets, host));
	forwarded = pass_table(walk, TABLE_MANGLE, HOOK_POSTROUTING, forwarded);
	*accepted = packets_forget(space, packets_or(space, delivered, forwarded), FIELD_MARK);
}

/* ---- the way ---- */

static uint32_t never_tracked(struct packet_space *space)
{
	uint32_t packets = DIAGRAM_NONE;

	if (space->family != FAMILY_IPV6)
		return packets;
	for (size_t i = 0; i < sizeof untracked_icmpv6; i++)
		packets = packets_or(space, packets,
				     packets_range(space, FIELD_ICMP, (addr_number)untracked_icmpv6[i] << 8,
						   (addr_number)untracked_icmpv6[i] << 8 | 0xff));
	return packets_and(space, packets, packets_range(space, FIELD_PROTOCOL, NUMBER_ICMPV6, NUMBER_ICMPV6));
}

/* tcp_new() of nf_conntrack_proto_tcp.c: a SYN begins a connection, and an ACK takes up one that was not seen to begin. */
static uint32_t cannot_begin(struct packet_space *space)
{
	uint32_t syn = packets_masked(space, FIELD_FLAGS, OPENING_FLAGS, FLAG_SYN);
	uint32_t ack = packets_masked(space, FIELD_FLAGS, OPENING_FLAGS, FLAG_ACK);

	return packets_minus(space, packets_range(space, FIELD_PROTOCOL, NUMBER_TCP, NUMBER_TCP),
			     packets_or(space, syn, ack));
}

/* Of what has passed raw, the packets of the state. */
static uint32_t of_state(struct walk *walk, uint32_t packets)
{
	struct packet_space *space = walk->space;
	uint32_t never = packets_and(space, packets, never_tracked(space));

	switch (walk->vantage.tracking) {
	case TRACKING_UNTRACKED:
		return packets_or(space, packets_and(space, packets, walk->untracked), never);
	case TRACKING_NEW:
		packets = packets_minus(space, packets, cannot_begin(space));
		break;
	case TRACKING_INVALID:
		break;
	}
	return packets_minus(space, packets_minus(space, packets, walk->surely_untracked), never);
}

void traverse(struct journey *out, struct packet_space *space, const struct ruleset *ruleset, const char *in,
	      enum tracking tracking, uint32_t arriving, enum traverse_scope scope)
{
	struct walk walk = {.space = space, .journey = out, .ruleset = ruleset, .scope = scope,
			    .vantage = {.in = in, .tracking = tracking, .before_tracking = true}};
	uint32_t packets;

	*out = (struct journey){0};
	if (scope != TRAVERSE_OWN_TABLES)
		packets = pass_table(&walk, TABLE_RAW, HOOK_PREROUTING, arriving);
	else
		packets = walk.untracked = arriving;
	packets = of_state(&walk, packets);
	walk.vantage.before_tracking = false;
	packets = pass_table(&walk, TABLE_MANGLE, HOOK_PREROUTING, packets);
	if (tracking == TRACKING_NEW && scope != TRAVERSE_OWN_TABLES)
		packets = pass_table(&walk, TABLE_NAT, HOOK_PREROUTING, packets);
	else if (tracking == TRACKING_NEW)
		walk.translated = packets_forget(space, packets_forget(space, packets, FIELD_OUT), FIELD_MARK);
	pass_on(&walk, packets, false);
	if (walk.translated != DIAGRAM_NONE)
		pass_on(&walk, walk.translated, true);
}
