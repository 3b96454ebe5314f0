#include <peerwall/exposure.h>

#include <peerwall/match_codec.h>
#include <peerwall/policy.h>

#include <string.h>

#define NUMBER_ICMP 1
#define NUMBER_ICMPV6 58
#define NUMBER_DCCP 33
#define NUMBER_UDPLITE 136

/* ---- services ---- */

static bool has_ports(unsigned protocol)
{
	for (int i = 0; i < PROTOCOL_COUNT; i++)
		if (protocol_numbers[i] == protocol)
			return true;
	return protocol == NUMBER_DCCP || protocol == NUMBER_UDPLITE;
}

static void list_protocol(struct exposure_services *out, struct packet_space *space, unsigned protocol, uint32_t rest)
{
	bool icmp = protocol == NUMBER_ICMP || protocol == NUMBER_ICMPV6;
	enum field field = icmp ? FIELD_ICMP : FIELD_DPORT;
	struct exposure_service service = {.protocol_lo = (uint8_t)protocol, .protocol_hi = (uint8_t)protocol};
	struct addr_set values;

	rest = icmp || has_ports(protocol) ? packets_project(space, rest, FIELD_BIT(field)) : DIAGRAM_ALL;
	if (rest != DIAGRAM_ALL) {
		service.has_icmp = icmp;
		service.has_ports = !icmp;
	}
	packets_values(&values, space, rest, field);
	vec_each(range, &values.ranges) {
		service.lo = (uint16_t)range->lo;
		service.hi = (uint16_t)range->hi;
		vec_push(space->arena, &out->items, service);
	}
}

void exposure_list_services(struct exposure_services *out, struct packet_space *space, uint32_t services)
{
	struct packet_classes classes;

	*out = (struct exposure_services){0};
	packets_classify(&classes, space, services, FIELD_PROTOCOL);
	vec_each(class, &classes.items) {
		struct addr_set protocols;

		packets_values(&protocols, space, class->values, FIELD_PROTOCOL);
		vec_each(range, &protocols.ranges) {
			if (class->rest == DIAGRAM_ALL && range->lo != range->hi)
				vec_push(space->arena, &out->items,
					 (struct exposure_service){.protocol_lo = (uint8_t)range->lo,
								   .protocol_hi = (uint8_t)range->hi});
			else
				for (addr_number protocol = range->lo; protocol <= range->hi; protocol++)
					list_protocol(out, space, (unsigned)protocol, class->rest);
		}
	}
}

static void add_range(struct strbuf *out, unsigned lo, unsigned hi)
{
	strbuf_addf(out, "%u", lo);
	if (hi != lo)
		strbuf_addf(out, "-%u", hi);
}

static void add_icmp(struct strbuf *out, const struct exposure_service *service)
{
	unsigned lo = service->lo >> 8, hi = service->hi >> 8;

	if ((service->lo & 0xff) == 0 && (service->hi & 0xff) == 0xff) {
		add_range(out, lo, hi);
		return;
	}
	strbuf_addf(out, "%u/%u", lo, service->lo & 0xffu);
	if (service->lo != service->hi)
		strbuf_addf(out, "-%u/%u", hi, service->hi & 0xffu);
}

static void add_service(struct strbuf *out, const struct exposure_service *service)
{
	const char *name = protocol_name(service->protocol_lo);

	if (service->protocol_lo != service->protocol_hi) {
		strbuf_adds(out, "protocols ");
		add_range(out, service->protocol_lo, service->protocol_hi);
		return;
	}
	if (name)
		strbuf_adds(out, name);
	else
		strbuf_addf(out, "protocol %u", service->protocol_lo);
	if (service->has_ports || service->has_icmp)
		strbuf_addc(out, ' ');
	if (service->has_ports)
		add_range(out, service->lo, service->hi);
	if (service->has_icmp)
		add_icmp(out, service);
}

/* Before the item of that number. False: there are enough of them. */
static bool add_comma(struct strbuf *out, size_t number, size_t count, size_t most)
{
	/* "and 1 more" is no shorter than that one. */
	if (number == most && count > most + 1) {
		strbuf_addf(out, " and %zu more", count - number);
		return false;
	}
	if (number)
		strbuf_adds(out, ", ");
	return true;
}

void exposure_add_services(struct strbuf *out, struct packet_space *space, uint32_t services, size_t most)
{
	struct exposure_services those, others, *shown = &those;

	if (services == DIAGRAM_ALL) {
		strbuf_adds(out, "anything");
		return;
	}
	exposure_list_services(&those, space, services);
	exposure_list_services(&others, space, packets_minus(space, DIAGRAM_ALL, services));
	if (others.items.len < those.items.len) {
		strbuf_adds(out, "anything but ");
		shown = &others;
	}
	for (size_t i = 0; i < shown->items.len && add_comma(out, i, shown->items.len, most); i++)
		add_service(out, &shown->items.data[i]);
}

/* ---- the other fields ---- */

void exposure_add_addresses(struct strbuf *out, struct packet_space *space, uint32_t addresses, enum field field,
			    size_t most)
{
	struct addr_set those, others, *shown = &those;
	struct prefix_list prefixes = {0};

	if (addresses == DIAGRAM_ALL) {
		strbuf_adds(out, "any");
		return;
	}
	packets_values(&those, space, addresses, field);
	packets_values(&others, space, packets_minus(space, DIAGRAM_ALL, addresses), field);
	if (addr_set_count_prefixes(&others) * 2 <= addr_set_count_prefixes(&those)) {
		strbuf_adds(out, "all but ");
		shown = &others;
	}
	addr_set_prefixes(space->arena, shown, &prefixes);
	for (size_t i = 0; i < prefixes.items.len && add_comma(out, i, prefixes.items.len, most); i++) {
		const struct prefix *prefix = &prefixes.items.data[i];
		char text[PREFIX_TEXT_MAX];

		if (prefix->length == family_bits(space->family))
			addr_format(&prefix->addr, text);
		else
			prefix_format(prefix, text);
		strbuf_adds(out, text);
	}
}

void exposure_add_ports(struct strbuf *out, struct packet_space *space, uint32_t ports, enum field field, size_t most)
{
	struct addr_set set;

	packets_values(&set, space, ports, field);
	for (size_t i = 0; i < set.ranges.len && add_comma(out, i, set.ranges.len, most); i++)
		add_range(out, (unsigned)set.ranges.data[i].lo, (unsigned)set.ranges.data[i].hi);
}

static void add_interface(struct strbuf *out, const struct packet_space *space, size_t index)
{
	const char *pattern = space->patterns.data[index];

	if (!pattern)
		strbuf_adds(out, space->outs.data[index]);
	else if (strcmp(pattern, "+") == 0)
		strbuf_adds(out, "any other interface");
	else
		strbuf_addf(out, "any other %s", pattern);
}

void exposure_add_interface(struct strbuf *out, const struct packet_space *space, const char *name)
{
	for (size_t i = 1; i < space->outs.len; i++)
		if (space->outs.data[i] == name) {
			add_interface(out, space, i);
			return;
		}
	strbuf_adds(out, name);
}

void exposure_add_interfaces(struct strbuf *out, struct packet_space *space, uint32_t outs, size_t most)
{
	struct addr_set set;
	size_t count = 0, number = 0;
	bool host = packets_and(space, outs, packets_to_host(space)) != DIAGRAM_NONE;

	packets_values(&set, space, outs, FIELD_OUT);
	vec_each(range, &set.ranges)
		count += (size_t)(range->hi - range->lo) + 1;
	if (count - host > 1 && count - host + 1 == space->outs.len) {
		strbuf_adds(out, host ? "this host, any interface" : "any interface");
		return;
	}
	vec_each(range, &set.ranges)
		for (size_t i = (size_t)range->lo; i <= range->hi; i++) {
			if (!add_comma(out, number++, count, most))
				return;
			if (i == OUT_HOST)
				strbuf_adds(out, "this host");
			else
				add_interface(out, space, i);
		}
}
