/* The one place where diagnostics become text for people. */
#include <peerwall/diag.h>

#include <string.h>

/* A line of the source is shown whole up to this width, else a window of it around the caret. In code points. */
#define WINDOW_WIDTH 120
#define WINDOW_BEFORE 60
/* The tildes under a long span end here. */
#define UNDERLINE_MAX 100

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

#define COLOUR_BOLD "\033[1m"
#define COLOUR_ERROR "\033[1;31m"
#define COLOUR_WARNING "\033[1;35m"
#define COLOUR_NOTE "\033[1;36m"
#define COLOUR_HELP "\033[1;32m"
#define COLOUR_OFF "\033[0m"

/*
 * The size of the character of UTF-8 at `text`, 0 if there is none: cut off, overlong, a surrogate.
 * RFC 3629.
 */
static size_t decode(const unsigned char *text, size_t size, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3
									       : text[0] < 0xf5 ? 4 : 0;
	uint32_t point;

	if (length == 0 || length > size)
		return 0;
	point = length == 1 ? text[0] : text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*out = point;
	return length;
}

/* Would a terminal do something else with it than show it? Controls, and what turns the direction of writing. */
static bool is_harmful(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c || point == 0x200e || point == 0x200f ||
	       (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* Text of the user, one replacement for each bad byte or character. Tabs stay if `tabs`. */
static void add_clean(struct strbuf *out, const char *text, size_t size, bool tabs)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + size;

	while (at < end) {
		uint32_t point;
		size_t length = decode(at, (size_t)(end - at), &point);

		if (length && (!is_harmful(point) || (tabs && point == '\t')))
			strbuf_add(out, (const char *)at, length);
		else
			strbuf_adds(out, REPLACEMENT);
		at += length ? length : 1;
	}
}

void diag_clean(struct strbuf *out, const char *text, size_t size)
{
	add_clean(out, text, size, false);
}

static size_t step(const char *text, size_t size)
{
	uint32_t point;
	size_t length = decode((const unsigned char *)text, size, &point);

	return length ? length : 1;
}

/* Blanks under a text, its tabs kept, so that what follows stands below what follows the text. */
static void add_blanks(struct strbuf *out, const char *text, size_t size)
{
	for (size_t at = 0; at < size; at += step(text + at, size - at))
		strbuf_addc(out, text[at] == '\t' ? '\t' : ' ');
}

/* The start of a window that ends at `offset` and is at most `width` characters wide. */
static size_t window_start(const char *line, size_t offset, size_t width)
{
	size_t at = offset;

	for (; at > 0 && width > 0; width--) {
		at--;
		for (unsigned i = 0; i < 3 && at > 0 && ((unsigned char)line[at] & 0xc0) == 0x80; i++)
			at--;
	}
	return at;
}

static size_t window_end(const char *line, size_t size, size_t from, size_t width)
{
	size_t at = from;

	for (; at < size && width > 0; width--)
		at += step(line + at, size - at);
	return at < size ? at : size;
}

static void add_excerpt(struct strbuf *out, const struct location *location, struct span span, const char *colour,
			const char *colour_off)
{
	const char *line = location->line_text;
	size_t size = location->line_size, offset = location->line_offset < size ? location->line_offset : size;
	size_t length = span.hi > span.lo ? span.hi - span.lo : 0;
	size_t from = 0, to = size, marked = 0;

	if (length > size - offset)
		length = size - offset;
	if (size > WINDOW_WIDTH) {
		if (offset > WINDOW_BEFORE)
			from = window_start(line, offset, WINDOW_BEFORE);
		to = window_end(line, size, from, WINDOW_WIDTH);
	}
	strbuf_adds(out, from > 0 ? "    ..." : "    ");
	add_clean(out, line + from, to - from, true);
	strbuf_adds(out, to < size ? "...\n" : "\n");

	strbuf_adds(out, from > 0 ? "       " : "    ");
	add_blanks(out, line + from, offset - from);
	strbuf_adds(out, colour);
	strbuf_addc(out, '^');
	for (size_t at = offset; at < offset + length && at < to && marked < UNDERLINE_MAX; marked++) {
		at += step(line + at, offset + length - at);
		if (marked > 0)
			strbuf_addc(out, '~');
	}
	strbuf_adds(out, colour_off);
	strbuf_addc(out, '\n');
}

static void add_place(struct strbuf *out, const struct location *location, struct diag_style style)
{
	strbuf_adds(out, style.colour ? COLOUR_BOLD : "");
	add_clean(out, location->source->name, strlen(location->source->name), false);
	strbuf_addf(out, ":%u:%u: ", location->line, location->column);
	strbuf_adds(out, style.colour ? COLOUR_OFF : "");
}

static void add_word(struct strbuf *out, const char *word, const char *colour, struct diag_style style)
{
	strbuf_adds(out, style.colour ? colour : "");
	strbuf_addf(out, "%s:", word);
	strbuf_adds(out, style.colour ? COLOUR_OFF : "");
	strbuf_addc(out, ' ');
}

static void add_label(struct strbuf *out, const struct diag_label *label, const struct sources *sources,
		      struct diag_style style)
{
	struct location location;

	if (!sources_locate(sources, label->span.lo, &location)) {
		strbuf_adds(out, "    = ");
		add_word(out, "note", COLOUR_NOTE, style);
		add_clean(out, label->text, strlen(label->text), false);
		strbuf_addc(out, '\n');
		return;
	}
	add_place(out, &location, style);
	add_word(out, "note", COLOUR_NOTE, style);
	add_clean(out, label->text, strlen(label->text), false);
	strbuf_addc(out, '\n');
	add_excerpt(out, &location, label->span, style.colour ? COLOUR_NOTE : "", style.colour ? COLOUR_OFF : "");
}

static void add_help(struct strbuf *out, const struct diag *diag, struct diag_style style)
{
	strbuf_adds(out, "    = ");
	add_word(out, "help", COLOUR_HELP, style);
	strbuf_adds(out, "did you mean '");
	add_clean(out, diag->suggestion, strlen(diag->suggestion), false);
	strbuf_adds(out, "'?");
	strbuf_addc(out, '\n');
}

void diag_render(struct strbuf *out, const struct diag *diag, const struct sources *sources, struct diag_style style)
{
	static const struct {
		const char *word, *colour;
	} severities[] = {
		[SEVERITY_OFF] = {"off", COLOUR_BOLD},
		[SEVERITY_NOTE] = {"note", COLOUR_NOTE},
		[SEVERITY_WARNING] = {"warning", COLOUR_WARNING},
		[SEVERITY_ERROR] = {"error", COLOUR_ERROR},
	};
	const struct diag_code_info *info = diag_code_info(diag->code);
	const char *colour = severities[diag->severity].colour;
	struct location location;
	bool placed = sources_locate(sources, diag->span.lo, &location);

	if (placed)
		add_place(out, &location, style);
	else
		strbuf_adds(out, "peerwall: ");
	add_word(out, severities[diag->severity].word, colour, style);
	add_clean(out, diag->message, strlen(diag->message), false);
	strbuf_addf(out, " [%s %s]\n", info->number, info->name);
	if (placed)
		add_excerpt(out, &location, diag->span, style.colour ? colour : "", style.colour ? COLOUR_OFF : "");
	/* Notes without a place belong to the first place: they come before the others. */
	vec_each(label, &diag->labels)
		if (label->span.lo == 0)
			add_label(out, label, sources, style);
	if (diag->suggestion)
		add_help(out, diag, style);
	vec_each(label, &diag->labels)
		if (label->span.lo != 0)
			add_label(out, label, sources, style);
}

void diags_render(struct strbuf *out, const struct diags *diags, const struct sources *sources,
		  struct diag_style style)
{
	vec_each(diag, &diags->all)
		diag_render(out, *diag, sources, style);
	if (diags->suppressed)
		strbuf_addf(out, "peerwall: and %zu more error%s\n", diags->suppressed,
			    diags->suppressed == 1 ? "" : "s");
}
