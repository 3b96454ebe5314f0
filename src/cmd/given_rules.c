#include "given_rules.h"

#include "claims.h"

#include <peerwall/live_host.h>
#include <peerwall/overlay.h>

int given_host(struct live_command *command)
{
	vec_each(path, &command->hosts)
		input_host(&command->input, *path);
	return command->input.diags.errors ? EXIT_CONFLICT : EXIT_FINE;
}

int given_snapshot(struct live_command *command, enum family family, struct check_snapshot *out, bool *found)
{
	const struct input_snapshot *one = NULL;

	if (command->input.diags.errors)
		return EXIT_CONFLICT;
	vec_each(snapshot, &command->input.snapshots) {
		if (snapshot->ruleset->family != family)
			continue;
		if (one)
			return usage_error(command->subcommand, "%s and %s are both %s snapshots: a packet has to pass both",
					   one->source->name, snapshot->source->name, family_name(family));
		one = snapshot;
	}
	*found = one != NULL;
	if (one) {
		out->ruleset = one->ruleset;
		out->backend = check_guess_backend(one->source);
	}
	return EXIT_FINE;
}

int given_live(struct live_command *command, enum family family, struct check_snapshot *out, bool *found)
{
	struct host *host = &command->input.host;
	int code = command->live_is_open ? EXIT_FINE : live_command_open(command, LIVE_PLAN);

	if (code != EXIT_FINE)
		return code;
	live_unlock(&command->live);
	*found = command->live.has_family[family];
	if (!*found)
		return EXIT_FINE;
	if (command->hosts.len == 0 && !host->has_addresses && !live_host_read(&command->live, host))
		return failure_exit_code(&command->failure);
	out->ruleset = &command->live.rules[family];
	out->backend = command->live.backend == BACKEND_NFT ? CHECK_BACKEND_NFT : CHECK_BACKEND_LEGACY;
	return EXIT_FINE;
}

int given_policies(struct live_command *command)
{
	vec_each(path, &command->policies)
		input_policy(&command->input, *path);
	return live_command_compile(command);
}

int given_rules_with_policies(struct live_command *command, struct check_snapshot *rules)
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
