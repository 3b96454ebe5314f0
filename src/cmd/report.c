#include <peerwall/match_codec.h>
#include <peerwall/report.h>

#include <string.h>

static const char *const format_names[] = {
	[REPORT_TEXT] = "text",
	[REPORT_JSON] = "json",
	[REPORT_SARIF] = "sarif",
};

bool report_format_find(const char *name, enum report_format *out)
{
	for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++) {
		if (strcmp(name, format_names[i]) != 0)
			continue;
		*out = (enum report_format)i;
		return true;
	}
	return false;
}

void report_write(struct strbuf *out, const struct report *report, enum report_format format)
{
	switch (format) {
	case REPORT_TEXT:
		report_write_text(out, report);
		break;
	case REPORT_JSON:
		report_write_json(out, report);
		break;
	case REPORT_SARIF:
		report_write_sarif(out, report);
		break;
	}
}

const char *severity_name(enum severity severity)
{
	switch (severity) {
	case SEVERITY_OFF:
		return "off";
	case SEVERITY_NOTE:
		return "note";
	case SEVERITY_WARNING:
		return "warning";
	case SEVERITY_ERROR:
		break;
	}
	return "error";
}

struct report_counts report_count(const struct diags *diags)
{
	struct report_counts counts = {.errors = diags->suppressed};

	vec_each(diag, &diags->all) {
		switch ((*diag)->severity) {
		case SEVERITY_ERROR:
			counts.errors++;
			break;
		case SEVERITY_WARNING:
			counts.warnings++;
			break;
		case SEVERITY_NOTE:
			counts.notes++;
			break;
		case SEVERITY_OFF:
			break;
		}
	}
	return counts;
}

/* Every byte that does not continue a character begins one. */
static unsigned count_code_points(const char *bytes, size_t size)
{
	unsigned count = 0;

	for (size_t i = 0; i < size; i++)
		count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	return count;
}

bool report_place_find(const struct sources *sources, struct span span, struct report_place *out)
{
	struct location begin, last;

	if (!sources_locate(sources, span.lo, &begin))
		return false;
	out->source = begin.source;
	out->line = begin.line;
	out->column = begin.column;
	out->end_line = begin.line;
	out->end_column = begin.column;
	/* The end is taken from the last byte within, since the position behind it may be in the next line. */
	if (span.hi <= span.lo || !sources_locate(sources, span.hi - 1, &last) || last.source != begin.source)
		return true;
	out->end_line = last.line;
	if (last.line_offset < last.line_size)
		out->end_column = 1 + count_code_points(last.line_text, last.line_offset + 1);
	else
		out->end_column = last.column;
	return true;
}

void report_clean_lines(struct strbuf *out, const struct strbuf *lines)
{
	const char *newline;

	for (const char *at = strbuf_str(lines); (newline = strchr(at, '\n')); at = newline + 1) {
		diag_clean(out, at, (size_t)(newline - at));
		strbuf_addc(out, '\n');
	}
}

const char *report_rule_text(const struct rule *rule, enum family family, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;

	if (rule->text)
		return rule->text;
	rule_encode(&text, family, rule);
	return strbuf_keep(&text, arena);
}
