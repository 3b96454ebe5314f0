#include "claims.h"
#include "drift_text.h"
#include "live_command.h"

#include <peerwall/match_codec.h>
#include <peerwall/report.h>

#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: peerwall diff [OPTION...] POLICY...\n"
	"\n"
	"Shows what `peerwall apply` would change: for each family and table, the rules that would go (-) and those\n"
	"that would come (+).\n"
	"\n"
	"options:\n"
	"  --format text|json\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status: 0 nothing would change, 8 something would; 1 the policy is wrong, 2 usage, 3 what is loaded\n"
	"stands against it, 5 no rights, no tool\n"
	"\n"
	"examples:\n"
	"  peerwall diff /etc/peerwall/wg1.pw\n"
	"  peerwall diff /etc/peerwall/*.pw || peerwall apply /etc/peerwall/*.pw\n";

/* The table whose heading was printed last. */
struct heading {
	bool printed;
	enum family family;
	enum table_id table;
};

static void print_heading(struct heading *heading, enum family family, enum table_id table)
{
	if (heading->printed && heading->family == family && heading->table == table)
		return;
	printf("%s %s\n", family_name(family), table_names[table]);
	*heading = (struct heading){true, family, table};
}

static void print_rule(char sign, enum family family, const char *chain, const struct rule *rule)
{
	struct strbuf text = STRBUF_EMPTY;

	rule_encode(&text, family, rule);
	print_clean(stdout, "%c-A %s %s", sign, chain, strbuf_str(&text));
	strbuf_free(&text);
}

static void print_chain(char sign, enum family family, const struct ruleset *from, const struct drift *drift)
{
	const struct chain *chain = table_find_chain(&from->tables[drift->table], drift->chain, strlen(drift->chain));

	print_clean(stdout, "%c:%s - [0:0]", sign, drift->chain);
	if (chain)
		vec_each(rule, &chain->rules)
			print_rule(sign, family, drift->chain, rule);
}

/* Of equal jumps one stays. */
static bool is_first_of_equals(const struct drift_list *drifts, const struct drift *drift, enum family family)
{
	struct strbuf text = STRBUF_EMPTY, other_text = STRBUF_EMPTY;
	bool first = true;

	rule_encode(&text, family, drift->rule);
	vec_each(other, &drifts->items) {
		if (other == drift || !first)
			break;
		if (other->kind != DRIFT_JUMP_DUPLICATE || other->table != drift->table ||
		    strcmp(other->chain, drift->chain) != 0)
			continue;
		strbuf_reset(&other_text);
		rule_encode(&other_text, family, other->rule);
		first = strcmp(strbuf_str(&text), strbuf_str(&other_text)) != 0;
	}
	strbuf_free(&text);
	strbuf_free(&other_text);
	return first;
}

static void print_drift(struct live_command *command, enum family family, const struct ruleset *want,
			const struct drift_list *drifts, const struct drift *drift)
{
	switch (drift->kind) {
	case DRIFT_CHAIN_MISSING:
		print_chain('+', family, want, drift);
		break;
	case DRIFT_CHAIN_EXTRA:
		print_chain('-', family, &command->live.rules[family], drift);
		break;
	case DRIFT_JUMP_MISSING:
	case DRIFT_RULE_MISSING:
		print_rule('+', family, drift->chain, drift->rule);
		break;
	case DRIFT_JUMP_EXTRA:
	case DRIFT_RULE_EXTRA:
		print_rule('-', family, drift->chain, drift->rule);
		break;
	case DRIFT_JUMP_DUPLICATE:
		if (!is_first_of_equals(drifts, drift, family))
			print_rule('-', family, drift->chain, drift->rule);
		break;
	case DRIFT_JUMP_OVERTAKEN:
		/* It moves up. */
		print_rule('-', family, drift->chain, drift->rule);
		print_rule('+', family, drift->chain, drift->rule);
		break;
	}
}

static void print_text(struct live_command *command, const struct ruleset want[FAMILY_COUNT],
		       const struct drift_list drifts[FAMILY_COUNT])
{
	struct heading heading = {0};

	for (int f = 0; f < FAMILY_COUNT; f++)
		vec_each(drift, &drifts[f].items) {
			print_heading(&heading, (enum family)f, drift->table);
			print_drift(command, (enum family)f, &want[f], &drifts[f], drift);
		}
}

static void print_json(struct live_command *command, const struct drift_list drifts[FAMILY_COUNT])
{
	json_t *root = json_object(), *families = json_array();
	struct strbuf text = STRBUF_EMPTY;
	bool same = true;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		json_t *object = json_object(), *differences = json_array();

		vec_each(drift, &drifts[f].items)
			json_array_append_new(differences, drift_json((enum family)f, drift));
		same &= drifts[f].items.len == 0;
		json_object_set_new(object, "family", json_string(family_name((enum family)f)));
		json_object_set_new(object, "differences", differences);
		if (command->live.has_family[f])
			json_array_append_new(families, object);
		else
			json_decref(object);
	}
	json_object_set_new(root, "version", json_integer(LIVE_JSON_VERSION));
	json_object_set_new(root, "backend", json_string(backend_name(command->live.backend)));
	json_object_set_new(root, "same", json_boolean(same));
	json_object_set_new(root, "families", families);
	json_object_set_new(root, "exitCode", json_integer(same ? EXIT_FINE : EXIT_DRIFTED));
	json_print(&text, root);
	fputs(strbuf_str(&text), stdout);
	strbuf_free(&text);
}

static int diff(struct live_command *command)
{
	struct name_list loaded = {0}, names = {0};
	struct ruleset want[FAMILY_COUNT];
	struct drift_list drifts[FAMILY_COUNT] = {0};
	int code = live_command_policies(command);

	if (code == EXIT_FINE)
		code = live_command_open(command, LIVE_PLAN);
	if (code != EXIT_FINE)
		return code;
	live_unlock(&command->live);
	live_command_loaded(command, &loaded);
	if (!claims_check_loaded(&command->units, &loaded, &command->input.arena, &command->input.diags))
		return EXIT_CONFLICT;
	vec_each(unit, &command->units.items)
		vec_push(&command->input.arena, &names.items, unit->interface);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		plan_want(&want[f], (enum family)f, &command->units, &command->input.arena);
		if (command->live.has_family[f])
			plan_drift(&drifts[f], &command->live.rules[f], &want[f], &names, &command->input.arena);
	}
	if (command->json)
		print_json(command, drifts);
	else
		print_text(command, want, drifts);
	return drifts[FAMILY_IPV4].items.len + drifts[FAMILY_IPV6].items.len ? EXIT_DRIFTED : EXIT_FINE;
}

static int run(int argc, char **argv)
{
	struct live_command command;
	int code = live_command_begin(&command, &cmd_diff, LIVE_OPTION_FORMAT, argc, argv);

	if (code == EXIT_FINE)
		code = diff(&command);
	return live_command_end(&command, code);
}

const struct subcommand cmd_diff = {"diff", "show what apply would change", help, run};
