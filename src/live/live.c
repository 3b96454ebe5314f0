#include <peerwall/live.h>

#include "survey.h"

#include <peerwall/generation.h>
#include <peerwall/nft_native.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* With ipv6.disable=1, or built without it, there is no such directory, and no packet of IPv6. */
static bool kernel_has_ipv6(void)
{
	return access("/proc/sys/net/ipv6", F_OK) == 0 || errno != ENOENT;
}

/* ---- reading ---- */

static void keep_diags(struct live *live, const struct diags *diags)
{
	vec_each(diag, &diags->all) {
		vec_push(live->arena, &live->diags->all, *diag);
		live->diags->errors += (*diag)->severity == SEVERITY_ERROR;
		live->diags->warnings += (*diag)->severity == SEVERITY_WARNING;
	}
}

static bool refuse_unreadable(struct live *live, const struct reading *reading, enum family family,
			      enum failure_kind kind)
{
	bool first = kind == FAILURE_SYSTEM;

	keep_diags(live, &reading->diags);
	failure_set(live->failure, first ? FAILURE_CONFLICT : kind,
		    "the live %s rules cannot be read%s whole, so nothing can be concluded from them",
		    family_name(family), first ? "" : " back");
	if (first)
		failure_note(live->failure, "nothing was changed");
	return false;
}

static bool read_families(struct live *live, struct ruleset out[FAMILY_COUNT], const struct source *texts[FAMILY_COUNT],
			  enum failure_kind kind)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		enum family family = (enum family)f;
		struct strbuf said = STRBUF_EMPTY;
		struct reading reading;
		bool ran = true;

		texts[f] = NULL;
		if (!live->has_family[f]) {
			ruleset_init(&out[f], family, live->arena);
			continue;
		}
		ran = read_rules(live, &reading, live->backend, family, live->tools.save[f], &said);
		if (!ran)
			failure_set(live->failure, kind, "the live %s rules cannot be read%s: %s", family_name(family),
				    kind == FAILURE_SYSTEM ? "" : " back", strbuf_str(&said));
		strbuf_free(&said);
		if (!ran)
			return false;
		if (!reading.ok)
			return refuse_unreadable(live, &reading, family, kind);
		out[f] = reading.rules;
		texts[f] = reading.text;
	}
	return true;
}

bool live_read(struct live *live, struct ruleset out[FAMILY_COUNT], enum failure_kind kind)
{
	const struct source *texts[FAMILY_COUNT];

	return read_families(live, out, texts, kind);
}

/* ---- the backend in use ---- */

static bool refuse_missing_tool(struct live *live, enum family family, const char *kind)
{
	const char *directory = live->options.tools_directory;
	const char *program = family == FAMILY_IPV4 ? "iptables" : "ip6tables";

	failure_set(live->failure, FAILURE_SYSTEM, "%s-%s of the %s backend is not installed in %s", program, kind,
		    backend_name(live->backend),
		    directory ? directory : "/usr/sbin, /sbin, /usr/bin, /bin or /usr/local/sbin");
	if (family == FAMILY_IPV6)
		failure_note(live->failure, "this kernel has IPv6: without rules for it, whatever listens there would be open");
	return false;
}

static bool check_tools(struct live *live, enum live_purpose purpose)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (!live->has_family[f])
			continue;
		if (!live->tools.save[f])
			return refuse_missing_tool(live, (enum family)f, "save");
		if (!live->tools.restore[f] && (purpose == LIVE_LOAD || purpose == LIVE_UNLOAD))
			return refuse_missing_tool(live, (enum family)f, "restore");
	}
	return true;
}

static void warn_of_other_backend(struct live *live, const struct holding holdings[BACKEND_COUNT][FAMILY_COUNT])
{
	enum backend other = live->backend == BACKEND_NFT ? BACKEND_LEGACY : BACKEND_NFT;

	for (int f = 0; f < FAMILY_COUNT; f++)
		if (holdings[other][f].foreign || holdings[other][f].suspected)
			strbuf_addf(&live->warnings, "the %s backend holds %s rules too (%s); a packet has to pass both\n",
				    backend_name(other), family_name((enum family)f), holdings[other][f].summary);
}

/* More than these are not named. */
#define NATIVE_SHOWN 4

static void tell_of_native_tables(struct live *live)
{
	struct nft_native_tables tables;

	if (nft_native_list(&tables, live->arena) != 0 || !tables.items.len)
		return;
	strbuf_adds(&live->notes, "nftables has rules of its own, which are not looked at (nft list ruleset): table ");
	for (size_t i = 0; i < tables.items.len && i < NATIVE_SHOWN; i++)
		strbuf_addf(&live->notes, "%s%s", i ? ", " : "", tables.items.data[i]);
	if (tables.items.len > NATIVE_SHOWN)
		strbuf_addf(&live->notes, " and %zu more", tables.items.len - NATIVE_SHOWN);
	strbuf_addc(&live->notes, '\n');
}

/* Root that may do this much and no more, as in most containers: the tools would say that one must be root. */
static bool read_generation(struct live *live)
{
	int error = generation_read(&live->generation);

	live->has_generation = error == 0;
	if (error != -EPERM)
		return true;
	failure_set(live->failure, FAILURE_SYSTEM, "CAP_NET_ADMIN is missing: without it, not even root may read and change the "
		    "kernel's rules");
	failure_note(live->failure, "a container or a unit has to be given it; nothing was changed");
	return false;
}

static bool find_backend(struct live *live, enum live_purpose purpose)
{
	struct reading readings[BACKEND_COUNT][FAMILY_COUNT];
	struct holding holdings[BACKEND_COUNT][FAMILY_COUNT] = {0};
	struct toolbox toolbox;
	bool loads = purpose == LIVE_LOAD || purpose == LIVE_PLAN;

	if (!toolbox_find(&toolbox, live->options.tools_directory, live->options.tool_limit, live->failure))
		return false;
	if (!read_generation(live))
		return false;
	for (int b = 0; b < BACKEND_COUNT; b++)
		if (!survey_backend(live, &toolbox, (enum backend)b, readings[b], holdings[b]))
			return false;
	if (!backend_choose(&live->backend, live->options.backend, loads ? BACKEND_TO_LOAD : BACKEND_TO_FIND_OURS,
			    &toolbox, (const struct holding(*)[FAMILY_COUNT])holdings, live->failure))
		return false;
	live->tools = toolbox.tools[live->backend];
	if (!check_tools(live, purpose))
		return false;
	if (loads) {
		warn_of_other_backend(live, (const struct holding(*)[FAMILY_COUNT])holdings);
		tell_of_native_tables(live);
	}
	for (int f = 0; f < FAMILY_COUNT; f++) {
		if (!live->has_family[f]) {
			ruleset_init(&live->rules[f], (enum family)f, live->arena);
			continue;
		}
		if (readings[live->backend][f].problem)
			return failure_set(live->failure, FAILURE_SYSTEM, "the live %s rules cannot be read: %s",
					   family_name((enum family)f), readings[live->backend][f].problem);
		if (!readings[live->backend][f].ok)
			return refuse_unreadable(live, &readings[live->backend][f], (enum family)f, FAILURE_SYSTEM);
		live->rules[f] = readings[live->backend][f].rules;
		live->texts[f] = readings[live->backend][f].text;
	}
	return true;
}

/* ---- opening and closing ---- */

static bool check_rights(struct failure *failure)
{
	if (geteuid() == 0)
		return true;
	failure_set(failure, FAILURE_SYSTEM, "only root may read and change the kernel's rules");
	failure_note(failure, "try `sudo peerwall ...`; `peerwall compile` and `peerwall lint` need no rights");
	return false;
}

/* "has held /run/peerwall/lock for 10 seconds" */
static const char *describe_holding(struct arena *arena, const char *path, unsigned waited)
{
	if (waited == 0)
		return arena_printf(arena, "holds %s", path);
	return arena_printf(arena, "has held %s for %g second%s", path, waited / 1000.0, waited == 1000 ? "" : "s");
}

bool live_lock(struct lock *lock, const struct live_options *options, enum lock_kind kind, struct failure *failure)
{
	const char *directory = options->run_directory;
	const char *path = arena_printf(failure->arena, "%s/lock", directory);
	int error;

	if (!check_rights(failure))
		return false;
	error = kind == LOCK_SHARED ? lock_directory_check(directory) : lock_directory_prepare(directory);
	/* Where nobody ever held a lock, nobody is at work. */
	if (error == -ENOENT && kind == LOCK_SHARED)
		return true;
	if (error == -EPERM)
		return failure_set(failure, FAILURE_SYSTEM,
				   "%s: others than root may write there; locks in it would be worth nothing", directory);
	if (error)
		return failure_set(failure, FAILURE_SYSTEM, "the run directory %s: %s", directory, strerror(-error));
	error = lock_acquire(lock, path, kind, options->lock_limit);
	if (error == -ENOENT && kind == LOCK_SHARED)
		return true;
	if (error == -ETIMEDOUT) {
		failure_set(failure, FAILURE_SYSTEM, "another peerwall, or a tool of one, %s",
			    describe_holding(failure->arena, path, options->lock_limit));
		failure_note(failure, "nothing was changed; --wait SECONDS waits longer");
		return false;
	}
	if (error)
		return failure_set(failure, FAILURE_SYSTEM, "the lock %s: %s", path, strerror(-error));
	return true;
}

static bool take_own_lock(struct live *live, enum live_purpose purpose)
{
	bool changes = purpose == LIVE_LOAD || purpose == LIVE_UNLOAD;

	return live_lock(&live->own_lock, &live->options, changes ? LOCK_EXCLUSIVE : LOCK_SHARED, live->failure);
}

/* From here on the legacy tools of others wait; what they changed before is read now. */
static bool take_tools_lock(struct live *live)
{
	int error = lock_acquire(&live->tools_lock, live->options.xtables_lock, LOCK_EXCLUSIVE, live->options.lock_limit);

	if (error == -ETIMEDOUT)
		return failure_set(live->failure, FAILURE_SYSTEM, "another iptables %s",
				   describe_holding(live->arena, live->options.xtables_lock, live->options.lock_limit));
	if (error)
		return failure_set(live->failure, FAILURE_SYSTEM, "the lock of iptables, %s: %s",
				   live->options.xtables_lock, strerror(-error));
	return read_families(live, live->rules, live->texts, FAILURE_SYSTEM);
}

bool live_open(struct live *live, const struct live_options *options, enum live_purpose purpose, struct sources *sources,
	       struct arena *arena, struct diags *diags, struct failure *failure)
{
	*live = (struct live){
		.arena = arena, .sources = sources, .diags = diags, .failure = failure, .options = *options,
		.warnings = STRBUF_EMPTY, .notes = STRBUF_EMPTY, .own_lock = LOCK_FREE, .tools_lock = LOCK_FREE,
	};
	if (!check_rights(failure))
		return false;
	live->has_family[FAMILY_IPV4] = true;
	live->has_family[FAMILY_IPV6] = kernel_has_ipv6();
	if (!live->has_family[FAMILY_IPV6])
		strbuf_adds(&live->warnings, "this kernel has no IPv6: there are only IPv4 rules\n");
	if (!take_own_lock(live, purpose) || !find_backend(live, purpose))
		return false;
	if (live->backend == BACKEND_LEGACY && (purpose == LIVE_LOAD || purpose == LIVE_UNLOAD))
		return take_tools_lock(live);
	return true;
}

void live_unlock(struct live *live)
{
	lock_release(&live->tools_lock);
	lock_release(&live->own_lock);
}

void live_close(struct live *live)
{
	live_unlock(live);
	strbuf_free(&live->warnings);
	strbuf_free(&live->notes);
}

/* ---- changing ---- */

enum restore_outcome live_restore(struct live *live, enum family family, const struct strbuf *payload, bool test,
				  struct strbuf *said)
{
	bool legacy = live->backend == BACKEND_LEGACY;
	const char *path = live->tools.restore[family];
	const char *argv[6] = {path, "--noflush"};
	size_t argc = 2;
	struct process process = {
		.path = path, .argv = argv, .input = payload->data, .input_size = payload->len,
		.output_limit = 1u << 20, .time_limit = live->options.tool_limit, .keeps = {&live->own_lock.fd},
	};
	struct process_result result;
	enum restore_outcome outcome = RESTORE_REFUSED;
	int error;

	if (legacy) {
		process.keeps[1] = &live->tools_lock.fd;
		/* The lock is ours already: the tool gets one that nobody else has. Without -w it would wait for ever. */
		argv[argc++] = "-w";
		argv[argc++] = "5";
		/* After a look there may be no directory yet, and a rehearsal needs one. */
		(void)lock_directory_prepare(live->options.run_directory);
		process.lock_file = arena_printf(live->arena, "%s/xtables.lock", live->options.run_directory);
	}
	if (test)
		argv[argc++] = "--test";
	error = process_run(&result, &process);
	if (error) {
		strbuf_addf(said, "%s cannot be run: %s", path, strerror(-error));
	} else if (process_succeeded(&result)) {
		outcome = RESTORE_DONE;
	} else {
		strbuf_addf(said, "%s ", path);
		process_describe_end(said, &process, &result);
		if (result.err.len) {
			strbuf_adds(said, ": ");
			process_describe_message(said, &result);
		}
		if (result.end != PROCESS_EXITED)
			outcome = RESTORE_UNKNOWN;
		else if (result.code == 4)
			outcome = RESTORE_BUSY;
	}
	process_result_free(&result);
	return outcome;
}

void live_describe_restore(struct strbuf *out, const struct live *live, enum family family)
{
	strbuf_addf(out, "%s --noflush%s", live->tools.restore[family] ? live->tools.restore[family] : "iptables-restore",
		    live->backend == BACKEND_LEGACY ? " -w 5" : "");
}

bool live_has_table(const struct live *live, enum family family, enum table_id table)
{
	struct strbuf tables = STRBUF_EMPTY;
	size_t size = strlen(table_names[table]);
	bool found = live->backend == BACKEND_NFT;
	const char *line;

	read_table_list(&tables, family);
	for (line = strbuf_str(&tables); line && *line && !found; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		found = strncmp(line, table_names[table], size) == 0 && (line[size] == '\n' || line[size] == '\0');
	strbuf_free(&tables);
	return found;
}
