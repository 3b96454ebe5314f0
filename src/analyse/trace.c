#include "trace_walk.h"

#include <peerwall/bug.h>

#include <stdarg.h>
#include <string.h>

/* Chains that call each other again and again cost more than anyone waits for: so many rules looked at, so many steps. */
#define BUDGET 20000000ul
#define PATH_STEPS_MAX 200000
#define STEPS_MAX 1000000

/* ---- paths ---- */

bool walk_decide(struct walk *walk)
{
	if (walk->next_decision == walk->decisions.len)
		vec_push(walk->arena, &walk->decisions, (struct decision){true, walk->path->steps.len});
	return walk->decisions.data[walk->next_decision++].answer;
}

void walk_assume(struct walk *walk, const char *format, ...)
{
	struct strbuf text = STRBUF_EMPTY;
	va_list args;

	va_start(args, format);
	strbuf_vaddf(&text, format, args);
	va_end(args);
	vec_each(known, &walk->trace->assumptions)
		if (strcmp(*known, strbuf_str(&text)) == 0) {
			strbuf_free(&text);
			return;
		}
	vec_push(walk->arena, &walk->trace->assumptions, strbuf_keep(&text, walk->arena));
}

struct trace_step *walk_step(struct walk *walk, enum step_kind kind)
{
	vec_push(walk->arena, &walk->path->steps,
		 (struct trace_step){.kind = kind, .hook = walk->hook, .table = walk->table, .matched = true,
				     .packet = walk->packet, .mark = walk->mark});
	return &walk->path->steps.data[walk->path->steps.len - 1];
}

bool walk_end(struct walk *walk, enum fate fate)
{
	walk->path->fate = fate;
	walk->path->decisive = walk->path->steps.len - 1;
	return false;
}

/* ---- chains ---- */

struct frame {
	const struct chain *chain;
	size_t next;
	size_t depth; /* so many jumps and gotos from the built-in chain */
};

struct stack {
	VEC(struct frame) frames;
};

static const struct chain *find_chain(const struct walk *walk, const char *name)
{
	return table_find_chain(&walk->input->rules->tables[walk->table], name, strlen(name));
}

static bool give_up(struct walk *walk, const char *why)
{
	walk_step(walk, STEP_END)->text = why;
	return walk_end(walk, FATE_UNDECIDED);
}

/* False: the packet's fate is settled. */
static bool enter(struct walk *walk, struct stack *stack, const struct rule *rule)
{
	const struct chain *chain = find_chain(walk, rule->target.chain);
	size_t depth = stack->frames.data[stack->frames.len - 1].depth + 1;

	BUG_ON(!chain);
	/* The kernel would not load them. */
	if (depth > walk->input->rules->tables[walk->table].chains.len)
		return give_up(walk, "the chains call each other in a circle");
	if (rule->target.kind == TARGET_GOTO)
		stack->frames.len--;
	vec_push(walk->arena, &stack->frames, (struct frame){chain, 0, depth});
	return true;
}

/* Where nobody knows whether a rule matches, and it would matter, both is followed. */
static bool suppose(struct walk *walk, const struct rule *rule, enum truth matches)
{
	if (matches != TRUTH_MAYBE)
		return matches == TRUTH_YES;
	return target_is_idle(rule) || walk_decide(walk);
}

struct rule_place {
	const struct rule *rule;
	const struct chain *chain;
	unsigned number;
};

/* False if the rule does not match. */
static bool try_rule(struct walk *walk, const struct rule_place *place, size_t *at)
{
	const char *why = NULL;
	enum truth matches = rule_matches(walk, place->rule, &why);
	bool matched = suppose(walk, place->rule, matches), unknown = matches == TRUTH_MAYBE;

	if (matched || unknown || walk->input->all) {
		struct trace_step *step = walk_step(walk, STEP_RULE);

		step->rule = place->rule;
		step->chain = place->chain;
		step->number = place->number;
		step->matched = matched;
		step->harmless = unknown && target_is_idle(place->rule);
		step->supposed = unknown && !step->harmless;
		step->why = why;
	}
	*at = walk->path->steps.len - 1;
	return matched;
}

enum chain_end { CHAIN_GOES_ON, CHAIN_ACCEPTS, CHAIN_SETTLES };

static enum chain_end do_rule(struct walk *walk, struct stack *stack, const struct rule *rule, size_t at)
{
	const char *text = NULL;
	enum target_effect effect;

	if (rule->opaque) {
		walk->path->steps.data[at].text = "this rule may do anything";
		walk_end(walk, FATE_UNDECIDED);
		return CHAIN_SETTLES;
	}
	switch (rule->target.kind) {
	case TARGET_NONE:
		return CHAIN_GOES_ON;
	case TARGET_RETURN:
		stack->frames.len--;
		return CHAIN_GOES_ON;
	case TARGET_JUMP:
	case TARGET_GOTO:
		return enter(walk, stack, rule) ? CHAIN_GOES_ON : CHAIN_SETTLES;
	case TARGET_ACCEPT:
	case TARGET_DROP:
	case TARGET_EXTENSION:
		break;
	}
	effect = target_run(walk, rule, &text);
	walk->path->steps.data[at].text = text;
	return effect == EFFECT_END ? CHAIN_SETTLES : effect == EFFECT_ACCEPT ? CHAIN_ACCEPTS : CHAIN_GOES_ON;
}

static bool obey_policy(struct walk *walk, const struct chain *base)
{
	struct trace_step *step;

	if (!base->policy_drop && !walk->input->all)
		return true;
	step = walk_step(walk, STEP_POLICY);
	step->chain = base;
	return !base->policy_drop || walk_end(walk, FATE_DROPPED);
}

/* False: the packet's fate is settled. */
static bool walk_chain(struct walk *walk, const struct chain *base)
{
	struct stack stack = {0};

	vec_push(walk->arena, &stack.frames, (struct frame){base, 0, 0});
	while (stack.frames.len) {
		struct frame *frame = &stack.frames.data[stack.frames.len - 1];
		struct rule_place place = {.chain = frame->chain, .number = (unsigned)frame->next + 1};
		size_t at;

		if (frame->next == frame->chain->rules.len) {
			stack.frames.len--;
			continue;
		}
		if (walk->budget-- == 0 || walk->path->steps.len == PATH_STEPS_MAX)
			return give_up(walk, "the chains call each other more often than can be followed");
		place.rule = &frame->chain->rules.data[frame->next++];
		if (!try_rule(walk, &place, &at))
			continue;
		switch (do_rule(walk, &stack, place.rule, at)) {
		case CHAIN_GOES_ON:
			break;
		case CHAIN_ACCEPTS:
			return true;
		case CHAIN_SETTLES:
			return false;
		}
	}
	return obey_policy(walk, base);
}

/* ---- hooks ---- */

static bool walk_table(struct walk *walk, enum table_id table, enum hook hook)
{
	const char *name = hook_names[hook];
	const struct chain *chain;

	walk->table = table;
	walk->hook = hook;
	chain = find_chain(walk, name);
	return !chain || walk_chain(walk, chain);
}

/*
 * nf_nat_inet_fn(): rules are asked for connections that are new, or expected ones (related, but no error of ICMP, which
 * belongs to a connection that was asked for already).
 */
static bool asks_nat(const struct walk *walk)
{
	return walk->tracked && (walk->packet.state == PACKET_NEW ||
				 (walk->packet.state == PACKET_RELATED && !packet_is_icmp(&walk->packet)));
}

static bool walk_nat(struct walk *walk, enum hook hook)
{
	return !asks_nat(walk) || walk_table(walk, TABLE_NAT, hook);
}

static void pass_conntrack(struct walk *walk)
{
	struct packet *packet = &walk->packet;

	/* CT --notrack has been here. */
	if (walk->conntrack_seen)
		return;
	walk->conntrack_seen = true;
	packet->state = walk->input->packet->state;
	walk->tracked = packet->state != PACKET_INVALID && packet->state != PACKET_UNTRACKED;
	if (walk->tracked && packet->state != PACKET_NEW) {
		walk->connmark.unknown = UINT32_MAX;
		walk_assume(walk, "the packet goes the way its connection was opened, and the connection is not translated");
	}
	walk_step(walk, STEP_CONNTRACK);
}

static bool walk_prerouting(struct walk *walk)
{
	if (!walk_table(walk, TABLE_RAW, HOOK_PREROUTING))
		return false;
	pass_conntrack(walk);
	return walk_table(walk, TABLE_MANGLE, HOOK_PREROUTING) && walk_nat(walk, HOOK_PREROUTING);
}

static bool holds_rules(const struct walk *walk, enum table_id table)
{
	const struct chain *chain = table_find_chain(&walk->input->rules->tables[table], "INPUT", strlen("INPUT"));

	return chain && (chain->rules.len || chain->policy_drop);
}

/* iptables-nft hooks security behind nat, at priority 150; the kernel's own table, the legacy one, stands at 50. */
static bool nat_comes_first(struct walk *walk)
{
	if (walk->input->backend == CHECK_BACKEND_UNKNOWN && holds_rules(walk, TABLE_NAT) && holds_rules(walk, TABLE_SECURITY))
		walk_assume(walk, "the rules are the nft backend's, where nat INPUT comes before security INPUT");
	return walk->input->backend != CHECK_BACKEND_LEGACY;
}

static bool walk_input(struct walk *walk)
{
	if (!walk_table(walk, TABLE_MANGLE, HOOK_INPUT) || !walk_table(walk, TABLE_FILTER, HOOK_INPUT))
		return false;
	if (nat_comes_first(walk))
		return walk_nat(walk, HOOK_INPUT) && walk_table(walk, TABLE_SECURITY, HOOK_INPUT);
	return walk_table(walk, TABLE_SECURITY, HOOK_INPUT) && walk_nat(walk, HOOK_INPUT);
}

static bool walk_forward(struct walk *walk)
{
	return walk_table(walk, TABLE_MANGLE, HOOK_FORWARD) && walk_table(walk, TABLE_FILTER, HOOK_FORWARD) &&
	       walk_table(walk, TABLE_SECURITY, HOOK_FORWARD) && walk_table(walk, TABLE_MANGLE, HOOK_POSTROUTING) &&
	       walk_nat(walk, HOOK_POSTROUTING);
}

static bool walk_hooks(struct walk *walk)
{
	if (!walk_prerouting(walk) || !walk_route(walk))
		return false;
	return walk->local ? walk_input(walk) : walk_forward(walk);
}

/* ---- the whole ---- */

static void start(struct walk *walk)
{
	walk->packet = walk->original = *walk->input->packet;
	/* Until conntrack has seen it, a packet has no connection. */
	walk->packet.state = PACKET_INVALID;
	walk->bespoken = walk->tracked = walk->conntrack_seen = walk->dnat = walk->snat = walk->local = walk->out_unknown = false;
	walk->out = NULL;
	walk->mark = walk->connmark = (struct mark){0, 0};
	walk->budget = BUDGET;
	walk->next_decision = 0;
}

static void walk_path(struct walk *walk)
{
	size_t shared = walk->decisions.len ? walk->decisions.data[walk->decisions.len - 1].step : 0;

	vec_push(walk->arena, &walk->trace->paths, (struct trace_path){.shared = shared});
	walk->path = &walk->trace->paths.data[walk->trace->paths.len - 1];
	start(walk);
	if (walk_hooks(walk)) {
		walk->path->fate = FATE_ACCEPTED;
		walk->path->decisive = walk->path->steps.len - 1;
	}
	walk->path->packet = walk->packet;
	walk->path->out = walk->out;
	walk->path->forwarded = walk->hook == HOOK_FORWARD || walk->hook == HOOK_POSTROUTING;
}

/* The last question that still has its first answer gets the other one. False: there is none. */
static bool turn_back(struct walk *walk)
{
	while (walk->decisions.len && !walk->decisions.data[walk->decisions.len - 1].answer)
		walk->decisions.len--;
	if (walk->decisions.len == 0)
		return false;
	walk->decisions.data[walk->decisions.len - 1].answer = false;
	return true;
}

void trace_run(struct trace *out, const struct trace_input *input, struct arena *arena)
{
	struct walk walk = {.arena = arena, .input = input, .trace = out};
	size_t steps = 0;

	BUG_ON(input->rules->family != input->packet->family);
	*out = (struct trace){0};
	do {
		if (out->paths.len == TRACE_PATHS_MAX || steps > STEPS_MAX) {
			out->truncated = true;
			return;
		}
		walk_path(&walk);
		steps += walk.path->steps.len;
	} while (turn_back(&walk));
}

static bool refuses(enum fate fate)
{
	return fate == FATE_DROPPED || fate == FATE_REJECTED;
}

enum fate trace_fate(const struct trace *trace)
{
	enum fate fate = trace->paths.data[0].fate;

	if (trace->truncated)
		return FATE_UNDECIDED;
	vec_each(path, &trace->paths) {
		if (path->fate == fate)
			continue;
		if (!refuses(path->fate) || !refuses(fate))
			return FATE_UNDECIDED;
		fate = FATE_DROPPED;
	}
	return fate;
}
