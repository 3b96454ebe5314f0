#include <peerwall/backend.h>

#include <peerwall/process.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const backend_names[BACKEND_COUNT] = {"nft", "legacy"};
static const char *const program_names[FAMILY_COUNT] = {"iptables", "ip6tables"};
static const char *const directories[] = {"/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"};

const char *backend_name(enum backend backend)
{
	return backend_names[backend];
}

bool backend_find(const char *name, enum backend *out)
{
	for (int i = 0; i < BACKEND_COUNT; i++) {
		if (strcmp(name, backend_names[i]) == 0) {
			*out = (enum backend)i;
			return true;
		}
	}
	return false;
}

/* Could somebody who is not root replace what is at this place? A sticky directory keeps others' files alone. */
static bool others_may_write(const struct stat *status)
{
	if (status->st_uid != 0)
		return true;
	if (S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX))
		return false;
	return (status->st_mode & S_IWOTH) || ((status->st_mode & S_IWGRP) && status->st_gid != 0);
}

/* What `start` stands for, then each directory above it. */
static bool is_trusted_path(const char *tool, const char *start, struct failure *failure)
{
	char real[PATH_MAX];
	struct stat status;

	if (!realpath(start, real))
		return failure_set(failure, FAILURE_SYSTEM, "%s: %s", start, strerror(errno));
	for (;;) {
		char *slash;

		if (stat(*real ? real : "/", &status) != 0)
			return failure_set(failure, FAILURE_SYSTEM, "%s: %s", real, strerror(errno));
		if (others_may_write(&status)) {
			failure_set(failure, FAILURE_SYSTEM, "%s will not be run as root: others than root may write %s",
				    tool, *real ? real : "/");
			return false;
		}
		slash = strrchr(real, '/');
		if (!slash)
			return true;
		*slash = '\0';
	}
}

/* Only root has something to lose by running another's program. A link is only as good as the place it lies in. */
static bool is_trusted(const char *directory, const char *tool, struct failure *failure)
{
	return geteuid() != 0 ||
	       (is_trusted_path(tool, directory, failure) && is_trusted_path(tool, tool, failure));
}

bool tool_find(const char **out, const char *directory, const char *name, struct failure *failure)
{
	const char *const *list = directory ? &directory : directories;
	size_t count = directory ? 1 : sizeof directories / sizeof *directories;

	*out = NULL;
	for (size_t i = 0; i < count; i++) {
		const char *path = arena_printf(failure->arena, "%s/%s", list[i], name);
		struct stat status;

		if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || access(path, X_OK) != 0)
			continue;
		*out = path;
		return is_trusted(list[i], path, failure);
	}
	return true;
}

/* What a tool of the plain name is: "iptables-save v1.8.9 (nf_tables)". */
static bool ask_version(enum backend *out, const char *path, unsigned time_limit, struct failure *failure)
{
	const char *const argv[] = {path, "-V", NULL};
	struct process process = {.path = path, .argv = argv, .output_limit = 4096, .time_limit = time_limit};
	struct process_result result;
	struct strbuf said = STRBUF_EMPTY;
	int error = process_run(&result, &process);
	bool ok = false;

	if (error) {
		failure_set(failure, FAILURE_SYSTEM, "%s cannot be run: %s", path, strerror(-error));
	} else if (process_succeeded(&result) && strstr(strbuf_str(&result.out), "(nf_tables)")) {
		*out = BACKEND_NFT;
		ok = true;
	} else if (process_succeeded(&result) && strstr(strbuf_str(&result.out), " v1.")) {
		*out = BACKEND_LEGACY;
		ok = true;
	} else {
		process_describe_end(&said, &process, &result);
		if (result.err.len) {
			strbuf_adds(&said, ": ");
			process_describe_message(&said, &result);
		}
		failure_set(failure, FAILURE_SYSTEM, "%s -V does not tell which backend it is: it %s", path, strbuf_str(&said));
	}
	strbuf_free(&said);
	process_result_free(&result);
	return ok;
}

static bool find_named_tools(struct toolbox *out, const char *directory, struct failure *failure)
{
	for (int b = 0; b < BACKEND_COUNT; b++) {
		for (int f = 0; f < FAMILY_COUNT; f++) {
			char save[64], restore[64];

			snprintf(save, sizeof save, "%s-%s-save", program_names[f], backend_names[b]);
			snprintf(restore, sizeof restore, "%s-%s-restore", program_names[f], backend_names[b]);
			if (!tool_find(&out->tools[b].save[f], directory, save, failure) ||
			    !tool_find(&out->tools[b].restore[f], directory, restore, failure))
				return false;
		}
	}
	return true;
}

/* The plain names fill the places that the backends' own names left empty. */
static bool find_plain_tools(struct toolbox *out, const char *directory, unsigned time_limit, struct failure *failure)
{
	for (int f = 0; f < FAMILY_COUNT; f++) {
		const char *save, *restore;
		char name[64];
		enum backend backend;

		snprintf(name, sizeof name, "%s-save", program_names[f]);
		if (!tool_find(&save, directory, name, failure))
			return false;
		snprintf(name, sizeof name, "%s-restore", program_names[f]);
		if (!tool_find(&restore, directory, name, failure))
			return false;
		if (!save)
			continue;
		if (!ask_version(&backend, save, time_limit, failure))
			return false;
		if (!out->has_preferred) {
			out->has_preferred = true;
			out->preferred = backend;
		}
		if (!out->tools[backend].save[f])
			out->tools[backend].save[f] = save;
		if (!restore || out->tools[backend].restore[f])
			continue;
		if (!ask_version(&backend, restore, time_limit, failure))
			return false;
		if (!out->tools[backend].restore[f])
			out->tools[backend].restore[f] = restore;
	}
	return true;
}

bool toolbox_find(struct toolbox *out, const char *directory, unsigned time_limit, struct failure *failure)
{
	*out = (struct toolbox){0};
	if (directory && directory[0] != '/') {
		char *real = realpath(directory, NULL);

		if (!real)
			return failure_set(failure, FAILURE_SYSTEM, "%s: %s", directory, strerror(errno));
		directory = arena_strdup(failure->arena, real);
		free(real);
	}
	return find_named_tools(out, directory, failure) && find_plain_tools(out, directory, time_limit, failure);
}

/* ---- the choice ---- */

static bool holds_own(const struct holding of[FAMILY_COUNT])
{
	return of[FAMILY_IPV4].own || of[FAMILY_IPV6].own;
}

static bool holds_any(const struct holding of[FAMILY_COUNT])
{
	for (int f = 0; f < FAMILY_COUNT; f++)
		if (of[f].own || of[f].foreign || of[f].suspected)
			return true;
	return false;
}

static void note_holdings(struct failure *failure, const struct holding holdings[BACKEND_COUNT][FAMILY_COUNT])
{
	for (int b = 0; b < BACKEND_COUNT; b++) {
		for (int f = 0; f < FAMILY_COUNT; f++) {
			const struct holding *holding = &holdings[b][f];
			const char *name = family_name((enum family)f);

			if (holding->suspected && !holding->known)
				failure_note(failure, "%s, %s: %s", backend_names[b], name, holding->summary);
			else if (holding->foreign)
				failure_note(failure, "%s, %s: %s of others%s", backend_names[b], name, holding->summary,
					     holding->own ? ", and peerwall's" : "");
			else if (holding->own)
				failure_note(failure, "%s, %s: peerwall's", backend_names[b], name);
		}
	}
}

static bool refuse_ours_in_both(const struct holding holdings[BACKEND_COUNT][FAMILY_COUNT], struct failure *failure)
{
	failure_set(failure, FAILURE_CONFLICT, "peerwall's rules are loaded in both backends, nft and legacy");
	note_holdings(failure, holdings);
	failure_note(failure, "take one away, with `peerwall down --backend legacy --all` or `--backend nft`");
	return false;
}

static bool choose_wanted(enum backend *out, enum backend wanted, enum backend_purpose purpose,
			  const struct holding holdings[BACKEND_COUNT][FAMILY_COUNT], struct failure *failure)
{
	enum backend other = wanted == BACKEND_NFT ? BACKEND_LEGACY : BACKEND_NFT;

	*out = wanted;
	if (purpose == BACKEND_TO_LOAD && holds_own(holdings[other])) {
		failure_set(failure, FAILURE_CONFLICT, "peerwall's rules are loaded in the other backend, %s",
			    backend_names[other]);
		failure_note(failure, "take them away first, with `peerwall down --backend %s --all`", backend_names[other]);
		return false;
	}
	return true;
}

bool backend_choose(enum backend *out, const enum backend *wanted, enum backend_purpose purpose,
		    const struct toolbox *toolbox, const struct holding holdings[BACKEND_COUNT][FAMILY_COUNT],
		    struct failure *failure)
{
	bool own_nft = holds_own(holdings[BACKEND_NFT]), own_legacy = holds_own(holdings[BACKEND_LEGACY]);
	bool nft = holds_any(holdings[BACKEND_NFT]), legacy = holds_any(holdings[BACKEND_LEGACY]);

	if (wanted)
		return choose_wanted(out, *wanted, purpose, holdings, failure);
	if (own_nft && own_legacy)
		return refuse_ours_in_both(holdings, failure);
	if (purpose == BACKEND_TO_FIND_OURS && (own_nft || own_legacy)) {
		*out = own_nft ? BACKEND_NFT : BACKEND_LEGACY;
		return true;
	}
	if (nft && legacy && purpose == BACKEND_TO_LOAD) {
		failure_set(failure, FAILURE_CONFLICT,
			    "there are rules in both backends, nft and legacy, and a packet has to pass both");
		note_holdings(failure, holdings);
		failure_note(failure, "move them into one (see `iptables-legacy-save`, `iptables-nft-save`), or choose "
				      "where peerwall's belong with --backend");
		return false;
	}
	if (nft != legacy)
		*out = nft ? BACKEND_NFT : BACKEND_LEGACY;
	else if (holdings[BACKEND_NFT][FAMILY_IPV4].unusable && toolbox->tools[BACKEND_LEGACY].save[FAMILY_IPV4])
		*out = BACKEND_LEGACY;
	else if (toolbox->has_preferred)
		*out = toolbox->preferred;
	else
		*out = toolbox->tools[BACKEND_NFT].save[FAMILY_IPV4] ? BACKEND_NFT : BACKEND_LEGACY;
	return true;
}
