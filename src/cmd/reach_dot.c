/* The way of packets through tables and chains, in Graphviz's language: dot(1), and its documentation of HTML-like labels. */
#include "reach_report.h"

#include <peerwall/lower.h>
#include <peerwall/match_codec.h>

#include <string.h>

/* A chain shows the first of its rules, and its last one, which often decides. */
#define RULES_SHOWN 14
#define RULE_WIDTH 96
#define ASKED_MIN 32
#define OUTS_SHOWN 6

#define PAPER "#ffffff"
#define HEAD "#e8e8e8"
#define OWN_HEAD "#cfe2ff"
#define INK "#333333"
#define REFUSED "#b00020"
#define LET_IN "#1b6e3c"

struct picture {
	struct strbuf *out;
	const struct reach_report *report;
	struct reach_family *family;
	struct packet_space *space;
	const struct chain_map *map;
	enum family number; /* prefix of all names of nodes */
};

/* In the order in which packets meet them. */
static const struct { enum hook hook; enum table_id table; } stages[] = {
	{HOOK_PREROUTING, TABLE_RAW}, {HOOK_PREROUTING, TABLE_MANGLE}, {HOOK_PREROUTING, TABLE_NAT},
	{HOOK_INPUT, TABLE_MANGLE},   {HOOK_INPUT, TABLE_FILTER},      {HOOK_INPUT, TABLE_NAT},
	{HOOK_INPUT, TABLE_SECURITY}, {HOOK_FORWARD, TABLE_MANGLE},    {HOOK_FORWARD, TABLE_FILTER},
	{HOOK_FORWARD, TABLE_SECURITY}, {HOOK_POSTROUTING, TABLE_MANGLE},
};
#define STAGE_COUNT (sizeof stages / sizeof *stages)

/* ---- text ---- */

/* Nothing that anybody put into a name or a comment is more than its letters: neither for HTML-like labels nor in a string. */
static void add_safe(struct strbuf *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '&' || c == '<' || c == '>' || c == '"' || c == '\'' || c == '\\')
			strbuf_addf(out, "&#%u;", c);
		else if (c < ' ' || c > '~')
			strbuf_addc(out, '?');
		else
			strbuf_addc(out, (char)c);
	}
}

static void add_safe_text(struct strbuf *out, const char *text)
{
	add_safe(out, text, strlen(text));
}

static void add_cut(struct strbuf *out, const char *text, size_t width)
{
	size_t size = strlen(text);

	add_safe(out, text, size > width ? width - 3 : size);
	if (size > width)
		strbuf_adds(out, "...");
}

/* What a rule does is worth more than all that it asks for. */
static void add_shortened(struct picture *picture, const struct rule *rule)
{
	struct rule asks = *rule, does = {.target = rule->target};
	struct strbuf asked = STRBUF_EMPTY, done = STRBUF_EMPTY;

	if (rule->opaque) {
		add_cut(picture->out, rule->text, RULE_WIDTH);
		return;
	}
	memset(&asks.matches, 0, sizeof asks.matches);
	memset(&asks.target, 0, sizeof asks.target);
	vec_each(match, &rule->matches)
		if (match->module != MODULE_COMMENT)
			vec_push(picture->report->arena, &asks.matches, *match);
	rule_encode(&asked, picture->space->family, &asks);
	rule_encode(&done, picture->space->family, &does);
	add_cut(picture->out, strbuf_str(&asked), done.len < RULE_WIDTH - ASKED_MIN ? RULE_WIDTH - done.len : ASKED_MIN);
	if (asked.len)
		strbuf_addc(picture->out, ' ');
	add_cut(picture->out, strbuf_str(&done), RULE_WIDTH);
	strbuf_free(&asked);
	strbuf_free(&done);
}

/* ---- nodes ---- */

static void add_node_name(struct picture *picture, size_t chain)
{
	strbuf_addf(picture->out, "f%uc%zu", (unsigned)picture->number, chain);
}

/* What ends a packet's way at a hook. */
static void add_end_name(struct picture *picture, enum hook hook, enum deed deed)
{
	strbuf_addf(picture->out, "f%u%s%u", (unsigned)picture->number, deed == DEED_DROPS ? "dropped" : "rejected",
		    (unsigned)hook);
}

static bool is_own(struct picture *picture, const struct chain *chain)
{
	return own_chain_interface(picture->report->arena, chain->name) != NULL;
}

/* The first ones and the last one; `more` gets how many are left out. */
static bool is_shown(const struct map_chain *chain, size_t i, size_t *more)
{
	size_t count = chain->rules.len;

	*more = count > RULES_SHOWN ? count - RULES_SHOWN : 0;
	return !*more || i < RULES_SHOWN - 1 || i == count - 1;
}

static void write_row(struct picture *picture, const struct map_rule *rule)
{
	static const char *const colours[] = {
		[DEED_GOES_ON] = INK, [DEED_ACCEPTS] = LET_IN, [DEED_DROPS] = REFUSED, [DEED_REJECTS] = REFUSED,
		[DEED_RETURNS] = INK, [DEED_LEADS] = INK, [DEED_TRANSLATES] = LET_IN, [DEED_UNKNOWN] = REFUSED,
	};

	strbuf_addf(picture->out, "<TR><TD ALIGN=\"LEFT\" PORT=\"r%u\"><FONT COLOR=\"%s\">%u&#160;&#160;", rule->number,
		    colours[rule->deed], rule->number);
	add_shortened(picture, rule->rule);
	strbuf_addf(picture->out, "%s</FONT></TD></TR>", rule->exact ? "" : "&#160;&#160;(perhaps)");
}

static void write_head(struct picture *picture, const struct map_chain *chain)
{
	bool own = is_own(picture, chain->chain);

	strbuf_addf(picture->out, "<TR><TD ALIGN=\"LEFT\" BGCOLOR=\"%s\"><B>%s ", own ? OWN_HEAD : HEAD, table_names[chain->table]);
	add_safe_text(picture->out, chain->chain->name);
	strbuf_addf(picture->out, "%s</B></TD></TR>", own ? " &#183; peerwall" : "");
}

static void write_chain(struct picture *picture, size_t index)
{
	const struct map_chain *chain = &picture->map->chains.data[index];
	size_t more;

	strbuf_adds(picture->out, "\t\t");
	add_node_name(picture, index);
	strbuf_addf(picture->out, " [label=<<TABLE BORDER=\"%d\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"3\" BGCOLOR=\"%s\">",
		    is_own(picture, chain->chain) ? 3 : 1, PAPER);
	write_head(picture, chain);
	for (size_t i = 0; i < chain->rules.len; i++)
		if (is_shown(chain, i, &more))
			write_row(picture, &chain->rules.data[i]);
		else if (i == RULES_SHOWN - 1)
			strbuf_addf(picture->out, "<TR><TD ALIGN=\"LEFT\" PORT=\"more\">... %zu more rules</TD></TR>", more);
	if (chain->chain->builtin && chain->policy_reached)
		strbuf_addf(picture->out, "<TR><TD ALIGN=\"LEFT\" PORT=\"policy\"><FONT COLOR=\"%s\">policy %s</FONT></TD></TR>",
			    chain->chain->policy_drop ? REFUSED : LET_IN, chain->chain->policy_drop ? "DROP" : "ACCEPT");
	strbuf_adds(picture->out, "</TABLE>>];\n");
}

/* A built-in chain without anything to see is left out. */
static bool says_something(const struct map_chain *chain)
{
	return chain->rules.len || (chain->policy_reached && chain->chain->policy_drop);
}

static bool refuses(const struct map_chain *chain, enum deed deed)
{
	if (deed == DEED_DROPS && chain->policy_reached && chain->chain->policy_drop)
		return true;
	vec_each(rule, &chain->rules)
		if (rule->deed == deed)
			return true;
	return false;
}

static void write_end(struct picture *picture, enum hook hook, enum deed deed)
{
	bool found = false;

	vec_each(chain, &picture->map->chains)
		found |= chain->hook == hook && refuses(chain, deed);
	if (!found)
		return;
	strbuf_adds(picture->out, "\t\t");
	add_end_name(picture, hook, deed);
	strbuf_addf(picture->out, " [shape=octagon, color=\"%s\", fontcolor=\"%s\", label=\"%s\"];\n", REFUSED, REFUSED,
		    deed == DEED_DROPS ? "dropped" : "rejected");
}

static void write_hook(struct picture *picture, enum hook hook)
{
	bool begun = false;

	for (size_t i = 0; i < picture->map->chains.len; i++) {
		const struct map_chain *chain = &picture->map->chains.data[i];

		if (chain->hook != hook || !says_something(chain))
			continue;
		if (!begun)
			strbuf_addf(picture->out,
				    "\tsubgraph cluster_f%uh%u {\n\t\tlabel=\"%s\"; labeljust=l; color=\"#999999\"; style=dashed;\n",
				    (unsigned)picture->number, (unsigned)hook, hook_names[hook]);
		begun = true;
		write_chain(picture, i);
	}
	if (!begun)
		return;
	write_end(picture, hook, DEED_DROPS);
	write_end(picture, hook, DEED_REJECTS);
	strbuf_adds(picture->out, "\t}\n");
}

/* ---- edges ---- */

static void add_port(struct picture *picture, size_t index, const struct map_rule *rule, bool shown)
{
	add_node_name(picture, index);
	if (shown)
		strbuf_addf(picture->out, ":r%u:e", rule->number);
	else
		strbuf_adds(picture->out, ":more:e");
}

static void write_rule_edge(struct picture *picture, size_t index, const struct map_rule *rule, bool shown)
{
	const char *style = rule->exact ? "" : " [style=dashed, label=\"perhaps\"]";
	bool leads = rule->deed == DEED_LEADS && rule->leads != MAP_CHAIN_NONE;

	if (!leads && rule->deed != DEED_DROPS && rule->deed != DEED_REJECTS)
		return;
	strbuf_adds(picture->out, "\t");
	add_port(picture, index, rule, shown);
	strbuf_adds(picture->out, " -> ");
	if (leads)
		add_node_name(picture, rule->leads);
	else
		add_end_name(picture, picture->map->chains.data[index].hook, rule->deed);
	strbuf_addf(picture->out, "%s;\n", style);
}

/* Of what is left out, each end once: have the rules before this one among them gone there? */
static bool is_repeated(const struct map_chain *chain, size_t i)
{
	const struct map_rule *rule = &chain->rules.data[i];

	for (size_t j = RULES_SHOWN - 1; j < i; j++)
		if (chain->rules.data[j].deed == rule->deed && chain->rules.data[j].leads == rule->leads)
			return true;
	return false;
}

static void write_chain_edges(struct picture *picture, size_t index)
{
	const struct map_chain *chain = &picture->map->chains.data[index];
	size_t more;

	if (!says_something(chain))
		return;
	for (size_t i = 0; i < chain->rules.len; i++) {
		bool shown = is_shown(chain, i, &more);

		if (shown || !is_repeated(chain, i))
			write_rule_edge(picture, index, &chain->rules.data[i], shown);
	}
	if (chain->chain->builtin && chain->policy_reached && chain->chain->policy_drop) {
		strbuf_adds(picture->out, "\t");
		add_node_name(picture, index);
		strbuf_adds(picture->out, ":policy:e -> ");
		add_end_name(picture, chain->hook, DEED_DROPS);
		strbuf_adds(picture->out, ";\n");
	}
}

/* ---- from table to table ---- */

static void add_flow(struct picture *picture, const char *from, const char *to)
{
	strbuf_addf(picture->out, "\t%s -> %s [penwidth=2.2, color=\"%s\", weight=8];\n", from, to, INK);
}

static const char *node_of(struct picture *picture, const char *name)
{
	return arena_printf(picture->report->arena, "f%u%s", (unsigned)picture->number, name);
}

/* Through the tables of these hooks that have something to show; where it gets to in the end. */
static const char *flow_through(struct picture *picture, const char *from, enum hook first, enum hook last)
{
	for (size_t i = 0; i < STAGE_COUNT; i++) {
		size_t chain = chain_map_find(picture->map, stages[i].table, stages[i].hook);
		const char *to;

		if ((stages[i].hook != first && stages[i].hook != last) || chain == MAP_CHAIN_NONE ||
		    !says_something(&picture->map->chains.data[chain]))
			continue;
		to = arena_printf(picture->report->arena, "f%uc%zu", (unsigned)picture->number, chain);
		add_flow(picture, from, to);
		from = to;
	}
	return from;
}

static bool comes_to(struct picture *picture, enum hook hook)
{
	vec_each(chain, &picture->map->chains)
		if (chain->hook == hook)
			return true;
	return false;
}

static void write_arrival(struct picture *picture)
{
	struct strbuf *out = picture->out;

	strbuf_addf(out, "\t%s [shape=box, style=rounded, penwidth=2, label=<<B>%s by ", node_of(picture, "in"),
		    family_name(picture->number));
	add_safe_text(out, picture->family->reach.groups.data[0].names.items.data[0]);
	strbuf_adds(out, "</B><BR/>new connections");
	if (*picture->report->wanted) {
		strbuf_adds(out, " to ");
		add_safe_text(out, picture->report->wanted);
	}
	strbuf_adds(out, ">];\n");
}

static void write_let_in(struct picture *picture, const char *name, const char *from, const char *words)
{
	struct strbuf *out = picture->out;

	strbuf_addf(out, "\t%s [shape=box, style=\"rounded,bold\", color=\"%s\", fontcolor=\"%s\", label=\"", name, LET_IN, LET_IN);
	add_safe_text(out, words);
	strbuf_adds(out, "\"];\n");
	add_flow(picture, from, name);
}

static void write_ways(struct picture *picture)
{
	struct packet_space *space = picture->space;
	uint32_t host = packets_to_host(space), outs = picture->family->reach.map_outs;
	uint32_t through = packets_minus(space, outs, host);
	bool delivered = comes_to(picture, HOOK_INPUT) || packets_and(space, outs, host) != DIAGRAM_NONE;
	bool forwarded = comes_to(picture, HOOK_FORWARD) || through != DIAGRAM_NONE;
	const char *routing = node_of(picture, "routing"), *from;

	write_arrival(picture);
	from = flow_through(picture, node_of(picture, "in"), HOOK_PREROUTING, HOOK_PREROUTING);
	if (!delivered && !forwarded)
		return;
	strbuf_addf(picture->out, "\t%s [shape=diamond, label=\"routing\"];\n", routing);
	add_flow(picture, from, routing);
	if (delivered) {
		from = flow_through(picture, routing, HOOK_INPUT, HOOK_INPUT);
		if (packets_and(space, outs, host) != DIAGRAM_NONE)
			write_let_in(picture, node_of(picture, "host"), from, "reaches this host");
	}
	if (forwarded) {
		struct strbuf words = STRBUF_EMPTY;

		from = flow_through(picture, routing, HOOK_FORWARD, HOOK_POSTROUTING);
		strbuf_adds(&words, "leaves by ");
		exposure_add_interfaces(&words, space, through, OUTS_SHOWN);
		if (through != DIAGRAM_NONE)
			write_let_in(picture, node_of(picture, "out"), from, strbuf_str(&words));
		strbuf_free(&words);
	}
}

/* ---- the whole ---- */

static void draw_family(struct picture *picture)
{
	for (int hook = 0; hook < HOOK_COUNT; hook++)
		write_hook(picture, (enum hook)hook);
	for (size_t i = 0; i < picture->map->chains.len; i++)
		write_chain_edges(picture, i);
	write_ways(picture);
}

void reach_write_dot(struct strbuf *out, const struct reach_report *report)
{
	strbuf_adds(out, "digraph peerwall {\n"
			 "\tgraph [rankdir=TB, fontname=\"Helvetica\", fontsize=11, nodesep=0.3, ranksep=0.45];\n"
			 "\tnode [fontname=\"Helvetica\", fontsize=10, shape=plain, color=\"" INK "\", fontcolor=\"" INK "\"];\n"
			 "\tedge [fontname=\"Helvetica\", fontsize=9, color=\"#777777\", arrowsize=0.7];\n");
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct reach_family *family = report->families[f];
		struct picture picture = {.out = out, .report = report, .family = family, .number = (enum family)f};

		if (!family)
			continue;
		picture.space = &family->reach.space;
		picture.map = &family->reach.map;
		draw_family(&picture);
	}
	strbuf_adds(out, "}\n");
}
