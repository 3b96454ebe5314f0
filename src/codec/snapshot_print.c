/* A ruleset as iptables-save prints it. */
#include <peerwall/match_codec.h>
#include <peerwall/snapshot.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_counters(struct strbuf *out, const struct counters *counters)
{
	strbuf_addf(out, "[%" PRIu64 ":%" PRIu64 "]", counters->packets, counters->bytes);
}

static void print_chain_line(struct strbuf *out, const struct chain *chain)
{
	strbuf_addf(out, ":%s %s ", chain->name, !chain->builtin ? "-" : chain->policy_drop ? "DROP" : "ACCEPT");
	print_counters(out, &chain->counters);
	strbuf_addc(out, '\n');
}

static void print_rules(struct strbuf *out, enum family family, const struct chain *chain)
{
	vec_each(rule, &chain->rules) {
		size_t start;

		if (rule->has_counters) {
			print_counters(out, &rule->counters);
			strbuf_addc(out, ' ');
		}
		strbuf_adds(out, "-A ");
		word_encode(out, chain->name);
		strbuf_addc(out, ' ');
		start = out->len;
		if (rule->text && !rule->canonical)
			strbuf_adds(out, rule->text);
		else
			rule_encode(out, family, rule);
		if (out->len == start)
			out->data[--out->len] = '\0'; /* no blank behind the name of the chain */
		strbuf_addc(out, '\n');
	}
}

/* Built-in chains in the order of their hooks, then the others bytewise. */
static int compare_chains(const void *a, const void *b)
{
	const struct chain *first = *(const struct chain *const *)a, *second = *(const struct chain *const *)b;

	if (first->builtin != second->builtin)
		return first->builtin ? -1 : 1;
	if (first->builtin)
		return (int)first->hook - (int)second->hook;
	return strcmp(first->name, second->name);
}

void ruleset_print(struct strbuf *out, const struct ruleset *ruleset, bool sorted)
{
	for (int id = 0; id < TABLE_COUNT; id++) {
		const struct table *table = &ruleset->tables[id];
		const struct chain **chains;

		if (!table->present)
			continue;
		chains = checked_realloc(NULL, (table->chains.len + 1) * sizeof *chains);
		for (size_t i = 0; i < table->chains.len; i++)
			chains[i] = &table->chains.data[i];
		if (sorted && table->chains.len > 0)
			qsort(chains, table->chains.len, sizeof *chains, compare_chains);
		strbuf_addf(out, "*%s\n", table_names[id]);
		for (size_t i = 0; i < table->chains.len; i++)
			print_chain_line(out, chains[i]);
		for (size_t i = 0; i < table->chains.len; i++)
			print_rules(out, ruleset->family, chains[i]);
		strbuf_adds(out, "COMMIT\n");
		free(chains);
	}
}
