/*
 * Rules are met in the order of their chain. So behind one that is known only later ones are looked at, until the packet
 * comes to the chain anew.
 */
#include "traced_naming.h"

#include <peerwall/policy.h>

#include <string.h>

/* A chain that the packet is in, and how far it has come. */
struct visit {
	const char *chain;
	unsigned last; /* the first rule that may have been met last */
};

struct namer {
	struct traced_rules *rules;
	struct arena *arena;
	VEC(struct visit) visits; /* the innermost chain is the last */
};

void traced_rules_init(struct traced_rules *rules, struct arena *arena)
{
	*rules = (struct traced_rules){0};
	intern_init(&rules->chains, arena);
}

/* ---- the chains that the packet is in ---- */

static void enter(struct namer *namer, const char *chain)
{
	vec_push(namer->arena, &namer->visits, (struct visit){chain, 0});
}

/* The kernel does not tell of every return: what lies above the chain of an event has been left. */
static struct visit *find_visit(struct namer *namer, const char *chain)
{
	for (size_t i = namer->visits.len; i > 0; i--)
		if (strcmp(namer->visits.data[i - 1].chain, chain) == 0) {
			namer->visits.len = i;
			return &namer->visits.data[i - 1];
		}
	enter(namer, chain);
	return &namer->visits.data[namer->visits.len - 1];
}

/* ---- by text ---- */

static struct rule_traits *chain_traits(struct namer *namer, const struct chain *chain)
{
	struct traced_rules *rules = namer->rules;
	uint32_t number = intern_add(&rules->chains, (const char *)&chain, sizeof chain);
	struct rule_traits *traits;

	if (number < rules->traits.len)
		return rules->traits.data[number];
	traits = arena_alloc(rules->chains.arena, (chain->rules.len + 1) * sizeof *traits);
	for (size_t i = 0; i < chain->rules.len; i++)
		traits_of_rule(&traits[i], &chain->rules.data[i], rules->chains.arena);
	vec_push(rules->chains.arena, &rules->traits, traits);
	return traits;
}

static void add_rule(struct namer *namer, struct traced_step *step, const struct chain *chain, size_t index)
{
	vec_push(namer->arena, &step->rules,
		 (struct traced_rule){chain, (unsigned)index + 1, &chain->rules.data[index]});
}

/* Of rules that are the same in every respect the first one matches first. */
static void judge(struct traced_step *step, bool same, bool more)
{
	if (step->rules.len == 0) {
		step->naming = NAMING_MISSING;
	} else if (same && !more) {
		step->rules.len = 1;
		step->naming = NAMING_CERTAIN;
	} else if (step->rules.len > 1) {
		step->naming = NAMING_ONE_OF;
	} else {
		step->naming = same ? NAMING_CERTAIN : NAMING_LIKELY;
	}
}

/* Can the rule end as the kernel says it did? */
static bool verdict_fits(const struct rule *rule, const struct nft_event *event)
{
	const struct target *target = &rule->target;

	if (rule->opaque)
		return true;
	switch (event->verdict) {
	case NFT_CONTINUES:
		return target->kind == TARGET_NONE || target->kind == TARGET_EXTENSION;
	case NFT_ACCEPTS:
		return target->kind == TARGET_ACCEPT || target->kind == TARGET_EXTENSION;
	case NFT_DROPS:
		return target->kind == TARGET_DROP || target->kind == TARGET_EXTENSION;
	case NFT_RETURNS:
		return target->kind == TARGET_RETURN;
	case NFT_JUMPS:
		return target->kind == TARGET_JUMP && strcmp(target->chain, event->target) == 0;
	case NFT_GOES:
		return target->kind == TARGET_GOTO && strcmp(target->chain, event->target) == 0;
	case NFT_QUEUES:
	case NFT_STEALS:
		break;
	}
	return target->kind == TARGET_EXTENSION;
}

/* nft leaves out statements that it cannot print, such as a DNAT of IPv6. */
static void event_traits(struct rule_traits *out, const struct nft_event *event, struct arena *arena)
{
	traits_of_nft(out, event->rule, arena);
	vec_each(trait, &out->items)
		if (trait->kind == TRAIT_TARGET && strcmp(trait->value, "none") == 0 && event->verdict != NFT_CONTINUES)
			out->vague |= 1u << TRAIT_TARGET;
}

static void name_by_text(struct namer *namer, struct traced_step *step, const struct chain *chain, unsigned last)
{
	struct rule_traits *known = chain_traits(namer, chain), wanted;
	bool same = false;

	event_traits(&wanted, step->event, namer->arena);
	for (size_t i = last; i < chain->rules.len; i++) {
		enum likeness likeness =
			verdict_fits(&chain->rules.data[i], step->event) ? traits_compare(&known[i], &wanted) : LIKENESS_NONE;

		if (likeness == LIKENESS_SAME && !same) {
			step->rules.len = 0;
			same = true;
		}
		if (likeness == LIKENESS_SAME || (likeness == LIKENESS_MAYBE && !same))
			add_rule(namer, step, chain, i);
	}
	judge(step, same, wanted.more || wanted.vague);
}

/* ---- returns that no rule was named for ---- */

static bool interface_fits(const struct interface_match *wanted, const char *name)
{
	if (!wanted->name)
		return true;
	if (!name)
		return wanted->negated;
	if (interface_name_is_pattern(wanted->name))
		return (strncmp(name, wanted->name, strlen(wanted->name) - 1) == 0) != wanted->negated;
	return (strcmp(name, wanted->name) == 0) != wanted->negated;
}

static bool network_fits(const struct network_match *wanted, const struct addr *addr)
{
	bool inside = true;

	if (!wanted->present)
		return true;
	for (unsigned i = 0; i < family_bits(addr->family) / 8; i++)
		inside &= (addr->bytes[i] & wanted->mask.bytes[i]) == wanted->addr.bytes[i];
	return inside != wanted->negated;
}

static bool ports_fit(const struct rule *rule, const struct packet *packet)
{
	vec_each(match, &rule->matches)
		vec_each(option, &match->options) {
			bool inside = false;
			const struct port_range *port = &packet->destination_port;

			if (option->id == OPTION_TCP_SPORT || option->id == OPTION_UDP_SPORT || option->id == OPTION_MULTIPORT_SPORTS)
				port = &packet->source_port;
			else if (option->id != OPTION_TCP_DPORT && option->id != OPTION_UDP_DPORT &&
				 option->id != OPTION_MULTIPORT_DPORTS)
				continue;
			vec_each(range, &option->value.ports.ranges)
				inside |= port->lo >= range->lo && port->lo <= range->hi;
			if (inside == option->negated)
				return false;
		}
	return true;
}

/* May the rule match, by what the header shows? */
static bool rule_fits(const struct rule *rule, const struct nft_header *header)
{
	const struct packet *packet = &header->packet;

	return interface_fits(&rule->in, packet->in) && interface_fits(&rule->out, header->out) &&
	       network_fits(&rule->source, &packet->source.lo) && network_fits(&rule->destination, &packet->destination.lo) &&
	       (!rule->protocol.present || (rule->protocol.number == packet->protocol) != rule->protocol.negated) &&
	       ports_fit(rule, packet);
}

static void name_return(struct namer *namer, struct traced_step *step, const struct chain *chain, unsigned last)
{
	for (size_t i = last; i < chain->rules.len; i++) {
		const struct rule *rule = &chain->rules.data[i];

		if (rule->target.kind == TARGET_RETURN && (!step->header || rule_fits(rule, step->header)))
			add_rule(namer, step, chain, i);
	}
	step->naming = step->rules.len == 0 ? NAMING_MISSING : step->rules.len == 1 ? NAMING_LIKELY : NAMING_ONE_OF;
}

/* ---- the whole ---- */

static const struct chain *find_chain(const struct namer *namer, const struct traced_step *step)
{
	enum family family = strcmp(step->event->family, "ip") == 0 ? FAMILY_IPV4 : FAMILY_IPV6;
	const struct ruleset *rules = step->is_iptables ? namer->rules->families[family] : NULL;

	return rules ? table_find_chain(&rules->tables[step->table], step->event->chain, strlen(step->event->chain)) : NULL;
}

static bool name_by_handle(struct namer *namer, struct traced_step *step, const struct chain *chain)
{
	unsigned position = namer->rules->find && step->event->handle ? namer->rules->find(namer->rules->context, step->event) : 0;

	if (position == 0 || position > chain->rules.len)
		return false;
	add_rule(namer, step, chain, position - 1);
	step->naming = NAMING_CERTAIN;
	return true;
}

static bool asks_for_trace(const struct traced_step *step, struct arena *arena)
{
	struct rule_traits traits;

	if (!step->event->rule)
		return step->rules.len == 1 && step->rules.data->rule->target.kind == TARGET_EXTENSION &&
		       step->rules.data->rule->target.extension.module == MODULE_T_TRACE;
	traits_of_nft(&traits, step->event->rule, arena);
	vec_each(trait, &traits.items)
		if (trait->kind == TRAIT_TARGET && strcmp(trait->value, "trace") == 0)
			return true;
	return false;
}

static bool has_rules(const struct namer *namer, const struct traced_step *step)
{
	return step->is_iptables && namer->rules->families[strcmp(step->event->family, "ip") == 0 ? FAMILY_IPV4 : FAMILY_IPV6];
}

static void name_step(struct namer *namer, struct traced_step *step)
{
	const struct nft_event *event = step->event;
	bool unnamed_return = event->kind == NFT_EVENT_RETURN && event->verdict == NFT_RETURNS;
	struct visit *visit = find_visit(namer, event->chain);
	const struct chain *chain = find_chain(namer, step);

	if (event->kind != NFT_EVENT_RULE && !unnamed_return)
		return;
	step->naming = has_rules(namer, step) ? NAMING_MISSING : NAMING_UNTRIED;
	if (chain && !name_by_handle(namer, step, chain)) {
		if (unnamed_return)
			name_return(namer, step, chain, visit->last);
		else if (event->rule)
			name_by_text(namer, step, chain, visit->last);
	}
	if (step->rules.len)
		visit->last = step->rules.data->number;
	step->traces = event->kind == NFT_EVENT_RULE && asks_for_trace(step, namer->arena);
	if (event->verdict == NFT_JUMPS || event->verdict == NFT_GOES)
		enter(namer, event->target);
}

void traced_name(struct traced_packet *packet, struct traced_rules *rules, struct arena *arena)
{
	struct namer namer = {.rules = rules, .arena = arena};

	vec_each(step, &packet->steps) {
		if (step->event->kind == NFT_EVENT_PACKET) {
			namer.visits.len = 0;
			enter(&namer, step->event->chain);
		}
		name_step(&namer, step);
	}
}

bool traced_rejects(const struct traced_step *step, struct arena *arena)
{
	struct rule_traits traits;

	if (step->rules.len == 1)
		return step->rules.data->rule->target.kind == TARGET_EXTENSION &&
		       step->rules.data->rule->target.extension.module == MODULE_T_REJECT;
	if (!step->event->rule)
		return false;
	traits_of_nft(&traits, step->event->rule, arena);
	vec_each(trait, &traits.items)
		if (trait->kind == TRAIT_TARGET && strncmp(trait->value, "reject", 6) == 0)
			return true;
	return false;
}
