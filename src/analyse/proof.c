#include "prover.h"

#include <string.h>

bool passages_are_empty(const struct passages *passages)
{
	return passages->packets[PASSAGE_AS_SENT] == DIAGRAM_NONE && passages->packets[PASSAGE_TRANSLATED] == DIAGRAM_NONE;
}

bool prover_is_stuck(struct prover *prover, const struct journey *journey)
{
	prover->stuck = prover->stuck || journey->gave_up || packet_space_gave_up(&prover->space);
	return prover->stuck;
}

/* ---- what was assumed ---- */

/* Docker guards the addresses of its containers so: what comes by any interface but theirs is dropped. */
static bool is_guard(const struct rule *rule)
{
	return !rule->opaque && rule->target.kind == TARGET_DROP && rule->in.name && rule->in.negated &&
	       rule->destination.present && !rule->destination.negated &&
	       addr_netmask_length(&rule->destination.mask) == (int)family_bits(rule->destination.addr.family);
}

/* The addresses to which rules send what was sent to this host, or which lie behind one interface. */
static void collect_elsewhere(struct addr_set *out, const struct ruleset *applied, struct arena *arena)
{
	out->family = applied->family;
	vec_each(chain, &applied->tables[TABLE_RAW].chains)
		vec_each(rule, &chain->rules)
			if (is_guard(rule))
				addr_set_add(arena, out,
					     (struct addr_range){addr_to_number(&rule->destination.addr),
								 addr_to_number(&rule->destination.addr)});
	vec_each(chain, &applied->tables[TABLE_NAT].chains)
		vec_each(rule, &chain->rules) {
			if (rule->opaque || rule->target.kind != TARGET_EXTENSION ||
			    rule->target.extension.module != MODULE_T_DNAT)
				continue;
			vec_each(option, &rule->target.extension.options)
				if (option->id == OPTION_T_DNAT_TO && option->value.nat.has_addr)
					addr_set_add(arena, out,
						     (struct addr_range){addr_to_number(&option->value.nat.lo),
									 addr_to_number(&option->value.nat.hi)});
		}
	addr_set_normalise(out);
}

/* Last of all, when little or nothing is left: many addresses beside many translations are a large set. */
uint32_t prover_but_elsewhere(struct prover *prover, uint32_t packets)
{
	uint32_t rest = packets_minus(&prover->space, packets, prover->elsewhere);

	prover->left_out |= rest != packets;
	return rest;
}

/* ---- the way of all packets ---- */

static void send_these(struct prover *prover, struct journey *out, uint32_t arriving, enum tracking tracking, enum traverse_scope scope)
{
	struct traverse_input input = {
		.ruleset = prover->input->applied, .in = prover->in, .tracking = tracking, .places = &prover->places,
		.arriving = arriving, .scope = scope, .nat_first = prover->input->nat_first,
	};

	traverse(out, &prover->space, &input);
}

void prover_send_through(struct prover *prover, struct journey *out, enum tracking tracking, enum traverse_scope scope)
{
	send_these(prover, out, prover->arriving, tracking, scope);
}

const struct journey *prover_whole_journey(struct prover *prover)
{
	if (!prover->has_whole)
		prover_send_through(prover, &prover->whole, TRACKING_NEW, TRAVERSE_ALL);
	prover->has_whole = true;
	return &prover->whole;
}

/* Each packet in the state that it has without a connection: mostly NEW, but ICMP that begins nothing is INVALID. */
static void send_first_packets(struct prover *prover, struct journey *out)
{
	struct packet_space *space = &prover->space;

	send_these(prover, out, packets_and(space, prover->arriving, traverse_never_new(space)), TRACKING_INVALID, TRAVERSE_ALL);
	journey_join(space, out, prover_whole_journey(prover));
}

/* ---- findings ---- */

struct span prover_place(const struct prover *prover, const struct witness *witness)
{
	const char *out = prover->space.outs.data[witness->sample.values[FIELD_OUT]];

	for (int side = 0; side < 2; side++)
		vec_each(policy, &prover->input->policies.items)
			vec_each(block, &(*policy)->interfaces)
				vec_each(name, &block->names)
					if (interface_name_covers(name->text, side ? out : prover->in))
						return name->span;
	return SPAN_NONE;
}

struct witness prover_find_witness(struct prover *prover, const struct passages *among, enum tracking tracking)
{
	enum passage passage = among->packets[PASSAGE_AS_SENT] != DIAGRAM_NONE ? PASSAGE_AS_SENT : PASSAGE_TRANSLATED;
	struct packet_space *space = &prover->space;
	uint32_t packets = among->packets[passage];

	if (tracking == TRACKING_NEW && packets_minus(space, packets, traverse_never_new(space)) == DIAGRAM_NONE)
		tracking = TRACKING_INVALID;
	return witness_find(space, &prover->places, packets, prover->in, tracking, passage);
}

static void report_assumptions(struct prover *prover)
{
	const char *family = family_name(prover->space.family);

	if (prover->left_out)
		diag_label(prover->diags,
			   diag_add(prover->diags, CODE_ASSUMED, SPAN_NONE,
				    "%s: taken for granted that the addresses to which rules send packets are not this host's own",
				    family),
			   SPAN_NONE, "--host FILE tells which are");
	if (packet_space_asks_for_marks(&prover->space))
		diag_label(prover->diags,
			   diag_add(prover->diags, CODE_ASSUMED, SPAN_NONE,
				    "%s: taken for granted that packets arrive without a mark", family),
			   SPAN_NONE, "what comes out of a tunnel of GRE, VXLAN or IPsec bears that of its outer packet");
	if (prover->places.routes_known && !prover->input->host->rules_read)
		diag_label(prover->diags,
			   diag_add(prover->diags, CODE_ASSUMED, SPAN_NONE,
				    "%s: taken for granted that the main table alone decides on routes", family),
			   SPAN_NONE, "`ip -j rule`, given by --host FILE, tells");
}

/* ---- all interfaces ---- */

static uint32_t allowed(struct prover *prover, enum passage passage)
{
	uint32_t packets = prover->space.all;

	vec_each(policy, &prover->input->policies.items)
		packets = packets_and(&prover->space, packets,
				      declared_allowed(&prover->space, *policy, prover->in, passage));
	return packets;
}

static bool promises_something(struct prover *prover, const char *in)
{
	vec_each(policy, &prover->input->policies.items)
		vec_each(block, &(*policy)->interfaces)
			vec_each(permission, &block->permissions)
				if (declared_by(&prover->space, *policy, block, permission, in, PASSAGE_AS_SENT) !=
				    DIAGRAM_NONE)
					return true;
	return false;
}

static bool is_covered(const struct prover *prover, const char *in)
{
	vec_each(policy, &prover->input->policies.items)
		if (declared_covers(*policy, in))
			return true;
	return false;
}

static void prove_interface(struct prover *prover, const char *in)
{
	static const enum tracking trackings[] = {TRACKING_NEW, TRACKING_UNTRACKED, TRACKING_INVALID};
	struct journey journey;

	prover->in = in;
	prover->has_whole = false;
	for (int passage = 0; passage < PASSAGE_COUNT; passage++)
		prover->allowed[passage] = allowed(prover, (enum passage)passage);
	for (size_t i = 0; i < sizeof trackings / sizeof *trackings && !prover->stuck; i++)
		prove_closed(prover, trackings[i]);
	if (prover->stuck || (!is_covered(prover, in) && !promises_something(prover, in)))
		return;
	send_first_packets(prover, &journey);
	if (prover_is_stuck(prover, &journey))
		return;
	prove_open(prover, &journey);
	if (is_covered(prover, in))
		prove_neighbour_discovery(prover);
	vec_each(policy, &prover->input->policies.items)
		if (declared_covers(*policy, in))
			tests_run(prover, &journey, *policy);
}

static void prover_init(struct prover *prover)
{
	struct packet_space *space = &prover->space;
	struct addr_set elsewhere = {0};

	packet_space_init(space, prover->input->applied->family, prover->arena);
	packet_space_mention_rules(space, prover->input->applied);
	places_mention(space, prover->input->host);
	vec_each(policy, &prover->input->policies.items)
		declared_mention(space, *policy);
	traverse_mention(space);
	witness_mention(space);
	packet_space_close(space);
	places_make(&prover->places, space, prover->input->host);
	prover->arriving = traverse_arriving(space, &prover->places);
	if (!prover->places.addresses_known)
		collect_elsewhere(&elsewhere, prover->input->applied, prover->arena);
	prover->elsewhere = packets_and(space, packets_addresses(space, FIELD_DST, &elsewhere),
					packets_of_type(space, TYPE_LOCAL));
}

enum proof_outcome proof_run(const struct proof_input *input, struct arena *arena, struct diags *diags)
{
	struct prover prover = {.input = input, .arena = arena, .diags = diags};
	size_t before = diags->all.len;
	enum proof_outcome outcome = PROOF_GIVES_UP;

	prover_init(&prover);
	tests_collect(&prover);
	/* What the policies are about comes first. */
	for (int others = 0; others < 2; others++)
		for (size_t i = 0; i < prover.space.ins.len && !prover.stuck; i++)
			if (is_covered(&prover, prover.space.ins.data[i]) != others)
				prove_interface(&prover, prover.space.ins.data[i]);
	if (!prover.stuck && !packet_space_gave_up(&prover.space)) {
		tests_report(&prover);
		outcome = diags->all.len == before + prover.remarks ? PROOF_HOLDS : PROOF_FINDS;
		report_assumptions(&prover);
	}
	packet_space_free(&prover.space);
	return outcome;
}
