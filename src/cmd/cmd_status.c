#include "drift_text.h"
#include "live_command.h"

#include <peerwall/report.h>

#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: peerwall status [OPTION...] [INTERFACE|POLICY...]\n"
	"\n"
	"Tells what is loaded. With a policy: whether it is in force word for word, and where not. Without: for each\n"
	"interface (or those that are named) whether its rules hang together, in both families.\n"
	"\n"
	"  up         as the policy says; without one, complete as far as can be seen\n"
	"  down       nothing of it is loaded\n"
	"  partly up  what is loaded is right, but chains, jumps or a whole family are missing\n"
	"  drifted    somebody changed rules, or the policy was changed and not applied\n"
	"\n"
	"options:\n"
	"  --format text|json\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status: 0 all up, 7 all down, 8 something drifted, 9 something partly up or some up and some down;\n"
	"1 the policy is wrong, 2 usage, 3 the live rules cannot be read, 5 no rights, no tool\n"
	"\n"
	"examples:\n"
	"  peerwall status\n"
	"  peerwall status /etc/peerwall/*.pw\n"
	"  peerwall status --format json wg1 | jq -r '.interfaces[].state'\n";

enum state { STATE_UP, STATE_DOWN, STATE_PARTLY, STATE_DRIFTED };

static const char *const state_names[] = {"up", "down", "partly up", "drifted"};

/* One interface in one family. */
struct family_status {
	enum state state;
	size_t rules;
	struct drift_list drifts;
	VEC(const char *) problems; /* what is wrong beyond the drifts */
};

struct interface_status {
	const char *name;
	enum state state;
	const struct unit *unit; /* NULL: compared with no policy */
	struct family_status families[FAMILY_COUNT];
};

struct status_list {
	VEC(struct interface_status) items;
};

static bool is_absence(enum drift_kind kind)
{
	return kind == DRIFT_CHAIN_MISSING || kind == DRIFT_JUMP_MISSING;
}

static enum state judge_drifts(const struct drift_list *drifts)
{
	enum state state = STATE_UP;

	vec_each(drift, &drifts->items) {
		if (!is_absence(drift->kind))
			return STATE_DRIFTED;
		state = STATE_PARTLY;
	}
	return state;
}

/* ---- without a policy: does it hang together? ---- */

static bool chain_is_used(const struct table *table, const char *name)
{
	vec_each(chain, &table->chains)
		vec_each(rule, &chain->rules)
			if ((rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO) &&
			    strcmp(rule->target.chain, name) == 0)
				return true;
	return false;
}

static void find_structural_problems(struct family_status *status, const struct ruleset *own, enum family family,
				     struct arena *arena)
{
	const struct table *mangle = &own->tables[TABLE_MANGLE];
	const struct chain *prerouting = table_find_chain(mangle, "PREROUTING", strlen("PREROUTING"));

	for (int t = 0; t < TABLE_COUNT; t++)
		vec_each(chain, &own->tables[t].chains)
			if (!chain->builtin && !chain_is_used(&own->tables[t], chain->name))
				vec_push(arena, &status->problems,
					 arena_printf(arena, "%s %s %s: nothing jumps to the chain", family_name(family),
						      table_names[t], chain->name));
	if (!prerouting || prerouting->rules.len == 0)
		vec_push(arena, &status->problems,
			 arena_printf(arena, "%s mangle PREROUTING: no jump to peerwall's chains, so nothing is denied",
				      family_name(family)));
}

/* ---- judging ---- */

static void judge_family(struct family_status *status, struct live_command *command, enum family family,
			 const char *name, const struct unit *unit)
{
	const struct ruleset *live = &command->live.rules[family];
	struct name_list names = {0};
	struct ruleset own;

	vec_push(&command->input.arena, &names.items, name);
	plan_own_part(&own, live, &names, &command->input.arena);
	status->rules = count_rules(&own);
	/* Compared with itself, our part still shows duplicates and what stands before it. */
	plan_drift(&status->drifts, live, unit ? &unit->rules[family] : &own, &names, &command->input.arena);
	for (int t = 0; t < TABLE_COUNT; t++)
		if (own.tables[t].chains.len)
			goto loaded;
	status->state = STATE_DOWN;
	return;
loaded:
	status->state = judge_drifts(&status->drifts);
	if (!unit)
		find_structural_problems(status, &own, family, &command->input.arena);
	if (status->state == STATE_UP && status->problems.len)
		status->state = STATE_PARTLY;
}

static void judge_interface(struct status_list *out, struct live_command *command, const char *name,
			    const struct unit *unit)
{
	struct interface_status status = {.name = name, .unit = unit};
	size_t families = 0, up = 0, down = 0;
	bool drifted = false;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (!command->live.has_family[f])
			continue;
		judge_family(&status.families[f], command, (enum family)f, name, unit);
		families++;
		up += status.families[f].state == STATE_UP;
		down += status.families[f].state == STATE_DOWN;
		drifted |= status.families[f].state == STATE_DRIFTED;
	}
	status.state = drifted ? STATE_DRIFTED : up == families ? STATE_UP : down == families ? STATE_DOWN : STATE_PARTLY;
	vec_push(&command->input.arena, &out->items, status);
}

static int exit_code(const struct status_list *list)
{
	size_t up = 0, down = 0;

	vec_each(status, &list->items) {
		if (status->state == STATE_DRIFTED)
			return EXIT_DRIFTED;
		up += status->state == STATE_UP;
		down += status->state == STATE_DOWN;
	}
	if (down == list->items.len)
		return EXIT_DOWN;
	return up == list->items.len ? EXIT_FINE : EXIT_PARTLY;
}

/* ---- telling ---- */

static void print_family_details(const struct interface_status *status, enum family family)
{
	const struct family_status *of = &status->families[family];

	if (of->state == STATE_DOWN) {
		if (status->state != STATE_DOWN)
			printf("  %s: nothing is loaded\n", family_name(family));
		return;
	}
	vec_each(drift, &of->drifts.items) {
		struct strbuf text = STRBUF_EMPTY;

		drift_describe(&text, family, drift);
		printf("  %s\n", strbuf_str(&text));
		strbuf_free(&text);
	}
	vec_each(problem, &of->problems)
		printf("  %s\n", *problem);
}

static void print_text(struct live_command *command, const struct status_list *list)
{
	vec_each(status, &list->items) {
		struct strbuf counts = STRBUF_EMPTY;

		for (int f = 0; f < FAMILY_COUNT; f++)
			if (command->live.has_family[f])
				strbuf_addf(&counts, "%s%s %zu rule%s", counts.len ? ", " : "", family_name((enum family)f),
					    status->families[f].rules, status->families[f].rules == 1 ? "" : "s");
		if (status->state == STATE_DOWN)
			print_line("%s: down", status->name);
		else
			print_line("%s: %s (%s)", status->name, state_names[status->state], strbuf_str(&counts));
		for (int f = 0; f < FAMILY_COUNT; f++)
			if (command->live.has_family[f])
				print_family_details(status, (enum family)f);
		strbuf_free(&counts);
	}
	if (list->items.len == 0)
		print_line("nothing is up");
}

static json_t *family_json(const struct family_status *status, enum family family)
{
	json_t *object = json_object(), *differences = json_array(), *problems = json_array();

	json_object_set_new(object, "family", json_string(family_name(family)));
	json_object_set_new(object, "state", json_string(state_names[status->state]));
	json_object_set_new(object, "rules", json_integer((json_int_t)status->rules));
	if (status->state != STATE_DOWN)
		vec_each(drift, &status->drifts.items)
			json_array_append_new(differences, drift_json(family, drift));
	vec_each(problem, &status->problems)
		json_array_append_new(problems, json_text(*problem, strlen(*problem)));
	json_object_set_new(object, "differences", differences);
	json_object_set_new(object, "problems", problems);
	return object;
}

static void print_json(struct live_command *command, const struct status_list *list)
{
	json_t *root = json_object(), *interfaces = json_array();
	struct strbuf text = STRBUF_EMPTY;

	vec_each(status, &list->items) {
		json_t *object = json_object(), *families = json_array();

		for (int f = 0; f < FAMILY_COUNT; f++)
			if (command->live.has_family[f])
				json_array_append_new(families, family_json(&status->families[f], (enum family)f));
		json_object_set_new(object, "interface", json_text(status->name, strlen(status->name)));
		json_object_set_new(object, "state", json_string(state_names[status->state]));
		json_object_set_new(object, "comparedWithPolicy", json_boolean(status->unit != NULL));
		json_object_set_new(object, "families", families);
		json_array_append_new(interfaces, object);
	}
	json_object_set_new(root, "version", json_integer(LIVE_JSON_VERSION));
	json_object_set_new(root, "backend", json_string(backend_name(command->live.backend)));
	json_object_set_new(root, "interfaces", interfaces);
	json_object_set_new(root, "exitCode", json_integer(exit_code(list)));
	json_print(&text, root);
	fputs(strbuf_str(&text), stdout);
	strbuf_free(&text);
}

static int status(struct live_command *command)
{
	struct status_list list = {0};
	struct name_list names = {0};
	int code;

	vec_each(operand, &command->operands) {
		if (names_policy(*operand))
			input_policy(&command->input, *operand);
		else
			vec_push(&command->input.arena, &names.items, *operand);
	}
	code = live_command_compile(command);
	if (code == EXIT_FINE)
		code = live_command_open(command, LIVE_LOOK);
	if (code != EXIT_FINE)
		return code;
	if (command->operands.len == 0)
		live_command_loaded(command, &names);
	vec_each(unit, &command->units.items)
		judge_interface(&list, command, unit->interface, unit);
	vec_each(name, &names.items)
		judge_interface(&list, command, *name, NULL);
	if (command->json)
		print_json(command, &list);
	else
		print_text(command, &list);
	return exit_code(&list);
}

static int run(int argc, char **argv)
{
	struct live_command command;
	int code = live_command_begin(&command, &cmd_status, LIVE_OPTION_FORMAT, argc, argv);

	if (code == EXIT_FINE)
		code = status(&command);
	return live_command_end(&command, code);
}

const struct subcommand cmd_status = {"status", "tell what is up, and what has drifted", help, run};
