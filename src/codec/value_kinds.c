/* Readers and printers for the kinds of values of values.def; the larger ones are in files of their own. */
#include "quoting.h"
#include "value.h"
#include "words.h"

#include <peerwall/bug.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- numbers ---- */

static uint64_t option_max(const struct value_reader *reader)
{
	unsigned flags = option_rows[reader->option].flags;

	if (flags & BITS_6)
		return 63;
	if (flags & PREFIX_LENGTH)
		return family_bits(reader->family);
	if (flags & LIMIT_BURST)
		return 10000;
	return flags & WIDTH_8 ? UINT8_MAX : flags & WIDTH_16 ? UINT16_MAX : flags & WIDTH_64 ? UINT64_MAX : UINT32_MAX;
}

static bool level_read(const char *text, size_t size, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t level;
	} levels[] = {
		{"emerg", 0}, {"panic", 0}, {"alert", 1}, {"crit", 2}, {"err", 3}, {"error", 3},
		{"warning", 4}, {"warn", 4}, {"notice", 5}, {"info", 6}, {"debug", 7},
	};

	if (number_read(text, size, 7, out))
		return true;
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (word_equal_nocase(text, size, levels[i].name)) {
			*out = levels[i].level;
			return true;
		}
	return false;
}

static bool read_number(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	unsigned flags = option_rows[reader->option].flags;
	uint8_t protocol;

	if (flags & PROTOCOL) {
		if (!protocol_number(word->text, word->size, &protocol))
			return false;
		out->number = protocol;
		return protocol != 0;
	}
	if (flags & LOG_LEVEL)
		return level_read(word->text, word->size, &out->number);
	if (reader->transform == TRANSFORM_DSCP_CLASS)
		return dscp_class_read(word->text, word->size, &out->number);
	return number_read(word->text, word->size, option_max(reader), &out->number) &&
	       (out->number > 0 || !(flags & POSITIVE));
}

/* "a:b", either of which may be left out, or one number. */
static bool read_range(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *colon = memchr(word->text, ':', word->size);
	unsigned flags = option_rows[reader->option].flags;
	uint64_t max = flags & QUEUES ? UINT16_MAX - 1 : option_max(reader);

	if (!colon) {
		if (flags & QUEUES || !number_read(word->text, word->size, max, &out->range.lo))
			return false;
		out->range.hi = flags & OPEN_END ? max : out->range.lo;
		return true;
	}
	size_t before = (size_t)(colon - word->text), behind = word->size - before - 1;

	out->range.lo = 0;
	out->range.hi = max;
	if (before > 0 && !number_read(word->text, before, max, &out->range.lo))
		return false;
	if (behind > 0 && !number_read(colon + 1, behind, max, &out->range.hi))
		return false;
	return flags & QUEUES ? out->range.lo < out->range.hi : out->range.lo <= out->range.hi;
}

static void print_range(struct strbuf *out, enum option_id option, const struct value *value)
{
	unsigned flags = option_rows[option].flags;

	strbuf_addf(out, "%" PRIu64, value->range.lo);
	if (flags & OPEN_END ? value->range.hi != UINT64_MAX : value->range.hi != value->range.lo)
		strbuf_addf(out, ":%" PRIu64, value->range.hi);
}

static bool read_masked(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *slash = memchr(word->text, '/', word->size);
	size_t before = slash ? (size_t)(slash - word->text) : word->size;
	uint64_t max = option_max(reader), value, mask = max;

	if (option_rows[reader->option].flags & TWO_DIGITS && reader->transform == TRANSFORM_SAME &&
	    tos_name_read(word->text, word->size, &value)) {
		out->masked.value = value;
		out->masked.mask = 0x3f;
		return true;
	}
	if (!number_read(word->text, before, max, &value))
		return false;
	if (slash && (reader->transform > TRANSFORM_SET_BITS ||
		      !number_read(slash + 1, word->size - before - 1, max, &mask)))
		return false;
	switch (reader->transform) {
	case TRANSFORM_SET_BITS:
		mask |= value;
		break;
	case TRANSFORM_AND_BITS:
		mask = ~value & max;
		value = 0;
		break;
	case TRANSFORM_OR_BITS:
		mask = value;
		break;
	case TRANSFORM_XOR_BITS:
		mask = 0;
		break;
	default:
		break;
	}
	out->masked.value = value;
	out->masked.mask = mask;
	return true;
}

static void print_masked(struct strbuf *out, enum option_id option, const struct value *value)
{
	unsigned flags = option_rows[option].flags;
	int digits = flags & TWO_DIGITS ? 2 : 1;
	uint64_t all = flags & WIDTH_8 ? UINT8_MAX : UINT32_MAX;

	strbuf_addf(out, "0x%0*" PRIx64, digits, value->masked.value);
	if (flags & FULL_MASK || value->masked.mask != all)
		strbuf_addf(out, "/0x%0*" PRIx64, digits, value->masked.mask);
}

/* ---- ports ---- */

static enum protocol option_protocol(enum option_id option)
{
	enum module_id module = option_rows[option].module;

	return module == MODULE_UDP ? PROTOCOL_UDP : module == MODULE_SCTP ? PROTOCOL_SCTP : PROTOCOL_TCP;
}

bool port_read(struct value_reader *reader, const char *text, size_t size, uint16_t *out)
{
	const struct services_entry *entry;
	struct decoder *decoder = reader->decoder;
	enum protocol protocol = option_protocol(reader->option);
	uint64_t number;

	if (number_read(text, size, UINT16_MAX, &number)) {
		*out = (uint16_t)number;
		return true;
	}
	if (size == 0 || isdigit((unsigned char)text[0]) || text[0] == '-')
		return false;
	if (!decoder->services_loaded) {
		/* Unreadable is as good as empty: the name is unknown then. */
		(void)services_load(&decoder->services, SERVICES_PATH, reader->arena);
		decoder->services_loaded = true;
	}
	entry = services_find(&decoder->services, text, size);
	for (int i = 0; entry && !entry->known[protocol] && i < PROTOCOL_COUNT; i++)
		protocol = (enum protocol)((protocol + 1) % PROTOCOL_COUNT);
	if (!entry || !entry->known[protocol])
		return false;
	*out = entry->ports[protocol];
	return true;
}

/* With `open`, either end may be left out. */
static bool read_port_range(struct value_reader *reader, const char *text, size_t size, bool open,
			    struct port_range *out)
{
	const char *middle = memchr(text, ':', size);

	if (!middle) {
		if (!port_read(reader, text, size, &out->lo))
			return false;
		out->hi = out->lo;
		return true;
	}
	size_t before = (size_t)(middle - text), behind = size - before - 1;

	out->lo = 0;
	out->hi = UINT16_MAX;
	if ((before > 0 || !open) && !port_read(reader, text, before, &out->lo))
		return false;
	if ((behind > 0 || !open) && !port_read(reader, middle + 1, behind, &out->hi))
		return false;
	return out->lo <= out->hi;
}

static bool read_ports(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	struct port_range *range = arena_alloc(reader->arena, sizeof *range);

	if (!read_port_range(reader, word->text, word->size, true, range))
		return false;
	out->ports.ranges.data = range;
	out->ports.ranges.len = out->ports.ranges.cap = 1;
	return true;
}

/* multiport holds 15 ports (XT_MULTI_PORTS); a range takes two places. */
static bool read_port_list(struct value_reader *reader, struct value *out)
{
	enum { MULTI_PORTS = 15 };
	const struct ipsave_word *word = &reader->words[0];
	struct port_range ranges[MULTI_PORTS];
	const char *item = word->text, *end = word->text + word->size;
	size_t count = 0, places = 0;

	for (;;) {
		const char *comma = memchr(item, ',', (size_t)(end - item));
		size_t size = (size_t)((comma ? comma : end) - item);
		bool pair = memchr(item, ':', size);

		places += pair ? 2 : 1;
		if (places > MULTI_PORTS) {
			reader->reason = "multiport takes 15 ports, and counts a range as two";
			return false;
		}
		if (!read_port_range(reader, item, size, false, &ranges[count]) ||
		    (pair && ranges[count].lo == ranges[count].hi))
			return false;
		count++;
		if (!comma)
			break;
		item = comma + 1;
	}
	out->ports.ranges.data = arena_alloc(reader->arena, count * sizeof *ranges);
	memcpy(out->ports.ranges.data, ranges, count * sizeof *ranges);
	out->ports.ranges.len = out->ports.ranges.cap = count;
	return true;
}

static void print_ports(struct strbuf *out, const struct value *value)
{
	for (size_t i = 0; i < value->ports.ranges.len; i++) {
		const struct port_range *range = &value->ports.ranges.data[i];

		strbuf_addf(out, i == 0 ? "%u" : ",%u", range->lo);
		if (range->hi != range->lo)
			strbuf_addf(out, ":%u", range->hi);
	}
}

/* A name may hold dashes, so a range has to be of numbers. */
static bool read_nat_ports(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *dash = memchr(word->text, '-', word->size);
	size_t before = dash ? (size_t)(dash - word->text) : 0;
	uint16_t port;

	if (dash && number_read(word->text, before, UINT16_MAX, &out->range.lo))
		return number_read(dash + 1, word->size - before - 1, UINT16_MAX, &out->range.hi) &&
		       out->range.lo <= out->range.hi;
	if (!port_read(reader, word->text, word->size, &port))
		return false;
	out->range.lo = out->range.hi = port;
	return true;
}

/* ---- words, names ---- */

static const char *copy_word(struct value_reader *reader, const struct ipsave_word *word)
{
	return arena_strndup(reader->arena, word->text, word->size);
}

static bool read_word(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	unsigned flags = option_rows[reader->option].flags;
	const char *name;
	uint64_t number;

	if (flags & INTERFACE && (word->size == 0 || word->size > 15))
		return false;
	if (flags & ZONE && !word_equal(word->text, word->size, "mark")) {
		if (!number_read(word->text, word->size, UINT16_MAX, &number))
			return false;
		out->text = arena_printf(reader->arena, "%" PRIu64, number);
		return true;
	}
	if (reader->option == OPTION_T_REJECT_WITH) {
		name = reject_name(reader->family, word->text, word->size);
		if (!name)
			return false;
		out->text = name;
		return true;
	}
	if (word->size == 0)
		return false;
	out->text = copy_word(reader, word);
	return true;
}

static bool read_words(struct value_reader *reader, struct value *out)
{
	const char **items = arena_alloc(reader->arena, 2 * sizeof *items);

	for (int i = 0; i < 2; i++) {
		if (reader->words[i].size == 0)
			return false;
		items[i] = copy_word(reader, &reader->words[i]);
	}
	out->words.items.data = items;
	out->words.items.len = out->words.items.cap = 2;
	return true;
}

/* The kernel keeps that many bytes, and iptables cuts the rest off without a word. */
static size_t string_max(enum option_id option)
{
	return option == OPTION_COMMENT_COMMENT ? 255 : option == OPTION_T_LOG_PREFIX ? 29 :
	       option == OPTION_T_NFLOG_PREFIX ? 63 : option == OPTION_HELPER_HELPER ? 29 : IPSAVE_WORD_MAX;
}

static bool read_string(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	size_t max = string_max(reader->option);

	if ((reader->option == OPTION_T_LOG_PREFIX || reader->option == OPTION_T_NFLOG_PREFIX) && word->size == 0) {
		reader->reason = "a log prefix may not be empty";
		return false;
	}
	out->text = arena_strndup(reader->arena, word->text, word->size > max ? max : word->size);
	return true;
}

/* The number of a name in the comma-separated list of an option, or -1. */
static int find_name(const char *names, const char *text, size_t size)
{
	int number = 0;

	for (;; number++) {
		size_t length = strcspn(names, ",");

		if (length == size && strncasecmp(names, text, size) == 0)
			return number;
		if (!names[length])
			return -1;
		names += length + 1;
	}
}

static void print_name(struct strbuf *out, const char *names, unsigned number)
{
	for (; number > 0; number--)
		names += strcspn(names, ",") + 1;
	strbuf_add(out, names, strcspn(names, ","));
}

/* "Mo" to "Monday" for weekdays, and 1 to 7. */
static int find_weekday(const char *names, const char *text, size_t size)
{
	if (size == 1 && text[0] >= '1' && text[0] <= '7')
		return text[0] - '1';
	for (int i = 0; size >= 2 && i < 7; i++)
		if (strncasecmp(names + 4 * i, text, size < 3 ? size : 3) == 0)
			return i;
	return -1;
}

static bool read_bits(struct value_reader *reader, struct value *out)
{
	const struct option_row *row = &option_rows[reader->option];
	const struct ipsave_word *word = &reader->words[0];
	const char *item = word->text, *end = word->text + word->size;

	out->bits = 0;
	for (;;) {
		const char *comma = memchr(item, ',', (size_t)(end - item));
		size_t size = (size_t)((comma ? comma : end) - item);
		int number = reader->option == OPTION_TIME_WEEKDAYS ? find_weekday(row->names, item, size)
								    : find_name(row->names, item, size);

		if (number >= 0)
			out->bits |= (uint64_t)1 << number;
		else if (!(row->flags & NONE_WORD && word_equal_nocase(item, size, "NONE")))
			return false;
		if (!comma)
			return true;
		item = comma + 1;
	}
}

static void print_bits(struct strbuf *out, enum option_id option, const struct value *value)
{
	const struct option_row *row = &option_rows[option];
	bool first = true;

	if (row->flags & NONE_WORD && value->bits == 0)
		strbuf_adds(out, "NONE");
	for (unsigned i = 0; i < 64; i++)
		if (value->bits >> i & 1) {
			if (!first)
				strbuf_addc(out, ',');
			print_name(out, row->names, i);
			first = false;
		}
}

static bool read_enum(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	int number = find_name(option_rows[reader->option].names, word->text, word->size);

	if (number < 0 && reader->option == OPTION_PKTTYPE_TYPE && word_equal_nocase(word->text, word->size, "host"))
		number = 0;
	if (number < 0)
		return false;
	out->number = (uint64_t)number;
	return true;
}

/* ---- single kinds ---- */

static bool read_mac(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];

	if (word->size != 17)
		return false;
	for (int i = 0; i < 6; i++) {
		const char *pair = word->text + 3 * i;
		char digits[4] = {'0', 'x', pair[0], pair[1]};
		uint64_t byte;

		if ((i > 0 && pair[-1] != ':') || !number_read(digits, 4, UINT8_MAX, &byte))
			return false;
		out->mac[i] = (uint8_t)byte;
	}
	return true;
}

/* A user or group: a number, a range of them, or a name of this host. */
static bool read_ids(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *dash = memchr(word->text, '-', word->size);
	size_t before;

	if (!dash)
		dash = memchr(word->text, ':', word->size);
	before = dash ? (size_t)(dash - word->text) : word->size;
	if (number_read(word->text, before, UINT32_MAX - 1, &out->range.lo)) {
		out->range.hi = out->range.lo;
		return !dash || (number_read(dash + 1, word->size - before - 1, UINT32_MAX - 1, &out->range.hi) &&
				 out->range.lo <= out->range.hi);
	}
	/* What a name stands for is known to the host of the dump alone, but for the one that all agree on. */
	if (!word_equal(word->text, word->size, "root")) {
		reader->reason = "the number of this user or group is not known here";
		return false;
	}
	out->range.lo = out->range.hi = 0;
	return true;
}

/* As libxt_statistic: a fraction from 0 to 1, kept in units of 2^-31. */
static bool read_probability(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	char digits[64];
	char *end;
	double fraction;

	if (word->size == 0 || word->size >= sizeof digits)
		return false;
	for (size_t i = 0; i < word->size; i++)
		if (!isdigit((unsigned char)word->text[i]) && word->text[i] != '.')
			return false;
	memcpy(digits, word->text, word->size);
	digits[word->size] = '\0';
	fraction = strtod(digits, &end);
	if (*end || !(fraction >= 0 && fraction <= 1))
		return false;
	out->number = (uint64_t)(fraction * 0x80000000u + 0.5);
	return true;
}

/* h:mm[:ss] */
static bool read_daytime(struct value_reader *reader, struct value *out)
{
	static const unsigned limits[3] = {23, 59, 59};
	const struct ipsave_word *word = &reader->words[0];
	const char *part = word->text, *end = word->text + word->size;
	uint64_t fields[3] = {0, 0, 0};
	int count = 0;

	for (;;) {
		const char *colon = memchr(part, ':', (size_t)(end - part));
		size_t size = (size_t)((colon ? colon : end) - part);

		/* "08" is eight here, not a bad octal number. */
		while (size > 1 && part[0] == '0') {
			part++;
			size--;
		}
		if (count == 3 || !number_read(part, size, limits[count], &fields[count]))
			return false;
		count++;
		if (!colon)
			break;
		part = colon + 1;
	}
	if (count < 2)
		return false;
	out->number = fields[0] * 3600 + fields[1] * 60 + fields[2];
	return true;
}

static bool read_class(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *colon = memchr(word->text, ':', word->size);
	uint64_t parts[2] = {0, 0};

	if (!colon || colon == word->text || colon + 1 == word->text + word->size)
		return false;
	for (int i = 0; i < 2; i++) {
		const char *text = i == 0 ? word->text : colon + 1;
		const char *end = i == 0 ? colon : word->text + word->size;

		for (; text < end; text++) {
			if (!isxdigit((unsigned char)*text) || parts[i] > 0xfff)
				return false;
			parts[i] = parts[i] * 16 + (unsigned)(isdigit((unsigned char)*text) ? *text - '0' :
							      tolower((unsigned char)*text) - 'a' + 10);
		}
	}
	out->number = parts[0] << 16 | parts[1];
	return true;
}

static bool read_tcp_flags(struct value_reader *reader, struct value *out)
{
	if (reader->transform == TRANSFORM_SYN) {
		out->tcp_flags.mask = 0x17; /* FIN,SYN,RST,ACK */
		out->tcp_flags.comp = 0x02; /* SYN */
		return true;
	}
	return tcp_flags_read(reader->words[0].text, reader->words[0].size, &out->tcp_flags.mask) &&
	       tcp_flags_read(reader->words[1].text, reader->words[1].size, &out->tcp_flags.comp);
}

static bool read_address(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];

	return addr_parse(word->text, word->size, &out->network.addr) && out->network.addr.family == reader->family;
}

static bool read_addr_range(struct value_reader *reader, struct value *out)
{
	const struct ipsave_word *word = &reader->words[0];
	const char *dash = memchr(word->text, '-', word->size);
	size_t before = dash ? (size_t)(dash - word->text) : word->size;

	if (!addr_parse(word->text, before, &out->addr_range.lo) || out->addr_range.lo.family != reader->family)
		return false;
	out->addr_range.hi = out->addr_range.lo;
	if (dash && (!addr_parse(dash + 1, word->size - before - 1, &out->addr_range.hi) ||
		     out->addr_range.hi.family != reader->family))
		return false;
	return addr_compare(&out->addr_range.lo, &out->addr_range.hi) <= 0;
}

static void print_addr(struct strbuf *out, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	strbuf_adds(out, text);
}

/* ---- all kinds ---- */

bool value_read(struct value_reader *reader, struct value *out)
{
	const struct option_row *row = &option_rows[reader->option];
	const struct ipsave_word *word = reader->words;

	out->kind = row->kind;
	switch (row->kind) {
	case VALUE_NONE:
		return true;
	case VALUE_NUMBER:
	case VALUE_NUMBER_HEX:
		return read_number(reader, out);
	case VALUE_RANGE:
		return read_range(reader, out);
	case VALUE_MASKED_HEX:
		return read_masked(reader, out);
	case VALUE_PORTS:
		return read_ports(reader, out);
	case VALUE_PORT_LIST:
		return read_port_list(reader, out);
	case VALUE_NETWORK:
		return network_read(reader->family, word->text, word->size, &out->network.addr, &out->network.mask) &&
		       (!(row->flags & PREFIX_ONLY) || addr_netmask_length(&out->network.mask) >= 0);
	case VALUE_ADDRESS:
		return read_address(reader, out);
	case VALUE_ADDR_RANGE:
		return read_addr_range(reader, out);
	case VALUE_STRING:
		return read_string(reader, out);
	case VALUE_WORD:
		return read_word(reader, out);
	case VALUE_WORDS:
		return read_words(reader, out);
	case VALUE_BITS:
		return read_bits(reader, out);
	case VALUE_ENUM:
		return read_enum(reader, out);
	case VALUE_TCP_FLAGS:
		return read_tcp_flags(reader, out);
	case VALUE_ICMP:
		return icmp_read(reader->family, word->text, word->size, out);
	case VALUE_RATE:
		return rate_read(word->text, word->size, row->flags & BYTES_TOO, out);
	case VALUE_BURST:
		return burst_read(word->text, word->size, out);
	case VALUE_MAC:
		return read_mac(reader, out);
	case VALUE_NAT:
		return nat_read(reader, out);
	case VALUE_PORT_RANGE:
		return read_nat_ports(reader, out);
	case VALUE_IDS:
		return read_ids(reader, out);
	case VALUE_PROBABILITY:
		return read_probability(reader, out);
	case VALUE_DAYTIME:
		return read_daytime(reader, out);
	case VALUE_DATE:
		return date_read(reader, out);
	case VALUE_CLASS:
		return read_class(reader, out);
	case VALUE_KIND_COUNT:
		break;
	}
	BUG("a kind of value without a reader: %d", row->kind);
}

void value_print(struct strbuf *out, enum option_id option, const struct value *value)
{
	const struct option_row *row = &option_rows[option];

	switch (row->kind) {
	case VALUE_NONE:
		return;
	case VALUE_NUMBER:
		strbuf_addf(out, "%" PRIu64, value->number);
		return;
	case VALUE_NUMBER_HEX:
		strbuf_addf(out, "0x%0*" PRIx64, row->flags & TWO_DIGITS ? 2 : 1, value->number);
		return;
	case VALUE_RANGE:
		print_range(out, option, value);
		return;
	case VALUE_MASKED_HEX:
		print_masked(out, option, value);
		return;
	case VALUE_PORTS:
	case VALUE_PORT_LIST:
		print_ports(out, value);
		return;
	case VALUE_NETWORK:
		network_print(out, &value->network.addr, &value->network.mask, row->flags & BARE_HOST);
		return;
	case VALUE_ADDRESS:
		print_addr(out, &value->network.addr);
		return;
	case VALUE_ADDR_RANGE:
		print_addr(out, &value->addr_range.lo);
		strbuf_addc(out, '-');
		print_addr(out, &value->addr_range.hi);
		return;
	case VALUE_STRING:
		if (row->flags & QUOTED)
			string_print_quoted(out, value->text);
		else
			string_print(out, value->text);
		return;
	case VALUE_WORD:
	case VALUE_DATE:
		word_encode(out, value->text);
		return;
	case VALUE_WORDS:
		for (size_t i = 0; i < value->words.items.len; i++) {
			if (i > 0)
				strbuf_addc(out, ' ');
			word_encode(out, value->words.items.data[i]);
		}
		return;
	case VALUE_BITS:
		print_bits(out, option, value);
		return;
	case VALUE_ENUM:
		print_name(out, row->names, (unsigned)value->number);
		return;
	case VALUE_TCP_FLAGS:
		tcp_flags_print(out, value->tcp_flags.mask);
		strbuf_addc(out, ' ');
		tcp_flags_print(out, value->tcp_flags.comp);
		return;
	case VALUE_ICMP:
		icmp_print(out, value);
		return;
	case VALUE_RATE:
		rate_print(out, value, row->flags & BYTES_TOO);
		return;
	case VALUE_BURST:
		burst_print(out, value);
		return;
	case VALUE_MAC:
		for (int i = 0; i < 6; i++)
			strbuf_addf(out, i == 0 ? "%02x" : ":%02x", value->mac[i]);
		return;
	case VALUE_NAT:
		nat_print(out, value);
		return;
	case VALUE_PORT_RANGE:
	case VALUE_IDS:
		strbuf_addf(out, "%" PRIu64, value->range.lo);
		if (value->range.hi != value->range.lo)
			strbuf_addf(out, "-%" PRIu64, value->range.hi);
		return;
	case VALUE_PROBABILITY:
		strbuf_addf(out, "%.11f", (double)value->number / 0x80000000u);
		return;
	case VALUE_DAYTIME:
		strbuf_addf(out, "%02u:%02u:%02u", (unsigned)(value->number / 3600),
			    (unsigned)(value->number / 60 % 60), (unsigned)(value->number % 60));
		return;
	case VALUE_CLASS:
		strbuf_addf(out, "%04x:%04x", (unsigned)(value->number >> 16), (unsigned)(value->number & 0xffff));
		return;
	case VALUE_KIND_COUNT:
		break;
	}
	BUG("a kind of value without a printer: %d", row->kind);
}
