/*
 * parse_policy.h - from the text of a policy to its tree.
 *
 * Purpose: a thin driver over grammar/policy.l and grammar/policy.y: it feeds the parser words and statement
 * ends, replaces parameters, reads included files, and words the syntax errors.
 * Ownership: the tree lives in the arena, and points into the texts of the sources.
 * Errors: diagnostics with places; the parser goes on behind each, so that one run shows all of them. True if
 * no error was added. After false the tree holds what was understood.
 */
#ifndef PEERWALL_PARSE_POLICY_H
#define PEERWALL_PARSE_POLICY_H

#include <peerwall/ast.h>
#include <peerwall/diag.h>
#include <peerwall/source.h>

#include <stdbool.h>

/* Files may include each other this deep. */
#define INCLUDE_DEPTH_MAX 64

/* One `-D name=value`. */
struct parameter {
	const char *name;
	const char *value;
};

struct parameters {
	VEC(struct parameter) items; /* of equal names the last counts */
};

/* Takes "name=value" apart. False if it is not of that form. */
bool parameter_from_argument(struct arena *arena, const char *argument, struct parameter *out);

/*
 * Parses `root` and the files that it includes; each file counts once, however often it is included.
 * A value has to be exactly one word, scanned as the policy is, so no value can bring in a statement.
 * `parameters` may be NULL; those that are never used are warned of.
 */
bool parse_policy(struct ast *out, struct sources *sources, struct source *root, const struct parameters *parameters,
		  struct arena *arena, struct diags *diags);

/* For the formatter: includes are not followed and parameters not replaced. */
bool parse_policy_alone(struct ast *out, struct sources *sources, struct source *root, struct arena *arena,
			struct diags *diags);

/* Adds to each diagnostic from index `first` on whose place is a parameter's a note with its value. */
void parse_policy_note_parameters(const struct ast *ast, struct diags *diags, size_t first);

#endif
