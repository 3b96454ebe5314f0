#include <peerwall/traverse.h>

#include <peerwall/bug.h>

#include <string.h>

#define FLAG_FIN 0x01u
#define FLAG_SYN 0x02u
#define FLAG_RST 0x04u
#define FLAG_ACK 0x10u
#define OPENING_FLAGS (FLAG_FIN | FLAG_SYN | FLAG_RST | FLAG_ACK)

#define NUMBER_ICMP 1
#define NUMBER_TCP 6
#define NUMBER_ICMPV6 58

struct way_through {
	struct packet_space *space;
	const struct traverse_input *input;
	struct journey *journey;
	struct table_walk walk;
	uint32_t rewritten; /* perhaps, before they were routed: as sent */
};

/* ---- what can arrive ---- */

/*
 * Types that conntrack leaves alone: nf_conntrack_icmpv6_error() of net/netfilter/nf_conntrack_proto_icmpv6.c; the discovery
 * of multicast routers only since Linux 6.9.
 */
static const struct {
	uint8_t type;
	bool always;
} untracked_icmpv6[] = {
	{130, true}, {131, true}, {132, true}, {133, true}, {134, true},
	{135, true}, {136, true}, {143, true}, {151, false}, {152, false},
};

/*
 * Types that begin something: valid_new of nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c. All others are INVALID by
 * themselves, and RELATED or ESTABLISHED where they belong to a connection.
 */
static const uint8_t beginning_icmp[] = {8, 13, 15, 17}, beginning_icmpv6[] = {128, 139};

struct icmp_types {
	uint8_t protocol;
	const uint8_t *types;
	size_t count;
};

static struct icmp_types beginning_types(enum family family)
{
	if (family == FAMILY_IPV4)
		return (struct icmp_types){NUMBER_ICMP, beginning_icmp, sizeof beginning_icmp};
	return (struct icmp_types){NUMBER_ICMPV6, beginning_icmpv6, sizeof beginning_icmpv6};
}

static void mention_icmp_type(struct packet_space *space, uint8_t type)
{
	packet_space_mention(space, FIELD_ICMP, (addr_number)type << 8, (addr_number)type << 8 | 0xff);
}

static uint32_t of_icmp_type(struct packet_space *space, uint8_t type)
{
	return packets_range(space, FIELD_ICMP, (addr_number)type << 8, (addr_number)type << 8 | 0xff);
}

/* Multicasts of which nobody else may be a member: of scope 0, which is reserved, and of this interface alone (RFC 4291, 2.7). */
#define MULTICAST_FLAGS 16

static struct addr_range multicasts_within(unsigned flags)
{
	struct prefix prefix = {{FAMILY_IPV6, {0xff, (uint8_t)(flags << 4)}}, 15};

	return prefix_to_range(&prefix);
}

void traverse_mention(struct packet_space *space)
{
	struct icmp_types beginning = beginning_types(space->family);

	packet_space_mention(space, FIELD_PROTOCOL, NUMBER_TCP, NUMBER_TCP);
	packet_space_mention(space, FIELD_PROTOCOL, beginning.protocol, beginning.protocol);
	for (size_t i = 0; i < beginning.count; i++)
		mention_icmp_type(space, beginning.types[i]);
	for (unsigned flags = 0; space->family == FAMILY_IPV6 && flags < MULTICAST_FLAGS; flags++) {
		struct addr_range range = multicasts_within(flags);

		packet_space_mention(space, FIELD_DST, range.lo, range.hi);
	}
	for (size_t i = 0; space->family == FAMILY_IPV6 && i < sizeof untracked_icmpv6 / sizeof *untracked_icmpv6; i++)
		mention_icmp_type(space, untracked_icmpv6[i].type);
}

/* ip6_rcv_core() of net/ipv6/ip6_input.c drops these before any rule sees them, unless they come by the loopback. */
uint32_t traverse_entering(struct packet_space *space, const char *in, uint32_t packets)
{
	static const struct addr loopback = {FAMILY_IPV6, {[15] = 1}};
	static const struct prefix multicast = {{FAMILY_IPV6, {0xff}}, 8};
	struct addr_range range = prefix_to_range(&multicast);
	addr_number own = addr_to_number(&loopback);

	if (space->family != FAMILY_IPV6)
		return packets;
	packets = packets_minus(space, packets, packets_range(space, FIELD_SRC, range.lo, range.hi));
	if (strcmp(in, "lo") == 0)
		return packets;
	for (unsigned flags = 0; flags < MULTICAST_FLAGS; flags++) {
		range = multicasts_within(flags);
		packets = packets_minus(space, packets, packets_range(space, FIELD_DST, range.lo, range.hi));
	}
	packets = packets_minus(space, packets, packets_range(space, FIELD_SRC, own, own));
	return packets_minus(space, packets, packets_range(space, FIELD_DST, own, own));
}

/*
 * Marks belong to the host, and those of connections are zero until some rule sets them. What a tunnel has unpacked may keep that of
 * its outer packet (skb_scrub_packet() of net/core/skbuff.c clears it only between network namespaces; WireGuard always does):
 * who concludes something from this says so.
 */
uint32_t traverse_arriving(struct packet_space *space, const struct places *places)
{
	uint32_t marked = packets_and(space, packets_masked(space, FIELD_MARK, UINT32_MAX, 0),
				      packets_masked(space, FIELD_CONNMARK, UINT32_MAX, 0));

	return packets_and(space, places_as_sent(space, places), marked);
}

/* ---- tables ---- */

static void add_to(struct packet_space *space, uint32_t *set, uint32_t packets)
{
	*set = packets_or(space, *set, packets);
}

/* What the table lets go on. */
static uint32_t pass_table(struct way_through *way, enum table_id table, enum hook hook, uint32_t packets)
{
	enum passage passage = way->walk.vantage.translated ? PASSAGE_TRANSLATED : PASSAGE_AS_SENT;

	table_walk_pass(&way->walk, table, hook, packets);
	add_to(way->space, &way->journey->dropped[passage], packets_forget_marks(way->space, way->walk.dropped));
	return way->walk.accepted;
}

static uint32_t pass_filter(struct way_through *way, enum hook hook, uint32_t packets)
{
	if (way->input->scope == TRAVERSE_OWN_TABLES)
		return packets_forget_marks(way->space, packets);
	return pass_table(way, TABLE_FILTER, hook, packets);
}

/*
 * iptables-nft has nat's INPUT before security's, so that what SNAT made of a source shows there; the legacy tables have it
 * behind (NF_IP_PRI_NAT_SRC and NF_IP_PRI_SECURITY of linux/netfilter_ipv4.h; nft_ipv4_chains of iptables' nft.c).
 */
static uint32_t pass_security_input(struct way_through *way, uint32_t packets)
{
	uint32_t kept = packets, moved;

	if (!way->input->nat_first || way->walk.vantage.tracking != TRACKING_NEW)
		return pass_table(way, TABLE_SECURITY, HOOK_INPUT, packets);
	if (way->input->scope == TRAVERSE_OWN_TABLES) {
		moved = packets;
	} else {
		kept = pass_table(way, TABLE_NAT, HOOK_INPUT, packets);
		moved = way->walk.resourced;
	}
	kept = pass_table(way, TABLE_SECURITY, HOOK_INPUT, kept);
	way->walk.vantage.resourced = true;
	add_to(way->space, &kept, pass_table(way, TABLE_SECURITY, HOOK_INPUT, moved));
	way->walk.vantage.resourced = false;
	return kept;
}

static uint32_t pass_input(struct way_through *way, uint32_t packets)
{
	packets = pass_table(way, TABLE_MANGLE, HOOK_INPUT, packets);
	return pass_security_input(way, pass_filter(way, HOOK_INPUT, packets));
}

static uint32_t pass_forward(struct way_through *way, uint32_t packets)
{
	packets = pass_table(way, TABLE_MANGLE, HOOK_FORWARD, packets);
	packets = pass_table(way, TABLE_SECURITY, HOOK_FORWARD, pass_filter(way, HOOK_FORWARD, packets));
	return pass_table(way, TABLE_MANGLE, HOOK_POSTROUTING, packets);
}

/* From the routing decision on. */
static void pass_on(struct way_through *way, uint32_t packets, enum passage passage)
{
	struct packet_space *space = way->space;
	uint32_t host = packets_to_host(space), through;

	way->walk.vantage.translated = passage == PASSAGE_TRANSLATED;
	through = pass_input(way, packets_and(space, packets, host));
	add_to(space, &through, pass_forward(way, packets_minus(space, packets, host)));
	way->journey->accepted[passage] = packets_forget_marks(space, through);
}

/* Wherever it leads, and whether it gets through, is for that rule to say. */
static void end_rewritten(struct way_through *way)
{
	uint32_t packets = packets_forget_marks(way->space, way->rewritten);

	add_to(way->space, &way->journey->accepted[PASSAGE_AS_SENT], packets);
	add_to(way->space, &way->journey->dropped[PASSAGE_AS_SENT], packets);
}

/* ---- the way ---- */

/* By every kernel, or by some. */
static uint32_t never_tracked(struct packet_space *space, bool by_all)
{
	uint32_t packets = DIAGRAM_NONE;

	if (space->family != FAMILY_IPV6)
		return packets;
	for (size_t i = 0; i < sizeof untracked_icmpv6 / sizeof *untracked_icmpv6; i++)
		if (untracked_icmpv6[i].always || !by_all)
			packets = packets_or(space, packets, of_icmp_type(space, untracked_icmpv6[i].type));
	return packets_and(space, packets, packets_range(space, FIELD_PROTOCOL, NUMBER_ICMPV6, NUMBER_ICMPV6));
}

uint32_t traverse_never_new(struct packet_space *space)
{
	struct icmp_types beginning = beginning_types(space->family);
	uint32_t packets = packets_range(space, FIELD_PROTOCOL, beginning.protocol, beginning.protocol);

	for (size_t i = 0; i < beginning.count; i++)
		packets = packets_minus(space, packets, of_icmp_type(space, beginning.types[i]));
	return packets_minus(space, packets, never_tracked(space, false));
}

/* tcp_new() of nf_conntrack_proto_tcp.c: a SYN begins a connection, and an ACK takes up one that was not seen to begin. */
static uint32_t cannot_begin(struct packet_space *space)
{
	uint32_t syn = packets_masked(space, FIELD_FLAGS, OPENING_FLAGS, FLAG_SYN);
	uint32_t ack = packets_masked(space, FIELD_FLAGS, OPENING_FLAGS, FLAG_ACK);

	uint32_t tcp = packets_range(space, FIELD_PROTOCOL, NUMBER_TCP, NUMBER_TCP);

	return packets_or(space, traverse_never_new(space), packets_minus(space, tcp, packets_or(space, syn, ack)));
}

/* Of what has passed raw, the packets of the state. */
static uint32_t of_state(const struct way_through *way, uint32_t packets)
{
	struct packet_space *space = way->space;
	if (way->input->tracking == TRACKING_UNTRACKED)
		return packets_and(space, packets,
				   packets_or(space, way->walk.vantage.untracked, never_tracked(space, false)));
	if (way->input->tracking == TRACKING_NEW)
		packets = packets_minus(space, packets, cannot_begin(space));
	packets = packets_minus(space, packets, way->walk.vantage.surely_untracked);
	return packets_minus(space, packets, never_tracked(space, true));
}

/* What DNAT has made, as it may be routed; nothing if nothing was translated. */
static uint32_t pass_nat(struct way_through *way, uint32_t *packets)
{
	struct packet_space *space = way->space;
	uint32_t made;

	if (way->input->tracking != TRACKING_NEW)
		return DIAGRAM_NONE;
	if (way->input->scope == TRAVERSE_OWN_TABLES)
		return packets_forget(space, packets_forget_marks(space, *packets), FIELD_BIT(FIELD_OUT));
	*packets = pass_table(way, TABLE_NAT, HOOK_PREROUTING, *packets);
	made = way->walk.translated;
	return made == DIAGRAM_NONE ? made : packets_and(space, made, places_as_made(space, way->input->places));
}

void traverse(struct journey *out, struct packet_space *space, const struct traverse_input *input)
{
	struct way_through way = {
		.space = space, .input = input, .journey = out,
		.walk = {.space = space, .ruleset = input->ruleset, .events = &out->events, .visitor = input->visitor,
			 .vantage = {.in = input->in, .tracking = input->tracking, .before_tracking = true,
				     .legacy = !input->nat_first, .places = input->places}},
	};
	uint32_t packets = traverse_entering(space, input->in, input->arriving), made;

	BUG_ON(input->tracking == TRACKING_ESTABLISHED || input->tracking == TRACKING_RELATED);
	*out = (struct journey){0};
	if (input->scope == TRAVERSE_ALL)
		packets = pass_table(&way, TABLE_RAW, HOOK_PREROUTING, packets);
	else
		way.walk.vantage.untracked = packets;
	packets = of_state(&way, packets);
	way.rewritten = of_state(&way, way.walk.rewritten);
	way.walk.vantage.before_tracking = false;
	packets = pass_table(&way, TABLE_MANGLE, HOOK_PREROUTING, packets);
	add_to(space, &way.rewritten, way.walk.rewritten);
	made = pass_nat(&way, &packets);
	pass_on(&way, packets, PASSAGE_AS_SENT);
	pass_on(&way, made, PASSAGE_TRANSLATED);
	end_rewritten(&way);
	out->steps = way.walk.steps;
	out->gave_up = way.walk.gave_up;
}

uint32_t journey_anyhow(struct packet_space *space, const uint32_t packets[PASSAGE_COUNT], enum passage passage)
{
	uint32_t other = packets[passage == PASSAGE_AS_SENT ? PASSAGE_TRANSLATED : PASSAGE_AS_SENT];

	return packets_or(space, packets[passage], packets_forget(space, other, FIELDS_WAY));
}

uint32_t journey_certain(struct packet_space *space, const struct journey *journey, enum passage passage)
{
	return packets_minus(space, journey->accepted[passage], journey_anyhow(space, journey->dropped, passage));
}

void journey_join(struct packet_space *space, struct journey *out, const struct journey *other)
{
	for (int passage = 0; passage < PASSAGE_COUNT; passage++) {
		add_to(space, &out->accepted[passage], other->accepted[passage]);
		add_to(space, &out->dropped[passage], other->dropped[passage]);
	}
	vec_each(event, &other->events.items)
		vec_push(space->arena, &out->events.items, *event);
	out->steps += other->steps;
	out->gave_up |= other->gave_up;
}
