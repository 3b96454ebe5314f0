/* The rows of modules.def as tables, and the look-up of names in them. */
#include "module_table.h"
#include "words.h"

#include <string.h>

const struct option_row option_rows[OPTION_COUNT] = {
#define MODULE(id, name, kind)
#define OPTION(module, id, spelling, value, flags, names) \
	[OPTION_##module##_##id] = {MODULE_##module, spelling, sizeof(spelling) - 1, VALUE_##value, flags, names},
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
};

/* BEGIN_x is the number of module x's first option: each module's row takes back the count that it adds. */
enum module_begin {
#define MODULE(id, name, kind) BEGIN_##id, BACK_##id = BEGIN_##id - 1,
#define OPTION(module, id, spelling, value, flags, names) NUMBER_##module##_##id,
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
	BEGIN_COUNT
};

enum module_kind { KIND_MATCH, KIND_TARGET };

static const struct {
	const char *name;
	uint32_t name_size;
	enum module_kind kind;
	int begin;
} modules[] = {
#define MODULE(id, name, kind) [MODULE_##id] = {name, sizeof(name) - 1, KIND_##kind, BEGIN_##id},
#define OPTION(module, id, spelling, value, flags, names)
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
};

static const enum module_trait traits[MODULE_COUNT] = {
#define MODULE(id, name, kind)
#define OPTION(module, id, spelling, value, flags, names)
#define MODULE_TRAIT(id, trait) [MODULE_##id] = TRAIT_##trait,
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
#undef MODULE_TRAIT
};

static const struct alias_row aliases[] = {
#define MODULE(id, name, kind)
#define OPTION(module, id, spelling, value, flags, names)
#define ALIAS(module, id, spelling, transform) \
	{OPTION_##module##_##id, spelling, sizeof(spelling) - 1, TRANSFORM_##transform},
#include <peerwall/modules.def>
#undef MODULE
#undef OPTION
#undef ALIAS
};

struct module_row module_row(enum module_id module)
{
	int begin = modules[module].begin;
	int end = module + 1 < MODULE_OPAQUE ? modules[module + 1].begin : OPTION_COUNT;

	return (struct module_row){
		.name = modules[module].name,
		.name_size = modules[module].name_size,
		.target = modules[module].kind == KIND_TARGET,
		.first = (enum option_id)begin,
		.count = (unsigned)(end - begin),
		.trait = traits[module],
	};
}

enum module_id module_find(const char *name, size_t size, bool target, enum family family)
{
	enum module_trait other = family == FAMILY_IPV4 ? TRAIT_IPV6_ONLY : TRAIT_IPV4_ONLY;

	/* iptables knows the ICMPv6 match by the name of the protocol, too. */
	if (!target && family == FAMILY_IPV6 && (word_equal(name, size, "icmpv6") || word_equal(name, size, "ipv6-icmp")))
		return MODULE_ICMP6;
	for (int id = 0; id < MODULE_OPAQUE; id++)
		if (modules[id].name_size == size && (modules[id].kind == KIND_TARGET) == target &&
		    memcmp(modules[id].name, name, size) == 0)
			return traits[id] == other ? MODULE_OPAQUE : (enum module_id)id;
	return MODULE_OPAQUE;
}

/* Keeps the best of what was seen: an exact name, else the one option that names begin so stand for. */
static void consider(enum option_lookup *best, enum option_id *option, enum alias_transform *transform,
		     const char *spelling, size_t spelling_size, enum option_id candidate,
		     enum alias_transform candidate_transform, const char *name, size_t size)
{
	if (size > spelling_size || memcmp(spelling, name, size) != 0 || *best == LOOKUP_EXACT)
		return;
	if (size == spelling_size)
		*best = LOOKUP_EXACT;
	else if (*best == LOOKUP_NONE)
		*best = LOOKUP_PREFIX;
	else if (*option != candidate || *transform != candidate_transform)
		*best = LOOKUP_AMBIGUOUS;
	if (*best != LOOKUP_AMBIGUOUS) {
		*option = candidate;
		*transform = candidate_transform;
	}
}

enum option_lookup option_find(enum module_id module, enum family family, const char *name, size_t size,
			       enum option_id *option, enum alias_transform *transform)
{
	struct module_row row = module_row(module);
	enum option_lookup best = LOOKUP_NONE;

	for (unsigned i = 0; i < row.count; i++) {
		const struct option_row *candidate = &option_rows[row.first + i];

		if (family == FAMILY_IPV4 && candidate->flags & IPV6_OPTION)
			continue;
		consider(&best, option, transform, candidate->spelling, candidate->spelling_size,
			 (enum option_id)(row.first + i), TRANSFORM_SAME, name, size);
		if (best == LOOKUP_EXACT)
			return best;
	}
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (option_rows[aliases[i].option].module == module)
			consider(&best, option, transform, aliases[i].spelling, aliases[i].spelling_size,
				 aliases[i].option, aliases[i].transform, name, size);
	return best;
}

unsigned option_arity(enum option_id option, enum alias_transform transform)
{
	if (transform == TRANSFORM_SYN)
		return 0;
	switch (option_rows[option].kind) {
	case VALUE_NONE:
		return 0;
	case VALUE_TCP_FLAGS:
	case VALUE_WORDS:
		return 2;
	default:
		return 1;
	}
}
