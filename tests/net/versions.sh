#!/usr/bin/env bash
# Docker's rules as its versions lay them out, each on both backends: what is declared gets in and nothing else (G1),
# also after others have added rules that accept and redirect everything and Docker has put its own in front (G2).
# And that the rules are those that Docker documents: with PEERWALL_CORPUS, a folder that has them.

# shellcheck source=grid.sh
. "$(dirname "${BASH_SOURCE[0]}")/grid.sh" || exit 2

# A port that leads to one of the container's that Docker does not publish is no longer let by since 28.
run_version() { # CASE OTHERWISE
	local what="Docker ${docker/%20/20 to 27}, $1"
	sed "s/@OTHERWISE@/$2/; s/, 8444//" "$here/cases/$1.policy" >"$work/version.policy"
	sed '/8444/d' "$here/cases/$1.expect" >"$work/version.expect"
	save_rules >"$work/before"
	check_up "$work/version.policy"
	check_grid "$what" "$2" plain "$work/version.expect"
	foreign_add
	check_grid "$what" "$2" foreign "$work/version.expect"
	foreign_remove
	check_down "$work/version.policy" "$what $backend $2" "$work/before"
}

# table_rules FILE [CHAINS]: "TABLE RULE" of all rules, in their order in each chain, but for those that match CHAINS.
table_rules() {
	awk -v without="${2:-^$}" '/^\*/ { table = $1 } /^-A/ && $0 !~ without { print table, $0 }' "$1" | sort -s -k1,3
}

# check_documented VERSION WITHOUT DOCUMENT: that docker_rules writes the document's rules, but for those that match WITHOUT.
check_documented() {
	docker_rules 4 "$network" "$container" 127.0.0.0/8 "${container%/*}" >"$work/written"
	if diff <(table_rules "$3" "$2") <(table_rules "$work/written") >"$work/differences"; then
		ok "Docker $1: rules as documented"
	else
		not_ok "Docker $1: rules are not as documented" <"$work/differences"
	fi
}

# The documents have docker0, which is empty, and where there is a container bridge1, its port 80 published as 8080.
run_documented() {
	local documents="${PEERWALL_CORPUS:-/nonexistent}/moby__moby" bridge_name docker docker_published network container
	if [ ! -d "$documents" ]; then
		echo "skipped: PEERWALL_CORPUS names no folder with Docker's documented rules"
		[ "${CI:-}" != true ] || not_ok "Docker's documentation" </dev/null
		return
	fi
	docker=20 bridge_name=docker0 docker_published='' network=172.17.0.0/16 container=172.17.0.2/32
	check_documented "20 to 27" '^$' "$documents/iptablesdoc__new-daemon@v27.3-dev-20241015.rules"
	bridge_name=bridge1 docker_published=tcp:8080:80 network=192.0.2.0/24 container=192.0.2.2/32
	for docker in ${docker_versions#20 }; do
		check_documented "$docker" docker0 "$documents/iptablesdoc__usernet-portmap@v$docker.rules"
	done
}

run_versions() {
	run_documented
	for backend in ${BACKENDS:-nft legacy}; do
		for docker in $docker_versions; do
			topology_up "$backend"
			run_version flagship drop
			run_version published reject
			topology_down
		done
	done
	docker=20
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	net_begin
	run_versions
	finish
fi
