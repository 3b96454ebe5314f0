#include "watch_report.h"

#include <peerwall/report.h>

#include <string.h>

static void write_header(struct strbuf *out, const struct nft_header *header)
{
	packet_describe(out, &header->packet);
	if (header->packet.has_flags) {
		strbuf_adds(out, " flags ");
		packet_describe_flags(out, header->packet.tcp_flags);
	}
	if (header->out)
		strbuf_addf(out, ", out by %s", header->out);
}

/* "filter DOCKER", "inet fw input" */
static void write_place(struct strbuf *out, const struct traced_step *step)
{
	strbuf_addf(out, "  %s%s%s %s", step->is_iptables ? "" : step->event->family, step->is_iptables ? "" : " ",
		    step->event->table, step->event->chain);
}

static const char *iptables_text(const struct watch_report *report, const struct traced_step *step)
{
	enum family family = strcmp(step->event->family, "ip") == 0 ? FAMILY_IPV4 : FAMILY_IPV6;

	return report_rule_text(step->rules.data->rule, family, report->arena);
}

static void write_nft_text(struct strbuf *out, const struct watch_report *report, const struct traced_step *step)
{
	const char *text = watch_nft_text(report, step);

	if (text)
		strbuf_addf(out, ": %s\n", text);
	else
		strbuf_addf(out, ": a rule that only its handle %llu is known of\n", (unsigned long long)step->event->handle);
}

static void write_named(struct strbuf *out, const struct watch_report *report, const struct traced_step *step)
{
	switch (step->naming) {
	case NAMING_CERTAIN:
		strbuf_addc(out, ' ');
		watch_write_rules(out, report, step);
		strbuf_addf(out, ": %s\n", iptables_text(report, step));
		return;
	case NAMING_LIKELY:
		strbuf_addc(out, ' ');
		watch_write_rules(out, report, step);
		strbuf_addf(out, ", as far as can be told: %s\n", iptables_text(report, step));
		return;
	case NAMING_ONE_OF:
		strbuf_adds(out, ", one of ");
		watch_write_rules(out, report, step);
		break;
	case NAMING_MISSING:
		strbuf_adds(out, ", a rule that is not among those at hand");
		break;
	case NAMING_UNTRIED:
		break;
	}
	write_nft_text(out, report, step);
}

static void write_rule(struct strbuf *out, const struct watch_report *report, const struct traced_step *step)
{
	write_place(out, step);
	if (step->traces && step->rules.len != 1)
		strbuf_adds(out, ": the rule that asks for this trace\n");
	else
		write_named(out, report, step);
}

/* Up to Linux 5.x the kernel says that a RETURN was met, and not which. */
static void write_return(struct strbuf *out, const struct watch_report *report, const struct traced_step *step)
{
	enum hook hook = step->hook;

	if (step->event->verdict == NFT_CONTINUES) {
		if (step->has_hook && strcmp(step->event->chain, hook_names[hook]) == 0)
			return;
		write_place(out, step);
		strbuf_adds(out, ": no more rules, and back\n");
		return;
	}
	write_place(out, step);
	if (step->rules.len == 0)
		strbuf_adds(out, ": a RETURN, by a rule that is not told\n");
	else if (step->rules.len == 1)
		write_named(out, report, step);
	else {
		strbuf_adds(out, ": a RETURN, by one of ");
		watch_write_rules(out, report, step);
		strbuf_addc(out, '\n');
	}
}

static void write_passage(struct strbuf *out, const struct watch_report *report, const struct traced_step *step)
{
	write_place(out, step);
	strbuf_adds(out, ": passed\n");
	if (step != report->packet->translation)
		return;
	strbuf_adds(out, "    it is now ");
	write_header(out, step->header);
	strbuf_addc(out, '\n');
}

static void write_step(struct strbuf *out, const struct watch_report *report, const struct traced_step *step)
{
	switch (step->event->kind) {
	case NFT_EVENT_PACKET:
	case NFT_EVENT_END:
		return;
	case NFT_EVENT_PASSED:
		write_passage(out, report, step);
		return;
	case NFT_EVENT_VANISHED:
		write_place(out, step);
		strbuf_adds(out, ": it does not come out of here\n");
		return;
	case NFT_EVENT_RULE:
		write_rule(out, report, step);
		return;
	case NFT_EVENT_RETURN:
		write_return(out, report, step);
		return;
	case NFT_EVENT_POLICY:
		write_place(out, step);
		strbuf_addf(out, " policy: %s\n", step->event->verdict == NFT_DROPS ? "DROP" : "ACCEPT");
		return;
	}
}

/* Once for each hook, not for each of its tables. */
static bool begins_hook(const struct traced_packet *packet, const struct traced_step *step)
{
	const struct traced_step *before = step == packet->steps.data ? NULL : step - 1;

	if (step->event->kind != NFT_EVENT_PACKET || !step->header)
		return false;
	return !before || !before->header || before->has_hook != step->has_hook || !step->has_hook || before->hook != step->hook;
}

static void write_lines(struct strbuf *out, const struct watch_report *report)
{
	const struct traced_packet *packet = report->packet;

	strbuf_addf(out, "packet %lu, id %08x\n", report->number, packet->id);
	vec_each(step, &packet->steps) {
		if (begins_hook(packet, step)) {
			if (step->has_hook)
				strbuf_addf(out, "%s: ", hook_names[step->hook]);
			else
				strbuf_addf(out, "%s %s %s: ", step->event->family, step->event->table, step->event->chain);
			write_header(out, step->header);
			strbuf_addc(out, '\n');
		}
		write_step(out, report, step);
	}
	watch_write_sentence(out, report);
	strbuf_adds(out, ".\n\n");
}

void watch_write_text(struct strbuf *out, const struct watch_report *report)
{
	struct strbuf lines = STRBUF_EMPTY;

	write_lines(&lines, report);
	report_clean_lines(out, &lines);
	strbuf_free(&lines);
}
