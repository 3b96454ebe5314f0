#include <peerwall/resolve.h>

#include "resolver.h"

#include <errno.h>
#include <string.h>

static void resolve_item(void *context, const struct ast_item *item)
{
	struct resolver *resolver = context;

	if (item->kind == AST_INTERFACE)
		resolver_interface_block(resolver, item);
	else if (item->kind == AST_TEST)
		resolver_test_block(resolver, item);
}

static void keep_definitions(struct resolver *resolver)
{
	vec_each(binding, &resolver->bindings) {
		struct definition definition = {
			.name = binding->name,
			.used = binding->used,
			.is_peers = binding->is_peers,
			.peers = binding->peers,
			.services = binding->services,
		};

		if (!binding->item)
			continue;
		definition.span = binding->item->name.span;
		vec_push(resolver->arena, &resolver->policy->definitions, definition);
	}
}

bool resolve_policy(struct policy *out, const struct ast *ast, struct arena *arena, struct diags *diags)
{
	struct resolver resolver = {.ast = ast, .arena = arena, .diags = diags, .policy = out};
	size_t errors = diags->errors, first = diags->all.len;

	*out = (struct policy){.source = ast->root->source};
	resolver_collect(&resolver);
	resolver_define(&resolver);
	ast_each_item(ast->root, resolve_item, &resolver);
	resolver_check_overlaps(&resolver);
	resolver_suppressions(&resolver, ast->root);
	resolver_warn_shared_ports(&resolver);
	/* Of a policy that was not understood whole, nobody can say what it does not use. */
	if (!ast->broken) {
		resolver_warn_unused(&resolver);
		if (out->interfaces.len == 0)
			diag_add(diags, CODE_NO_INTERFACE, SPAN_NONE, "%s has no interface block, so it does nothing",
				 ast->root->source->name);
	}
	keep_definitions(&resolver);
	parse_policy_note_parameters(ast, diags, first);
	return diags->errors == errors;
}

bool policy_load(struct policy *out, struct sources *sources, const char *path, const struct parameters *parameters,
		 struct arena *arena, struct diags *diags)
{
	struct source *source;
	struct ast ast;
	bool parsed;
	int error = sources_load(sources, path, POLICY_SIZE_MAX, &source);

	*out = (struct policy){0};
	if (error) {
		diag_add(diags, CODE_FILE_UNREADABLE, SPAN_NONE, "cannot read %s: %s",
			 diag_quote(diags, path, strlen(path)),
			 error == -EFBIG ? "it is larger than a policy may be (16 MiB)" : strerror(-error));
		return false;
	}
	parsed = parse_policy(&ast, sources, source, parameters, arena, diags);
	return resolve_policy(out, &ast, arena, diags) && parsed;
}
