#include "survey.h"

#include <peerwall/lower.h>
#include <peerwall/plan.h>
#include <peerwall/snapshot.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const table_lists[FAMILY_COUNT] = {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"};

void read_table_list(struct strbuf *out, enum family family)
{
	char chunk[512];
	int fd = open(table_lists[family], O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = read(fd, chunk, sizeof chunk)) > 0)
		strbuf_add(out, chunk, (size_t)n);
	close(fd);
}

static bool run_save(struct live *live, const char *path, struct process_result *result, struct strbuf *said)
{
	const char *const argv[] = {path, NULL};
	struct process process = {
		.path = path, .argv = argv, .output_limit = SNAPSHOT_SIZE_MAX, .time_limit = live->options.tool_limit,
	};
	int error = process_run(result, &process);

	if (error) {
		strbuf_addf(said, "%s cannot be run: %s", path, strerror(-error));
		return false;
	}
	if (process_succeeded(result))
		return true;
	strbuf_addf(said, "%s ", path);
	process_describe_end(said, &process, result);
	if (result->err.len) {
		strbuf_adds(said, ": ");
		process_describe_message(said, result);
	}
	return false;
}

bool read_rules(struct live *live, struct reading *reading, enum backend backend, enum family family,
		const char *path, struct strbuf *said)
{
	struct process_result result;
	struct source *source;
	bool ran = run_save(live, path, &result, said);

	diags_init(&reading->diags, live->arena);
	ruleset_init(&reading->rules, family, live->arena);
	reading->ok = false;
	reading->problem = NULL;
	reading->text = NULL;
	if (ran) {
		source = sources_add(live->sources,
				     arena_printf(live->arena, "<live %s rules, %s>", family_name(family),
						  backend_name(backend)),
				     strbuf_str(&result.out), result.out.len);
		if (!source)
			strbuf_addf(said, "%s wrote too much to be kept", path);
		else
			reading->ok = snapshot_read(&reading->rules, family, source, live->arena, &reading->diags);
		reading->text = source;
		ran = source != NULL;
	}
	process_result_free(&result);
	return ran;
}

/* ---- what a backend holds ---- */

/* "filter 12 rules, nat 3 rules": what others have loaded. */
static void count_holding(struct live *live, struct holding *out, const struct ruleset *rules)
{
	struct strbuf summary = STRBUF_EMPTY;
	struct name_list own = {0};

	plan_own_interfaces(&own, rules, live->arena);
	*out = (struct holding){.known = true, .own = own.items.len};
	for (int t = 0; t < TABLE_COUNT; t++) {
		size_t count = 0, policies = 0;

		vec_each(chain, &rules->tables[t].chains) {
			if (!chain->builtin && own_chain_interface(live->arena, chain->name))
				continue;
			policies += chain->builtin && chain->policy_drop;
			vec_each(rule, &chain->rules)
				count += own_jump_interface(live->arena, rule) == NULL;
		}
		out->foreign += count + policies;
		if (count + policies == 0)
			continue;
		strbuf_addf(&summary, "%s%s", summary.len ? ", " : "", table_names[t]);
		if (count)
			strbuf_addf(&summary, " %zu rule%s", count, count == 1 ? "" : "s");
		if (policies)
			strbuf_addf(&summary, "%s %zu DROP polic%s", count ? " and" : "", policies,
				    policies == 1 ? "y" : "ies");
	}
	out->summary = strbuf_keep(&summary, live->arena);
}

/* Something is there that could not be read. */
static struct holding suspect(const char *summary)
{
	return (struct holding){.suspected = true, .summary = summary};
}

/* A kernel without nf_tables holds no rules there: libnftnl's and the tool's ways to say so. */
static bool says_no_kernel_support(const char *said)
{
	return strstr(said, "Protocol not supported") || strstr(said, "Failed to initialize nft");
}

bool survey_backend(struct live *live, const struct toolbox *toolbox, enum backend backend,
		    struct reading readings[FAMILY_COUNT], struct holding holdings[FAMILY_COUNT])
{
	const enum backend *wanted = live->options.backend;

	for (int f = 0; f < FAMILY_COUNT; f++) {
		const char *path = toolbox->tools[backend].save[f];
		struct strbuf said = STRBUF_EMPTY, tables = STRBUF_EMPTY;
		bool ok = true;

		readings[f] = (struct reading){.ok = false};
		if (!live->has_family[f])
			continue;
		if (backend == BACKEND_LEGACY)
			read_table_list(&tables, (enum family)f);
		if (backend == BACKEND_LEGACY && tables.len == 0) {
			ruleset_init(&readings[f].rules, (enum family)f, live->arena);
			readings[f].ok = true;
			holdings[f] = (struct holding){.known = true};
		} else if (!path) {
			if (tables.len)
				holdings[f] = suspect("tables, but no tool to read them is installed");
		} else if (!read_rules(live, &readings[f], backend, (enum family)f, path, &said)) {
			if (backend == BACKEND_NFT && (!wanted || *wanted != BACKEND_NFT) &&
			    says_no_kernel_support(strbuf_str(&said))) {
				holdings[f] = (struct holding){.known = true, .unusable = true};
				readings[f].problem = arena_strdup(live->arena, strbuf_str(&said));
			} else {
				ok = failure_set(live->failure, FAILURE_SYSTEM, "the live %s rules cannot be read: %s",
						 family_name((enum family)f), strbuf_str(&said));
			}
		} else if (!readings[f].ok) {
			holdings[f] = suspect(arena_printf(live->arena, "rules that %s cannot show whole", path));
		} else {
			count_holding(live, &holdings[f], &readings[f].rules);
		}
		strbuf_free(&said);
		strbuf_free(&tables);
		if (!ok)
			return false;
	}
	return true;
}
