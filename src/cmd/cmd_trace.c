#include "claims.h"
#include "live_command.h"
#include "trace_report.h"

#include <peerwall/live_host.h>
#include <peerwall/overlay.h>

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

/* The one snapshot of the packet's family. */
static int choose_snapshot(struct live_command *command, enum family family, struct check_snapshot *out)
{
	const struct input_snapshot *found = NULL;

	if (command->input.diags.errors)
		return EXIT_CONFLICT;
	vec_each(snapshot, &command->input.snapshots) {
		if (snapshot->ruleset->family != family)
			continue;
		if (found)
			return usage_error(command->subcommand, "%s and %s are both %s snapshots: a packet has to pass both",
					   found->source->name, snapshot->source->name, family_name(family));
		found = snapshot;
	}
	if (!found)
		return usage_error(command->subcommand, "the packet is %s, and no snapshot holds such rules", family_name(family));
	out->ruleset = found->ruleset;
	out->backend = check_guess_backend(found->source);
	return EXIT_FINE;
}

static int read_live(struct live_command *command, enum family family, struct host *host, struct check_snapshot *out)
{
	int code = live_command_open(command, LIVE_PLAN);

	if (code != EXIT_FINE)
		return code;
	if (!command->live.has_family[family])
		return usage_error(command->subcommand, "the packet is %s, which this kernel does not have", family_name(family));
	if (command->hosts.len == 0 && !live_host_read(&command->live, host))
		return failure_exit_code(&command->failure);
	out->ruleset = &command->live.rules[family];
	out->backend = command->live.backend == BACKEND_NFT ? CHECK_BACKEND_NFT : CHECK_BACKEND_LEGACY;
	return EXIT_FINE;
}

/* As they would be once the policies were applied. */
static int lay_over(struct live_command *command, struct check_snapshot *rules)
{
	struct arena *arena = &command->input.arena;
	struct ruleset want, *after = arena_zalloc(arena, sizeof *after);
	struct name_list loaded = {0}, names = {0};
	struct plan plan;

	if (command->units.items.len == 0)
		return EXIT_FINE;
	plan_own_interfaces(&loaded, rules->ruleset, arena);
	if (!claims_check_loaded(&command->units, &loaded, arena, &command->input.diags))
		return EXIT_CONFLICT;
	vec_each(unit, &command->units.items)
		vec_push(arena, &names.items, unit->interface);
	plan_want(&want, rules->ruleset->family, &command->units, arena);
	plan_make(&plan, rules->ruleset, &want, &names, arena);
	overlay_make(after, rules->ruleset, &plan, arena);
	rules->ruleset = after;
	return EXIT_FINE;
}

static int read_hosts(struct live_command *command)
{
	vec_each(path, &command->hosts)
		input_host(&command->input, *path);
	return command->input.diags.errors ? EXIT_CONFLICT : EXIT_FINE;
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
	code = read_hosts(command);
	if (code == EXIT_FINE)
		code = command->from_snapshots ? choose_snapshot(command, packet.family, &rules)
					       : read_live(command, packet.family, host, &rules);
	if (code != EXIT_FINE)
		return code;
	vec_each(path, &command->policies)
		input_policy(&command->input, *path);
	code = live_command_compile(command);
	if (code == EXIT_FINE)
		code = lay_over(command, &rules);
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
