/* Checks of ports that a container publishes: the snapshot's destination NAT beside what the policy exposes. */
#include "checks_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer ranges are for programs that open ports as they need them; nobody mistypes those. */
#define LISTED_PORTS_MAX 16

/* A single port that a permission exposes, and the function that looks at it. */
struct exposed_port {
	const struct permission_place *place;
	enum protocol protocol;
	uint16_t port;
};

typedef void (*exposed_port_function)(struct check_run *run, const struct exposed_port *exposed);

static void each_exposed_port(struct check_run *run, exposed_port_function function)
{
	vec_each(place, &run->permissions) {
		if (place->permission->kind != PERMISSION_EXPOSE)
			continue;
		for (int i = 0; i < PROTOCOL_COUNT; i++)
			vec_each(range, &place->permission->services.ports[i].ranges) {
				if (range->hi - range->lo >= LISTED_PORTS_MAX)
					continue;
				for (uint32_t port = range->lo; port <= range->hi; port++)
					function(run, &(struct exposed_port){place, (enum protocol)i, (uint16_t)port});
			}
	}
}

static bool is_published(const struct snapshot_index *index, enum protocol protocol, uint16_t port)
{
	return port_map_find(&index->published[protocol], port) != NULL;
}

static bool is_published_anywhere(const struct check_run *run, enum protocol protocol, uint16_t port)
{
	vec_each(index, &run->snapshots)
		if (index->dnat_unclear || is_published(index, protocol, port))
			return true;
	return false;
}

/* ---- the container's port in place of the host's ---- */

static const struct dnat *find_renamed(const struct check_run *run, const struct exposed_port *exposed)
{
	vec_each(index, &run->snapshots) {
		const struct dnat *dnat = dnat_find(index, &index->renamed[exposed->protocol], exposed->port);

		if (dnat)
			return dnat;
	}
	return NULL;
}

static void check_container_port_of(struct check_run *run, const struct exposed_port *exposed)
{
	const char *protocol = protocol_names[exposed->protocol];
	const struct dnat *dnat;
	struct diag *diag;

	if (is_published_anywhere(run, exposed->protocol, exposed->port))
		return;
	dnat = find_renamed(run, exposed);
	if (!dnat || exposed_find(run, exposed->protocol, dnat->lo))
		return;
	diag = diag_add(run->diags, CODE_CONTAINER_PORT, exposed->place->permission->services.span,
			"%s %u is a container's port: from outside it is %s %u, which is not exposed", protocol,
			exposed->port, protocol, dnat->lo);
	diag_label(run->diags, diag, dnat->rule->span, "published as port %u here", dnat->lo);
	diag_label(run->diags, diag, SPAN_NONE, "a policy names the host's ports, as peers use them");
}

void check_container_port(struct check_run *run)
{
	each_exposed_port(run, check_container_port_of);
}

/* ---- a port that was probably mistyped ---- */

#define NEIGHBOURS_MAX 8

/* The ports that one slip of the fingers turns into this one: two digits exchanged, or the next number. */
static size_t list_neighbours(uint16_t port, uint16_t out[NEIGHBOURS_MAX])
{
	char digits[6];
	size_t count = 0, length = (size_t)snprintf(digits, sizeof digits, "%u", port);

	for (size_t i = 0; i + 1 < length; i++) {
		char swapped[6];
		unsigned long value;

		memcpy(swapped, digits, sizeof swapped);
		swapped[i] = digits[i + 1];
		swapped[i + 1] = digits[i];
		value = strtoul(swapped, NULL, 10);
		if (value != port && value <= UINT16_MAX && swapped[0] != '0')
			out[count++] = (uint16_t)value;
	}
	if (port > 0)
		out[count++] = (uint16_t)(port - 1);
	if (port < UINT16_MAX)
		out[count++] = (uint16_t)(port + 1);
	return count;
}

/* A published port that no policy exposes, though it is a slip away from one that is exposed; or NULL. */
static const struct dnat *find_neighbour(const struct check_run *run, const struct exposed_port *exposed)
{
	uint16_t neighbours[NEIGHBOURS_MAX];
	size_t count = list_neighbours(exposed->port, neighbours);

	vec_each(index, &run->snapshots) {
		for (int i = 0; i < PROTOCOL_COUNT; i++) {
			const struct dnat *dnat = dnat_find(index, &index->published[i], exposed->port);

			if (dnat && !exposed_find(run, dnat->protocol, exposed->port))
				return dnat;
		}
		for (size_t i = 0; i < count; i++) {
			const struct dnat *dnat = dnat_find(index, &index->published[exposed->protocol], neighbours[i]);

			if (dnat && !exposed_find(run, dnat->protocol, dnat->lo))
				return dnat;
		}
	}
	return NULL;
}

static void check_port_not_published_of(struct check_run *run, const struct exposed_port *exposed)
{
	const struct dnat *dnat;
	struct diag *diag;

	if (is_published_anywhere(run, exposed->protocol, exposed->port) || find_renamed(run, exposed))
		return;
	dnat = find_neighbour(run, exposed);
	if (!dnat)
		return;
	diag = diag_add(run->diags, CODE_PORT_NOT_PUBLISHED, exposed->place->permission->services.span,
			"no container publishes %s %u, but one publishes %s %u", protocol_names[exposed->protocol],
			exposed->port, protocol_names[dnat->protocol], dnat->lo);
	diag_label(run->diags, diag, dnat->rule->span, "%s %u is published here", protocol_names[dnat->protocol],
		   dnat->lo);
}

void check_port_not_published(struct check_run *run)
{
	each_exposed_port(run, check_port_not_published_of);
}

/* ---- published, but not for peers ---- */

static void check_published_on_loopback_of(struct check_run *run, const struct exposed_port *exposed)
{
	if (is_published_anywhere(run, exposed->protocol, exposed->port))
		return;
	vec_each(index, &run->snapshots) {
		const struct dnat *dnat = dnat_find(index, &index->loopback[exposed->protocol], exposed->port);
		struct diag *diag;

		if (!dnat)
			continue;
		diag = diag_add(run->diags, CODE_PUBLISHED_ON_LOOPBACK, exposed->place->permission->services.span,
				"%s %u is published on a loopback address: peers cannot reach it there",
				protocol_names[exposed->protocol], exposed->port);
		diag_label(run->diags, diag, dnat->rule->span, "published for the host itself here");
		return;
	}
}

void check_published_on_loopback(struct check_run *run)
{
	each_exposed_port(run, check_published_on_loopback_of);
}

void check_published_not_exposed(struct check_run *run)
{
	vec_each(index, &run->snapshots) {
		for (int i = 0; i < PROTOCOL_COUNT; i++)
			vec_each(piece, &index->published[i].items)
				if (!exposed_find(run, (enum protocol)i, piece->lo))
					diag_add(run->diags, CODE_PUBLISHED_NOT_EXPOSED,
						 index->dnats.data[piece->owner].rule->span,
						 "%s %u is published here, and no policy exposes it", protocol_names[i],
						 piece->lo);
	}
}

/* ---- rules in INPUT that destination NAT leads past ---- */

static const struct dnat *first_published(const struct snapshot_index *index, enum protocol protocol)
{
	const struct port_map *map = &index->published[protocol];

	return map->items.len ? &index->dnats.data[map->items.data[0].owner] : NULL;
}

/* "-i wg1 -j REJECT": all that comes in by the interface, or all of a protocol. Published ports do not end here. */
static const struct dnat *find_way_past_all(const struct snapshot_index *index, const struct rule *rule)
{
	enum protocol protocol;

	if (!rule_is_plain_refusal(rule) || rule->protocol.negated)
		return NULL;
	if (rule->protocol.present)
		return protocol_of_number(rule->protocol.number, &protocol) ? first_published(index, protocol) : NULL;
	for (int i = 0; i < PROTOCOL_COUNT; i++) {
		const struct dnat *dnat = first_published(index, (enum protocol)i);

		if (dnat)
			return dnat;
	}
	return NULL;
}

static const struct dnat *find_way_past(const struct snapshot_index *index, const struct rule *rule)
{
	enum protocol protocol;
	struct port_list ports;

	if (!rule_has_options(rule))
		return find_way_past_all(index, rule);
	if (!rule->protocol.present || rule->protocol.negated ||
	    !protocol_of_number(rule->protocol.number, &protocol) || !rule_ports(rule, &ports))
		return NULL;
	vec_each(range, &ports.ranges) {
		const struct port_piece *piece = port_map_overlap(&index->published[protocol], range->lo, range->hi);

		if (piece)
			return &index->dnats.data[piece->owner];
	}
	return NULL;
}

static bool is_input_only(const struct snapshot_index *index, size_t chain)
{
	return index->reach[TABLE_FILTER].hooks[chain] == 1u << HOOK_INPUT;
}

static void check_bypassed_in(struct check_run *run, const struct snapshot_index *index, const struct chain *chain)
{
	vec_each(rule, &chain->rules) {
		const struct dnat *dnat;
		struct diag *diag;

		if (!rule_refuses(rule) || !policy_interface_met(run, &rule->in))
			continue;
		dnat = find_way_past(index, rule);
		if (!dnat)
			continue;
		diag = diag_add(run->diags, CODE_BYPASSED_INPUT_RULE, rule->span,
				"this rule never sees what is sent to %s %u: it goes to a container, and past INPUT",
				protocol_names[dnat->protocol], dnat->lo);
		diag_label(run->diags, diag, dnat->rule->span, "taken away from INPUT here");
	}
}

void check_bypassed_input_rule(struct check_run *run)
{
	vec_each(index, &run->snapshots) {
		const struct table *filter = &index->snapshot->ruleset->tables[TABLE_FILTER];

		for (size_t i = 0; i < filter->chains.len; i++)
			if (is_input_only(index, i) && !index->chain_owner[TABLE_FILTER][i])
				check_bypassed_in(run, index, &filter->chains.data[i]);
	}
}

/* ---- Docker's own barrier before containers ---- */

/* A range of addresses beyond the far side's interface that a permission forwards to. */
struct forward_range {
	addr_number lo, hi;
	const struct permission *permission;
	size_t widest; /* of those up to this one in the order, the one that reaches furthest */
};

struct forward_ranges {
	VEC(struct forward_range) items;
};

static int compare_forward_ranges(const void *left, const void *right)
{
	const struct forward_range *a = left, *b = right;

	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->permission->span.lo < b->permission->span.lo ? -1 : a->permission->span.lo > b->permission->span.lo;
}

static void forward_ranges_init(struct forward_ranges *ranges, const struct check_run *run, enum family family)
{
	*ranges = (struct forward_ranges){0};
	vec_each(place, &run->permissions) {
		const struct permission *permission = place->permission;

		if (permission->kind != PERMISSION_FORWARD || !permission->to_via)
			continue;
		vec_each(range, &permission->to.sets[family].ranges)
			vec_push(run->arena, &ranges->items,
				 (struct forward_range){range->lo, range->hi, permission, 0});
	}
	if (ranges->items.len)
		qsort(ranges->items.data, ranges->items.len, sizeof *ranges->items.data, compare_forward_ranges);
	for (size_t i = 1; i < ranges->items.len; i++) {
		size_t before = ranges->items.data[i - 1].widest;

		ranges->items.data[i].widest = ranges->items.data[i].hi > ranges->items.data[before].hi ? i : before;
	}
}

static const struct permission *forward_ranges_find(const struct forward_ranges *ranges, addr_number address)
{
	size_t low = 0, high = ranges->items.len;
	const struct forward_range *widest;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->items.data[middle].lo <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	widest = &ranges->items.data[ranges->items.data[low - 1].widest];
	return widest->hi >= address ? widest->permission : NULL;
}

/* "-d CONTAINER ! -i BRIDGE ... -j DROP": nothing but the bridge itself may send to the container's address. */
static bool is_direct_drop(const struct rule *rule)
{
	return !rule->opaque && rule->target.kind == TARGET_DROP && rule->destination.present &&
	       !rule->destination.negated && rule->in.name && rule->in.negated && !rule->source.present &&
	       addr_netmask_length(&rule->destination.mask) == (int)family_bits(rule->destination.addr.family);
}

static bool drops_some_of(const struct rule *rule, const struct service_set *services)
{
	struct port_list ports;
	enum protocol protocol;

	if (services->any || !rule->protocol.present)
		return true;
	if (!protocol_of_number(rule->protocol.number, &protocol))
		return false;
	if (!rule_ports(rule, &ports))
		return services->ports[protocol].ranges.len > 0;
	vec_each(range, &ports.ranges)
		if (port_set_contains(&services->ports[protocol], range->lo))
			return true;
	return false;
}

static int compare_pointers(const void *left, const void *right)
{
	const struct diag *const *a = left, *const *b = right;

	return (*a)->span.lo < (*b)->span.lo ? -1 : (*a)->span.lo > (*b)->span.lo;
}

/* One permission may lead to many containers; it is said once, at the first of them. */
static void keep_first_of_each(struct diags *diags, size_t first)
{
	size_t kept = first;

	if (diags->all.len - first > 1)
		qsort(diags->all.data + first, diags->all.len - first, sizeof *diags->all.data, compare_pointers);
	for (size_t i = first; i < diags->all.len; i++)
		if (i == first || diags->all.data[i]->span.lo != diags->all.data[kept - 1]->span.lo)
			diags->all.data[kept++] = diags->all.data[i];
	diags->all.len = kept;
}

static void check_direct_drops_in(struct check_run *run, const struct chain *chain, const struct forward_ranges *ranges)
{
	vec_each(rule, &chain->rules) {
		const struct permission *permission;
		struct diag *diag;

		if (!is_direct_drop(rule))
			continue;
		permission = forward_ranges_find(ranges, addr_to_number(&rule->destination.addr));
		if (!permission || !interface_names_overlap(permission->to_via, rule->in.name) ||
		    !drops_some_of(rule, &permission->services))
			continue;
		diag = diag_add(run->diags, CODE_DOCKER_DIRECT_DROP, permission->span,
				"what is forwarded to a container's own address is dropped by Docker, before any rule "
				"of ours counts");
		diag_label(run->diags, diag, rule->span, "dropped here unless it comes from '%s'", rule->in.name);
		diag_label(run->diags, diag, SPAN_NONE, "publish the container's port and expose that port of the host");
	}
}

void check_docker_direct_drop(struct check_run *run)
{
	size_t first = run->diags->all.len;

	vec_each(index, &run->snapshots) {
		const struct table *raw = &index->snapshot->ruleset->tables[TABLE_RAW];
		struct forward_ranges ranges;

		forward_ranges_init(&ranges, run, index->snapshot->ruleset->family);
		for (size_t i = 0; i < raw->chains.len; i++)
			if (index->reach[TABLE_RAW].hooks[i] & 1u << HOOK_PREROUTING)
				check_direct_drops_in(run, &raw->chains.data[i], &ranges);
	}
	keep_first_of_each(run->diags, first);
}
