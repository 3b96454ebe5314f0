#include "reach_report.h"

#include <peerwall/match_codec.h>
#include <peerwall/report.h>

#define REACH_JSON_VERSION 1

struct json_writer {
	const struct reach_report *report;
	struct reach_family *family;
	struct packet_space *space;
};

/* ---- sets ---- */

/* Null where it is all that there can be. */
static json_t *prefixes_json(struct json_writer *writer, uint32_t addresses, enum field field)
{
	struct prefix_list prefixes = {0};
	struct addr_set set;
	json_t *array;

	if (addresses == DIAGRAM_ALL)
		return json_null();
	array = json_array();
	packets_values(&set, writer->space, addresses, field);
	addr_set_prefixes(writer->report->arena, &set, &prefixes);
	vec_each(prefix, &prefixes.items) {
		char text[PREFIX_TEXT_MAX];

		prefix_format(prefix, text);
		json_array_append_new(array, json_string(text));
	}
	return array;
}

static json_t *range_json(unsigned first, unsigned last)
{
	json_t *object = json_object();

	json_object_set_new(object, "first", json_integer(first));
	json_object_set_new(object, "last", json_integer(last));
	return object;
}

static json_t *ports_json(struct json_writer *writer, uint32_t ports)
{
	json_t *array = json_array();
	struct addr_set set;

	packets_values(&set, writer->space, ports, FIELD_NEW_DPORT);
	vec_each(range, &set.ranges)
		json_array_append_new(array, range_json((unsigned)range->lo, (unsigned)range->hi));
	return array;
}

static json_t *service_json(const struct exposure_service *service)
{
	json_t *object = json_object();
	bool one = service->protocol_lo == service->protocol_hi;

	json_object_set_new(object, "protocols", range_json(service->protocol_lo, service->protocol_hi));
	json_object_set_new(object, "name", json_cstring(one ? protocol_name(service->protocol_lo) : NULL));
	json_object_set_new(object, "ports", service->has_ports ? range_json(service->lo, service->hi) : json_null());
	json_object_set_new(object, "icmp", service->has_icmp ? range_json(service->lo, service->hi) : json_null());
	return object;
}

static json_t *services_json(struct json_writer *writer, uint32_t services)
{
	struct exposure_services list;
	json_t *array;

	if (services == DIAGRAM_ALL)
		return json_null();
	array = json_array();
	exposure_list_services(&list, writer->space, services);
	vec_each(service, &list.items)
		json_array_append_new(array, service_json(service));
	return array;
}

static json_t *types_json(struct json_writer *writer, uint32_t types)
{
	static const char *const names[TYPE_COUNT] = {
		[TYPE_UNICAST] = "unicast", [TYPE_LOCAL] = "local", [TYPE_BROADCAST] = "broadcast",
		[TYPE_ANYCAST] = "anycast", [TYPE_MULTICAST] = "multicast",
	};
	json_t *array = json_array();

	for (int type = 0; type < TYPE_COUNT; type++)
		if (packets_and(writer->space, types, packets_of_type(writer->space, (enum destination_type)type)) !=
		    DIAGRAM_NONE)
			json_array_append_new(array, json_string(names[type]));
	return array;
}

static json_t *interface_json(struct json_writer *writer, const char *name)
{
	struct strbuf text = STRBUF_EMPTY;

	exposure_add_interface(&text, writer->space, name);
	return json_buffer(&text);
}

/* None where it ends at this host. */
static json_t *outs_json(struct json_writer *writer, uint32_t outs)
{
	struct packet_space *space = writer->space;
	json_t *array = json_array();
	struct addr_set set;

	packets_values(&set, space, outs, FIELD_OUT);
	vec_each(range, &set.ranges)
		for (size_t i = (size_t)range->lo; i <= range->hi; i++)
			if (i != OUT_HOST)
				json_array_append_new(array, interface_json(writer, space->outs.data[i]));
	return array;
}

/* ---- rows ---- */

static json_t *rule_json(struct json_writer *writer, const struct reach_rule *rule)
{
	json_t *object = json_object();
	struct report_place place;
	bool found = report_place_find(writer->report->sources, rule->rule->span, &place);

	json_object_set_new(object, "table", json_string(table_names[rule->table]));
	json_object_set_new(object, "chain", json_cstring(rule->chain->name));
	json_object_set_new(object, "position", json_integer(rule->number));
	json_object_set_new(object, "rule", json_cstring(report_rule_text(rule->rule, writer->space->family, writer->report->arena)));
	json_object_set_new(object, "file", found ? json_cstring(place.source->name) : json_null());
	json_object_set_new(object, "line", found ? json_integer(place.line) : json_null());
	return object;
}

static json_t *rules_json(struct json_writer *writer, const struct reach_rules *rules)
{
	json_t *object = json_object(), *array = json_array();

	vec_each(rule, &rules->items)
		json_array_append_new(array, rule_json(writer, rule));
	json_object_set_new(object, "rules", array);
	json_object_set_new(object, "more", json_integer((json_int_t)rules->more));
	return object;
}

static json_t *limits_json(const struct reach_row *row)
{
	static const struct { enum field field; const char *name; } limits[] = {
		{FIELD_SPORT, "sourcePort"}, {FIELD_FLAGS, "flags"}, {FIELD_HOPS, "hopLimit"},
	};
	json_t *array = json_array();

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		if (row->partial_by & FIELD_BIT(limits[i].field))
			json_array_append_new(array, json_string(limits[i].name));
	return array;
}

static void set_end(json_t *object, struct json_writer *writer, const struct reach_row *row)
{
	static const char *const ends[] = {
		[EXPOSURE_HOST] = "host", [EXPOSURE_FORWARDED] = "forwarded", [EXPOSURE_TRANSLATED] = "translated",
	};
	const struct exposure_row *what = &row->what;
	bool translated = what->kind == EXPOSURE_TRANSLATED;
	bool ports = translated && !what->port_kept;

	json_object_set_new(object, "end", json_string(ends[what->kind]));
	json_object_set_new(object, "outInterfaces", outs_json(writer, what->outs));
	json_object_set_new(object, "targets", translated ? prefixes_json(writer, what->targets, FIELD_NEW_DST) : json_null());
	json_object_set_new(object, "targetPorts", ports ? ports_json(writer, what->target_ports) : json_null());
	json_object_set_new(object, "translatedBy", rules_json(writer, &row->translations));
}

static json_t *row_json(struct json_writer *writer, const struct reach_interfaces *group, const struct reach_row *row)
{
	const struct exposure_row *what = &row->what;
	struct reach_witness found = reach_find_witness(&writer->family->reach, group, row);
	struct strbuf witness = STRBUF_EMPTY;
	json_t *object = json_object();

	reach_add_witness(&witness, &found.packet);
	json_object_set_new(object, "sources", prefixes_json(writer, what->sources, FIELD_SRC));
	json_object_set_new(object, "peers",
			    json_cstring(reach_peers_name(&writer->family->reach, &writer->family->input, what->sources)));
	json_object_set_new(object, "services", services_json(writer, what->services));
	json_object_set_new(object, "destinationTypes", types_json(writer, what->types));
	json_object_set_new(object, "destinations", prefixes_json(writer, what->destinations, FIELD_DST));
	set_end(object, writer, row);
	json_object_set_new(object, "certain", json_boolean(what->certain));
	json_object_set_new(object, "dependsOn", rules_json(writer, &row->blurs));
	json_object_set_new(object, "partial", json_boolean(row->partial));
	json_object_set_new(object, "partialBy", limits_json(row));
	json_object_set_new(object, "witness", json_buffer(&witness));
	return object;
}

static json_t *interfaces_json(struct json_writer *writer, const struct reach_names *list)
{
	json_t *names = json_array();

	vec_each(name, &list->items)
		json_array_append_new(names, interface_json(writer, *name));
	return names;
}

static json_t *group_json(struct json_writer *writer, const struct reach_interfaces *group)
{
	json_t *object = json_object(), *rows = json_array();

	vec_each(row, &group->rows)
		json_array_append_new(rows, row_json(writer, group, row));
	json_object_set_new(object, "family", json_string(family_name(writer->space->family)));
	json_object_set_new(object, "interfaces", interfaces_json(writer, &group->names));
	json_object_set_new(object, "rows", rows);
	json_object_set_new(object, "cut", json_boolean(group->cut));
	return object;
}

static json_t *omitted_json(struct json_writer *writer)
{
	json_t *object = json_object();

	json_object_set_new(object, "family", json_string(family_name(writer->space->family)));
	json_object_set_new(object, "interfaces", interfaces_json(writer, &writer->family->reach.omitted));
	return object;
}

void reach_write_json(struct strbuf *out, const struct reach_report *report)
{
	json_t *root = json_object(), *groups = json_array(), *omitted = json_array(), *assumptions = json_array();
	struct reach_sentences assumed;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct json_writer writer = {.report = report, .family = report->families[f]};

		if (!writer.family)
			continue;
		writer.space = &writer.family->reach.space;
		vec_each(group, &writer.family->reach.groups)
			json_array_append_new(groups, group_json(&writer, group));
		if (writer.family->reach.omitted.items.len)
			json_array_append_new(omitted, omitted_json(&writer));
	}
	reach_assumptions(&assumed, report);
	vec_each(sentence, &assumed.items)
		json_array_append_new(assumptions, json_cstring(*sentence));
	json_object_set_new(root, "version", json_integer(REACH_JSON_VERSION));
	json_object_set_new(root, "reach", groups);
	json_object_set_new(root, "omitted", omitted);
	json_object_set_new(root, "assumptions", assumptions);
	json_object_set_new(root, "exitCode", json_integer(report->exit_code));
	json_print(out, root);
}
