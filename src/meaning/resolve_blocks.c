/* Blocks: the statements of interfaces to permissions, the lines of tests to assertions. */
#include "resolver.h"

#include <stdlib.h>
#include <string.h>

/* ---- interface blocks ---- */

static void add_permission(struct resolver *resolver, struct interface_policy *block, struct permission permission,
			   const struct ast_statement *statement)
{
	permission.span = statement->span;
	resolver_log(resolver, &statement->log, &permission.log);
	vec_push(resolver->arena, &block->permissions, permission);
}

static void resolve_expose(struct resolver *resolver, struct interface_policy *block,
			   const struct ast_statement *statement)
{
	struct permission permission = {.kind = PERMISSION_EXPOSE};

	resolver_ports(resolver, &statement->ports, INTERN_NONE, &permission.services);
	resolver_peers(resolver, &statement->to, &permission.from);
	permission.has_at = statement->at.items.len > 0;
	resolver_peers(resolver, &statement->at, &permission.at);
	add_permission(resolver, block, permission, statement);
}

static void resolve_allow(struct resolver *resolver, struct interface_policy *block,
			  const struct ast_statement *statement)
{
	struct permission permission = {.kind = PERMISSION_ICMP};
	struct icmp_type ping = {.family = FAMILY_IPV4, .type = 8, .code = -1, .span = statement->span};

	resolver_peers(resolver, &statement->from, &permission.from);
	switch (statement->allow) {
	case AST_ALLOW_PING:
		vec_push(resolver->arena, &permission.icmp, ping);
		ping.family = FAMILY_IPV6;
		ping.type = 128;
		vec_push(resolver->arena, &permission.icmp, ping);
		break;
	case AST_ALLOW_ICMP:
		resolver_icmp(resolver, &statement->types, FAMILY_IPV4, &permission);
		break;
	case AST_ALLOW_ICMPV6:
		resolver_icmp(resolver, &statement->types, FAMILY_IPV6, &permission);
		break;
	}
	add_permission(resolver, block, permission, statement);
}

/* Does it say no more than the block's head does? Of several names one alone does say more. */
static bool is_own_interface(const struct interface_policy *block, const char *name)
{
	return name && block->names.len == 1 && strcmp(block->names.data[0].text, name) == 0;
}

static void resolve_forward(struct resolver *resolver, struct interface_policy *block,
			    const struct ast_statement *statement)
{
	struct permission permission = {.kind = PERMISSION_FORWARD};
	const struct ast_word *from_via = &statement->from_via, *to_via = &statement->to_via;
	struct diag *diag;

	resolver_peers(resolver, &statement->from, &permission.from);
	resolver_peers(resolver, &statement->to, &permission.to);
	resolver->in_forward = true;
	resolver_ports(resolver, &statement->ports, INTERN_NONE, &permission.services);
	resolver->in_forward = false;
	permission.services.any = statement->ports.items.len == 0;
	if (from_via->kind != AST_WORD_NONE)
		permission.from_via = resolver_interface(resolver, from_via);
	if (to_via->kind != AST_WORD_NONE)
		permission.to_via = resolver_interface(resolver, to_via);
	if (is_own_interface(block, permission.from_via))
		permission.from_via = NULL;
	if (is_own_interface(block, permission.to_via))
		permission.to_via = NULL;
	if (permission.from_via && permission.to_via) {
		diag = diag_add(resolver->diags, CODE_VIA_TWICE, to_via->span,
				"one side of a forward has to be the block's own interface");
		diag_label(resolver->diags, diag, from_via->span, "the other side names one here");
		permission.to_via = NULL;
	}
	add_permission(resolver, block, permission, statement);
}

static void resolve_otherwise(struct resolver *resolver, struct interface_policy *block,
			      const struct ast_statement *statement)
{
	struct diag *diag;

	if (block->otherwise_span.lo) {
		diag = diag_add(resolver->diags, CODE_OTHERWISE_TWICE, statement->span,
				"the block says a second time what happens otherwise");
		diag_label(resolver->diags, diag, block->otherwise_span, "first said here");
		return;
	}
	block->otherwise_span = statement->span;
	if (statement->refusal.size == 6 && memcmp(statement->refusal.text, "reject", 6) == 0)
		block->otherwise = REFUSAL_REJECT;
	resolver_log(resolver, &statement->log, &block->otherwise_log);
}

void resolver_interface_block(struct resolver *resolver, const struct ast_item *item)
{
	struct interface_policy block = {.otherwise = REFUSAL_DROP, .span = {item->span.lo, item->block.open.hi}};
	const char *name;

	vec_each(word, &item->words.items) {
		name = resolver_interface(resolver, word);
		if (name)
			vec_push(resolver->arena, &block.names, (struct interface_name){name, word->span});
	}
	vec_each(statement, &item->block.statements) {
		switch ((*statement)->kind) {
		case AST_EXPOSE:
			resolve_expose(resolver, &block, *statement);
			break;
		case AST_ALLOW:
			resolve_allow(resolver, &block, *statement);
			break;
		case AST_FORWARD:
			resolve_forward(resolver, &block, *statement);
			break;
		case AST_OTHERWISE:
			resolve_otherwise(resolver, &block, *statement);
			break;
		case AST_ASSERTION:
			break;
		}
	}
	vec_push(resolver->arena, &resolver->policy->interfaces, block);
}

/* ---- tests ---- */

void resolver_test_block(struct resolver *resolver, const struct ast_item *item)
{
	vec_each(line, &item->block.statements) {
		const struct ast_statement *statement = *line;
		struct assertion assertion = {.can = statement->can, .ping = statement->ping, .span = statement->span};

		resolver_peers(resolver, &statement->from, &assertion.from);
		resolver_ports(resolver, &statement->ports, INTERN_NONE, &assertion.services);
		assertion.has_at = statement->at.items.len > 0;
		resolver_peers(resolver, &statement->at, &assertion.at);
		vec_push(resolver->arena, &resolver->policy->assertions, assertion);
	}
}

/* ---- interfaces that two blocks claim ---- */

static int compare_claims(const void *left, const void *right)
{
	const struct interface_name *a = left, *b = right;
	int order = interface_names_compare(a->text, b->text);

	if (order)
		return order;
	return a->span.lo != b->span.lo ? (a->span.lo < b->span.lo ? -1 : 1) : 0;
}

static void report_overlap(struct resolver *resolver, const struct interface_name *a, const struct interface_name *b)
{
	const struct interface_name *first = a->span.lo < b->span.lo ? a : b, *second = first == a ? b : a;
	struct diag *diag;

	diag = diag_add(resolver->diags, CODE_INTERFACE_TWICE, second->span,
			strcmp(a->text, b->text) == 0 ? "the interface %s has its rules already"
						      : "%s speaks of interfaces that have their rules already",
			diag_quote(resolver->diags, second->text, strlen(second->text)));
	diag_label(resolver->diags, diag, first->span, "given here");
}

/*
 * Sorted, a pattern stands right before all that it covers. The patterns that cover the current name
 * are nested, and no more than a name has bytes: they wait on a stack.
 */
static void find_overlaps(struct resolver *resolver, struct interface_name *claims, size_t count)
{
	const struct interface_name *covering[INTERFACE_NAME_MAX + 1];
	size_t depth = 0;

	qsort(claims, count, sizeof *claims, compare_claims);
	for (size_t i = 0; i < count; i++) {
		while (depth > 0 && !interface_names_overlap(covering[depth - 1]->text, claims[i].text))
			depth--;
		if (depth > 0)
			report_overlap(resolver, covering[depth - 1], &claims[i]);
		else if (i > 0 && strcmp(claims[i - 1].text, claims[i].text) == 0)
			report_overlap(resolver, &claims[i - 1], &claims[i]);
		/* Equal patterns take one place. */
		if (interface_name_is_pattern(claims[i].text) &&
		    (depth == 0 || strcmp(covering[depth - 1]->text, claims[i].text) != 0))
			covering[depth++] = &claims[i];
	}
}

void resolver_check_overlaps(struct resolver *resolver)
{
	VEC(struct interface_name) claims = {NULL, 0, 0};

	vec_each(block, &resolver->policy->interfaces)
		vec_each(name, &block->names)
			vec_push(resolver->arena, &claims, *name);
	if (claims.len > 1)
		find_overlaps(resolver, claims.data, claims.len);
}
