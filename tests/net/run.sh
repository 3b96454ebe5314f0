#!/usr/bin/env bash
# The packet tests: run.sh [CASE...]
#
# For each case (cases/NAME.policy, with @OTHERWISE@ for drop and reject, and
# cases/NAME.expect), each backend, and drop and reject:
#   - the grid of questions is answered as declared, in both families;
#   - it still is after others have added rules that accept and redirect everything;
#   - and on hosts whose own rules drop by default;
#   - down leaves the rules as they were.
# Then, unless cases were named, that the grids notice broken rules (mutants.sh), and
# reloads under traffic (reload.sh). One line each, "N passed, N failed", status 1
# on any failure; 77 where they cannot run, but 1 if CI=true.
#
# PEERWALL names the program to test, BACKENDS and OTHERWISE narrow what is run.

# shellcheck source=grid.sh
. "$(dirname "${BASH_SOURCE[0]}")/grid.sh"

# check_grid CASE OTHERWISE STATE
check_grid() {
	local what="$1 $backend $2"
	[ "$3" = plain ] || what+=" $3"
	if grid "$1" "$2" "$3"; then
		ok "$what: $asked probes"
	else
		not_ok "$what: $(wc -l <"$work/wrong") of $asked probes" <"$work/wrong"
	fi
}

# check_up NAME: apply succeeds. Prints only on failure, as the grid says the rest.
check_up() {
	peerwall apply "$work/$1.policy" >"$work/output" 2>&1 ||
		not_ok "$1 $backend: apply, status $?" <"$work/output"
}

# check_down NAME WHAT BEFORE
check_down() {
	if ! peerwall down "$work/$1.policy" >"$work/output" 2>&1; then
		not_ok "$2 down: status $?" <"$work/output"
	fi
	save_rules >"$work/after"
	if same_rules "$3" "$work/after" >"$work/differences"; then
		ok "$2 down: rules as before"
	else
		not_ok "$2 down: rules differ" <"$work/differences"
	fi
}

run_case() {
	local name=$1 otherwise=$2 state
	topology_up "$backend"
	sed "s/@OTHERWISE@/$otherwise/" "$here/cases/$name.policy" >"$work/$name.policy"

	save_rules >"$work/before"
	check_up "$name"
	check_grid "$name" "$otherwise" plain
	foreign_add
	check_grid "$name" "$otherwise" foreign
	foreign_remove
	check_down "$name" "$name $backend $otherwise" "$work/before"

	for state in dropping ufw; do
		"${state}_add"
		save_rules >"$work/before.$state"
		check_up "$name"
		check_grid "$name" "$otherwise" $state
		check_down "$name" "$name $backend $otherwise $state" "$work/before.$state"
		"${state}_remove"
	done
	topology_down
}

net_begin
cases=("$@")
if [ $# -eq 0 ]; then
	for file in "$here"/cases/*.policy; do
		file=${file##*/}
		cases+=("${file%.policy}")
	done
fi
for name in "${cases[@]}"; do
	[ -f "$here/cases/$name.expect" ] || die "no case $name"
	for backend in ${BACKENDS:-nft legacy}; do
		for otherwise in ${OTHERWISE:-drop reject}; do
			run_case "$name" "$otherwise"
		done
	done
done
finish
