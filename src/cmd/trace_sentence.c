#include "trace_report.h"

#include <peerwall/report.h>

#include <string.h>

const char *trace_rule_text(const struct trace_report *report, const struct rule *rule)
{
	return report_rule_text(rule, report->packet->family, report->arena);
}

/* "filter INPUT rule 3 (host.v4:12)" */
static void name_step(struct strbuf *out, const struct trace_report *report, const struct trace_step *step)
{
	struct report_place place;

	if (step->kind == STEP_POLICY) {
		strbuf_addf(out, "the policy of %s %s", table_names[step->table], step->chain->name);
		return;
	}
	strbuf_addf(out, "%s %s rule %u", table_names[step->table], step->chain->name, step->number);
	if (report_place_find(report->sources, step->rule->span, &place))
		strbuf_addf(out, " (%s:%u)", place.source->name, place.line);
}

static const struct trace_step *decisive(const struct trace_path *path)
{
	return &path->steps.data[path->decisive];
}

static void tell_who(struct strbuf *out, const struct trace_report *report, const char *verb)
{
	packet_describe_bounds(out, &report->packet->source);
	strbuf_addf(out, " %s ", verb);
	packet_describe_service(out, report->packet);
	strbuf_adds(out, " of ");
	packet_describe_bounds(out, &report->packet->destination);
}

static bool is_translation(const struct trace_step *step)
{
	return step->kind == STEP_RULE && step->matched && step->table == TABLE_NAT && step->hook == HOOK_PREROUTING && step->text;
}

static bool is_consent(const struct trace_step *step)
{
	return step->kind == STEP_RULE && step->matched && step->table == TABLE_FILTER &&
	       step->rule->target.kind == TARGET_ACCEPT;
}

static void tell_acceptance(struct strbuf *out, const struct trace_report *report, const struct trace_path *path)
{
	const struct trace_step *translation = NULL, *consent = NULL;

	vec_each(step, &path->steps) {
		translation = is_translation(step) ? step : translation;
		consent = is_consent(step) ? step : consent;
	}
	tell_who(out, report, "reaches");
	strbuf_adds(out, ": ");
	if (translation) {
		name_step(out, report, translation);
		strbuf_adds(out, " leads it to ");
		packet_describe_bounds(out, &path->packet.destination);
		if (packet_has_ports(&path->packet) && path->packet.destination_port.lo == path->packet.destination_port.hi)
			strbuf_addf(out, " port %u", path->packet.destination_port.lo);
	} else {
		strbuf_adds(out, path->forwarded ? "it is forwarded" : "it is for this host");
	}
	if (path->forwarded && path->out)
		strbuf_addf(out, " by %s", path->out);
	strbuf_adds(out, ", and ");
	if (consent) {
		name_step(out, report, consent);
		strbuf_adds(out, " accepts it");
	} else {
		strbuf_adds(out, "no rule refuses it");
	}
}

static void tell_refusal(struct strbuf *out, const struct trace_report *report, const struct trace_path *path)
{
	const struct trace_step *step = decisive(path);

	tell_who(out, report, "does not reach");
	strbuf_adds(out, ": ");
	if (step->kind == STEP_ROUTE) {
		strbuf_adds(out, step->text);
		return;
	}
	name_step(out, report, step);
	strbuf_adds(out, path->fate == FATE_REJECTED ? " rejects it" : " drops it");
}

/* What made the paths part, each once: a chain may be passed by many of them. */
static void tell_doubts(struct strbuf *out, const struct trace_report *report)
{
	const char *separator = ": it depends on ";
	VEC(const void *) told = {0};

	vec_each(path, &report->trace->paths)
		vec_each(step, &path->steps) {
			const void *key = step->kind == STEP_RULE ? (const void *)step->rule : step->why;
			bool known = !step->supposed;

			vec_each(other, &told)
				known |= *other == key;
			if (known)
				continue;
			vec_push(report->arena, &told, key);
			strbuf_adds(out, separator);
			separator = ", ";
			if (step->kind == STEP_RULE) {
				name_step(out, report, step);
				strbuf_addf(out, " by its %s", step->why);
			} else {
				strbuf_adds(out, step->why);
			}
		}
}

static void tell_undecided(struct strbuf *out, const struct trace_report *report)
{
	const struct trace_path *first = &report->trace->paths.data[0];

	strbuf_adds(out, "Whether ");
	tell_who(out, report, "reaches");
	strbuf_adds(out, ", the rules alone do not tell");
	if (report->trace->paths.len > 1) {
		tell_doubts(out, report);
		return;
	}
	if (decisive(first)->text)
		strbuf_addf(out, ": %s", decisive(first)->text);
}

void trace_write_sentence(struct strbuf *out, const struct trace_report *report)
{
	const struct trace_path *first = &report->trace->paths.data[0];

	switch (trace_fate(report->trace)) {
	case FATE_ACCEPTED:
		tell_acceptance(out, report, first);
		return;
	case FATE_DROPPED:
	case FATE_REJECTED:
		tell_refusal(out, report, first);
		return;
	case FATE_UNDECIDED:
		tell_undecided(out, report);
		return;
	}
}
