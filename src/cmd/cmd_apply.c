#include "claims.h"
#include "live_command.h"
#include "prove.h"

#include <peerwall/recorded_change.h>
#include <peerwall/rehearsal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
	"usage: peerwall apply [OPTION...] POLICY...\n"
	"\n"
	"Puts the policies in force, for IPv4 and IPv6: reads the live rules, checks the policies against them,\n"
	"rehearses on a copy of them, loads what differs, reads back and compares. All of it, or nothing: on any failure\n"
	"everything is undone. Rules of other programs are never touched. Applying what is in force already changes nothing.\n"
	"\n"
	"options:\n"
	"  --confirm SECONDS    undo it after that time, unless `peerwall confirm` or, at a terminal, the key y comes first;\n"
	"                       also if this process is killed or its session ends\n"
	"  --dry-run            show the commands and payloads, and run none of them but in the rehearsal\n"
	"  --no-rehearsal       do not first load everything on a copy of the rules, in a network namespace of its own\n"
	"  -W NAME, -W no-NAME  switch a check on or off (`peerwall lint --help` lists them; those about rules of others\n"
	"                       that do no harm, and about what apply puts right, are off)\n"
	"  --error NAME|all     make a check's finding stop it\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status:\n"
	"  0  in force\n"
	"  1  the policy is wrong; nothing was changed\n"
	"  2  the command line is wrong\n"
	"  3  what is loaded stands against it, two policies claim one interface, or an earlier change waits to be\n"
	"     confirmed; nothing was changed\n"
	"  4  it failed and was undone\n"
	"  5  no rights, no tool, no lock, no such table in this kernel, or refused in the rehearsal; nothing was changed\n"
	"  6  it failed and could not be undone whole; what is left was said\n"
	"  12 it was undone: nobody confirmed it in time, or the key n or a rollback came (at a terminal; elsewhere it does not\n"
	"     wait for that)\n"
	"\n"
	"examples:\n"
	"  peerwall apply /etc/peerwall/wg1.pw\n"
	"  peerwall apply /etc/peerwall/*.pw\n"
	"  peerwall apply --confirm 60 wg1.pw            (over the very link that it is about)\n"
	"  peerwall apply --dry-run wg1.pw\n"
	"  PostUp = peerwall apply /etc/peerwall/%i.pw        (in wg-quick's configuration)\n";

/* Lint, against what is loaded; the proof for whatever addresses and routes the host may come to have. */
static int check_policies(struct live_command *command)
{
	struct live *live = &command->live;
	struct check_input input = {.sources = &command->input.sources};
	struct host host;

	vec_each(policy, &command->input.policies)
		vec_push(&command->input.arena, &input.policies, *policy);
	for (int f = 0; f < FAMILY_COUNT; f++) {
		enum check_backend backend = live->backend == BACKEND_NFT ? CHECK_BACKEND_NFT : CHECK_BACKEND_LEGACY;

		if (live->texts[f])
			vec_push(&command->input.arena, &input.snapshots,
				 (struct check_snapshot){&live->rules[f], live->texts[f], backend, false});
	}
	host_init(&host, &command->input.arena);
	prove(&input, &host, false, &command->input.arena, &command->input.diags);
	if (checks_run(&input, &command->checks, &command->input.diags))
		return EXIT_FINE;
	return checks_only_conflicts(&command->input.diags) ? EXIT_CONFLICT : EXIT_POLICY;
}

/* Only a dry run gets this far without tools to load rules. */
static bool can_load(const struct live *live)
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (live->has_family[f] && !live->tools.restore[f])
			return false;
	return true;
}

static void make_change(struct live_command *command, struct change *change)
{
	*change = (struct change){.rehearse = !command->no_rehearsal && can_load(&command->live)};
	vec_each(unit, &command->units.items)
		vec_push(&command->input.arena, &change->interfaces.items, unit->interface);
	for (int f = 0; f < FAMILY_COUNT; f++)
		plan_want(&change->want[f], (enum family)f, &command->units, &command->input.arena);
}

static void index_names(struct intern *out, const struct name_list *names, struct arena *arena)
{
	intern_init(out, arena);
	vec_each(name, &names->items)
		intern_add(out, *name, strlen(*name));
}

static bool is_indexed(const struct intern *names, const char *name)
{
	return intern_find(names, name, strlen(name)) != INTERN_NONE;
}

/* Something that no change of a policy does: a jump that is gone from a chain that is there, is there twice, or is too low. */
static bool is_damage(const struct ruleset *live, const struct drift *drift)
{
	const char *chain = drift->rule ? drift->rule->target.chain : NULL;

	if (drift->kind == DRIFT_JUMP_MISSING)
		return chain && table_find_chain(&live->tables[drift->table], chain, strlen(chain));
	return drift->kind == DRIFT_JUMP_DUPLICATE || drift->kind == DRIFT_JUMP_OVERTAKEN;
}

static void find_damaged(struct live_command *command, const struct change *change, struct name_list *out)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		struct drift_list drifts;

		if (!command->live.has_family[f])
			continue;
		plan_drift(&drifts, &command->live.rules[f], &change->want[f], &change->interfaces, &command->input.arena);
		vec_each(drift, &drifts.items)
			if (is_damage(&command->live.rules[f], drift))
				vec_push(&command->input.arena, &out->items, drift->interface);
	}
}

struct applied {
	const struct change *change;
	struct name_list loaded;  /* before */
	struct name_list changed; /* those that had to be */
};

/* What was done to each interface. */
static void report(struct live_command *command, const void *context)
{
	const struct applied *applied = context;
	struct intern was_loaded, was_changed, was_damaged;
	struct name_list damaged = {0};

	find_damaged(command, applied->change, &damaged);
	index_names(&was_damaged, &damaged, &command->input.arena);
	index_names(&was_loaded, &applied->loaded, &command->input.arena);
	index_names(&was_changed, &applied->changed, &command->input.arena);
	vec_each(unit, &command->units.items) {
		struct strbuf counts = STRBUF_EMPTY;

		describe_counts(&counts, &command->live, unit->rules);
		if (!is_indexed(&was_changed, unit->interface))
			print_line("nothing to do: %s is up to date", unit->interface);
		else
			print_line("%s: %s (%s)", unit->interface,
				   is_indexed(&was_damaged, unit->interface) ? "repaired" :
				   is_indexed(&was_loaded, unit->interface)  ? "reloaded" :
									       "up",
				   strbuf_str(&counts));
		strbuf_free(&counts);
	}
}

static const char *rehearsal_words(const struct change *change, enum rehearsal_extent extent)
{
	if (!change->rehearse)
		return "not rehearsed";
	switch (extent) {
	case REHEARSAL_WHOLE:
		return "rehearsed on a copy of the live rules: the kernel takes it";
	case REHEARSAL_ALONE:
		return "rehearsed without other programs' rules: the kernel takes it";
	default:
		return "not rehearsed: the tools' --test finds nothing wrong";
	}
}

static int show_dry_run(struct live_command *command, const struct change *change)
{
	struct strbuf text = STRBUF_EMPTY;
	enum rehearsal_extent extent = REHEARSAL_NEEDLESS;
	struct name_list changed = {0};

	change_interfaces(&changed, &command->live, change);
	if (changed.items.len == 0) {
		live_unlock(&command->live);
		vec_each(name, &change->interfaces.items)
			print_line("nothing to do: %s is up to date", *name);
		return EXIT_FINE;
	}
	change_describe(&text, &command->live, change);
	if (!change->rehearse || rehearsal_run(&command->live, change, &extent))
		strbuf_addf(&text, "# %s\n", rehearsal_words(change, extent));
	live_unlock(&command->live);
	fputs(strbuf_str(&text), stdout);
	strbuf_free(&text);
	return failure_exit_code(&command->failure);
}

/* Root, or who has become root for this one command, by sudo. */
static bool is_own(uid_t owner)
{
	const char *caller = getenv("SUDO_UID");

	return owner == 0 || (caller && *caller && strtoul(caller, NULL, 10) == owner);
}

/* Whoever may write a policy decides what gets in, if root applies it. Pipes and terminals are nobody's to change later. */
static void warn_of_writers(struct live_command *command)
{
	vec_each(path, &command->operands) {
		struct stat status;

		if (strcmp(*path, "-") == 0 || stat(*path, &status) != 0 || !S_ISREG(status.st_mode))
			continue;
		if (is_own(status.st_uid) && !(status.st_mode & S_IWOTH) && (!(status.st_mode & S_IWGRP) || status.st_gid == 0))
			continue;
		strbuf_addf(&command->live.warnings, "others than you may write %s (owner %u, group %u, mode %04o), and so decide "
			    "what gets in\n", *path, (unsigned)status.st_uid, (unsigned)status.st_gid,
			    (unsigned)status.st_mode & 07777);
	}
}

static int apply(struct live_command *command, bool *ended)
{
	struct applied applied = {0};
	struct change change;
	int code = live_command_policies(command);

	if (code == EXIT_FINE)
		code = live_command_open(command, command->dry_run ? LIVE_PLAN : LIVE_LOAD);
	if (code != EXIT_FINE)
		return code;
	warn_of_writers(command);
	if (!command->dry_run && !recorded_change_may_begin(&command->live))
		return failure_exit_code(&command->failure);
	live_command_loaded(command, &applied.loaded);
	if (!claims_check_loaded(&command->units, &applied.loaded, &command->input.arena, &command->input.diags))
		return EXIT_CONFLICT;
	code = check_policies(command);
	if (code != EXIT_FINE)
		return code;
	make_change(command, &change);
	if (command->dry_run)
		return show_dry_run(command, &change);
	*ended = true;
	applied.change = &change;
	change_interfaces(&applied.changed, &command->live, &change);
	return live_command_change(command, &change, report, &applied);
}

static int run(int argc, char **argv)
{
	struct live_command command;
	bool ended = false;
	int code = live_command_begin(&command, &cmd_apply, LIVE_OPTION_DRY_RUN | LIVE_OPTION_CHECKS | LIVE_OPTION_CONFIRM |
				      LIVE_OPTION_REHEARSAL,
				      argc, argv);

	if (code == EXIT_FINE)
		code = apply(&command, &ended);
	return ended ? code : live_command_end(&command, code);
}

const struct subcommand cmd_apply = {"apply", "put policies in force on this host", help, run};
