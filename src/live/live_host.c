#include <peerwall/live_host.h>

#include <string.h>

#define OUTPUT_LIMIT HOST_SIZE_MAX

/* Keeps what it printed as a source. */
static bool run_ip(struct live *live, const char *path, const char *const *argv, const char *name, const struct source **out)
{
	struct process process = {
		.path = path, .argv = argv, .output_limit = OUTPUT_LIMIT, .time_limit = live->options.tool_limit,
	};
	struct process_result result;
	struct strbuf said = STRBUF_EMPTY;
	int error = process_run(&result, &process);

	*out = NULL;
	if (error) {
		strbuf_addf(&said, "cannot be run: %s", strerror(-error));
	} else if (!process_succeeded(&result)) {
		process_describe_end(&said, &process, &result);
		strbuf_adds(&said, ": ");
		process_describe_message(&said, &result);
	} else {
		*out = sources_add(live->sources, name, strbuf_str(&result.out), result.out.len);
		if (!*out)
			strbuf_adds(&said, "wrote too much to be kept");
	}
	if (!*out)
		failure_set(live->failure, FAILURE_SYSTEM, "%s %s", path, strbuf_str(&said));
	process_result_free(&result);
	strbuf_free(&said);
	return *out != NULL;
}

static bool is_blank(const struct source *source)
{
	return strspn(source->text, " \t\r\n") == source->size;
}

bool live_host_read(struct live *live, struct host *host)
{
	static const struct { const char *argv[8]; const char *name; } questions[] = {
		{{"ip", "-j", "addr", NULL}, "<ip -j addr>"},
		{{"ip", "-j", "-4", "route", "show", "table", "all", NULL}, "<ip -j -4 route>"},
		{{"ip", "-j", "-6", "route", "show", "table", "all", NULL}, "<ip -j -6 route>"},
		{{"ip", "-j", "-4", "rule", NULL}, "<ip -j -4 rule>"},
		{{"ip", "-j", "-6", "rule", NULL}, "<ip -j -6 rule>"},
	};
	const char *path;

	if (!tool_find(&path, NULL, "ip", live->failure))
		return false;
	if (!path)
		return failure_set(live->failure, FAILURE_SYSTEM,
				   "there is no ip: install iproute2, or give addresses and routes by --host");
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		const struct source *source;

		if (!run_ip(live, path, questions[i].argv, questions[i].name, &source))
			return false;
		/* A kernel without IPv6 has none of its routes, and ip prints nothing at all. */
		if (!is_blank(source) && !host_read(host, source, live->diags))
			return failure_set(live->failure, FAILURE_SYSTEM, "what ip printed cannot be read");
	}
	return true;
}
