/*
 * roundtrip.c - what peerwall makes of dumps, for the tests over them.
 *
 *   roundtrip lines FAMILY FILE    reads, prints, compares with the file line by line; "lines decoded canonical
 *                                  opaque" on standard output, differences on standard error; status 1 if any
 *   roundtrip encode FAMILY FILE   prints the ruleset from its decoded fields alone, never the text as read
 *   roundtrip rules FAMILY         each line of standard input "TABLE;rule" as the rule that iptables-save would
 *                                  print, or "opaque", "unknown"
 *   roundtrip diags FAMILY FILE    what there is to say about it, on standard error
 *   roundtrip guess FILE           4, 6 or ?
 *   roundtrip words                a payload with a rule for each of many names of interfaces: every byte that the
 *                                  kernel allows in one, alone, at the start, within and at the end
 *   roundtrip names                these names as iptables-save prints them, "-A FORWARD -i NAME"
 *   roundtrip time FILE            the processor time that reading takes
 *
 * Status: 0 fine, 1 a difference, 2 usage, 3 the file is no snapshot (diagnostics on standard error).
 */
#include <peerwall/match_codec.h>
#include <peerwall/snapshot.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct arena arena;
static struct sources sources;
static struct diags diags;

static enum family family_of(const char *text)
{
	return strcmp(text, "6") == 0 ? FAMILY_IPV6 : FAMILY_IPV4;
}

static const struct source *load(const char *path)
{
	struct source *source;
	int error = sources_load(&sources, path, SNAPSHOT_SIZE_MAX, &source);

	if (error != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(-error));
		exit(2);
	}
	return source;
}

static void show_diags(void)
{
	struct strbuf text = STRBUF_EMPTY;

	diags_render(&text, &diags, &sources, (struct diag_style){false});
	fputs(strbuf_str(&text), stderr);
	strbuf_free(&text);
}

static bool read_snapshot(struct ruleset *ruleset, const char *family, const struct source *source)
{
	return snapshot_read(ruleset, family_of(family), source, &arena, &diags);
}

/* The rule as its fields have it. Opaque ones have none. */
static void encode_rule(struct strbuf *out, enum family family, const struct rule *rule)
{
	strbuf_reset(out);
	if (rule->opaque)
		strbuf_adds(out, rule->text);
	else
		rule_encode(out, family, rule);
}

/* Every rule printed has to stand in the file at its span, behind -A and its chain. */
static int lines(const char *family, const char *path)
{
	struct ruleset ruleset;
	const struct source *source = load(path);
	size_t rules = 0, decoded = 0, canonical = 0, opaque = 0, lost = 0;
	struct strbuf printed = STRBUF_EMPTY;

	if (!read_snapshot(&ruleset, family, source)) {
		show_diags();
		return 3;
	}
	for (int id = 0; id < TABLE_COUNT; id++)
		vec_each(chain, &ruleset.tables[id].chains)
			vec_each(rule, &chain->rules) {
				size_t size;
				const char *line = sources_text(&sources, rule->span, &size);

				rules++;
				opaque += rule->opaque;
				decoded += !rule->opaque;
				canonical += rule->canonical;
				if (!rule->canonical && !rule->text)
					continue; /* one of several that a list of addresses stands for */
				encode_rule(&printed, ruleset.family, rule);
				if (rule->text)
					strbuf_reset(&printed), strbuf_adds(&printed, rule->text);
				if (size < printed.len || memcmp(line + size - printed.len, strbuf_str(&printed), printed.len) != 0) {
					fprintf(stderr, "%s: \"%.*s\" became \"%s\"\n", path, (int)size, line,
						strbuf_str(&printed));
					lost++;
				}
			}
	strbuf_free(&printed);
	printf("%zu %zu %zu %zu\n", rules, decoded, canonical, opaque);
	return lost > 0;
}

static int encode(const char *family, const char *path)
{
	struct ruleset ruleset;
	struct strbuf text = STRBUF_EMPTY;

	if (!read_snapshot(&ruleset, family, load(path))) {
		show_diags();
		return 3;
	}
	for (int id = 0; id < TABLE_COUNT; id++) {
		if (!ruleset.tables[id].present)
			continue;
		printf("*%s\n", table_names[id]);
		vec_each(chain, &ruleset.tables[id].chains)
			vec_each(rule, &chain->rules) {
				encode_rule(&text, ruleset.family, rule);
				printf("-A %s%s%s\n", chain->name, text.len > 0 ? " " : "", strbuf_str(&text));
			}
	}
	strbuf_free(&text);
	return 0;
}

static int all_diags(const char *family, const char *path)
{
	struct ruleset ruleset;
	bool fine = read_snapshot(&ruleset, family, load(path));

	show_diags();
	return fine ? 0 : 3;
}

static int rules(const char *family)
{
	struct ruleset ruleset;
	struct strbuf text = STRBUF_EMPTY;
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	ruleset_init(&ruleset, family_of(family), &arena);
	while ((size = getline(&line, &room, stdin)) > 0) {
		char *rest = strchr(line, ';');
		enum table_id id;
		struct rule rule;

		if (line[size - 1] == '\n')
			line[size - 1] = '\0';
		if (!rest || !table_id_find(line, (size_t)(rest - line), &id))
			return 2;
		enum decode_result result = rule_decode(&rule, &ruleset, ruleset_table(&ruleset, id), rest + 1);

		encode_rule(&text, ruleset.family, &rule);
		puts(result == DECODE_DONE ? strbuf_str(&text) : result == DECODE_UNKNOWN ? "unknown" : "opaque");
	}
	free(line);
	strbuf_free(&text);
	return 0;
}

/* dev_valid_name() of the kernel's net/core/dev.c: no blanks, no "/" and ":"; its isspace() has 0xa0, too. */
static bool is_name_byte(unsigned char c)
{
	return c != 0 && c != '/' && c != ':' && c != ' ' && (c < '\t' || c > '\r') && c != 0xa0;
}

static void name_form(char *out, const char *form, int c)
{
	for (; *form; form++)
		if (*form == '%') {
			*out++ = (char)c;
			form++;
		} else {
			*out++ = *form;
		}
	*out = '\0';
}

static int names(bool payload)
{
	static const char *const forms[] = {"%c", "%ca", "a%c", "a%cb", "%c%cb", "a%c%c"};
	struct strbuf out = STRBUF_EMPTY;

	if (payload)
		strbuf_adds(&out, "*filter\n");
	for (int c = 1; c < 256; c++)
		for (size_t i = 0; is_name_byte((unsigned char)c) && i < sizeof forms / sizeof *forms; i++) {
			char name[16];

			if (c == '+' && (i == 0 || i == 2 || i == 5))
				continue; /* patterns, not names */
			if (c == '.' && (i == 0))
				continue;
			name_form(name, forms[i], c);
			strbuf_adds(&out, "-A FORWARD -i ");
			if (payload)
				word_encode(&out, name);
			else
				strbuf_adds(&out, name);
			strbuf_addc(&out, '\n');
		}
	if (payload)
		strbuf_adds(&out, "COMMIT\n");
	fwrite(strbuf_str(&out), 1, out.len, stdout);
	strbuf_free(&out);
	return 0;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void ignore_line(void *context, const struct ipsave_line *line)
{
	*(size_t *)context += line->count;
}

static int measure(const char *path)
{
	const struct source *source = load(path);
	struct ipsave_summary summary;
	struct ruleset ruleset;
	size_t words = 0;
	double start = seconds(), parsed, read;

	ipsave_parse(source, ignore_line, &words, &diags, &summary);
	parsed = seconds();
	read_snapshot(&ruleset, "4", source);
	read = seconds();
	printf("parse %.3f s, %.0f MB/s; read %.3f s, %.0f MB/s; %zu bytes, %zu words\n", parsed - start,
	       (double)source->size / 1e6 / (parsed - start), read - parsed,
	       (double)source->size / 1e6 / (read - parsed), source->size, words);
	return 0;
}

int main(int argc, char **argv)
{
	int status = 2;

	sources_init(&sources, &arena);
	diags_init(&diags, &arena);
	if (argc == 4 && strcmp(argv[1], "lines") == 0)
		status = lines(argv[2], argv[3]);
	else if (argc == 4 && strcmp(argv[1], "encode") == 0)
		status = encode(argv[2], argv[3]);
	else if (argc == 4 && strcmp(argv[1], "diags") == 0)
		status = all_diags(argv[2], argv[3]);
	else if (argc == 3 && strcmp(argv[1], "rules") == 0)
		status = rules(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "guess") == 0)
		status = puts((const char *[]){"?", "4", "6"}[snapshot_guess_family(load(argv[2]))]) < 0;
	else if (argc == 2 && (strcmp(argv[1], "words") == 0 || strcmp(argv[1], "names") == 0))
		status = names(strcmp(argv[1], "words") == 0);
	else if (argc == 3 && strcmp(argv[1], "time") == 0)
		status = measure(argv[2]);
	arena_free(&arena);
	return status;
}
