/* From options as they were written to options as iptables-save prints them: order, defaults, other forms. */
#include "module_normalise.h"
#include "module_table.h"
#include "value.h"
#include "words.h"

#include <peerwall/bug.h>

#include <ctype.h>
#include <string.h>

const char reason_full_range[] = "one backend never matches a negated full range of ports, the other one always";

static struct option *find(struct match_options *options, enum option_id id)
{
	for (size_t i = 0; i < options->len; i++)
		if (options->data[i].id == id)
			return &options->data[i];
	return NULL;
}

static struct option *add(struct match_options *options, enum option_id id)
{
	struct option *option;

	BUG_ON(options->len == MATCH_OPTIONS_MAX);
	option = &options->data[options->len++];
	*option = (struct option){.id = id, .value.kind = option_rows[id].kind};
	return option;
}

static void drop(struct match_options *options, struct option *option)
{
	size_t index = (size_t)(option - options->data);

	memmove(option, option + 1, (options->len - index - 1) * sizeof *option);
	options->len--;
}

static void drop_number(struct match_options *options, enum option_id id, uint64_t standard)
{
	struct option *option = find(options, id);

	if (option && option->value.number == standard)
		drop(options, option);
}

/* Insertion sort: a match has a handful of options. `policy` sorts within the parts that --next divides. */
static void sort(struct match_options *options)
{
	for (size_t i = 1; i < options->len; i++) {
		struct option option = options->data[i];
		size_t j = i;

		if (option.id == OPTION_POLICY_NEXT)
			continue;
		for (; j > 0 && options->data[j - 1].id > option.id && options->data[j - 1].id != OPTION_POLICY_NEXT; j--)
			options->data[j] = options->data[j - 1];
		options->data[j] = option;
	}
}

static const char *check_required(enum module_id module, const struct match_options *options)
{
	struct module_row row = module_row(module);
	bool group = false, group_given = false;
	unsigned given_of_group = 0;

	for (unsigned i = 0; i < row.count; i++) {
		enum option_id id = (enum option_id)(row.first + i);
		unsigned flags = option_rows[id].flags;
		bool given = false;

		if (!(flags & (REQUIRED | ONE_OF)))
			continue;
		for (size_t k = 0; k < options->len; k++)
			given |= options->data[k].id == id;
		if (flags & ONE_OF) {
			group |= (flags & REQUIRED) != 0;
			group_given |= given;
			given_of_group += given;
		} else if (!given) {
			return "an option that it needs is missing";
		}
	}
	if (group && !group_given)
		return "an option that it needs is missing";
	return given_of_group > 1 ? "two of its options exclude each other" : NULL;
}

static bool is_full_range(const struct option *option, uint64_t max)
{
	return !option->negated && option->value.range.lo == 0 && option->value.range.hi == max;
}

/* iptables-save does not print ports 0:65535, and prints the negation of that as if it were the same. */
static const char *normalise_ports(struct match_options *options)
{
	for (size_t i = 0; i < options->len; i++) {
		struct option *option = &options->data[i];
		const struct port_range *range;

		if (option_rows[option->id].kind != VALUE_PORTS)
			continue;
		range = &option->value.ports.ranges.data[0];
		if (range->lo != 0 || range->hi != UINT16_MAX)
			continue;
		if (option->negated)
			return reason_full_range;
		drop(options, option);
		i--;
	}
	return NULL;
}

static void drop_full_range(struct match_options *options, enum option_id id)
{
	struct option *option = find(options, id);

	if (option && is_full_range(option, UINT32_MAX))
		drop(options, option);
}

static const char *normalise_limit(struct match_options *options)
{
	struct option *limit = find(options, OPTION_LIMIT_LIMIT);

	if (!limit) {
		limit = add(options, OPTION_LIMIT_LIMIT);
		limit->value.rate.count = 3;
		limit->value.rate.unit = 'h';
	}
	rate_normalise(&limit->value, false);
	drop_number(options, OPTION_LIMIT_BURST, 5);
	return NULL;
}

static const char *normalise_hashlimit(struct match_options *options, enum family family)
{
	struct option *rate = find(options, OPTION_HASHLIMIT_ABOVE);
	struct option *expire = find(options, OPTION_HASHLIMIT_EXPIRE);
	struct option *burst = find(options, OPTION_HASHLIMIT_BURST);
	char written, shown;

	if (!find(options, OPTION_HASHLIMIT_NAME))
		return "--hashlimit-name is missing";
	if (!rate) {
		rate = find(options, OPTION_HASHLIMIT_UPTO);
		if (rate->negated) {
			rate->negated = false;
			rate->id = OPTION_HASHLIMIT_ABOVE;
		}
	}
	written = rate->value.rate.unit;
	if (burst && (burst->value.rate.unit == 'b') != (written == 'b'))
		return "the rate counts bytes and the burst packets, or the other way round";
	if (written != 'b') {
		shown = rate_normalise(&rate->value, true);
		/* An entry lives for one unit of the rate as written; that is shown if it is not the unit as shown. */
		if (!expire && written != shown) {
			expire = add(options, OPTION_HASHLIMIT_EXPIRE);
			expire->value.number = rate_expire(written);
		} else if (expire && expire->value.number == rate_expire(shown)) {
			drop(options, expire);
		}
		if (!find(options, OPTION_HASHLIMIT_BURST))
			add(options, OPTION_HASHLIMIT_BURST)->value.rate.count = 5;
	}
	drop_number(options, OPTION_HASHLIMIT_SIZE, 0);
	drop_number(options, OPTION_HASHLIMIT_MAX, 0);
	drop_number(options, OPTION_HASHLIMIT_GCINTERVAL, 1000);
	drop_number(options, OPTION_HASHLIMIT_SRCMASK, family_bits(family));
	drop_number(options, OPTION_HASHLIMIT_DSTMASK, family_bits(family));
	return NULL;
}

static const char *normalise_recent(struct match_options *options, enum family family, struct arena *arena)
{
	struct option *option;

	if (find(options, OPTION_RECENT_RSOURCE) && find(options, OPTION_RECENT_RDEST))
		return "--rsource and --rdest exclude each other";
	if (find(options, OPTION_RECENT_RTTL) &&
	    (find(options, OPTION_RECENT_SET) || find(options, OPTION_RECENT_REMOVE)))
		return "--rttl goes with --rcheck and --update alone";
	if (find(options, OPTION_RECENT_REAP) && !find(options, OPTION_RECENT_SECONDS))
		return "--reap needs --seconds";
	if (!find(options, OPTION_RECENT_NAME))
		add(options, OPTION_RECENT_NAME)->value.text = arena_strdup(arena, "DEFAULT");
	if (!find(options, OPTION_RECENT_MASK)) {
		option = add(options, OPTION_RECENT_MASK);
		option->value.network.addr = addr_netmask(family, family_bits(family));
	}
	if (!find(options, OPTION_RECENT_RDEST) && !find(options, OPTION_RECENT_RSOURCE))
		add(options, OPTION_RECENT_RSOURCE);
	return NULL;
}

static const char *normalise_statistic(struct match_options *options)
{
	const struct option *mode = find(options, OPTION_STATISTIC_MODE);
	bool probability = find(options, OPTION_STATISTIC_PROBABILITY);
	const struct option *every = find(options, OPTION_STATISTIC_EVERY);
	const struct option *packet = find(options, OPTION_STATISTIC_PACKET);

	if (mode->value.number == 0)
		return probability && !every && !packet ? NULL : "mode random takes --probability alone";
	if (probability || !every || !packet)
		return "mode nth takes --every and --packet";
	return every->value.number > 0 && packet->value.number < every->value.number ? NULL
		: "--packet has to be below --every";
}

/* The bytes of "ab|63 64|e"; false if it is malformed. */
static bool hex_string_bytes(const char *text, unsigned char *out, size_t *size)
{
	bool hex = false;

	*size = 0;
	for (; *text; text++) {
		if (*text == '|') {
			hex = !hex;
		} else if (hex && *text == ' ') {
			continue;
		} else if (hex) {
			char digits[4] = {'0', 'x', text[0], text[1]};
			uint64_t byte;

			if (!text[1] || !number_read(digits, 4, UINT8_MAX, &byte))
				return false;
			out[(*size)++] = (unsigned char)byte;
			text++;
		} else {
			if (*text == '\\' && text[1])
				text++;
			out[(*size)++] = (unsigned char)*text;
		}
	}
	return !hex;
}

/* XT_STRING_MAX_PATTERN_SIZE is 128. */
static const char *normalise_string(struct match_options *options, struct arena *arena)
{
	enum { PATTERN_MAX = 128 };
	struct option *pattern = find(options, OPTION_STRING_STRING);
	unsigned char bytes[IPSAVE_WORD_MAX + 1];
	const struct option *algo = find(options, OPTION_STRING_ALGO);
	bool hex = false;
	size_t size;

	if (!algo)
		return "--algo is missing";
	if (strcmp(algo->value.text, "bm") != 0 && strcmp(algo->value.text, "kmp") != 0)
		return "--algo is bm or kmp";
	if (pattern) {
		size = strlen(pattern->value.text);
		memcpy(bytes, pattern->value.text, size);
	} else {
		pattern = find(options, OPTION_STRING_HEX_STRING);
		if (!hex_string_bytes(pattern->value.text, bytes, &size))
			return "this is no hexadecimal string";
	}
	if (size == 0 || size > PATTERN_MAX)
		return "the pattern has to have 1 to 128 bytes";
	for (size_t i = 0; i < size; i++)
		hex |= !(bytes[i] < 0x80 && isprint(bytes[i]));
	hex |= bytes[size - 1] == '\\';
	if (hex) {
		char *text = arena_alloc(arena, 2 * size + 3), *out = text;

		*out++ = '|';
		for (size_t i = 0; i < size; i++) {
			*out++ = "0123456789abcdef"[bytes[i] >> 4];
			*out++ = "0123456789abcdef"[bytes[i] & 15];
		}
		*out++ = '|';
		*out = '\0';
		pattern->value.text = text;
	} else {
		pattern->value.text = arena_strndup(arena, (const char *)bytes, size);
	}
	pattern->id = hex ? OPTION_STRING_HEX_STRING : OPTION_STRING_STRING;
	drop_number(options, OPTION_STRING_FROM, 0);
	drop_number(options, OPTION_STRING_TO, UINT16_MAX);
	return NULL;
}

/* "! --connlimit-above" is --connlimit-upto, and the other way round. */
static const char *normalise_connlimit(struct match_options *options, enum family family)
{
	struct option *option = find(options, OPTION_CONNLIMIT_UPTO);
	bool upto = option;

	if (find(options, OPTION_CONNLIMIT_SADDR) && find(options, OPTION_CONNLIMIT_DADDR))
		return "--connlimit-saddr and --connlimit-daddr exclude each other";
	if (!option)
		option = find(options, OPTION_CONNLIMIT_ABOVE);
	if (option->negated)
		upto = !upto;
	option->negated = false;
	option->id = upto ? OPTION_CONNLIMIT_UPTO : OPTION_CONNLIMIT_ABOVE;
	if (!find(options, OPTION_CONNLIMIT_MASK))
		add(options, OPTION_CONNLIMIT_MASK)->value.number = family_bits(family);
	if (!find(options, OPTION_CONNLIMIT_DADDR) && !find(options, OPTION_CONNLIMIT_SADDR))
		add(options, OPTION_CONNLIMIT_SADDR);
	return NULL;
}

/* A set of days: the negation of some is the rest; all of them are not printed. */
static void normalise_days(struct match_options *options, enum option_id id, uint64_t all)
{
	struct option *option = find(options, id);

	if (!option)
		return;
	if (option->negated)
		option->value.bits = ~option->value.bits & all;
	option->negated = false;
	if (option->value.bits == all)
		drop(options, option);
}

static const char *normalise_time(struct match_options *options)
{
	enum { LAST_SECOND = 24 * 3600 - 1 };
	struct option *start = find(options, OPTION_TIME_START), *stop = find(options, OPTION_TIME_STOP);
	struct option *date = find(options, OPTION_TIME_DATESTART);

	if (start || stop) {
		uint64_t from = start ? start->value.number : 0, to = stop ? stop->value.number : LAST_SECOND;

		if (!start)
			add(options, OPTION_TIME_START)->value.number = from;
		if (!stop)
			add(options, OPTION_TIME_STOP)->value.number = to;
		if (from == 0 && to == LAST_SECOND) {
			drop(options, find(options, OPTION_TIME_START));
			drop(options, find(options, OPTION_TIME_STOP));
		}
	}
	normalise_days(options, OPTION_TIME_MONTHDAYS, 0x7fffffff);
	normalise_days(options, OPTION_TIME_WEEKDAYS, 0x7f);
	date = find(options, OPTION_TIME_DATESTART);
	if (date && strcmp(date->value.text, "1970-01-01T00:00:00") == 0)
		drop(options, date);
	if (!find(options, OPTION_TIME_DATESTOP))
		add(options, OPTION_TIME_DATESTOP)->value.text = DATE_LAST;
	return NULL;
}

static const char *normalise_connmark(struct match_options *options)
{
	bool copies = find(options, OPTION_T_CONNMARK_SAVE) || find(options, OPTION_T_CONNMARK_RESTORE);

	if (!copies)
		return find(options, OPTION_T_CONNMARK_NFMASK) || find(options, OPTION_T_CONNMARK_CTMASK)
			? "--nfmask and --ctmask go with --save-mark and --restore-mark alone" : NULL;
	if (!find(options, OPTION_T_CONNMARK_NFMASK))
		add(options, OPTION_T_CONNMARK_NFMASK)->value.number = UINT32_MAX;
	if (!find(options, OPTION_T_CONNMARK_CTMASK))
		add(options, OPTION_T_CONNMARK_CTMASK)->value.number = UINT32_MAX;
	return NULL;
}

static const char *need_any(const struct match_options *options)
{
	return options->len == 0 ? "an option that it needs is missing" : NULL;
}

static const char *normalise_nfqueue(struct match_options *options)
{
	bool balance = find(options, OPTION_T_NFQUEUE_BALANCE);

	if (find(options, OPTION_T_NFQUEUE_FANOUT) && !balance)
		return "--queue-cpu-fanout needs --queue-balance";
	if (!balance && !find(options, OPTION_T_NFQUEUE_NUM))
		add(options, OPTION_T_NFQUEUE_NUM);
	return NULL;
}

static const char *normalise_nflog(struct match_options *options)
{
	drop_number(options, OPTION_T_NFLOG_GROUP, 0);
	drop_number(options, OPTION_T_NFLOG_THRESHOLD, 0);
	return find(options, OPTION_T_NFLOG_RANGE) && find(options, OPTION_T_NFLOG_SIZE)
		? "--nflog-range and --nflog-size exclude each other" : NULL;
}

static const char *normalise_tproxy(struct match_options *options, enum family family)
{
	if (!find(options, OPTION_T_TPROXY_ON_IP))
		add(options, OPTION_T_TPROXY_ON_IP)->value.network.addr.family = family;
	if (!find(options, OPTION_T_TPROXY_MARK))
		add(options, OPTION_T_TPROXY_MARK);
	return NULL;
}

/* With --strict each of the elements that --next divides has to say something; tunnels have their mode. */
static const char *check_policy(const struct match_options *options)
{
	bool strict = false, tunnel_mode = false, tunnel_end = false;
	size_t said = 0;

	for (size_t i = 0; i <= options->len; i++) {
		const struct option *option = i < options->len ? &options->data[i] : NULL;

		if (!option || option->id == OPTION_POLICY_NEXT) {
			if ((strict && said == 0) || (tunnel_end && !tunnel_mode))
				return "an element of the policy is incomplete";
			if (option && !strict)
				return "--next needs --strict";
			tunnel_mode = tunnel_end = false;
			said = 0;
		} else if (option->id == OPTION_POLICY_STRICT) {
			strict = true;
		} else if (option->id > OPTION_POLICY_STRICT) {
			said++;
			tunnel_mode |= option->id == OPTION_POLICY_MODE && option->value.number == 1;
			tunnel_end |= option->id == OPTION_POLICY_TUNNEL_SRC || option->id == OPTION_POLICY_TUNNEL_DST;
		}
	}
	return NULL;
}

static const char *normalise_module(enum module_id module, enum family family, struct arena *arena,
				    struct match_options *options)
{
	struct option *option;

	switch (module) {
	case MODULE_TCP:
	case MODULE_UDP:
		return normalise_ports(options);
	case MODULE_CONNTRACK:
		option = find(options, OPTION_CONNTRACK_CTPROTO);
		if (option && option->value.number == 0)
			return "--ctproto takes a protocol other than 0";
		return need_any(options);
	case MODULE_ESP:
		drop_full_range(options, OPTION_ESP_SPI);
		return NULL;
	case MODULE_AH:
		drop_full_range(options, OPTION_AH_SPI);
		return NULL;
	case MODULE_RT:
		drop_full_range(options, OPTION_RT_SEGSLEFT);
		return NULL;
	case MODULE_FRAG:
		drop_full_range(options, OPTION_FRAG_ID);
		return find(options, OPTION_FRAG_MORE) && find(options, OPTION_FRAG_LAST)
			? "--fragmore and --fraglast exclude each other" : NULL;
	case MODULE_LIMIT:
		return normalise_limit(options);
	case MODULE_HASHLIMIT:
		return normalise_hashlimit(options, family);
	case MODULE_RECENT:
		return normalise_recent(options, family, arena);
	case MODULE_STATISTIC:
		return normalise_statistic(options);
	case MODULE_STRING:
		return normalise_string(options, arena);
	case MODULE_CONNLIMIT:
		return normalise_connlimit(options, family);
	case MODULE_TIME:
		return normalise_time(options);
	case MODULE_CONNBYTES:
		return find(options, OPTION_CONNBYTES_MODE) && find(options, OPTION_CONNBYTES_DIR)
			? NULL : "an option that it needs is missing";
	case MODULE_POLICY:
		return check_policy(options);
	case MODULE_T_TPROXY:
		return normalise_tproxy(options, family);
	case MODULE_OWNER:
		if (find(options, OPTION_OWNER_SUPPL_GROUPS) && !find(options, OPTION_OWNER_GID))
			return "--suppl-groups needs --gid-owner";
		return need_any(options);
	case MODULE_PHYSDEV:
	case MODULE_ECN:
	case MODULE_IPRANGE:
	case MODULE_DEVGROUP:
		return need_any(options);
	case MODULE_ADDRTYPE:
		if (find(options, OPTION_ADDRTYPE_LIMIT_IN) && find(options, OPTION_ADDRTYPE_LIMIT_OUT))
			return "--limit-iface-in and --limit-iface-out exclude each other";
		return find(options, OPTION_ADDRTYPE_SRC_TYPE) || find(options, OPTION_ADDRTYPE_DST_TYPE)
			? NULL : "an option that it needs is missing";
	case MODULE_T_LOG:
		drop_number(options, OPTION_T_LOG_LEVEL, 4);
		return NULL;
	case MODULE_T_REJECT:
		if (!find(options, OPTION_T_REJECT_WITH))
			add(options, OPTION_T_REJECT_WITH)->value.text =
				family == FAMILY_IPV4 ? "icmp-port-unreachable" : "icmp6-port-unreachable";
		return NULL;
	case MODULE_T_NFLOG:
		return normalise_nflog(options);
	case MODULE_T_CONNMARK:
		return normalise_connmark(options);
	case MODULE_T_NFQUEUE:
		return normalise_nfqueue(options);
	default:
		return NULL;
	}
}

const char *module_normalise(enum module_id module, enum family family, struct arena *arena,
			     struct match_options *options)
{
	const char *reason = check_required(module, options);

	if (!reason)
		reason = normalise_module(module, family, arena, options);
	sort(options);
	return reason;
}
