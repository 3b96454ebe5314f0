#include "reach_report.h"

#include <peerwall/diag.h>
#include <peerwall/report.h>

#include <stdlib.h>
#include <string.h>

/* As much as fits a screen; --all shows the rest. */
#define ROWS_SHOWN 40
#define ITEMS_SHOWN 4
#define INTERFACES_SHOWN 8

enum column { COLUMN_FROM, COLUMN_WHAT, COLUMN_TO, COLUMN_END, COLUMN_COUNT };

struct line {
	struct strbuf cells[COLUMN_COUNT];
};

struct text_writer {
	struct strbuf *out;
	const struct reach_report *report;
	struct reach_family *family;
	struct packet_space *space;
	size_t most; /* items of a cell */
};

/* ---- cells ---- */

/* " (host.v4:12)" */
static void add_place(struct strbuf *out, const struct sources *sources, const struct rule *rule)
{
	struct report_place place;

	if (report_place_find(sources, rule->span, &place))
		strbuf_addf(out, " (%s:%u)", place.source->name, place.line);
}

static void add_from(struct text_writer *writer, struct strbuf *cell, uint32_t sources)
{
	const char *name = reach_peers_name(&writer->family->reach, &writer->family->input, sources);

	if (sources == DIAGRAM_ALL)
		strbuf_adds(cell, "anybody");
	else if (name)
		strbuf_adds(cell, name);
	else
		exposure_add_addresses(cell, writer->space, sources, FIELD_SRC, writer->most);
}

static bool has_type(struct packet_space *space, uint32_t types, enum destination_type type)
{
	return packets_and(space, types, packets_of_type(space, type)) != DIAGRAM_NONE;
}

static void add_types(struct text_writer *writer, struct strbuf *cell, uint32_t types)
{
	static const char *const words[TYPE_COUNT] = {
		[TYPE_UNICAST] = "anywhere else", [TYPE_LOCAL] = "this host", [TYPE_BROADCAST] = "broadcasts",
		[TYPE_ANYCAST] = "anycasts", [TYPE_MULTICAST] = "multicasts",
	};
	size_t begin = cell->len;

	for (int type = 0; type < TYPE_COUNT; type++)
		if (has_type(writer->space, types, (enum destination_type)type))
			strbuf_addf(cell, "%s%s", cell->len > begin ? ", " : "", words[type]);
}

/* "this host", "10.1.1.5", "this host: all but 10.1.1.5". */
static void add_to(struct text_writer *writer, struct strbuf *cell, const struct exposure_row *row)
{
	struct strbuf addresses = STRBUF_EMPTY;

	if (row->destinations == DIAGRAM_ALL) {
		add_types(writer, cell, row->types);
		return;
	}
	exposure_add_addresses(&addresses, writer->space, row->destinations, FIELD_DST, writer->most);
	if (strncmp(strbuf_str(&addresses), "all but ", strlen("all but ")) == 0) {
		add_types(writer, cell, row->types);
		strbuf_adds(cell, ": ");
	}
	strbuf_adds(cell, strbuf_str(&addresses));
	strbuf_free(&addresses);
}

static void add_rule(struct text_writer *writer, struct strbuf *cell, const struct reach_rule *rule)
{
	strbuf_addf(cell, "%s %s rule %u", table_names[rule->table], rule->chain->name, rule->number);
	add_place(cell, writer->report->sources, rule->rule);
}

static void add_rules(struct text_writer *writer, struct strbuf *cell, const char *before, const struct reach_rules *rules)
{
	vec_each(rule, &rules->items) {
		strbuf_adds(cell, rule == rules->items.data ? before : ", ");
		add_rule(writer, cell, rule);
	}
	if (rules->more)
		strbuf_addf(cell, " and %zu more", rules->more);
}

static bool ends_here(struct text_writer *writer, const struct exposure_row *row)
{
	return row->outs == packets_to_host(writer->space);
}

static void add_target(struct text_writer *writer, struct strbuf *cell, const struct exposure_row *row)
{
	if (ends_here(writer, row))
		strbuf_adds(cell, "this host");
	else
		exposure_add_addresses(cell, writer->space, row->targets, FIELD_NEW_DST, writer->most);
	if (row->port_kept)
		return;
	strbuf_adds(cell, " port ");
	exposure_add_ports(cell, writer->space, row->target_ports, FIELD_NEW_DPORT, writer->most);
}

static void add_limits(struct strbuf *cell, unsigned fields)
{
	static const struct { enum field field; const char *words; } limits[] = {
		{FIELD_SPORT, "source ports"}, {FIELD_FLAGS, "flags of TCP"}, {FIELD_HOPS, "hop limits"},
	};
	const char *separator = "; only with some ";

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		if (fields & FIELD_BIT(limits[i].field)) {
			strbuf_addf(cell, "%s%s", separator, limits[i].words);
			separator = " and ";
		}
	if (!fields)
		strbuf_adds(cell, "; only some of it");
}

static void add_doubt(struct text_writer *writer, struct strbuf *cell, const struct reach_row *row)
{
	if (row->partial)
		add_limits(cell, row->partial_by);
	if (row->what.certain)
		return;
	strbuf_adds(cell, "; perhaps");
	add_rules(writer, cell, ", depending on ", &row->blurs);
}

static void add_end(struct text_writer *writer, struct strbuf *cell, const struct reach_row *row)
{
	const struct exposure_row *what = &row->what;

	if (what->kind == EXPOSURE_HOST)
		strbuf_adds(cell, "here");
	else if (what->kind == EXPOSURE_FORWARDED)
		strbuf_adds(cell, "forwarded");
	else
		add_target(writer, cell, what);
	if (!ends_here(writer, what)) {
		strbuf_adds(cell, " by ");
		exposure_add_interfaces(cell, writer->space, what->outs, writer->most);
	}
	add_rules(writer, cell, ": ", &row->translations);
	add_doubt(writer, cell, row);
}

/* ---- rows ---- */

struct ordered_row {
	const struct reach_row *row;
	unsigned service; /* the first one */
	size_t number;
};

static int compare_rows(const void *left, const void *right)
{
	static const int ranks[] = {[EXPOSURE_HOST] = 0, [EXPOSURE_TRANSLATED] = 1, [EXPOSURE_FORWARDED] = 2};
	const struct ordered_row *a = left, *b = right;
	int x = ranks[a->row->what.kind], y = ranks[b->row->what.kind];

	if (x != y)
		return x - y;
	if (a->service != b->service)
		return a->service < b->service ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static struct ordered_row *order_rows(struct text_writer *writer, const struct reach_interfaces *group)
{
	struct ordered_row *rows = arena_alloc(writer->report->arena, (group->rows.len + 1) * sizeof *rows);

	for (size_t i = 0; i < group->rows.len; i++) {
		const struct reach_row *row = &group->rows.data[i];
		struct exposure_services services;

		rows[i] = (struct ordered_row){row, 0, i};
		exposure_list_services(&services, writer->space, row->what.services);
		if (services.items.len)
			rows[i].service = (unsigned)services.items.data[0].protocol_lo << 16 | services.items.data[0].lo;
	}
	if (group->rows.len)
		qsort(rows, group->rows.len, sizeof *rows, compare_rows);
	return rows;
}

static void fill_line(struct text_writer *writer, struct line *line, const struct reach_row *row)
{
	add_from(writer, &line->cells[COLUMN_FROM], row->what.sources);
	exposure_add_services(&line->cells[COLUMN_WHAT], writer->space, row->what.services, writer->most);
	add_to(writer, &line->cells[COLUMN_TO], &row->what);
	add_end(writer, &line->cells[COLUMN_END], row);
}

/* Names in rules may be anybody's. */
static void print_line_of(struct strbuf *out, const struct line *line, const size_t widths[COLUMN_COUNT])
{
	for (int column = 0; column < COLUMN_COUNT; column++) {
		const struct strbuf *cell = &line->cells[column];

		strbuf_adds(out, "  ");
		diag_clean(out, strbuf_str(cell), cell->len);
		for (size_t i = cell->len; column < COLUMN_END && i < widths[column]; i++)
			strbuf_addc(out, ' ');
	}
	strbuf_addc(out, '\n');
}

static void write_rows(struct text_writer *writer, const struct reach_interfaces *group)
{
	static const char *const titles[COLUMN_COUNT] = {"FROM", "WHAT", "SENT TO", "ENDS"};
	const struct ordered_row *rows = order_rows(writer, group);
	size_t shown = writer->report->all || group->rows.len <= ROWS_SHOWN ? group->rows.len : ROWS_SHOWN;
	struct line *lines = arena_zalloc(writer->report->arena, (shown + 1) * sizeof *lines);
	size_t widths[COLUMN_COUNT] = {0};

	for (int column = 0; column < COLUMN_COUNT; column++)
		strbuf_adds(&lines[0].cells[column], titles[column]);
	for (size_t i = 0; i < shown; i++)
		fill_line(writer, &lines[i + 1], rows[i].row);
	for (size_t i = 0; i <= shown; i++)
		for (int column = 0; column < COLUMN_COUNT; column++)
			if (lines[i].cells[column].len > widths[column])
				widths[column] = lines[i].cells[column].len;
	for (size_t i = 0; i <= shown; i++) {
		print_line_of(writer->out, &lines[i], widths);
		for (int column = 0; column < COLUMN_COUNT; column++)
			strbuf_free(&lines[i].cells[column]);
	}
	if (shown < group->rows.len)
		strbuf_addf(writer->out, "  and %s%zu more; --all shows them\n", group->cut ? "over " : "", group->rows.len - shown);
	else if (group->cut)
		strbuf_adds(writer->out, "  and still more, which were not laid out; --to asks for a part of them\n");
}

/* "IPv4, by br-1, br-2 and eth0" */
static void write_interfaces(struct text_writer *writer, const struct reach_names *names)
{
	struct strbuf heading = STRBUF_EMPTY;
	size_t count = names->items.len;

	strbuf_addf(&heading, "%s, by ", family_name(writer->space->family));
	for (size_t i = 0; i < count; i++) {
		if (i == INTERFACES_SHOWN && !writer->report->all && count > INTERFACES_SHOWN + 1) {
			strbuf_addf(&heading, " and %zu more interfaces", count - i);
			break;
		}
		strbuf_adds(&heading, i == 0 ? "" : i + 1 == count ? " and " : ", ");
		exposure_add_interface(&heading, writer->space, names->items.data[i]);
	}
	diag_clean(writer->out, strbuf_str(&heading), heading.len);
	strbuf_free(&heading);
}

static void write_group(struct text_writer *writer, const struct reach_interfaces *group)
{
	write_interfaces(writer, &group->names);
	strbuf_adds(writer->out, ":\n");
	if (group->rows.len)
		write_rows(writer, group);
	else
		strbuf_adds(writer->out, "  nothing gets in\n");
	strbuf_addc(writer->out, '\n');
}

/* ---- what was assumed ---- */

static void assume_routes(struct reach_sentences *out, const struct reach_report *report)
{
	vec_each(route, &report->host->routes) {
		char network[PREFIX_TEXT_MAX];
		struct strbuf text = STRBUF_EMPTY;

		if (!route->rule)
			continue;
		prefix_format(&route->to, network);
		strbuf_addf(&text, "%s is behind %s, as its MASQUERADE rule says", network, route->interface);
		add_place(&text, report->sources, route->rule);
		vec_push(report->arena, &out->items, strbuf_keep(&text, report->arena));
	}
}

void reach_assumptions(struct reach_sentences *out, const struct reach_report *report)
{
	bool addresses = true, routes = true, marks = false;

	*out = (struct reach_sentences){0};
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (report->families[f]) {
			addresses &= report->families[f]->reach.places.addresses_known;
			routes &= report->families[f]->reach.places.routes_known;
			marks |= packet_space_asks_for_marks(&report->families[f]->reach.space);
		}
	if (!addresses)
		vec_push(report->arena, &out->items,
			 "any address but a container's may be this host's own: not all of its addresses are known (--host)");
	if (!routes)
		vec_push(report->arena, &out->items,
			 "what is forwarded may leave by any interface: not all routes are known (--host)");
	assume_routes(out, report);
	if (marks)
		vec_push(report->arena, &out->items,
			 "packets arrive without a mark, which those from a tunnel of GRE, VXLAN or IPsec may have");
	vec_push(report->arena, &out->items, "this host forwards");
}

static void write_assumptions(struct strbuf *out, const struct reach_report *report)
{
	struct reach_sentences assumed;

	reach_assumptions(&assumed, report);
	vec_each(sentence, &assumed.items) {
		strbuf_adds(out, "assumed: ");
		diag_clean(out, *sentence, strlen(*sentence));
		strbuf_addc(out, '\n');
	}
}

void reach_write_text(struct strbuf *out, const struct reach_report *report)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct reach_family *family = report->families[f];
		struct text_writer writer = {.out = out, .report = report, .family = family,
					     .most = report->all ? SIZE_MAX - 1 : ITEMS_SHOWN};

		if (!family)
			continue;
		writer.space = &family->reach.space;
		vec_each(group, &family->reach.groups)
			write_group(&writer, group);
		if (family->reach.omitted.items.len) {
			write_interfaces(&writer, &family->reach.omitted);
			strbuf_adds(out, ":\n  not worked out, for the rules are too many; --from asks for one interface\n\n");
		}
	}
	write_assumptions(out, report);
}
