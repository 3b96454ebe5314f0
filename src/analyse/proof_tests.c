#include "prover.h"

static uint32_t as_headers(struct packet_space *space, uint32_t packets)
{
	return packets_forget(space, packets, FIELDS_WAY | FIELD_BIT(FIELD_TYPE));
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
		missing.packets[passage] = prover_but_elsewhere(prover, packets_minus(space, missing.packets[passage], sure));
	}
	if (verdict->assertion->has_at) {
		missing.packets[PASSAGE_TRANSLATED] = DIAGRAM_NONE;
		missing.packets[PASSAGE_AS_SENT] = packets_minus(space, verdict->tested[PASSAGE_AS_SENT], good);
	}
	return missing;
}

static void test_can(struct prover *prover, const struct journey *journey, struct verdict *verdict)
{
	struct passages missing = not_let_in(prover, journey, verdict, false), certain;
	struct passages *shown = &missing;

	if (passages_are_empty(&missing)) {
		verdict->kept = true;
		return;
	}
	certain = not_let_in(prover, journey, verdict, true);
	if (passages_are_empty(&certain))
		verdict->undecided = true;
	else
		shown = &certain;
	if (verdict->has_witness && !passages_are_empty(&certain))
		return;
	verdict->has_witness = true;
	verdict->witness = prover_find_witness(prover, shown, TRACKING_NEW);
	witness_keep(&prover->space, &verdict->witness, journey, EVENT_DROP);
}

/* Whether an address that only the test knows belongs to this host is for the test's author to say, or for --host. */
static void test_cannot(struct prover *prover, const struct journey *journey, struct verdict *verdict)
{
	struct packet_space *space = &prover->space;
	const struct assertion *assertion = verdict->assertion;
	bool is_guess = assertion->has_at && !prover->places.addresses_known;
	uint32_t local = packets_of_type(space, TYPE_LOCAL);
	struct passages open, elsewhere;
	const char *text;

	if (verdict->has_witness)
		return;
	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		open.packets[passage] =
			prover_but_elsewhere(prover, packets_and(space, verdict->tested[passage], journey->accepted[passage]));
		elsewhere.packets[passage] = is_guess ? packets_minus(space, open.packets[passage], local) :
							   open.packets[passage];
	}
	if (passages_are_empty(&open))
		return;
	verdict->has_witness = true;
	verdict->undecided = passages_are_empty(&elsewhere);
	verdict->witness = prover_find_witness(prover, verdict->undecided ? &open : &elsewhere, TRACKING_NEW);
	text = witness_text(space, &verdict->witness, prover->arena);
	if (verdict->undecided) {
		diag_add(prover->diags, CODE_TEST_UNDECIDED, assertion->span,
			 "this holds only if the address is not one of this host's, for '%s' gets in then", text);
		return;
	}
	witness_explain(space, &verdict->witness, journey, EVENT_ACCEPT, prover->diags,
			diag_add(prover->diags, CODE_TEST_FAILED, assertion->span, "this does not hold: '%s' gets in", text));
}

void tests_run(struct prover *prover, const struct journey *journey, const struct policy *policy)
{
	vec_each(verdict, &prover->tests) {
		const struct assertion *first = policy->assertions.data;

		if (!first || verdict->assertion < first || verdict->assertion >= first + policy->assertions.len)
			continue;
		if (verdict->assertion->can && !verdict->kept)
			test_can(prover, journey, verdict);
		else if (!verdict->assertion->can)
			test_cannot(prover, journey, verdict);
	}
}

void tests_collect(struct prover *prover)
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
											    FIELD_BIT(FIELD_OUT))}});
		}
}

void tests_report(struct prover *prover)
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
