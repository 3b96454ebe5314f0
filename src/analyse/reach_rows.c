#include "reach_rows.h"

#include "reach_turnings.h"
#include "rule_effect.h"
#include "witness.h"

#include <peerwall/policy.h>

#include <stdlib.h>

#define NUMBER_TCP 6
#define NUMBER_ICMP 1
#define NUMBER_ICMPV6 58
#define ECHO_REQUEST4 8
#define ECHO_REQUEST6 128
#define USUAL_HOPS 64 /* of what Linux sends */

/* ---- lists of rules ---- */

struct reach_rule reach_rule_of(enum table_id table, const struct chain *chain, const struct rule *rule)
{
	return (struct reach_rule){table, chain, rule, (unsigned)(rule - chain->rules.data) + 1};
}

void reach_rules_add(struct arena *arena, struct reach_rules *rules, struct reach_rule rule)
{
	vec_each(other, &rules->items)
		if (other->rule == rule.rule)
			return;
	if (rules->items.len < REACH_RULES_MAX)
		vec_push(arena, &rules->items, rule);
	else
		rules->more++;
}

/* ---- rules understood only in part ---- */

static void keep_blur(void *context, const struct visit *visit)
{
	struct blurs *blurs = context;

	if (!visit->rule || visit->matched.exact || visit->hit == DIAGRAM_NONE || rule_effect(visit->rule) == EFFECT_NONE)
		return;
	vec_push(blurs->space->arena, &blurs->items,
		 (struct blur){reach_rule_of(visit->table, visit->chain, visit->rule), visit->vantage->hook,
			       visit->vantage->translated, packets_forget_marks(blurs->space, visit->hit)});
}

struct visitor blurs_visitor(struct blurs *blurs, struct packet_space *space)
{
	blurs->space = space;
	return (struct visitor){.visit = keep_blur, .context = blurs, .hits_only = true};
}

/* Of FIELD_ICMP. */
static addr_number echo_request(const struct packet_space *space)
{
	return (addr_number)(space->family == FAMILY_IPV4 ? ECHO_REQUEST4 : ECHO_REQUEST6) << 8;
}

void reach_rows_mention(struct packet_space *space)
{
	witness_mention(space);
	packet_space_mention(space, FIELD_ICMP, echo_request(space), echo_request(space));
}

struct row_maker {
	struct packet_space *space;
	const struct journey *journey;
	const struct blurs *blurs;
	struct turnings turnings;
	uint32_t refused[PASSAGE_COUNT]; /* worked out once: these are large sets */
	bool unsure;                     /* turnings_are_unsure() */
	uint32_t opening;
	unsigned looks;
};

/* ---- a row as a set ---- */

/* Behind nat. */
static uint32_t late_packets(struct packet_space *space, const struct exposure_row *row)
{
	return packets_and(space, row->packets, row->services);
}

/* Before: as it was sent, and if it is translated then, not yet routed. */
static uint32_t early_packets(struct packet_space *space, const struct exposure_row *row)
{
	uint32_t packets = late_packets(space, row);

	return row->kind == EXPOSURE_TRANSLATED ? packets_forget(space, packets, FIELDS_WAY) : packets;
}

/* ---- what is not certain ---- */

/* What rows do not show. */
static const enum field hidden[] = {FIELD_SPORT, FIELD_FLAGS, FIELD_HOPS};
#define HIDDEN_FIELDS (FIELD_BIT(FIELD_SPORT) | FIELD_BIT(FIELD_FLAGS) | FIELD_BIT(FIELD_HOPS))

/* Wherever they go. */
static uint32_t as_headers(struct packet_space *space, uint32_t packets)
{
	return packets_forget(space, packets, FIELDS_WAY);
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
	uint32_t alike = packets_and(space, packets_forget(space, accepted, HIDDEN_FIELDS), maker->opening);

	return packets_and(space, alike, maker->refused[passage_of(row)]);
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
		if (packets_and(space, packets_forget(space, accepted, FIELD_BIT(hidden[i])), refused) != DIAGRAM_NONE)
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

		if ((!before && blur->translated != translated) || ++maker->looks > REACH_LOOKS_MAX)
			continue;
		if (packets_and(space, blur->hit, before ? early : late) != DIAGRAM_NONE)
			reach_rules_add(space->arena, &row->blurs, blur->rule);
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

/* Said where nobody could know it otherwise; that multicasts are sent on is the exception. */
static void set_way(struct packet *packet, const struct packet_space *space, const struct exposure_row *row,
		    const struct sample *sample)
{
	if (sample->values[FIELD_TYPE] == TYPE_LOCAL) {
		packet->place = PLACE_LOCAL;
	} else if (row->kind == EXPOSURE_FORWARDED) {
		packet->place = PLACE_FORWARDED;
		packet->via = space->outs.data[sample->values[FIELD_OUT]];
	}
}

/* Those among them that are in the other set, too, if there are any. */
static uint32_t prefer(struct packet_space *space, uint32_t packets, uint32_t others)
{
	uint32_t both = packets_and(space, packets, others);

	return both != DIAGRAM_NONE ? both : packets;
}

/* What begins something by its header alone: answers and errors of ICMP do not. */
static uint32_t beginnings(struct packet_space *space)
{
	addr_number protocol = space->family == FAMILY_IPV4 ? NUMBER_ICMP : NUMBER_ICMPV6;
	uint32_t icmp = packets_range(space, FIELD_PROTOCOL, protocol, protocol);
	uint32_t request = packets_range(space, FIELD_ICMP, echo_request(space), echo_request(space));

	return packets_minus(space, opening(space), packets_minus(space, icmp, request));
}

/* A broadcast or a multicast that looks like one: of others only the host knows. */
static uint32_t with_plain_types(struct reach *reach, const struct exposure_row *row)
{
	static const enum destination_type types[] = {TYPE_BROADCAST, TYPE_MULTICAST};
	struct packet_space *space = &reach->space;
	uint32_t plain = packets_of_type(space, TYPE_UNICAST);

	if (row->kind == EXPOSURE_FORWARDED)
		return plain;
	plain = packets_or(space, plain, packets_of_type(space, TYPE_LOCAL));
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		plain = packets_or(space, plain,
				   packets_and(space, packets_of_type(space, types[i]),
					       places_certain(space, &reach->places, FIELD_DST, types[i])));
	return plain;
}

struct reach_witness reach_find_witness(struct reach *reach, const struct reach_interfaces *group, const struct reach_row *row)
{
	struct packet_space *space = &reach->space;
	enum passage passage = passage_of(&row->what);
	uint32_t among = row->what.certain ? group->certain[passage] : group->accepted[passage];
	uint32_t some = prefer(space, packets_and(space, among, late_packets(space, &row->what)),
			       with_plain_types(reach, &row->what));
	uint32_t all = prefer(space, some, beginnings(space));
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

	/* A first SYN, unless the rules look at that. */
	if (!packet.tcp_flags && !(space->fields[FIELD_FLAGS].mask & TCP_SYN))
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
	into->packets = packets_or(space, into->packets, row->packets);
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

/*
 * Does what becomes of such a packet depend on which target a rule picks, or on whether a rule of nat takes hold of it? By which
 * interface it leaves does not count: that is the route's.
 */
static bool may_end_elsewhere(struct row_maker *maker, const struct exposure_row *row)
{
	struct packet_space *space = maker->space;
	uint32_t late = late_packets(space, row), headers;

	headers = as_headers(space, packets_and(space, late, maker->journey->accepted[passage_of(row)]));
	if (packets_and(space, maker->turnings.either_way, headers) != DIAGRAM_NONE)
		return true;
	return row->kind == EXPOSURE_TRANSLATED && turnings_lead_elsewhere(&maker->turnings, headers, late);
}

static void make_row(struct row_maker *maker, struct reach_interfaces *out, const struct reach_place *place,
		     const struct exposure_row *what)
{
	struct reach_row row = {.what = *what}, limited;

	if (what->kind == EXPOSURE_TRANSLATED)
		turnings_find(&maker->turnings, &row.translations, what->targets, early_packets(maker->space, what),
			      late_packets(maker->space, what));
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
	};
	struct exposure exposure;

	exposure_make(&exposure, space, journey, place->entered, place->rows_most);
	merge_rows(space, &exposure);
	maker.opening = opening(space);
	turnings_collect(&maker.turnings, space, journey, place);
	maker.unsure = turnings_are_unsure(&maker.turnings, place->ruleset);
	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		out->accepted[passage] = journey->accepted[passage];
		out->dropped[passage] = journey->dropped[passage];
		out->certain[passage] = journey_certain(space, journey, (enum passage)passage);
		maker.refused[passage] = journey_anyhow(space, journey->dropped, (enum passage)passage);
	}
	out->cut = exposure.cut;
	vec_each(what, &exposure.rows)
		if (what->sources != DIAGRAM_NONE)
			make_row(&maker, out, place, what);
}
