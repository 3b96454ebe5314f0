#include <peerwall/bug.h>
#include <peerwall/report.h>

#include <string.h>

#define SCHEMA_VERSION 1
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The size of the UTF-8 character at `bytes`, or 0 if there is none (RFC 3629, section 4). */
static size_t utf8_size(const unsigned char *bytes, size_t size)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (bytes[0] < 0x80)
		return 1;
	if (bytes[0] >= 0xc2 && bytes[0] <= 0xdf)
		length = 2;
	else if (bytes[0] >= 0xe0 && bytes[0] <= 0xef)
		length = 3;
	else if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (bytes[0] == 0xe0)
		low = 0xa0;
	else if (bytes[0] == 0xed)
		high = 0x9f;
	else if (bytes[0] == 0xf0)
		low = 0x90;
	else if (bytes[0] == 0xf4)
		high = 0x8f;
	if (size < length || bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return 0;
	return length;
}

json_t *json_text(const char *bytes, size_t size)
{
	struct strbuf clean = STRBUF_EMPTY;
	json_t *string;

	for (size_t i = 0; i < size;) {
		size_t length = utf8_size((const unsigned char *)bytes + i, size - i);

		if (length)
			strbuf_add(&clean, bytes + i, length);
		else
			strbuf_adds(&clean, REPLACEMENT);
		i += length ? length : 1;
	}
	string = json_stringn_nocheck(strbuf_str(&clean), clean.len);
	strbuf_free(&clean);
	BUG_ON(!string);
	return string;
}

json_t *json_buffer(struct strbuf *text)
{
	json_t *value = json_text(strbuf_str(text), text->len);

	strbuf_free(text);
	return value;
}

json_t *json_cstring(const char *string)
{
	return string ? json_text(string, strlen(string)) : json_null();
}

/* The place as members of `object`; all null where there is none, so that readers need not ask. */
static void set_place(json_t *object, struct span span, const struct sources *sources)
{
	struct report_place place;
	bool known = report_place_find(sources, span, &place);

	json_object_set_new(object, "file", known ? json_cstring(place.source->name) : json_null());
	json_object_set_new(object, "line", known ? json_integer(place.line) : json_null());
	json_object_set_new(object, "column", known ? json_integer(place.column) : json_null());
	json_object_set_new(object, "endLine", known ? json_integer(place.end_line) : json_null());
	json_object_set_new(object, "endColumn", known ? json_integer(place.end_column) : json_null());
}

static json_t *label_object(const struct diag_label *label, const struct sources *sources)
{
	json_t *object = json_object();

	json_object_set_new(object, "message", json_cstring(label->text));
	set_place(object, label->span, sources);
	return object;
}

json_t *json_diag(const struct diag *diag, const struct sources *sources)
{
	const struct diag_code_info *info = diag_code_info(diag->code);
	json_t *object = json_object(), *labels = json_array();

	json_object_set_new(object, "code", json_string(info->number));
	json_object_set_new(object, "name", json_string(info->name));
	json_object_set_new(object, "severity", json_string(severity_name(diag->severity)));
	json_object_set_new(object, "message", json_cstring(diag->message));
	set_place(object, diag->span, sources);
	vec_each(label, &diag->labels)
		json_array_append_new(labels, label_object(label, sources));
	json_object_set_new(object, "labels", labels);
	json_object_set_new(object, "suggestion", json_cstring(diag->suggestion));
	return object;
}

static json_t *suppressed_object(const struct suppressed *suppressed, const struct sources *sources)
{
	json_t *object = json_diag(suppressed->diag, sources), *comment = json_object();

	set_place(comment, suppressed->comment, sources);
	json_object_set_new(object, "comment", comment);
	return object;
}

static json_t *summary_object(const struct report *report)
{
	struct report_counts counts = report_count(report->diags);
	json_t *object = json_object();

	json_object_set_new(object, "errors", json_integer((json_int_t)counts.errors));
	json_object_set_new(object, "warnings", json_integer((json_int_t)counts.warnings));
	json_object_set_new(object, "notes", json_integer((json_int_t)counts.notes));
	json_object_set_new(object, "suppressed",
			    json_integer(report->suppressed ? (json_int_t)report->suppressed->items.len : 0));
	json_object_set_new(object, "omitted", json_integer((json_int_t)report->diags->suppressed));
	json_object_set_new(object, "exitCode", json_integer(report->exit_code));
	return object;
}

static int append_chunk(const char *bytes, size_t size, void *out)
{
	strbuf_add(out, bytes, size);
	return 0;
}

void json_print(struct strbuf *out, json_t *value)
{
	BUG_ON(json_dump_callback(value, append_chunk, out, JSON_INDENT(2)) != 0);
	strbuf_addc(out, '\n');
	json_decref(value);
}

void json_print_line(struct strbuf *out, json_t *value)
{
	BUG_ON(json_dump_callback(value, append_chunk, out, JSON_COMPACT) != 0);
	strbuf_addc(out, '\n');
	json_decref(value);
}

void report_write_json(struct strbuf *out, const struct report *report)
{
	json_t *root = json_object(), *tool = json_object(), *diags = json_array(), *suppressed = json_array();

	json_object_set_new(root, "version", json_integer(SCHEMA_VERSION));
	json_object_set_new(tool, "name", json_string("peerwall"));
	json_object_set_new(tool, "version", json_cstring(report->version));
	json_object_set_new(root, "tool", tool);
	vec_each(diag, &report->diags->all)
		json_array_append_new(diags, json_diag(*diag, report->sources));
	json_object_set_new(root, "diagnostics", diags);
	if (report->suppressed)
		vec_each(item, &report->suppressed->items)
			json_array_append_new(suppressed, suppressed_object(item, report->sources));
	json_object_set_new(root, "suppressed", suppressed);
	json_object_set_new(root, "summary", summary_object(report));
	json_print(out, root);
}
