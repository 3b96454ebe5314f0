#include "watch_report.h"

#include <peerwall/report.h>

#include <string.h>

#define WATCH_JSON_VERSION 1

static json_t *address_json(const struct addr_bounds *bounds)
{
	struct strbuf text = STRBUF_EMPTY;

	packet_describe_bounds(&text, bounds);
	return json_buffer(&text);
}

static json_t *header_json(const struct nft_header *header)
{
	const struct packet *packet = header ? &header->packet : NULL;
	bool ports = packet && packet_has_ports(packet);
	struct strbuf service = STRBUF_EMPTY, flags = STRBUF_EMPTY;
	json_t *object;

	if (!packet)
		return json_null();
	object = json_object();
	packet_describe_service(&service, packet);
	packet_describe_flags(&flags, packet->tcp_flags);
	json_object_set_new(object, "interface", json_cstring(packet->in));
	json_object_set_new(object, "outInterface", json_cstring(header->out));
	json_object_set_new(object, "source", address_json(&packet->source));
	json_object_set_new(object, "destination", address_json(&packet->destination));
	json_object_set_new(object, "protocol", json_integer(packet->protocol));
	json_object_set_new(object, "service", json_buffer(&service));
	json_object_set_new(object, "sourcePort", ports ? json_integer(packet->source_port.lo) : json_null());
	json_object_set_new(object, "destinationPort", ports ? json_integer(packet->destination_port.lo) : json_null());
	json_object_set_new(object, "tcpFlags", packet->has_flags ? json_buffer(&flags) : json_null());
	strbuf_free(&flags);
	return object;
}

static void set_place(json_t *object, const struct watch_report *report, struct span span)
{
	struct report_place place;
	bool found = report_place_find(report->sources, span, &place);

	json_object_set_new(object, "file", found ? json_cstring(place.source->name) : json_null());
	json_object_set_new(object, "line", found ? json_integer(place.line) : json_null());
}

static json_t *rules_json(const struct watch_report *report, const struct traced_step *step)
{
	enum family family = strcmp(step->event->family, "ip") == 0 ? FAMILY_IPV4 : FAMILY_IPV6;
	json_t *rules = json_array();

	vec_each(named, &step->rules) {
		json_t *object = json_object();

		json_object_set_new(object, "position", json_integer(named->number));
		json_object_set_new(object, "rule", json_cstring(report_rule_text(named->rule, family, report->arena)));
		set_place(object, report, named->rule->span);
		json_array_append_new(rules, object);
	}
	return rules;
}

static json_t *step_json(const struct watch_report *report, const struct traced_step *step)
{
	static const char *const kinds[] = {"packet", "rule", "return", "policy", "passed", "vanished", "end"};
	static const char *const namings[] = {"untried", "missing", "one-of", "likely", "certain"};
	const struct nft_event *event = step->event;
	bool verdict = event->kind == NFT_EVENT_RULE || event->kind == NFT_EVENT_RETURN || event->kind == NFT_EVENT_POLICY;
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string(kinds[event->kind]));
	json_object_set_new(object, "family", json_cstring(event->family));
	json_object_set_new(object, "table", *event->table ? json_cstring(event->table) : json_null());
	json_object_set_new(object, "chain", json_cstring(event->chain));
	json_object_set_new(object, "hook", step->has_hook ? json_string(hook_names[step->hook]) : json_null());
	json_object_set_new(object, "verdict", verdict ? json_string(nft_verdict_names[event->verdict]) : json_null());
	json_object_set_new(object, "target", json_cstring(event->target));
	json_object_set_new(object, "nft", json_cstring(event->rule));
	json_object_set_new(object, "handle", event->handle ? json_integer((json_int_t)event->handle) : json_null());
	json_object_set_new(object, "naming", event->kind == NFT_EVENT_RULE || step->rules.len ? json_string(namings[step->naming])
												 : json_null());
	json_object_set_new(object, "rules", rules_json(report, step));
	json_object_set_new(object, "packet", header_json(event->kind == NFT_EVENT_PACKET || event->kind == NFT_EVENT_PASSED ? step->header : NULL));
	set_place(object, report, event->span);
	return object;
}

static json_t *index_json(const struct traced_packet *packet, const struct traced_step *step)
{
	return step ? json_integer((json_int_t)(step - packet->steps.data)) : json_null();
}

void watch_write_json(struct strbuf *out, const struct watch_report *report)
{
	static const char *const fates[TRACED_FATE_COUNT] = {"accepted", "dropped", "rejected", "queued", "unknown"};
	const struct traced_packet *packet = report->packet;
	json_t *root = json_object(), *steps = json_array();
	struct strbuf sentence = STRBUF_EMPTY, id = STRBUF_EMPTY;

	vec_each(step, &packet->steps)
		json_array_append_new(steps, step_json(report, step));
	watch_write_sentence(&sentence, report);
	strbuf_addf(&id, "%08x", packet->id);
	json_object_set_new(root, "version", json_integer(WATCH_JSON_VERSION));
	json_object_set_new(root, "number", json_integer((json_int_t)report->number));
	json_object_set_new(root, "id", json_buffer(&id));
	json_object_set_new(root, "packet", header_json(packet->first));
	json_object_set_new(root, "verdict", json_string(fates[packet->fate]));
	json_object_set_new(root, "sentence", json_buffer(&sentence));
	json_object_set_new(root, "gaps", json_boolean(packet->gaps));
	json_object_set_new(root, "toHost", json_boolean(packet->to_host));
	json_object_set_new(root, "forwarded", json_boolean(packet->forwarded));
	json_object_set_new(root, "decisiveStep", index_json(packet, packet->decisive));
	json_object_set_new(root, "translationStep", index_json(packet, packet->translation));
	json_object_set_new(root, "steps", steps);
	json_print_line(out, root);
}
