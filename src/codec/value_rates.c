/* Rates and bursts. */
#include "value.h"
#include "words.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* The kernel keeps a rate as the time between packets, in these parts of a second (xt_limit.h, xt_hashlimit.h). */
#define LIMIT_SCALE 10000u
#define HASHLIMIT_SCALE 1000000u

static const struct {
	const char *name;
	uint32_t seconds;
	char unit;
} units[] = {{"second", 1, 's'}, {"minute", 60, 'm'}, {"hour", 3600, 'h'}, {"day", 86400, 'd'}};

static uint32_t unit_seconds(char unit)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].unit == unit)
			return units[i].seconds;
	return 1;
}

static bool read_bytes(const char *text, size_t size, const char *suffix, uint64_t *out)
{
	size_t digits = 0, rest;
	uint64_t factor = 1;

	while (digits < size && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	if (!number_read(text, digits, UINT32_MAX, out))
		return false;
	text += digits;
	rest = size - digits;
	if (rest > 0 && (*text == 'k' || *text == 'm')) {
		factor = *text == 'k' ? 1024 : 1024 * 1024;
		text++;
		rest--;
	}
	if (!word_equal(text, rest, suffix) || *out > UINT32_MAX / factor)
		return false;
	/* The kernel counts in units of 16 bytes (XT_HASHLIMIT_BYTE_SHIFT). */
	*out = *out * factor & ~(uint64_t)15;
	return *out > 0;
}

static void print_bytes(struct strbuf *out, uint64_t bytes)
{
	if (bytes % (1024 * 1024) == 0)
		strbuf_addf(out, "%" PRIu64 "mb", bytes / (1024 * 1024));
	else if (bytes % 1024 == 0)
		strbuf_addf(out, "%" PRIu64 "kb", bytes / 1024);
	else
		strbuf_addf(out, "%" PRIu64 "b", bytes);
}

bool rate_read(const char *text, size_t size, bool bytes_too, struct value *out)
{
	const char *slash = memchr(text, '/', size);
	uint32_t scale = bytes_too ? HASHLIMIT_SCALE : LIMIT_SCALE;
	size_t digits = 0;

	if (bytes_too && read_bytes(text, size, "b/s", &out->rate.count)) {
		out->rate.unit = 'b';
		return true;
	}
	while (digits < size && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	if (digits != (slash ? (size_t)(slash - text) : size))
		return false;
	/* Leading zeros do not make it octal: atoi(). */
	while (digits > 1 && *text == '0') {
		text++;
		digits--;
		size--;
	}
	out->rate.unit = 's';
	if (slash) {
		size_t length = (size_t)(text + size - slash - 1);
		size_t i;

		for (i = 0; i < sizeof units / sizeof *units; i++)
			if (length > 0 && length <= strlen(units[i].name) &&
			    strncasecmp(slash + 1, units[i].name, length) == 0)
				break;
		if (i == sizeof units / sizeof *units)
			return false;
		out->rate.unit = units[i].unit;
	}
	return number_read(text, digits, INT32_MAX, &out->rate.count) && out->rate.count > 0 &&
	       out->rate.count / unit_seconds(out->rate.unit) <= scale;
}

char rate_normalise(struct value *value, bool hashlimit)
{
	uint64_t scale = hashlimit ? HASHLIMIT_SCALE : LIMIT_SCALE;
	uint64_t period = scale * unit_seconds(value->rate.unit) / value->rate.count;
	size_t best = sizeof units / sizeof *units - 1;

	if (period == 0)
		period = 1;
	/* The smallest unit in which at least one packet falls, unless too much would be lost by rounding. */
	while (best > 0) {
		uint64_t smaller = scale * units[best - 1].seconds;

		if (period > smaller || smaller / period < smaller % period)
			break;
		best--;
	}
	value->rate.count = scale * units[best].seconds / period;
	value->rate.unit = units[best].unit;
	return value->rate.unit;
}

void rate_print(struct strbuf *out, const struct value *value, bool hashlimit)
{
	struct value shown = *value;

	if (value->rate.unit == 'b') {
		print_bytes(out, value->rate.count);
		strbuf_adds(out, "/s");
		return;
	}
	rate_normalise(&shown, hashlimit);
	strbuf_addf(out, "%" PRIu64 "/%s", shown.rate.count,
		    shown.rate.unit == 's' ? "sec" : shown.rate.unit == 'm' ? "min" : shown.rate.unit == 'h' ? "hour" : "day");
}

bool burst_read(const char *text, size_t size, struct value *out)
{
	out->rate.unit = 0;
	if (number_read(text, size, 1000000, &out->rate.count))
		return out->rate.count > 0;
	out->rate.unit = 'b';
	return read_bytes(text, size, "b", &out->rate.count);
}

void burst_print(struct strbuf *out, const struct value *value)
{
	if (value->rate.unit == 'b')
		print_bytes(out, value->rate.count);
	else
		strbuf_addf(out, "%" PRIu64, value->rate.count);
}

uint32_t rate_expire(char unit)
{
	return unit_seconds(unit) * 1000;
}
