#include "live_command.h"
#include "watch_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: peerwall watch --read FILE [OPTION...]\n"
	"\n"
	"Explains what the kernel's own trace tells of packets: each one's way through the tables, the rules that it met, in the\n"
	"words of iptables, and what became of it.\n"
	"\n"
	"options:\n"
	"  --read FILE          what `nft monitor trace` printed; - is standard input\n"
	"  --snapshot FILE      iptables-save or ip6tables-save output, to name the rules by; may be repeated\n"
	"  --snapshot4 FILE, --snapshot6 FILE   the same, where FILE does not show its family\n"
	"  --format text|json   json prints one object a line\n"
	"  --color WHEN         auto, always or never\n"
	"\n"
	"exit status: 0 it was explained; 2 usage, 3 the recording or a snapshot cannot be read\n"
	"\n"
	"examples:\n"
	"  peerwall watch --read trace.log --snapshot host.v4\n"
	"  iptables-save | peerwall watch --read trace.log --snapshot - --format json\n";

/* One snapshot of each family, at most. */
static int use_snapshots(struct live_command *command, struct traced_rules *rules)
{
	if (command->input.diags.errors)
		return EXIT_CONFLICT;
	vec_each(snapshot, &command->input.snapshots) {
		const struct ruleset **rules_of_family = &rules->families[snapshot->ruleset->family];

		if (*rules_of_family)
			return usage_error(command->subcommand, "there are two %s snapshots: a packet passes the rules of one host",
					   family_name(snapshot->ruleset->family));
		*rules_of_family = snapshot->ruleset;
	}
	return EXIT_FINE;
}

static void print_packet(struct live_command *command, const struct traced_packet *packet, unsigned long number)
{
	struct watch_report report = {.packet = packet, .number = number, .sources = &command->input.sources,
				      .arena = &command->input.arena};
	struct strbuf text = STRBUF_EMPTY;

	if (command->json)
		watch_write_json(&text, &report);
	else
		watch_write_text(&text, &report);
	fwrite(strbuf_str(&text), 1, text.len, stdout);
	strbuf_free(&text);
}

/* A snapshot of another day, or of another host, would name wrong rules or none. */
static void warn_of_missing(struct live_command *command, const struct traced_list *packets)
{
	size_t missing = 0, known = 0;

	vec_each(packet, &packets->items)
		vec_each(step, &(*packet)->steps) {
			missing += step->naming == NAMING_MISSING && !step->traces;
			known += step->naming >= NAMING_ONE_OF;
		}
	if (missing)
		diag_add(&command->input.diags, CODE_TRACE_OTHER_RULES, SPAN_NONE,
			 "%zu of the %zu rules that the trace shows are not in the snapshot: it was taken at another time, or elsewhere",
			 missing, missing + known);
}

static int read_recording(struct live_command *command)
{
	struct input *input = &command->input;
	struct nft_event_list events = {0};
	struct traced_list packets;
	struct traced_rules rules;
	struct source *source;
	unsigned long number = 0;
	int error, code;

	traced_rules_init(&rules, &input->arena);
	code = use_snapshots(command, &rules);
	if (code != EXIT_FINE)
		return code;
	error = sources_load(&input->sources, command->recording, NFT_TRACE_SIZE_MAX, &source);
	if (error) {
		diag_add(&input->diags, CODE_TRACE_UNREADABLE, SPAN_NONE, "cannot read the trace %s: %s",
			 diag_quote(&input->diags, command->recording, strlen(command->recording)),
			 error == -EFBIG ? "it is larger than a recording may be (64 MiB)" : strerror(-error));
		return EXIT_CONFLICT;
	}
	if (!nft_trace_read(&events, source, &input->arena, &input->diags))
		return EXIT_CONFLICT;
	traced_collect(&packets, &events, &input->arena);
	vec_each(packet, &packets.items) {
		traced_explain(*packet, &rules, &input->arena);
		print_packet(command, *packet, ++number);
	}
	warn_of_missing(command, &packets);
	return EXIT_FINE;
}

static int run(int argc, char **argv)
{
	struct live_command command;
	int code = live_command_begin(&command, &cmd_watch, LIVE_OPTION_FORMAT | LIVE_OPTION_WATCH, argc, argv);

	if (code == EXIT_FINE && command.operands.len)
		code = usage_error(&cmd_watch, "there is nothing to do for '%s': a recording is named by --read",
				   command.operands.data[0]);
	else if (code == EXIT_FINE && !command.recording)
		code = usage_error(&cmd_watch, "--read FILE names the recording");
	if (code == EXIT_FINE)
		code = read_recording(&command);
	return live_command_end(&command, code);
}

const struct subcommand cmd_watch = {"watch", "explain what the kernel's trace tells of packets", help, run};
