#include "witness.h"

#include <peerwall/exposure.h>
#include <peerwall/match_codec.h>
#include <peerwall/strbuf.h>

#include <string.h>

#define FLAGS_SYN 0x02u
#define NUMBER_TCP 6
#define NUMBER_UDP 17
#define NUMBER_ICMP 1
#define NUMBER_ICMPV6 58
/* RFC 6335: those that a client's system hands out. */
#define EPHEMERAL_LO 49152
#define EPHEMERAL_HI 65535

/* RFC 5737, RFC 3849: addresses that nobody has. */
static const struct prefix documentation[FAMILY_COUNT] = {
	[FAMILY_IPV4] = {{FAMILY_IPV4, {192, 0, 2}}, 24},
	[FAMILY_IPV6] = {{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8}}, 32},
};

void witness_mention(struct packet_space *space)
{
	static const uint8_t protocols[] = {NUMBER_ICMP, NUMBER_TCP, NUMBER_UDP, NUMBER_ICMPV6};
	struct addr_range nobody = prefix_to_range(&documentation[space->family]);

	packet_space_mention(space, FIELD_SRC, nobody.lo, nobody.hi);
	packet_space_mention(space, FIELD_DST, nobody.lo, nobody.hi);

	for (size_t i = 0; i < sizeof protocols; i++)
		packet_space_mention(space, FIELD_PROTOCOL, protocols[i], protocols[i]);
	packet_space_mention(space, FIELD_SPORT, EPHEMERAL_LO, EPHEMERAL_HI);
	packet_space_mention(space, FIELD_DPORT, 1, UINT16_MAX);
}

/* Of 0.0.0.0/8, which no host is sent from outside (RFC 1122, 3.2.1.3). */
static uint32_t to_nowhere(struct packet_space *space)
{
	if (space->family != FAMILY_IPV4)
		return DIAGRAM_NONE;
	return packets_range(space, FIELD_DST, 0, ((addr_number)1 << 24) - 1);
}

/* To addresses that are of the type that the packet has, whatever the kernel's version; where nobody knows any, all. */
static uint32_t surely_of_type(struct packet_space *space, const struct places *places)
{
	uint32_t packets = DIAGRAM_NONE;

	if (!places->addresses_known)
		return DIAGRAM_ALL;
	for (int type = 0; type < TYPE_COUNT; type++)
		packets = packets_or(space, packets,
				     packets_and(space, places_certain(space, places, FIELD_DST, (enum destination_type)type),
						 packets_of_type(space, (enum destination_type)type)));
	return packets;
}

struct witness witness_find(struct packet_space *space, const struct places *places, uint32_t packets, const char *in,
			    enum tracking tracking, enum passage passage)
{
	struct addr_range nobody = prefix_to_range(&documentation[space->family]);
	/* What DNAT has turned mostly goes on to a container. */
	uint32_t anywhere = packets_minus(space, space->all, packets_to_host(space));
	const uint32_t preferred[] = {
		packets_range(space, FIELD_PROTOCOL, NUMBER_TCP, NUMBER_TCP),
		packets_of_type(space, TYPE_LOCAL),
		surely_of_type(space, places),
		passage == PASSAGE_TRANSLATED ? packets_minus(space, anywhere, packets_out(space, in)) : DIAGRAM_ALL,
		packets_masked(space, FIELD_FLAGS, UINT32_MAX, FLAGS_SYN),
		packets_range(space, FIELD_SPORT, EPHEMERAL_LO, EPHEMERAL_HI),
		packets_range(space, FIELD_DPORT, 1, UINT16_MAX),
		packets_minus(space, space->all, to_nowhere(space)),
		places_certain(space, places, FIELD_SRC, TYPE_UNICAST),
		places_certain(space, places, FIELD_DST, TYPE_UNICAST),
		places_own(space, places, FIELD_DST, NULL),
		places_own(space, places, FIELD_DST, in),
		packets_range(space, FIELD_DST, nobody.lo, nobody.hi),
		packets_range(space, FIELD_SRC, nobody.lo, nobody.hi),
	};

	return (struct witness){
		.sample = packets_sample(space, packets, preferred, sizeof preferred / sizeof *preferred),
		.in = in,
		.tracking = tracking,
		.passage = passage,
	};
}

/* ---- in words ---- */

static void add_address(struct strbuf *text, const struct packet_space *space, addr_number number)
{
	struct addr addr = addr_from_number(space->family, number);
	char spelled[ADDR_TEXT_MAX];

	addr_format(&addr, spelled);
	strbuf_adds(text, spelled);
}

static void add_protocol(struct strbuf *text, const struct sample *sample)
{
	unsigned protocol = (unsigned)sample->values[FIELD_PROTOCOL];
	const char *name = protocol_name(protocol);

	if (name)
		strbuf_addf(text, " %s", name);
	else
		strbuf_addf(text, " %u", protocol);
	if (protocol == NUMBER_ICMP || protocol == NUMBER_ICMPV6)
		strbuf_addf(text, " %u/%u", (unsigned)sample->values[FIELD_ICMP] >> 8,
			    (unsigned)sample->values[FIELD_ICMP] & 0xff);
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		if (protocol_numbers[i] == protocol)
			strbuf_addf(text, " %u", (unsigned)sample->values[FIELD_DPORT]);
}

static const char *type_words(const struct witness *witness)
{
	switch ((enum destination_type)witness->sample.values[FIELD_TYPE]) {
	case TYPE_LOCAL:
		return "an address of this host";
	case TYPE_BROADCAST:
		return "a broadcast";
	case TYPE_ANYCAST:
		return "an anycast address";
	case TYPE_MULTICAST:
		return "a multicast";
	default:
		return "not an address of this host";
	}
}

static void add_fate(struct strbuf *text, struct packet_space *space, const struct witness *witness)
{
	size_t out = (size_t)witness->sample.values[FIELD_OUT];

	strbuf_addf(text, " (%s", type_words(witness));
	if (witness->tracking == TRACKING_UNTRACKED)
		strbuf_adds(text, ", untracked");
	else if (witness->tracking == TRACKING_INVALID)
		strbuf_adds(text, ", of no valid connection");
	if (witness->passage == PASSAGE_TRANSLATED) {
		strbuf_adds(text, ", rewritten to ");
		if (out == OUT_HOST)
			strbuf_adds(text, "this host");
		else
			add_address(text, space, witness->sample.values[FIELD_NEW_DST]);
	}
	if (out != OUT_HOST) {
		strbuf_adds(text, ", leaving by ");
		exposure_add_interface(text, space, space->outs.data[out]);
	} else if (witness->passage == PASSAGE_AS_SENT && witness->sample.values[FIELD_TYPE] == TYPE_UNICAST) {
		strbuf_adds(text, ", delivered to it by rules of routing");
	}
	strbuf_addc(text, ')');
}

const char *witness_text(struct packet_space *space, const struct witness *witness, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	const char *kept;

	strbuf_addf(&text, "%s ", witness->in);
	add_address(&text, space, witness->sample.values[FIELD_SRC]);
	strbuf_adds(&text, " > ");
	add_address(&text, space, witness->sample.values[FIELD_DST]);
	add_protocol(&text, &witness->sample);
	add_fate(&text, space, witness);
	kept = arena_strndup(arena, text.data, text.len);
	strbuf_free(&text);
	return kept;
}

/* ---- whose doing it is ---- */

static bool meets(struct packet_space *space, const struct witness *witness, const struct event *event, uint32_t like,
		  uint32_t anywhere)
{
	bool early = event->hook == HOOK_PREROUTING;

	if (!early && event->translated != (witness->passage == PASSAGE_TRANSLATED))
		return false;
	/* Before the routing decision a packet that is translated had another way. */
	return packets_and(space, event->packets, early ? anywhere : like) != DIAGRAM_NONE;
}

struct cause witness_cause(struct packet_space *space, const struct witness *witness, const struct journey *journey)
{
	uint32_t like = packets_like(space, &witness->sample), anywhere = packets_forget(space, like, FIELD_BIT(FIELD_OUT));
	struct cause cause = {0};

	vec_each(event, &journey->events.items)
		if (event->kind == EVENT_ACCEPT && (event->rule || !cause.rule) &&
		    meets(space, witness, event, like, anywhere))
			cause = (struct cause){event->chain, event->rule};
	return cause;
}

uint32_t cause_packets(struct packet_space *space, const struct cause *cause, const struct journey *journey)
{
	uint32_t packets = DIAGRAM_NONE;

	vec_each(event, &journey->events.items)
		if (event->kind == EVENT_ACCEPT && event->rule == cause->rule && event->chain == cause->chain)
			packets = packets_or(space, packets, event->hook == HOOK_PREROUTING ?
								     packets_forget(space, event->packets, FIELD_BIT(FIELD_OUT)) :
								     event->packets);
	return cause->chain ? packets : space->all;
}

static bool tells(const struct event *event, enum event_kind kind)
{
	if (event->kind == EVENT_TRANSLATE)
		return true;
	if (event->kind == EVENT_RETURN)
		return kind == EVENT_ACCEPT;
	/* That a policy accepts is nobody's rule. */
	return event->kind == kind && (event->rule || kind == EVENT_DROP);
}

static bool is_blamed(const struct witness *witness, const struct event *event)
{
	vec_each(other, &witness->blamed)
		if (other->rule && other->rule == event->rule)
			return true;
	return false;
}

/* What settles it counts for more than what only did not stop it. */
static void blame(struct packet_space *space, struct witness *witness, const struct event *event)
{
	struct event *events = witness->blamed.data;
	size_t place = 0;

	if (witness->blamed.len < WITNESS_RULES_MAX) {
		vec_push(space->arena, &witness->blamed, *event);
		return;
	}
	while (place < WITNESS_RULES_MAX && events[place].kind != EVENT_RETURN)
		place++;
	if (event->kind == EVENT_RETURN || place == WITNESS_RULES_MAX)
		return;
	memmove(&events[place], &events[place + 1], (WITNESS_RULES_MAX - 1 - place) * sizeof *events);
	events[WITNESS_RULES_MAX - 1] = *event;
}

void witness_keep(struct packet_space *space, struct witness *witness, const struct journey *journey, enum event_kind kind)
{
	uint32_t like = packets_like(space, &witness->sample), anywhere = packets_forget(space, like, FIELD_BIT(FIELD_OUT));

	vec_each(event, &journey->events.items)
		if (tells(event, kind) && !is_blamed(witness, event) && meets(space, witness, event, like, anywhere))
			blame(space, witness, event);
}

static const char *deed(const struct event *event)
{
	switch (event->kind) {
	case EVENT_ACCEPT:
		return "accepts it";
	case EVENT_DROP:
		return "refuses it";
	case EVENT_RETURN:
		return "lets it go on";
	case EVENT_TRANSLATE:
		return "sends it on to another address";
	}
	return "";
}

void witness_blame(const struct witness *witness, struct diags *diags, struct diag *diag)
{
	if (!witness->blamed.len)
		diag_label(diags, diag, SPAN_NONE, "no rule refuses it");
	vec_each(event, &witness->blamed) {
		struct span span = event->rule ? event->rule->span : event->chain->span;

		diag_label(diags, diag, span, "in %s %s, %s %s%s", table_names[event->table], event->chain->name,
			   event->rule ? "this rule" : "the policy", event->exact ? "" : "perhaps ", deed(event));
	}
}

void witness_explain(struct packet_space *space, struct witness *witness, const struct journey *journey,
		     enum event_kind kind, struct diags *diags, struct diag *diag)
{
	witness_keep(space, witness, journey, kind);
	witness_blame(witness, diags, diag);
}
