#!/usr/bin/env bash
# The script that compile writes, for hosts without peerwall: its policy takes the place of any other, in any order
# and under traffic (reload.sh), and its down leaves nothing, whichever policy was up.

# shellcheck source=reload.sh
. "$(dirname "${BASH_SOURCE[0]}")/reload.sh" || exit 2

# script POLICY up|down
script() {
	in_ns host env "IPTABLES_RESTORE=iptables-$backend-restore" "IP6TABLES_RESTORE=ip6tables-$backend-restore" \
		sh "$work/$1.script/wg1.sh" "$2" >"$work/output" 2>&1 || not_ok "script $backend: $1 $2" <"$work/output"
}

# Of policies with the chains of forwards, of security, and of neither; the last has shared chains.
script_policies() {
	local name
	write_policies
	echo 'interface wg1 { expose tcp 22 to 10.1.1.0/24, fd00:1::/64 }' >"$work/plain.policy"
	cat >"$work/shared.policy" <<-'EOF'
	peers some = 10.1.1.4, 10.1.1.7, 10.1.1.9, fd00:1::4, fd00:1::7, fd00:1::9
	interface wg1 { expose tcp 22, 24, 26, 28, udp 22, 24, 26, 28 to some }
	EOF
	for name in this that polite plain shared; do
		"$PEERWALL" compile -o "$work/$name.script" "$work/$name.policy" >"$work/output" 2>&1 ||
			not_ok "script $backend: compile $name" <"$work/output"
	done
}

script_takes_over() {
	local name
	for name in plain polite this shared polite plain that shared this; do
		script $name up
	done
	if peerwall status "$work/this.policy" >"$work/output" 2>&1 &&
		grid "$here/cases/flagship.expect" drop plain; then
		ok "script $backend: the last policy, and nothing else, $asked probes"
	else
		not_ok "script $backend: the last policy" < <(cat "$work/output" "$work/wrong")
	fi
	script plain down
	save_rules >"$work/after"
	if same_rules "$work/before" "$work/after" >"$work/differences"; then
		ok "script $backend: down by another policy: rules as before"
	else
		not_ok "script $backend: down by another policy: rules differ" <"$work/differences"
	fi
}

script_under_traffic() {
	local changes=0 name
	script this up
	traffic_start open
	while traffic_goes_on; do
		for name in that polite this; do
			script $name up
			changes=$((changes + 1))
		done
	done
	traffic_finish
	if [ "$lost$leaked$broken" = 000 ] && [ "$sent" -ge $((seconds * rate)) ] && [ $changes -ge 3 ]; then
		ok "G4: script $backend: $changes changes, $sent questions, 0 leaked, 0 lost, 2 connections held"
	else
		not_ok "G4: script $backend: $changes changes, $sent questions, $leaked leaked, $lost lost, $broken broken" \
			< <(cat "$work"/steady.*)
	fi
	script that down
}

run_script() {
	for backend in ${BACKENDS:-nft legacy}; do
		topology_up "$backend"
		save_rules >"$work/before"
		script_policies
		script_takes_over
		script_under_traffic
		topology_down
	done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	net_begin
	run_script
	finish
fi
