/* Checks of peerwall's own chains and jumps in a snapshot, and of what looks like them. */
#include "checks_run.h"

#include <peerwall/lower.h>
#include <peerwall/match_codec.h>
#include <peerwall/strbuf.h>

#include <string.h>

/* The chain that the rule leads to, as its index in the table; false if it leads to none. */
static bool find_target(const struct table *table, const struct rule *rule, size_t *out)
{
	const struct chain *chain;

	if (rule->opaque || (rule->target.kind != TARGET_JUMP && rule->target.kind != TARGET_GOTO))
		return false;
	chain = table_find_chain(table, rule->target.chain, strlen(rule->target.chain));
	if (!chain)
		return false;
	*out = (size_t)(chain - table->chains.data);
	return true;
}

/* What leads to the chains of a table that bear a name of ours. By chain index; NULL: nothing of that kind. */
struct own_references {
	const struct rule **ours;    /* a jump of ours, or from one of our chains */
	const struct rule **foreign;
};

static struct own_references find_references(const struct check_run *run, const struct snapshot_index *index,
					     enum table_id id)
{
	const struct table *table = &index->snapshot->ruleset->tables[id];
	size_t size = (table->chains.len + 1) * sizeof(struct rule *);
	struct own_references references = {arena_zalloc(run->arena, size), arena_zalloc(run->arena, size)};

	for (size_t i = 0; i < table->chains.len; i++)
		vec_each(rule, &table->chains.data[i].rules) {
			bool ours = index->chain_owner[id][i] || own_jump_interface(run->arena, rule);
			const struct rule **slot;
			size_t target;

			if (!find_target(table, rule, &target) || !index->chain_owner[id][target])
				continue;
			slot = ours ? &references.ours[target] : &references.foreign[target];
			if (!*slot)
				*slot = rule;
		}
	return references;
}

typedef void (*own_chain_function)(struct check_run *run, const struct chain *chain, const char *interface,
				   const struct rule *ours, const struct rule *foreign);

static void each_own_chain(struct check_run *run, const struct snapshot_index *index, own_chain_function function)
{
	for (int id = 0; id < TABLE_COUNT; id++) {
		const struct table *table = &index->snapshot->ruleset->tables[id];
		struct own_references references = find_references(run, index, (enum table_id)id);

		for (size_t i = 0; i < table->chains.len; i++)
			if (index->chain_owner[id][i])
				function(run, &table->chains.data[i], index->chain_owner[id][i], references.ours[i],
					 references.foreign[i]);
	}
}

static const struct interface_name *find_interface(const struct check_run *run, const char *name)
{
	uint32_t number = intern_find(&run->interfaces, name, strlen(name));

	return number == INTERN_NONE ? NULL : run->interface_names.data[number];
}

/* ---- a name that is in use ---- */

static void check_taken(struct check_run *run, const struct chain *chain, const char *interface,
			const struct rule *ours, const struct rule *foreign)
{
	const struct interface_name *name = find_interface(run, interface);
	struct diag *diag;

	(void)ours;
	if (!name || !foreign)
		return;
	diag = diag_add(run->diags, CODE_CHAIN_NAME_TAKEN, foreign->span,
			"this rule is not peerwall's, but uses the chain '%s', which peerwall would overwrite",
			chain->name);
	diag_label(run->diags, diag, name->span, "the policy needs it for '%s'", name->text);
	if (chain->span.lo)
		diag_label(run->diags, diag, chain->span, "the chain is declared here");
}

void check_chain_name_taken(struct check_run *run)
{
	vec_each(index, &run->snapshots)
		each_own_chain(run, index, check_taken);
}

static void report_prefix(struct check_run *run, const struct chain *chain)
{
	diag_add(run->diags, CODE_FOREIGN_PREFIX, chain->span,
		 "'%s' begins like peerwall's own chains, but is not one of them", chain->name);
}

static void check_foreign_chain(struct check_run *run, const struct chain *chain, const char *interface,
				const struct rule *ours, const struct rule *foreign)
{
	if (foreign && !ours && !find_interface(run, interface))
		report_prefix(run, chain);
}

static bool begins_like_ours(const char *name)
{
	size_t size = strlen(OWN_CHAIN_PREFIX);

	return strncmp(name, OWN_CHAIN_PREFIX, size) == 0 && (name[size] == '-' || name[size] == '=');
}

void check_foreign_prefix(struct check_run *run)
{
	vec_each(index, &run->snapshots) {
		for (int id = 0; id < TABLE_COUNT; id++) {
			const struct table *table = &index->snapshot->ruleset->tables[id];

			for (size_t i = 0; i < table->chains.len; i++)
				if (!index->chain_owner[id][i] && begins_like_ours(table->chains.data[i].name))
					report_prefix(run, &table->chains.data[i]);
		}
		each_own_chain(run, index, check_foreign_chain);
	}
}

/* ---- jumps ---- */

typedef void (*own_jump_function)(struct check_run *run, const struct rule *jump, const char *interface);

static void each_own_jump(struct check_run *run, const struct snapshot_index *index, own_jump_function function)
{
	for (int id = 0; id < TABLE_COUNT; id++) {
		const struct table *table = &index->snapshot->ruleset->tables[id];

		vec_each(chain, &table->chains) {
			if (!chain->builtin)
				continue;
			vec_each(rule, &chain->rules) {
				const char *interface = own_jump_interface(run->arena, rule);

				if (interface)
					function(run, rule, interface);
			}
		}
	}
}

static const char *rule_text(const struct rule *rule, enum family family, struct strbuf *scratch)
{
	strbuf_reset(scratch);
	rule_encode(scratch, family, rule);
	return strbuf_str(scratch);
}

static void check_duplicates_in(struct check_run *run, enum family family, const struct chain *chain,
				struct strbuf *scratch)
{
	VEC(const struct rule *) first = {0};
	struct intern texts;

	intern_init(&texts, run->arena);
	vec_each(rule, &chain->rules) {
		const char *interface = own_jump_interface(run->arena, rule), *text;
		struct diag *diag;
		uint32_t number;

		if (!interface)
			continue;
		text = rule_text(rule, family, scratch);
		number = intern_add(&texts, text, strlen(text));
		if (number == first.len) {
			vec_push(run->arena, &first, rule);
			continue;
		}
		diag = diag_add(run->diags, CODE_DUPLICATE_JUMP, rule->span,
				"peerwall's jump for '%s' is in %s more than once", interface, chain->name);
		diag_label(run->diags, diag, first.data[number]->span, "first here");
		diag_label(run->diags, diag, SPAN_NONE, "`peerwall apply` leaves one of them");
	}
}

void check_duplicate_jump(struct check_run *run)
{
	struct strbuf scratch = STRBUF_EMPTY;

	vec_each(index, &run->snapshots)
		for (int id = 0; id < TABLE_COUNT; id++)
			vec_each(chain, &index->snapshot->ruleset->tables[id].chains)
				if (chain->builtin)
					check_duplicates_in(run, index->snapshot->ruleset->family, chain, &scratch);
	strbuf_free(&scratch);
}

/* ---- interfaces that only the snapshot knows ---- */

static void report_unknown(struct check_run *run, const struct rule *jump, const char *interface)
{
	uint32_t before = run->reported.count;

	if (find_interface(run, interface))
		return;
	/* Once for each interface, not for each of its jumps. */
	intern_add(&run->reported, interface, strlen(interface));
	if (run->reported.count == before)
		return;
	diag_add(run->diags, CODE_UNKNOWN_OWN_INTERFACE, jump->span,
		 "peerwall's rules for '%s' are loaded, but no policy given here names it", interface);
}

void check_unknown_own_interface(struct check_run *run)
{
	intern_init(&run->reported, run->arena);
	vec_each(index, &run->snapshots)
		each_own_jump(run, index, report_unknown);
}

/* ---- chains that nothing leads to ---- */

void check_orphan_chain(struct check_run *run)
{
	vec_each(index, &run->snapshots) {
		for (int id = 0; id < TABLE_COUNT; id++) {
			const struct table *table = &index->snapshot->ruleset->tables[id];

			for (size_t i = 0; i < table->chains.len; i++) {
				const char *interface = index->chain_owner[id][i];

				if (!interface || index->reach[id].hooks[i])
					continue;
				diag_add(run->diags, CODE_ORPHAN_CHAIN, table->chains.data[i].span,
					 "nothing leads to peerwall's chain '%s': something was left half done; `peerwall "
					 "down %s` takes it away",
					 table->chains.data[i].name, interface);
			}
		}
	}
}

/* ---- rules that come before ours and let packets by ---- */

/* Which chains of a table can say ACCEPT, themselves or by a jump. Every rule is looked at once, every jump once more. */
struct accepting {
	bool *chains;
};

struct jump_edge {
	size_t from;
	size_t next; /* the next edge with the same target, plus one; 0: none */
};

static struct accepting find_accepting(const struct check_run *run, const struct table *table)
{
	size_t count = table->chains.len, waiting_count = 0;
	struct accepting accepting = {arena_zalloc(run->arena, count + 1)};
	size_t *first = arena_zalloc(run->arena, (count + 1) * sizeof *first);
	size_t *waiting = arena_alloc(run->arena, (count + 1) * sizeof *waiting);
	VEC(struct jump_edge) edges = {0};

	for (size_t i = 0; i < count; i++)
		vec_each(rule, &table->chains.data[i].rules) {
			size_t target;

			if (find_target(table, rule, &target)) {
				vec_push(run->arena, &edges, (struct jump_edge){i, first[target]});
				first[target] = edges.len;
			} else if (!rule->opaque && rule->target.kind == TARGET_ACCEPT && !accepting.chains[i]) {
				accepting.chains[i] = true;
				waiting[waiting_count++] = i;
			}
		}
	while (waiting_count) {
		for (size_t edge = first[waiting[--waiting_count]]; edge; edge = edges.data[edge - 1].next) {
			size_t from = edges.data[edge - 1].from;

			if (accepting.chains[from])
				continue;
			accepting.chains[from] = true;
			waiting[waiting_count++] = from;
		}
	}
	return accepting;
}

static bool interfaces_meet(const struct interface_match *a, const struct interface_match *b)
{
	if (!a->name || !b->name || b->negated)
		return true;
	if (!a->negated)
		return interface_names_overlap(a->name, b->name);
	return strcmp(a->name, b->name) != 0 && strcmp(a->name, "+") != 0;
}

#define STATE_NEW (1u << 1) /* of the names of conntrack's and state's option */

/* Replies pass our chain, too: letting them by opens nothing. */
static bool is_for_replies_only(const struct rule *rule)
{
	const struct option *option = rule_option(rule, OPTION_CONNTRACK_CTSTATE);

	if (!option)
		option = rule_option(rule, OPTION_STATE_STATE);
	return option && !option->negated && !(option->value.bits & STATE_NEW);
}

static bool lets_by(const struct table *table, const struct accepting *accepting, const struct rule *rule)
{
	size_t target;

	if (rule->opaque || is_for_replies_only(rule))
		return false;
	if (find_target(table, rule, &target))
		return accepting->chains[target];
	return rule->target.kind == TARGET_ACCEPT;
}

/* The first rule of each pair of interface matches is enough: more pairs than interfaces there are seldom. */
static bool is_new_pair(struct intern *pairs, const struct rule *rule, struct strbuf *scratch)
{
	uint32_t count = pairs->count;

	strbuf_reset(scratch);
	strbuf_addf(scratch, "%d%s/%d%s", rule->in.negated, rule->in.name ? rule->in.name : "", rule->out.negated,
		    rule->out.name ? rule->out.name : "");
	intern_add(pairs, strbuf_str(scratch), scratch->len);
	return pairs->count > count;
}

/* One pass: the rules that let packets by, and then each jump of ours that one of them comes before. */
static void check_overtaken_in(struct check_run *run, const struct table *table, const struct accepting *accepting,
			       const struct chain *chain)
{
	VEC(const struct rule *) before = {0};
	struct strbuf scratch = STRBUF_EMPTY;
	struct intern pairs;

	intern_init(&pairs, run->arena);
	vec_each(rule, &chain->rules) {
		const char *interface = own_jump_interface(run->arena, rule);

		if (!interface) {
			if (lets_by(table, accepting, rule) && is_new_pair(&pairs, rule, &scratch))
				vec_push(run->arena, &before, rule);
			continue;
		}
		vec_each(other, &before) {
			struct diag *diag;

			if (!interfaces_meet(&(*other)->in, &rule->in) || !interfaces_meet(&(*other)->out, &rule->out))
				continue;
			diag = diag_add(run->diags, CODE_OVERTAKEN_JUMP, (*other)->span,
					"this rule lets packets of '%s' by before peerwall's chain sees them", interface);
			diag_label(run->diags, diag, rule->span, "peerwall's jump comes only here");
			diag_label(run->diags, diag, SPAN_NONE, "`peerwall apply` puts it first again");
			break;
		}
	}
	strbuf_free(&scratch);
}

/* What these tables refuse is final; in filter our rules only grant, and others may grant before them. */
void check_overtaken_jump(struct check_run *run)
{
	static const enum table_id tables[] = {TABLE_MANGLE, TABLE_SECURITY};

	vec_each(index, &run->snapshots)
		for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
			const struct table *table = &index->snapshot->ruleset->tables[tables[i]];
			struct accepting accepting = find_accepting(run, table);

			vec_each(chain, &table->chains)
				if (chain->builtin)
					check_overtaken_in(run, table, &accepting, chain);
		}
}
