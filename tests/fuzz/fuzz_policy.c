/*
 * Any bytes as a policy: parsed, resolved, every diagnostic rendered; and what parses is formatted, which has to
 * give the same tree and has to be stable.
 */
#include <peerwall/bug.h>
#include <peerwall/resolve.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	struct arena arena;
	struct sources sources;
	struct diags diags;
};

static void render(struct fuzz *fuzz)
{
	struct strbuf out = STRBUF_EMPTY;

	diags_sort(&fuzz->diags);
	diags_render(&out, &fuzz->diags, &fuzz->sources, (struct diag_style){.colour = true});
	strbuf_free(&out);
}

static void try_format(struct fuzz *fuzz, struct source *source)
{
	struct strbuf first = STRBUF_EMPTY, second = STRBUF_EMPTY, tree = STRBUF_EMPTY, again = STRBUF_EMPTY;
	struct ast ast;

	if (!parse_policy_alone(&ast, &fuzz->sources, source, &fuzz->arena, &fuzz->diags))
		return;
	ast_format(&first, &ast);
	ast_dump(&tree, &ast);
	source = sources_add(&fuzz->sources, "formatted", strbuf_str(&first), first.len);
	if (!parse_policy_alone(&ast, &fuzz->sources, source, &fuzz->arena, &fuzz->diags))
		BUG("the formatted policy does not parse:\n%s", strbuf_str(&first));
	ast_format(&second, &ast);
	ast_dump(&again, &ast);
	if (strcmp(strbuf_str(&tree), strbuf_str(&again)) != 0)
		BUG("formatting changed the tree:\n%s", strbuf_str(&first));
	if (strcmp(strbuf_str(&first), strbuf_str(&second)) != 0)
		BUG("formatting again changed the text:\n%s---\n%s", strbuf_str(&first), strbuf_str(&second));
	strbuf_free(&first);
	strbuf_free(&second);
	strbuf_free(&tree);
	strbuf_free(&again);
}

static void try_resolve(struct fuzz *fuzz, struct source *source)
{
	struct parameters parameters = {{NULL, 0, 0}};
	struct policy policy;
	struct ast ast;

	vec_push(&fuzz->arena, &parameters.items, (struct parameter){"iface", "wg1"});
	vec_push(&fuzz->arena, &parameters.items, (struct parameter){"bad", "a; b"});
	parse_policy(&ast, &fuzz->sources, source, &parameters, &fuzz->arena, &fuzz->diags);
	resolve_policy(&policy, &ast, &fuzz->arena, &fuzz->diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = {.arena = ARENA_EMPTY};
	struct source *source;

	sources_init(&fuzz.sources, &fuzz.arena);
	diags_init(&fuzz.diags, &fuzz.arena);
	fuzz.diags.limit = 100;
	source = sources_add(&fuzz.sources, "fuzz.pw", (const char *)data, size);
	try_format(&fuzz, source);
	/* Whatever file an include names stays unread: the outcome depends on the bytes alone. */
	if (!memmem(data, size, "include", 7))
		try_resolve(&fuzz, source);
	render(&fuzz);
	arena_free(&fuzz.arena);
	return 0;
}
