#include "prover.h"

/* Of one interface and state; each by a rule of its own. */
#define LEAKS_MAX 4

static struct passages undeclared(struct prover *prover, const struct journey *journey)
{
	struct passages leak;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++)
		leak.packets[passage] = packets_minus(&prover->space, journey->accepted[passage], prover->allowed[passage]);
	return leak;
}

/* ---- leaks ---- */

static struct diag *report_leak(struct prover *prover, const struct journey *journey, const struct passages *leak,
				enum tracking tracking, struct witness *witness)
{
	struct packet_space *space = &prover->space;
	struct passages certain;
	struct diag *diag;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++)
		certain.packets[passage] = packets_minus(space, leak->packets[passage],
							  journey_anyhow(space, journey->dropped, (enum passage)passage));
	if (!passages_are_empty(&certain)) {
		*witness = prover_find_witness(prover, &certain, tracking);
		diag = diag_add(prover->diags, CODE_LEAK, prover_place(prover, witness),
				"'%s' gets in, and nothing declares it", witness_text(space, witness, prover->arena));
	} else {
		*witness = prover_find_witness(prover, leak, tracking);
		diag = diag_add(prover->diags, CODE_POSSIBLE_LEAK, prover_place(prover, witness),
				"'%s' may get in, and nothing declares it", witness_text(space, witness, prover->arena));
		witness_keep(space, witness, journey, EVENT_DROP);
	}
	witness_explain(space, witness, journey, EVENT_ACCEPT, prover->diags, diag);
	return diag;
}

static void take_away(struct prover *prover, struct passages *leak, const struct cause *cause,
		      const struct journey *journey)
{
	uint32_t packets = cause_packets(&prover->space, cause, journey);

	for (int passage = 0; passage < PASSAGE_COUNT; passage++)
		leak->packets[passage] = packets_minus(&prover->space, leak->packets[passage], packets);
}

/* Each rule is blamed once, for whatever interfaces and states. */
static void report_leaks(struct prover *prover, const struct journey *journey, struct passages leak, enum tracking tracking)
{
	struct diag *diag = NULL;
	struct witness witness;

	vec_each(cause, &prover->leaks)
		take_away(prover, &leak, cause, journey);
	for (int count = 0; count < LEAKS_MAX && !passages_are_empty(&leak); count++) {
		struct cause cause;

		diag = report_leak(prover, journey, &leak, tracking, &witness);
		cause = witness_cause(&prover->space, &witness, journey);
		take_away(prover, &leak, &cause, journey);
		vec_push(prover->arena, &prover->leaks, cause);
	}
	if (diag && !passages_are_empty(&leak))
		diag_label(prover->diags, diag, SPAN_NONE, "other rules let in more");
}

/* ---- transit that DNAT turns ---- */

static uint32_t indistinct(struct prover *prover)
{
	uint32_t packets = DIAGRAM_NONE;

	vec_each(policy, &prover->input->policies.items)
		packets = packets_or(&prover->space, packets, declared_indistinct(&prover->space, *policy, prover->in));
	return packets;
}

/* To all addresses that this host has, or may have, but those of the loopback. */
static uint32_t to_own_addresses(struct prover *prover)
{
	struct packet_space *space = &prover->space;
	uint32_t packets = packets_and(space, prover->arriving, packets_of_type(space, TYPE_LOCAL));

	packets = packets_forget(space, packets_forget_marks(space, packets), FIELD_BIT(FIELD_OUT));
	if (prover->places.addresses_known)
		return packets_and(space, packets, places_own(space, &prover->places, FIELD_DST, NULL));
	return packets_minus(space, packets_minus(space, packets, prover->elsewhere),
			     places_certain(space, &prover->places, FIELD_DST, TYPE_LOCAL));
}

/* Declared transit that ends where its sender gets anyway, at whichever of this host's addresses he asks for it. */
static uint32_t diverted(struct prover *prover, const struct journey *journey)
{
	struct packet_space *space = &prover->space;
	uint32_t exposed = packets_and(space, journey->accepted[PASSAGE_TRANSLATED], prover->allowed[PASSAGE_TRANSLATED]);
	uint32_t not_at_all = packets_minus(space, to_own_addresses(prover), exposed);

	not_at_all = packets_forget(space, not_at_all, FIELD_BIT(FIELD_DST) | FIELD_BIT(FIELD_TYPE));
	return packets_minus(space, indistinct(prover), not_at_all);
}

/* Takes it out of the leak. */
static void remark_diverted(struct prover *prover, const struct journey *journey, struct passages *leak)
{
	struct packet_space *space = &prover->space;
	struct passages those = {{DIAGRAM_NONE, packets_and(space, leak->packets[PASSAGE_TRANSLATED],
							    diverted(prover, journey))}};
	struct witness witness;

	if (passages_are_empty(&those))
		return;
	leak->packets[PASSAGE_TRANSLATED] = packets_minus(space, leak->packets[PASSAGE_TRANSLATED],
							  those.packets[PASSAGE_TRANSLATED]);
	witness = prover_find_witness(prover, &those, TRACKING_NEW);
	witness_explain(space, &witness, journey, EVENT_TRANSLATE, prover->diags,
			diag_add(prover->diags, CODE_DIVERTED, prover_place(prover, &witness),
				 "'%s' is declared transit that is led to where its sender may go anyway",
				 witness_text(space, &witness, prover->arena)));
	prover->remarks++;
}

/* ---- durability ---- */

static void report_dependence(struct prover *prover, const struct journey *worst, const struct passages *leak)
{
	struct witness witness = prover_find_witness(prover, leak, TRACKING_NEW);
	struct diag *diag = diag_add(prover->diags, CODE_LEAK, prover_place(prover, &witness),
				     "only rules in raw, nat or filter keep '%s' out, which others may change",
				     witness_text(&prover->space, &witness, prover->arena));

	witness_explain(&prover->space, &witness, worst, EVENT_ACCEPT, prover->diags, diag);
}

/* First as if raw, nat and filter did their worst: what cannot get in then never can, and needs no further look. */
void prove_closed(struct prover *prover, enum tracking tracking)
{
	struct journey worst, other;
	const struct journey *real = &other;
	struct passages possible = {{DIAGRAM_NONE, DIAGRAM_NONE}}, leak;

	if (!prover->input->as_they_are) {
		prover_send_through(prover, &worst, tracking, TRAVERSE_OWN_TABLES);
		possible = undeclared(prover, &worst);
		if (prover_is_stuck(prover, &worst) || passages_are_empty(&possible))
			return;
	}
	if (tracking == TRACKING_NEW)
		real = prover_whole_journey(prover);
	else
		prover_send_through(prover, &other, tracking, TRAVERSE_ALL);
	leak = undeclared(prover, real);
	if (prover_is_stuck(prover, real))
		return;
	remark_diverted(prover, real, &leak);
	if (!passages_are_empty(&leak)) {
		report_leaks(prover, real, leak, tracking);
		return;
	}
	possible.packets[PASSAGE_TRANSLATED] =
		packets_minus(&prover->space, possible.packets[PASSAGE_TRANSLATED], indistinct(prover));
	if (!passages_are_empty(&possible))
		report_dependence(prover, &worst, &possible);
}
