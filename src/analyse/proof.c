#include "witness.h"

#include <peerwall/declared.h>
#include <peerwall/proof.h>

#include <string.h>

/* Whether a test was kept, as far as the interfaces seen so far tell. */
struct verdict {
	const struct assertion *assertion;
	uint32_t tested[PASSAGE_COUNT];
	bool kept, undecided;   /* `can`: by some interface */
	bool has_witness;
	struct witness witness;
};

struct prover {
	const struct proof_input *input;
	struct packet_space space;
	struct places places;
	struct arena *arena;
	struct diags *diags;
	uint32_t arriving;
	uint32_t elsewhere;     /* to addresses that are taken for containers', as if they were this host's */
	bool left_out;          /* some of these were, for that reason alone */
	struct journey whole;   /* of new connections by the interface at hand, once somebody has asked */
	bool has_whole;
	VEC(struct verdict) tests;
	VEC(const struct permission *) refused; /* said already */
	bool stuck;
};

struct passages {
	uint32_t packets[PASSAGE_COUNT];
};

static bool is_empty(const struct passages *passages)
{
	return passages->packets[PASSAGE_AS_SENT] == DIAGRAM_NONE && passages->packets[PASSAGE_TRANSLATED] == DIAGRAM_NONE;
}

static bool stuck(struct prover *prover, const struct journey *journey)
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
static uint32_t but_elsewhere(struct prover *prover, uint32_t packets)
{
	uint32_t rest = packets_minus(&prover->space, packets, prover->elsewhere);

	prover->left_out |= rest != packets;
	return rest;
}

/* ---- nothing undeclared ---- */

static uint32_t allowed(struct prover *prover, const char *in, enum passage passage)
{
	uint32_t packets = prover->space.all;

	vec_each(policy, &prover->input->policies.items)
		packets = packets_and(&prover->space, packets,
				      declared_allowed(&prover->space, *policy, in, passage));
	return packets;
}

static struct passages undeclared(struct prover *prover, const struct journey *journey, const char *in)
{
	struct passages leak;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++)
		leak.packets[passage] = packets_minus(&prover->space, journey->accepted[passage],
						      allowed(prover, in, (enum passage)passage));
	return leak;
}

/* The words of a policy that a finding about an interface belongs to. */
static struct span place_of(const struct prover *prover, const char *in, const struct witness *witness)
{
	const char *out = prover->space.outs.data[witness->sample.values[FIELD_OUT]];

	for (int side = 0; side < 2; side++)
		vec_each(policy, &prover->input->policies.items)
			vec_each(block, &(*policy)->interfaces)
				vec_each(name, &block->names)
					if (interface_name_covers(name->text, side ? out : in))
						return name->span;
	return SPAN_NONE;
}

static struct witness find_witness(struct prover *prover, const struct passages *among, const char *in,
				   enum tracking tracking)
{
	enum passage passage = among->packets[PASSAGE_AS_SENT] != DIAGRAM_NONE ? PASSAGE_AS_SENT : PASSAGE_TRANSLATED;

	return witness_find(&prover->space, &prover->places, among->packets[passage], in, tracking, passage);
}

static void report_leak(struct prover *prover, const struct journey *journey, const struct passages *leak, const char *in,
			enum tracking tracking)
{
	struct packet_space *space = &prover->space;
	struct passages certain;
	struct witness witness;
	struct diag *diag;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++)
		certain.packets[passage] = packets_minus(space, leak->packets[passage],
							  journey_anyhow(space, journey->dropped, (enum passage)passage));
	if (!is_empty(&certain)) {
		witness = find_witness(prover, &certain, in, tracking);
		diag = diag_add(prover->diags, CODE_LEAK, place_of(prover, in, &witness),
				"'%s' gets in, and nothing declares it", witness_text(space, &witness, prover->arena));
	} else {
		witness = find_witness(prover, leak, in, tracking);
		diag = diag_add(prover->diags, CODE_POSSIBLE_LEAK, place_of(prover, in, &witness),
				"'%s' may get in, and nothing declares it", witness_text(space, &witness, prover->arena));
		witness_keep(space, &witness, journey, EVENT_DROP);
	}
	witness_explain(space, &witness, journey, EVENT_ACCEPT, prover->diags, diag);
}

static void report_dependence(struct prover *prover, const struct journey *worst, const struct passages *leak,
			      const char *in)
{
	struct witness witness = find_witness(prover, leak, in, TRACKING_NEW);
	struct diag *diag = diag_add(prover->diags, CODE_LEAK, place_of(prover, in, &witness),
				     "only rules in raw, nat or filter keep '%s' out, which others may change",
				     witness_text(&prover->space, &witness, prover->arena));

	witness_explain(&prover->space, &witness, worst, EVENT_ACCEPT, prover->diags, diag);
}

static void take_away_indistinct(struct prover *prover, struct passages *leak, const char *in)
{
	vec_each(policy, &prover->input->policies.items)
		leak->packets[PASSAGE_TRANSLATED] =
			packets_minus(&prover->space, leak->packets[PASSAGE_TRANSLATED],
				      declared_indistinct(&prover->space, *policy, in));
}

static void send_through(struct prover *prover, struct journey *out, const char *in, enum tracking tracking,
			 enum traverse_scope scope)
{
	struct traverse_input input = {
		.ruleset = prover->input->applied, .in = in, .tracking = tracking, .places = &prover->places,
		.arriving = prover->arriving, .scope = scope, .nat_first = prover->input->nat_first,
	};

	traverse(out, &prover->space, &input);
}

static const struct journey *whole_journey(struct prover *prover, const char *in)
{
	if (!prover->has_whole)
		send_through(prover, &prover->whole, in, TRACKING_NEW, TRAVERSE_ALL);
	prover->has_whole = true;
	return &prover->whole;
}

/* First as if raw, nat and filter did their worst: what cannot get in then never can, and needs no further look. */
static void prove_closed(struct prover *prover, const char *in, enum tracking tracking)
{
	struct journey worst, real;
	struct passages possible, leak;

	send_through(prover, &worst, in, tracking, TRAVERSE_OWN_TABLES);
	possible = undeclared(prover, &worst, in);
	if (stuck(prover, &worst) || is_empty(&possible))
		return;
	if (tracking == TRACKING_NEW)
		real = *whole_journey(prover, in);
	else
		send_through(prover, &real, in, tracking, TRAVERSE_ALL);
	leak = undeclared(prover, &real, in);
	if (stuck(prover, &real))
		return;
	if (!is_empty(&leak)) {
		report_leak(prover, &real, &leak, in, tracking);
		return;
	}
	take_away_indistinct(prover, &possible, in);
	if (!is_empty(&possible))
		report_dependence(prover, &worst, &possible, in);
}

/* ---- everything declared ---- */

static bool is_said(struct prover *prover, const struct permission *permission)
{
	vec_each(said, &prover->refused)
		if (*said == permission)
			return true;
	vec_push(prover->arena, &prover->refused, permission);
	return false;
}

static uint32_t promised(struct prover *prover, const struct policy *policy, const struct interface_policy *block,
			 const struct permission *permission, const char *in, enum passage passage)
{
	uint32_t packets = declared_by(&prover->space, policy, block, permission, in, passage);

	/* Another policy may have a say in what leaves by its interfaces. */
	return packets_and(&prover->space, packets, allowed(prover, in, passage));
}

static void prove_permission(struct prover *prover, const struct journey *journey, const struct policy *policy,
			     const struct interface_policy *block, const struct permission *permission, const char *in)
{
	struct packet_space *space = &prover->space;
	struct passages refused, certain;
	struct witness witness;
	struct diag *diag;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		uint32_t wanted = promised(prover, policy, block, permission, in, (enum passage)passage);

		refused.packets[passage] = but_elsewhere(prover, packets_and(space, wanted, journey->dropped[passage]));
		certain.packets[passage] = packets_minus(space, refused.packets[passage],
							  journey_anyhow(space, journey->accepted, (enum passage)passage));
	}
	if (is_empty(&refused) || is_said(prover, permission))
		return;
	if (!is_empty(&certain)) {
		witness = find_witness(prover, &certain, in, TRACKING_NEW);
		diag = diag_add(prover->diags, CODE_DECLARED_REFUSED, permission->span,
				"this does not let '%s' in: it is refused",
				witness_text(space, &witness, prover->arena));
	} else {
		witness = find_witness(prover, &refused, in, TRACKING_NEW);
		diag = diag_add(prover->diags, CODE_DECLARED_MAY_BE_REFUSED, permission->span,
				"this lets '%s' in unless a rule that depends on more than the packet takes hold of it",
				witness_text(space, &witness, prover->arena));
	}
	witness_explain(space, &witness, journey, EVENT_DROP, prover->diags, diag);
}

/* It is never tracked, so that it goes another way than what is promised by name. */
static void prove_neighbour_discovery(struct prover *prover, const char *in)
{
	struct packet_space *space = &prover->space;
	uint32_t needed = packets_and(space, declared_neighbour_discovery(space),
				      packets_to_host(space));
	struct passages refused = {{DIAGRAM_NONE, DIAGRAM_NONE}};
	struct journey journey;
	struct witness witness;

	if (needed == DIAGRAM_NONE)
		return;
	send_through(prover, &journey, in, TRACKING_UNTRACKED, TRAVERSE_ALL);
	refused.packets[PASSAGE_AS_SENT] =
		packets_minus(space, packets_and(space, needed, journey.dropped[PASSAGE_AS_SENT]),
			      journey.accepted[PASSAGE_AS_SENT]);
	refused.packets[PASSAGE_AS_SENT] = but_elsewhere(prover, refused.packets[PASSAGE_AS_SENT]);
	if (stuck(prover, &journey) || is_empty(&refused))
		return;
	witness = find_witness(prover, &refused, in, TRACKING_UNTRACKED);
	witness_explain(space, &witness, &journey, EVENT_DROP, prover->diags,
			diag_add(prover->diags, CODE_DECLARED_REFUSED, place_of(prover, in, &witness),
				 "'%s' is refused, which IPv6 needs for finding its neighbours",
				 witness_text(space, &witness, prover->arena)));
}

static void prove_open(struct prover *prover, const struct journey *journey, const char *in)
{
	vec_each(policy, &prover->input->policies.items)
		vec_each(block, &(*policy)->interfaces)
			vec_each(permission, &block->permissions)
				prove_permission(prover, journey, *policy, block, permission, in);
}

/* ---- tests ---- */

static uint32_t as_headers(struct packet_space *space, uint32_t packets)
{
	static const enum field forgotten[] = {FIELD_OUT, FIELD_TYPE, FIELD_NEW_DST, FIELD_NEW_DPORT};

	for (size_t i = 0; i < sizeof forgotten / sizeof *forgotten; i++)
		packets = packets_forget(space, packets, forgotten[i]);
	return packets;
}

/* Of what a `can` speaks of: what is refused, or, with `at`, what no route brings in. */
static struct passages not_let_in(struct prover *prover, const struct journey *journey, const struct verdict *verdict,
				  bool certainly)
{
	struct packet_space *space = &prover->space;
	struct passages missing = {{DIAGRAM_NONE, DIAGRAM_NONE}};
	uint32_t good = DIAGRAM_NONE;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		uint32_t sure = certainly ? journey_anyhow(space, journey->accepted, (enum passage)passage) :
					    packets_minus(space, journey->accepted[passage], journey->dropped[passage]);

		good = packets_or(space, good, as_headers(space, sure));
		missing.packets[passage] = packets_and(space, verdict->tested[passage], journey->dropped[passage]);
		missing.packets[passage] = but_elsewhere(prover, packets_minus(space, missing.packets[passage], sure));
	}
	if (verdict->assertion->has_at) {
		missing.packets[PASSAGE_TRANSLATED] = DIAGRAM_NONE;
		missing.packets[PASSAGE_AS_SENT] = packets_minus(space, verdict->tested[PASSAGE_AS_SENT], good);
	}
	return missing;
}

static void test_can(struct prover *prover, const struct journey *journey, struct verdict *verdict, const char *in)
{
	struct passages missing = not_let_in(prover, journey, verdict, false), certain;
	struct passages *shown = &missing;

	if (is_empty(&missing)) {
		verdict->kept = true;
		return;
	}
	certain = not_let_in(prover, journey, verdict, true);
	if (is_empty(&certain))
		verdict->undecided = true;
	else
		shown = &certain;
	if (verdict->has_witness && !is_empty(&certain))
		return;
	verdict->has_witness = true;
	verdict->witness = find_witness(prover, shown, in, TRACKING_NEW);
	witness_keep(&prover->space, &verdict->witness, journey, EVENT_DROP);
}

/* Whether an address that only the test knows belongs to this host is for the test's author to say. */
static void test_cannot(struct prover *prover, const struct journey *journey, struct verdict *verdict, const char *in)
{
	struct packet_space *space = &prover->space;
	const struct assertion *assertion = verdict->assertion;
	uint32_t local = packets_of_type(space, TYPE_LOCAL);
	struct passages open, elsewhere;
	const char *text;

	if (verdict->has_witness)
		return;
	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		open.packets[passage] =
			but_elsewhere(prover, packets_and(space, verdict->tested[passage], journey->accepted[passage]));
		elsewhere.packets[passage] = assertion->has_at ? packets_minus(space, open.packets[passage], local) :
								 open.packets[passage];
	}
	if (is_empty(&open))
		return;
	verdict->has_witness = true;
	verdict->undecided = is_empty(&elsewhere);
	verdict->witness = find_witness(prover, verdict->undecided ? &open : &elsewhere, in, TRACKING_NEW);
	text = witness_text(space, &verdict->witness, prover->arena);
	if (verdict->undecided) {
		diag_add(prover->diags, CODE_TEST_UNDECIDED, assertion->span,
			 "this holds only if the address is not one of this host's, for '%s' gets in then", text);
		return;
	}
	witness_explain(space, &verdict->witness, journey, EVENT_ACCEPT, prover->diags,
			diag_add(prover->diags, CODE_TEST_FAILED, assertion->span, "this does not hold: '%s' gets in", text));
}

static void run_tests(struct prover *prover, const struct journey *journey, const struct policy *policy, const char *in)
{
	vec_each(verdict, &prover->tests) {
		const struct assertion *first = policy->assertions.data;

		if (!first || verdict->assertion < first || verdict->assertion >= first + policy->assertions.len)
			continue;
		if (verdict->assertion->can && !verdict->kept)
			test_can(prover, journey, verdict, in);
		else if (!verdict->assertion->can)
			test_cannot(prover, journey, verdict, in);
	}
}

static void collect_tests(struct prover *prover)
{
	vec_each(policy, &prover->input->policies.items)
		vec_each(assertion, &(*policy)->assertions) {
			uint32_t tested = packets_and(&prover->space, declared_tested(&prover->space, assertion),
						      prover->arriving);

			/* Once it is translated, it is no longer routed as its address says. */
			if (tested != DIAGRAM_NONE)
				vec_push(prover->arena, &prover->tests,
					 (struct verdict){.assertion = assertion,
							  .tested = {tested, packets_forget(&prover->space, tested,
											    FIELD_OUT)}});
		}
}

/* What no interface has kept. */
static void report_tests(struct prover *prover)
{
	vec_each(verdict, &prover->tests) {
		struct packet_space *space = &prover->space;
		struct diag *diag;
		const char *text;

		if (!verdict->assertion->can || verdict->kept)
			continue;
		if (!verdict->has_witness) {
			diag_add(prover->diags, CODE_TEST_FAILED, verdict->assertion->span,
				 "this does not hold: the policy covers no interface");
			continue;
		}
		text = witness_text(space, &verdict->witness, prover->arena);
		diag = verdict->undecided ?
			       diag_add(prover->diags, CODE_TEST_UNDECIDED, verdict->assertion->span,
					"this holds unless a rule that depends on more than the packet takes hold of '%s'",
					text) :
			       diag_add(prover->diags, CODE_TEST_FAILED, verdict->assertion->span,
					"this does not hold: '%s' is refused", text);
		witness_blame(&verdict->witness, prover->diags, diag);
	}
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
	if (prover->places.routes_known && !prover->input->host->rules_read)
		diag_label(prover->diags,
			   diag_add(prover->diags, CODE_ASSUMED, SPAN_NONE,
				    "%s: taken for granted that the main table alone decides on routes", family),
			   SPAN_NONE, "`ip -j rule`, given by --host FILE, tells");
}

/* ---- all interfaces ---- */

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
	const struct journey *journey;

	prover->has_whole = false;
	for (size_t i = 0; i < sizeof trackings / sizeof *trackings && !prover->stuck; i++)
		prove_closed(prover, in, trackings[i]);
	if (prover->stuck || (!is_covered(prover, in) && !promises_something(prover, in)))
		return;
	journey = whole_journey(prover, in);
	if (stuck(prover, journey))
		return;
	prove_open(prover, journey, in);
	if (is_covered(prover, in))
		prove_neighbour_discovery(prover, in);
	vec_each(policy, &prover->input->policies.items)
		if (declared_covers(*policy, in))
			run_tests(prover, journey, *policy, in);
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
	collect_tests(&prover);
	for (size_t i = 0; i < prover.space.ins.len && !prover.stuck; i++)
		prove_interface(&prover, prover.space.ins.data[i]);
	if (!prover.stuck && !packet_space_gave_up(&prover.space)) {
		report_tests(&prover);
		outcome = diags->all.len == before ? PROOF_HOLDS : PROOF_FINDS;
		report_assumptions(&prover);
	}
	packet_space_free(&prover.space);
	return outcome;
}
