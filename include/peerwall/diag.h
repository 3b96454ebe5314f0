/*
 * diag.h - what there is to tell the user: diagnostics, collected and never printed here.
 *
 * Each has a code from the append-only registry in codes.def, a severity, a place, a message, and any
 * number of further places ("first defined here") and notes ("did you mean ...?").
 * Ownership: everything lives in the arena given to diags_init(). Messages carry no trailing newline
 * and no position; the renderers add these.
 */
#ifndef PEERWALL_DIAG_H
#define PEERWALL_DIAG_H

#include <peerwall/arena.h>
#include <peerwall/source.h>
#include <peerwall/strbuf.h>
#include <peerwall/vec.h>

#include <stdbool.h>
#include <stddef.h>

enum severity { SEVERITY_OFF, SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR };

enum diag_code {
#define CODE(id, number, name, severity, summary) CODE_##id,
#include <peerwall/codes.def>
#undef CODE
	CODE_COUNT
};

struct diag_code_info {
	const char *number;     /* "PW101": never reused, never changes its meaning */
	const char *name;       /* "syntax-error": for -W, --error and suppression comments */
	enum severity severity; /* by default */
	const char *summary;    /* one line, for lists and SARIF's rule descriptions */
};

const struct diag_code_info *diag_code_info(enum diag_code code);
/* By number or by name. False if there is none. */
bool diag_code_find(const char *text, size_t size, enum diag_code *out);

struct diag_label {
	struct span span; /* SPAN_NONE: a note without a place */
	const char *text;
};

struct diag {
	enum diag_code code;
	enum severity severity;
	struct span span;
	const char *message;
	const char *suggestion; /* the text that would put `span` right, or NULL */
	VEC(struct diag_label) labels;
};

struct diags {
	struct arena *arena;
	VEC(struct diag *) all;
	size_t errors;
	size_t warnings;
	size_t limit;      /* errors beyond it are counted, not kept, and so are warnings; 0 is none */
	size_t suppressed; /* errors not kept because of that limit */
	struct diag *spare; /* stands for all that are not kept */
};

void diags_init(struct diags *diags, struct arena *arena);

/* Adds one with the code's default severity. Never NULL: beyond the limit it is one that is not kept. */
struct diag *diag_add(struct diags *diags, enum diag_code code, struct span span, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void diag_label(struct diags *diags, struct diag *diag, struct span span, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void diag_suggest(struct diags *diags, struct diag *diag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Would one more error be kept? For callers to whom working out a message is costly. */
bool diags_full(const struct diags *diags);

/* The text in quotes, as it can stand in a message: cut short if it is long. */
const char *diag_quote(struct diags *diags, const char *text, size_t size);

/* Stable: by first place, then by code. */
void diags_sort(struct diags *diags);

struct diag_style {
	bool colour;
};

/* The one text renderer: "file:line:col: error: message [PW101 name]", the line, the caret, labels, notes. */
void diag_render(struct strbuf *out, const struct diag *diag, const struct sources *sources, struct diag_style style);
void diags_render(struct strbuf *out, const struct diags *diags, const struct sources *sources,
		  struct diag_style style);

/* The text as a terminal may see it: what is no character, or would do more than show one, is replaced. */
void diag_clean(struct strbuf *out, const char *text, size_t size);

/*
 * The candidate nearest to `word`, at an edit distance of at most a third of its length, or NULL.
 * For "did you mean".
 */
const char *nearest_word(const char *word, size_t size, const char *const *candidates, size_t count);

#endif
