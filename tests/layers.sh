#!/bin/sh
# A module includes only lower layers, or modules of its own layer to its left. The folders of src/ are the
# layers, lowest first; within a folder the modules stand here from left to right.
set -eu
cd "$(dirname "$0")/.."

modules="
base/arena base/vec base/strbuf base/intern
text/source text/diag
net/addr net/interval
model/policy model/ast model/ruleset
parse/parse_policy parse/parse_ipsave parse/services
codec/match_codec codec/snapshot
meaning/resolve meaning/lower
analyse/host analyse/diagram analyse/packetset analyse/packet_classes analyse/places analyse/rule_packets analyse/table_walk analyse/traverse analyse/exposure analyse/chain_map analyse/declared analyse/proof analyse/checks analyse/packet analyse/trace analyse/nft_trace analyse/nft_rule analyse/traced analyse/watch_filter analyse/reach
plan/plan plan/emit plan/overlay
live/failure live/process live/netlink live/generation live/nft_table live/rule_handles live/nft_watch live/nft_native live/lock live/backend live/foreign live/live live/live_host live/state_file live/made_tables live/apply live/record live/rollback live/watcher live/recorded_change
cmd/report"

# shellcheck disable=SC2086 # the list is words
printf '%s\n' $modules | awk '
	{ split($1, part, "/"); rank[part[2]] = NR; last[part[1]] = NR }
	END {
		while (("ls src/*/*.[ch] include/peerwall/*.h" | getline file) > 0) {
			n = split(file, path, "/"); name = path[n]; sub(/\.[ch]$/, "", name); folder = path[n - 1]
			# A module split over several files (checks_dnat.c) ranks with the last of its folder.
			own = name in rank ? rank[name] : folder in last ? last[folder] : folder == "cmd" ? NR + 1 : 0
			if (!own) continue
			while ((getline line < file) > 0) {
				if (line !~ /^#include <peerwall\/[a-z_0-9]+\.h>/) continue
				header = line; sub(/^[^\/]*\//, "", header); sub(/\.h>.*/, "", header)
				if (header in rank && rank[header] > own) {
					printf "layers: %s includes <peerwall/%s.h>, which lies above it\n", file, header
					bad = 1
				}
				count++
			}
			close(file)
		}
		if (!bad) printf "layers: %d includes, all pointing down\n", count
		exit bad
	}'
