/* What targets do to a packet: each as its xt_*.c in the kernel has it. */
#include "trace_walk.h"

#include <peerwall/bug.h>

#include <string.h>

static const struct option *find_option(const struct match *match, enum option_id id)
{
	vec_each(option, &match->options)
		if (option->id == id)
			return option;
	return NULL;
}

/* ---- marks ---- */

static struct mark mark_set(struct mark mark, uint32_t value, uint32_t mask)
{
	return (struct mark){(mark.value & ~mask) ^ value, mark.unknown & ~mask};
}

static struct mark mark_shift(struct mark mark, const struct match *target)
{
	const struct option *left = find_option(target, OPTION_T_CONNMARK_LEFT_SHIFT);
	const struct option *right = find_option(target, OPTION_T_CONNMARK_RIGHT_SHIFT);
	unsigned bits = (unsigned)((left ? left : right) ? (left ? left : right)->value.number : 0);

	if (bits >= 32)
		return (struct mark){0, UINT32_MAX};
	if (right && !left)
		return (struct mark){mark.value >> bits, mark.unknown >> bits};
	return (struct mark){mark.value << bits, mark.unknown << bits};
}

/* (to & ~to_mask) ^ (from & from_mask) */
static struct mark mark_copy(struct mark to, uint32_t to_mask, struct mark from)
{
	return (struct mark){(to.value & ~to_mask) ^ from.value, (to.unknown & ~to_mask) | from.unknown};
}

static const char *tell_mark(struct walk *walk, const char *whose, const struct mark *mark)
{
	if (mark->unknown)
		return arena_printf(walk->arena, "%s becomes 0x%x, but for unknown bits 0x%x", whose, mark->value & ~mark->unknown,
				    mark->unknown);
	return arena_printf(walk->arena, "%s becomes 0x%x", whose, mark->value);
}

static enum target_effect run_mark(struct walk *walk, const struct match *target, const char **text)
{
	const struct option *set = find_option(target, OPTION_T_MARK_SET_XMARK);

	if (set)
		walk->mark = mark_set(walk->mark, (uint32_t)set->value.masked.value, (uint32_t)set->value.masked.mask);
	*text = tell_mark(walk, "mark", &walk->mark);
	return EFFECT_CONTINUE;
}

static uint32_t mask_of(const struct match *target, enum option_id id)
{
	const struct option *option = find_option(target, id);

	return option ? (uint32_t)option->value.number : UINT32_MAX;
}

/* connmark_tg_shift(). Without a connection nothing happens. */
static enum target_effect run_connmark(struct walk *walk, const struct match *target, const char **text)
{
	const struct option *set = find_option(target, OPTION_T_CONNMARK_SET_XMARK);
	uint32_t packet_mask = mask_of(target, OPTION_T_CONNMARK_NFMASK), own_mask = mask_of(target, OPTION_T_CONNMARK_CTMASK);

	if (!walk->tracked) {
		*text = "nothing: there is no connection to mark";
		return EFFECT_CONTINUE;
	}
	if (find_option(target, OPTION_T_CONNMARK_RESTORE)) {
		struct mark from = {walk->connmark.value & own_mask, walk->connmark.unknown & own_mask};

		walk->mark = mark_copy(walk->mark, packet_mask, mark_shift(from, target));
		*text = tell_mark(walk, "mark", &walk->mark);
		return EFFECT_CONTINUE;
	}
	if (set) {
		walk->connmark = mark_shift(mark_set(walk->connmark, (uint32_t)set->value.masked.value,
						     (uint32_t)set->value.masked.mask), target);
	} else {
		struct mark from = {walk->mark.value & packet_mask, walk->mark.unknown & packet_mask};

		walk->connmark = mark_copy(walk->connmark, own_mask, mark_shift(from, target));
	}
	*text = tell_mark(walk, "the connection's mark", &walk->connmark);
	return EFFECT_CONTINUE;
}

/* ---- address translation ---- */

static const char *tell_address(struct walk *walk, const char *whose, const struct addr_bounds *bounds,
				const struct port_range *port)
{
	struct strbuf text = STRBUF_EMPTY;

	strbuf_addf(&text, "%s becomes ", whose);
	packet_describe_bounds(&text, bounds);
	/* Nothing is known of a port of 1-65535. */
	if (packet_has_ports(&walk->packet) && !(port->lo == 1 && port->hi == UINT16_MAX)) {
		strbuf_addf(&text, " port %u", port->lo);
		if (port->hi != port->lo)
			strbuf_addf(&text, "-%u", port->hi);
	}
	return strbuf_keep(&text, walk->arena);
}

/* nf_nat_l4proto_unique_tuple(): a port in the range stays, unless chance is asked for. */
static void translate_port(struct port_range *port, const struct match *target, enum option_id random, uint16_t lo,
			   uint16_t hi, uint16_t base)
{
	struct port_range before = *port;

	*port = (struct port_range){lo, hi};
	if (lo == hi || find_option(target, random) || before.lo != before.hi)
		return;
	if (base)
		port->lo = port->hi = (uint16_t)(lo + (uint16_t)(before.lo - base) % (hi - lo + 1));
	else if (before.lo >= lo && before.lo <= hi)
		*port = before;
}

static void set_destination(struct walk *walk, struct addr_bounds to)
{
	walk->dnat |= !bounds_are_single(&to) || addr_to_number(&to.lo) != addr_to_number(&walk->packet.destination.lo);
	walk->packet.destination = to;
}

static void set_destination_port(struct walk *walk, const struct match *target, enum option_id random, uint16_t lo, uint16_t hi,
				 uint16_t base)
{
	struct port_range before = walk->packet.destination_port;

	if (!packet_has_ports(&walk->packet))
		return;
	translate_port(&walk->packet.destination_port, target, random, lo, hi, base);
	walk->dnat |= walk->packet.destination_port.lo != before.lo || walk->packet.destination_port.hi != before.hi;
}

static enum target_effect run_dnat(struct walk *walk, const struct match *target, const char **text)
{
	const struct option *to = find_option(target, OPTION_T_DNAT_TO);

	BUG_ON(!to);
	if (to->value.nat.has_addr)
		set_destination(walk, (struct addr_bounds){to->value.nat.lo, to->value.nat.hi});
	if (to->value.nat.has_port)
		set_destination_port(walk, target, OPTION_T_DNAT_RANDOM, to->value.nat.port_lo, to->value.nat.port_hi,
				     to->value.nat.port_base);
	*text = tell_address(walk, "destination", &walk->packet.destination, &walk->packet.destination_port);
	return EFFECT_ACCEPT;
}

static struct addr_bounds any_address(enum family family)
{
	struct addr_bounds bounds = {.lo = {.family = family}, .hi = {.family = family}};

	memset(bounds.hi.bytes, 0xff, family_bits(family) / 8);
	return bounds;
}

/* fe80::/10 and ff02::/16: kernels from 6.8 on redirect these to a link-local address, older ones to any. */
static bool has_link_scope(const struct addr *addr)
{
	return addr->family == FAMILY_IPV6 && ((addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80) ||
					       (addr->bytes[0] == 0xff && (addr->bytes[1] & 0xf) == 2));
}

/* nf_nat_redirect_ipv4(), _ipv6(): to the first address of the interface that it came by; where there is none, it is lost. */
static enum target_effect run_redirect(struct walk *walk, const struct match *target, const char **text)
{
	const struct option *ports = find_option(target, OPTION_T_REDIRECT_TO_PORTS);
	const struct host *host = walk->input->host;
	const struct host_address *address = host_first_address(host, walk->packet.in, walk->packet.family);

	if (!address && host->has_addresses) {
		*text = arena_printf(walk->arena, "dropped: %s has no address to redirect to", walk->packet.in);
		walk_end(walk, FATE_DROPPED);
		return EFFECT_END;
	}
	if (has_link_scope(&walk->packet.destination.lo))
		address = NULL;
	set_destination(walk, address ? (struct addr_bounds){address->addr, address->addr} : any_address(walk->packet.family));
	if (ports)
		set_destination_port(walk, target, OPTION_T_REDIRECT_RANDOM, (uint16_t)ports->value.range.lo,
				     (uint16_t)ports->value.range.hi, 0);
	*text = address ? tell_address(walk, "destination", &walk->packet.destination, &walk->packet.destination_port)
			: arena_printf(walk->arena, "destination becomes an address of %s, which is not known", walk->packet.in);
	return EFFECT_ACCEPT;
}

static struct addr map_address(const struct addr *from, const struct value *to)
{
	struct addr mapped = to->network.addr;

	for (unsigned i = 0; i < family_bits(from->family) / 8; i++)
		mapped.bytes[i] = (uint8_t)((to->network.addr.bytes[i] & to->network.mask.bytes[i]) |
					    (from->bytes[i] & ~to->network.mask.bytes[i]));
	return mapped;
}

static enum target_effect run_netmap(struct walk *walk, const struct match *target, const char **text)
{
	const struct option *to = find_option(target, OPTION_T_NETMAP_TO);
	bool destination = walk->hook == HOOK_PREROUTING;
	struct addr_bounds *bounds = destination ? &walk->packet.destination : &walk->packet.source;

	BUG_ON(!to);
	/* A range may wrap around in the part that is kept; then the whole network is possible. */
	if (bounds_are_single(bounds)) {
		struct addr mapped = map_address(&bounds->lo, &to->value);

		if (destination)
			walk->dnat |= !addr_equal(&mapped, &bounds->lo);
		else
			walk->snat |= !addr_equal(&mapped, &bounds->lo);
		*bounds = (struct addr_bounds){mapped, mapped};
	} else {
		struct addr_bounds all = any_address(walk->packet.family);

		*bounds = (struct addr_bounds){map_address(&all.lo, &to->value), map_address(&all.hi, &to->value)};
		*(destination ? &walk->dnat : &walk->snat) = true;
	}
	*text = tell_address(walk, destination ? "destination" : "source", bounds,
			     destination ? &walk->packet.destination_port : &walk->packet.source_port);
	return EFFECT_ACCEPT;
}

static enum target_effect run_snat(struct walk *walk, const struct match *target, const char **text)
{
	const struct option *to = find_option(target, OPTION_T_SNAT_TO);

	BUG_ON(!to);
	if (to->value.nat.has_addr)
		walk->packet.source = (struct addr_bounds){to->value.nat.lo, to->value.nat.hi};
	if (to->value.nat.has_port && packet_has_ports(&walk->packet))
		translate_port(&walk->packet.source_port, target, OPTION_T_SNAT_RANDOM, to->value.nat.port_lo,
			       to->value.nat.port_hi, 0);
	walk->snat = true;
	*text = arena_printf(walk->arena, "%s", tell_address(walk, "source", &walk->packet.source, &walk->packet.source_port));
	return EFFECT_ACCEPT;
}

static enum target_effect run_masquerade(struct walk *walk, const struct match *target, const char **text)
{
	const struct host_address *address =
		walk->out ? host_first_address(walk->input->host, walk->out, walk->packet.family) : NULL;

	(void)target;
	walk->packet.source = address ? (struct addr_bounds){address->addr, address->addr} : any_address(walk->packet.family);
	walk->snat = true;
	*text = arena_printf(walk->arena, "source becomes an address of %s", walk->out ? walk->out : "the interface it leaves by");
	return EFFECT_ACCEPT;
}

/* ---- others ---- */

/* xt_ct_target(): the first word counts. Until conntrack sees it, a packet with settings passes for NEW. */
static enum target_effect run_notrack(struct walk *walk, const struct match *target, const char **text)
{
	if (walk->conntrack_seen || walk->bespoken)
		return EFFECT_CONTINUE;
	if (target->module == MODULE_T_CT && !find_option(target, OPTION_T_CT_NOTRACK)) {
		*text = "settings for the connection to come";
		walk->bespoken = true;
		walk->packet.state = PACKET_NEW;
		return EFFECT_CONTINUE;
	}
	walk->conntrack_seen = true;
	walk->packet.state = PACKET_UNTRACKED;
	*text = "the packet is not tracked: UNTRACKED";
	return EFFECT_CONTINUE;
}

static enum target_effect run_hops(struct walk *walk, const struct match *target, const char **text)
{
	vec_each(option, &target->options) {
		int value = (int)option->value.number, ttl = walk->packet.ttl;

		if (option->id == OPTION_T_TTL_SET || option->id == OPTION_T_HL_SET) {
			ttl = value;
			walk->packet.has_ttl = true;
		} else if (option->id == OPTION_T_TTL_INC || option->id == OPTION_T_HL_INC) {
			ttl = ttl + value > UINT8_MAX ? UINT8_MAX : ttl + value;
		} else {
			ttl = ttl - value < 0 ? 0 : ttl - value;
		}
		walk->packet.ttl = (uint8_t)ttl;
	}
	if (walk->packet.has_ttl)
		*text = arena_printf(walk->arena, "hop limit becomes %u", walk->packet.ttl);
	return EFFECT_CONTINUE;
}

static enum target_effect run_reject(struct walk *walk, const struct match *target, const char **text)
{
	const struct option *with = find_option(target, OPTION_T_REJECT_WITH);

	*text = arena_printf(walk->arena, "rejected%s%s", with ? " with " : "", with ? with->value.text : "");
	walk_end(walk, FATE_REJECTED);
	return EFFECT_END;
}

/* SET --map-set takes marks from a set. */
static enum target_effect run_set(struct walk *walk, const struct match *target, const char **text)
{
	if (find_option(target, OPTION_T_SET_MAP_MARK)) {
		walk->mark.unknown = UINT32_MAX;
		*text = "mark becomes what the set says";
	}
	return EFFECT_CONTINUE;
}

static enum target_effect run_idle(struct walk *walk, const struct match *target, const char **text)
{
	(void)walk;
	(void)target;
	(void)text;
	return EFFECT_CONTINUE;
}

/* A program, a proxy or a module that peerwall does not know has the say. */
static enum target_effect run_foreign(struct walk *walk, const struct match *target, const char **text)
{
	*text = arena_printf(walk->arena, "what becomes of the packet is for %s to say, not for rules", module_name(target));
	walk_end(walk, FATE_UNDECIDED);
	return EFFECT_END;
}

typedef enum target_effect (*target_function)(struct walk *walk, const struct match *target, const char **text);

static const target_function functions[MODULE_COUNT] = {
	[MODULE_T_LOG] = run_idle,        [MODULE_T_NFLOG] = run_idle,    [MODULE_T_TRACE] = run_idle,
	[MODULE_T_TCPMSS] = run_idle,     [MODULE_T_CHECKSUM] = run_idle, [MODULE_T_CLASSIFY] = run_idle,
	[MODULE_T_DSCP] = run_idle,       [MODULE_T_TOS] = run_idle,      [MODULE_T_TEE] = run_idle,
	[MODULE_T_AUDIT] = run_idle,      [MODULE_T_ECN] = run_idle,      [MODULE_T_CONNSECMARK] = run_idle,
	[MODULE_T_REJECT] = run_reject,   [MODULE_T_DNAT] = run_dnat,     [MODULE_T_SNAT] = run_snat,
	[MODULE_T_REDIRECT] = run_redirect, [MODULE_T_NETMAP] = run_netmap, [MODULE_T_MASQUERADE] = run_masquerade,
	[MODULE_T_MARK] = run_mark,       [MODULE_T_CONNMARK] = run_connmark, [MODULE_T_CT] = run_notrack,
	[MODULE_T_NOTRACK] = run_notrack, [MODULE_T_TTL] = run_hops,      [MODULE_T_HL] = run_hops,
	[MODULE_T_SET] = run_set,
};

static target_function function_of(const struct match *target)
{
	target_function function = target->module < MODULE_COUNT ? functions[target->module] : NULL;

	return function ? function : run_foreign;
}

bool target_is_idle(const struct rule *rule)
{
	if (rule->opaque)
		return false;
	return rule->target.kind == TARGET_NONE ||
	       (rule->target.kind == TARGET_EXTENSION && function_of(&rule->target.extension) == run_idle);
}

enum target_effect target_run(struct walk *walk, const struct rule *rule, const char **text)
{
	BUG_ON(rule->opaque);
	switch (rule->target.kind) {
	case TARGET_ACCEPT:
		return EFFECT_ACCEPT;
	case TARGET_DROP:
		walk_end(walk, FATE_DROPPED);
		return EFFECT_END;
	case TARGET_EXTENSION:
		return function_of(&rule->target.extension)(walk, &rule->target.extension, text);
	case TARGET_NONE:
	case TARGET_RETURN:
	case TARGET_JUMP:
	case TARGET_GOTO:
		break;
	}
	BUG("target %d has no effect of its own", (int)rule->target.kind);
}
