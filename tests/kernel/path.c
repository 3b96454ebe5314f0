/* The rules that one packet met, as the tracer and the kernel tell it. */
#include "sets.h"

void path_of_trace(struct rule_path *out, const struct trace_path *trace, struct arena *arena)
{
	*out = (struct rule_path){0};
	vec_each(step, &trace->steps)
		if (step->kind == STEP_RULE && step->matched)
			vec_push(arena, &out->rules, step->rule);
}

/* The number of the next rule that the analysis walks, too; or that of rules. */
static size_t next_rule(const struct rule_path *path, const struct tallies *tallies, size_t i)
{
	while (i < path->rules.len && !tallies_find(tallies, path->rules.data[i]))
		i++;
	return i;
}

bool path_fits(const struct rule_path *path, const struct prediction *prediction, const struct tallies *tallies)
{
	size_t at = next_rule(path, tallies, 0);

	vec_each(meeting, &prediction->meetings) {
		if (!meeting->taking->rule)
			continue;
		if (at < path->rules.len && path->rules.data[at] == meeting->taking->rule)
			at = next_rule(path, tallies, at + 1);
		else if (meeting->surely)
			return false;
	}
	return at == path->rules.len;
}

bool path_equal(const struct rule_path *a, const struct rule_path *b, const struct tallies *tallies)
{
	size_t i = next_rule(a, tallies, 0), j = next_rule(b, tallies, 0);

	while (i < a->rules.len && j < b->rules.len && a->rules.data[i] == b->rules.data[j]) {
		i = next_rule(a, tallies, i + 1);
		j = next_rule(b, tallies, j + 1);
	}
	return i == a->rules.len && j == b->rules.len;
}
