/* Ports: by number or by a name of services(5), in ranges and in lists. */
#include "value.h"
#include "words.h"

#include <ctype.h>
#include <string.h>

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

bool ports_read(struct value_reader *reader, struct value *out)
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
bool port_list_read(struct value_reader *reader, struct value *out)
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

void ports_print(struct strbuf *out, const struct value *value)
{
	for (size_t i = 0; i < value->ports.ranges.len; i++) {
		const struct port_range *range = &value->ports.ranges.data[i];

		strbuf_addf(out, i == 0 ? "%u" : ",%u", range->lo);
		if (range->hi != range->lo)
			strbuf_addf(out, ":%u", range->hi);
	}
}

/* A name may hold dashes, so a range has to be of numbers. */
bool nat_ports_read(struct value_reader *reader, struct value *out)
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
