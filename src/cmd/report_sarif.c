#include <peerwall/report.h>

#include <string.h>

#define SCHEMA_URI "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"

/* One run's writing: what is referred to by index is collected while the results are made. */
struct sarif {
	const struct report *report;
	json_t *rules;
	json_t *artifacts;
	json_t *artifact_index; /* URI to index: the artifacts seen so far */
	int rule_index[CODE_COUNT]; /* -1: not seen yet */
};

/*
 * A file name as a URI reference (RFC 3986): relative names stay relative, absolute ones become file URIs.
 * The colon is escaped too, since in a relative name's first segment it would read as a scheme.
 */
static char *artifact_uri(struct strbuf *out, const char *name)
{
	if (strcmp(name, "<stdin>") == 0) {
		strbuf_adds(out, "stdin:");
		return out->data;
	}
	if (name[0] == '/')
		strbuf_adds(out, "file://");
	for (const char *c = name; *c; c++) {
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
		    strchr("-._~/", *c))
			strbuf_addc(out, *c);
		else
			strbuf_addf(out, "%%%02X", (unsigned)(unsigned char)*c);
	}
	return out->data;
}

static json_t *artifact_location(struct sarif *sarif, const struct source *source)
{
	struct strbuf uri = STRBUF_EMPTY;
	json_t *location = json_object(), *artifact, *index;

	artifact_uri(&uri, source->name);
	index = json_object_get(sarif->artifact_index, strbuf_str(&uri));
	if (!index) {
		index = json_integer((json_int_t)json_array_size(sarif->artifacts));
		json_object_set_new(sarif->artifact_index, strbuf_str(&uri), index);
		artifact = json_object();
		json_object_set_new(artifact, "location", json_pack("{s:s}", "uri", strbuf_str(&uri)));
		json_array_append_new(sarif->artifacts, artifact);
	}
	json_object_set_new(location, "uri", json_string(strbuf_str(&uri)));
	json_object_set_new(location, "index", json_integer(json_integer_value(index)));
	strbuf_free(&uri);
	return location;
}

static json_t *region_object(const struct report_place *place)
{
	return json_pack("{s:i, s:i, s:i, s:i}", "startLine", (int)place->line, "startColumn", (int)place->column,
			 "endLine", (int)place->end_line, "endColumn", (int)place->end_column);
}

static json_t *physical_location(struct sarif *sarif, const struct report_place *place)
{
	json_t *physical = json_object();

	json_object_set_new(physical, "artifactLocation", artifact_location(sarif, place->source));
	json_object_set_new(physical, "region", region_object(place));
	return physical;
}

static json_t *location_object(struct sarif *sarif, const struct report_place *place)
{
	json_t *location = json_object();

	json_object_set_new(location, "physicalLocation", physical_location(sarif, place));
	return location;
}

/* Section 3.11.5 of the standard: braces stand for placeholders and are doubled where they are meant. */
static json_t *message_object(const char *text)
{
	struct strbuf escaped = STRBUF_EMPTY;
	json_t *message = json_object();

	for (const char *c = text; *c; c++) {
		strbuf_addc(&escaped, *c);
		if (*c == '{' || *c == '}')
			strbuf_addc(&escaped, *c);
	}
	json_object_set_new(message, "text", json_text(strbuf_str(&escaped), escaped.len));
	strbuf_free(&escaped);
	return message;
}

static const char *level_name(enum severity severity)
{
	return severity == SEVERITY_OFF ? "none" : severity_name(severity);
}

static json_t *rule_object(enum diag_code code)
{
	const struct diag_code_info *info = diag_code_info(code);
	const struct check *check = check_find(code);
	enum severity level = check ? check->severity : info->severity;
	json_t *rule = json_object(), *configuration = json_object();
	struct strbuf help = STRBUF_EMPTY;

	json_object_set_new(rule, "id", json_string(info->number));
	json_object_set_new(rule, "name", json_string(info->name));
	json_object_set_new(rule, "shortDescription", message_object(info->summary));
	json_object_set_new(configuration, "enabled", json_boolean(info->severity != SEVERITY_OFF));
	json_object_set_new(configuration, "level", json_string(level_name(level)));
	json_object_set_new(rule, "defaultConfiguration", configuration);
	strbuf_addf(&help, "What it means and how to put it right: docs/diagnostics.md, section %s %s.", info->number,
		    info->name);
	json_object_set_new(rule, "help", message_object(strbuf_str(&help)));
	strbuf_free(&help);
	return rule;
}

static int rule_index(struct sarif *sarif, enum diag_code code)
{
	if (sarif->rule_index[code] < 0) {
		sarif->rule_index[code] = (int)json_array_size(sarif->rules);
		json_array_append_new(sarif->rules, rule_object(code));
	}
	return sarif->rule_index[code];
}

/* A note without a place of its own has no other home than the message. */
static json_t *result_message(const struct diag *diag)
{
	struct strbuf text = STRBUF_EMPTY;
	json_t *message;

	strbuf_adds(&text, diag->message);
	vec_each(label, &diag->labels)
		if (!label->span.lo)
			strbuf_addf(&text, "\n%s", label->text);
	message = message_object(strbuf_str(&text));
	strbuf_free(&text);
	return message;
}

static json_t *related_locations(struct sarif *sarif, const struct diag *diag)
{
	json_t *related = json_array(), *location;
	struct report_place place;

	vec_each(label, &diag->labels) {
		if (!report_place_find(sarif->report->sources, label->span, &place))
			continue;
		location = location_object(sarif, &place);
		json_object_set_new(location, "id", json_integer((json_int_t)json_array_size(related) + 1));
		json_object_set_new(location, "message", message_object(label->text));
		json_array_append_new(related, location);
	}
	return related;
}

static json_t *fix_object(struct sarif *sarif, const struct diag *diag, const struct report_place *place)
{
	json_t *replacement = json_object(), *change = json_object(), *fix = json_object(), *content = json_object();

	json_object_set_new(content, "text", json_text(diag->suggestion, strlen(diag->suggestion)));
	json_object_set_new(replacement, "deletedRegion", region_object(place));
	json_object_set_new(replacement, "insertedContent", content);
	json_object_set_new(change, "artifactLocation", artifact_location(sarif, place->source));
	json_object_set_new(change, "replacements", json_pack("[o]", replacement));
	json_object_set_new(fix, "artifactChanges", json_pack("[o]", change));
	return fix;
}

static json_t *result_object(struct sarif *sarif, const struct diag *diag)
{
	json_t *result = json_object(), *related = related_locations(sarif, diag);
	struct report_place place;

	json_object_set_new(result, "ruleId", json_string(diag_code_info(diag->code)->number));
	json_object_set_new(result, "ruleIndex", json_integer(rule_index(sarif, diag->code)));
	json_object_set_new(result, "level", json_string(level_name(diag->severity)));
	json_object_set_new(result, "message", result_message(diag));
	if (report_place_find(sarif->report->sources, diag->span, &place)) {
		json_object_set_new(result, "locations", json_pack("[o]", location_object(sarif, &place)));
		if (diag->suggestion)
			json_object_set_new(result, "fixes", json_pack("[o]", fix_object(sarif, diag, &place)));
	}
	if (json_array_size(related))
		json_object_set(result, "relatedLocations", related);
	json_decref(related);
	return result;
}

/* Section 3.27.23: if one result says whether it was suppressed, all have to. */
static json_t *results_array(struct sarif *sarif)
{
	const struct report *report = sarif->report;
	json_t *results = json_array(), *result, *suppression;
	struct report_place place;

	vec_each(diag, &report->diags->all) {
		result = result_object(sarif, *diag);
		json_object_set_new(result, "suppressions", json_array());
		json_array_append_new(results, result);
	}
	if (!report->suppressed)
		return results;
	vec_each(item, &report->suppressed->items) {
		result = result_object(sarif, item->diag);
		suppression = json_object();
		json_object_set_new(suppression, "kind", json_string("inSource"));
		if (report_place_find(report->sources, item->comment, &place))
			json_object_set_new(suppression, "location", location_object(sarif, &place));
		json_object_set_new(result, "suppressions", json_pack("[o]", suppression));
		json_array_append_new(results, result);
	}
	return results;
}

/* A file that could not be read is a failure of the run, not a finding in it. */
static bool was_successful(const struct diags *diags)
{
	vec_each(diag, &diags->all)
		if ((*diag)->code == CODE_FILE_UNREADABLE || (*diag)->code == CODE_SNAPSHOT_UNREADABLE)
			return false;
	return true;
}

void report_write_sarif(struct strbuf *out, const struct report *report)
{
	struct sarif sarif = {
		.report = report,
		.rules = json_array(),
		.artifacts = json_array(),
		.artifact_index = json_object(),
	};
	json_t *results, *driver, *run, *root;

	for (size_t i = 0; i < CODE_COUNT; i++)
		sarif.rule_index[i] = -1;
	results = results_array(&sarif);
	driver = json_pack("{s:s, s:s, s:o}", "name", "peerwall", "version", report->version, "rules", sarif.rules);
	run = json_object();
	json_object_set_new(run, "tool", json_pack("{s:o}", "driver", driver));
	json_object_set_new(run, "columnKind", json_string("unicodeCodePoints"));
	json_object_set_new(run, "invocations", json_pack("[{s:b, s:i}]", "executionSuccessful",
							  was_successful(report->diags), "exitCode",
							  report->exit_code));
	json_object_set_new(run, "artifacts", sarif.artifacts);
	json_object_set_new(run, "results", results);
	root = json_pack("{s:s, s:s, s:[o]}", "$schema", SCHEMA_URI, "version", "2.1.0", "runs", run);
	json_decref(sarif.artifact_index);
	json_print(out, root);
}
