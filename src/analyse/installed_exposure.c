#include <peerwall/installed.h>

#include "installed_walk.h"

#include <peerwall/exposure.h>
#include <peerwall/intern.h>

#include <string.h>

/* Lines for one interface, and items in each of their lists. */
#define LINES_MAX 16
/* Rows that are laid out for them. */
#define ROWS_MAX 512
#define ITEMS_MAX 8
#define BLURRING_MAX 3

/* A rule that is understood only in part, and what it may have taken hold of. */
struct blurring {
	const struct rule *rule;
	uint32_t packets[PASSAGE_COUNT];
};

struct telling {
	const struct installed_exposure *input;
	struct arena arena;
	struct diags *diags;
	struct packet_space space;
	struct places places;
	VEC(struct blurring) blurring; /* by the interface at hand */
	struct intern blurring_rules;  /* their addresses, by number */
	size_t steps;
};

/* What is told of one interface, and of all others of which the same is true. */
struct told {
	struct strbuf names;
	struct strbuf lines;           /* one below the other */
	size_t omitted;
	bool cut;                      /* and still more */
	VEC(const struct rule *) blurring;
};

struct told_list {
	VEC(struct told) items;
};

/* ---- which rules blur ---- */

static struct blurring *blurring_of(struct telling *telling, const struct rule *rule)
{
	uint32_t number = intern_add(&telling->blurring_rules, (const char *)&rule, sizeof rule);

	if (number == telling->blurring.len)
		vec_push(&telling->arena, &telling->blurring, (struct blurring){.rule = rule});
	return &telling->blurring.data[number];
}

static void see_blurring(void *context, const struct visit *visit)
{
	struct telling *telling = context;
	struct packet_space *space = &telling->space;
	struct blurring *blurring;
	uint32_t packets;

	if (!visit->rule || visit->matched.exact || visit->hit == DIAGRAM_NONE)
		return;
	blurring = blurring_of(telling, visit->rule);
	packets = packets_forget_marks(space, visit->hit);
	if (visit->vantage->translated) {
		blurring->packets[PASSAGE_TRANSLATED] = packets_or(space, blurring->packets[PASSAGE_TRANSLATED], packets);
		return;
	}
	blurring->packets[PASSAGE_AS_SENT] = packets_or(space, blurring->packets[PASSAGE_AS_SENT], packets);
	/* What DNAT turns later had another way before. */
	if (visit->vantage->hook == HOOK_PREROUTING)
		blurring->packets[PASSAGE_TRANSLATED] =
			packets_or(space, blurring->packets[PASSAGE_TRANSLATED], packets_forget(space, packets, FIELD_BIT(FIELD_OUT)));
}

static void collect_blurring(struct told *told, struct telling *telling, const struct journey *journey)
{
	struct packet_space *space = &telling->space;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		uint32_t unsure = packets_minus(space, journey->accepted[passage],
						journey_certain(space, journey, (enum passage)passage));

		vec_each(blurring, &telling->blurring) {
			bool known = false;

			vec_each(rule, &told->blurring)
				known = known || *rule == blurring->rule;
			if (!known && told->blurring.len < BLURRING_MAX &&
			    packets_and(space, unsure, blurring->packets[passage]) != DIAGRAM_NONE)
				vec_push(&telling->arena, &told->blurring, blurring->rule);
		}
	}
}

/* ---- lines ---- */

static bool is_within(struct packet_space *space, uint32_t inner, uint32_t outer)
{
	return packets_minus(space, inner, outer) == DIAGRAM_NONE;
}

/* Broadcasts and the like are worth a line only where they have it better than what is sent to one host. */
static bool is_covered(struct telling *telling, const struct exposure *exposure, const struct exposure_row *row)
{
	struct packet_space *space = &telling->space;
	uint32_t plain = packets_of_type(space, row->kind == EXPOSURE_HOST ? TYPE_LOCAL : TYPE_UNICAST);

	if (row->kind == EXPOSURE_TRANSLATED || packets_and(space, row->types, plain) != DIAGRAM_NONE)
		return false;
	vec_each(other, &exposure->rows)
		if (other->kind == row->kind && (other->certain || !row->certain) && packets_and(space, other->types, plain) != DIAGRAM_NONE &&
		    is_within(space, row->destinations, other->destinations) && is_within(space, row->outs, other->outs) &&
		    is_within(space, row->sources, other->sources) && is_within(space, row->services, other->services))
			return true;
	return false;
}

static void add_place(struct strbuf *out, struct telling *telling, const struct exposure_row *row)
{
	struct packet_space *space = &telling->space;
	bool host = row->outs == packets_to_host(space);
	/*
	 * Nothing that came in by a network goes out by the loopback interface; and where nobody knows the host's addresses,
	 * what is sent on may be for the host just as well.
	 */
	uint32_t outs = packets_minus(space, packets_minus(space, row->outs, packets_out(space, "lo")), packets_to_host(space));

	switch (row->kind) {
	case EXPOSURE_HOST:
		strbuf_adds(out, "to this host");
		return;
	case EXPOSURE_FORWARDED:
		strbuf_adds(out, "through this host, out by ");
		exposure_add_interfaces(out, space, outs != DIAGRAM_NONE ? outs : row->outs, ITEMS_MAX);
		return;
	case EXPOSURE_TRANSLATED:
		strbuf_adds(out, "rewritten to ");
		if (host)
			strbuf_adds(out, "this host");
		else
			exposure_add_addresses(out, space, row->targets, FIELD_NEW_DST, ITEMS_MAX);
		if (!row->port_kept) {
			strbuf_adds(out, " port ");
			exposure_add_ports(out, space, row->target_ports, FIELD_NEW_DPORT, ITEMS_MAX);
		}
		if (!host) {
			strbuf_adds(out, ", out by ");
			exposure_add_interfaces(out, space, outs != DIAGRAM_NONE ? outs : row->outs, ITEMS_MAX);
		}
		return;
	}
}

static void add_destinations(struct strbuf *out, struct telling *telling, const struct exposure_row *row)
{
	struct packet_space *space = &telling->space;

	if (packets_minus(space, row->types, packets_of_type(space, TYPE_MULTICAST)) == DIAGRAM_NONE)
		strbuf_adds(out, " as a multicast");
	else if (packets_minus(space, row->types, packets_of_type(space, TYPE_BROADCAST)) == DIAGRAM_NONE)
		strbuf_adds(out, " as a broadcast");
	else if (packets_minus(space, row->types, packets_of_type(space, TYPE_ANYCAST)) == DIAGRAM_NONE)
		strbuf_adds(out, " at an anycast address");
	if (row->destinations == DIAGRAM_ALL)
		return;
	strbuf_adds(out, row->kind == EXPOSURE_FORWARDED ? " to " : " at ");
	exposure_add_addresses(out, space, row->destinations, FIELD_DST, ITEMS_MAX);
}

static void add_line(struct strbuf *out, struct telling *telling, const struct exposure_row *row)
{
	struct packet_space *space = &telling->space;

	if (!row->certain)
		strbuf_adds(out, "perhaps ");
	add_place(out, telling, row);
	strbuf_adds(out, ": ");
	exposure_add_services(out, space, row->services, ITEMS_MAX);
	if (row->sources != DIAGRAM_ALL) {
		strbuf_adds(out, " from ");
		exposure_add_addresses(out, space, row->sources, FIELD_SRC, ITEMS_MAX);
	}
	add_destinations(out, telling, row);
	strbuf_addc(out, '\n');
}

static void add_lines(struct told *told, struct telling *telling, const struct exposure *exposure)
{
	size_t count = 0;

	vec_each(row, &exposure->rows) {
		if (is_covered(telling, exposure, row))
			continue;
		if (count++ < LINES_MAX)
			add_line(&told->lines, telling, row);
	}
	told->omitted = count > LINES_MAX ? count - LINES_MAX : 0;
	told->cut = exposure->cut;
}

/* ---- interfaces ---- */

static bool tell_interface(struct told *told, struct telling *telling, const char *in)
{
	const struct visitor visitor = {see_blurring, telling, true};
	struct traverse_input input = {
		.ruleset = telling->input->ruleset, .in = in, .tracking = TRACKING_NEW, .places = &telling->places,
		.nat_first = telling->input->nat_first, .visitor = &visitor,
	};
	struct exposure exposure;
	struct journey journey;

	packet_space_clear(&telling->space);
	telling->blurring.len = 0;
	intern_init(&telling->blurring_rules, &telling->arena);
	input.arriving = traverse_arriving(&telling->space, &telling->places);
	traverse(&journey, &telling->space, &input);
	telling->steps += journey.steps;
	if (journey.gave_up || packet_space_gave_up(&telling->space))
		return false;
	exposure_make(&exposure, &telling->space, &journey,
		      traverse_entering(&telling->space, in, input.arriving), ROWS_MAX);
	if (packet_space_gave_up(&telling->space))
		return false;
	add_lines(told, telling, &exposure);
	collect_blurring(told, telling, &journey);
	return true;
}

static bool is_same(const struct told *a, const struct told *b)
{
	return a->omitted == b->omitted && a->cut == b->cut && strcmp(strbuf_str(&a->lines), strbuf_str(&b->lines)) == 0;
}

static void keep(struct told_list *list, struct telling *telling, struct told *told, const char *in)
{
	struct told *same = NULL;

	vec_each(other, &list->items)
		if (is_same(other, told)) {
			same = other;
			break;
		}
	if (same) {
		strbuf_free(&told->lines);
		strbuf_adds(&same->names, ", ");
	} else {
		vec_push(&telling->arena, &list->items, *told);
		same = &list->items.data[list->items.len - 1];
	}
	exposure_add_interface(&same->names, &telling->space, in);
}

static struct span place_of(const struct ruleset *ruleset)
{
	const struct table *table = &ruleset->tables[TABLE_FILTER];

	for (int id = 0; id < TABLE_COUNT && !table->present; id++)
		table = &ruleset->tables[id];
	vec_each(chain, &table->chains)
		if (chain->builtin && chain->hook == HOOK_INPUT)
			return chain->span;
	return table->span;
}

static void report(struct telling *telling, const struct told *told)
{
	const struct ruleset *ruleset = telling->input->ruleset;
	const char *family = family_name(ruleset->family), *line = strbuf_str(&told->lines), *end;
	struct diag *diag;

	if (!told->lines.len) {
		diag_add(telling->diags, CODE_EXPOSURE, place_of(ruleset), "%s: no new connection gets in by %s", family,
			 strbuf_str(&told->names));
		return;
	}
	diag = diag_add(telling->diags, CODE_EXPOSURE, place_of(ruleset), "%s: what new connections get in by %s", family,
			strbuf_str(&told->names));
	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		diag_label(telling->diags, diag, SPAN_NONE, "%.*s", (int)(end - line), line);
	}
	if (told->omitted || told->cut)
		diag_label(telling->diags, diag, SPAN_NONE, "and %s%zu more", told->cut ? "over " : "", told->omitted);
	vec_each(rule, &told->blurring)
		diag_label(telling->diags, diag, (*rule)->span, "whether this matches depends on more than is known here");
}

/* From the interface of that number on. */
static void report_rest(struct telling *telling, size_t first)
{
	const struct ruleset *ruleset = telling->input->ruleset;
	size_t count = telling->space.ins.len - first;
	struct strbuf names = STRBUF_EMPTY;

	exposure_add_interface(&names, &telling->space, telling->space.ins.data[first]);
	if (count > 1)
		strbuf_addf(&names, " and %zu more", count - 1);
	diag_add(telling->diags, CODE_NOT_PROVED, place_of(ruleset),
		 "%s: what gets in by %s was not worked out: the rules are too many, or too entangled",
		 family_name(ruleset->family), strbuf_str(&names));
	strbuf_free(&names);
}

static bool is_exhausted(const struct telling *telling)
{
	return telling->steps > INSTALLED_STEPS_MAX || packet_space_effort(&telling->space) > PACKET_EFFORT_MAX;
}

static void telling_init(struct telling *telling)
{
	struct packet_space *space = &telling->space;

	packet_space_init(space, telling->input->ruleset->family, &telling->arena);
	packet_space_mention_rules(space, telling->input->ruleset);
	places_mention(space, telling->input->host);
	traverse_mention(space);
	packet_space_close(space);
	places_make(&telling->places, space, telling->input->host);
}

void installed_tell_exposure(const struct installed_exposure *input, struct diags *diags)
{
	struct telling telling = {.input = input, .arena = ARENA_EMPTY, .diags = diags};
	struct told_list list = {0};

	telling_init(&telling);
	vec_each(in, &telling.space.ins) {
		struct told told = {.names = STRBUF_EMPTY, .lines = STRBUF_EMPTY};

		/* What a host sends to itself comes from nobody else. */
		if (strcmp(*in, "lo") == 0)
			continue;
		if (!is_exhausted(&telling) && tell_interface(&told, &telling, *in)) {
			keep(&list, &telling, &told, *in);
			continue;
		}
		strbuf_free(&told.lines);
		report_rest(&telling, (size_t)(in - telling.space.ins.data));
		break;
	}
	vec_each(told, &list.items) {
		report(&telling, told);
		strbuf_free(&told->names);
		strbuf_free(&told->lines);
	}
	packet_space_free(&telling.space);
	arena_free(&telling.arena);
}
