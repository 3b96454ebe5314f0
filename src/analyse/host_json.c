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
	json_int_t length = json_integer_value(json_object_get(info, "prefixlen"));

	if (family && strcmp(family, "inet") != 0 && strcmp(family, "inet6") != 0)
		return true;
	if (has_flag(info, "tentative") || has_flag(info, "dadfailed"))
		return true;
	if (!local || !addr_parse(local, strlen(local), &address.addr))
		return refuse(reader, "an address cannot be read", local ? local : "");
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
	size_t i;
	json_t *info;

	if (!name)
		return refuse(reader, "an interface has no name", NULL);
	name = arena_strdup(reader->host->arena, name);
	json_array_foreach(json_object_get(link, "addr_info"), i, info)
		/* Asked for one family, ip leaves the others' entries empty. */
		if (json_object_size(info) && !read_address(reader, name, info))
			return false;
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

/* ---- the whole ---- */

#define NEITHER "this is of none of `ip -j addr`, `ip -j route` and `ip -j rule`"

static bool read_array(struct host_reader *reader, const json_t *array)
{
	enum family family = family_of_routes(array);
	size_t i;
	json_t *object;

	json_array_foreach(array, i, object) {
		bool ok;

		if (json_is_object(object) && json_object_size(object) == 0)
			continue;
		if (json_object_get(object, "dst")) {
			ok = read_route(reader, object, family);
			reader->host->has_routes = true;
		} else if (json_object_get(object, "priority")) {
			reader->host->rules_read = true;
			if (!is_usual(object))
				note_rule(reader->host, object);
			ok = true;
		} else if (json_object_get(object, "ifname")) {
			ok = read_link(reader, object);
			reader->host->has_addresses = true;
		} else {
			ok = refuse(reader, NEITHER, NULL);
		}
		if (!ok)
			return false;
	}
	return true;
}

static bool read_value(struct host_reader *reader, size_t *at)
{
	const struct source *source = reader->source;
	json_error_t error;
	json_t *value = json_loadb(source->text + *at, source->size - *at, JSON_DISABLE_EOF_CHECK, &error);
	uint32_t place = source->start + (uint32_t)*at;
	bool ok;

	if (!value) {
		place += (uint32_t)(error.position > 0 ? error.position - 1 : 0);
		reader->span = (struct span){place, place};
		return refuse(reader, "this is not JSON", error.text);
	}
	reader->span = (struct span){place, place + 1};
	ok = json_is_array(value) ? read_array(reader, value)
				  : refuse(reader, NEITHER, NULL);
	json_decref(value);
	*at += (size_t)error.position;
	return ok;
}

static void skip_blanks(const struct source *source, size_t *at)
{
	while (*at < source->size && source->text[*at] && strchr(" \t\r\n", source->text[*at]))
		++*at;
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
