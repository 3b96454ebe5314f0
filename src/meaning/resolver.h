/* resolver.h - what the files of resolve share: one resolution's state. Nobody else includes it. */
#ifndef PEERWALL_RESOLVER_H
#define PEERWALL_RESOLVER_H

#include <peerwall/ast.h>
#include <peerwall/diag.h>
#include <peerwall/intern.h>
#include <peerwall/policy.h>
#include <peerwall/services.h>

enum binding_state { BINDING_NEW, BINDING_ACTIVE, BINDING_DONE };

/* A name and what it stands for. Peers and services share one space of names. */
struct binding {
	const char *name;
	const struct ast_item *item; /* NULL: predefined */
	bool in_root;                /* defined in the file that was asked for */
	bool is_peers;
	bool used;
	enum binding_state state;
	struct peer_set peers;
	struct service_set services;
};

/* A port that a definition names itself, for the search for ports named twice. */
struct literal_port {
	enum protocol protocol;
	struct port_range range;
	uint32_t binding;
	struct span span;
};

struct resolver {
	const struct ast *ast;
	struct arena *arena;
	struct diags *diags;
	struct policy *policy;
	struct intern names;
	VEC(struct binding) bindings; /* by number in `names` */
	VEC(struct literal_port) literals;
	struct services services;
	bool services_loaded;
	int services_error;
	bool in_forward;  /* its services stand right behind a list of peers */
	size_t expansion; /* ranges made so far */
	bool expansion_reported;
};

/* ---- resolve_names.c ---- */

void resolver_collect(struct resolver *resolver);
/* Works out every definition. */
void resolver_define(struct resolver *resolver);
struct binding *resolver_find(struct resolver *resolver, const struct ast_word *word);
/* The name of that kind that is spelled almost like the word, or NULL. It counts as used. */
const char *resolver_nearest(struct resolver *resolver, const struct ast_word *word, bool is_peers);
void resolver_warn_unused(struct resolver *resolver);
void resolver_warn_shared_ports(struct resolver *resolver);

/* ---- resolve_sets.c: lists of words to sets; errors are diagnosed and left out ---- */

void resolver_peers(struct resolver *resolver, const struct ast_words *words, struct peer_set *out);
/* `binding` is the definition that the ports are in, or INTERN_NONE. */
void resolver_ports(struct resolver *resolver, const struct ast_ports *ports, uint32_t binding, struct service_set *out);
/* "a port number": for messages about a word in the wrong place. */
const char *describe_word_kind(const struct ast_word *word);

/* ---- resolve_words.c: single words; NULL or false after a diagnostic ---- */

const char *resolver_interface(struct resolver *resolver, const struct ast_word *word);
void resolver_icmp(struct resolver *resolver, const struct ast_words *words, enum family family, struct permission *out);
void resolver_log(struct resolver *resolver, const struct ast_log *log, struct log_rule *out);

/* ---- resolve_blocks.c ---- */

void resolver_interface_block(struct resolver *resolver, const struct ast_item *item);
void resolver_test_block(struct resolver *resolver, const struct ast_item *item);
void resolver_check_overlaps(struct resolver *resolver);

/* ---- suppress.c ---- */

void resolver_suppressions(struct resolver *resolver, const struct ast_file *file);

#endif
