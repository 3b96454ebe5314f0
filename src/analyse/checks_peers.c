/* Checks of who is let in: peers and their addresses. */
#include "checks_run.h"

#include <peerwall/strbuf.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- sets with a number: equal sets have equal ones ---- */

struct set_numbers {
	struct intern intern;
	struct strbuf scratch;
};

static void key_add_set(struct strbuf *key, const struct addr_set *set)
{
	uint32_t count = (uint32_t)set->ranges.len;

	strbuf_add(key, (const char *)&count, sizeof count);
	vec_each(range, &set->ranges) {
		strbuf_add(key, (const char *)&range->lo, sizeof range->lo);
		strbuf_add(key, (const char *)&range->hi, sizeof range->hi);
	}
}

static uint32_t number_of_key(struct set_numbers *numbers)
{
	return intern_add(&numbers->intern, strbuf_str(&numbers->scratch), numbers->scratch.len);
}

static uint32_t number_of_peers(struct set_numbers *numbers, const struct peer_set *peers)
{
	strbuf_reset(&numbers->scratch);
	for (int family = 0; family < FAMILY_COUNT; family++)
		key_add_set(&numbers->scratch, &peers->sets[family]);
	return number_of_key(numbers);
}

static bool has_family(const struct peer_set *peers, enum family family)
{
	return peers->sets[family].ranges.len > 0;
}

/* ---- what covers what ---- */

/* A range of addresses that an owner has; owners are compared only under the same key. */
struct atom {
	uint32_t key;
	enum family family;
	addr_number lo, hi;
	uint32_t owner;
};

struct atom_list {
	VEC(struct atom) items;
};

#define COVERED_BY_NONE UINT32_MAX

static int compare_atoms(const void *left, const void *right)
{
	const struct atom *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	if (a->hi != b->hi)
		return a->hi > b->hi ? -1 : 1;
	return a->owner < b->owner ? -1 : a->owner > b->owner;
}

static void add_atoms(struct arena *arena, struct atom_list *atoms, uint32_t key, const struct peer_set *peers,
		      enum family family, uint32_t owner)
{
	vec_each(range, &peers->sets[family].ranges)
		vec_push(arena, &atoms->items, (struct atom){key, family, range->lo, range->hi, owner});
}

/*
 * For each owner: another owner that has one of its ranges, if every range of it lies within one of another
 * owner's. One sweep over the sorted ranges; of equal ones the first owner's covers the others.
 */
static const uint32_t *cover(struct arena *arena, struct atom_list *atoms, size_t owners)
{
	uint32_t *covered_by = arena_alloc(arena, (owners + 1) * sizeof *covered_by);
	size_t *open = arena_zalloc(arena, (owners + 1) * sizeof *open);
	const struct atom *widest = NULL;

	for (size_t i = 0; i < owners; i++)
		covered_by[i] = COVERED_BY_NONE;
	if (atoms->items.len)
		qsort(atoms->items.data, atoms->items.len, sizeof *atoms->items.data, compare_atoms);
	vec_each(atom, &atoms->items) {
		if (!widest || widest->key != atom->key || widest->family != atom->family || atom->hi > widest->hi) {
			widest = atom;
			open[atom->owner]++;
		} else {
			covered_by[atom->owner] = widest->owner;
		}
	}
	for (size_t i = 0; i < owners; i++)
		if (open[i])
			covered_by[i] = COVERED_BY_NONE;
	return covered_by;
}

/* ---- definitions ---- */

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* Was the one written with the name of the other? Then that they share addresses is what was meant. */
static bool mentions(const struct sources *sources, const struct definition *definition, const char *name)
{
	size_t size, length = strlen(name);
	const char *text = sources_text(sources, definition->peers.span, &size), *at = text;

	while ((at = memmem(at, size - (size_t)(at - text), name, length))) {
		size_t from = (size_t)(at - text), to = from + length;

		if ((!from || !is_name_byte(text[from - 1])) && (to == size || !is_name_byte(text[to])))
			return true;
		at++;
	}
	return false;
}

static bool are_related(const struct sources *sources, const struct definition *a, const struct definition *b)
{
	return mentions(sources, a, b->name) || mentions(sources, b, a->name);
}

/* A policy's definitions of peers, and the number of each one's set. */
struct numbered_peers {
	struct intern names;
	VEC(const struct definition *) items; /* by the number of the name */
	VEC(uint32_t) sets;
};

static void number_definitions(struct numbered_peers *out, const struct policy *policy, struct set_numbers *numbers,
			       struct arena *arena)
{
	*out = (struct numbered_peers){0};
	intern_init(&out->names, arena);
	vec_each(definition, &policy->definitions) {
		if (!definition->is_peers ||
		    intern_add(&out->names, definition->name, strlen(definition->name)) != out->items.len)
			continue;
		vec_push(arena, &out->items, definition);
		vec_push(arena, &out->sets, number_of_peers(numbers, &definition->peers));
	}
}

/* Was it written as another name of a definition with the same addresses? */
static bool is_alias(const struct numbered_peers *peers, const struct sources *sources, size_t index)
{
	size_t size;
	const char *text = sources_text(sources, peers->items.data[index]->peers.span, &size);

	for (size_t from = 0; from < size;) {
		size_t to = from;
		uint32_t number;

		while (to < size && is_name_byte(text[to]))
			to++;
		number = intern_find(&peers->names, text + from, to - from);
		if (number != INTERN_NONE && number != index && peers->sets.data[number] == peers->sets.data[index])
			return true;
		from = to + 1;
	}
	return false;
}

static void check_same_peers_in(struct check_run *run, const struct numbered_peers *peers, size_t set_count)
{
	const struct definition **first = arena_zalloc(run->arena, (set_count + 1) * sizeof(struct definition *));

	for (size_t i = 0; i < peers->items.len; i++) {
		const struct definition *definition = peers->items.data[i], **slot = &first[peers->sets.data[i]];
		struct diag *diag;

		if (is_alias(peers, run->input->sources, i))
			continue;
		if (!*slot) {
			*slot = definition;
			continue;
		}
		diag = diag_add(run->diags, CODE_SAME_PEERS, definition->span, "'%s' has the same addresses as '%s'",
				definition->name, (*slot)->name);
		diag_label(run->diags, diag, (*slot)->span, "'%s' is defined here", (*slot)->name);
	}
}

void check_same_peers(struct check_run *run)
{
	struct set_numbers numbers = {.scratch = STRBUF_EMPTY};

	vec_each(policy, &run->input->policies) {
		struct numbered_peers peers;

		intern_init(&numbers.intern, run->arena);
		number_definitions(&peers, *policy, &numbers, run->arena);
		check_same_peers_in(run, &peers, numbers.intern.count);
	}
	strbuf_free(&numbers.scratch);
}

void check_overlapping_peers(struct check_run *run)
{
	vec_each(policy, &run->input->policies) {
		const struct definition *definitions = (*policy)->definitions.data;
		size_t count = (*policy)->definitions.len;
		struct atom_list atoms = {0};
		const uint32_t *covered_by;

		for (size_t i = 0; i < count; i++)
			for (int family = 0; definitions[i].is_peers && family < FAMILY_COUNT; family++)
				add_atoms(run->arena, &atoms, 0, &definitions[i].peers, (enum family)family,
					  (uint32_t)i);
		covered_by = cover(run->arena, &atoms, count);
		for (size_t i = 0; i < count; i++) {
			const struct definition *inner = &definitions[i], *outer;
			struct diag *diag;

			if (covered_by[i] == COVERED_BY_NONE)
				continue;
			outer = &definitions[covered_by[i]];
			if (are_related(run->input->sources, inner, outer))
				continue;
			diag = diag_add(run->diags, CODE_OVERLAPPING_PEERS, inner->span,
					"the addresses of '%s' belong to other peers, too", inner->name);
			diag_label(run->diags, diag, outer->span, "'%s' has some of them", outer->name);
		}
	}
}

/* ---- who is let in ---- */

void check_exposed_to_any(struct check_run *run)
{
	vec_each(place, &run->permissions) {
		const struct peer_set *from = &place->permission->from;
		bool v4 = addr_set_is_full(&from->sets[FAMILY_IPV4]), v6 = addr_set_is_full(&from->sets[FAMILY_IPV6]);

		if (place->permission->kind == PERMISSION_EXPOSE && (v4 || v6))
			diag_add(run->diags, CODE_EXPOSED_TO_ANY, from->span,
				 "exposed to every address%s%s", v4 && v6 ? "" : " of ",
				 v4 && v6 ? "" : family_name(v4 ? FAMILY_IPV4 : FAMILY_IPV6));
	}
}

/* No network of one owner is this large: 0.0.0.0/1 is half of all, fc00::/7 are all private ones of IPv6. */
static const uint8_t broad_length[FAMILY_COUNT] = {[FAMILY_IPV4] = 7, [FAMILY_IPV6] = 6};

static bool find_broad(struct arena *arena, const struct addr_set *set, struct prefix *out)
{
	struct prefix_list prefixes = {0};

	if (addr_set_is_full(set))
		return false;
	addr_set_prefixes(arena, set, &prefixes);
	vec_each(prefix, &prefixes.items) {
		if (prefix->length > broad_length[set->family])
			continue;
		*out = *prefix;
		return true;
	}
	return false;
}

void check_broad_prefix(struct check_run *run)
{
	struct set_numbers numbers = {.scratch = STRBUF_EMPTY};
	uint32_t seen = 0;

	intern_init(&numbers.intern, run->arena);
	vec_each(place, &run->permissions) {
		const struct peer_set *from = &place->permission->from;

		if (place->permission->kind == PERMISSION_ICMP || number_of_peers(&numbers, from) < seen)
			continue;
		seen++;
		for (int family = 0; family < FAMILY_COUNT; family++) {
			char text[PREFIX_TEXT_MAX];
			struct prefix prefix;

			if (!find_broad(run->arena, &from->sets[family], &prefix))
				continue;
			prefix_format(&prefix, text);
			diag_add(run->diags, CODE_BROAD_PREFIX, from->span,
				 "these peers include %s: is its length what was meant?", text);
		}
	}
	strbuf_free(&numbers.scratch);
}

/* ---- families ---- */

/* A place of the policy that speaks of IPv6 peers; SPAN_NONE if there is none. */
static struct span find_ipv6(const struct policy *policy)
{
	vec_each(definition, &policy->definitions)
		if (definition->is_peers && has_family(&definition->peers, FAMILY_IPV6))
			return definition->span;
	vec_each(interface, &policy->interfaces)
		vec_each(permission, &interface->permissions)
			if (has_family(&permission->from, FAMILY_IPV6))
				return permission->from.span;
	return SPAN_NONE;
}

/* An IPv6 rule of a snapshot that publishes one of the permission's ports, or NULL. */
static const struct dnat *find_published_ipv6(const struct check_run *run, const struct permission *permission)
{
	vec_each(index, &run->snapshots) {
		if (index->snapshot->ruleset->family != FAMILY_IPV6)
			continue;
		for (int i = 0; i < PROTOCOL_COUNT; i++)
			vec_each(range, &permission->services.ports[i].ranges) {
				const struct dnat *dnat = dnat_find(index, &index->published[i], range->lo);

				if (dnat)
					return dnat;
			}
	}
	return NULL;
}

static void check_ipv6_of(struct check_run *run, const struct permission *permission, struct span seen)
{
	const struct dnat *dnat = seen.lo ? NULL : find_published_ipv6(run, permission);
	struct diag *diag;

	if (!seen.lo && !dnat)
		return;
	diag = diag_add(run->diags, CODE_IPV6_FORGOTTEN, permission->from.span,
			"these peers have no IPv6 address, so IPv6 stays closed to them");
	if (dnat)
		diag_label(run->diags, diag, dnat->rule->span, "published for IPv6, too");
	else
		diag_label(run->diags, diag, seen, "other peers have IPv6 addresses");
}

void check_ipv6_forgotten(struct check_run *run)
{
	struct set_numbers numbers = {.scratch = STRBUF_EMPTY};
	const struct policy *policy = NULL;
	struct span ipv6 = SPAN_NONE;
	uint32_t seen = 0;

	vec_each(place, &run->permissions) {
		const struct permission *permission = place->permission;

		if (place->policy != policy) {
			policy = place->policy;
			ipv6 = find_ipv6(policy);
			intern_init(&numbers.intern, run->arena);
			seen = 0;
		}
		if (permission->kind != PERMISSION_EXPOSE || permission->has_at ||
		    has_family(&permission->from, FAMILY_IPV6) || !has_family(&permission->from, FAMILY_IPV4))
			continue;
		/* Said once for each set of peers, not for each of its permissions. */
		if (ipv6.lo && number_of_peers(&numbers, &permission->from) < seen)
			continue;
		seen++;
		check_ipv6_of(run, permission, ipv6);
	}
	strbuf_free(&numbers.scratch);
}

static bool can_match(const struct permission *permission, enum family family)
{
	if (!has_family(&permission->from, family))
		return false;
	switch (permission->kind) {
	case PERMISSION_EXPOSE:
		return !permission->has_at || has_family(&permission->at, family);
	case PERMISSION_FORWARD:
		return has_family(&permission->to, family);
	case PERMISSION_ICMP:
		break;
	}
	vec_each(type, &permission->icmp)
		if (type->family == family)
			return true;
	return false;
}

void check_never_matches(struct check_run *run)
{
	vec_each(place, &run->permissions) {
		const struct permission *permission = place->permission;

		if (!can_match(permission, FAMILY_IPV4) && !can_match(permission, FAMILY_IPV6))
			diag_add(run->diags, CODE_NEVER_MATCHES, permission->span,
				 "no packet can ever use this: its parts are of different families");
	}
}

/* ---- permissions that say nothing new ---- */

static void key_begin(struct set_numbers *numbers, uint32_t block, enum permission_kind kind)
{
	strbuf_reset(&numbers->scratch);
	strbuf_addf(&numbers->scratch, "%u %d ", block, (int)kind);
}

/* The key holds all of a permission but its ports and who it is for: only permissions with equal keys are compared. */
static void add_permission_atoms(struct check_run *run, struct set_numbers *numbers, struct atom_list *atoms,
				 uint32_t block, uint32_t owner, const struct permission *permission)
{
	for (int family = 0; family < FAMILY_COUNT; family++) {
		const struct service_set *services = &permission->services;
		size_t length;

		key_begin(numbers, block, permission->kind);
		if (permission->has_at)
			key_add_set(&numbers->scratch, &permission->at.sets[family]);
		if (permission->kind == PERMISSION_FORWARD) {
			key_add_set(&numbers->scratch, &permission->to.sets[family]);
			strbuf_addf(&numbers->scratch, "%s>%s", permission->from_via ? permission->from_via : "",
				    permission->to_via ? permission->to_via : "");
		}
		length = numbers->scratch.len;
		if (services->any)
			add_atoms(run->arena, atoms, number_of_key(numbers), &permission->from, (enum family)family,
				  owner);
		for (int i = 0; i < PROTOCOL_COUNT; i++)
			vec_each(range, &services->ports[i].ranges) {
				numbers->scratch.len = length;
				strbuf_addf(&numbers->scratch, " %s %u-%u", protocol_names[i], range->lo, range->hi);
				add_atoms(run->arena, atoms, number_of_key(numbers), &permission->from,
					  (enum family)family, owner);
			}
		vec_each(type, &permission->icmp) {
			if ((int)type->family != family)
				continue;
			numbers->scratch.len = length;
			strbuf_addf(&numbers->scratch, " icmp %u %d", type->type, type->code);
			add_atoms(run->arena, atoms, number_of_key(numbers), &permission->from, (enum family)family,
				  owner);
		}
	}
}

void check_redundant_permission(struct check_run *run)
{
	struct set_numbers numbers = {.scratch = STRBUF_EMPTY};
	const struct interface_policy *interface = NULL;
	struct atom_list atoms = {0};
	const uint32_t *covered_by;
	uint32_t block = 0;

	intern_init(&numbers.intern, run->arena);
	for (size_t i = 0; i < run->permissions.len; i++) {
		const struct permission_place *place = &run->permissions.data[i];

		block += place->interface != interface;
		interface = place->interface;
		add_permission_atoms(run, &numbers, &atoms, block, (uint32_t)i, place->permission);
	}
	covered_by = cover(run->arena, &atoms, run->permissions.len);
	for (size_t i = 0; i < run->permissions.len; i++) {
		const struct permission *permission = run->permissions.data[i].permission, *other;
		struct diag *diag;

		/* One that logs is there to tell some peers from the rest. */
		if (covered_by[i] == COVERED_BY_NONE || permission->log.wanted)
			continue;
		other = run->permissions.data[covered_by[i]].permission;
		diag = diag_add(run->diags, CODE_REDUNDANT_PERMISSION, permission->span,
				"this changes nothing: what it allows is allowed already");
		diag_label(run->diags, diag, other->span, "to these peers and more");
	}
	strbuf_free(&numbers.scratch);
}
