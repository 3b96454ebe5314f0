/* Checks of the rules of others, as far as they touch what the policies say. */
#include "checks_run.h"

#include <peerwall/packetset.h>
#include <peerwall/strbuf.h>

#include <string.h>

/* ---- both backends ---- */

static bool holds_rules(const struct ruleset *ruleset)
{
	for (int id = 0; id < TABLE_COUNT; id++)
		vec_each(chain, &ruleset->tables[id].chains)
			if (chain->rules.len || chain->policy_drop)
				return true;
	return false;
}

static struct span first_line(const struct source *source)
{
	return (struct span){source->start, source->start};
}

void check_both_backends(struct check_run *run)
{
	const struct check_snapshot *first[FAMILY_COUNT] = {NULL};

	vec_each(snapshot, &run->input->snapshots) {
		enum family family = snapshot->ruleset->family;
		struct diag *diag;

		if (!holds_rules(snapshot->ruleset))
			continue;
		if (!first[family]) {
			first[family] = snapshot;
			continue;
		}
		if (first[family]->backend == snapshot->backend)
			continue;
		diag = diag_add(run->diags, CODE_BOTH_BACKENDS, first_line(snapshot->source),
				"both backends of iptables hold %s rules: a packet has to pass both",
				family_name(family));
		diag_label(run->diags, diag, first_line(first[family]->source), "the other one's rules");
		diag_label(run->diags, diag, SPAN_NONE,
			   "move the rules of one of them to the other, then empty it; peerwall uses one only");
	}
}

/* iptables-nft-save writes this on standard error; it is in the dump where both were caught. */
#define LEGACY_NOTICE "tables-legacy tables present"

void check_legacy_tables(struct check_run *run)
{
	vec_each(snapshot, &run->input->snapshots) {
		const struct source *source = snapshot->source;
		const char *found = memmem(source->text, source->size, LEGACY_NOTICE, strlen(LEGACY_NOTICE));
		uint32_t at = found ? source->start + (uint32_t)(found - source->text) : 0;

		if (found && holds_rules(snapshot->ruleset))
			diag_add(run->diags, CODE_LEGACY_TABLES,
				 (struct span){at, at + (uint32_t)strlen(LEGACY_NOTICE)},
				 "the legacy backend has tables, too: dump them with `%s-legacy-save` and give both",
				 snapshot->ruleset->family == FAMILY_IPV4 ? "iptables" : "ip6tables");
	}
}

/* ---- an interface that no rule speaks of ---- */

/* Everything that the snapshots' interface names begin with, and the names themselves. */
struct known_interfaces {
	struct intern beginnings;
	struct intern names;
};

static void add_known(struct known_interfaces *known, const char *name)
{
	size_t size = name ? strlen(name) : 0;

	if (!name || strcmp(name, "+") == 0)
		return;
	intern_add(&known->names, name, size);
	for (size_t i = 1; i <= size; i++)
		intern_add(&known->beginnings, name, i);
}

static bool is_known(const struct known_interfaces *known, const char *name)
{
	char pattern[INTERFACE_NAME_MAX + 2];
	size_t length = strlen(name);

	if (interface_name_is_pattern(name))
		return length == 1 || intern_find(&known->beginnings, name, length - 1) != INTERN_NONE;
	if (intern_find(&known->names, name, length) != INTERN_NONE)
		return true;
	for (size_t size = 1; size <= length && size < sizeof pattern - 1; size++) {
		memcpy(pattern, name, size);
		pattern[size] = '+';
		if (intern_find(&known->names, pattern, size + 1) != INTERN_NONE)
			return true;
	}
	return false;
}

void check_unknown_interface(struct check_run *run)
{
	struct known_interfaces known;

	intern_init(&known.beginnings, run->arena);
	intern_init(&known.names, run->arena);
	vec_each(snapshot, &run->input->snapshots)
		for (int id = 0; id < TABLE_COUNT; id++)
			vec_each(chain, &snapshot->ruleset->tables[id].chains)
				vec_each(rule, &chain->rules) {
					add_known(&known, rule->in.name);
					add_known(&known, rule->out.name);
				}
	vec_each(name, &run->interface_names) {
		const char *nearest;
		struct diag *diag;

		if (is_known(&known, (*name)->text))
			continue;
		diag = diag_add(run->diags, CODE_UNKNOWN_INTERFACE, (*name)->span,
				"no rule of the snapshot speaks of the interface '%s'", (*name)->text);
		nearest = nearest_word((*name)->text, strlen((*name)->text), known.names.strings, known.names.count);
		if (nearest)
			diag_suggest(run->diags, diag, "%s", nearest);
	}
}

/* ---- trust by private addresses ---- */

struct private_block {
	struct prefix prefix;
	bool has_peers; /* some peer's address lies within */
};

#define BLOCK_COUNT 5

static void find_blocks(const struct check_run *run, struct private_block blocks[BLOCK_COUNT])
{
	static const struct prefix prefixes[BLOCK_COUNT] = {
		/* RFC 1918 */
		{{FAMILY_IPV4, {10}}, 8},
		{{FAMILY_IPV4, {172, 16}}, 12},
		{{FAMILY_IPV4, {192, 168}}, 16},
		/* RFC 4193, and the half of it that is in use */
		{{FAMILY_IPV6, {0xfc}}, 7},
		{{FAMILY_IPV6, {0xfd}}, 8},
	};

	for (size_t i = 0; i < BLOCK_COUNT; i++) {
		struct addr_set set = {.family = prefixes[i].addr.family};

		blocks[i] = (struct private_block){prefixes[i], false};
		addr_set_add_prefix(run->arena, &set, &prefixes[i]);
		vec_each(place, &run->permissions)
			if (addr_set_overlaps(&place->permission->from.sets[set.family], &set)) {
				blocks[i].has_peers = true;
				break;
			}
	}
}

/* The private block, all of which the rule matches by its source alone; or NULL. */
static const struct private_block *find_trusted(const struct private_block blocks[BLOCK_COUNT],
						const struct rule *rule)
{
	struct prefix prefix = {.addr = rule->source.addr};
	int length = addr_netmask_length(&rule->source.mask);

	if (!rule->source.present || rule->source.negated || length < 0)
		return NULL;
	prefix.length = (uint8_t)length;
	for (size_t i = 0; i < BLOCK_COUNT; i++)
		if (blocks[i].has_peers && prefix_contains(&prefix, &blocks[i].prefix))
			return &blocks[i];
	return NULL;
}

static bool asks_for_more(const struct rule *rule)
{
	if (rule->destination.present || rule->out.name || rule->protocol.present || rule->fragment != FRAGMENT_NONE)
		return true;
	vec_each(match, &rule->matches)
		if (match->module != MODULE_COMMENT)
			return true;
	return false;
}

void check_private_blanket(struct check_run *run)
{
	const unsigned hooks = 1u << HOOK_INPUT | 1u << HOOK_FORWARD;
	struct private_block blocks[BLOCK_COUNT];

	find_blocks(run, blocks);
	vec_each(index, &run->snapshots) {
		const struct table *filter = &index->snapshot->ruleset->tables[TABLE_FILTER];

		for (size_t i = 0; i < filter->chains.len; i++) {
			const struct chain *chain = &filter->chains.data[i];
			bool returns = strcmp(chain->name, "DOCKER-USER") == 0;

			if (!(index->reach[TABLE_FILTER].hooks[i] & hooks) || index->chain_owner[TABLE_FILTER][i])
				continue;
			vec_each(rule, &chain->rules) {
				const struct private_block *block;
				char text[PREFIX_TEXT_MAX];
				struct diag *diag;

				if (rule->opaque || asks_for_more(rule) || !policy_interface_met(run, &rule->in))
					continue;
				if (rule->target.kind != TARGET_ACCEPT && !(returns && rule->target.kind == TARGET_RETURN))
					continue;
				block = find_trusted(blocks, rule);
				if (!block)
					continue;
				prefix_format(&block->prefix, text);
				diag = diag_add(run->diags, CODE_PRIVATE_BLANKET, rule->span,
						"this rule trusts all of %s, and peers have such addresses, too", text);
				diag_label(run->diags, diag, SPAN_NONE,
					   "peerwall refuses peers before it, but nothing else would");
			}
		}
	}
}

/* ---- rules without effect ---- */

static bool lists_meet(const struct port_list *a, const struct port_list *b)
{
	/* At most 15 in a list: multiport's limit. */
	vec_each(left, &a->ranges)
		vec_each(right, &b->ranges)
			if (left->lo <= right->hi && right->lo <= left->hi)
				return true;
	return false;
}

/* Two lists of destination ports that have none in common, such as "-m tcp --dport 80 -m multiport --dports 22,443". */
static bool ports_exclude_each_other(const struct rule *rule)
{
	const struct port_list *first = NULL;

	vec_each(match, &rule->matches)
		vec_each(option, &match->options) {
			if (option->negated || (option->id != OPTION_TCP_DPORT && option->id != OPTION_UDP_DPORT &&
						option->id != OPTION_SCTP_DPORT && option->id != OPTION_MULTIPORT_DPORTS))
				continue;
			if (first && !lists_meet(first, &option->value.ports))
				return true;
			first = &option->value.ports;
		}
	return false;
}

const char *rule_why_dead(const struct rule *rule, unsigned hooks)
{
	const unsigned leaving = 1u << HOOK_OUTPUT | 1u << HOOK_POSTROUTING;
	const unsigned arriving = 1u << HOOK_PREROUTING | 1u << HOOK_INPUT;
	const struct option *option;

	if (rule->opaque)
		return NULL;
	if (rule->in.name && !rule->in.negated && strcmp(rule->in.name, "+") != 0 && hooks && !(hooks & ~leaving))
		return "what leaves this host has no interface that it came in by";
	if (rule->out.name && !rule->out.negated && strcmp(rule->out.name, "+") != 0 && hooks && !(hooks & ~arriving))
		return "what arrives here has no interface that it goes out by yet";
	option = rule_option(rule, OPTION_TCP_FLAGS);
	if (option && !option->negated && (option->value.tcp_flags.comp & ~option->value.tcp_flags.mask))
		return "a flag has to be set that is not looked at";
	if (ports_exclude_each_other(rule))
		return "no port is in all of its lists";
	return NULL;
}

void check_dead_rule(struct check_run *run)
{
	vec_each(index, &run->snapshots)
		for (int id = 0; id < TABLE_COUNT; id++) {
			const struct table *table = &index->snapshot->ruleset->tables[id];

			for (size_t i = 0; i < table->chains.len; i++)
				vec_each(rule, &table->chains.data[i].rules) {
					const char *reason = rule_why_dead(rule, index->reach[id].hooks[i]);

					if (reason)
						diag_add(run->diags, CODE_DEAD_RULE, rule->span,
							 "this rule never matches: %s", reason);
				}
		}
}

static bool same_effect(const struct rule *a, const struct rule *b)
{
	return !b->opaque && a->target.kind == b->target.kind && a->target.kind != TARGET_EXTENSION &&
	       a->target.kind != TARGET_GOTO;
}

/* What others append to a chain that ends: Docker's DOCKER-USER with its RETURN is the famous one. */
static void check_unreachable_in(struct check_run *run, const struct chain *chain)
{
	const struct rule *end = NULL, *first = NULL;
	size_t behind = 0;
	struct diag *diag;

	vec_each(rule, &chain->rules) {
		if (!end) {
			end = rule_is_unconditional(rule) && rule_is_terminal(rule) ? rule : NULL;
		} else if (!same_effect(end, rule)) {
			behind++;
			if (!first)
				first = rule;
		}
	}
	if (!first)
		return;
	diag = diag_add(run->diags, CODE_UNREACHABLE_RULE, first->span, "no packet ever gets as far as this rule");
	diag_label(run->diags, diag, end->span, "every packet leaves '%s' here", chain->name);
	if (behind > 1)
		diag_label(run->diags, diag, SPAN_NONE, "the same goes for %zu more rule%s of the chain", behind - 1,
			   behind == 2 ? "" : "s");
}

void check_unreachable_rule(struct check_run *run)
{
	vec_each(index, &run->snapshots)
		for (int id = 0; id < TABLE_COUNT; id++) {
			const struct table *table = &index->snapshot->ruleset->tables[id];

			for (size_t i = 0; i < table->chains.len; i++)
				if (!index->chain_owner[id][i])
					check_unreachable_in(run, &table->chains.data[i]);
		}
}

/* ---- what raw does to connections ---- */

/* Of raw's rules on packets that the policies' interfaces see; `name` is the interface. */
typedef void raw_rule_check(struct check_run *run, const struct rule *rule, const struct interface_name *name);

static void each_raw_rule(struct check_run *run, raw_rule_check *check)
{
	vec_each(index, &run->snapshots) {
		const struct table *raw = &index->snapshot->ruleset->tables[TABLE_RAW];

		for (size_t i = 0; i < raw->chains.len; i++) {
			if (!index->reach[TABLE_RAW].hooks[i])
				continue;
			vec_each(rule, &raw->chains.data[i].rules) {
				const struct interface_name *in = policy_interface_met(run, &rule->in);
				const struct interface_name *out = policy_interface_met(run, &rule->out);

				if (in && out)
					check(run, rule, rule->out.name ? out : in);
			}
		}
	}
}

/* Rules for certain addresses are about other hosts, as a rule: a name server's, a tunnel's. */
static bool is_notrack(const struct rule *rule)
{
	if (rule->source.present || rule->destination.present)
		return false;
	return rule_target_is(rule, MODULE_T_NOTRACK) ||
	       (rule_target_is(rule, MODULE_T_CT) && match_option(&rule->target.extension, OPTION_T_CT_NOTRACK));
}

static void check_notrack_rule(struct check_run *run, const struct rule *rule, const struct interface_name *name)
{
	struct diag *diag;

	if (!is_notrack(rule))
		return;
	diag = diag_add(run->diags, CODE_NOTRACK, rule->span,
			"what matches here has no state, so peerwall cannot know replies from new connections");
	diag_label(run->diags, diag, name->span, "on '%s' such replies are refused", name->text);
}

void check_notrack(struct check_run *run)
{
	each_raw_rule(run, check_notrack_rule);
}

static void check_helper_rule(struct check_run *run, const struct rule *rule, const struct interface_name *name)
{
	const struct option *helper;
	struct diag *diag;

	if (!rule_target_is(rule, MODULE_T_CT))
		return;
	helper = match_option(&rule->target.extension, OPTION_T_CT_HELPER);
	if (!helper)
		return;
	diag = diag_add(run->diags, CODE_CONNTRACK_HELPER, rule->span,
			"the helper %s reads in these connections which others to expect, and lets them in as RELATED",
			diag_quote(run->diags, helper->value.text, strlen(helper->value.text)));
	diag_label(run->diags, diag, name->span, "on '%s' a peer then chooses ports that no statement names", name->text);
}

void check_conntrack_helper(struct check_run *run)
{
	each_raw_rule(run, check_helper_rule);
}

/* ---- refused before or after all ---- */

static bool block_has(const struct interface_policy *block, const char *interface)
{
	vec_each(name, &block->names)
		if (interface_names_overlap(name->text, interface))
			return true;
	return false;
}

/* Do all packets that the later rule refuses, as far as they have these ports, leave the chain here before? */
static bool lets_go(const struct chain *chain, const struct rule *rule, const struct rule *later, enum protocol protocol,
		    const struct port_piece *piece)
{
	struct port_list ports;

	if (!rule_asks_plainly(rule) ||
	    (rule->target.kind != TARGET_ACCEPT && (rule->target.kind != TARGET_RETURN || chain->builtin)))
		return false;
	if (rule->in.name && !interface_name_covers(rule->in.name, later->in.name))
		return false;
	if (rule->protocol.present && (rule->protocol.negated || rule->protocol.number != protocol_numbers[protocol]))
		return false;
	if (!rule_ports(rule, &ports))
		return !rule_has_options(rule);
	vec_each(range, &ports.ranges)
		if (range->lo <= piece->lo && piece->hi <= range->hi)
			return true;
	return false;
}

static bool is_let_go_before(const struct chain *chain, const struct rule *later, enum protocol protocol,
			     const struct port_piece *piece)
{
	for (const struct rule *rule = chain->rules.data; rule < later; rule++)
		if (lets_go(chain, rule, later, protocol, piece))
			return true;
	return false;
}

/* What is exposed of these ports on the rule's interface, and comes as far as the rule; or NULL. */
static const struct permission_place *dropped_of_ports(const struct check_run *run, const struct chain *chain,
						       const struct rule *rule, enum protocol protocol,
						       struct port_range ports)
{
	const struct port_map *map = &run->exposed[protocol];
	const struct port_piece *piece = port_map_overlap(map, ports.lo, ports.hi);

	for (; piece && piece < map->items.data + map->items.len && piece->lo <= ports.hi; piece++) {
		const struct permission_place *place = &run->permissions.data[piece->owner];

		if (block_has(place->interface, rule->in.name) && !is_let_go_before(chain, rule, protocol, piece))
			return place;
	}
	return NULL;
}

static const struct permission_place *dropped_of_protocol(const struct check_run *run, const struct chain *chain,
							  const struct rule *rule, enum protocol protocol)
{
	struct port_list ports;

	if (rule->protocol.present && rule->protocol.number != protocol_numbers[protocol])
		return NULL;
	if (!rule_ports(rule, &ports))
		return rule_has_options(rule) ? NULL :
			dropped_of_ports(run, chain, rule, protocol, (struct port_range){0, UINT16_MAX});
	vec_each(range, &ports.ranges) {
		const struct permission_place *place = dropped_of_ports(run, chain, rule, protocol, *range);

		if (place)
			return place;
	}
	return NULL;
}

/* The first that is exposed and that the rule drops, or NULL. */
static const struct permission_place *first_dropped(const struct check_run *run, const struct chain *chain,
						    const struct rule *rule)
{
	const struct permission_place *place = NULL;

	if (rule->protocol.negated)
		return NULL;
	for (int protocol = 0; protocol < PROTOCOL_COUNT && !place; protocol++)
		place = dropped_of_protocol(run, chain, rule, (enum protocol)protocol);
	return place;
}

static void check_foreign_drops_in(struct check_run *run, const struct table *table, const struct chain *chain)
{
	vec_each(rule, &chain->rules) {
		const struct permission_place *place;
		struct diag *diag;

		if (!rule_is_plain_refusal(rule) || !policy_interface_met(run, &rule->in))
			continue;
		place = first_dropped(run, chain, rule);
		if (!place)
			continue;
		diag = diag_add(run->diags, CODE_FOREIGN_DROP, rule->span,
				"this rule in %s drops what the policy exposes on '%s'", table_names[table->id],
				rule->in.name);
		diag_label(run->diags, diag, place->permission->span, "exposed here");
	}
}

/* FORWARD sees of what is exposed on the host only what DNAT sends on. */
static bool sends_exposed_on(const struct check_run *run, const struct snapshot_index *index)
{
	vec_each(dnat, &index->dnats)
		if (port_map_overlap(&run->exposed[dnat->protocol], dnat->lo, dnat->hi))
			return true;
	return index->dnat_unclear;
}

/*
 * Where a refusal holds whatever peerwall says: raw and mangle come before filter, security after it. In filter
 * our rules come first and grant what is exposed. The proof knows better than what is looked for here.
 */
void check_foreign_drop(struct check_run *run)
{
	static const enum table_id tables[] = {TABLE_RAW, TABLE_MANGLE, TABLE_SECURITY};

	vec_each(index, &run->snapshots) {
		unsigned hooks = 1u << HOOK_PREROUTING | 1u << HOOK_INPUT;

		if (index->snapshot->none_refused)
			continue;
		if (sends_exposed_on(run, index))
			hooks |= 1u << HOOK_FORWARD;
		for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
			const struct table *table = &index->snapshot->ruleset->tables[tables[i]];

			for (size_t j = 0; j < table->chains.len; j++)
				if ((index->reach[tables[i]].hooks[j] & hooks) && !index->chain_owner[tables[i]][j])
					check_foreign_drops_in(run, table, &table->chains.data[j]);
		}
	}
}
