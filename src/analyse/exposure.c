#include <peerwall/exposure.h>

/* Sources are told apart by what each may reach; beyond so many kinds of them, rows are by source alone. */
#define KINDS_MAX 64

#define SENT_FIELDS \
	(FIELD_BIT(FIELD_OUT) | FIELD_BIT(FIELD_TYPE) | FIELD_BIT(FIELD_DST) | FIELD_BIT(FIELD_SRC) | EXPOSURE_SERVICE_FIELDS)
#define MADE_FIELDS (SENT_FIELDS | FIELD_BIT(FIELD_NEW_DST) | FIELD_BIT(FIELD_NEW_DPORT))

struct laying_out {
	struct packet_space *space;
	struct exposure *out;
	size_t most;
	uint32_t entered;
	uint32_t no_sources; /* that none of them has */
	uint32_t never;      /* services that no packet of the journey has */
};

static void add_row(struct laying_out *laying, const struct exposure_row *row)
{
	if (laying->out->rows.len >= laying->most)
		laying->out->cut = true;
	else
		vec_push(laying->space->arena, &laying->out->rows, *row);
}

/* ---- sources and services ---- */

struct together {
	uint32_t sources, services;
};

struct together_list {
	VEC(struct together) items;
};

/* Each service with all sources that have it; each list of sources once. */
static void join(struct together_list *list, struct packet_space *space, uint32_t sources, uint32_t services)
{
	size_t count = list->items.len;

	for (size_t i = 0; i < count && services != DIAGRAM_NONE; i++) {
		struct together *item = &list->items.data[i], kept = *item;
		uint32_t both = packets_and(space, item->services, services);
		uint32_t only = packets_minus(space, item->services, both);

		if (both == DIAGRAM_NONE)
			continue;
		*item = (struct together){packets_or(space, kept.sources, sources), both};
		if (only != DIAGRAM_NONE)
			vec_push(space->arena, &list->items, (struct together){kept.sources, only});
		services = packets_minus(space, services, both);
	}
	if (services != DIAGRAM_NONE)
		vec_push(space->arena, &list->items, (struct together){sources, services});
}

/* Two lists of services may have come to the same sources. */
static void merge_same_sources(struct together_list *list, struct packet_space *space)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->items.len; i++) {
		struct together item = list->items.data[i];
		size_t same = 0;

		while (same < kept && list->items.data[same].sources != item.sources)
			same++;
		if (same == kept)
			list->items.data[kept++] = item;
		else
			list->items.data[same].services =
				packets_or(space, list->items.data[same].services, item.services);
	}
	list->items.len = kept;
}

/* Of a set that knows of sources and services alone. */
static void tell_apart(struct together_list *out, struct packet_space *space, uint32_t packets)
{
	struct packet_classes classes;
	bool few;

	*out = (struct together_list){0};
	packets_classify(&classes, space, packets, FIELD_SRC);
	few = classes.items.len <= KINDS_MAX;
	vec_each(class, &classes.items) {
		if (few && out->items.len <= KINDS_MAX)
			join(out, space, class->values, class->rest);
		else
			vec_push(space->arena, &out->items, (struct together){class->values, class->rest});
	}
	if (few)
		merge_same_sources(out, space);
}

/* What cannot be left out of "anything but" need not be named there. */
static uint32_t rounded(struct laying_out *laying, uint32_t services)
{
	struct packet_space *space = laying->space;
	uint32_t filled = packets_or(space, services, laying->never);
	struct exposure_services those, others;

	if (filled == services || filled == DIAGRAM_ALL)
		return filled;
	exposure_list_services(&those, space, services);
	exposure_list_services(&others, space, packets_minus(space, DIAGRAM_ALL, filled));
	return others.items.len < those.items.len ? filled : services;
}

static size_t count_prefixes(struct packet_space *space, uint32_t addresses, enum field field)
{
	struct addr_set set;

	packets_values(&set, space, addresses, field);
	return addr_set_count_prefixes(&set);
}

/* With or without what is never there, whichever is told in fewer words. */
static uint32_t rounded_addresses(struct packet_space *space, uint32_t addresses, uint32_t never, enum field field)
{
	uint32_t filled = packets_or(space, addresses, never);

	if (filled == addresses || filled == DIAGRAM_ALL)
		return filled;
	return count_prefixes(space, packets_minus(space, DIAGRAM_ALL, filled), field) * 2 <=
			       count_prefixes(space, addresses, field) ?
		       filled :
		       addresses;
}

/* There are destinations that cannot be of these types and take these ways. */
static uint32_t rounded_destinations(struct laying_out *laying, const struct exposure_row *row, uint32_t destinations)
{
	struct packet_space *space = laying->space;
	uint32_t those = packets_and(space, laying->entered, row->types);

	if (row->kind != EXPOSURE_TRANSLATED)
		those = packets_and(space, those, row->outs);
	those = packets_project(space, those, FIELD_BIT(FIELD_DST));
	return rounded_addresses(space, destinations, packets_minus(space, DIAGRAM_ALL, those), FIELD_DST);
}

static uint32_t rounded_sources(struct laying_out *laying, uint32_t sources)
{
	return rounded_addresses(laying->space, sources, laying->no_sources, FIELD_SRC);
}

/* ---- as sent ---- */

static void add_sent_row(struct laying_out *laying, const struct exposure_row *begun, uint32_t destinations,
			 uint32_t sources, uint32_t services)
{
	struct packet_space *space = laying->space;
	struct exposure_row row = *begun;

	if (laying->out->cut)
		return;
	row.packets = packets_and(space, packets_and(space, row.outs, row.types),
				  packets_and(space, destinations, packets_and(space, sources, services)));
	row.destinations = rounded_destinations(laying, &row, destinations);
	row.sources = rounded_sources(laying, sources);
	row.services = rounded(laying, services);
	add_row(laying, &row);
}

/* What the same sources may reach: services, each with all destinations that have it. */
struct reached {
	uint32_t sources;
	struct together_list list; /* destinations in the place of sources */
};

struct reached_list {
	VEC(struct reached) items;
};

static struct together_list *reached_by(struct reached_list *list, struct packet_space *space, uint32_t sources)
{
	vec_each(reached, &list->items)
		if (reached->sources == sources)
			return &reached->list;
	vec_push(space->arena, &list->items, (struct reached){.sources = sources});
	return &list->items.data[list->items.len - 1].list;
}

static void add_reached(struct laying_out *laying, const struct exposure_row *begun, struct reached_list *list)
{
	vec_each(reached, &list->items) {
		merge_same_sources(&reached->list, laying->space);
		vec_each(item, &reached->list.items)
			add_sent_row(laying, begun, item->sources, reached->sources, item->services);
	}
}

/* Few destinations are grouped as sources are; of many each has rows of its own. */
static void add_destinations(struct laying_out *laying, const struct exposure_row *begun, uint32_t packets)
{
	struct packet_classes classes;
	struct reached_list reached = {0};
	bool few;

	packets_classify(&classes, laying->space, packets, FIELD_DST);
	few = classes.items.len <= KINDS_MAX;
	vec_each(class, &classes.items) {
		struct together_list list;

		tell_apart(&list, laying->space, class->rest);
		vec_each(item, &list.items) {
			if (few && reached.items.len <= KINDS_MAX)
				join(reached_by(&reached, laying->space, item->sources), laying->space, class->values,
				     item->services);
			else
				add_sent_row(laying, begun, class->values, item->sources, item->services);
		}
		if (laying->out->cut)
			return;
	}
	add_reached(laying, begun, &reached);
}

static void add_types(struct laying_out *laying, const struct exposure_row *begun, uint32_t packets)
{
	struct packet_classes classes;

	packets_classify(&classes, laying->space, packets, FIELD_TYPE);
	vec_each(class, &classes.items) {
		struct exposure_row row = *begun;

		row.types = class->values;
		add_destinations(laying, &row, class->rest);
	}
}

/* What is for the host goes first, and apart. */
static void add_as_sent(struct laying_out *laying, uint32_t packets, bool certain)
{
	struct packet_space *space = laying->space;
	uint32_t host = packets_to_host(space);
	struct packet_classes classes;

	for (int kind = EXPOSURE_HOST; kind <= EXPOSURE_FORWARDED; kind++) {
		uint32_t those = kind == EXPOSURE_HOST ? packets_and(space, packets, host) :
							 packets_minus(space, packets, host);

		packets_classify(&classes, space, those, FIELD_OUT);
		vec_each(class, &classes.items) {
			struct exposure_row row = {
				.kind = (enum exposure_kind)kind,
				.certain = certain,
				.outs = class->values,
				.targets = DIAGRAM_ALL,
				.target_ports = DIAGRAM_ALL,
			};

			add_types(laying, &row, class->rest);
		}
	}
}

/* ---- translated ---- */

/* Where the destination was before, of the packets that the row speaks of. */
static void add_translated_row(struct laying_out *laying, struct exposure_row *row, uint32_t packets)
{
	struct packet_space *space = laying->space;
	const uint32_t limits[] = {row->outs, row->targets, row->sources, row->services, row->target_ports};
	uint32_t limit = DIAGRAM_ALL;

	if (laying->out->cut)
		return;
	/* First together: they are small, and the packets are those of all rows. */
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		limit = packets_and(space, limit, limits[i]);
	packets = packets_and(space, packets, limit);
	row->packets = packets;
	row->types = packets_project(space, packets, FIELD_BIT(FIELD_TYPE));
	row->destinations = rounded_destinations(laying, row, packets_project(space, packets, FIELD_BIT(FIELD_DST)));
	row->services = rounded(laying, row->services);
	row->sources = rounded_sources(laying, row->sources);
	add_row(laying, row);
}

/* Where the piece of the field ends that the value lies in. */
static addr_number piece_end(const struct packet_space *space, enum field field, addr_number value)
{
	vec_each(start, &space->fields[field].starts)
		if (*start > value)
			return *start - 1;
	return space->fields[field].last;
}

/* The services that are sent on to these ports of a target, each to which of them. */
static void join_ports(struct together_list *list, struct packet_space *space, uint32_t ports, uint32_t made)
{
	struct addr_set values;

	packets_values(&values, space, ports, FIELD_NEW_DPORT);
	vec_each(range, &values.ranges)
		for (addr_number lo = range->lo, hi; lo <= range->hi; lo = hi + 1) {
			/* Ports of which each is sent on to another are few, and those that a target chooses from are many. */
			hi = range->hi - range->lo < KINDS_MAX ? piece_end(space, FIELD_NEW_DPORT, lo) : range->hi;
			uint32_t target = packets_range(space, FIELD_NEW_DPORT, lo, hi);

			join(list, space, target, packets_project(space, packets_and(space, made, target), EXPOSURE_SERVICE_FIELDS));
		}
}

/* The ports that each service is sent on to. */
static void add_target_ports(struct laying_out *laying, const struct exposure_row *begun, uint32_t made, uint32_t packets)
{
	struct packet_space *space = laying->space;
	struct packet_classes protocols;
	struct together_list list = {0};

	packets_classify(&protocols, space, made, FIELD_PROTOCOL);
	vec_each(protocol, &protocols.items) {
		uint32_t sent = packets_project(space, protocol->rest, FIELD_BIT(FIELD_NEW_DPORT));

		join_ports(&list, space, sent, packets_and(space, protocol->rest, protocol->values));
	}
	merge_same_sources(&list, space);
	vec_each(item, &list.items) {
		struct exposure_row row = *begun;

		row.target_ports = item->sources;
		row.services = item->services;
		add_translated_row(laying, &row, packets);
	}
}

/* `packets` are the whole of it, of which the class is what a target leaves over. */
static void add_targets(struct laying_out *laying, const struct exposure_row *begun, uint32_t targeted, uint32_t packets)
{
	struct packet_space *space = laying->space;
	struct packet_classes classes;

	packets_classify(&classes, space, targeted, FIELD_NEW_DST);
	vec_each(class, &classes.items) {
		struct together_list list;
		struct exposure_row row = *begun;

		row.targets = class->values;
		tell_apart(&list, space, class->rest);
		vec_each(item, &list.items) {
			row.sources = item->sources;
			row.services = item->services;
			if (row.port_kept)
				add_translated_row(laying, &row, packets);
			else
				add_target_ports(laying, &row, item->services, packets);
		}
		if (laying->out->cut)
			return;
	}
}

static void add_translated(struct laying_out *laying, uint32_t packets, bool certain)
{
	struct packet_space *space = laying->space;
	uint32_t same_port = packets_untouched(space, FIELD_DPORT, FIELD_NEW_DPORT);

	for (int kept = 0; kept < 2; kept++) {
		uint32_t those = kept ? packets_and(space, packets, same_port) : packets_minus(space, packets, same_port);
		unsigned fields = FIELD_BIT(FIELD_OUT) | FIELD_BIT(FIELD_NEW_DST) | FIELD_BIT(FIELD_SRC) | EXPOSURE_SERVICE_FIELDS;
		struct packet_classes classes;

		if (!kept)
			fields |= FIELD_BIT(FIELD_NEW_DPORT);
		packets_classify(&classes, space, packets_project(space, those, fields), FIELD_OUT);
		vec_each(class, &classes.items) {
			struct exposure_row row = {
				.kind = EXPOSURE_TRANSLATED,
				.certain = certain,
				.outs = class->values,
				.port_kept = kept,
				.target_ports = DIAGRAM_ALL,
			};

			add_targets(laying, &row, class->rest, those);
		}
	}
}

/* ---- all of it ---- */

void exposure_make(struct exposure *out, struct packet_space *space, const struct journey *journey, uint32_t entered,
		   size_t most)
{
	static const unsigned fields[PASSAGE_COUNT] = {SENT_FIELDS, MADE_FIELDS};
	struct laying_out laying = {.space = space, .out = out, .most = most, .entered = entered};
	uint32_t sure[PASSAGE_COUNT], unsure[PASSAGE_COUNT], travelled = DIAGRAM_NONE;

	*out = (struct exposure){0};
	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		uint32_t accepted = packets_project(space, journey->accepted[passage], fields[passage]);
		uint32_t either = packets_or(space, journey->accepted[passage], journey->dropped[passage]);

		sure[passage] = packets_project(space, journey_certain(space, journey, (enum passage)passage),
						fields[passage]);
		unsure[passage] = packets_minus(space, accepted, sure[passage]);
		travelled = packets_or(space, travelled, packets_project(space, either, EXPOSURE_SERVICE_FIELDS));
	}
	laying.no_sources = packets_minus(space, DIAGRAM_ALL, packets_project(space, entered, FIELD_BIT(FIELD_SRC)));
	laying.never = packets_minus(space, DIAGRAM_ALL, travelled);
	for (int certain = 1; certain >= 0 && !out->cut; certain--) {
		add_as_sent(&laying, (certain ? sure : unsure)[PASSAGE_AS_SENT], certain);
		add_translated(&laying, (certain ? sure : unsure)[PASSAGE_TRANSLATED], certain);
	}
}
