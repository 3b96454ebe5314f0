/* Events put together into packets, and what became of each. */
#include "traced_naming.h"

#include <string.h>

/* ---- which packet an event belongs to ---- */

/* A packet that is still on its way. */
struct open_packet {
	struct traced_packet *packet;
	bool ended;      /* dropped */
	unsigned stage;  /* of the base chain it is in */
};

struct collector {
	struct arena *arena;
	struct traced_list *out;
	struct intern ids; /* by number: places in `open` */
	VEC(struct open_packet) open;
};

/* A packet never goes back to an earlier stage: then it is the next one that got the same number. */
static unsigned stage_of(enum hook hook)
{
	switch (hook) {
	case HOOK_PREROUTING:
	case HOOK_OUTPUT:
		return 1;
	case HOOK_INPUT:
	case HOOK_FORWARD:
		return 2;
	default:
		return 3;
	}
}

static bool find_hook(const struct nft_event *event, enum hook *out)
{
	for (int i = 0; i < HOOK_COUNT; i++)
		if (strcmp(event->chain, hook_names[i]) == 0) {
			*out = (enum hook)i;
			return true;
		}
	return false;
}

static bool same_place(const struct nft_event *a, const struct nft_event *b)
{
	return strcmp(a->family, b->family) == 0 && strcmp(a->table, b->table) == 0 && strcmp(a->chain, b->chain) == 0;
}

static bool was_there(const struct traced_packet *packet, const struct nft_event *event)
{
	vec_each(step, &packet->steps)
		if (step->event->kind == NFT_EVENT_PACKET && same_place(step->event, event))
			return true;
	return false;
}

/* Numbers come again. */
static bool begins_anew(const struct open_packet *open, const struct nft_event *event)
{
	enum hook hook;

	if (open->ended)
		return true;
	if (event->kind != NFT_EVENT_PACKET)
		return false;
	return (find_hook(event, &hook) && stage_of(hook) < open->stage) || was_there(open->packet, event);
}

static struct open_packet *find_open(struct collector *collector, const struct nft_event *event)
{
	uint32_t number = intern_add(&collector->ids, (const char *)&event->id, sizeof event->id);
	struct open_packet *open;

	if (number == collector->open.len)
		vec_push(collector->arena, &collector->open, (struct open_packet){0});
	open = &collector->open.data[number];
	if (open->packet && !begins_anew(open, event))
		return open;
	*open = (struct open_packet){.packet = arena_zalloc(collector->arena, sizeof *open->packet)};
	open->packet->id = event->id;
	vec_push(collector->arena, &collector->out->items, open->packet);
	return open;
}

static void take_header(struct traced_packet *packet, const struct nft_header *header)
{
	if (!header->has_addresses)
		return;
	if (!packet->first)
		packet->first = header;
	packet->last = header;
	packet->has_family = true;
	packet->family = header->packet.family;
}

static void take_family(struct traced_packet *packet, const struct nft_event *event)
{
	if (packet->has_family || (strcmp(event->family, "ip") != 0 && strcmp(event->family, "ip6") != 0))
		return;
	packet->has_family = true;
	packet->family = strcmp(event->family, "ip") == 0 ? FAMILY_IPV4 : FAMILY_IPV6;
}

static void take_event(struct collector *collector, const struct nft_event *event)
{
	struct open_packet *open = find_open(collector, event);
	enum hook hook;

	if (event->kind == NFT_EVENT_PACKET || event->kind == NFT_EVENT_PASSED) {
		take_header(open->packet, &event->header);
		if (event->kind == NFT_EVENT_PACKET && find_hook(event, &hook))
			open->stage = stage_of(hook);
	}
	take_family(open->packet, event);
	vec_push(collector->arena, &open->packet->steps,
		 (struct traced_step){.event = event, .header = open->packet->last});
	open->ended = (event->kind == NFT_EVENT_RULE || event->kind == NFT_EVENT_POLICY) && event->verdict == NFT_DROPS;
}

void traced_collect(struct traced_list *out, const struct nft_event_list *events, struct arena *arena)
{
	struct collector collector = {.arena = arena, .out = out};

	*out = (struct traced_list){0};
	intern_init(&collector.ids, arena);
	vec_each(event, &events->items)
		take_event(&collector, event);
}

/* ---- where each event happened ---- */

/* iptables-nft keeps its tables in these two families, under iptables' names. */
static bool is_iptables_table(const struct nft_event *event, enum table_id *out)
{
	return (strcmp(event->family, "ip") == 0 || strcmp(event->family, "ip6") == 0) &&
	       table_id_find(event->table, strlen(event->table), out);
}

static void place_steps(struct traced_packet *packet)
{
	bool has_hook = false;
	enum hook hook = HOOK_PREROUTING;
	const struct nft_event *base = NULL;

	vec_each(step, &packet->steps) {
		const struct nft_event *event = step->event;

		step->is_iptables = is_iptables_table(event, &step->table);
		if (event->kind == NFT_EVENT_PACKET || !base || strcmp(base->table, event->table) != 0 ||
		    strcmp(base->family, event->family) != 0) {
			base = event;
			has_hook = (step->is_iptables || !*event->table) && find_hook(event, &hook);
		}
		step->has_hook = has_hook;
		step->hook = hook;
		packet->to_host |= has_hook && hook == HOOK_INPUT;
		packet->forwarded |= has_hook && hook == HOOK_FORWARD;
	}
}

/* ---- the fate ---- */

static bool changes_destination(const struct nft_header *before, const struct nft_header *after)
{
	return before && after && (!addr_equal(&before->packet.destination.lo, &after->packet.destination.lo) ||
				   before->packet.destination_port.lo != after->packet.destination_port.lo);
}

/* The rule of nat behind which the packet has another destination. */
static void find_translation(struct traced_packet *packet)
{
	const struct traced_step *rule = NULL;

	vec_each(step, &packet->steps) {
		const struct nft_event *event = step->event;

		if (event->kind == NFT_EVENT_RULE && event->verdict == NFT_ACCEPTS && step->is_iptables && step->table == TABLE_NAT &&
		    step->has_hook && (step->hook == HOOK_PREROUTING || step->hook == HOOK_OUTPUT))
			rule = step;
	}
	if (rule && changes_destination(rule->header, packet->last))
		packet->translation = rule;
	vec_each(step, &packet->steps)
		if (step->event->kind == NFT_EVENT_PASSED && step > packet->steps.data && changes_destination(step[-1].header, step->header))
			packet->translation = step;
}

/* Rules and policies have verdicts. */
static bool has_verdict(const struct traced_step *step)
{
	return step->event->kind == NFT_EVENT_RULE || step->event->kind == NFT_EVENT_RETURN || step->event->kind == NFT_EVENT_POLICY;
}

static bool is_consent(const struct traced_step *step)
{
	return has_verdict(step) && step->event->verdict == NFT_ACCEPTS && step->is_iptables &&
	       step->table == TABLE_FILTER;
}

/*
 * Accepted where it was seen last. In PREROUTING that tells nothing of what comes after the route; where a chain of another
 * program's stands, only the chains of iptables before it tell.
 */
static bool ends_accepted(const struct traced_packet *packet)
{
	const struct traced_step *last = &packet->steps.data[packet->steps.len - 1];
	bool routed = false;

	vec_each(step, &packet->steps)
		routed |= step->has_hook && step->hook != HOOK_PREROUTING;
	return last->event->kind == NFT_EVENT_END || (routed && !packet->gaps && has_verdict(last) && last->event->verdict == NFT_ACCEPTS);
}

static void settle(struct traced_packet *packet, struct arena *arena)
{
	const struct traced_step *last = &packet->steps.data[packet->steps.len - 1];

	packet->fate = TRACED_LOST;
	find_translation(packet);
	if (last->event->kind == NFT_EVENT_VANISHED) {
		packet->fate = TRACED_DROPPED;
		packet->decisive = last;
	} else if (has_verdict(last) && last->event->verdict == NFT_DROPS) {
		packet->fate = traced_rejects(last, arena) ? TRACED_REJECTED : TRACED_DROPPED;
		packet->decisive = last;
	} else if (has_verdict(last) && last->event->verdict == NFT_QUEUES) {
		packet->fate = TRACED_QUEUED;
		packet->decisive = last;
	} else if (ends_accepted(packet)) {
		packet->fate = TRACED_ACCEPTED;
		vec_each(step, &packet->steps)
			packet->decisive = is_consent(step) ? step : packet->decisive;
	}
}

void traced_explain(struct traced_packet *packet, struct traced_rules *rules, struct arena *arena)
{
	place_steps(packet);
	traced_name(packet, rules, arena);
	settle(packet, arena);
}
