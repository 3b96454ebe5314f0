/* Any bytes as a recorded trace, beside a few rules: read, put together, explained, in both forms; diagnostics rendered. */
#include "../../src/cmd/watch_report.h"

#include <peerwall/snapshot.h>

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules_text[] =
	"*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n"
	"-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
	"-A DOCKER -p tcp -m tcp --dport 80 -j DNAT --to-destination :8080\n"
	"COMMIT\n*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:A - [0:0]\n"
	"-A INPUT -i wg+ -p tcp -m multiport --dports 22,80:90 -j A\n"
	"-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
	"-A INPUT -m limit --limit 5/min -j LOG --log-prefix \"in: \"\n"
	"-A INPUT -j REJECT\n-A A -g A\n-A A -j RETURN\nCOMMIT\n";

static void explain(const struct nft_event_list *events, struct traced_rules *rules, struct sources *sources, struct arena *arena)
{
	struct traced_list packets;
	unsigned long number = 0;

	traced_collect(&packets, events, arena);
	vec_each(packet, &packets.items) {
		struct watch_report report = {.packet = *packet, .number = ++number, .sources = sources, .arena = arena};
		struct strbuf out = STRBUF_EMPTY;

		traced_explain(*packet, rules, arena);
		watch_write_text(&out, &report);
		watch_write_json(&out, &report);
		strbuf_free(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA_EMPTY;
	struct ruleset families[FAMILY_COUNT];
	struct nft_event_list events = {0};
	struct strbuf out = STRBUF_EMPTY;
	struct traced_rules rules;
	struct sources sources;
	struct diags diags;
	const struct source *source;

	sources_init(&sources, &arena);
	diags_init(&diags, &arena);
	diags.limit = 20;
	traced_rules_init(&rules, &arena);
	source = sources_add(&sources, "rules", rules_text, strlen(rules_text));
	for (int f = 0; f < FAMILY_COUNT; f++) {
		snapshot_read(&families[f], (enum family)f, source, &arena, &diags);
		rules.families[f] = &families[f];
	}
	source = sources_add(&sources, "fuzz", (const char *)data, size);
	if (nft_trace_read(&events, source, &arena, &diags))
		explain(&events, &rules, &sources, &arena);
	diags_render(&out, &diags, &sources, (struct diag_style){.colour = true});
	strbuf_free(&out);
	arena_free(&arena);
	return 0;
}
