#include "change_text.h"
#include "drift_text.h"
#include "live_command.h"
#include "status_watch.h"

#include <peerwall/report.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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
	"  --watch              go on, and tell each change of it with its time; JSON then is one object a line\n"
	"  --for SECONDS        end that after so long; the exit status is that of the last look\n"
	"  --count N            or after so many reports, the first included\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status: 0 all up, 7 all down, 8 something drifted, 9 something partly up or some up and some down;\n"
	"1 the policy is wrong, 2 usage, 3 the live rules cannot be read, 5 no rights, no tool\n"
	"\n"
	"examples:\n"
	"  peerwall status\n"
	"  peerwall status /etc/peerwall/*.pw\n"
	"  peerwall status --watch /etc/peerwall/*.pw\n"
	"  peerwall status --format json wg1 | jq -r '.interfaces[].state'\n";

enum state { STATE_UP, STATE_DOWN, STATE_PARTLY, STATE_DRIFTED };

static const char *const state_names[] = {"up", "down", "partly up", "drifted"};

/* One interface in one family. */
struct family_status {
	enum state state;
	bool loaded; /* any of it */
	bool denies; /* there is a jump from mangle PREROUTING */
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

/* ---- looking ---- */

/* Interfaces of one kind (of policies, or only named), looked at together: one pass over the rules for all. */
struct survey {
	struct live_command *command;
	struct arena *arena;
	struct intern names; /* the number of a name is its index in `items` */
	struct status_list list;
};

static void survey_init(struct survey *survey, struct live_command *command)
{
	*survey = (struct survey){.command = command, .arena = &command->input.arena};
	intern_init(&survey->names, survey->arena);
}

static void survey_add(struct survey *survey, const char *name, const struct unit *unit)
{
	if (intern_find(&survey->names, name, strlen(name)) != INTERN_NONE)
		return;
	intern_add(&survey->names, name, strlen(name));
	vec_push(survey->arena, &survey->list.items, (struct interface_status){.name = name, .unit = unit});
}

static struct family_status *survey_find(struct survey *survey, enum family family, const char *name)
{
	uint32_t number = name ? intern_find(&survey->names, name, strlen(name)) : INTERN_NONE;

	return number == INTERN_NONE ? NULL : &survey->list.items.data[number].families[family];
}

static void count_own(struct survey *survey, enum family family, const struct ruleset *own)
{
	for (int t = 0; t < TABLE_COUNT; t++) {
		vec_each(chain, &own->tables[t].chains) {
			const char *name = chain->builtin ? NULL : own_chain_interface(survey->arena, chain->name);
			struct family_status *status = survey_find(survey, family, name);

			if (status) {
				status->loaded = true;
				status->rules += chain->rules.len;
			}
			vec_each(rule, &chain->rules) {
				status = chain->builtin ?
					survey_find(survey, family, own_jump_interface(survey->arena, rule)) : NULL;
				if (status) {
					status->loaded = true;
					status->rules++;
					status->denies |= t == TABLE_MANGLE && chain->hook == HOOK_PREROUTING;
				}
			}
		}
	}
}

/* Without a policy: does it hang together? */
static void find_structural_problems(struct survey *survey, enum family family, const struct ruleset *own)
{
	for (int t = 0; t < TABLE_COUNT; t++) {
		struct intern targets;

		intern_init(&targets, survey->arena);
		vec_each(chain, &own->tables[t].chains)
			vec_each(rule, &chain->rules)
				if (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO)
					intern_add(&targets, rule->target.chain, strlen(rule->target.chain));
		vec_each(chain, &own->tables[t].chains) {
			const char *name = chain->builtin ? NULL : own_chain_interface(survey->arena, chain->name);
			struct family_status *status = survey_find(survey, family, name);

			if (status && intern_find(&targets, chain->name, strlen(chain->name)) == INTERN_NONE)
				vec_push(survey->arena, &status->problems,
					 arena_printf(survey->arena, "%s %s %s: nothing jumps to the chain",
						      family_name(family), table_names[t], chain->name));
		}
	}
	vec_each(interface, &survey->list.items) {
		struct family_status *status = &interface->families[family];

		if (status->loaded && !status->denies)
			vec_push(survey->arena, &status->problems,
				 arena_printf(survey->arena, "%s mangle PREROUTING: no jump to peerwall's chains, so nothing "
					      "is denied", family_name(family)));
	}
}

/* `want` NULL: no policy. Our part is compared with itself then, which shows duplicates and what stands before it. */
static void survey_family(struct survey *survey, enum family family, const struct ruleset *want)
{
	const struct ruleset *live = &survey->command->live.rules[family];
	struct name_list names = {0};
	struct drift_list drifts;
	struct ruleset own;

	vec_each(status, &survey->list.items)
		vec_push(survey->arena, &names.items, status->name);
	plan_own_part(&own, live, &names, survey->arena);
	count_own(survey, family, &own);
	plan_drift(&drifts, live, want ? want : &own, &names, survey->arena);
	vec_each(drift, &drifts.items) {
		struct family_status *status = survey_find(survey, family, drift->interface);

		if (status)
			vec_push(survey->arena, &status->drifts.items, *drift);
	}
	if (!want)
		find_structural_problems(survey, family, &own);
}

/* ---- judging ---- */

static enum state judge_family(const struct family_status *status)
{
	enum state state = status->problems.len ? STATE_PARTLY : STATE_UP;

	if (!status->loaded)
		return STATE_DOWN;
	vec_each(drift, &status->drifts.items) {
		if (!is_absence(drift->kind))
			return STATE_DRIFTED;
		state = STATE_PARTLY;
	}
	return state;
}

static void judge_interface(struct interface_status *status, const struct live *live)
{
	size_t families = 0, up = 0, down = 0;
	bool drifted = false;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (!live->has_family[f])
			continue;
		status->families[f].state = judge_family(&status->families[f]);
		families++;
		up += status->families[f].state == STATE_UP;
		down += status->families[f].state == STATE_DOWN;
		drifted |= status->families[f].state == STATE_DRIFTED;
	}
	status->state = drifted ? STATE_DRIFTED : up == families ? STATE_UP : down == families ? STATE_DOWN : STATE_PARTLY;
}

static void survey_run(struct survey *survey, bool with_policy, struct status_list *out)
{
	struct live_command *command = survey->command;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct ruleset want;

		if (!command->live.has_family[f])
			continue;
		plan_want(&want, (enum family)f, &command->units, survey->arena);
		survey_family(survey, (enum family)f, with_policy ? &want : NULL);
	}
	vec_each(status, &survey->list.items) {
		judge_interface(status, &command->live);
		vec_push(survey->arena, &out->items, *status);
	}
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
		print_clean(stdout, "  %s", strbuf_str(&text));
		strbuf_free(&text);
	}
	vec_each(problem, &of->problems)
		print_clean(stdout, "  %s", *problem);
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

static json_t *make_json(struct live_command *command, const struct status_list *list, json_t *change)
{
	json_t *root = json_object(), *interfaces = json_array();

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
	json_object_set_new(root, "change", change);
	json_object_set_new(root, "exitCode", json_integer(exit_code(list)));
	return root;
}

static const char *describe_time(struct arena *arena)
{
	char text[40] = "";
	time_t now = time(NULL);
	struct tm parts;

	if (localtime_r(&now, &parts))
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &parts);
	return arena_strdup(arena, text);
}

/* One object a line, each with its time, if there may be more of them. */
static void print_json(struct live_command *command, json_t *root)
{
	struct strbuf text = STRBUF_EMPTY;

	if (command->keep_looking) {
		json_object_set_new(root, "time", json_string(describe_time(&command->input.arena)));
		json_print_line(&text, root);
	} else {
		json_print(&text, root);
	}
	fputs(strbuf_str(&text), stdout);
	strbuf_free(&text);
}

static void print_change(const struct record *record, enum change_situation situation)
{
	struct strbuf text = STRBUF_EMPTY;

	if (situation == SITUATION_NONE)
		return;
	change_describe_situation(&text, record, situation);
	print_line("%s", strbuf_str(&text));
	if (*change_advice(situation))
		printf("  %s\n", change_advice(situation));
	strbuf_free(&text);
}

/* What became of the last change. A record that cannot be read is warned of: what it would say may matter. */
static enum change_situation find_change(struct live_command *command, struct record *record)
{
	int error = record_read(record, &command->options, &command->input.arena);

	if (error == 0)
		return change_situation(record, &command->options, &command->input.arena);
	if (error != -ENOENT || watcher_is_alive(&command->options, &command->input.arena))
		strbuf_addf(&command->live.warnings, "the record of the last change in %s cannot be read: %s\n",
			    command->options.state_directory,
			    error == -EBADMSG ? "it is not one of this version" : strerror(-error));
	return SITUATION_NONE;
}

/* What is in the JSON is all there is to tell; so it tells what is news. */
static bool is_news(struct status_watch *watch, json_t *root)
{
	struct strbuf text = STRBUF_EMPTY;
	bool news;

	json_print_line(&text, json_incref(root));
	news = status_watch_is_news(watch, strbuf_str(&text));
	strbuf_free(&text);
	return news;
}

static void tell(struct live_command *command, const struct status_list *list, struct status_watch *watch)
{
	struct record record;
	enum change_situation situation = find_change(command, &record);
	json_t *root = make_json(command, list, change_json(&record, situation));

	live_unlock(&command->live);
	watch->polls = command->live.backend == BACKEND_LEGACY;
	command->silent = !is_news(watch, root);
	if (!command->silent && command->json) {
		print_json(command, root);
		root = NULL;
	} else if (!command->silent) {
		if (command->keep_looking)
			printf("%s\n", describe_time(&command->input.arena));
		print_text(command, list);
		print_change(&record, situation);
	}
	json_decref(root);
	if (command->keep_looking)
		fflush(stdout);
}

static int status(struct live_command *command, struct status_watch *watch)
{
	struct status_list list = {0};
	struct survey of_policies, of_names;
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
	survey_init(&of_policies, command);
	survey_init(&of_names, command);
	vec_each(unit, &command->units.items)
		survey_add(&of_policies, unit->interface, unit);
	vec_each(name, &names.items)
		survey_add(&of_names, *name, NULL);
	survey_run(&of_policies, true, &list);
	survey_run(&of_names, false, &list);
	tell(command, &list, watch);
	return exit_code(&list);
}

/* What keeps one look from being told may be over at the next one; but where nothing was ever told, it ends it. */
static void fail_look(struct live_command *command, struct status_watch *watch, int code)
{
	const char *message = command->failure.message ? command->failure.message : "";

	watch->on &= watch->reports > 0;
	watch->polls = true;
	command->silent = !status_watch_is_news(watch, arena_printf(&command->input.arena, "%d %s", code, message));
}

static int check_options(const struct live_command *command)
{
	if (!command->keep_looking && (command->watch.limit || command->watch.count))
		return usage_error(&cmd_status, "--for and --count say when --watch is to end");
	vec_each(operand, &command->operands)
		if (command->keep_looking && strcmp(*operand, "-") == 0)
			return usage_error(&cmd_status, "--watch reads a policy again and again, so it cannot be standard input");
	return EXIT_FINE;
}

static int look(int argc, char **argv, struct status_watch *watch)
{
	struct live_command command;
	int code = live_command_begin(&command, &cmd_status, LIVE_OPTION_FORMAT | LIVE_OPTION_STATUS, argc, argv);
	bool began;

	if (code == EXIT_FINE)
		code = check_options(&command);
	began = code == EXIT_FINE;
	watch->on = began && command.keep_looking && !watch->ending;
	watch->time_limit = command.watch.limit;
	watch->report_limit = command.watch.count;
	if (began)
		code = status(&command, watch);
	if (began && (command.input.diags.errors > 0 || command.failure.kind != FAILURE_NONE))
		fail_look(&command, watch, code);
	return live_command_end(&command, code);
}

static int run(int argc, char **argv)
{
	struct status_watch watch;
	int code;

	status_watch_begin(&watch);
	do
		code = look(argc, argv, &watch);
	while (status_watch_next(&watch));
	status_watch_end(&watch);
	return code;
}

const struct subcommand cmd_status = {"status", "tell what is up, and what has drifted", help, run};
