/*
 * Packets worth asking about: one that a rule takes hold of, one that crosses a single boundary out of that, one that
 * came to the rule and was not taken. Of the pieces of a field that a packet lies in, any value will do: so
 * the first, the last or one between are sent.
 */
#include "sets.h"

enum { NUMBER_TCP = 6 };

struct choosing {
	struct analysis *analysis;
	struct probe *out;
	unsigned room, count;
};

struct place_to_look {
	const struct taking *taking;
	const char *in;
	enum tracking tracking;
};

/* ---- from a set to bytes ---- */

static addr_number random_number(void)
{
	return (addr_number)random_next() << 64 | random_next();
}

static addr_number any_of_piece(const struct field_atoms *atoms, addr_number value)
{
	addr_number lo = 0, hi = atoms->last;

	vec_each(start, &atoms->starts)
		if (*start <= value)
			lo = *start;
		else {
			hi = *start - 1;
			break;
		}
	switch (random_below(4)) {
	case 0:
		return lo;
	case 1:
		return hi;
	default:
		return lo + (hi - lo == ~(addr_number)0 ? random_number() : random_number() % (hi - lo + 1));
	}
}

static uint8_t any_flags(const struct packet_space *space, addr_number flags)
{
	uint8_t asked = (uint8_t)space->fields[FIELD_FLAGS].mask & 0x3f;

	return (uint8_t)((flags & asked) | (random_next() & 0x3f & ~asked));
}

/* What no rule asks for is chosen so that the packet is of the state that is wanted, where that can be. */
static void set_flags(struct packet *packet, const struct packet_space *space, addr_number flags, enum tracking wanted)
{
	for (int tries = 0; tries < 20; tries++) {
		packet->tcp_flags = any_flags(space, flags);
		if (wanted == TRACKING_UNTRACKED ||
		    (packet_first_state(packet) == PACKET_NEW) == (wanted == TRACKING_NEW))
			return;
	}
}

static void set_address(struct addr_bounds *out, const struct packet_space *space, enum field field,
			const struct sample *sample)
{
	out->lo = out->hi = addr_from_number(space->family, any_of_piece(&space->fields[field], sample->values[field]));
}

static struct port_range any_port(const struct packet_space *space, enum field field, const struct sample *sample)
{
	uint16_t port = (uint16_t)any_of_piece(&space->fields[field], sample->values[field]);

	return (struct port_range){port, port};
}

static void make_probe(struct probe *out, const struct packet_space *space, const struct sample *sample, const char *in,
		       enum tracking tracking)
{
	struct packet *packet = &out->packet;

	*packet = (struct packet){.family = space->family, .in = in, .has_ttl = true, .has_length = true};
	set_address(&packet->source, space, FIELD_SRC, sample);
	set_address(&packet->destination, space, FIELD_DST, sample);
	packet->protocol = (uint8_t)any_of_piece(&space->fields[FIELD_PROTOCOL], sample->values[FIELD_PROTOCOL]);
	packet->ttl = (uint8_t)any_of_piece(&space->fields[FIELD_HOPS], sample->values[FIELD_HOPS]);
	packet->length = (uint16_t)(80 + random_below(1300));
	if (packet_has_ports(packet)) {
		packet->source_port = any_port(space, FIELD_SPORT, sample);
		packet->destination_port = any_port(space, FIELD_DPORT, sample);
	}
	if (packet_is_icmp(packet)) {
		addr_number icmp = any_of_piece(&space->fields[FIELD_ICMP], sample->values[FIELD_ICMP]);

		packet->icmp_type = (uint8_t)(icmp >> 8);
		packet->icmp_code = (uint8_t)icmp;
	}
	packet->has_flags = packet->protocol == NUMBER_TCP;
	if (packet->has_flags)
		set_flags(packet, space, sample->values[FIELD_FLAGS], tracking);
	packet->state = packet_first_state(packet);
}

/* ---- sets to choose from ---- */

/* Bits of the value, the highest first: those that the field keeps. */
static addr_number masked_value(const struct field_atoms *atoms, uint32_t number)
{
	addr_number value = 0;
	unsigned bit = atoms->bits;

	for (uint32_t kept = 1u << 31; kept; kept >>= 1)
		if (atoms->mask & kept && number & 1u << --bit)
			value |= kept;
	return value;
}

static addr_number value_of(const struct field_atoms *atoms, const bool *vector)
{
	uint32_t number = 0;

	for (unsigned bit = 0; bit < atoms->bits; bit++)
		number = number << 1 | vector[atoms->variables[bit]];
	if (!atoms->starts.len)
		return masked_value(atoms, number);
	return atoms->starts.data[number < atoms->starts.len ? number : atoms->starts.len - 1];
}

/* Any path through the diagram that leads somewhere. */
static void any_vector(bool *vector, const struct diagrams *diagrams, uint32_t packets)
{
	for (unsigned i = 0; i < diagrams->variables; i++)
		vector[i] = random_once_in(2);
	while (packets != DIAGRAM_ALL) {
		const struct diagram_node *node = &diagrams->nodes[packets];

		if (node->low == DIAGRAM_NONE || node->high == DIAGRAM_NONE)
			vector[node->variable] = node->low == DIAGRAM_NONE;
		packets = vector[node->variable] ? node->high : node->low;
	}
}

/* Of a set that is not empty; mostly with hops enough to go anywhere. */
static struct sample any_sample(struct packet_space *space, uint32_t packets)
{
	uint32_t lasting = packets_and(space, packets, packets_range(space, FIELD_HOPS, ENOUGH_HOPS, UINT8_MAX));
	bool vector[FIELD_COUNT * FIELD_BITS_MAX];
	struct sample sample;

	any_vector(vector, &space->diagrams, lasting != DIAGRAM_NONE && !random_once_in(4) ? lasting : packets);
	for (int field = 0; field < FIELD_COUNT; field++)
		sample.values[field] = value_of(&space->fields[field], vector);
	return sample;
}

/* Of those, what the wire can make; where DNAT has been at work, they go another way than they were sent. */
static uint32_t sendable(struct analysis *analysis, uint32_t packets, bool translated)
{
	return packets_and(&analysis->space, packets, translated ? analysis->sendable_anyhow : analysis->sendable);
}

/* The packets that were sent like these, whatever has become of them. */
static uint32_t as_sent(struct packet_space *space, uint32_t packets, bool translated)
{
	packets = packets_forget_marks(space, packets);
	if (!translated)
		return packets;
	return packets_forget(space, packets, FIELDS_WAY);
}

/* Like the sample but in one field, and not taken. */
static uint32_t across(struct analysis *analysis, const struct sample *sample, enum field field,
		       const struct taking *taking)
{
	struct packet_space *space = &analysis->space;
	uint32_t packets = packets_forget(space, packets_like(space, sample), FIELD_BIT(field) | FIELD_BIT(FIELD_OUT));

	if (field == FIELD_DST)
		packets = packets_forget(space, packets, FIELD_BIT(FIELD_TYPE));
	packets = sendable(analysis, packets, false);
	return packets_minus(space, packets,
			     as_sent(space, packets_and(space, packets_forget(space, packets, FIELD_BIT(FIELD_OUT)), taking->hit),
				     taking->translated));
}

/* ---- what is asked ---- */

static void add_probe(struct choosing *choosing, uint32_t packets, const char *in, enum tracking tracking)
{
	struct packet_space *space = &choosing->analysis->space;
	struct sample sample;

	if (packets == DIAGRAM_NONE || choosing->count == choosing->room)
		return;
	sample = any_sample(space, packets);
	make_probe(&choosing->out[choosing->count++], space, &sample, in, tracking);
}

static void add_crossing(struct choosing *choosing, uint32_t inside, const struct place_to_look *place)
{
	static const enum field fields[] = {FIELD_DST,	 FIELD_SRC,  FIELD_PROTOCOL, FIELD_DPORT,
					    FIELD_SPORT, FIELD_ICMP, FIELD_FLAGS,    FIELD_HOPS};
	struct sample sample = any_sample(&choosing->analysis->space, inside);
	unsigned first = random_below(sizeof fields / sizeof *fields);

	for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) {
		enum field field = fields[(first + i) % (sizeof fields / sizeof *fields)];
		uint32_t outside = across(choosing->analysis, &sample, field, place->taking);

		if (outside != DIAGRAM_NONE) {
			add_probe(choosing, outside, place->in, place->tracking);
			return;
		}
	}
}

static void look_at(struct choosing *choosing, const struct place_to_look *place)
{
	struct analysis *analysis = choosing->analysis;
	const struct taking *taking = place->taking;
	uint32_t inside = sendable(analysis, taking->hit, taking->translated);

	if (inside == DIAGRAM_NONE)
		return;
	add_probe(choosing, inside, place->in, place->tracking);
	add_crossing(choosing, inside, place);
	if (random_once_in(4))
		add_probe(choosing,
			  sendable(analysis, packets_minus(&analysis->space, taking->reached, taking->hit),
				   taking->translated),
			  place->in, place->tracking);
}

struct places_to_look {
	VEC(struct place_to_look) all;
};

static void list_takings(struct places_to_look *out, const struct analysis *analysis)
{
	for (int in = 0; in < WORLD_ENTRANCES; in++)
		for (int tracking = 0; tracking < TRACKINGS_WALKED; tracking++)
			vec_each(taking, &analysis->passings[in][tracking].takings)
				vec_push(analysis->arena, &out->all,
					 (struct place_to_look){taking, analysis->world->interfaces[in],
								(enum tracking)tracking});
}

static void shuffle(struct places_to_look *places)
{
	for (size_t i = places->all.len; i > 1; i--) {
		size_t other = random_below((unsigned)i);
		struct place_to_look place = places->all.data[other];

		places->all.data[other] = places->all.data[i - 1];
		places->all.data[i - 1] = place;
	}
}

unsigned choose_probes(struct probe *out, unsigned room, struct analysis *analysis)
{
	struct choosing choosing = {.analysis = analysis, .out = out, .room = room - room / 8};
	struct places_to_look places = {0};

	list_takings(&places, analysis);
	shuffle(&places);
	vec_each(place, &places.all) {
		if (choosing.count == choosing.room)
			break;
		look_at(&choosing, place);
	}
	for (unsigned i = 0; i < choosing.count; i++)
		out[i].identifier = i + 1;
	return choosing.count;
}
