#include <peerwall/report.h>

static void add_count(struct strbuf *out, size_t count, const char *singular, bool *first)
{
	if (!count)
		return;
	strbuf_addf(out, "%s%zu %s%s", *first ? "" : ", ", count, singular, count == 1 ? "" : "s");
	*first = false;
}

/* "2 errors, 1 warning; 1 switched off by a comment". */
static void write_summary(struct strbuf *out, const struct report *report)
{
	struct report_counts counts = report_count(report->diags);
	size_t suppressed = report->suppressed ? report->suppressed->items.len : 0;
	bool first = true;

	add_count(out, counts.errors, "error", &first);
	add_count(out, counts.warnings, "warning", &first);
	add_count(out, counts.notes, "note", &first);
	if (suppressed)
		strbuf_addf(out, "%s%zu switched off by comments", first ? "" : "; ", suppressed);
	if (!first || suppressed)
		strbuf_addc(out, '\n');
}

void report_write_text(struct strbuf *out, const struct report *report)
{
	if (!report->quiet) {
		diags_render(out, report->diags, report->sources, report->style);
		write_summary(out, report);
		return;
	}
	vec_each(diag, &report->diags->all)
		if ((*diag)->severity == SEVERITY_ERROR)
			diag_render(out, *diag, report->sources, report->style);
}
