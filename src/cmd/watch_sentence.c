#include "watch_report.h"

#include <peerwall/lower.h>
#include <peerwall/report.h>

#include <string.h>

/* "iif a counter packets 3 bytes 180 accept" without the four words of the counter. */
const char *watch_nft_text(const struct watch_report *report, const struct traced_step *step)
{
	const char *text = step->event->rule, *counter = text ? strstr(text, "counter packets ") : NULL, *rest = counter;
	size_t before;

	if (!counter)
		return text;
	for (int word = 0; word < 5; word++)
		nft_word_next(&rest, text + strlen(text));
	before = (size_t)(counter - text);
	while (before > 0 && text[before - 1] == ' ')
		before--;
	return arena_printf(report->arena, "%.*s%s", (int)before, text, before ? rest : rest + strspn(rest, " "));
}

void watch_write_rules(struct strbuf *out, const struct watch_report *report, const struct traced_step *step)
{
	struct report_place place;

	strbuf_adds(out, step->rules.len > 1 ? "rules" : "rule");
	for (size_t i = 0; i < step->rules.len; i++) {
		const struct traced_rule *rule = &step->rules.data[i];

		strbuf_addf(out, "%s %u", i == 0 ? "" : i + 1 == step->rules.len ? " and" : ",", rule->number);
		if (report_place_find(report->sources, rule->rule->span, &place))
			strbuf_addf(out, " (%s:%u)", place.source->name, place.line);
	}
}

/* "filter DOCKER rule 2 (host.v4:21)", as well as it is known. */
static void name_step(struct strbuf *out, const struct watch_report *report, const struct traced_step *step)
{
	const struct nft_event *event = step->event;
	const char *prefix = step->is_iptables ? "" : arena_printf(report->arena, "%s ", event->family), *text, *interface;

	if (event->kind == NFT_EVENT_POLICY) {
		strbuf_addf(out, "the policy of %s%s %s", prefix, event->table, event->chain);
		return;
	}
	if (event->kind == NFT_EVENT_PASSED || event->kind == NFT_EVENT_VANISHED) {
		strbuf_addf(out, "%s %s", event->table, event->chain);
		return;
	}
	switch (step->naming) {
	case NAMING_CERTAIN:
	case NAMING_LIKELY:
		strbuf_addf(out, "%s%s %s ", prefix, event->table, event->chain);
		watch_write_rules(out, report, step);
		break;
	case NAMING_ONE_OF:
		strbuf_addf(out, "one of %s%s %s ", prefix, event->table, event->chain);
		watch_write_rules(out, report, step);
		break;
	case NAMING_MISSING:
	case NAMING_UNTRIED:
		text = watch_nft_text(report, step);
		strbuf_addf(out, "a rule of %s%s %s", prefix, event->table, event->chain);
		if (text)
			strbuf_addf(out, " (%s)", text);
	}
	interface = step->is_iptables ? own_chain_interface(report->arena, event->chain) : NULL;
	if (interface)
		strbuf_addf(out, ", peerwall's own for %s,", interface);
}

/* "10.1.1.4 reaches tcp 873 of 10.1.1.5", behind `before`. */
static void tell_who(struct strbuf *out, const struct watch_report *report, const char *before, bool reaches)
{
	const struct nft_header *first = report->packet->first;

	if (!first) {
		strbuf_addf(out, "%s packet whose header the trace does not show %s", *before ? "Whether a" : "A",
			    reaches ? "gets through" : "does not get through");
		return;
	}
	strbuf_adds(out, before);
	packet_describe_bounds(out, &first->packet.source);
	strbuf_adds(out, reaches ? " reaches " : " does not reach ");
	packet_describe_service(out, &first->packet);
	strbuf_adds(out, " of ");
	packet_describe_bounds(out, &first->packet.destination);
}

static bool destination_changes(const struct traced_packet *packet)
{
	return packet->first && (!addr_equal(&packet->first->packet.destination.lo, &packet->last->packet.destination.lo) ||
				 packet->first->packet.destination_port.lo != packet->last->packet.destination_port.lo);
}

static void tell_destination(struct strbuf *out, const struct traced_packet *packet)
{
	const struct packet *last = &packet->last->packet;

	packet_describe_bounds(out, &last->destination);
	if (packet_has_ports(last))
		strbuf_addf(out, " port %u", last->destination_port.lo);
}

static bool is_in_nat(const struct traced_step *step)
{
	return step->is_iptables && step->table == TABLE_NAT && step->has_hook && step->hook == HOOK_PREROUTING;
}

/* It was not led elsewhere: because a rule took it out of nat, or because none there was for it. */
static void tell_arrival(struct strbuf *out, const struct watch_report *report)
{
	const struct traced_step *leaves = NULL;
	bool was_in_nat = false;

	vec_each(step, &report->packet->steps) {
		was_in_nat |= is_in_nat(step);
		if (is_in_nat(step) && step->event->kind != NFT_EVENT_PACKET && step->event->verdict == NFT_RETURNS &&
		    strcmp(step->event->chain, hook_names[HOOK_PREROUTING]) == 0)
			leaves = step;
	}
	if (leaves) {
		name_step(out, report, leaves);
		strbuf_adds(out, " takes it out of nat before anything there leads it elsewhere, so it is for this host");
	} else {
		strbuf_adds(out, was_in_nat ? "nothing in nat leads it elsewhere, so it is for this host" : "it is for this host");
	}
}

/* How it came to where its fate was settled. */
static void tell_way(struct strbuf *out, const struct watch_report *report)
{
	const struct traced_packet *packet = report->packet;
	const char *by = packet->forwarded && packet->last ? packet->last->out : NULL;

	if (packet->translation) {
		name_step(out, report, packet->translation);
		strbuf_adds(out, " leads it to ");
		tell_destination(out, packet);
	} else if (destination_changes(packet)) {
		strbuf_adds(out, "its connection leads to ");
		tell_destination(out, packet);
	} else if (packet->to_host) {
		tell_arrival(out, report);
	} else if (packet->forwarded) {
		strbuf_adds(out, "it is forwarded");
	} else if (packet->first && !packet->first->packet.in) {
		strbuf_adds(out, "this host sends it");
	} else {
		strbuf_adds(out, "it arrives");
	}
	if (by)
		strbuf_addf(out, " by %s", by);
	if (packet->forwarded && destination_changes(packet))
		strbuf_adds(out, ", past INPUT");
}

static void tell_acceptance(struct strbuf *out, const struct watch_report *report)
{
	tell_who(out, report, "", true);
	strbuf_adds(out, ": ");
	tell_way(out, report);
	strbuf_adds(out, ", and ");
	if (report->packet->decisive) {
		name_step(out, report, report->packet->decisive);
		strbuf_adds(out, " accepts it");
	} else {
		strbuf_adds(out, "nothing in the trace refuses it");
	}
}

static void tell_refusal(struct strbuf *out, const struct watch_report *report, const char *verb)
{
	tell_who(out, report, "", false);
	strbuf_adds(out, ": ");
	tell_way(out, report);
	strbuf_adds(out, ", and ");
	name_step(out, report, report->packet->decisive);
	strbuf_addf(out, " %s it", verb);
}

static void tell_loss(struct strbuf *out, const struct watch_report *report)
{
	const struct traced_packet *packet = report->packet;
	const struct traced_step *last = &packet->steps.data[packet->steps.len - 1];

	tell_who(out, report, "Whether ", true);
	if (packet->gaps) {
		strbuf_adds(out, ", the trace does not tell: a part of it was lost");
		return;
	}
	strbuf_adds(out, ", the trace does not tell: it ends in ");
	if (*last->event->table)
		strbuf_addf(out, "%s%s%s ", last->is_iptables ? "" : last->event->family, last->is_iptables ? "" : " ", last->event->table);
	strbuf_adds(out, last->event->chain);
	if (last->has_hook && last->hook == HOOK_PREROUTING && last->event->kind != NFT_EVENT_RULE)
		strbuf_adds(out, ", and no rule behind the routing decision has seen it");
}

void watch_write_sentence(struct strbuf *out, const struct watch_report *report)
{
	switch (report->packet->fate) {
	case TRACED_ACCEPTED:
		tell_acceptance(out, report);
		return;
	case TRACED_DROPPED:
		tell_refusal(out, report, report->packet->decisive->event->kind == NFT_EVENT_VANISHED ? "ends" : "drops");
		return;
	case TRACED_REJECTED:
		tell_refusal(out, report, "rejects");
		return;
	case TRACED_QUEUED:
		tell_who(out, report, "Whether ", true);
		strbuf_adds(out, ", a program decides: ");
		name_step(out, report, report->packet->decisive);
		strbuf_adds(out, " hands it over");
		return;
	case TRACED_LOST:
		tell_loss(out, report);
		return;
	}
}
