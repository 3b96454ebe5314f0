#include "given_rules.h"
#include "live_command.h"
#include "trace_report.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: peerwall trace [OPTION...] PACKET\n"
	"\n"
	"Follows one packet through the rules of a host, and prints each rule that it meets, what this does to it, and what\n"
	"becomes of it. The rules are those of a snapshot, or the live ones; with a policy, as they would be once it was applied.\n"
	"\n"
	"A packet is one argument:\n"
	"  IF SOURCE > DESTINATION tcp|udp|... PORT\n"
	"  IF SOURCE > DESTINATION icmp TYPE[/CODE] | icmp ping\n"
	"  IF SOURCE > DESTINATION PROTOCOL\n"
	"and any of: from PORT, flags SYN,ACK,..., state new|established|related|invalid|untracked, ttl N, length N, and\n"
	"local or via IF, where it is not known whether the destination is this host's own.\n"
	"\n"
	"options:\n"
	"  --snapshot FILE      iptables-save or ip6tables-save output; may be repeated; without it, the live rules\n"
	"  --snapshot4 FILE, --snapshot6 FILE   the same, where FILE does not show its family\n"
	"  --policy FILE        as if this policy were applied; may be repeated\n"
	"  --host FILE          what `ip -j addr` and `ip -j route` print; may be repeated\n"
	"  --all                show also the rules that do not match\n"
	"  --format text|json\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status: 0 the packet gets through, 10 it does not, 11 the rules alone do not tell; 1 the policy is wrong,\n"
	"2 usage, the packet included, 3 the rules or --host cannot be read, 5 no rights, no tool\n"
	"\n"
	"examples:\n"
	"  peerwall trace 'wg1 10.1.1.4 > 10.1.1.5 tcp 873'\n"
	"  peerwall trace 'wg1 fd00:1::4 > fd00:1::5 icmp ping' --policy wg1.pw\n"
	"  peerwall trace 'wg1 10.1.1.4 > 172.18.0.2 tcp 8096 via br0' --snapshot host.v4 --host host.json\n";

/* ---- the rules ---- */

/* Those of the packet's family. */
static int choose_rules(struct live_command *command, enum family family, struct check_snapshot *out)
{
	bool found;
	int code = command->from_snapshots ? given_snapshot(command, family, out, &found) :
					     given_live(command, family, out, &found);

	if (code != EXIT_FINE || found)
		return code;
	if (command->from_snapshots)
		return usage_error(command->subcommand, "the packet is %s, and no snapshot holds such rules", family_name(family));
	return usage_error(command->subcommand, "the packet is %s, which this kernel does not have", family_name(family));
}

/* ---- the run ---- */

static int exit_code(enum fate fate)
{
	switch (fate) {
	case FATE_ACCEPTED:
		return EXIT_FINE;
	case FATE_DROPPED:
	case FATE_REJECTED:
		return EXIT_REFUSED;
	case FATE_UNDECIDED:
		break;
	}
	return EXIT_UNDECIDED;
}

static int follow(struct live_command *command, const struct packet *packet, const struct check_snapshot *rules,
		  const struct host *host)
{
	struct trace_input input = {.rules = rules->ruleset, .host = host, .packet = packet, .backend = rules->backend,
				    .all = command->all};
	struct trace trace;
	struct trace_report report = {.trace = &trace, .packet = packet, .sources = &command->input.sources,
				      .arena = &command->input.arena};
	struct strbuf text = STRBUF_EMPTY;

	trace_run(&trace, &input, &command->input.arena);
	report.exit_code = exit_code(trace_fate(&trace));
	if (command->json)
		trace_write_json(&text, &report);
	else
		trace_write_text(&text, &report);
	fwrite(strbuf_str(&text), 1, text.len, stdout);
	strbuf_free(&text);
	return report.exit_code;
}

static int trace_packet(struct live_command *command)
{
	struct check_snapshot rules = {0};
	struct packet packet;
	struct host *host = &command->input.host;
	int code;

	if (command->operands.len != 1)
		return usage_error(command->subcommand, "a packet is one argument: 'wg1 10.1.1.4 > 10.1.1.5 tcp 873'");
	if (!packet_parse(&packet, command->operands.data[0], &command->input.sources, &command->input.arena,
			  &command->input.diags))
		return EXIT_USAGE;
	code = given_host(command);
	if (code == EXIT_FINE)
		code = choose_rules(command, packet.family, &rules);
	if (code == EXIT_FINE)
		code = given_policies(command);
	if (code == EXIT_FINE)
		code = given_rules_with_policies(command, &rules);
	if (code != EXIT_FINE)
		return code;
	host_infer(host, rules.ruleset);
	return follow(command, &packet, &rules, host);
}

static int run(int argc, char **argv)
{
	struct live_command command;
	int code = live_command_begin(&command, &cmd_trace, LIVE_OPTION_FORMAT | LIVE_OPTION_ALL | LIVE_OPTION_TRACE, argc, argv);

	if (code == EXIT_FINE)
		code = trace_packet(&command);
	return live_command_end(&command, code);
}

const struct subcommand cmd_trace = {"trace", "follow one packet through the rules", help, run};
