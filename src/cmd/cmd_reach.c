#include "given_rules.h"
#include "reach_report.h"

#include <peerwall/backend.h>
#include <peerwall/match_codec.h>
#include <peerwall/process.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURE_SIZE_MAX (256u << 20)
/* Rows of each list that are worked out for a text that shows a part of them. */
#define ROWS_LAID_OUT 1024u

static const char help[] =
	"usage: peerwall reach [OPTION...]\n"
	"\n"
	"Prints what gets in: for each interface, from which sources, by which protocol and ports, and where it ends: at this\n"
	"host, at the target of which DNAT rule, or forwarded to whom. The rules are those of snapshots, or the live ones; with a\n"
	"policy, as they would be once it was applied.\n"
	"\n"
	"options:\n"
	"  --from IF            only what arrives by this interface; may be repeated\n"
	"  --to PROTOCOL[/PORT[-PORT]]   only this service: tcp/8096, udp/60000-61000, icmp; may be repeated\n"
	"  --to ADDRESS[/LENGTH]         only what is sent to these addresses; may be repeated\n"
	"  --snapshot FILE      iptables-save or ip6tables-save output; may be repeated; without it, the live rules\n"
	"  --snapshot4 FILE, --snapshot6 FILE   the same, where FILE does not show its family\n"
	"  --policy FILE        as if this policy were applied; may be repeated\n"
	"  --host FILE          what `ip -j addr` and `ip -j route` print; may be repeated\n"
	"  --all                every row, and all of it\n"
	"  --format text|json   the table\n"
	"  --format dot|svg     a picture of the way through tables and chains, of one interface: dot for Graphviz, svg by it\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status: 0 fine, 11 the rules are too entangled to tell; 1 the policy is wrong, 2 usage, 3 the rules or --host\n"
	"cannot be read, 5 no rights, no tool\n"
	"\n"
	"examples:\n"
	"  peerwall reach --from wg1\n"
	"  peerwall reach --from wg1 --policy wg1.pw --snapshot host.v4 --snapshot host.v6\n"
	"  peerwall reach --from wg1 --to tcp/8096 --format svg > way.svg\n";

/* ---- --to ---- */

static bool parse_ports(const char *text, struct port_range *out)
{
	unsigned long lo, hi;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	lo = hi = strtoul(text, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		hi = strtoul(end + 1, &end, 10);
	if (*end || lo > hi || hi > UINT16_MAX)
		return false;
	*out = (struct port_range){(uint16_t)lo, (uint16_t)hi};
	return true;
}

static bool parse_service(const char *text, struct reach_wanted *wanted, struct arena *arena)
{
	size_t size = strcspn(text, "/");
	struct port_range ports;
	uint8_t number;

	if (!protocol_number(text, size, &number))
		return false;
	if (!text[size]) {
		vec_push(arena, &wanted->protocols, number);
		return true;
	}
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		if (protocol_numbers[i] == number && parse_ports(text + size + 1, &ports)) {
			port_set_add(arena, &wanted->services.ports[i], ports);
			return true;
		}
	return false;
}

static bool parse_addresses(const char *text, struct reach_wanted *wanted, struct arena *arena)
{
	struct prefix prefix;

	if (prefix_parse(text, strlen(text), &prefix) != PREFIX_OK)
		return false;
	prefix = prefix_masked(&prefix);
	addr_set_add_prefix(arena, &wanted->addresses[prefix.addr.family], &prefix);
	wanted->has_addresses = true;
	return true;
}

static int parse_wanted(struct live_command *command, struct reach_wanted *wanted)
{
	struct arena *arena = &command->input.arena;
	bool has_service = false;

	*wanted = (struct reach_wanted){.addresses = {{.family = FAMILY_IPV4}, {.family = FAMILY_IPV6}}};
	vec_each(text, &command->to) {
		if (parse_addresses(*text, wanted, arena))
			continue;
		if (!parse_service(*text, wanted, arena))
			return usage_error(command->subcommand,
					   "--to takes a protocol, PROTOCOL/PORT, PROTOCOL/PORT-PORT or an address, not '%s'",
					   *text);
		has_service = true;
	}
	wanted->services.any = !has_service;
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		port_set_normalise(&wanted->services.ports[i]);
	for (int i = 0; i < FAMILY_COUNT; i++)
		addr_set_normalise(&wanted->addresses[i]);
	return EXIT_FINE;
}

static const char *join_wanted(struct live_command *command)
{
	struct strbuf text = STRBUF_EMPTY;

	vec_each(word, &command->to)
		strbuf_addf(&text, "%s%s", text.len ? ", " : "", *word);
	return strbuf_keep(&text, &command->input.arena);
}

/* ---- the picture ---- */

/* Graphviz runs as whoever calls, reads the picture on its standard input and nothing else. */
static int draw(struct live_command *command, const struct strbuf *dot, struct strbuf *out)
{
	const char *argv[] = {"dot", "-Tsvg", NULL};
	struct process process = {.argv = argv, .input = dot->data, .input_size = dot->len, .output_limit = PICTURE_SIZE_MAX,
				  .time_limit = command->options.tool_limit};
	struct process_result result;
	struct strbuf said = STRBUF_EMPTY;
	int error;

	if (!tool_find(&process.path, NULL, "dot", &command->failure))
		return failure_exit_code(&command->failure);
	if (!process.path) {
		failure_set(&command->failure, FAILURE_SYSTEM,
			    "there is no dot: install graphviz, or take --format dot to where it is");
		return EXIT_SYSTEM;
	}
	error = process_run(&result, &process);
	if (error) {
		failure_set(&command->failure, FAILURE_SYSTEM, "%s cannot be run: %s", process.path, strerror(-error));
	} else if (!process_succeeded(&result)) {
		process_describe_end(&said, &process, &result);
		strbuf_adds(&said, ": ");
		process_describe_message(&said, &result);
		failure_set(&command->failure, FAILURE_SYSTEM, "%s %s", process.path, strbuf_str(&said));
	} else {
		strbuf_add(out, result.out.data, result.out.len);
	}
	strbuf_free(&said);
	process_result_free(&result);
	return failure_exit_code(&command->failure);
}

/* ---- the run ---- */

static int write_report(struct live_command *command, struct reach_report *report)
{
	struct strbuf text = STRBUF_EMPTY, picture = STRBUF_EMPTY;
	int code = EXIT_FINE;

	switch (command->format) {
	case LIVE_FORMAT_TEXT:
		reach_write_text(&text, report);
		break;
	case LIVE_FORMAT_JSON:
		reach_write_json(&text, report);
		break;
	case LIVE_FORMAT_DOT:
		reach_write_dot(&text, report);
		break;
	case LIVE_FORMAT_SVG:
		reach_write_dot(&picture, report);
		code = draw(command, &picture, &text);
		break;
	}
	fwrite(strbuf_str(&text), 1, text.len, stdout);
	strbuf_free(&text);
	strbuf_free(&picture);
	return code;
}

/* The rules of one family, if there are any. */
static int read_family(struct live_command *command, enum family family, struct reach_family **out)
{
	struct check_snapshot rules = {0};
	bool found = false;
	int code = command->from_snapshots ? given_snapshot(command, family, &rules, &found) :
					     given_live(command, family, &rules, &found);

	*out = NULL;
	if (code == EXIT_FINE && found)
		code = given_rules_with_policies(command, &rules);
	if (code != EXIT_FINE || !found)
		return code;
	*out = arena_zalloc(&command->input.arena, sizeof **out);
	(*out)->input.ruleset = rules.ruleset;
	(*out)->input.nat_first = rules.backend != CHECK_BACKEND_LEGACY;
	host_infer(&command->input.host, rules.ruleset);
	return EXIT_FINE;
}

static int work_out(struct live_command *command, struct reach_report *report, const struct reach_wanted *wanted)
{
	bool picture = command->format == LIVE_FORMAT_DOT || command->format == LIVE_FORMAT_SVG;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct reach_family *family = report->families[f];

		if (!family)
			continue;
		family->input.host = report->host;
		family->input.wanted = *wanted;
		family->input.wants_map = picture;
		family->input.rows_most = command->all || command->format == LIVE_FORMAT_JSON ? EXPOSURE_ROWS_MAX : ROWS_LAID_OUT;
		family->input.effort_most = PACKET_EFFORT_MAX;
		vec_each(name, &command->from)
			vec_push(&command->input.arena, &family->input.interfaces.items, *name);
		vec_each(policy, &command->input.policies)
			vec_push(&command->input.arena, &family->input.policies, *policy);
		if (!reach_make(&family->reach, &family->input, &command->input.arena)) {
			print_error("%s: what gets in was not worked out: the rules are too entangled",
				    family_name((enum family)f));
			return EXIT_UNDECIDED;
		}
	}
	return EXIT_FINE;
}

/* Was there time for every interface? */
static bool is_whole(const struct reach_report *report)
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (report->families[f] && report->families[f]->reach.omitted.items.len)
			return false;
	return true;
}

static int check_usage(struct live_command *command)
{
	bool picture = command->format == LIVE_FORMAT_DOT || command->format == LIVE_FORMAT_SVG;

	if (command->operands.len)
		return usage_error(command->subcommand, "reach takes options only: '%s' belongs behind --policy or --from",
				   command->operands.data[0]);
	vec_each(name, &command->from)
		if (!**name || strlen(*name) > INTERFACE_NAME_MAX || interface_name_is_pattern(*name))
			return usage_error(command->subcommand, "--from takes the name of an interface, not '%s'", *name);
	if (picture && command->from.len != 1)
		return usage_error(command->subcommand, "a picture is of one interface: --from says which");
	return EXIT_FINE;
}

static int reach_all(struct live_command *command)
{
	struct reach_wanted wanted;
	struct reach_report report = {
		.host = &command->input.host, .sources = &command->input.sources, .arena = &command->input.arena, .all = command->all,
	};
	int code = check_usage(command);

	if (code == EXIT_FINE)
		code = parse_wanted(command, &wanted);
	if (code == EXIT_FINE)
		code = given_host(command);
	if (code == EXIT_FINE)
		code = given_policies(command);
	for (int f = 0; f < FAMILY_COUNT && code == EXIT_FINE; f++)
		code = read_family(command, (enum family)f, &report.families[f]);
	if (code == EXIT_FINE)
		code = work_out(command, &report, &wanted);
	report.wanted = join_wanted(command);
	if (code == EXIT_FINE) {
		report.exit_code = is_whole(&report) ? EXIT_FINE : EXIT_UNDECIDED;
		code = write_report(command, &report);
	}
	if (code == EXIT_FINE)
		code = report.exit_code;
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (report.families[f])
			reach_free(&report.families[f]->reach);
	return code;
}

static int run(int argc, char **argv)
{
	struct live_command command;
	int code = live_command_begin(&command, &cmd_reach,
				      LIVE_OPTION_FORMAT | LIVE_OPTION_ALL | LIVE_OPTION_TRACE | LIVE_OPTION_REACH, argc, argv);

	if (code == EXIT_FINE)
		code = reach_all(&command);
	return live_command_end(&command, code);
}

const struct subcommand cmd_reach = {"reach", "say who reaches what, and by which rules", help, run};
