/* The host in its namespace, by the tools that a person would use. */
#include "kernel.h"

#include <peerwall/diag.h>
#include <peerwall/snapshot.h>

#include <net/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *what)
{
	fprintf(stderr, "kernel: %s\n", what);
	exit(2);
}

/* ---- tools ---- */

static const char *program(enum family family)
{
	return family == FAMILY_IPV4 ? "iptables" : "ip6tables";
}

static void read_output(struct strbuf *out, const char *command)
{
	FILE *pipe = popen(command, "r");
	char block[65536];
	size_t size;

	while (pipe && (size = fread(block, 1, sizeof block, pipe)) > 0)
		strbuf_add(out, block, size);
	if (!pipe || pclose(pipe) != 0)
		die(command);
}

bool world_load(const struct world *world, enum family family, const struct strbuf *rules)
{
	char command[128];
	FILE *pipe;

	snprintf(command, sizeof command, "%s-%s-restore -w 5%s", program(family), world->backend,
		 world->quiet ? " >/dev/null 2>&1" : "");
	pipe = popen(command, "w");
	if (!pipe)
		die(command);
	fwrite(rules->data, 1, rules->len, pipe);
	return pclose(pipe) == 0;
}

void world_read_rules(const struct world *world, struct ruleset *out, enum family family, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	struct sources sources;
	struct diags diags;
	struct source *source;
	char command[128];

	snprintf(command, sizeof command, "%s-%s-save -c", program(family), world->backend);
	read_output(&text, command);
	sources_init(&sources, arena);
	diags_init(&diags, arena);
	source = sources_add(&sources, "live", strbuf_str(&text), text.len);
	if (!source || !snapshot_read(out, family, source, arena, &diags))
		die("the rules cannot be read back");
	strbuf_free(&text);
}

void world_read_host(struct world *world, struct arena *arena)
{
	struct strbuf text = STRBUF_EMPTY;
	struct sources sources;
	struct diags diags;

	read_output(&text, "ip -j addr; ip -j -4 route show table all; ip -j -6 route show table all");
	sources_init(&sources, arena);
	diags_init(&diags, arena);
	host_init(&world->host, arena);
	if (!host_read(&world->host, sources_add(&sources, "ip", strbuf_str(&text), text.len), &diags))
		die("the host's addresses and routes cannot be read");
	strbuf_free(&text);
}

void world_open(struct world *out, const char *backend, const char *wire_namespace, char *interfaces,
		struct arena *arena)
{
	char *rest = NULL;

	*out = (struct world){.backend = backend};
	for (int i = 0; i < WORLD_INTERFACES; i++) {
		out->interfaces[i] = strtok_r(i ? NULL : interfaces, " ", &rest);
		if (!out->interfaces[i])
			die("too few interfaces");
	}
	for (int i = 0; i < WORLD_ENTRANCES; i++)
		if (!wire_open(&out->wires[i], wire_namespace, out->interfaces[i], out->interfaces[i]))
			die("no way onto the wire");
	world_read_host(out, arena);
}

bool world_is_nft(const struct world *world)
{
	return strcmp(world->backend, "nft") == 0;
}

/* ---- packets ---- */

/* The counters of world.sh's table, in its order: the host, then its interfaces. */
void world_read_arrivals(struct arrivals *out)
{
	struct strbuf text = STRBUF_EMPTY;
	char *at;

	read_output(&text, "nft list table inet sink");
	at = text.data;
	for (size_t i = 0; i < sizeof out->at / sizeof *out->at; i++) {
		at = at ? strstr(at, "counter packets ") : NULL;
		if (!at || sscanf(at, "counter packets %lu bytes %lu", &out->at[i].packets, &out->at[i].bytes) != 2)
			die("the sink's counters cannot be read");
		at++;
	}
	strbuf_free(&text);
}

void world_send(const struct world *world, const struct packet *packet, unsigned identifier)
{
	const struct wire *wire = &world->wires[world_place(world, packet->in) - 1];
	uint8_t frame[ETH_HLEN + 2048];
	unsigned size = wire_frame(frame, wire, packet, identifier);

	if (!wire_send(wire, frame, size))
		die("a packet cannot be sent");
}

bool trace_is_decided(const struct trace *trace)
{
	if (trace->paths.len != 1 || trace->paths.data[0].fate == FATE_UNDECIDED)
		return false;
	vec_each(step, &trace->paths.data[0].steps)
		if (step->supposed || step->harmless)
			return false;
	return true;
}

size_t world_place(const struct world *world, const char *interface)
{
	for (size_t i = 0; interface && i < WORLD_INTERFACES; i++)
		if (strcmp(interface, world->interfaces[i]) == 0)
			return i + 1;
	if (interface)
		die("an interface that is not there");
	return 0;
}

void world_trace(const struct world *world, struct trace *out, const struct ruleset *rules, const struct packet *packet,
		 struct arena *arena)
{
	struct trace_input input = {.rules = rules,
				    .host = &world->host,
				    .packet = packet,
				    .backend = world_is_nft(world) ? CHECK_BACKEND_NFT : CHECK_BACKEND_LEGACY};

	trace_run(out, &input, arena);
}

void count_packet(struct counters *counters, const struct packet *packet)
{
	counters->packets++;
	counters->bytes += packet->length;
}

void describe_whole_packet(struct strbuf *out, const struct packet *packet)
{
	packet_describe(out, packet);
	strbuf_adds(out, " flags ");
	packet_describe_flags(out, packet->tcp_flags);
	if (packet_has_ports(packet))
		strbuf_addf(out, " source port %u", packet->source_port.lo);
	strbuf_addf(out, " ttl %u length %u", packet->ttl, packet->length);
}
