#!/usr/bin/env bash
# That the grids can fail: rules of a policy in force are broken one way at a time,
# and each time a grid has to notice. Then apply has to mend it.

# shellcheck source=grid.sh
. "$(dirname "${BASH_SOURCE[0]}")/grid.sh" || exit 2

# own_rules 4|6 TABLE REGEX: the rules of ours in TABLE that REGEX finds.
own_rules() {
	"save$1" -t "$2" | grep -E '^-A PW|--comment "peerwall ' | grep -E -e "$3"
}

# mutate 4|6 TABLE REGEX: deletes them. Status 1 if there are none.
mutate() {
	local rules
	rules=$(own_rules "$@") || return 1
	printf '*%s\n%s\nCOMMIT\n' "$2" "${rules//-A /-D }" | "restore$1"
}

# Rejecting has its last word in security, dropping in mangle.
mutate_last() { mutate "$1" security "$2" || mutate "$1" mangle "$2"; }

without_ipv6() {
	local table
	for table in security mangle filter; do
		mutate 6 $table '^-A (PREROUTING|INPUT|FORWARD)'
	done
}
without_arrival() { mutate 4 mangle '^-A PREROUTING'; }
without_last_word() { mutate_last 4 '^-A PW-wg1 -j DROP$'; }
without_way_out() { mutate_last 4 '^-A FORWARD -o wg1'; }
without_ssh() { mutate 4 mangle '--dports? ([0-9:]+,)*22\b' || mutate 4 filter 'dstport 22\b'; }
without_filter() { mutate 4 filter '^-A (INPUT|FORWARD)'; }
with_a_stranger() {
	local table chain
	for table in security mangle; do
		for chain in $(own_rules 4 $table '^-A (PREROUTING|INPUT) -i wg1 ' | sed 's/.* -j //'); do
			# By the source it sent from: with nft, security sees it behind a foreign SNAT.
			table4 -t $table -I "$chain" 1 -p tcp --dport 22 -m conntrack --ctorigsrc 10.9.9.9 -j RETURN || return
		done
	done
}

# check_mutant NAME OTHERWISE STATE
check_mutant() {
	local what="mutant $1 $backend $2 $3"
	if ! "$1" >"$work/output" 2>&1; then
		not_ok "$what: found nothing to break" <"$work/output"
	elif grid "$here/cases/flagship.expect" "$2" "$3"; then
		not_ok "$what: not noticed by $asked probes" </dev/null
	else
		ok "$what: noticed by $(wc -l <"$work/wrong") of $asked probes"
	fi
	check_up "$work/flagship.policy"
}

run_mutants() {
	local otherwise
	for backend in ${BACKENDS:-nft legacy}; do
		for otherwise in drop reject; do
			topology_up "$backend"
			sed "s/@OTHERWISE@/$otherwise/" "$here/cases/flagship.policy" >"$work/flagship.policy"
			check_up "$work/flagship.policy"
			check_mutant without_ipv6 $otherwise plain
			check_mutant without_ssh $otherwise plain
			foreign_rules -I 1
			check_mutant without_arrival $otherwise foreign
			check_mutant without_last_word $otherwise foreign
			check_mutant without_way_out $otherwise foreign
			check_mutant with_a_stranger $otherwise foreign
			foreign_rules -D
			dropping_add
			check_mutant without_filter $otherwise dropping
			dropping_remove
			if grid "$here/cases/flagship.expect" "$otherwise" plain; then
				ok "mutants $backend $otherwise: mended, $asked probes"
			else
				not_ok "mutants $backend $otherwise: not mended" <"$work/wrong"
			fi
			topology_down
		done
	done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	net_begin
	run_mutants
	finish
fi
