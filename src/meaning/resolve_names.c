/* Definitions: collected, looked up, worked out once each, whatever order they stand in. */
#include "resolver.h"

#include <stdlib.h>
#include <string.h>

/* Of more names than this nobody gets a suggestion: it would cost too much at every error. */
#define NEAREST_MAX 5000

static void add_predefined(struct resolver *resolver, const char *name)
{
	struct binding binding = {.name = name, .is_peers = true, .used = true, .state = BINDING_DONE};

	for (int family = 0; family < FAMILY_COUNT; family++) {
		struct prefix everything = {.addr = {.family = (enum family)family}};

		binding.peers.sets[family].family = (enum family)family;
		addr_set_add_prefix(resolver->arena, &binding.peers.sets[family], &everything);
	}
	intern_add(&resolver->names, name, strlen(name));
	vec_push(resolver->arena, &resolver->bindings, binding);
}

static void report_duplicate(struct resolver *resolver, const struct ast_item *item, const struct binding *first)
{
	struct diag *diag;

	if (!first->item) {
		diag_add(resolver->diags, CODE_DUPLICATE_NAME, item->name.span,
			 "'%s' is predefined: it stands for every address of both families", first->name);
		return;
	}
	diag = diag_add(resolver->diags, CODE_DUPLICATE_NAME, item->name.span, "%s is defined twice",
			diag_quote(resolver->diags, first->name, strlen(first->name)));
	diag_label(resolver->diags, diag, first->item->name.span, "first defined here%s",
		   first->is_peers == (item->kind == AST_PEERS) ? ""
		   : first->is_peers                            ? ", as peers"
								: ", as a service");
}

static void collect_definition(struct resolver *resolver, const struct ast_item *item, bool in_root)
{
	const struct ast_word *name = &item->name;
	struct diag *diag;
	uint32_t number;

	if (name->kind == AST_WORD_BAD)
		return;
	if (name->kind != AST_WORD_NAME) {
		diag = diag_add(resolver->diags, CODE_WRONG_KIND, name->span, "%s cannot be the name of a definition",
				describe_word_kind(name));
		diag_label(resolver->diags, diag, SPAN_NONE,
			   "names begin with a letter of a-z or A-Z and go on with these, 0-9, '_', '-' and '.'");
		return;
	}
	number = intern_add(&resolver->names, name->text, name->size);
	if (number < resolver->bindings.len) {
		report_duplicate(resolver, item, &resolver->bindings.data[number]);
		return;
	}
	vec_push(resolver->arena, &resolver->bindings,
		 (struct binding){
			 .name = resolver->names.strings[number],
			 .item = item,
			 .in_root = in_root,
			 .is_peers = item->kind == AST_PEERS,
			 .used = item->broken,
		 });
}

static void collect_file(struct resolver *resolver, const struct ast_file *file)
{
	vec_each(item, &file->items) {
		if ((*item)->kind == AST_PEERS || (*item)->kind == AST_SERVICE)
			collect_definition(resolver, *item, file == resolver->ast->root);
		if ((*item)->included)
			collect_file(resolver, (*item)->included);
	}
}

void resolver_collect(struct resolver *resolver)
{
	intern_init(&resolver->names, resolver->arena);
	add_predefined(resolver, "any");
	collect_file(resolver, resolver->ast->root);
}

struct binding *resolver_find(struct resolver *resolver, const struct ast_word *word)
{
	uint32_t number = intern_find(&resolver->names, word->text, word->size);

	return number == INTERN_NONE ? NULL : &resolver->bindings.data[number];
}

const char *resolver_nearest(struct resolver *resolver, const struct ast_word *word, bool is_peers)
{
	const char **candidates;
	const char *nearest;
	size_t count = 0;

	if (diags_full(resolver->diags) || resolver->bindings.len > NEAREST_MAX)
		return NULL;
	candidates = checked_realloc(NULL, resolver->bindings.len * sizeof *candidates);
	vec_each(binding, &resolver->bindings)
		if (binding->is_peers == is_peers)
			candidates[count++] = binding->name;
	nearest = nearest_word(word->text, word->size, candidates, count);
	free(candidates);
	/* What was probably meant is not unused. */
	if (nearest)
		resolver->bindings.data[intern_find(&resolver->names, nearest, strlen(nearest))].used = true;
	return nearest;
}

/* ---- the order of definitions ---- */

struct frame {
	uint32_t binding;
	size_t next; /* member to look at */
};

struct frames {
	VEC(struct frame) stack;
};

static size_t count_members(const struct ast_item *item)
{
	return item->kind == AST_PEERS ? item->words.items.len : item->ports.items.len;
}

/* The definition that a member names, if it is one that this definition may hold. */
static uint32_t member_binding(struct resolver *resolver, const struct ast_item *item, size_t index)
{
	const struct ast_word *word;
	uint32_t number;

	if (item->kind == AST_SERVICE && item->ports.items.data[index].protocol.kind != AST_WORD_NONE)
		return INTERN_NONE; /* tcp ssh: of the services database */
	word = item->kind == AST_PEERS ? &item->words.items.data[index] : &item->ports.items.data[index].value;
	if (word->kind != AST_WORD_NAME)
		return INTERN_NONE;
	number = intern_find(&resolver->names, word->text, word->size);
	if (number == INTERN_NONE || resolver->bindings.data[number].is_peers != (item->kind == AST_PEERS))
		return INTERN_NONE;
	return number;
}

static struct span member_span(const struct ast_item *item, size_t index)
{
	return item->kind == AST_PEERS ? item->words.items.data[index].span : item->ports.items.data[index].value.span;
}

static void report_definition_cycle(struct resolver *resolver, const struct frames *frames, uint32_t target)
{
	const struct frame *top = &frames->stack.data[frames->stack.len - 1];
	const struct ast_item *item = resolver->bindings.data[top->binding].item;
	const char *name = resolver->bindings.data[target].name;
	size_t from = frames->stack.len - 1, shown = 0;
	struct diag *diag;

	while (frames->stack.data[from].binding != target)
		from--;
	diag = diag_add(resolver->diags, CODE_DEFINITION_CYCLE, member_span(item, top->next), "%s contains itself",
			diag_quote(resolver->diags, name, strlen(name)));
	for (size_t i = from; i + 1 < frames->stack.len && shown < 10; i++, shown++) {
		const struct frame *frame = &frames->stack.data[i];
		const struct binding *holder = &resolver->bindings.data[frame->binding];

		diag_label(resolver->diags, diag, member_span(holder->item, frame->next), "%s holds %s", holder->name,
			   resolver->bindings.data[frames->stack.data[i + 1].binding].name);
	}
}

static void work_out(struct resolver *resolver, uint32_t number)
{
	struct binding *binding = &resolver->bindings.data[number];

	if (binding->is_peers)
		resolver_peers(resolver, &binding->item->words, &binding->peers);
	else
		resolver_ports(resolver, &binding->item->ports, number, &binding->services);
	binding->state = BINDING_DONE;
}

/* Depth first with a stack of its own: definitions may hold each other as deep as they like. */
static void define(struct resolver *resolver, struct frames *frames, uint32_t number)
{
	frames->stack.len = 0;
	resolver->bindings.data[number].state = BINDING_ACTIVE;
	vec_push(resolver->arena, &frames->stack, (struct frame){number, 0});
	while (frames->stack.len > 0) {
		struct frame *top = &frames->stack.data[frames->stack.len - 1];
		const struct ast_item *item = resolver->bindings.data[top->binding].item;
		uint32_t member;

		if (top->next == count_members(item)) {
			work_out(resolver, top->binding);
			frames->stack.len--;
			if (frames->stack.len > 0)
				frames->stack.data[frames->stack.len - 1].next++;
			continue;
		}
		member = member_binding(resolver, item, top->next);
		if (member != INTERN_NONE && resolver->bindings.data[member].state == BINDING_ACTIVE) {
			report_definition_cycle(resolver, frames, member);
		} else if (member != INTERN_NONE && resolver->bindings.data[member].state == BINDING_NEW) {
			resolver->bindings.data[member].state = BINDING_ACTIVE;
			vec_push(resolver->arena, &frames->stack, (struct frame){member, 0});
			continue;
		}
		top->next++;
	}
}

void resolver_define(struct resolver *resolver)
{
	struct frames frames = {{NULL, 0, 0}};

	for (uint32_t i = 0; i < resolver->bindings.len; i++)
		if (resolver->bindings.data[i].state == BINDING_NEW)
			define(resolver, &frames, i);
}

/* ---- what is odd about them ---- */

void resolver_warn_unused(struct resolver *resolver)
{
	vec_each(binding, &resolver->bindings) {
		/* An included file may define what only others need. */
		if (!binding->used && binding->in_root)
			diag_add(resolver->diags, CODE_UNUSED_NAME, binding->item->name.span, "%s is never used",
				 diag_quote(resolver->diags, binding->name, strlen(binding->name)));
	}
}

static int compare_literals(const void *left, const void *right)
{
	const struct literal_port *a = left, *b = right;

	if (a->protocol != b->protocol)
		return a->protocol < b->protocol ? -1 : 1;
	if (a->range.lo != b->range.lo)
		return a->range.lo < b->range.lo ? -1 : 1;
	return a->span.lo != b->span.lo ? (a->span.lo < b->span.lo ? -1 : 1) : 0;
}

static void warn_shared_port(struct resolver *resolver, const struct literal_port *a, const struct literal_port *b)
{
	const struct literal_port *first = a->span.lo < b->span.lo ? a : b, *second = first == a ? b : a;
	uint16_t port = a->range.lo > b->range.lo ? a->range.lo : b->range.lo;
	const char *name = resolver->bindings.data[first->binding].name;
	struct diag *diag;

	diag = diag_add(resolver->diags, CODE_PORT_IN_TWO_SERVICES, second->span, "%s %u belongs to %s already",
			protocol_names[a->protocol], port, diag_quote(resolver->diags, name, strlen(name)));
	diag_label(resolver->diags, diag, first->span, "given to it here");
}

void resolver_warn_shared_ports(struct resolver *resolver)
{
	const struct literal_port *widest = NULL;

	if (resolver->literals.len < 2)
		return;
	qsort(resolver->literals.data, resolver->literals.len, sizeof *resolver->literals.data, compare_literals);
	vec_each(literal, &resolver->literals) {
		if (!widest || widest->protocol != literal->protocol || literal->range.lo > widest->range.hi) {
			widest = literal;
			continue;
		}
		if (literal->binding != widest->binding)
			warn_shared_port(resolver, widest, literal);
		if (literal->range.hi > widest->range.hi)
			widest = literal;
	}
}
