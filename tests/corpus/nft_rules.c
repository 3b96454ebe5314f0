/*
 * nft_rules FAMILY SAVED LISTED: what iptables-save and `nft list ruleset` print of the same rules, chain by chain in the same order. Each
 * of nft's is held against the one it is, which it has to be like, and against the others of its chain. Prints a line for each that
 * is not recognised, then the counts "RULES SAME". Status 2 for files that cannot be read.
 */
#include <peerwall/match_codec.h>
#include <peerwall/nft_rule.h>
#include <peerwall/snapshot.h>

#include <stdio.h>
#include <string.h>

struct listing {
	struct arena arena;
	const char *family; /* in nft's words */
	struct ruleset rules;
	const struct table *table;
	const struct chain *chain;
	size_t next; /* rule of the chain */
	unsigned long count, same;
};

static void compare(struct listing *listing, const char *text)
{
	struct rule_traits wanted, known;
	const struct rule *rule;
	struct strbuf printed = STRBUF_EMPTY;

	if (listing->next >= listing->chain->rules.len) {
		printf("%s: more rules than iptables-save prints\n", listing->chain->name);
		return;
	}
	rule = &listing->chain->rules.data[listing->next++];
	traits_of_nft(&wanted, text, &listing->arena);
	traits_of_rule(&known, rule, &listing->arena);
	listing->count++;
	switch (traits_compare(&known, &wanted)) {
	case LIKENESS_NONE:
		rule_encode(&printed, listing->rules.family, rule);
		printf("%s: %s\n    is not like: %s\n", listing->chain->name, strbuf_str(&printed), text);
		strbuf_free(&printed);
		return;
	case LIKENESS_MAYBE:
		return;
	case LIKENESS_SAME:
		listing->same++;
	}
}

static void take_line(struct listing *listing, char *line)
{
	char family[16], name[256], *end;
	enum table_id id;

	if (sscanf(line, "table %15s %255s {", family, name) == 2) {
		bool ours = strcmp(family, listing->family) == 0 && table_id_find(name, strlen(name), &id);

		listing->table = ours ? &listing->rules.tables[id] : NULL;
		listing->chain = NULL;
	} else if (listing->table && strncmp(line, "chain ", 6) == 0 && (end = strrchr(line, '{'))) {
		while (end > line && end[-1] == ' ')
			end--;
		listing->chain = table_find_chain(listing->table, line + 6, (size_t)(end - line - 6));
		listing->next = 0;
	} else if (listing->chain && *line && *line != '}' && strncmp(line, "type ", 5) != 0) {
		compare(listing, line);
	}
}

int main(int argc, char **argv)
{
	struct listing listing = {.arena = ARENA_EMPTY};
	struct sources sources;
	struct diags diags;
	struct source *saved;
	enum family family = argc == 4 && strcmp(argv[1], "6") == 0 ? FAMILY_IPV6 : FAMILY_IPV4;
	FILE *listed = argc == 4 ? fopen(argv[3], "r") : NULL;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	listing.family = family == FAMILY_IPV4 ? "ip" : "ip6";
	sources_init(&sources, &listing.arena);
	diags_init(&diags, &listing.arena);
	if (!listed || sources_load(&sources, argv[2], SNAPSHOT_SIZE_MAX, &saved) != 0 ||
	    !snapshot_read(&listing.rules, family, saved, &listing.arena, &diags))
		return 2;
	while ((n = getline(&line, &size, listed)) > 0) {
		line[n - (line[n - 1] == '\n')] = '\0';
		take_line(&listing, line + strspn(line, "\t "));
	}
	printf("%lu %lu\n", listing.count, listing.same);
	return 0;
}
