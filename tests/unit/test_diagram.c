#include "random.h"
#include "unit.h"

#include <peerwall/diagram.h>

#include <bdd.h>
#include <stdlib.h>

/* The algebra against truth tables, and against BuDDy, over random formulas. */

#define VARIABLES 10
#define ROWS (1u << VARIABLES)

enum { STEP_AND, STEP_OR, STEP_MINUS, STEP_FORGET, STEP_COUNT };

static uint64_t seed = 20260101;

struct formula {
	uint32_t diagram;
	bool table[ROWS];
};

/* Variable 0 is the highest bit of a row. */
static bool bit_of(unsigned row, unsigned variable)
{
	return row >> (VARIABLES - 1 - variable) & 1;
}

static void make_variable(struct diagrams *diagrams, struct formula *out, unsigned variable)
{
	out->diagram = diagram_variable(diagrams, variable);
	for (unsigned row = 0; row < ROWS; row++)
		out->table[row] = bit_of(row, variable);
}

static void combine(struct diagrams *diagrams, struct formula *out, const struct formula *a, const struct formula *b,
		    int step)
{
	unsigned forgotten = random_below(VARIABLES), other = 1u << (VARIABLES - 1 - forgotten);
	struct formula result;

	for (unsigned row = 0; row < ROWS; row++)
		result.table[row] = step == STEP_AND   ? a->table[row] && b->table[row] :
				    step == STEP_OR    ? a->table[row] || b->table[row] :
				    step == STEP_MINUS ? a->table[row] && !b->table[row] :
							 a->table[row] || a->table[row ^ other];
	result.diagram = step == STEP_AND   ? diagram_and(diagrams, a->diagram, b->diagram) :
			 step == STEP_OR    ? diagram_or(diagrams, a->diagram, b->diagram) :
			 step == STEP_MINUS ? diagram_minus(diagrams, a->diagram, b->diagram) :
					      diagram_forget(diagrams, a->diagram, diagram_variable(diagrams, forgotten));
	*out = result;
}

START_TEST(agrees_with_truth_tables)
{
	static struct formula pool[VARIABLES];
	struct diagrams diagrams;

	diagrams_init(&diagrams, VARIABLES, 1u << 20);
	for (int round = 0; round < 40; round++) {
		for (unsigned i = 0; i < VARIABLES; i++)
			make_variable(&diagrams, &pool[i], i);
		for (int i = 0; i < 40; i++) {
			struct formula *to = &pool[random_below(VARIABLES)];
			unsigned count = 0;

			combine(&diagrams, to, &pool[random_below(VARIABLES)], &pool[random_below(VARIABLES)],
				(int)random_below(STEP_COUNT));
			for (unsigned row = 0; row < ROWS; row++) {
				bool vector[VARIABLES];

				for (unsigned variable = 0; variable < VARIABLES; variable++)
					vector[variable] = bit_of(row, variable);
				ck_assert_int_eq(diagram_holds(&diagrams, to->diagram, vector), to->table[row]);
				count += to->table[row];
			}
			ck_assert_double_eq(diagram_count(&diagrams, to->diagram), count);
		}
		/* One form for each set. */
		for (unsigned i = 0; i < VARIABLES; i++)
			for (unsigned j = 0; j < i; j++) {
				bool same = true;

				for (unsigned row = 0; row < ROWS; row++)
					same &= pool[i].table[row] == pool[j].table[row];
				ck_assert_int_eq(pool[i].diagram == pool[j].diagram, same);
			}
	}
	ck_assert(!diagrams.gave_up);
	diagrams_free(&diagrams);
}
END_TEST

/* Larger ones, where the tables have to grow; compared by the number of vectors and by each other's form. */
START_TEST(agrees_with_buddy)
{
	enum { WIDE = 40, POOL = 24 };
	struct diagrams diagrams;
	uint32_t own[POOL];
	BDD theirs[POOL];

	diagrams_init(&diagrams, WIDE, 1u << 24);
	ck_assert_int_ge(bdd_init(1 << 16, 1 << 14), 0);
	bdd_setvarnum(WIDE);
	bdd_setmaxincrease(1 << 20);
	bdd_gbc_hook(NULL);
	for (int round = 0; round < 6; round++) {
		for (unsigned i = 0; i < POOL; i++) {
			unsigned variable = random_below(WIDE);

			own[i] = diagram_variable(&diagrams, variable);
			theirs[i] = bdd_addref(bdd_ithvar((int)variable));
		}
		for (int i = 0; i < 120; i++) {
			unsigned a = random_below(POOL), b = random_below(POOL), to = random_below(POOL);
			unsigned variable = random_below(WIDE);
			int step = (int)random_below(STEP_COUNT);
			uint32_t mine = step == STEP_AND   ? diagram_and(&diagrams, own[a], own[b]) :
					step == STEP_OR    ? diagram_or(&diagrams, own[a], own[b]) :
					step == STEP_MINUS ? diagram_minus(&diagrams, own[a], own[b]) :
							     diagram_forget(&diagrams, own[a],
									    diagram_variable(&diagrams, variable));
			BDD buddy = bdd_addref(step == STEP_AND	  ? bdd_and(theirs[a], theirs[b]) :
					       step == STEP_OR	  ? bdd_or(theirs[a], theirs[b]) :
					       step == STEP_MINUS ? bdd_apply(theirs[a], theirs[b], bddop_diff) :
								    bdd_exist(theirs[a], bdd_ithvar((int)variable)));

			bdd_delref(theirs[to]);
			own[to] = mine;
			theirs[to] = buddy;
			ck_assert_double_eq(diagram_count(&diagrams, mine), bdd_satcount(buddy));
			for (unsigned j = 0; j < POOL; j++)
				ck_assert_int_eq(own[j] == mine, theirs[j] == buddy);
		}
		for (unsigned i = 0; i < POOL; i++)
			bdd_delref(theirs[i]);
	}
	ck_assert(!diagrams.gave_up);
	bdd_done();
	diagrams_free(&diagrams);
}
END_TEST

START_TEST(gives_up_at_its_cap)
{
	struct diagrams diagrams;
	uint32_t all = DIAGRAM_NONE;

	/* The worst order there is: pairs whose halves lie far apart need 2^16 nodes. */
	diagrams_init(&diagrams, 32, 1000);
	for (unsigned i = 0; i < 16; i++)
		all = diagram_or(&diagrams, all,
				 diagram_and(&diagrams, diagram_variable(&diagrams, i), diagram_variable(&diagrams, i + 16)));
	ck_assert(diagrams.gave_up);
	ck_assert_uint_le(diagrams.count, 1000);
	ck_assert_uint_eq(diagram_and(&diagrams, diagram_variable(&diagrams, 0), diagram_variable(&diagrams, 9)),
			  DIAGRAM_NONE);
	diagrams_free(&diagrams);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("diagram");
	TCase *tests = tcase_create("diagram");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, agrees_with_truth_tables);
	tcase_add_test(tests, agrees_with_buddy);
	tcase_add_test(tests, gives_up_at_its_cap);
	suite_add_tcase(suite, tests);
	return suite;
}
