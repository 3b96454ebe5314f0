#include "flows.h"
#include "rule_shape.h"

#include <peerwall/bug.h>
#include <peerwall/lower.h>

#include <stdio.h>
#include <string.h>

/* The roles of an interface's chains: see docs/lowering.md for what each does in which table. */
#define ROLE_MAIN ""       /* what arrives by the interface (mangle), what is for this host (filter, security) */
#define ROLE_INPUT "in"    /* what arrived by it and is for this host after all (mangle) */
#define ROLE_FORWARD "fwd" /* what arrived by it and is forwarded */
#define ROLE_OUT "out"     /* what others send out by it */

/* Shared chains are numbered in 4 digits at the most, see own_names.c. */
#define SHARED_MAX 9999

/* One interface and family on its way into rules. */
struct lowering {
	struct arena *arena;
	struct ruleset *rules;
	const char *interface;
	const struct interface_policy *block;
	struct flows flows;
	struct span span;
	unsigned shared; /* how many shared chains there are */
};

/* The chain that is being written, and how its permissions are spoken. */
struct target_chain {
	struct chain *chain;
	struct table *table;
	enum verdict pass;   /* what a permission does */
};

static struct target_chain open_chain(struct lowering *lowering, enum table_id id, const char *role, enum verdict pass)
{
	struct table *table = ruleset_table(lowering->rules, id);
	const char *name = own_chain_name(lowering->arena, lowering->interface, role);

	return (struct target_chain){table_add_chain(lowering->rules, table, name, strlen(name)), table, pass};
}

static void add(struct lowering *lowering, struct target_chain *to, struct shape shape)
{
	if (!shape.span.hi)
		shape.span = lowering->span;
	shape_add(lowering->rules, to->chain, &shape);
}

static enum family family_of(const struct lowering *lowering)
{
	return lowering->rules->family;
}

static void add_established(struct lowering *lowering, struct target_chain *to)
{
	add(lowering, to, (struct shape){.established = true, .verdict = to->pass});
}

/*
 * RFC 4861: neighbour discovery is believed only with a hop limit of 255, which no router passes on. RFC 4890, 4.4.1:
 * it must not be filtered on links that have it; nor may the multicast listener queries of a switch,
 * without which it forgets where to send solicitations.
 */
static void add_neighbour_discovery(struct lowering *lowering, struct target_chain *to)
{
	static const uint8_t types[] = {133, 134, 135, 136};
	static const struct prefix link_local = {{FAMILY_IPV6, {0xfe, 0x80}}, 10};
	struct icmp_type icmp = {.family = FAMILY_IPV6, .code = -1};
	struct shape shape = {.has_protocol = true, .protocol = PROTOCOL_ICMPV6, .icmp = &icmp, .verdict = to->pass};

	if (family_of(lowering) != FAMILY_IPV6)
		return;
	shape.hop_limit = 255;
	for (size_t i = 0; i < sizeof types; i++) {
		icmp.type = types[i];
		add(lowering, to, shape);
	}
	icmp.type = 130;
	shape.hop_limit = 0;
	shape.source = &link_local;
	add(lowering, to, shape);
}

/* ---- one flow ---- */

/* A list of prefixes, or the single "any" that says nothing. */
static struct prefix_list prefixes_of(struct lowering *lowering, const struct addr_set *set)
{
	struct prefix_list list = {0};

	if (set)
		addr_set_prefixes(lowering->arena, set, &list);
	else
		vec_push(lowering->arena, &list.items, (struct prefix){{.family = family_of(lowering)}, 0});
	return list;
}

/* The first ports of the rest that fit one rule. */
static size_t chunk_size(const struct port_set *ports, size_t from, enum port_place place)
{
	size_t size = 0, slots = 0;

	if (place == PORTS_AS_SENT)
		return 1;
	for (size_t i = from; i < ports->ranges.len; i++, size++) {
		slots += ports->ranges.data[i].lo == ports->ranges.data[i].hi ? 1 : 2;
		if (slots > MULTIPORT_SLOTS)
			break;
	}
	return size;
}

/*
 * iptables-nft hooks security INPUT behind nat INPUT (priority 150 and 100; the kernel's own table is at 50), so there
 * somebody's SNAT may have given the packet a peer's address. What is for this host is told by the source it was sent from.
 */
static void set_source(struct shape *shape, const struct target_chain *to, const struct prefix *source, bool for_host)
{
	if (for_host && to->table->id == TABLE_SECURITY)
		shape->sent_from = source;
	else
		shape->source = source;
}

/* One rule for each prefix on either side and each chunk of ports; `shape` says the rest. */
static void add_pairs(struct lowering *lowering, struct target_chain *to, struct shape shape,
		      const struct prefix_list *sources, const struct prefix_list *destinations,
		      const struct port_set *ports)
{
	vec_each(source, &sources->items)
		vec_each(destination, &destinations->items) {
			size_t at = 0;

			set_source(&shape, to, source, shape.place == PORTS_AS_SENT);
			if (shape.place == PORTS_AS_SENT)
				shape.sent_to = destination;
			else
				shape.destination = destination;
			if (!ports) {
				add(lowering, to, shape);
				continue;
			}
			while (at < ports->ranges.len) {
				shape.ports = &ports->ranges.data[at];
				shape.port_count = chunk_size(ports, at, shape.place);
				add(lowering, to, shape);
				at += shape.port_count;
			}
		}
}

/*
 * Where the peers of a class are many and its ports, too, the ports get a chain of their own that all of them share: a
 * sum of rules in place of a product. Only for ACCEPT, which ends the walk from wherever it is said.
 */
static bool shares_ports(const struct lowering *lowering, const struct target_chain *to, const struct shape *shape,
			 size_t pairs, size_t ports)
{
	return to->pass == VERDICT_ACCEPT && shape->place == PORTS_AS_SENT && lowering->shared < SHARED_MAX &&
	       pairs * ports > pairs + ports;
}

static void add_shared(struct lowering *lowering, struct target_chain *to, struct shape shape,
		       const struct prefix_list *sources, const struct prefix_list *destinations,
		       const struct port_set *ports)
{
	char role[8];
	struct target_chain shared;
	const char *parent = to->chain->name;

	snprintf(role, sizeof role, "%u", ++lowering->shared);
	shared = open_chain(lowering, to->table->id, role, to->pass);
	shape.verdict = to->pass;
	vec_each(range, &ports->ranges)
		add(lowering, &shared,
		    (struct shape){.span = shape.span, .has_protocol = true, .protocol = shape.protocol,
				   .place = PORTS_AS_SENT, .ports = range, .port_count = 1, .verdict = to->pass});
	shape.verdict = VERDICT_JUMP;
	shape.chain = shared.chain->name;
	/* Adding a chain may have moved the parent. */
	to->chain = table_find_chain(to->table, parent, strlen(parent));
	add_pairs(lowering, to, shape, sources, destinations, NULL);
}

static void add_flow(struct lowering *lowering, struct target_chain *to, const struct flow *flow, struct shape shape)
{
	struct prefix_list destinations = prefixes_of(lowering, flow->has_to ? &flow->to : NULL);
	struct prefix_list anyone = prefixes_of(lowering, &flow->any);

	shape.verdict = to->pass;
	shape.span = flow->span;
	if (anyone.items.len)
		add_pairs(lowering, to, shape, &anyone, &destinations, NULL);
	for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
		shape.has_protocol = true;
		shape.protocol = protocol_numbers[protocol];
		vec_each(class, &flow->classes[protocol].items) {
			struct prefix_list sources = prefixes_of(lowering, &class->peers);

			shape.span = class->span;
			if (shares_ports(lowering, to, &shape, sources.items.len * destinations.items.len,
					 class->ports.ranges.len))
				add_shared(lowering, to, shape, &sources, &destinations, &class->ports);
			else
				add_pairs(lowering, to, shape, &sources, &destinations, &class->ports);
		}
	}
}

static void add_flows(struct lowering *lowering, struct target_chain *to, const struct flow_list *flows,
		      struct shape shape)
{
	vec_each(flow, &flows->items)
		add_flow(lowering, to, flow, shape);
}

/* ---- the parts of a chain ---- */

/* `shape` says what else must hold. */
static void add_icmp(struct lowering *lowering, struct target_chain *to, struct shape shape)
{
	bool v4 = family_of(lowering) == FAMILY_IPV4;

	vec_each(flow, &lowering->flows.icmp) {
		struct prefix_list sources = prefixes_of(lowering, &flow->from);

		shape.span = flow->span;
		shape.has_protocol = true;
		shape.protocol = v4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
		shape.icmp = &flow->type;
		shape.verdict = to->pass;
		vec_each(source, &sources.items) {
			set_source(&shape, to, source, true);
			add(lowering, to, shape);
		}
	}
}

/* What was sent to this host, by what it was sent to: good at any hook behind conntrack. */
static void add_host_permissions(struct lowering *lowering, struct target_chain *to)
{
	add_neighbour_discovery(lowering, to);
	add_flows(lowering, to, &lowering->flows.exposed, (struct shape){.place = PORTS_AS_SENT});
	add_icmp(lowering, to, (struct shape){.locality = LOCALITY_ANY});
}

/* Forwarded connections that entered by our interface, go where they were sent, and leave by the far interface. */
static void add_forwards_in(struct lowering *lowering, struct target_chain *to)
{
	vec_each(flow, &lowering->flows.in.items)
		add_flow(lowering, to, flow, (struct shape){.translation = TRANSLATION_NO, .out = flow->far});
}

static void add_forwards_out(struct lowering *lowering, struct target_chain *to)
{
	vec_each(flow, &lowering->flows.out.items)
		add_flow(lowering, to, flow, (struct shape){.in = flow->far});
}

static bool is_exposing(const struct lowering *lowering)
{
	return lowering->flows.exposed.items.len > 0;
}

static bool is_forwarding(const struct lowering *lowering)
{
	return lowering->flows.in.items.len || lowering->flows.out.items.len;
}

/* ---- logging ---- */

static void add_log(struct lowering *lowering, struct target_chain *to, const struct log_rule *log, struct shape shape)
{
	if (!log->wanted)
		return;
	shape.log = log;
	shape.verdict = VERDICT_LOG;
	shape.span = log->span;
	add(lowering, to, shape);
}

static void add_otherwise_log(struct lowering *lowering, struct target_chain *to, enum locality locality)
{
	add_log(lowering, to, &lowering->block->otherwise_log, (struct shape){.locality = locality});
}

/* A statement's own log rules: one for each of the rules that it alone would need. */
static void add_statement_log(struct lowering *lowering, struct target_chain *to, const struct permission *permission,
			      struct shape shape, const struct peer_set *destination)
{
	enum family family = family_of(lowering);
	struct prefix_list sources = prefixes_of(lowering, &permission->from.sets[family]);
	struct prefix_list destinations = prefixes_of(lowering, destination ? &destination->sets[family] : NULL);

	shape.log = &permission->log;
	shape.verdict = VERDICT_LOG;
	shape.span = permission->span;
	if (permission->kind == PERMISSION_FORWARD && permission->services.any) {
		add_pairs(lowering, to, shape, &sources, &destinations, NULL);
		return;
	}
	for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
		shape.has_protocol = true;
		shape.protocol = protocol_numbers[protocol];
		if (permission->services.ports[protocol].ranges.len)
			add_pairs(lowering, to, shape, &sources, &destinations, &permission->services.ports[protocol]);
	}
}

static void add_icmp_log(struct lowering *lowering, struct target_chain *to, const struct permission *permission)
{
	enum family family = family_of(lowering);
	struct prefix_list sources = prefixes_of(lowering, &permission->from.sets[family]);

	vec_each(source, &sources.items)
		vec_each(icmp, &permission->icmp)
			if (icmp->family == family)
				add_log(lowering, to, &permission->log,
					(struct shape){.source = source, .has_protocol = true,
						       .protocol = family == FAMILY_IPV4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6,
						       .icmp = icmp, .locality = LOCALITY_HOST});
}

/* At the place where everything that is sent to this host passes, before any DNAT. */
static void add_arrival_logs(struct lowering *lowering, struct target_chain *to)
{
	vec_each(permission, &lowering->block->permissions) {
		if (!permission->log.wanted)
			continue;
		if (permission->kind == PERMISSION_ICMP)
			add_icmp_log(lowering, to, permission);
		else if (permission->kind == PERMISSION_EXPOSE)
			add_statement_log(lowering, to, permission, (struct shape){.locality = LOCALITY_HOST},
					  permission->has_at ? &permission->at : NULL);
	}
}

/* Where forwarded packets pass that entered (`entering`) or leave by our interface. */
static void add_forward_logs(struct lowering *lowering, struct target_chain *to, bool entering)
{
	vec_each(permission, &lowering->block->permissions) {
		if (!permission->log.wanted || permission->kind != PERMISSION_FORWARD ||
		    entering != !permission->from_via)
			continue;
		if (entering)
			add_statement_log(lowering, to, permission,
					  (struct shape){.translation = TRANSLATION_NO,
							 .out = permission->to_via ? permission->to_via :
										     lowering->interface},
					  &permission->to);
		else
			add_statement_log(lowering, to, permission, (struct shape){.in = permission->from_via},
					  &permission->to);
	}
}

/* ---- the refusals ---- */

static void add_drop(struct lowering *lowering, struct target_chain *to, enum locality locality)
{
	add_otherwise_log(lowering, to, locality);
	add(lowering, to,
	    (struct shape){.span = lowering->block->otherwise_span, .locality = locality, .verdict = VERDICT_DROP});
}

static void add_reject(struct lowering *lowering, struct target_chain *to)
{
	struct shape shape = {.span = lowering->block->otherwise_span, .verdict = VERDICT_REJECT};

	add_otherwise_log(lowering, to, LOCALITY_ANY);
	shape.has_protocol = true;
	shape.protocol = protocol_numbers[PROTOCOL_TCP];
	add(lowering, to, shape);
	shape.has_protocol = false;
	shape.protocol = 0;
	add(lowering, to, shape);
}

/* ---- the chains ---- */

static void add_jump(struct lowering *lowering, enum table_id id, enum hook hook, const char *role, bool leaving)
{
	struct table *table = ruleset_table(lowering->rules, id);
	const char *name = hook_names[hook];
	struct target_chain from = {table_add_chain(lowering->rules, table, name, strlen(name)), table, VERDICT_JUMP};

	add(lowering, &from,
	    (struct shape){.in = leaving ? NULL : lowering->interface, .out = leaving ? lowering->interface : NULL,
			   .comment = arena_printf(lowering->arena, OWN_COMMENT_PREFIX "%s", lowering->interface),
			   .verdict = VERDICT_JUMP, .chain = own_chain_name(lowering->arena, lowering->interface, role)});
}

/* Forwards of ours, by where they are going: the route, and so the far interface, is not yet known here. */
static void add_transit(struct lowering *lowering, struct target_chain *to)
{
	add_flows(lowering, to, &lowering->flows.in, (struct shape){.locality = LOCALITY_TRANSIT});
}

/* mangle PREROUTING with `otherwise drop`: the whole decision, but for the far interface of forwards. */
static void lower_arrival_drop(struct lowering *lowering)
{
	struct target_chain chain = open_chain(lowering, TABLE_MANGLE, ROLE_MAIN, VERDICT_RETURN);

	add_established(lowering, &chain);
	add_arrival_logs(lowering, &chain);
	add_neighbour_discovery(lowering, &chain);
	add_flows(lowering, &chain, &lowering->flows.exposed, (struct shape){.locality = LOCALITY_HOST});
	add_icmp(lowering, &chain, (struct shape){.locality = LOCALITY_HOST});
	add_transit(lowering, &chain);
	add_drop(lowering, &chain, LOCALITY_ANY);
	add_jump(lowering, TABLE_MANGLE, HOOK_PREROUTING, ROLE_MAIN, false);
}

/* mangle PREROUTING with `otherwise reject`: what was not sent to this host, which later nobody could tell any more. */
static void lower_arrival_reject(struct lowering *lowering)
{
	struct target_chain chain = open_chain(lowering, TABLE_MANGLE, ROLE_MAIN, VERDICT_RETURN);

	add_established(lowering, &chain);
	add_arrival_logs(lowering, &chain);
	add_neighbour_discovery(lowering, &chain);
	add_transit(lowering, &chain);
	add_drop(lowering, &chain, LOCALITY_NOT_HOST);
	add_jump(lowering, TABLE_MANGLE, HOOK_PREROUTING, ROLE_MAIN, false);
}

/* What comes in by the interface and goes on, in the table that has the last word; DNAT's goes as `translated` says. */
static void lower_forward(struct lowering *lowering, enum table_id table, struct shape translated)
{
	struct target_chain chain = open_chain(lowering, table, ROLE_FORWARD, VERDICT_RETURN);

	add_established(lowering, &chain);
	add_forward_logs(lowering, &chain, true);
	add_forwards_in(lowering, &chain);
	if (is_exposing(lowering))
		add(lowering, &chain, translated);
	add_drop(lowering, &chain, LOCALITY_ANY);
	add_jump(lowering, table, HOOK_FORWARD, ROLE_FORWARD, false);
}

/*
 * mangle INPUT and FORWARD with `otherwise drop`: where a packet goes was a guess at PREROUTING, and is known now. A rule of others
 * in nat, a TPROXY or a local route that addrtype does not see may have turned a declared forward into a way to this
 * host; neighbour discovery may be addressed beyond it; and a forward may leave by another interface. Without forwards
 * all that passed PREROUTING was meant for this host, and INPUT need not ask again.
 */
static void lower_forward_drop(struct lowering *lowering)
{
	struct shape translated = {.translation = TRANSLATION_YES, .verdict = VERDICT_RETURN};

	if (lowering->flows.in.items.len > 0) {
		struct target_chain chain = open_chain(lowering, TABLE_MANGLE, ROLE_INPUT, VERDICT_RETURN);

		translated.verdict = VERDICT_GOTO;
		translated.chain = chain.chain->name;
		add_established(lowering, &chain);
		add_neighbour_discovery(lowering, &chain);
		add_flows(lowering, &chain, &lowering->flows.exposed, (struct shape){.place = PORTS_AS_SENT});
		add_icmp(lowering, &chain, (struct shape){.translation = TRANSLATION_NO});
		add_drop(lowering, &chain, LOCALITY_ANY);
		add_jump(lowering, TABLE_MANGLE, HOOK_INPUT, ROLE_INPUT, false);
	}
	lower_forward(lowering, TABLE_MANGLE, translated);
}

/* What leaves by the interface, in the table that has the last word. */
static void lower_out(struct lowering *lowering, enum table_id table)
{
	struct target_chain chain = open_chain(lowering, table, ROLE_OUT, VERDICT_RETURN);

	add_established(lowering, &chain);
	/* What came in by the same interface was judged there. */
	add(lowering, &chain, (struct shape){.in = lowering->interface, .verdict = VERDICT_RETURN});
	add_forward_logs(lowering, &chain, false);
	add_forwards_out(lowering, &chain);
	add_drop(lowering, &chain, LOCALITY_ANY);
	add_jump(lowering, table, HOOK_FORWARD, ROLE_OUT, true);
}

/* The last word of `otherwise reject`, which comes after all of filter. */
static void lower_security(struct lowering *lowering)
{
	struct target_chain chain = open_chain(lowering, TABLE_SECURITY, ROLE_MAIN, VERDICT_RETURN);
	struct shape translated = {.translation = TRANSLATION_YES, .verdict = VERDICT_GOTO, .chain = chain.chain->name};

	add_established(lowering, &chain);
	add_host_permissions(lowering, &chain);
	add_drop(lowering, &chain, LOCALITY_ANY);
	add_jump(lowering, TABLE_SECURITY, HOOK_INPUT, ROLE_MAIN, false);
	lower_forward(lowering, TABLE_SECURITY, translated);
	lower_out(lowering, TABLE_SECURITY);
}

/* filter: lets the declared in where its own policy is DROP, and answers the rest with `otherwise reject`. */
static void lower_filter(struct lowering *lowering, bool reject)
{
	struct target_chain chain = open_chain(lowering, TABLE_FILTER, ROLE_MAIN, VERDICT_ACCEPT);
	const char *host = chain.chain->name;

	add_established(lowering, &chain);
	add_host_permissions(lowering, &chain);
	if (reject)
		add_reject(lowering, &chain);
	add_jump(lowering, TABLE_FILTER, HOOK_INPUT, ROLE_MAIN, false);
	if (!reject && !is_exposing(lowering) && !is_forwarding(lowering))
		return;

	chain = open_chain(lowering, TABLE_FILTER, ROLE_FORWARD, VERDICT_ACCEPT);
	add_established(lowering, &chain);
	add_forwards_in(lowering, &chain);
	if (is_exposing(lowering))
		add(lowering, &chain, (struct shape){.translation = TRANSLATION_YES, .verdict = VERDICT_GOTO, .chain = host});
	if (reject)
		add_reject(lowering, &chain);
	add_jump(lowering, TABLE_FILTER, HOOK_FORWARD, ROLE_FORWARD, false);

	chain = open_chain(lowering, TABLE_FILTER, ROLE_OUT, VERDICT_ACCEPT);
	add_established(lowering, &chain);
	if (reject)
		add(lowering, &chain, (struct shape){.in = lowering->interface, .verdict = VERDICT_RETURN});
	add_forwards_out(lowering, &chain);
	if (reject)
		add_reject(lowering, &chain);
	add_jump(lowering, TABLE_FILTER, HOOK_FORWARD, ROLE_OUT, true);
}

static void lower_interface(struct unit *unit, const struct policy *policy, const struct interface_policy *block,
			    enum family family, struct arena *arena)
{
	struct lowering lowering = {
		.arena = arena,
		.rules = &unit->rules[family],
		.interface = unit->interface,
		.block = block,
		.span = unit->span,
	};

	ruleset_init(lowering.rules, family, arena);
	flows_collect(&lowering.flows, policy, block, unit->interface, family, arena);
	if (block->otherwise == REFUSAL_REJECT) {
		lower_arrival_reject(&lowering);
		lower_security(&lowering);
	} else {
		lower_arrival_drop(&lowering);
		lower_forward_drop(&lowering);
		lower_out(&lowering, TABLE_MANGLE);
	}
	lower_filter(&lowering, block->otherwise == REFUSAL_REJECT);
}

void lower_policy(struct unit_list *out, const struct policy *policy, struct arena *arena)
{
	*out = (struct unit_list){0};
	vec_each(block, &policy->interfaces)
		vec_each(name, &block->names) {
			vec_push(arena, &out->items,
				 (struct unit){.interface = name->text, .otherwise = block->otherwise, .span = name->span});
			for (int family = 0; family < FAMILY_COUNT; family++)
				lower_interface(&out->items.data[out->items.len - 1], policy, block, (enum family)family,
						arena);
		}
}

void lower_skeleton(struct ruleset *out, const char *interface, enum family family, struct arena *arena)
{
	static const struct {
		enum table_id table;
		enum hook hook;
		const char *role;
		bool leaving;
	} jumps[] = {
		{TABLE_SECURITY, HOOK_INPUT, ROLE_MAIN, false},
		{TABLE_SECURITY, HOOK_FORWARD, ROLE_FORWARD, false},
		{TABLE_SECURITY, HOOK_FORWARD, ROLE_OUT, true},
		{TABLE_MANGLE, HOOK_PREROUTING, ROLE_MAIN, false},
		{TABLE_MANGLE, HOOK_INPUT, ROLE_INPUT, false},
		{TABLE_MANGLE, HOOK_FORWARD, ROLE_FORWARD, false},
		{TABLE_MANGLE, HOOK_FORWARD, ROLE_OUT, true},
		{TABLE_FILTER, HOOK_INPUT, ROLE_MAIN, false},
		{TABLE_FILTER, HOOK_FORWARD, ROLE_FORWARD, false},
		{TABLE_FILTER, HOOK_FORWARD, ROLE_OUT, true},
	};
	struct lowering lowering = {.arena = arena, .rules = out, .interface = interface};

	ruleset_init(out, family, arena);
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		open_chain(&lowering, jumps[i].table, jumps[i].role, VERDICT_RETURN);
		add_jump(&lowering, jumps[i].table, jumps[i].hook, jumps[i].role, jumps[i].leaving);
	}
}
