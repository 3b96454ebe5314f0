#include <peerwall/failure.h>

#include <peerwall/strbuf.h>

static const char *format_text(struct failure *failure, const char *format, va_list args)
{
	struct strbuf text = STRBUF_EMPTY;
	const char *copy;

	strbuf_vaddf(&text, format, args);
	copy = arena_strndup(failure->arena, strbuf_str(&text), text.len);
	strbuf_free(&text);
	return copy;
}

bool failure_set(struct failure *failure, enum failure_kind kind, const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = format_text(failure, format, args);
	va_end(args);
	if (failure->kind == FAILURE_NONE) {
		failure->kind = kind;
		failure->message = text;
	} else {
		vec_push(failure->arena, &failure->notes, text);
	}
	return false;
}

void failure_note(struct failure *failure, const char *format, ...)
{
	const char *text;
	va_list args;

	va_start(args, format);
	text = format_text(failure, format, args);
	va_end(args);
	vec_push(failure->arena, &failure->notes, text);
}
