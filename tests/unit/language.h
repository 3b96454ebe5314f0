/* language.h - what the tests of the policy language share: texts in, problems with their places out. */
#ifndef PEERWALL_TEST_LANGUAGE_H
#define PEERWALL_TEST_LANGUAGE_H

#include "texts.h"

#include <stdio.h>
#include <stdlib.h>

static struct parameters parameters;

static inline void language_setup(void)
{
	texts_setup();
	parameters = (struct parameters){{NULL, 0, 0}};
}

/* Forgets the problems found before. */
static inline struct ast *parse_text(const char *text)
{
	struct ast *ast = arena_zalloc(&arena, sizeof *ast);

	diags_init(&diags, &arena);
	parse_policy(ast, &sources, add_text("t.pw", text), &parameters, &arena, &diags);
	return ast;
}

static inline struct policy *resolve_text(const char *text)
{
	struct policy *policy = arena_zalloc(&arena, sizeof *policy);

	resolve_policy(policy, parse_text(text), &arena, &diags);
	return policy;
}

/* "1:7 host-bits, 2:1 syntax-error", sorted by place; "-" stands for no place. */
static inline const char *problems(void)
{
	struct strbuf out = STRBUF_EMPTY;
	struct location location;

	diags_sort(&diags);
	vec_each(diag, &diags.all) {
		strbuf_adds(&out, out.len ? ", " : "");
		if (sources_locate(&sources, (*diag)->span.lo, &location))
			strbuf_addf(&out, "%u:%u ", location.line, location.column);
		else
			strbuf_adds(&out, "- ");
		strbuf_adds(&out, diag_code_info((*diag)->code)->name);
	}
	return strbuf_keep(&out, &arena);
}

static inline const char *rendered(void)
{
	struct strbuf out = STRBUF_EMPTY;

	diags_sort(&diags);
	diags_render(&out, &diags, &sources, (struct diag_style){false});
	return strbuf_keep(&out, &arena);
}

#endif
