#include "reach_rows.h"

#include "rule_effect.h"
#include "translation.h"
#include "witness.h"

#include <peerwall/policy.h>

#include <stdlib.h>

/* Rules looked at for one list of rows: to name them is a kindness, and not worth minutes. */
#define LOOKS_MAX 2000000u

#define NUMBER_TCP 6
#define USUAL_HOPS 64 /* of what Linux sends */

/* ---- rules understood only in part ---- */

static struct reach_rule rule_of(enum table_id table, const struct chain *chain, const struct rule *rule)
{
	return (struct reach_rule){table, chain, rule, (unsigned)(rule - chain->rules.data) + 1};
}

static void add_rule(struct arena *arena, struct reach_rules *rules, struct reach_rule rule)
{
	vec_each(other, &rules->items)
		if (other->rule == rule.rule)
			return;
	if (rules->items.len < REACH_RULES_MAX)
		vec_push(arena, &rules->items, rule);
	else
		rules->more++;
}

static void keep_blur(void *context, const struct visit *visit)
{
	struct blurs *blurs = context;

	if (!visit->rule || visit->matched.exact || visit->hit == DIAGRAM_NONE || rule_effect(visit->rule) == EFFECT_NONE)
		return;
	vec_push(blurs->space->arena, &blurs->items,
		 (struct blur){rule_of(visit->table, visit->chain, visit->rule), visit->vantage->hook,
			       visit->vantage->translated, packets_forget_marks(blurs->space, visit->hit)});
}

struct visitor blurs_visitor(struct blurs *blurs, struct packet_space *space)
{
	blurs->space = space;
	return (struct visitor){.visit = keep_blur, .context = blurs, .hits_only = true};
}

void reach_rows_mention(struct packet_space *space)
{
	witness_mention(space);
}

/* ---- rules that translate ---- */

struct turning {
	const struct event *event;
	addr_number destination; /* of `singles`: found by it */
};

struct row_maker {
	struct packet_space *space;
	const struct journey *journey;
	const struct blurs *blurs;
	uint32_t refused[PASSAGE_COUNT]; /* worked out once: these are large sets */
	uint32_t met[PASSAGE_COUNT]; /* accepted or dropped */
	bool unsure;                 /* nat_is_unsure() */
	uint32_t opening;
	struct vantage vantage; /* of nat PREROUTING */
	VEC(struct turning) singles; /* by destination */
	VEC(struct turning) others;
	unsigned looks;
};

static int compare_turnings(const void *left, const void *right)
{
	const struct turning *a = left, *b = right;
	addr_number x = a->destination, y = b->destination;

	/* Of one destination in the order in which packets meet them. */
	return x != y ? (x < y ? -1 : 1) : a->event < b->event ? -1 : a->event > b->event;
}

/* Does the rule send all to one address? */
static bool has_one_destination(const struct rule *rule, addr_number *out)
{
	const struct option *option;

	if (rule->opaque || rule->target.kind != TARGET_EXTENSION || rule->target.extension.module != MODULE_T_DNAT)
		return false;
	option = target_option(rule, OPTION_T_DNAT_TO);
	if (!option || !option->value.nat.has_addr || !addr_equal(&option->value.nat.lo, &option->value.nat.hi))
		return false;
	*out = addr_to_number(&option->value.nat.lo);
	return true;
}

static void collect_turnings(struct row_maker *maker)
{
	vec_each(event, &maker->journey->events.items) {
		struct turning turning = {.event = event};

		if (event->kind != EVENT_TRANSLATE)
			continue;
		if (has_one_destination(event->rule, &turning.destination))
			vec_push(maker->space->arena, &maker->singles, turning);
		else
			vec_push(maker->space->arena, &maker->others, turning);
	}
	if (maker->singles.len)
		qsort(maker->singles.data, maker->singles.len, sizeof *maker->singles.data, compare_turnings);
}

static size_t first_single(const struct row_maker *maker, addr_number destination)
{
	size_t low = 0, high = maker->singles.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maker->singles.data[middle].destination < destination)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- a row as a set ---- */

/* As it was sent, before it was routed. */
static uint32_t early_packets(struct packet_space *space, const struct exposure_row *row)
{
	uint32_t packets = packets_and(space, row->sources, row->services);

	packets = packets_and(space, packets_and(space, row->destinations, row->types), packets);
	return row->kind == EXPOSURE_TRANSLATED ? packets : packets_and(space, packets, row->outs);
}

static uint32_t late_packets(struct packet_space *space, const struct exposure_row *row)
{
	uint32_t packets = packets_and(space, early_packets(space, row), row->outs);

	if (row->kind != EXPOSURE_TRANSLATED)
		return packets;
	packets = packets_and(space, packets, packets_and(space, row->targets, row->target_ports));
	return row->port_kept ? packets_and(space, packets, packets_untouched(space, FIELD_DPORT, FIELD_NEW_DPORT)) : packets;
}

static void add_translation(struct row_maker *maker, struct reach_row *row, const struct turning *turning, uint32_t early,
			    uint32_t late)
{
	struct packet_space *space = maker->space;
	uint32_t hit = packets_and(space, turning->event->packets, early), made;

	if (++maker->looks > LOOKS_MAX || hit == DIAGRAM_NONE)
		return;
	made = translate(space, turning->event->rule, &maker->vantage, hit).made;
	if (packets_and(space, made, late) == DIAGRAM_NONE)
		return;
	add_rule(space->arena, &row->translations,
		 rule_of(turning->event->table, turning->event->chain, turning->event->rule));
}

static void find_translations(struct row_maker *maker, struct reach_row *row)
{
	struct packet_space *space = maker->space;
	uint32_t early = early_packets(space, &row->what), late = late_packets(space, &row->what);
	struct addr_set targets;

	packets_values(&targets, space, row->what.targets, FIELD_NEW_DST);
	vec_each(range, &targets.ranges)
		for (size_t i = first_single(maker, range->lo); i < maker->singles.len; i++) {
			if (maker->singles.data[i].destination > range->hi || maker->looks > LOOKS_MAX)
				break;
			add_translation(maker, row, &maker->singles.data[i], early, late);
		}
	vec_each(turning, &maker->others)
		add_translation(maker, row, turning, early, late);
}

/* ---- what is not certain ---- */

/* What rows do not show. */
static const enum field hidden[] = {FIELD_SPORT, FIELD_FLAGS, FIELD_HOPS};

/* Wherever they go. */
static uint32_t as_headers(struct packet_space *space, uint32_t packets)
{
	packets = packets_forget(space, packets_forget(space, packets, FIELD_NEW_DST), FIELD_NEW_DPORT);
	return packets_forget(space, packets, FIELD_OUT);
}

/* All but TCP that is no first SYN: odd flags are often refused, and nobody begins a connection with them. */
static uint32_t opening(struct packet_space *space)
{
	uint32_t syn = packets_masked(space, FIELD_FLAGS, TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK, TCP_SYN);
	uint32_t tcp = packets_range(space, FIELD_PROTOCOL, NUMBER_TCP, NUMBER_TCP);

	return packets_minus(space, DIAGRAM_ALL, packets_minus(space, tcp, syn));
}

static enum passage passage_of(const struct exposure_row *row)
{
	return row->kind == EXPOSURE_TRANSLATED ? PASSAGE_TRANSLATED : PASSAGE_AS_SENT;
}

/* Packets of the row that do not get in, though no rule is in doubt; of those that some get in otherwise alike. */
static uint32_t left_out(struct row_maker *maker, const struct exposure_row *row, uint32_t accepted)
{
	struct packet_space *space = maker->space;
	uint32_t whole = packets_and(space, packets_and(space, late_packets(space, row), maker->opening),
				     maker->refused[passage_of(row)]);

	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		accepted = packets_forget(space, accepted, hidden[i]);
	return packets_and(space, whole, accepted);
}

/* The part of the row that is limited goes into one of its own. False: all of it is. */
static bool split_limited(struct row_maker *maker, struct reach_row *row, struct reach_row *limited)
{
	struct packet_space *space = maker->space;
	uint32_t accepted = packets_and(space, late_packets(space, &row->what), maker->journey->accepted[passage_of(&row->what)]);
	uint32_t refused = left_out(maker, &row->what, accepted);
	uint32_t services = packets_project(space, refused, EXPOSURE_SERVICE_FIELDS), unlimited;

	*limited = *row;
	if (refused == DIAGRAM_NONE)
		return true;
	limited->partial = true;
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (packets_and(space, packets_forget(space, accepted, hidden[i]), refused) != DIAGRAM_NONE)
			limited->partial_by |= FIELD_BIT(hidden[i]);
	limited->what.services = packets_and(space, row->what.services, services);
	unlimited = packets_minus(space, row->what.services, services);
	row->what.services = unlimited;
	return packets_and(space, accepted, unlimited) != DIAGRAM_NONE;
}

static void find_blurs(struct row_maker *maker, struct reach_row *row)
{
	struct packet_space *space = maker->space;
	bool translated = row->what.kind == EXPOSURE_TRANSLATED;
	uint32_t early = early_packets(space, &row->what), late = late_packets(space, &row->what);

	vec_each(blur, &maker->blurs->items) {
		bool before = blur->hook == HOOK_PREROUTING;

		if ((!before && blur->translated != translated) || ++maker->looks > LOOKS_MAX)
			continue;
		if (packets_and(space, blur->hit, before ? early : late) != DIAGRAM_NONE)
			add_rule(space->arena, &row->blurs, blur->rule);
	}
}

/* ---- witnesses ---- */

static struct addr_bounds single(const struct packet_space *space, addr_number number)
{
	struct addr addr = addr_from_number(space->family, number);

	return (struct addr_bounds){addr, addr};
}

static struct port_range one_port(addr_number number)
{
	return (struct port_range){(uint16_t)number, (uint16_t)number};
}

static bool is_asked_for(const struct packet_space *space, enum field field)
{
	return space->fields[field].bits > 0;
}

/* Said where nobody could know it otherwise. */
static void set_way(struct packet *packet, const struct packet_space *space, const struct exposure_row *row,
		    const struct sample *sample)
{
	if (sample->values[FIELD_TYPE] == TYPE_LOCAL) {
		packet->place = PLACE_LOCAL;
	} else if (row->kind == EXPOSURE_FORWARDED && sample->values[FIELD_TYPE] == TYPE_UNICAST) {
		packet->place = PLACE_FORWARDED;
		packet->via = space->outs.data[sample->values[FIELD_OUT]];
	}
}

struct reach_witness reach_find_witness(struct reach *reach, const struct reach_interfaces *group, const struct reach_row *row)
{
	struct packet_space *space = &reach->space;
	enum passage passage = passage_of(&row->what);
	uint32_t among = row->what.certain ? group->certain[passage] : group->accepted[passage];
	uint32_t all = packets_and(space, among, late_packets(space, &row->what));
	uint32_t usual = packets_and(space, all, packets_range(space, FIELD_HOPS, USUAL_HOPS, USUAL_HOPS));
	const char *in = group->names.items.data[0];
	struct witness witness = witness_find(space, &reach->places, usual != DIAGRAM_NONE ? usual : all, in, TRACKING_NEW,
						       passage);
	const addr_number *values = witness.sample.values;
	struct packet packet = {
		.family = space->family, .in = in,
		.source = single(space, values[FIELD_SRC]), .destination = single(space, values[FIELD_DST]),
		.protocol = (uint8_t)values[FIELD_PROTOCOL],
		.source_port = one_port(values[FIELD_SPORT]), .destination_port = one_port(values[FIELD_DPORT]),
		.icmp_type = (uint8_t)(values[FIELD_ICMP] >> 8), .icmp_code = (uint8_t)values[FIELD_ICMP],
		.has_ttl = is_asked_for(space, FIELD_HOPS),
		/* The most that is like it: what is forwarded has to have some left. */
		.ttl = usual != DIAGRAM_NONE ? USUAL_HOPS :
					       (uint8_t)packet_space_piece(space, FIELD_HOPS, values[FIELD_HOPS]).hi,
		.has_flags = values[FIELD_PROTOCOL] == NUMBER_TCP, .tcp_flags = (uint8_t)values[FIELD_FLAGS],
	};

	/* A first SYN, unless the rules look closer. */
	if (!is_asked_for(space, FIELD_FLAGS))
		packet.tcp_flags = TCP_SYN;
	packet.state = packet_first_state(&packet);
	set_way(&packet, space, &row->what, &witness.sample);
	return (struct reach_witness){packet, witness.sample};
}

void reach_add_witness(struct strbuf *out, const struct packet *packet)
{
	packet_describe(out, packet);
	if (packet->has_flags && packet->tcp_flags != TCP_SYN) {
		strbuf_adds(out, " flags ");
		packet_describe_flags(out, packet->tcp_flags);
	}
	if (packet->has_ttl)
		strbuf_addf(out, " ttl %u", packet->ttl);
	if (packet->place == PLACE_LOCAL)
		strbuf_adds(out, " local");
	else if (packet->place == PLACE_FORWARDED)
		strbuf_addf(out, " via %s", packet->via);
}

/* ---- rows that read as one ---- */

/* All but what they may be merged by. */
static int compare_rest(const struct exposure_row *a, const struct exposure_row *b)
{
	const uint32_t x[] = {a->kind, !a->certain, a->sources, a->services, a->target_ports, a->port_kept, a->destinations};
	const uint32_t y[] = {b->kind, !b->certain, b->sources, b->services, b->target_ports, b->port_kept, b->destinations};

	for (size_t i = 0; i < sizeof x / sizeof *x; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

static int compare_row_places(const void *left, const void *right)
{
	const struct exposure_row *const *a = left, *const *b = right;
	int order = compare_rest(*a, *b);

	return order ? order : *a < *b ? -1 : *a > *b;
}

/* Translated to the host itself: to which of its addresses says little. */
static bool can_merge(struct packet_space *space, const struct exposure_row *row)
{
	if (row->kind == EXPOSURE_TRANSLATED)
		return row->outs == packets_to_host(space);
	return row->destinations == DIAGRAM_ALL;
}

/* Into the first of them where they differ in one of the two alone. False: they do not. */
static bool merge_row(struct packet_space *space, struct exposure_row *into, const struct exposure_row *row)
{
	if ((into->outs != row->outs) + (into->types != row->types) + (into->targets != row->targets) > 1)
		return false;
	into->outs = packets_or(space, into->outs, row->outs);
	into->types = packets_or(space, into->types, row->types);
	into->targets = packets_or(space, into->targets, row->targets);
	return true;
}

/*
 * "To this host" and "to multicasts", "forwarded by eth0" and "forwarded by eth1", each time all that there can be: once
 * the types, once the interfaces. What was merged is marked by having no sources.
 */
static void merge_rows(struct packet_space *space, struct exposure *exposure)
{
	VEC(struct exposure_row *) rows = {0};

	vec_each(row, &exposure->rows)
		if (can_merge(space, row))
			vec_push(space->arena, &rows, row);
	if (!rows.len)
		return;
	qsort(rows.data, rows.len, sizeof *rows.data, compare_row_places);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < rows.len; i++)
			for (size_t j = i + 1; j < rows.len && rows.data[i]->sources != DIAGRAM_NONE; j++) {
				if (rows.data[j]->sources == DIAGRAM_NONE)
					continue;
				if (compare_rest(rows.data[i], rows.data[j]) != 0)
					break;
				if (merge_row(space, rows.data[i], rows.data[j]))
					rows.data[j]->sources = DIAGRAM_NONE;
			}
}

/* ---- all rows ---- */

/* Only what was asked for is shown, though there may be nothing else. */
static void add_row(struct row_maker *maker, struct reach_interfaces *out, const struct reach_place *place, struct reach_row *row)
{
	struct packet_space *space = maker->space;

	if (!row->what.certain)
		find_blurs(maker, row);
	if (!row->what.certain && !row->blurs.items.len)
		row->blurs = row->translations;
	row->what.services = packets_and(space, row->what.services, reach_wanted_services(space, place->wanted));
	row->what.destinations = packets_and(space, row->what.destinations, reach_wanted_destinations(space, place->wanted));
	vec_push(space->arena, &out->rows, *row);
}

/* Does the rule pick one of several targets for each connection, or one of this host's addresses? */
static bool is_choice(const struct row_maker *maker, const struct rule *rule)
{
	const struct option *option;
	addr_number one;

	if (rule->opaque || rule->target.kind != TARGET_EXTENSION)
		return rule->opaque;
	switch (rule->target.extension.module) {
	case MODULE_T_DNAT:
		option = target_option(rule, OPTION_T_DNAT_TO);
		return !option || (option->value.nat.has_addr && !has_one_destination(rule, &one)) ||
		       (option->value.nat.has_port && option->value.nat.port_lo != option->value.nat.port_hi);
	case MODULE_T_REDIRECT:
		option = target_option(rule, OPTION_T_REDIRECT_TO_PORTS);
		return maker->space->family == FAMILY_IPV6 || !maker->vantage.places->addresses_known ||
		       !host_first_address(maker->vantage.places->host, maker->vantage.in, maker->space->family) ||
		       (option && option->value.range.lo != option->value.range.hi);
	default:
		return false;
	}
}

/* Can packets that look alike be led to several ends? If not, no row has to be asked, which is dear where there are many. */
static bool nat_is_unsure(const struct row_maker *maker, const struct ruleset *ruleset)
{
	vec_each(chain, &ruleset->tables[TABLE_NAT].chains)
		vec_each(rule, &chain->rules)
			if (is_choice(maker, rule) || !rule_packets(maker->space, rule, &maker->vantage).exact)
				return true;
	return false;
}

/*
 * Does what becomes of such a packet depend on which target a rule picks, or on whether a rule of nat takes hold of it? By which
 * interface it leaves does not count: that is the route's.
 */
static bool may_end_elsewhere(struct row_maker *maker, const struct exposure_row *row)
{
	struct packet_space *space = maker->space;
	uint32_t late = late_packets(space, row), headers, others;

	headers = as_headers(space, packets_and(space, late, maker->journey->accepted[passage_of(row)]));
	others = packets_and(space, maker->met[PASSAGE_TRANSLATED], headers);
	if (row->kind != EXPOSURE_TRANSLATED)
		return others != DIAGRAM_NONE;
	if (packets_and(space, maker->met[PASSAGE_AS_SENT], headers) != DIAGRAM_NONE)
		return true;
	return packets_minus(space, others, packets_forget(space, late, FIELD_OUT)) != DIAGRAM_NONE;
}

static void make_row(struct row_maker *maker, struct reach_interfaces *out, const struct reach_place *place,
		     const struct exposure_row *what)
{
	struct reach_row row = {.what = *what}, limited;

	if (what->kind == EXPOSURE_TRANSLATED)
		find_translations(maker, &row);
	if (what->certain && maker->unsure && may_end_elsewhere(maker, what)) {
		row.what.certain = false;
		add_row(maker, out, place, &row);
		return;
	}
	if (!what->certain || split_limited(maker, &row, &limited))
		add_row(maker, out, place, &row);
	if (what->certain && limited.partial)
		add_row(maker, out, place, &limited);
}

void reach_rows_make(struct reach_interfaces *out, struct packet_space *space, const struct journey *journey,
		     const struct blurs *blurs, const struct reach_place *place)
{
	struct row_maker maker = {
		.space = space, .journey = journey, .blurs = blurs,
		.vantage = {.in = place->in, .hook = HOOK_PREROUTING, .tracking = TRACKING_NEW, .places = place->places},
	};
	struct exposure exposure;

	exposure_make(&exposure, space, journey, place->entered);
	merge_rows(space, &exposure);
	maker.opening = opening(space);
	maker.unsure = nat_is_unsure(&maker, place->ruleset);
	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		maker.met[passage] = packets_or(space, journey->accepted[passage], journey->dropped[passage]);
		out->accepted[passage] = journey->accepted[passage];
		out->dropped[passage] = journey->dropped[passage];
		out->certain[passage] = journey_certain(space, journey, (enum passage)passage);
		maker.refused[passage] = journey_anyhow(space, journey->dropped, (enum passage)passage);
	}
	collect_turnings(&maker);
	out->cut = exposure.cut;
	vec_each(what, &exposure.rows)
		if (what->sources != DIAGRAM_NONE)
			make_row(&maker, out, place, what);
}
