#include <peerwall/parse_policy.h>

#include <peerwall/policy_grammar.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool parameter_from_argument(struct arena *arena, const char *argument, struct parameter *out)
{
	const char *equals = strchr(argument, '=');

	if (!equals || equals == argument)
		return false;
	for (const char *c = argument; c < equals; c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';

		if (!letter && (c == argument || !((*c >= '0' && *c <= '9') || *c == '-' || *c == '.')))
			return false;
	}
	out->name = arena_strndup(arena, argument, (size_t)(equals - argument));
	out->value = arena_strdup(arena, equals + 1);
	return true;
}

/* ---- one file ---- */

/* Text has no NUL. What has some is an image, a program, or UTF-16. */
static bool check_is_text(struct policy_run *run, const struct source *source)
{
	const char *nul = memchr(source->text, '\0', source->size);
	uint32_t position;
	struct diag *diag;

	if (!nul)
		return true;
	position = source->start + (uint32_t)(nul - source->text);
	diag = diag_add(run->diags, CODE_NOT_TEXT, (struct span){position, position + 1},
			"the file is not text: there is a NUL byte in it");
	run->ast->incomplete = true;
	if (source->size >= 2 &&
	    (memcmp(source->text, "\xff\xfe", 2) == 0 || memcmp(source->text, "\xfe\xff", 2) == 0))
		diag_label(run->diags, diag, SPAN_NONE, "it seems to be UTF-16; policies are UTF-8");
	return false;
}

static struct ast_file *parse_file(struct policy_run *run, struct source *source)
{
	struct policy_parser parser = {
		.run = run,
		.arena = run->arena,
		.diags = run->diags,
		.source = source,
		.end = source->start,
		.fresh_line = true,
	};

	parser.file = arena_zalloc(run->arena, sizeof *parser.file);
	parser.file->source = source;
	if (source->size > POLICY_SIZE_MAX) {
		diag_add(run->diags, CODE_NOT_TEXT, SPAN_NONE, "%s is larger than a policy may be", source->name);
		return parser.file;
	}
	if (!check_is_text(run, source))
		return parser.file;
	raw_scanner_open(&parser.scanner, source->text, source->size);
	policy_parse(&parser);
	raw_scanner_close(&parser.scanner);
	return parser.file;
}

/* ---- includes ---- */

/* The same for all names of a file; of what is no file, its name. */
static uint32_t identify(struct policy_run *run, const char *path, bool *is_new)
{
	uint32_t before = run->files.count, number;
	struct stat status;
	const char *identity = path;

	if (stat(path, &status) == 0)
		identity = arena_printf(run->arena, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	number = intern_add(&run->files, identity, strlen(identity));
	*is_new = run->files.count > before;
	return number;
}

static const char *included_path(struct policy_run *run, const struct source *from, const struct ast_word *name)
{
	const char *slash = strrchr(from->name, '/');

	if (name->text[0] == '/')
		return arena_strndup(run->arena, name->text, name->size);
	if (!slash)
		return arena_printf(run->arena, "%s%.*s", name->size == 1 && name->text[0] == '-' ? "./" : "",
				    (int)name->size, name->text);
	return arena_printf(run->arena, "%.*s/%.*s", (int)(slash - from->name), from->name, (int)name->size, name->text);
}

static void report_cycle(struct policy_run *run, struct span span, const char *path, size_t from)
{
	struct diag *diag = diag_add(run->diags, CODE_INCLUDE_CYCLE, span, "%s includes itself",
				     diag_quote(run->diags, path, strlen(path)));

	for (size_t i = from + 1; i < run->open.len; i++)
		diag_label(run->diags, diag, run->open.data[i].include, "by way of this include");
}

static const char *describe_load_error(int error)
{
	return error == -EFBIG ? "it is larger than a policy may be (16 MiB)" : strerror(-error);
}

void policy_parser_include(struct policy_parser *parser, struct ast_item *item)
{
	struct policy_run *run = parser->run;
	struct source *source;
	struct diag *diag;
	const char *path;
	uint32_t identity;
	bool is_new;
	int error;

	if (run->alone || item->name.kind == AST_WORD_BAD)
		return;
	if (item->name.kind != AST_WORD_STRING) {
		diag = diag_add(run->diags, CODE_SYNTAX, item->name.span, "the name of an included file is put in quotes");
		diag_suggest(run->diags, diag, "\"%.*s\"", (int)item->name.size, item->name.text);
		return;
	}
	if (item->name.size == 0 || item->name.size >= PATH_MAX) {
		diag_add(run->diags, CODE_FILE_UNREADABLE, item->name.span, "this cannot be the name of a file");
		return;
	}
	path = included_path(run, parser->source, &item->name);
	identity = identify(run, path, &is_new);
	if (!is_new) {
		for (size_t i = 0; i < run->open.len; i++)
			if (run->open.data[i].identity == identity)
				report_cycle(run, item->span, path, i);
		return;
	}
	if (run->open.len > INCLUDE_DEPTH_MAX) {
		run->ast->incomplete = true;
		diag_add(run->diags, CODE_INCLUDE_DEPTH, item->span, "files include each other more than %d deep",
			 INCLUDE_DEPTH_MAX);
		return;
	}
	error = sources_load(run->sources, path, POLICY_SIZE_MAX, &source);
	if (error) {
		run->ast->incomplete = true;
		diag_add(run->diags, CODE_FILE_UNREADABLE, item->name.span, "cannot read %s: %s",
			 diag_quote(run->diags, path, strlen(path)), describe_load_error(error));
		return;
	}
	vec_push(run->arena, &run->open, (struct open_file){identity, item->span});
	item->included = parse_file(run, source);
	run->open.len--;
}

/* ---- the whole ---- */

static void take_parameters(struct policy_run *run, const struct parameters *parameters)
{
	intern_init(&run->parameter_names, run->arena);
	if (!parameters)
		return;
	vec_each(parameter, &parameters->items) {
		uint32_t number = intern_add(&run->parameter_names, parameter->name, strlen(parameter->name));

		if (number == run->parameters.len)
			vec_push(run->arena, &run->parameters, (struct run_parameter){.parameter = parameter});
		else
			run->parameters.data[number].parameter = parameter;
	}
}

static int compare_uses(const void *left, const void *right)
{
	const struct ast_parameter_use *a = left, *b = right;

	return a->span.lo != b->span.lo ? (a->span.lo < b->span.lo ? -1 : 1) : 0;
}

static bool parse(struct policy_run *run, struct source *root)
{
	size_t errors = run->diags->errors, first = run->diags->all.len;
	bool is_new;

	*run->ast = (struct ast){0};
	intern_init(&run->files, run->arena);
	vec_push(run->arena, &run->open, (struct open_file){identify(run, root->name, &is_new), SPAN_NONE});
	run->ast->root = parse_file(run, root);
	if (run->ast->uses.len > 1)
		qsort(run->ast->uses.data, run->ast->uses.len, sizeof *run->ast->uses.data, compare_uses);
	parse_policy_note_parameters(run->ast, run->diags, first);
	vec_each(parameter, &run->parameters)
		if (!parameter->used)
			diag_add(run->diags, CODE_UNUSED_PARAMETER, SPAN_NONE,
				 "-D %s: no '$%s' stands in the policy", parameter->parameter->name,
				 parameter->parameter->name);
	run->ast->broken = run->diags->errors > errors;
	return !run->ast->broken;
}

bool parse_policy(struct ast *out, struct sources *sources, struct source *root, const struct parameters *parameters,
		  struct arena *arena, struct diags *diags)
{
	struct policy_run run = {.sources = sources, .arena = arena, .diags = diags, .ast = out};

	take_parameters(&run, parameters);
	return parse(&run, root);
}

bool parse_policy_alone(struct ast *out, struct sources *sources, struct source *root, struct arena *arena,
			struct diags *diags)
{
	struct policy_run run = {.sources = sources, .arena = arena, .diags = diags, .ast = out, .alone = true};

	take_parameters(&run, NULL);
	return parse(&run, root);
}

/* The index of the first use that begins at or behind the position. */
static size_t find_use(const struct ast *ast, uint32_t position)
{
	size_t lo = 0, hi = ast->uses.len;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (ast->uses.data[middle].span.lo < position)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

void parse_policy_note_parameters(const struct ast *ast, struct diags *diags, size_t first)
{
	for (size_t i = first; i < diags->all.len; i++) {
		struct diag *diag = diags->all.data[i];
		size_t use = find_use(ast, diag->span.lo);

		/* Of a long place with many parameters the first one is enough. */
		if (use < ast->uses.len && ast->uses.data[use].span.lo < diag->span.hi)
			diag_label(diags, diag, SPAN_NONE, "'$%s' is %s", ast->uses.data[use].name,
				   diag_quote(diags, ast->uses.data[use].value, strlen(ast->uses.data[use].value)));
	}
}
