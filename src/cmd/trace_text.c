#include "trace_report.h"

#include <peerwall/report.h>

#include <string.h>

static void write_packet(struct strbuf *out, const struct packet *packet)
{
	packet_describe(out, packet);
	if (packet->has_flags) {
		strbuf_adds(out, " flags ");
		packet_describe_flags(out, packet->tcp_flags);
	}
}

/* Where the hook changes, what the packet looks like there. */
static void write_hook(struct strbuf *out, const struct trace_step *step)
{
	strbuf_addf(out, "%s: ", hook_names[step->hook]);
	write_packet(out, &step->packet);
	if (step->mark.value & ~step->mark.unknown)
		strbuf_addf(out, " mark 0x%x", step->mark.value & ~step->mark.unknown);
	strbuf_addc(out, '\n');
}

static void write_place(struct strbuf *out, const struct trace_report *report, const struct rule *rule)
{
	struct report_place place;

	if (report_place_find(report->sources, rule->span, &place))
		strbuf_addf(out, " (%s:%u)", place.source->name, place.line);
}

static void write_doubt(struct strbuf *out, const struct trace_step *step)
{
	if (step->harmless)
		strbuf_addf(out, "    nobody can tell whether it matches (%s), and nothing hangs on it\n", step->why);
	else if (step->supposed)
		strbuf_addf(out, "    supposed %sto match, since nobody can tell: %s\n", step->matched ? "" : "not ", step->why);
	else if (!step->matched)
		strbuf_addf(out, "    does not match, by its %s\n", step->why);
}

static void write_rule(struct strbuf *out, const struct trace_report *report, const struct trace_step *step)
{
	strbuf_addf(out, "  %s %s rule %u", table_names[step->table], step->chain->name, step->number);
	write_place(out, report, step->rule);
	strbuf_addf(out, ": %s\n", trace_rule_text(report, step->rule));
	write_doubt(out, step);
	if (step->text)
		strbuf_addf(out, "    %s\n", step->text);
}

static void write_step(struct strbuf *out, const struct trace_report *report, const struct trace_step *step)
{
	switch (step->kind) {
	case STEP_RULE:
		write_rule(out, report, step);
		return;
	case STEP_POLICY:
		strbuf_addf(out, "  %s %s policy: %s\n", table_names[step->table], step->chain->name,
			    step->chain->policy_drop ? "DROP" : "ACCEPT");
		return;
	case STEP_CONNTRACK:
		strbuf_addf(out, "  conntrack: %s\n", packet_state_names[step->packet.state]);
		return;
	case STEP_ROUTE:
		strbuf_addf(out, "  routing: %s\n", step->text);
		return;
	case STEP_SUPPOSED:
		strbuf_addf(out, "  supposed %s: %s\n", step->matched ? "yes" : "no", step->why);
		return;
	case STEP_END:
		strbuf_addf(out, "  %s\n", step->text);
		return;
	}
}

static void write_fate(struct strbuf *out, const struct trace_path *path)
{
	static const char *const words[FATE_COUNT] = {"accepted", "dropped", "rejected", "not to be told"};

	strbuf_addf(out, "  %s%s%s\n", words[path->fate], path->fate == FATE_ACCEPTED && path->out ? ", out by " : "",
		    path->fate == FATE_ACCEPTED && path->out ? path->out : "");
}

/* Only what differs from the path before. */
static void write_path(struct strbuf *out, const struct trace_report *report, const struct trace_path *path)
{
	size_t first = path->shared < path->steps.len ? path->shared : 0;

	if (path != report->trace->paths.data)
		strbuf_adds(out, "\notherwise:\n");
	for (size_t i = first; i < path->steps.len; i++) {
		const struct trace_step *step = &path->steps.data[i];

		if (i == first || step->hook != step[-1].hook)
			write_hook(out, step);
		write_step(out, report, step);
	}
	write_fate(out, path);
}

static void write_lines(struct strbuf *out, const struct trace_report *report)
{
	const struct trace *trace = report->trace;

	vec_each(path, &trace->paths)
		write_path(out, report, path);
	strbuf_addc(out, '\n');
	if (trace->truncated)
		strbuf_addf(out, "there are more ways than these %d\n", TRACE_PATHS_MAX);
	vec_each(assumption, &trace->assumptions)
		strbuf_addf(out, "assumed: %s\n", *assumption);
	trace_write_sentence(out, report);
	strbuf_adds(out, ".\n");
}

void trace_write_text(struct strbuf *out, const struct trace_report *report)
{
	struct strbuf lines = STRBUF_EMPTY;

	write_lines(&lines, report);
	report_clean_lines(out, &lines);
	strbuf_free(&lines);
}
