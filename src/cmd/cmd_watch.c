#include "live_command.h"
#include "watch_live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_DEFAULT 60000
#define COUNT_DEFAULT 100
#define RATE_DEFAULT 50

static const char help[] =
	"usage: peerwall watch [OPTION...] [FILTER...]\n"
	"       peerwall watch --read FILE [OPTION...] [FILTER...]\n"
	"\n"
	"Shows what becomes of packets, as the kernel traces them: each one's way through the tables, the rules that it meets,\n"
	"in the words of iptables, and the one that decides. Nobody's rules are touched; whatever ends it, nothing is left behind.\n"
	"\n"
	"A filter is one argument, and several of them are joined by \"or\"; without any, all packets are watched:\n"
	"  [IF] [SOURCE] [> DESTINATION] [PROTOCOL [PORT] | icmp [TYPE | ping]] [from PORT] [flags SYN,...]\n"
	"SOURCE and DESTINATION are addresses, prefixes, or peers of a policy; PORT is 22, 22,80 or 8000-8010; a policy's service\n"
	"stands for PROTOCOL PORT.\n"
	"\n"
	"options:\n"
	"  --for SECONDS        how long to watch (60)\n"
	"  --count N            how many packets at most (100; with --read all of them)\n"
	"  --rate N             how many of them a second, the others go unseen (50)\n"
	"  --policy FILE        names for filters, and the statements behind peerwall's own rules; may be repeated\n"
	"  --read FILE          explain what `nft monitor trace` printed instead; - is standard input\n"
	"  --snapshot FILE      with --read: iptables-save or ip6tables-save output, to name the rules by; may be repeated\n"
	"  --snapshot4 FILE, --snapshot6 FILE   the same, where FILE does not show its family\n"
	"  --format text|json   json prints one object a line\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status: 0 it was watched, or explained; 1 the policy is wrong, 2 usage, a filter included, 3 the recording or a\n"
	"snapshot cannot be read, 5 no rights, no tool, a kernel that cannot do it\n"
	"\n"
	"examples:\n"
	"  peerwall watch 'wg1 tcp 873'\n"
	"  peerwall watch --for 10 'wg1 10.1.1.4 tcp 22,80' 'wg1 fd00:1::/64 > fd00:1::5' 'udp 53'\n"
	"  peerwall watch --policy wg1.pw 'wg1 laptop'\n"
	"  peerwall watch --read trace.log --snapshot host.v4\n";

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

bool watch_print(struct live_command *command, const struct watch_report *report)
{
	struct strbuf text = STRBUF_EMPTY;

	if (command->json)
		watch_write_json(&text, report);
	else
		watch_write_text(&text, report);
	fwrite(strbuf_str(&text), 1, text.len, stdout);
	strbuf_free(&text);
	return fflush(stdout) == 0;
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

static int read_recording(struct live_command *command, const struct watch_match_list *matches)
{
	struct input *input = &command->input;
	struct nft_event_list events = {0};
	struct traced_list packets;
	struct traced_rules rules;
	struct source *source;
	unsigned long number = 0, shown = 0;
	int error, code;

	traced_rules_init(&rules, &input->arena);
	code = use_snapshots(command, &rules);
	if (code != EXIT_FINE)
		return code;
	error = sources_load(&input->sources, command->watch.recording, NFT_TRACE_SIZE_MAX, &source);
	if (error) {
		diag_add(&input->diags, CODE_TRACE_UNREADABLE, SPAN_NONE, "cannot read the trace %s: %s",
			 diag_quote(&input->diags, command->watch.recording, strlen(command->watch.recording)),
			 error == -EFBIG ? "it is larger than a recording may be (64 MiB)" : strerror(-error));
		return EXIT_CONFLICT;
	}
	if (!nft_trace_read(&events, source, &input->arena, &input->diags))
		return EXIT_CONFLICT;
	traced_collect(&packets, &events, &input->arena);
	vec_each(packet, &packets.items) {
		struct watch_report report = {.packet = *packet, .number = ++number, .sources = &input->sources,
					      .arena = &input->arena};

		traced_explain(*packet, &rules, &input->arena);
		if (!watch_matches(matches, (*packet)->first))
			continue;
		if (!watch_print(command, &report) || ++shown == command->watch.count)
			break;
	}
	warn_of_missing(command, &packets);
	return EXIT_FINE;
}

/* Names in filters may be those of policies. */
static int take_filters(struct live_command *command, struct watch_match_list *out)
{
	struct watch_names names = {0};
	bool good = true;

	vec_each(path, &command->policies)
		input_policy(&command->input, *path);
	if (command->policies.len) {
		int code = live_command_compile(command);

		if (code != EXIT_FINE)
			return code;
	}
	vec_each(policy, &command->input.policies)
		vec_push(&command->input.arena, &names.policies, *policy);
	vec_each(filter, &command->operands)
		good &= watch_filter_parse(out, *filter, &names, &command->input.sources, &command->input.arena, &command->input.diags);
	return good ? EXIT_FINE : EXIT_USAGE;
}

/* What a recording holds is there already: only how much of it is shown can be wished for. */
static int settle_bounds(struct watch_options *watch)
{
	if (watch->recording && (watch->limit || watch->rate))
		return usage_error(&cmd_watch, "%s is about the live trace, not about a recording", watch->limit ? "--for" : "--rate");
	if (watch->recording)
		return EXIT_FINE;
	watch->limit = watch->limit ? watch->limit : LIMIT_DEFAULT;
	watch->count = watch->count ? watch->count : COUNT_DEFAULT;
	watch->rate = watch->rate ? watch->rate : RATE_DEFAULT;
	return EXIT_FINE;
}

static int run(int argc, char **argv)
{
	struct live_command command;
	struct watch_match_list matches = {0};
	int code = live_command_begin(&command, &cmd_watch, LIVE_OPTION_FORMAT | LIVE_OPTION_WATCH, argc, argv);

	if (code == EXIT_FINE && command.from_snapshots && !command.watch.recording)
		code = usage_error(&cmd_watch, "--snapshot goes with --read: the live trace is about the live rules");
	if (code == EXIT_FINE)
		code = settle_bounds(&command.watch);
	if (code == EXIT_FINE)
		code = take_filters(&command, &matches);
	if (code == EXIT_FINE)
		code = command.watch.recording ? read_recording(&command, &matches) : watch_live(&command, &matches);
	return live_command_end(&command, code);
}

const struct subcommand cmd_watch = {"watch", "show what becomes of packets, as the kernel traces them", help, run};
