/* Single words with a meaning of their own: interfaces, ICMP types, log clauses. */
#include "resolver.h"

#include <peerwall/resolve.h>

#include <stdlib.h>
#include <string.h>

/* ---- interfaces ---- */

/* The kernel's isspace(), which goes by ISO 8859-1 (lib/ctype.c). */
static bool is_kernel_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0;
}

/* dev_valid_name() of net/core/dev.c, and a "+" only at the end. NULL if it is fine. */
static const char *find_name_problem(const char *text, size_t size)
{
	if (size == 0)
		return "an interface has to have a name";
	if ((size == 1 && text[0] == '.') || (size == 2 && text[0] == '.' && text[1] == '.'))
		return "no interface can be called '.' or '..'";
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '/' || text[i] == ':' || is_kernel_space((unsigned char)text[i]))
			return "no name of an interface contains '/', ':' or blanks";
		/* iptables-save prints names of interfaces as they are: after this one nobody can read the rules. */
		if (text[i] == '"')
			return "iptables cannot read back a name of an interface with a '\"' in it";
		if (text[i] == '+' && i + 1 < size)
			return "a '+' may only stand at the end, where it stands for any further characters";
	}
	if (size == 1 && text[0] == '+')
		return "'+' alone is every interface, also the one you are connected by: it would lock you out";
	return NULL;
}

const char *resolver_interface(struct resolver *resolver, const struct ast_word *word)
{
	const char *problem;
	struct diag *diag;

	switch (word->kind) {
	case AST_WORD_BAD:
		return NULL;
	case AST_WORD_NAME:
	case AST_WORD_PATTERN:
	case AST_WORD_STRING:
		break;
	default:
		diag = diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "%s where the name of an interface belongs",
				describe_word_kind(word));
		if (word->size > 0 && word->size <= INTERFACE_NAME_MAX && !find_name_problem(word->text, word->size))
			diag_suggest(resolver->diags, diag, "\"%.*s\"", (int)word->size, word->text);
		return NULL;
	}
	if (word->size > INTERFACE_NAME_MAX) {
		diag = diag_add(resolver->diags, CODE_INTERFACE_NAME_LENGTH, word->span,
				"the name of an interface has at most %d bytes, this has %u", INTERFACE_NAME_MAX,
				(unsigned)word->size);
		if (word->kind != AST_WORD_STRING && word->size < 64)
			diag_label(resolver->diags, diag, SPAN_NONE, "a pattern for it could be '%.*s+'",
				   INTERFACE_NAME_MAX - 1, word->text);
		return NULL;
	}
	problem = find_name_problem(word->text, word->size);
	if (problem) {
		diag_add(resolver->diags, CODE_INTERFACE_NAME, word->span, "%s", problem);
		return NULL;
	}
	return arena_strndup(resolver->arena, word->text, word->size);
}

/* ---- ICMP ---- */

struct icmp_name {
	const char *name;
	uint8_t type;
	int16_t code;
};

/* As iptables knows them: extensions/libxt_icmp.h. */
static const struct icmp_name icmp_names[] = {
	{"echo-reply", 0, -1},
	{"pong", 0, -1},
	{"destination-unreachable", 3, -1},
	{"network-unreachable", 3, 0},
	{"host-unreachable", 3, 1},
	{"protocol-unreachable", 3, 2},
	{"port-unreachable", 3, 3},
	{"fragmentation-needed", 3, 4},
	{"source-route-failed", 3, 5},
	{"network-unknown", 3, 6},
	{"host-unknown", 3, 7},
	{"network-prohibited", 3, 9},
	{"host-prohibited", 3, 10},
	{"TOS-network-unreachable", 3, 11},
	{"TOS-host-unreachable", 3, 12},
	{"communication-prohibited", 3, 13},
	{"host-precedence-violation", 3, 14},
	{"precedence-cutoff", 3, 15},
	{"source-quench", 4, -1},
	{"redirect", 5, -1},
	{"network-redirect", 5, 0},
	{"host-redirect", 5, 1},
	{"TOS-network-redirect", 5, 2},
	{"TOS-host-redirect", 5, 3},
	{"echo-request", 8, -1},
	{"ping", 8, -1},
	{"router-advertisement", 9, -1},
	{"router-solicitation", 10, -1},
	{"time-exceeded", 11, -1},
	{"ttl-exceeded", 11, -1},
	{"ttl-zero-during-transit", 11, 0},
	{"ttl-zero-during-reassembly", 11, 1},
	{"parameter-problem", 12, -1},
	{"ip-header-bad", 12, 0},
	{"required-option-missing", 12, 1},
	{"timestamp-request", 13, -1},
	{"timestamp-reply", 14, -1},
	{"address-mask-request", 17, -1},
	{"address-mask-reply", 18, -1},
};

static const struct icmp_name icmpv6_names[] = {
	{"destination-unreachable", 1, -1},
	{"no-route", 1, 0},
	{"communication-prohibited", 1, 1},
	{"beyond-scope", 1, 2},
	{"address-unreachable", 1, 3},
	{"port-unreachable", 1, 4},
	{"failed-policy", 1, 5},
	{"reject-route", 1, 6},
	{"packet-too-big", 2, -1},
	{"time-exceeded", 3, -1},
	{"ttl-exceeded", 3, -1},
	{"ttl-zero-during-transit", 3, 0},
	{"ttl-zero-during-reassembly", 3, 1},
	{"parameter-problem", 4, -1},
	{"bad-header", 4, 0},
	{"unknown-header-type", 4, 1},
	{"unknown-option", 4, 2},
	{"echo-request", 128, -1},
	{"ping", 128, -1},
	{"echo-reply", 129, -1},
	{"pong", 129, -1},
	{"router-solicitation", 133, -1},
	{"router-advertisement", 134, -1},
	{"neighbour-solicitation", 135, -1},
	{"neighbor-solicitation", 135, -1},
	{"neighbour-advertisement", 136, -1},
	{"neighbor-advertisement", 136, -1},
	{"redirect", 137, -1},
};

struct icmp_names {
	const struct icmp_name *items;
	size_t count;
};

static struct icmp_names names_of(enum family family)
{
	return family == FAMILY_IPV4
		       ? (struct icmp_names){icmp_names, sizeof icmp_names / sizeof *icmp_names}
		       : (struct icmp_names){icmpv6_names, sizeof icmpv6_names / sizeof *icmpv6_names};
}

static const struct icmp_name *find_icmp_name(enum family family, const struct ast_word *word)
{
	struct icmp_names names = names_of(family);

	for (size_t i = 0; i < names.count; i++)
		if (strlen(names.items[i].name) == word->size && memcmp(names.items[i].name, word->text, word->size) == 0)
			return &names.items[i];
	return NULL;
}

static void report_unknown_icmp(struct resolver *resolver, const struct ast_word *word, enum family family)
{
	const char *candidates[64], *protocol = family == FAMILY_IPV4 ? "icmp" : "icmpv6", *near;
	struct icmp_names names = names_of(family);
	struct diag *diag;

	diag = diag_add(resolver->diags, CODE_ICMP_TYPE, word->span, "%s is not a type of %s",
			diag_quote(resolver->diags, word->text, word->size), protocol);
	if (find_icmp_name(family == FAMILY_IPV4 ? FAMILY_IPV6 : FAMILY_IPV4, word)) {
		diag_label(resolver->diags, diag, SPAN_NONE, "it is one of %s",
			   family == FAMILY_IPV4 ? "icmpv6" : "icmp");
		return;
	}
	for (size_t i = 0; i < names.count; i++)
		candidates[i] = names.items[i].name;
	near = nearest_word(word->text, word->size, candidates, names.count);
	if (near)
		diag_suggest(resolver->diags, diag, "%s", near);
	else
		diag_label(resolver->diags, diag, SPAN_NONE,
			   "types are names such as echo-request, numbers, or numbers with a code such as 3/4");
}

/* Decimal digits up to 255; anything larger is 256. */
static unsigned read_byte(const char *text, size_t size)
{
	unsigned number = 0;

	for (size_t i = 0; i < size && number < 256; i++)
		number = number * 10 + (unsigned)(text[i] - '0');
	return number < 256 ? number : 256;
}

static bool read_icmp_type(struct resolver *resolver, const struct ast_word *word, enum family family,
			   struct icmp_type *out)
{
	const char *slash = memchr(word->text, '/', word->size);
	size_t before = slash ? (size_t)(slash - word->text) : word->size;
	const struct icmp_name *name;
	unsigned type, code;

	*out = (struct icmp_type){.family = family, .code = -1, .span = word->span};
	switch (word->kind) {
	case AST_WORD_BAD:
		return false;
	case AST_WORD_NAME:
	case AST_WORD_PING:
		name = find_icmp_name(family, word);
		if (!name) {
			report_unknown_icmp(resolver, word, family);
			return false;
		}
		out->type = name->type;
		out->code = name->code;
		return true;
	case AST_WORD_NUMBER:
	case AST_WORD_TYPE_CODE:
		type = read_byte(word->text, before);
		code = slash ? read_byte(word->text + before + 1, word->size - before - 1) : 0;
		if (type > 255 || code > 255) {
			diag_add(resolver->diags, CODE_ICMP_TYPE, word->span, "ICMP types and codes go up to 255");
			return false;
		}
		/* IPv4's iptables takes 255 for "any". */
		if (family == FAMILY_IPV4 && type == 255) {
			diag_add(resolver->diags, CODE_ICMP_TYPE, word->span,
				 "type 255 is reserved, and iptables would take it for every type");
			return false;
		}
		out->type = (uint8_t)type;
		if (slash)
			out->code = (int16_t)code;
		return true;
	default:
		diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "%s where an ICMP type belongs",
			 describe_word_kind(word));
		return false;
	}
}

static int compare_icmp(const void *left, const void *right)
{
	const struct icmp_type *a = left, *b = right;

	return a->type != b->type ? a->type - b->type : a->code - b->code;
}

void resolver_icmp(struct resolver *resolver, const struct ast_words *words, enum family family, struct permission *out)
{
	struct icmp_type type;
	size_t kept = 0;

	vec_each(word, &words->items)
		if (read_icmp_type(resolver, word, family, &type))
			vec_push(resolver->arena, &out->icmp, type);
	if (out->icmp.len < 2)
		return;
	/* Ascending, each once; a type as a whole (code -1) comes first and covers its codes. */
	qsort(out->icmp.data, out->icmp.len, sizeof *out->icmp.data, compare_icmp);
	for (size_t i = 1; i < out->icmp.len; i++) {
		struct icmp_type *last = &out->icmp.data[kept], next = out->icmp.data[i];

		if (next.type != last->type || (next.code != last->code && last->code != -1))
			out->icmp.data[++kept] = next;
	}
	out->icmp.len = kept + 1;
}

/* ---- log clauses ---- */

/* LOG keeps 30 bytes, one of them the NUL (linux/netfilter/xt_LOG.h). */
#define LOG_PREFIX_MAX 29
/* iptables takes bursts up to this, and rates up to XT_LIMIT_SCALE a second (extensions/libxt_limit.c). */
#define LIMIT_BURST_MAX 10000u
#define LIMIT_SCALE 10000u
/*
 * xt_limit counts in 32 bits, and which clock the kernel was built with says how far they reach: a burst that
 * takes a day to refill fits everywhere, a longer one is refused or, worse, wraps around (net/netfilter/xt_limit.c).
 */
#define LIMIT_CREDIT_MAX (86400u * LIMIT_SCALE)

static const struct {
	const char *name;
	uint32_t seconds;
} log_units[] = {
	[LOG_PER_SECOND] = {"second", 1},
	[LOG_PER_MINUTE] = {"minute", 60},
	[LOG_PER_HOUR] = {"hour", 3600},
	[LOG_PER_DAY] = {"day", 86400},
};
#define LOG_UNIT_COUNT (sizeof log_units / sizeof *log_units)

static const char *read_log_prefix(struct resolver *resolver, const struct ast_word *word)
{
	struct diag *diag;

	if (word->kind == AST_WORD_BAD)
		return "";
	if (word->kind != AST_WORD_STRING) {
		diag = diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "a log prefix is put in quotes");
		if (word->size <= LOG_PREFIX_MAX)
			diag_suggest(resolver->diags, diag, "\"%.*s\"", (int)word->size, word->text);
		return "";
	}
	if (word->size == 0)
		diag_add(resolver->diags, CODE_LOG_PREFIX, word->span, "the log prefix is empty");
	else if (word->size > LOG_PREFIX_MAX)
		diag_add(resolver->diags, CODE_LOG_PREFIX, word->span, "a log prefix has at most %d bytes, this has %u",
			 LOG_PREFIX_MAX, (unsigned)word->size);
	return arena_strndup(resolver->arena, word->text, word->size);
}

/* Decimal digits; anything larger than UINT32_MAX is UINT32_MAX. */
static uint32_t read_number(const char *text, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size && number < UINT32_MAX; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static bool read_rate(struct resolver *resolver, const struct ast_word *word, struct log_rule *out)
{
	const char *names[LOG_UNIT_COUNT], *slash = memchr(word->text, '/', word->size), *near;
	size_t before = slash ? (size_t)(slash - word->text) : 0, after = word->size - before - 1;
	struct diag *diag;

	if (word->kind == AST_WORD_BAD)
		return false;
	if (word->kind != AST_WORD_RATE) {
		diag = diag_add(resolver->diags, CODE_WRONG_KIND, word->span, "%s where a rate such as 6/minute belongs",
				describe_word_kind(word));
		if (word->kind == AST_WORD_NUMBER && word->size < 10)
			diag_suggest(resolver->diags, diag, "%.*s/minute", (int)word->size, word->text);
		return false;
	}
	for (size_t unit = 0; unit < LOG_UNIT_COUNT; unit++) {
		names[unit] = log_units[unit].name;
		if (strlen(names[unit]) != after || memcmp(names[unit], slash + 1, after) != 0)
			continue;
		out->unit = (enum log_unit)unit;
		out->count = read_number(word->text, before);
		return true;
	}
	diag = diag_add(resolver->diags, CODE_LOG_LIMIT, word->span, "a rate is per second, minute, hour or day");
	near = after >= 3 && strncmp(slash + 1, "min", 3) == 0   ? "minute"
	       : after >= 3 && strncmp(slash + 1, "sec", 3) == 0 ? "second"
								 : nearest_word(slash + 1, after, names, LOG_UNIT_COUNT);
	if (near && before < 10)
		diag_suggest(resolver->diags, diag, "%.*s/%s", (int)before, word->text, near);
	return false;
}

/* Sets the burst; what the kernel would not load, or not as it is meant, is diagnosed. */
static void check_limit(struct resolver *resolver, const struct ast_log *log, struct log_rule *out)
{
	uint32_t scaled = log_units[out->unit].seconds * LIMIT_SCALE, burst_max;
	struct diag *diag;

	if (out->count == 0 || out->count > scaled) {
		diag = diag_add(resolver->diags, CODE_LOG_LIMIT, log->limit.span, out->count ? "the rate is too high"
											     : "the rate is zero");
		diag_label(resolver->diags, diag, SPAN_NONE, "iptables counts from one a day to %u a second", LIMIT_SCALE);
		return;
	}
	/* The time that one packet costs, as iptables rounds it, has to fit burst times. */
	burst_max = LIMIT_CREDIT_MAX / (scaled / out->count);
	if (burst_max > LIMIT_BURST_MAX)
		burst_max = LIMIT_BURST_MAX;
	if (log->burst.kind == AST_WORD_NONE) {
		out->burst = LOG_BURST_DEFAULT < burst_max ? LOG_BURST_DEFAULT : burst_max;
		return;
	}
	if (out->burst >= 1 && out->burst <= burst_max)
		return;
	diag = diag_add(resolver->diags, CODE_LOG_LIMIT, log->burst.span, "at this rate, a burst is from 1 to %u packets",
			burst_max);
	if (burst_max < LIMIT_BURST_MAX)
		diag_label(resolver->diags, diag, log->limit.span,
			   "the kernel cannot count a burst that takes more than a day to come again");
}

void resolver_log(struct resolver *resolver, const struct ast_log *log, struct log_rule *out)
{
	*out = (struct log_rule){.wanted = log->wanted, .span = log->span};
	if (!log->wanted)
		return;
	out->prefix = read_log_prefix(resolver, &log->prefix);
	out->count = LOG_LIMIT_DEFAULT;
	out->unit = LOG_PER_MINUTE;
	out->burst = LOG_BURST_DEFAULT;
	if (log->burst.kind == AST_WORD_NUMBER)
		out->burst = read_number(log->burst.text, log->burst.size);
	else if (log->burst.kind != AST_WORD_NONE && log->burst.kind != AST_WORD_BAD)
		diag_add(resolver->diags, CODE_WRONG_KIND, log->burst.span, "%s where a number of packets belongs",
			 describe_word_kind(&log->burst));
	if (log->limit.kind != AST_WORD_NONE && read_rate(resolver, &log->limit, out))
		check_limit(resolver, log, out);
}
