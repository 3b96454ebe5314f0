#include <peerwall/classes.h>

#include <stdlib.h>

size_t port_set_chunks(const struct port_set *ports)
{
	size_t chunks = 0, slots = MULTIPORT_SLOTS;

	vec_each(range, &ports->ranges) {
		size_t needed = range->lo == range->hi ? 1 : 2;

		if (slots + needed > MULTIPORT_SLOTS) {
			chunks++;
			slots = 0;
		}
		slots += needed;
	}
	return chunks;
}

static size_t class_rules(struct arena *arena, const struct class *class)
{
	struct prefix_list prefixes = {0};

	addr_set_prefixes(arena, &class->peers, &prefixes);
	return prefixes.items.len * port_set_chunks(&class->ports);
}

static size_t classes_rules(struct arena *arena, const struct class_list *classes)
{
	size_t rules = 0;

	vec_each(class, &classes->items)
		rules += class_rules(arena, class);
	return rules;
}

/* ---- sweeping: where along a line which permissions hold ---- */

/* Both ports and addresses are numbers here. A permission begins to hold at `at`, or no longer holds from there. */
struct event {
	addr_number at;
	uint32_t permission;
	bool begins;
};

struct event_list {
	VEC(struct event) items;
};

static int compare_events(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->permission != b->permission)
		return a->permission < b->permission ? -1 : 1;
	return (int)b->begins - (int)a->begins;
}

/* A stretch of the line and the permissions that hold all along it. */
struct stretch {
	addr_number lo, hi;
	const uint32_t *holding; /* ascending */
	size_t count;
};

struct stretch_list {
	VEC(struct stretch) items;
};

static int compare_holding(const struct stretch *a, const struct stretch *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (size_t i = 0; i < a->count; i++)
		if (a->holding[i] != b->holding[i])
			return a->holding[i] < b->holding[i] ? -1 : 1;
	return 0;
}

static int compare_stretches(const void *left, const void *right)
{
	const struct stretch *a = left, *b = right;
	int order = compare_holding(a, b);

	return order ? order : (a->lo < b->lo ? -1 : a->lo > b->lo);
}

/* `line_end` is the last number of the line, whose successor may not be representable. */
static void add_interval(struct arena *arena, struct event_list *events, uint32_t permission, addr_number lo,
			 addr_number hi, addr_number line_end)
{
	vec_push(arena, &events->items, (struct event){lo, permission, true});
	if (hi != line_end)
		vec_push(arena, &events->items, (struct event){hi + 1, permission, false});
}

struct active_list {
	VEC(uint32_t) items; /* ascending */
};

static void active_change(struct arena *arena, struct active_list *active, const struct event *event)
{
	size_t place = 0;

	while (place < active->items.len && active->items.data[place] < event->permission)
		place++;
	if (event->begins) {
		vec_push(arena, &active->items, event->permission);
		for (size_t i = active->items.len - 1; i > place; i--)
			active->items.data[i] = active->items.data[i - 1];
		active->items.data[place] = event->permission;
	} else {
		for (size_t i = place + 1; i < active->items.len; i++)
			active->items.data[i - 1] = active->items.data[i];
		active->items.len--;
	}
}

static const uint32_t *copy_active(struct arena *arena, const struct active_list *active)
{
	uint32_t *copy = arena_alloc(arena, active->items.len * sizeof *copy);

	for (size_t i = 0; i < active->items.len; i++)
		copy[i] = active->items.data[i];
	return copy;
}

/* The events' stretches, those with the same permissions side by side. */
static void sweep(struct arena *arena, struct event_list *events, addr_number line_end, struct stretch_list *out)
{
	struct active_list active = {0};
	size_t i = 0;

	if (events->items.len)
		qsort(events->items.data, events->items.len, sizeof *events->items.data, compare_events);
	while (i < events->items.len) {
		addr_number lo = events->items.data[i].at, hi;

		for (; i < events->items.len && events->items.data[i].at == lo; i++)
			active_change(arena, &active, &events->items.data[i]);
		hi = i < events->items.len ? events->items.data[i].at - 1 : line_end;
		if (active.items.len)
			vec_push(arena, &out->items,
				 (struct stretch){lo, hi, copy_active(arena, &active), active.items.len});
	}
	if (out->items.len)
		qsort(out->items.data, out->items.len, sizeof *out->items.data, compare_stretches);
}

/* ---- the two ways to cut ---- */

/* The permissions of one stretch together: all of their peers, or all of their ports. */
static void unite_peers(struct arena *arena, const struct class_list *permissions, const struct stretch *stretch,
			struct addr_set *peers)
{
	peers->family = permissions->items.data[0].peers.family;
	for (size_t i = 0; i < stretch->count; i++)
		addr_set_add_set(arena, peers, &permissions->items.data[stretch->holding[i]].peers);
	addr_set_normalise(peers);
}

static void unite_ports(struct arena *arena, const struct class_list *permissions, const struct stretch *stretch,
			struct port_set *ports)
{
	for (size_t i = 0; i < stretch->count; i++) {
		const struct port_set *own = &permissions->items.data[stretch->holding[i]].ports;

		vec_each(range, &own->ranges)
			port_set_add(arena, ports, *range);
	}
	port_set_normalise(ports);
}

static int compare_by_peers(const void *left, const void *right)
{
	const struct class *a = left, *b = right;
	int order = addr_set_compare(&a->peers, &b->peers);

	return order ? order : port_set_compare(&a->ports, &b->ports);
}

static int compare_by_ports(const void *left, const void *right)
{
	const struct class *a = left, *b = right;
	int order = port_set_compare(&a->ports, &b->ports);

	return order ? order : addr_set_compare(&a->peers, &b->peers);
}

/* Joins neighbours with equal peers: they are sorted by peers. */
static void join_equal_peers(struct arena *arena, struct class_list *classes)
{
	size_t kept = 0;

	qsort(classes->items.data, classes->items.len, sizeof *classes->items.data, compare_by_peers);
	for (size_t i = 1; i < classes->items.len; i++) {
		struct class *last = &classes->items.data[kept], *next = &classes->items.data[i];

		if (addr_set_compare(&last->peers, &next->peers) == 0) {
			vec_each(range, &next->ports.ranges)
				port_set_add(arena, &last->ports, *range);
			port_set_normalise(&last->ports);
		} else {
			classes->items.data[++kept] = *next;
		}
	}
	classes->items.len = kept + 1;
}

/* Joins neighbours with equal ports: they are sorted by ports. */
static void join_equal_ports(struct arena *arena, struct class_list *classes)
{
	size_t kept = 0, added = 0;

	qsort(classes->items.data, classes->items.len, sizeof *classes->items.data, compare_by_ports);
	for (size_t i = 1; i <= classes->items.len; i++) {
		struct class *last = &classes->items.data[kept];
		struct class *next = i < classes->items.len ? &classes->items.data[i] : NULL;

		if (next && port_set_equal(&last->ports, &next->ports)) {
			addr_set_add_set(arena, &last->peers, &next->peers);
			added++;
			continue;
		}
		if (added)
			addr_set_normalise(&last->peers);
		added = 0;
		if (next)
			classes->items.data[++kept] = *next;
	}
	classes->items.len = kept + 1;
}

static void cut_by_ports(struct arena *arena, const struct class_list *permissions, struct class_list *out)
{
	struct event_list events = {0};
	struct stretch_list stretches = {0};

	for (size_t i = 0; i < permissions->items.len; i++)
		vec_each(range, &permissions->items.data[i].ports.ranges)
			add_interval(arena, &events, (uint32_t)i, range->lo, range->hi, UINT16_MAX);
	sweep(arena, &events, UINT16_MAX, &stretches);
	for (size_t i = 0; i < stretches.items.len;) {
		const struct stretch *first = &stretches.items.data[i];
		struct class class = {.span = permissions->items.data[first->holding[0]].span};

		unite_peers(arena, permissions, first, &class.peers);
		for (; i < stretches.items.len && compare_holding(first, &stretches.items.data[i]) == 0; i++)
			port_set_add(arena, &class.ports,
				     (struct port_range){(uint16_t)stretches.items.data[i].lo,
							 (uint16_t)stretches.items.data[i].hi});
		port_set_normalise(&class.ports);
		vec_push(arena, &out->items, class);
	}
	join_equal_peers(arena, out);
	qsort(out->items.data, out->items.len, sizeof *out->items.data, compare_by_ports);
}

static void cut_by_peers(struct arena *arena, const struct class_list *permissions, struct class_list *out)
{
	enum family family = permissions->items.data[0].peers.family;
	addr_number line_end = family == FAMILY_IPV4 ? UINT32_MAX : ~(addr_number)0;
	struct event_list events = {0};
	struct stretch_list stretches = {0};

	for (size_t i = 0; i < permissions->items.len; i++)
		vec_each(range, &permissions->items.data[i].peers.ranges)
			add_interval(arena, &events, (uint32_t)i, range->lo, range->hi, line_end);
	sweep(arena, &events, line_end, &stretches);
	for (size_t i = 0; i < stretches.items.len;) {
		const struct stretch *first = &stretches.items.data[i];
		struct class class = {.peers.family = family,
				      .span = permissions->items.data[first->holding[0]].span};

		unite_ports(arena, permissions, first, &class.ports);
		for (; i < stretches.items.len && compare_holding(first, &stretches.items.data[i]) == 0; i++)
			addr_set_add(arena, &class.peers,
				     (struct addr_range){stretches.items.data[i].lo, stretches.items.data[i].hi});
		addr_set_normalise(&class.peers);
		vec_push(arena, &out->items, class);
	}
	join_equal_ports(arena, out);
}

static bool nobody(const struct class *class)
{
	return class->peers.ranges.len == 0 || class->ports.ranges.len == 0;
}

void classes_make(struct arena *arena, const struct class_list *permissions, struct class_list *out)
{
	struct class_list some = {0}, by_ports = {0}, by_peers = {0};

	vec_each(class, &permissions->items)
		if (!nobody(class))
			vec_push(arena, &some.items, *class);
	if (some.items.len == 0)
		return;
	cut_by_ports(arena, &some, &by_ports);
	cut_by_peers(arena, &some, &by_peers);
	*out = classes_rules(arena, &by_peers) < classes_rules(arena, &by_ports) ? by_peers : by_ports;
}
