#include "prover.h"

static bool is_said(struct prover *prover, const struct permission *permission)
{
	vec_each(said, &prover->refused)
		if (*said == permission)
			return true;
	vec_push(prover->arena, &prover->refused, permission);
	return false;
}

static void prove_permission(struct prover *prover, const struct journey *journey, const struct policy *policy,
			     const struct interface_policy *block, const struct permission *permission)
{
	struct packet_space *space = &prover->space;
	struct passages refused, certain;
	struct witness witness;
	struct diag *diag;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		/* Another policy may have a say in what leaves by its interfaces. */
		uint32_t wanted = packets_and(space, prover->allowed[passage],
					      declared_by(space, policy, block, permission, prover->in,
							  (enum passage)passage));

		/* Who lets all protocols through does not ask for errors about nothing. */
		if (permission->kind != PERMISSION_ICMP)
			wanted = packets_minus(space, wanted, traverse_never_new(space));
		refused.packets[passage] = prover_but_elsewhere(prover, packets_and(space, wanted, journey->dropped[passage]));
		certain.packets[passage] = packets_minus(space, refused.packets[passage],
							  journey_anyhow(space, journey->accepted, (enum passage)passage));
	}
	if (passages_are_empty(&refused) || is_said(prover, permission))
		return;
	if (!passages_are_empty(&certain)) {
		witness = prover_find_witness(prover, &certain, TRACKING_NEW);
		diag = diag_add(prover->diags, CODE_DECLARED_REFUSED, permission->span,
				"this does not let '%s' in: it is refused",
				witness_text(space, &witness, prover->arena));
	} else {
		witness = prover_find_witness(prover, &refused, TRACKING_NEW);
		diag = diag_add(prover->diags, CODE_DECLARED_MAY_BE_REFUSED, permission->span,
				"this lets '%s' in unless a rule that depends on more than the packet takes hold of it",
				witness_text(space, &witness, prover->arena));
	}
	witness_explain(space, &witness, journey, EVENT_DROP, prover->diags, diag);
}

void prove_neighbour_discovery(struct prover *prover)
{
	struct packet_space *space = &prover->space;
	uint32_t needed = packets_and(space, declared_neighbour_discovery(space),
				      packets_to_host(space));
	struct passages refused = {{DIAGRAM_NONE, DIAGRAM_NONE}};
	struct journey journey;
	struct witness witness;

	if (needed == DIAGRAM_NONE)
		return;
	prover_send_through(prover, &journey, TRACKING_UNTRACKED, TRAVERSE_ALL);
	refused.packets[PASSAGE_AS_SENT] =
		packets_minus(space, packets_and(space, needed, journey.dropped[PASSAGE_AS_SENT]),
			      journey.accepted[PASSAGE_AS_SENT]);
	refused.packets[PASSAGE_AS_SENT] = prover_but_elsewhere(prover, refused.packets[PASSAGE_AS_SENT]);
	if (prover_is_stuck(prover, &journey) || passages_are_empty(&refused))
		return;
	witness = prover_find_witness(prover, &refused, TRACKING_UNTRACKED);
	witness_explain(space, &witness, &journey, EVENT_DROP, prover->diags,
			diag_add(prover->diags, CODE_DECLARED_REFUSED, prover_place(prover, &witness),
				 "'%s' is refused, which IPv6 needs for finding its neighbours",
				 witness_text(space, &witness, prover->arena)));
}

void prove_open(struct prover *prover, const struct journey *journey)
{
	vec_each(policy, &prover->input->policies.items)
		vec_each(block, &(*policy)->interfaces)
			vec_each(permission, &block->permissions)
				prove_permission(prover, journey, *policy, block, permission);
}
