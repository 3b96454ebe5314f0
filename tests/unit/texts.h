/* texts.h - what the tests of texts share: where these are kept and what is wrong with them; rules and policies out of them. */
#ifndef PEERWALL_TEST_TEXTS_H
#define PEERWALL_TEST_TEXTS_H

#include <peerwall/lower.h>
#include <peerwall/parse_policy.h>
#include <peerwall/plan.h>
#include <peerwall/resolve.h>
#include <peerwall/snapshot.h>

#include <check.h>
#include <string.h>

static struct arena arena;
static struct sources sources;
static struct diags diags;

static inline void texts_setup(void)
{
	sources_init(&sources, &arena);
	diags_init(&diags, &arena);
}

static inline void texts_teardown(void)
{
	arena_free(&arena);
}

static inline struct source *add_text(const char *name, const char *text)
{
	return sources_add(&sources, name, text, strlen(text));
}

/* IPv4, as iptables-save prints it. */
static inline struct ruleset live_of(const char *text)
{
	struct ruleset live;

	ck_assert(snapshot_read(&live, FAMILY_IPV4, add_text("live", text), &arena, &diags));
	return live;
}

/* NULL for no policy at all. */
static inline struct ruleset want_of(const char *text)
{
	struct ruleset want;
	struct unit_list units = {0};
	struct policy policy;
	struct ast ast;

	if (text) {
		ck_assert(parse_policy(&ast, &sources, add_text("policy", text), NULL, &arena, &diags));
		ck_assert(resolve_policy(&policy, &ast, &arena, &diags));
		lower_policy(&units, &policy, &arena);
	}
	plan_want(&want, FAMILY_IPV4, &units, &arena);
	return want;
}

#endif
