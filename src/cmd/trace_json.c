#include "trace_report.h"

#include <peerwall/report.h>

#define TRACE_JSON_VERSION 1

static json_t *bounds_json(const struct addr_bounds *bounds)
{
	struct strbuf text = STRBUF_EMPTY;

	packet_describe_bounds(&text, bounds);
	return json_buffer(&text);
}

static json_t *port_json(const struct packet *packet, const struct port_range *port)
{
	return packet_has_ports(packet) && port->lo == port->hi ? json_integer(port->lo) : json_null();
}

static json_t *packet_json(const struct packet *packet)
{
	json_t *object = json_object();
	struct strbuf service = STRBUF_EMPTY;

	packet_describe_service(&service, packet);
	json_object_set_new(object, "interface", json_cstring(packet->in));
	json_object_set_new(object, "source", bounds_json(&packet->source));
	json_object_set_new(object, "destination", bounds_json(&packet->destination));
	json_object_set_new(object, "protocol", json_integer(packet->protocol));
	json_object_set_new(object, "service", json_buffer(&service));
	json_object_set_new(object, "sourcePort", port_json(packet, &packet->source_port));
	json_object_set_new(object, "destinationPort", port_json(packet, &packet->destination_port));
	json_object_set_new(object, "state", json_string(packet_state_names[packet->state]));
	return object;
}

static void set_place(json_t *object, const struct trace_report *report, const struct rule *rule)
{
	struct report_place place;
	bool found = rule && report_place_find(report->sources, rule->span, &place);

	json_object_set_new(object, "file", found ? json_cstring(place.source->name) : json_null());
	json_object_set_new(object, "line", found ? json_integer(place.line) : json_null());
}

static json_t *step_json(const struct trace_report *report, const struct trace_step *step)
{
	static const char *const kinds[] = {"rule", "policy", "conntrack", "route", "supposed", "end"};
	bool in_chain = step->chain != NULL;
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string(kinds[step->kind]));
	json_object_set_new(object, "hook", json_string(hook_names[step->hook]));
	json_object_set_new(object, "table", in_chain ? json_string(table_names[step->table]) : json_null());
	json_object_set_new(object, "chain", in_chain ? json_cstring(step->chain->name) : json_null());
	json_object_set_new(object, "position", step->rule ? json_integer(step->number) : json_null());
	json_object_set_new(object, "rule", step->rule ? json_cstring(trace_rule_text(report, step->rule)) : json_null());
	set_place(object, report, step->rule);
	json_object_set_new(object, "matched", json_boolean(step->matched));
	json_object_set_new(object, "supposed", json_boolean(step->supposed));
	json_object_set_new(object, "harmless", json_boolean(step->harmless));
	json_object_set_new(object, "reason", json_cstring(step->why));
	json_object_set_new(object, "effect", json_cstring(step->text));
	json_object_set_new(object, "packet", packet_json(&step->packet));
	json_object_set_new(object, "mark", json_integer(step->mark.value & ~step->mark.unknown));
	return object;
}

static const char *const fate_names[FATE_COUNT] = {"accepted", "dropped", "rejected", "undecided"};

static json_t *path_json(const struct trace_report *report, const struct trace_path *path)
{
	json_t *object = json_object(), *steps = json_array();

	vec_each(step, &path->steps)
		json_array_append_new(steps, step_json(report, step));
	json_object_set_new(object, "verdict", json_string(fate_names[path->fate]));
	json_object_set_new(object, "forwarded", json_boolean(path->forwarded));
	json_object_set_new(object, "outInterface", json_cstring(path->out));
	json_object_set_new(object, "packet", packet_json(&path->packet));
	json_object_set_new(object, "decisiveStep", json_integer((json_int_t)path->decisive));
	json_object_set_new(object, "steps", steps);
	return object;
}

void trace_write_json(struct strbuf *out, const struct trace_report *report)
{
	json_t *root = json_object(), *paths = json_array(), *assumptions = json_array();
	struct strbuf sentence = STRBUF_EMPTY;

	vec_each(path, &report->trace->paths)
		json_array_append_new(paths, path_json(report, path));
	vec_each(assumption, &report->trace->assumptions)
		json_array_append_new(assumptions, json_cstring(*assumption));
	trace_write_sentence(&sentence, report);
	json_object_set_new(root, "version", json_integer(TRACE_JSON_VERSION));
	json_object_set_new(root, "packet", packet_json(report->packet));
	json_object_set_new(root, "verdict", json_string(fate_names[trace_fate(report->trace)]));
	json_object_set_new(root, "sentence", json_buffer(&sentence));
	json_object_set_new(root, "assumptions", assumptions);
	json_object_set_new(root, "truncated", json_boolean(report->trace->truncated));
	json_object_set_new(root, "paths", paths);
	json_object_set_new(root, "exitCode", json_integer(report->exit_code));
	json_print(out, root);
}
