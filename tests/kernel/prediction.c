/* What the sets say of one packet: the rules that it meets, and where it ends. */
#include "sets.h"

#include <string.h>

/* A bit for each variable of a diagram; ANY where it is not the packet that says. */
enum { ANY = -1 };

struct bits {
	signed char *of;
};

struct asking {
	struct analysis *analysis;
	struct prediction *out;
	struct bits as_sent, made; /* the packet: before DNAT, and whatever DNAT may have made of it */
	bool certain;              /* until now */
	bool passages[PASSAGE_COUNT];
	bool delivered, forwarded;
	bool resourced;            /* its source may be another one in the end */
};

/* ---- a packet and a set ---- */

/* Is some packet of these bits in the set? */
static bool meets(const struct packet_space *space, uint32_t set, struct bits bits)
{
	while (set > DIAGRAM_ALL) {
		const struct diagram_node *node = &space->diagrams.nodes[set];
		int bit = bits.of[node->variable];

		if (bit == ANY && meets(space, node->low, bits))
			return true;
		set = bit ? node->high : node->low;
	}
	return set == DIAGRAM_ALL;
}

static uint32_t branch(const struct packet_space *space, uint32_t set, uint32_t variable, int bit)
{
	const struct diagram_node *node = &space->diagrams.nodes[set];

	if (set <= DIAGRAM_ALL || node->variable != variable)
		return set;
	return bit ? node->high : node->low;
}

/* Is some packet of these bits in the set, but not in the other? */
static bool escapes(const struct packet_space *space, uint32_t set, uint32_t other, struct bits bits)
{
	const struct diagram_node *nodes = space->diagrams.nodes;

	while (set != DIAGRAM_NONE && other > DIAGRAM_ALL) {
		uint32_t variable = nodes[other].variable;
		int bit;

		if (set > DIAGRAM_ALL && nodes[set].variable < variable)
			variable = nodes[set].variable;
		bit = bits.of[variable];
		if (bit == ANY &&
		    escapes(space, branch(space, set, variable, 0), branch(space, other, variable, 0), bits))
			return true;
		set = branch(space, set, variable, bit);
		other = branch(space, other, variable, bit);
	}
	return other == DIAGRAM_NONE && meets(space, set, bits);
}

/* Of the packets of a set that are all alike. */
static struct bits bits_of(const struct analysis *analysis, uint32_t like)
{
	const struct diagrams *diagrams = &analysis->space.diagrams;
	struct bits bits = {arena_alloc(analysis->arena, diagrams->variables + 1u)};

	memset(bits.of, ANY, diagrams->variables);
	while (like > DIAGRAM_ALL) {
		const struct diagram_node *node = &diagrams->nodes[like];

		bits.of[node->variable] = node->low == DIAGRAM_NONE;
		like = node->low == DIAGRAM_NONE ? node->high : node->low;
	}
	return bits;
}

static struct bits packet_bits(const struct asking *asking, bool translated)
{
	return translated ? asking->made : asking->as_sent;
}

static struct sample sample_of(const struct probe *probe)
{
	const struct packet *packet = &probe->packet;
	struct sample sample = {.values = {
		[FIELD_DST] = addr_to_number(&packet->destination.lo),
		[FIELD_SRC] = addr_to_number(&packet->source.lo),
		[FIELD_PROTOCOL] = packet->protocol,
		[FIELD_HOPS] = packet->ttl,
		[FIELD_FLAGS] = packet->tcp_flags,
		[FIELD_SPORT] = packet->source_port.lo,
		[FIELD_DPORT] = packet->destination_port.lo,
	}};

	if (packet_is_icmp(packet)) {
		sample.values[FIELD_ICMP] = (addr_number)(packet->icmp_type << 8 | packet->icmp_code);
		/* nf_conntrack_tuple: where others have ports, ICMP has these. */
		sample.values[FIELD_DPORT] = sample.values[FIELD_ICMP];
		sample.values[FIELD_SPORT] = probe->identifier;
	}
	return sample;
}

static void begin(struct asking *asking, const struct probe *probe)
{
	struct analysis *analysis = asking->analysis;
	struct packet_space *space = &analysis->space;
	struct sample sample = sample_of(probe);
	enum destination_type type;
	uint32_t out, like;

	if (!analysis_place(analysis, sample.values[FIELD_DST], &type, &out))
		die("a packet that goes nowhere");
	sample.values[FIELD_TYPE] = type;
	sample.values[FIELD_OUT] = out;
	like = packets_like(space, &sample);
	asking->as_sent = bits_of(analysis, like);
	asking->made = bits_of(analysis, packets_forget(space, like, FIELD_BIT(FIELD_OUT)));
	asking->certain = true;
}

/* Surely, if all that can come to the rule of this packet is taken. */
static void ask(struct asking *asking, const struct taking *taking)
{
	const struct packet_space *space = &asking->analysis->space;
	struct bits bits = packet_bits(asking, taking->translated);

	if (!meets(space, taking->hit, bits))
		return;
	if (!taking->exact || escapes(space, taking->reached, taking->hit, bits))
		asking->certain = false;
	if (taking->hook != HOOK_PREROUTING)
		asking->passages[taking->translated] = true;
	asking->resourced |= taking->resourced;
	asking->delivered |= taking->hook == HOOK_INPUT;
	asking->forwarded |= taking->hook == HOOK_FORWARD;
	vec_push(asking->analysis->arena, &asking->out->meetings, (struct meeting){taking, asking->certain});
}

/* ---- raw, where it is settled which of the walks is the packet's ---- */

static const struct match *tracking_target(const struct rule *rule)
{
	const struct match *target;

	if (!rule || rule->opaque || rule->target.kind != TARGET_EXTENSION)
		return NULL;
	target = &rule->target.extension;
	return target->module == MODULE_T_CT || target->module == MODULE_T_NOTRACK ? target : NULL;
}

static bool is_notrack(const struct match *target)
{
	vec_each(option, &target->options)
		if (option->id == OPTION_T_CT_NOTRACK)
			return true;
	return target->module == MODULE_T_NOTRACK;
}

/* Surely, if asking is certain. Of several words about tracking the first counts. */
static bool untracked_by_rule(const struct asking *asking)
{
	vec_each(meeting, &asking->out->meetings) {
		const struct match *target = tracking_target(meeting->taking->rule);

		if (target && is_notrack(target))
			return true;
		if (target && meeting->surely)
			return false;
	}
	return false;
}

static enum tracking first_tracking(const struct packet *packet)
{
	switch (packet_first_state(packet)) {
	case PACKET_NEW:
		return TRACKING_NEW;
	case PACKET_UNTRACKED:
		return TRACKING_UNTRACKED;
	default:
		return TRACKING_INVALID;
	}
}

/* ---- behind it ---- */

static void ask_arrivals(struct asking *asking, const struct journey *journey)
{
	struct packet_space *space = &asking->analysis->space;
	const struct world *world = asking->analysis->world;

	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		struct bits bits = packet_bits(asking, passage == PASSAGE_TRANSLATED);

		asking->out->may_be_dropped |= meets(space, journey->dropped[passage], bits);
		if (!meets(space, journey->accepted[passage], bits))
			continue;
		asking->passages[passage] = true;
		for (int i = 0; i <= WORLD_INTERFACES; i++) {
			uint32_t out = i ? packets_out(space, world->interfaces[i - 1]) : packets_to_host(space);

			asking->out->may_arrive[i] |= meets(space, packets_and(space, journey->accepted[passage], out),
							    bits);
		}
	}
}

static void ask_passing(struct asking *asking, const struct passing *passing)
{
	vec_each(taking, &passing->takings)
		if (taking->table != TABLE_RAW)
			ask(asking, taking);
	ask_arrivals(asking, &passing->journey);
}

/*
 * A range to translate to may hold the destination as it was, or the host and others: then nobody knows which way it
 * goes. The same of sources.
 */
static bool is_ambiguous(const struct asking *asking, const struct taking *taking, bool torn)
{
	return taking->hook != HOOK_PREROUTING && (torn || (asking->resourced && taking->table == TABLE_SECURITY));
}

static void settle(struct asking *asking)
{
	struct prediction *out = asking->out;
	unsigned fates = out->may_be_dropped + out->may_arrive[0];
	bool torn;

	for (int i = 1; i <= WORLD_INTERFACES; i++) {
		fates += out->may_arrive[i];
		asking->forwarded |= out->may_arrive[i];
	}
	asking->delivered |= out->may_arrive[0];
	torn = (asking->passages[PASSAGE_AS_SENT] && asking->passages[PASSAGE_TRANSLATED]) ||
	       (asking->delivered && asking->forwarded);
	vec_each(meeting, &out->meetings)
		meeting->surely &= !is_ambiguous(asking, meeting->taking, torn);
	out->may_be_forwarded = asking->forwarded;
	out->may_be_translated = asking->passages[PASSAGE_TRANSLATED];
	out->decided = asking->certain && !torn && !asking->resourced && fates <= 1;
}

void predict(struct prediction *out, struct analysis *analysis, const struct probe *probe)
{
	struct asking asking = {.analysis = analysis, .out = out};
	const struct passing *passings = analysis->passings[world_place(analysis->world, probe->packet.in) - 1];
	enum tracking tracking = first_tracking(&probe->packet);
	bool untracked;

	*out = (struct prediction){0};
	begin(&asking, probe);
	vec_each(taking, &passings[TRACKING_NEW].takings)
		if (taking->table == TABLE_RAW)
			ask(&asking, taking);
	untracked = untracked_by_rule(&asking);
	if (tracking != TRACKING_UNTRACKED && !(untracked && asking.certain))
		ask_passing(&asking, &passings[tracking]);
	if (tracking == TRACKING_UNTRACKED || untracked)
		ask_passing(&asking, &passings[TRACKING_UNTRACKED]);
	settle(&asking);
}
