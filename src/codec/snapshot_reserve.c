/* A quick look through a dump for how many rules each chain gets, so that its array is made in one piece. */
#include "snapshot_reserve.h"

#include <string.h>

void rule_counts_init(struct rule_counts *counts, struct arena *arena)
{
	*counts = (struct rule_counts){.arena = arena};
	for (int id = 0; id < TABLE_COUNT; id++)
		intern_init(&counts->names[id], arena);
}

static void count_rule(struct rule_counts *counts, enum table_id table, const char *line, const char *end)
{
	const char *name;
	uint32_t number;

	if (line < end && *line == '[') {
		line = memchr(line, ' ', (size_t)(end - line));
		if (!line)
			return;
		line++;
	}
	if (end - line < 4 || memcmp(line, "-A ", 3) != 0)
		return;
	name = line + 3;
	for (line = name; line < end && *line != ' ' && *line != '\t' && *line != '\r';)
		line++;
	number = intern_add(&counts->names[table], name, (size_t)(line - name));
	if (number == counts->numbers[table].items.len)
		vec_push(counts->arena, &counts->numbers[table].items, 0u);
	counts->numbers[table].items.data[number]++;
}

void rule_counts_take(struct rule_counts *counts, const struct source *source)
{
	const char *line = source->text, *end = source->text + source->size;
	enum table_id table = TABLE_COUNT;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline ? newline : end;

		if (*line == '*') {
			const char *name = line + 1, *behind = name;

			while (behind < stop && *behind >= 'a' && *behind <= 'z')
				behind++;
			if (!table_id_find(name, (size_t)(behind - name), &table))
				table = TABLE_COUNT;
		} else if (table != TABLE_COUNT && *line != ':' && *line != '#') {
			count_rule(counts, table, line, stop);
		}
		line = stop + 1;
	}
}

void rule_counts_reserve(const struct rule_counts *counts, enum table_id table, struct arena *arena, struct chain *chain)
{
	uint32_t number = intern_find(&counts->names[table], chain->name, strlen(chain->name));

	if (number == INTERN_NONE || chain->rules.cap > 0)
		return;
	chain->rules.cap = counts->numbers[table].items.data[number];
	chain->rules.data = arena_alloc(arena, chain->rules.cap * sizeof *chain->rules.data);
}
