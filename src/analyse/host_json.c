/* What `ip -j addr`, `ip -j route` and `ip -j rule` print, of iproute2 6.1. */
#include <peerwall/host.h>

#include <jansson.h>
#include <string.h>

struct host_reader {
	struct host *host;
	const struct source *source;
	struct diags *diags;
	struct span span; /* of the value that is read */
};

static bool refuse(struct host_reader *reader, const char *why, const char *text)
{
	if (text)
		diag_add(reader->diags, CODE_HOST_FILE, reader->span, "%s: %s", why,
			 diag_quote(reader->diags, text, strlen(text)));
	else
		diag_add(reader->diags, CODE_HOST_FILE, reader->span, "%s", why);
	return false;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- addresses ---- */

static bool has_flag(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static bool read_address(struct host_reader *reader, const char *interface, const json_t *info)
{
	const char *family = text_of(info, "family"), *local = text_of(info, "local"), *brd = text_of(info, "broadcast");
	struct host_address address = {.interface = interface, .secondary = has_flag(info, "secondary")};
	const json_t *prefixlen = json_object_get(info, "prefixlen");
	json_int_t length = json_integer_value(prefixlen);

	if (family && strcmp(family, "inet") != 0 && strcmp(family, "inet6") != 0)
		return true;
	if (has_flag(info, "tentative") || has_flag(info, "dadfailed"))
		return true;
	if (!local || !addr_parse(local, strlen(local), &address.addr))
		return refuse(reader, "an address cannot be read", local ? local : "");
	if (!json_is_integer(prefixlen))
		return refuse(reader, "an address has no prefixlen", local);
	if (length < 0 || length > (json_int_t)family_bits(address.addr.family))
		return refuse(reader, "an address has a wrong prefixlen", local);
	address.length = (uint8_t)length;
	address.has_broadcast = brd && addr_parse(brd, strlen(brd), &address.broadcast);
	vec_push(reader->host->arena, &reader->host->addresses, address);
	return true;
}

static bool read_link(struct host_reader *reader, const json_t *link)
{
	const char *name = text_of(link, "ifname");
	const json_t *addresses = json_object_get(link, "addr_info");
	size_t i;
	json_t *info;

	if (!name)
		return refuse(reader, "an interface has no name", NULL);
	if (addresses && !json_is_array(addresses))
		return refuse(reader, "an interface's addr_info is no list", name);
	name = arena_strdup(reader->host->arena, name);
	json_array_foreach(addresses, i, info) {
		if (!json_is_object(info))
			return refuse(reader, "an interface has what is no address in its addr_info", name);
		/* Asked for one family, ip leaves the others' entries empty. */
		if (json_object_size(info) && !read_address(reader, name, info))
			return false;
	}
	return true;
}

/* ---- routes ---- */

static const struct { const char *name; enum route_kind kind; } kinds[] = {
	{"unicast", ROUTE_UNICAST},     {"local", ROUTE_LOCAL},        {"broadcast", ROUTE_BROADCAST},
	{"anycast", ROUTE_ANYCAST},     {"multicast", ROUTE_MULTICAST}, {"blackhole", ROUTE_REFUSING},
	{"unreachable", ROUTE_REFUSING}, {"prohibit", ROUTE_REFUSING},  {"throw", ROUTE_REFUSING},
};

static bool read_kind(struct host_reader *reader, const char *name, enum route_kind *out)
{
	*out = ROUTE_UNICAST;
	if (!name)
		return true;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0) {
			*out = kinds[i].kind;
			return true;
		}
	return refuse(reader, "a route of a kind that is not known", name);
}

/* "default" does not say of which family it is; its gateway does, or that of the other routes beside it. */
static bool read_destination(const char *text, const char *gateway, enum family family, struct prefix *out)
{
	if (strcmp(text, "default") != 0)
		return prefix_parse(text, strlen(text), out) == PREFIX_OK;
	*out = (struct prefix){0};
	if (!gateway || !addr_parse(gateway, strlen(gateway), &out->addr))
		out->addr.family = family;
	out->addr = (struct addr){.family = out->addr.family};
	return true;
}

static bool is_main(const char *table)
{
	return !table || strcmp(table, "main") == 0 || strcmp(table, "local") == 0;
}

/* What is in other tables matters only if it is for this host. */
static void note_table(struct host *host, const char *name, enum route_kind kind)
{
	bool delivers = kind == ROUTE_LOCAL || kind == ROUTE_BROADCAST || kind == ROUTE_ANYCAST;

	vec_each(table, &host->tables)
		if (strcmp(table->name, name) == 0) {
			table->delivers |= delivers;
			return;
		}
	vec_push(host->arena, &host->tables, (struct host_table){arena_strdup(host->arena, name), delivers});
}

static bool read_route(struct host_reader *reader, const json_t *object, enum family family)
{
	const char *dst = text_of(object, "dst"), *dev = text_of(object, "dev"), *gateway = text_of(object, "gateway");
	json_t *via = json_object_get(object, "via");
	struct host_route route = {.metric = (uint32_t)json_integer_value(json_object_get(object, "metric")),
				   .gateway = gateway || via || json_object_get(object, "nexthops")};

	if (!read_kind(reader, text_of(object, "type"), &route.kind))
		return false;
	if (!is_main(text_of(object, "table"))) {
		note_table(reader->host, text_of(object, "table"), route.kind);
		return true;
	}
	if (!dst || !read_destination(dst, gateway, family, &route.to))
		return refuse(reader, "a route's destination cannot be read", dst ? dst : "");
	route.to = prefix_masked(&route.to);
	route.interface = dev ? arena_strdup(reader->host->arena, dev) : NULL;
	vec_push(reader->host->arena, &reader->host->routes, route);
	return true;
}

static enum family family_of_routes(const json_t *array)
{
	size_t i;
	json_t *object;
	struct prefix prefix;

	json_array_foreach(array, i, object) {
		const char *dst = text_of(object, "dst");

		if (dst && prefix_parse(dst, strlen(dst), &prefix) == PREFIX_OK)
			return prefix.addr.family;
	}
	return FAMILY_IPV4;
}

/* ---- rules ---- */

/* "from all lookup local", "main" or "default" are always there. */
static bool is_usual(const json_t *rule)
{
	static const char *const tables[] = {"local", "main", "default"};
	const char *table = text_of(rule, "table"), *src = text_of(rule, "src");

	if (!table || !src || strcmp(src, "all") != 0 || json_object_size(rule) != 3)
		return false;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (strcmp(table, tables[i]) == 0)
			return true;
	return false;
}

static void note_rule(struct host *host, const json_t *rule)
{
	const char *table = text_of(rule, "table");

	host->has_rules = true;
	vec_push(host->arena, &host->asked_tables, arena_strdup(host->arena, table ? table : ""));
}

static bool read_rule(struct host_reader *reader, const json_t *rule)
{
	if (!json_is_integer(json_object_get(rule, "priority")))
		return refuse(reader, "the priority of a rule is no number", NULL);
	reader->host->rules_read = true;
	if (!is_usual(rule))
		note_rule(reader->host, rule);
	return true;
}

/* ---- the whole ---- */

#define NEITHER "this is of none of `ip -j addr`, `ip -j route` and `ip -j rule`"

static bool read_element(struct host_reader *reader, const json_t *object, enum family family)
{
	if (json_is_object(object) && json_object_size(object) == 0)
		return true;
	if (json_object_get(object, "dst")) {
		reader->host->has_routes = true;
		return read_route(reader, object, family);
	}
	if (json_object_get(object, "priority"))
		return read_rule(reader, object);
	if (json_object_get(object, "ifname")) {
		reader->host->has_addresses = true;
		return read_link(reader, object);
	}
	return refuse(reader, NEITHER, NULL);
}

static void skip_blanks(const struct source *source, size_t *at)
{
	while (*at < source->size && source->text[*at] && strchr(" \t\r\n", source->text[*at]))
		++*at;
}

/* The value at `at`, which is moved behind it; NULL with an error told. */
static json_t *load_value(struct host_reader *reader, size_t *at)
{
	const struct source *source = reader->source;
	json_error_t error;
	json_t *value = json_loadb(source->text + *at, source->size - *at, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &error);
	uint32_t place = source->start + (uint32_t)*at;

	if (value) {
		reader->span = (struct span){place, place + 1};
		*at += (size_t)error.position;
		return value;
	}
	place += (uint32_t)(error.position > 0 ? error.position - 1 : 0);
	reader->span = (struct span){place, place};
	refuse(reader, "this is not JSON", error.text);
	return NULL;
}

/* Once more from its beginning, one by one, for nothing else tells where each of them stands. */
static bool read_array(struct host_reader *reader, const json_t *array, size_t at)
{
	enum family family = family_of_routes(array);

	for (size_t count = json_array_size(array); count; count--) {
		json_t *element;
		bool ok;

		at++; /* '[', or a comma */
		skip_blanks(reader->source, &at);
		element = load_value(reader, &at);
		ok = element && read_element(reader, element, family);
		json_decref(element);
		if (!ok)
			return false;
		skip_blanks(reader->source, &at);
	}
	return true;
}

static bool read_value(struct host_reader *reader, size_t *at)
{
	size_t start = *at;
	json_t *value = load_value(reader, at);
	bool ok;

	if (!value)
		return false;
	ok = json_is_array(value) ? read_array(reader, value, start) : refuse(reader, NEITHER, NULL);
	json_decref(value);
	return ok;
}

bool host_read(struct host *host, const struct source *source, struct diags *diags)
{
	struct host_reader reader = {.host = host, .source = source, .diags = diags,
				     .span = {source->start, source->start}};
	size_t at = 0;

	skip_blanks(source, &at);
	if (at == source->size)
		return refuse(&reader, "there is nothing in it", NULL);
	while (at < source->size) {
		if (!read_value(&reader, &at))
			return false;
		skip_blanks(source, &at);
	}
	return true;
}
