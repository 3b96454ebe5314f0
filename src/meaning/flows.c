#include "flows.h"

#include <stdlib.h>
#include <string.h>

/* A permission of one family, with what it is sorted by. */
struct demand {
	const struct permission *permission;
	const struct addr_set *from;
	const struct addr_set *to; /* NULL: none */
	const char *far;           /* NULL: none */
	size_t order;
};

struct demand_list {
	VEC(struct demand) items;
};

static int compare_far(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int compare_to(const struct addr_set *a, const struct addr_set *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return addr_set_compare(a, b);
}

static bool same_destination(const struct demand *a, const struct demand *b)
{
	return compare_far(a->far, b->far) == 0 && compare_to(a->to, b->to) == 0;
}

/* By meaning alone, so that the order of statements does not show in the rules. */
static int compare_demands(const void *left, const void *right)
{
	const struct demand *a = left, *b = right;
	int order = compare_far(a->far, b->far);

	if (!order)
		order = compare_to(a->to, b->to);
	if (!order)
		order = addr_set_compare(a->from, b->from);
	return order ? order : (a->order < b->order ? -1 : a->order > b->order);
}

static void flow_add(struct arena *arena, struct flow *flow, struct class_list demands[PROTOCOL_COUNT],
		     const struct demand *demand)
{
	const struct service_set *services = &demand->permission->services;

	if (services->any) {
		addr_set_add_set(arena, &flow->any, demand->from);
		return;
	}
	for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++)
		if (services->ports[protocol].ranges.len)
			vec_push(arena, &demands[protocol].items,
				 (struct class){*demand->from, services->ports[protocol], demand->permission->span});
}

/* Those who may use every protocol need no class of their own. */
static void drop_covered(struct class_list *classes, const struct addr_set *any)
{
	size_t kept = 0;

	for (size_t i = 0; i < classes->items.len; i++)
		if (!addr_set_includes(any, &classes->items.data[i].peers))
			classes->items.data[kept++] = classes->items.data[i];
	classes->items.len = kept;
}

static void flows_make(struct arena *arena, struct demand_list *demands, enum family family, struct flow_list *out)
{
	size_t i = 0;

	if (demands->items.len)
		qsort(demands->items.data, demands->items.len, sizeof *demands->items.data, compare_demands);
	while (i < demands->items.len) {
		const struct demand *first = &demands->items.data[i];
		struct class_list own[PROTOCOL_COUNT] = {0};
		struct flow flow = {.span = first->permission->span, .far = first->far, .any.family = family};

		if (first->to) {
			flow.has_to = true;
			flow.to = *first->to;
		}
		for (; i < demands->items.len && same_destination(first, &demands->items.data[i]); i++)
			flow_add(arena, &flow, own, &demands->items.data[i]);
		addr_set_normalise(&flow.any);
		for (int protocol = 0; protocol < PROTOCOL_COUNT; protocol++) {
			drop_covered(&own[protocol], &flow.any);
			classes_make(arena, &own[protocol], &flow.classes[protocol]);
		}
		vec_push(arena, &out->items, flow);
	}
}

static void demand_add(struct arena *arena, struct demand_list *demands, const struct permission *permission,
		       enum family family, const struct peer_set *to, const char *far)
{
	struct demand demand = {
		.permission = permission,
		.from = &permission->from.sets[family],
		.to = to ? &to->sets[family] : NULL,
		.far = far,
		.order = demands->items.len,
	};

	if (demand.from->ranges.len == 0 || (demand.to && demand.to->ranges.len == 0))
		return;
	vec_push(arena, &demands->items, demand);
}

/* What an `expose ... at` allows and an `expose` without it allows, too, needs no rule. */
static void drop_exposed_anyway(struct flow_list *exposed)
{
	const struct flow *everywhere = NULL;

	vec_each(flow, &exposed->items)
		if (!flow->has_to)
			everywhere = flow;
	if (!everywhere)
		return;
	vec_each(flow, &exposed->items)
		for (int protocol = 0; flow->has_to && protocol < PROTOCOL_COUNT; protocol++) {
			struct class_list *classes = &flow->classes[protocol];
			size_t kept = 0;

			for (size_t i = 0; i < classes->items.len; i++) {
				const struct class *narrow = &classes->items.data[i];
				bool covered = false;

				vec_each(wide, &everywhere->classes[protocol].items)
					covered |= addr_set_includes(&wide->peers, &narrow->peers) &&
						   port_set_includes(&wide->ports, &narrow->ports);
				if (!covered)
					classes->items.data[kept++] = *narrow;
			}
			classes->items.len = kept;
		}
}

static void collect_own(struct arena *arena, const struct interface_policy *block, const char *interface,
			enum family family, struct demand_list *exposed, struct demand_list *in, struct demand_list *out)
{
	vec_each(permission, &block->permissions) {
		if (permission->kind == PERMISSION_EXPOSE)
			demand_add(arena, exposed, permission, family, permission->has_at ? &permission->at : NULL, NULL);
		else if (permission->kind == PERMISSION_FORWARD && permission->from_via)
			demand_add(arena, out, permission, family, &permission->to, permission->from_via);
		else if (permission->kind == PERMISSION_FORWARD)
			demand_add(arena, in, permission, family, &permission->to,
				   permission->to_via ? permission->to_via : interface);
	}
}

/* One `forward` between two interfaces that both have a block is enough, in either block. */
static void collect_mirrored(struct arena *arena, const struct interface_policy *block, const char *interface,
			     enum family family, struct demand_list *in, struct demand_list *out)
{
	vec_each(permission, &block->permissions) {
		if (permission->kind != PERMISSION_FORWARD)
			continue;
		vec_each(name, &block->names) {
			if (permission->to_via && interface_names_overlap(permission->to_via, interface))
				demand_add(arena, out, permission, family, &permission->to, name->text);
			if (permission->from_via && interface_names_overlap(permission->from_via, interface))
				demand_add(arena, in, permission, family, &permission->to, name->text);
		}
	}
}

/* ---- ICMP ---- */

struct icmp_flow_list {
	VEC(struct icmp_flow) items;
};

static int compare_icmp_types(const struct icmp_type *a, const struct icmp_type *b)
{
	return a->type != b->type ? (int)a->type - (int)b->type : (int)a->code - (int)b->code;
}

/* A type's flow for all codes (-1) comes before those for single codes. */
static int compare_icmp_flows(const void *left, const void *right)
{
	const struct icmp_flow *a = left, *b = right;
	int order = compare_icmp_types(&a->type, &b->type);

	return order ? order : (a->span.lo < b->span.lo ? -1 : a->span.lo > b->span.lo);
}

static void collect_icmp(struct flows *out, const struct interface_policy *block, enum family family,
			 struct arena *arena)
{
	struct icmp_flow_list all = {0};
	const struct icmp_flow *every_code = NULL;
	size_t i = 0;

	vec_each(permission, &block->permissions)
		vec_each(type, &permission->icmp)
			if (type->family == family && permission->from.sets[family].ranges.len)
				vec_push(arena, &all.items,
					 (struct icmp_flow){permission->span, *type, permission->from.sets[family]});
	if (all.items.len)
		qsort(all.items.data, all.items.len, sizeof *all.items.data, compare_icmp_flows);
	while (i < all.items.len) {
		struct icmp_flow *first = &all.items.data[i], flow = *first;

		flow.from = (struct addr_set){.family = family};
		for (; i < all.items.len && compare_icmp_types(&first->type, &all.items.data[i].type) == 0; i++)
			addr_set_add_set(arena, &flow.from, &all.items.data[i].from);
		addr_set_normalise(&flow.from);
		if (every_code && every_code->type.type == flow.type.type &&
		    addr_set_includes(&every_code->from, &flow.from))
			continue;
		vec_push(arena, &out->icmp, flow);
		if (flow.type.code < 0)
			every_code = &out->icmp.data[out->icmp.len - 1];
	}
}

static bool serves(const struct interface_policy *block, const char *interface)
{
	vec_each(name, &block->names)
		if (strcmp(name->text, interface) == 0)
			return true;
	return false;
}

void flows_collect(struct flows *out, const struct policy *policy, const struct interface_policy *block,
		   const char *interface, enum family family, struct arena *arena)
{
	struct demand_list exposed = {0}, in = {0}, leaving = {0};

	*out = (struct flows){0};
	collect_own(arena, block, interface, family, &exposed, &in, &leaving);
	vec_each(other, &policy->interfaces)
		if (!serves(other, interface))
			collect_mirrored(arena, other, interface, family, &in, &leaving);
	flows_make(arena, &exposed, family, &out->exposed);
	flows_make(arena, &in, family, &out->in);
	flows_make(arena, &leaving, family, &out->out);
	drop_exposed_anyway(&out->exposed);
	collect_icmp(out, block, family, arena);
}
