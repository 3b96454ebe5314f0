/*
 * Any bytes as a snapshot, of both families: read, every diagnostic rendered; and what is read is printed, which
 * has to read as the same ruleset and print as the same text.
 */
#include <peerwall/bug.h>
#include <peerwall/match_codec.h>
#include <peerwall/snapshot.h>

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void render(const struct diags *diags, const struct sources *sources)
{
	struct strbuf out = STRBUF_EMPTY;

	diags_render(&out, diags, sources, (struct diag_style){.colour = true});
	strbuf_free(&out);
}

/* The rule's fields alone, whatever its text was. */
static void encode(struct strbuf *out, enum family family, const struct rule *rule)
{
	if (rule->opaque)
		strbuf_adds(out, "opaque ");
	rule_encode(out, family, rule);
	strbuf_addc(out, '\n');
}

static void encode_all(struct strbuf *out, const struct ruleset *ruleset)
{
	for (int id = 0; id < TABLE_COUNT; id++)
		vec_each(chain, &ruleset->tables[id].chains) {
			strbuf_addf(out, "%s %s\n", table_names[id], chain->name);
			vec_each(rule, &chain->rules)
				encode(out, ruleset->family, rule);
		}
}

static void try_family(enum family family, const char *text, size_t size)
{
	struct arena arena = ARENA_EMPTY;
	struct strbuf printed = STRBUF_EMPTY, again = STRBUF_EMPTY, fields = STRBUF_EMPTY, fields_again = STRBUF_EMPTY;
	struct sources sources;
	struct diags diags;
	struct ruleset ruleset, reread;
	const struct source *source;

	sources_init(&sources, &arena);
	diags_init(&diags, &arena);
	diags.limit = 20;
	source = sources_add(&sources, "fuzz", text, size);
	(void)snapshot_guess_family(source);
	if (snapshot_read(&ruleset, family, source, &arena, &diags)) {
		if (diags.errors > 0)
			BUG("it was read, with errors");
		ruleset_print(&printed, &ruleset, false);
		encode_all(&fields, &ruleset);
		source = sources_add(&sources, "printed", strbuf_str(&printed), printed.len);
		if (!snapshot_read(&reread, family, source, &arena, &diags)) {
			render(&diags, &sources);
			BUG("what was printed is not read:\n%s", strbuf_str(&printed));
		}
		ruleset_print(&again, &reread, false);
		encode_all(&fields_again, &reread);
		if (strcmp(strbuf_str(&printed), strbuf_str(&again)) != 0)
			BUG("it prints another text:\n%s\n---\n%s", strbuf_str(&printed), strbuf_str(&again));
		if (strcmp(strbuf_str(&fields), strbuf_str(&fields_again)) != 0)
			BUG("it is read as other rules:\n%s\n---\n%s", strbuf_str(&fields), strbuf_str(&fields_again));
	} else if (diags.errors == 0) {
		BUG("it was not read, without an error");
	}
	render(&diags, &sources);
	strbuf_free(&printed);
	strbuf_free(&again);
	strbuf_free(&fields);
	strbuf_free(&fields_again);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_family(FAMILY_IPV4, (const char *)data, size);
	try_family(FAMILY_IPV6, (const char *)data, size);
	return 0;
}
