/* The text of `nft monitor trace`, line by line. */
#include <peerwall/nft_trace.h>

#include <string.h>

#define LINE_START "trace id "
#define ODD_LINES_SHOWN 5

const char *const nft_verdict_names[NFT_VERDICT_COUNT] = {
	"continue", "accept", "drop", "return", "jump", "goto", "queue", "stolen",
};

struct trace_reader {
	const struct source *source;
	struct arena *arena;
	struct diags *diags;
	struct nft_event_list *out;
	size_t odd_lines; /* that are none of the trace */
	struct span last_odd;
};

static struct span span_of(const struct trace_reader *reader, const char *start, const char *end)
{
	uint32_t at = reader->source->start + (uint32_t)(start - reader->source->text);

	return (struct span){at, at + (uint32_t)(end - start)};
}

/* Where `what` begins in [text, end), or NULL. */
static const char *find(const char *text, const char *end, const char *what)
{
	return text < end ? memmem(text, (size_t)(end - text), what, strlen(what)) : NULL;
}

static const char *find_last(const char *text, const char *end, const char *what)
{
	const char *last = NULL;

	for (const char *at = text; (at = find(at, end, what)); at++)
		last = at;
	return last;
}

static bool take_id(const char **text, const char *end, uint32_t *out)
{
	struct nft_word word = nft_word_next(text, end);
	uint32_t id = 0;

	if (word.size == 0 || word.size > 8)
		return false;
	for (size_t i = 0; i < word.size; i++) {
		const char *digits = "0123456789abcdef", *digit = word.text[i] ? strchr(digits, word.text[i]) : NULL;

		if (!digit)
			return false;
		id = id << 4 | (uint32_t)(digit - digits);
	}
	*out = id;
	return true;
}

/* "accept", "jump DOCKER" */
static bool take_verdict(struct trace_reader *reader, struct nft_event *event, const char *text, const char *end)
{
	struct nft_word word = nft_word_next(&text, end);

	for (int i = 0; i < NFT_VERDICT_COUNT; i++) {
		if (!nft_word_is(word, nft_verdict_names[i]))
			continue;
		event->verdict = (enum nft_verdict)i;
		if (i != NFT_JUMPS && i != NFT_GOES)
			return true;
		while (end > text && (end[-1] == ' ' || end[-1] == '\r'))
			end--;
		while (text < end && *text == ' ')
			text++;
		event->target = arena_strndup(reader->arena, text, (size_t)(end - text));
		return text < end;
	}
	return false;
}

static bool take_handle(struct nft_event *event, const char *text, const char *end)
{
	struct nft_word word = nft_word_next(&text, end);

	return nft_word_number(word, UINT64_MAX, &event->handle);
}

/* "TEXT (verdict accept)"; other programs' texts may hold "(verdict", too: the last one counts. */
static bool take_rule(struct trace_reader *reader, struct nft_event *event, const char *text, const char *end)
{
	const char *verdict = find_last(text, end, "(verdict "), *close = find_last(text, end, ")"), *note;

	event->kind = NFT_EVENT_RULE;
	if (!verdict || !close || close < verdict || !take_verdict(reader, event, verdict + strlen("(verdict "), close))
		return false;
	while (verdict > text && verdict[-1] == ' ')
		verdict--;
	/* With -a, nft adds the handle. */
	note = find_last(text, verdict, " # handle ");
	if (note && take_handle(event, note + strlen(" # handle "), verdict))
		verdict = note;
	event->rule = arena_strndup(reader->arena, text, (size_t)(verdict - text));
	return true;
}

static bool take_unknown_rule(struct trace_reader *reader, struct nft_event *event, const char *text, const char *end)
{
	if (!take_rule(reader, event, text, end))
		return false;
	event->rule = NULL;
	return take_handle(event, text, end);
}

static bool take_packet(struct trace_reader *reader, struct nft_event *event, const char *text, const char *end)
{
	event->kind = NFT_EVENT_PACKET;
	return nft_header_read(&event->header, text, end, reader->arena);
}

static bool take_return(struct trace_reader *reader, struct nft_event *event, const char *text, const char *end)
{
	event->kind = NFT_EVENT_RETURN;
	return take_verdict(reader, event, text, end);
}

static bool take_policy(struct trace_reader *reader, struct nft_event *event, const char *text, const char *end)
{
	event->kind = NFT_EVENT_POLICY;
	return take_verdict(reader, event, text, end);
}

typedef bool (*line_function)(struct trace_reader *reader, struct nft_event *event, const char *text, const char *end);

static const struct line_form {
	const char *words;
	line_function take; /* NULL: nothing that is of use here */
} forms[] = {
	{" packet: ", take_packet},
	{" unknown rule handle ", take_unknown_rule},
	{" rule ", take_rule},
	{" verdict ", take_return},
	{" policy ", take_policy},
	{" conntrack: ", NULL},
};
#define FORM_COUNT (sizeof forms / sizeof *forms)

/* A chain's name may hold blanks: it ends where the first of the forms begins. */
static const struct line_form *find_form(const char *text, const char *end, const char **at)
{
	const struct line_form *found = NULL;

	for (size_t i = 0; i < FORM_COUNT; i++) {
		const char *place = find(text, end, forms[i].words);

		if (place && (!found || place < *at)) {
			found = &forms[i];
			*at = place;
		}
	}
	return found;
}

/* Behind "trace id ". */
static bool take_event(struct trace_reader *reader, struct nft_event *event, const char *text, const char *end, bool *useful)
{
	const struct line_form *form;
	const char *at = NULL;

	if (!take_id(&text, end, &event->id))
		return false;
	event->family = nft_word_keep(nft_word_next(&text, end), reader->arena);
	event->table = nft_word_keep(nft_word_next(&text, end), reader->arena);
	form = find_form(text, end, &at);
	if (!form || at <= text + 1)
		return false;
	event->chain = arena_strndup(reader->arena, text + 1, (size_t)(at - text - 1));
	*useful = form->take != NULL;
	return !form->take || form->take(reader, event, at + strlen(form->words), end);
}

static bool is_blank_line(const char *text, const char *end)
{
	return nft_word_next(&text, end).size == 0;
}

/* Whatever stands in the same file: what nft said on standard error, other events, a shell's prompt. */
static void note_odd_line(struct trace_reader *reader, struct span span)
{
	if (reader->odd_lines++ < ODD_LINES_SHOWN)
		diag_add(reader->diags, CODE_TRACE_ODD_LINE, span, "this line is none of a trace, and is passed over");
	reader->last_odd = span;
}

static void read_line(struct trace_reader *reader, const char *text, const char *end)
{
	struct nft_event event = {0};
	/* Logs may have put a time before it. */
	const char *start = find(text, end, LINE_START);
	bool useful = false;

	if (!start) {
		if (!is_blank_line(text, end))
			note_odd_line(reader, span_of(reader, text, end));
		return;
	}
	event.span = span_of(reader, start, end);
	if (!take_event(reader, &event, start + strlen(LINE_START), end, &useful))
		diag_add(reader->diags, CODE_TRACE_DAMAGED_LINE, event.span,
			 "this line of the trace is cut short, or of a form that is not known here; it is passed over");
	else if (useful)
		vec_push(reader->arena, &reader->out->items, event);
}

bool nft_trace_read(struct nft_event_list *out, const struct source *source, struct arena *arena, struct diags *diags)
{
	struct trace_reader reader = {.source = source, .arena = arena, .diags = diags, .out = out};
	const char *at = source->text, *end = source->text + source->size;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		read_line(&reader, at, stop > at && stop[-1] == '\r' ? stop - 1 : stop);
		at = newline ? newline + 1 : end;
	}
	if (reader.odd_lines > ODD_LINES_SHOWN)
		diag_add(diags, CODE_TRACE_ODD_LINE, reader.last_odd, "%zu lines in all, up to this one, are none of a trace",
			 reader.odd_lines);
	if (out->items.len)
		return true;
	diag_add(diags, CODE_TRACE_EMPTY, span_of(&reader, source->text, source->text),
		 "there is no line of `nft monitor trace` in %s", source->name);
	return false;
}
