#include "own_part.h"

#include <peerwall/bug.h>
#include <peerwall/match_codec.h>
#include <peerwall/plan.h>
#include <peerwall/strbuf.h>

#include <string.h>

struct planning {
	struct arena *arena;
	const struct ruleset *live;
	const struct ruleset *want; /* may be NULL */
	struct intern interfaces;
	enum family family;
};

/* ---- comparing ---- */

static const char *spelled(const struct planning *planning, const struct rule *rule)
{
	struct strbuf text = STRBUF_EMPTY;

	if (rule->text && rule->canonical)
		return rule->text;
	rule_encode(&text, planning->family, rule);
	return strbuf_keep(&text, planning->arena);
}

/* Most are of different chains; that is seen without spelling them out. */
static bool go_elsewhere(const struct rule *a, const struct rule *b)
{
	if (a->opaque || b->opaque)
		return false;
	return a->target.kind != b->target.kind ||
	       (a->target.chain && b->target.chain && strcmp(a->target.chain, b->target.chain) != 0);
}

static bool same_rule(const struct planning *planning, const struct rule *a, const struct rule *b)
{
	return !go_elsewhere(a, b) && strcmp(spelled(planning, a), spelled(planning, b)) == 0;
}

static bool same_rules(const struct planning *planning, const struct chain *a, const struct chain *b)
{
	if (a->rules.len != b->rules.len)
		return false;
	for (size_t i = 0; i < a->rules.len; i++)
		if (!same_rule(planning, &a->rules.data[i], &b->rules.data[i]))
			return false;
	return true;
}

static const struct chain *find_chain(const struct ruleset *ruleset, enum table_id table, const char *name)
{
	return ruleset ? table_find_chain(&ruleset->tables[table], name, strlen(name)) : NULL;
}

static const struct chain *find_wanted(const struct planning *planning, enum table_id table, const char *name)
{
	return find_chain(planning->want, table, name);
}

/* ---- jumps ---- */

/* By chain and spelling, and how often each. */
struct jump_set {
	struct intern keys;
	VEC(unsigned) counts;
};

/* What there is to know about a table's jumps before any of them is judged. */
struct jumps {
	struct own_jump_list live;
	struct jump_set live_set, want_set;
	struct obstacles obstacles;
};

/* A space is in no chain's name. */
static void jump_key(const struct planning *planning, struct strbuf *out, const char *chain, const struct rule *rule)
{
	strbuf_addf(out, "%s ", chain);
	if (rule->text && rule->canonical)
		strbuf_adds(out, rule->text);
	else
		rule_encode(out, planning->family, rule);
}

static void jump_set_add(const struct planning *planning, struct jump_set *set, const char *chain, const struct rule *rule)
{
	struct strbuf key = STRBUF_EMPTY;
	uint32_t number;

	jump_key(planning, &key, chain, rule);
	number = intern_add(&set->keys, key.data, key.len);
	if (number == set->counts.len)
		vec_push(planning->arena, &set->counts, 0);
	set->counts.data[number]++;
	strbuf_free(&key);
}

static unsigned jump_set_count(const struct planning *planning, const struct jump_set *set, const char *chain,
			       const struct rule *rule)
{
	struct strbuf key = STRBUF_EMPTY;
	uint32_t number;

	jump_key(planning, &key, chain, rule);
	number = intern_find(&set->keys, key.data, key.len);
	strbuf_free(&key);
	return number == INTERN_NONE ? 0 : set->counts.data[number];
}

static void jump_set_make(const struct planning *planning, struct jump_set *out, const struct own_jump_list *jumps)
{
	*out = (struct jump_set){0};
	intern_init(&out->keys, planning->arena);
	vec_each(jump, &jumps->items)
		jump_set_add(planning, out, jump->chain, jump->rule);
}

static void jumps_find(const struct planning *planning, struct jumps *out, enum table_id table)
{
	*out = (struct jumps){0};
	own_jumps(&out->live, planning->live, table, &planning->interfaces, planning->arena);
	jump_set_make(planning, &out->live_set, &out->live);
	obstacles_find(&out->obstacles, planning->live, table, planning->arena);
	intern_init(&out->want_set.keys, planning->arena);
	if (!planning->want)
		return;
	vec_each(chain, &planning->want->tables[table].chains)
		for (size_t i = 0; chain->builtin && i < chain->rules.len; i++)
			jump_set_add(planning, &out->want_set, chain->name, &chain->rules.data[i]);
}

/* Why a live jump cannot stay as it is, if so. */
static bool jump_is_wrong(const struct planning *planning, const struct jumps *jumps, const struct own_jump *jump,
			  enum drift_kind *why)
{
	if (jump_set_count(planning, &jumps->want_set, jump->chain, jump->rule) == 0) {
		*why = DRIFT_JUMP_EXTRA;
		return true;
	}
	if (jump_set_count(planning, &jumps->live_set, jump->chain, jump->rule) > 1) {
		*why = DRIFT_JUMP_DUPLICATE;
		return true;
	}
	*why = DRIFT_JUMP_OVERTAKEN;
	return jump_overtaker(&jumps->obstacles, jump) != NULL;
}

/* ---- one table ---- */

static void command(const struct planning *planning, struct edit *edit, struct command what)
{
	vec_push(planning->arena, &edit->commands, what);
}

/* All chains first, since their rules may speak of each other. */
static void plan_chains(const struct planning *planning, struct edit *edit)
{
	const struct table *table = &planning->want->tables[edit->table];
	struct chain_list changed = {0};

	vec_each(chain, &table->chains) {
		const struct chain *live = find_chain(planning->live, edit->table, chain->name);

		if (chain->builtin || (live && same_rules(planning, live, chain)))
			continue;
		vec_push(planning->arena, &changed.items, chain);
		command(planning, edit, (struct command){.kind = COMMAND_CHAIN, .chain = chain->name});
	}
	vec_each(chain, &changed.items)
		vec_each(rule, &(*chain)->rules)
			command(planning, edit,
				(struct command){.kind = COMMAND_APPEND, .chain = (*chain)->name, .rule = rule});
}

enum concern { CONCERN_WANTED = 1, CONCERN_UNWANTED = 2, CONCERN_ALL = 3 };

/* Deletes the wrong ones among the jumps to chains of that concern; the others are `staying`. */
static void plan_removed_jumps(const struct planning *planning, struct edit *edit, enum concern concern,
			       struct own_jump_list *staying)
{
	struct jumps jumps;
	enum drift_kind why;

	jumps_find(planning, &jumps, edit->table);
	vec_each(jump, &jumps.live.items) {
		bool wanted = find_wanted(planning, edit->table, jump->rule->target.chain);

		if (concern & (wanted ? CONCERN_WANTED : CONCERN_UNWANTED) &&
		    jump_is_wrong(planning, &jumps, jump, &why))
			command(planning, edit,
				(struct command){.kind = COMMAND_DELETE, .chain = jump->chain, .rule = jump->rule});
		else
			vec_push(planning->arena, &staying->items, *jump);
	}
}

/* The last one first, each at the same place: so they come to stand in the order in which they are wanted. */
static void plan_added_jumps(const struct planning *planning, struct edit *edit, const struct own_jump_list *staying)
{
	struct jump_set there;

	jump_set_make(planning, &there, staying);
	vec_each(chain, &planning->want->tables[edit->table].chains) {
		const struct chain *live = find_chain(planning->live, edit->table, chain->name);
		unsigned place;

		if (!chain->builtin)
			continue;
		place = jump_place(planning->live, edit->table, live, staying, &planning->interfaces, planning->arena);
		for (size_t i = chain->rules.len; i-- > 0;)
			if (jump_set_count(planning, &there, chain->name, &chain->rules.data[i]) == 0)
				command(planning, edit,
					(struct command){.kind = COMMAND_INSERT, .chain = chain->name,
							 .position = place, .rule = &chain->rules.data[i]});
	}
}

/* Chains of ours that are not wanted, and which of them a foreign rule leads to. */
struct stale_chains {
	struct chain_list list;
	struct intern names; /* the number of a name is its index in the list */
	bool *held;
};

static bool leads_to_chain(const struct rule *rule)
{
	return !rule->opaque && (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO);
}

static void find_holders(const struct planning *planning, struct plan *out, enum table_id table, struct stale_chains *stale)
{
	vec_each(chain, &planning->live->tables[table].chains) {
		if (!chain->builtin && own_chain_interface(planning->arena, chain->name))
			continue;
		vec_each(rule, &chain->rules) {
			uint32_t number = leads_to_chain(rule) ? intern_find(&stale->names, rule->target.chain,
									     strlen(rule->target.chain)) : INTERN_NONE;

			/* Jumps of ours go first. */
			if (number == INTERN_NONE || (chain->builtin && own_jump_interface(planning->arena, rule)))
				continue;
			stale->held[number] = true;
			vec_push(planning->arena, &out->held,
				 (struct held_chain){table, stale->list.items.data[number], chain->name, rule});
		}
	}
}

static void find_stale_chains(const struct planning *planning, struct plan *out, enum table_id table, struct stale_chains *stale)
{
	struct chain_list own = {0};

	*stale = (struct stale_chains){0};
	own_chains(&own, planning->live, table, &planning->interfaces, planning->arena);
	intern_init(&stale->names, planning->arena);
	vec_each(chain, &own.items)
		if (!find_wanted(planning, table, (*chain)->name)) {
			vec_push(planning->arena, &stale->list.items, *chain);
			intern_add(&stale->names, (*chain)->name, strlen((*chain)->name));
		}
	stale->held = arena_zalloc(planning->arena, (stale->list.items.len + 1) * sizeof *stale->held);
	if (stale->list.items.len > 0)
		find_holders(planning, out, table, stale);
}

static void plan_stale_chains(const struct planning *planning, struct plan *out, struct edit *edit)
{
	struct stale_chains stale;

	find_stale_chains(planning, out, edit->table, &stale);
	for (size_t i = 0; i < stale.list.items.len; i++)
		if (!stale.held[i] || stale.list.items.data[i]->rules.len > 0)
			command(planning, edit,
				(struct command){.kind = COMMAND_FLUSH, .chain = stale.list.items.data[i]->name});
	for (size_t i = 0; i < stale.list.items.len; i++)
		if (!stale.held[i])
			command(planning, edit,
				(struct command){.kind = COMMAND_DELETE_CHAIN, .chain = stale.list.items.data[i]->name});
}

/* Builds what is wanted, clears away what is not, or both at one stroke. */
static void plan_table(const struct planning *planning, struct plan *out, enum table_id table, enum concern concern)
{
	struct edit edit = {.table = table};
	struct own_jump_list staying = {0};

	if (concern & CONCERN_WANTED && planning->want)
		plan_chains(planning, &edit);
	plan_removed_jumps(planning, &edit, concern, &staying);
	if (concern & CONCERN_WANTED && planning->want)
		plan_added_jumps(planning, &edit, &staying);
	if (concern & CONCERN_UNWANTED)
		plan_stale_chains(planning, out, &edit);
	if (edit.commands.len)
		vec_push(planning->arena, &out->edits, edit);
}

static bool wants_table(const struct planning *planning, enum table_id table)
{
	return planning->want && planning->want->tables[table].present;
}

/*
 * The order of tables, since a payload is atomic in one table only. What denies comes before what relies on being
 * backed by it: `security` is the last word of `otherwise reject`, whose mangle chains let more pass; so it is
 * built before mangle changes, and cleared after. filter grants only what is declared, and goes last on
 * the way up and first on the way down.
 */
void plan_make(struct plan *out, const struct ruleset *live, const struct ruleset *want,
	       const struct name_list *interfaces, struct arena *arena)
{
	struct planning planning = {.arena = arena, .live = live, .want = want, .family = live->family};

	BUG_ON(want && want->family != live->family);
	names_index(&planning.interfaces, interfaces, arena);
	*out = (struct plan){.family = live->family};
	if (!wants_table(&planning, TABLE_FILTER))
		plan_table(&planning, out, TABLE_FILTER, CONCERN_ALL);
	plan_table(&planning, out, TABLE_SECURITY, CONCERN_WANTED);
	plan_table(&planning, out, TABLE_MANGLE, CONCERN_ALL);
	if (wants_table(&planning, TABLE_FILTER))
		plan_table(&planning, out, TABLE_FILTER, CONCERN_ALL);
	plan_table(&planning, out, TABLE_SECURITY, CONCERN_UNWANTED);
	/* Nothing of ours belongs there; what looks like it is cleared away all the same. */
	plan_table(&planning, out, TABLE_RAW, CONCERN_UNWANTED);
	plan_table(&planning, out, TABLE_NAT, CONCERN_UNWANTED);
}

/* ---- drift ---- */

static void drift_add(const struct planning *planning, struct drift_list *out, struct drift drift)
{
	vec_push(planning->arena, &out->items, drift);
}

/* Rules in common at both ends are in place; of what is between, the live ones are extra and the wanted ones missing. */
static void drift_rules(const struct planning *planning, struct drift_list *out, struct drift where,
			const struct chain *live, const struct chain *want)
{
	size_t head = 0, live_end = live->rules.len, want_end = want->rules.len;

	while (head < live_end && head < want_end && same_rule(planning, &live->rules.data[head], &want->rules.data[head]))
		head++;
	while (live_end > head && want_end > head &&
	       same_rule(planning, &live->rules.data[live_end - 1], &want->rules.data[want_end - 1])) {
		live_end--;
		want_end--;
	}
	where.kind = DRIFT_RULE_EXTRA;
	for (size_t i = head; i < live_end; i++) {
		where.position = (unsigned)i + 1;
		where.rule = &live->rules.data[i];
		drift_add(planning, out, where);
	}
	where.kind = DRIFT_RULE_MISSING;
	for (size_t i = head; i < want_end; i++) {
		where.position = (unsigned)i + 1;
		where.rule = &want->rules.data[i];
		drift_add(planning, out, where);
	}
}

static void drift_chains(const struct planning *planning, struct drift_list *out, enum table_id table)
{
	struct chain_list own = {0};

	if (planning->want)
		vec_each(chain, &planning->want->tables[table].chains) {
			const struct chain *live = find_chain(planning->live, table, chain->name);
			struct drift where = {.table = table, .chain = chain->name};

			if (chain->builtin)
				continue;
			where.interface = own_chain_interface(planning->arena, chain->name);
			if (!live) {
				where.kind = DRIFT_CHAIN_MISSING;
				drift_add(planning, out, where);
			} else {
				drift_rules(planning, out, where, live, chain);
			}
		}
	own_chains(&own, planning->live, table, &planning->interfaces, planning->arena);
	vec_each(chain, &own.items)
		if (!find_wanted(planning, table, (*chain)->name))
			drift_add(planning, out,
				  (struct drift){.kind = DRIFT_CHAIN_EXTRA, .table = table, .chain = (*chain)->name,
						 .interface = own_chain_interface(planning->arena, (*chain)->name)});
}

static struct drift drift_of_jump(const struct jumps *jumps, enum table_id table, const struct own_jump *jump, enum drift_kind why)
{
	const struct obstacle *overtaker = why == DRIFT_JUMP_OVERTAKEN ? jump_overtaker(&jumps->obstacles, jump) : NULL;
	struct drift drift = {.kind = why, .table = table, .interface = jump->interface, .chain = jump->chain,
			      .position = (unsigned)jump->index + 1, .rule = jump->rule};

	if (overtaker) {
		drift.overtaker_position = (unsigned)overtaker->index + 1;
		drift.overtaker = overtaker->rule;
	}
	return drift;
}

static void drift_jumps(const struct planning *planning, struct drift_list *out, enum table_id table)
{
	struct jumps jumps;
	enum drift_kind why;

	jumps_find(planning, &jumps, table);
	vec_each(jump, &jumps.live.items)
		if (jump_is_wrong(planning, &jumps, jump, &why))
			drift_add(planning, out, drift_of_jump(&jumps, table, jump, why));
	if (!planning->want)
		return;
	vec_each(chain, &planning->want->tables[table].chains)
		for (size_t i = 0; chain->builtin && i < chain->rules.len; i++) {
			const struct rule *rule = &chain->rules.data[i];

			if (jump_set_count(planning, &jumps.live_set, chain->name, rule) == 0)
				drift_add(planning, out,
					  (struct drift){.kind = DRIFT_JUMP_MISSING, .table = table,
							 .interface = own_jump_interface(planning->arena, rule),
							 .chain = chain->name, .position = 1, .rule = rule});
		}
}

void plan_drift(struct drift_list *out, const struct ruleset *live, const struct ruleset *want,
		const struct name_list *interfaces, struct arena *arena)
{
	struct planning planning = {.arena = arena, .live = live, .want = want, .family = live->family};

	names_index(&planning.interfaces, interfaces, arena);
	*out = (struct drift_list){0};
	for (int table = 0; table < TABLE_COUNT; table++) {
		drift_jumps(&planning, out, (enum table_id)table);
		drift_chains(&planning, out, (enum table_id)table);
	}
}
