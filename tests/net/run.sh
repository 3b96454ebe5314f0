#!/usr/bin/env bash
# The packet tests: run.sh [CASE...]
#
# For each case (cases/NAME.policy, with @OTHERWISE@ for drop and reject, and
# cases/NAME.expect), each backend, and drop and reject:
#   - the grid of questions is answered as declared, in both families;
#   - it still is after others have added rules that accept and redirect everything;
#   - and on hosts whose own rules drop by default;
#   - down leaves the rules as they were.
# The case "beside" has two policies. "mutants" (the grids notice broken rules), "reload"
# (changes under traffic), "script" (the script for hosts without peerwall), "strays"
# (odd packets) and "versions" (of Docker) are in files of their own. Without names, all are run. One line each,
# "N passed, N failed", status 1 on any failure; 77 where they cannot run, but 1 if
# CI=true.
#
# The two backends are tested side by side, as most of the time is spent waiting for
# what does not answer. PEERWALL names the program to test, BACKENDS and OTHERWISE
# narrow what is run.

# shellcheck source=mutants.sh
. "$(dirname "${BASH_SOURCE[0]}")/mutants.sh" || exit 2
# shellcheck source=reload.sh
. "$(dirname "${BASH_SOURCE[0]}")/reload.sh" || exit 2
# shellcheck source=script.sh
. "$(dirname "${BASH_SOURCE[0]}")/script.sh" || exit 2
# shellcheck source=strays.sh
. "$(dirname "${BASH_SOURCE[0]}")/strays.sh" || exit 2
# shellcheck source=versions.sh
. "$(dirname "${BASH_SOURCE[0]}")/versions.sh" || exit 2

run_case() {
	local otherwise
	for backend in ${BACKENDS:-nft legacy}; do
		for otherwise in ${OTHERWISE:-drop reject}; do
			run_case_once "$1" "$otherwise"
		done
	done
}

run_case_once() {
	local name=$1 otherwise=$2 state
	topology_up "$backend"
	sed "s/@OTHERWISE@/$otherwise/" "$here/cases/$name.policy" >"$work/$name.policy"

	save_rules >"$work/before"
	check_up "$work/$name.policy"
	check_grid "$name" "$otherwise" plain
	save_rules >"$work/once"
	check_up "$work/$name.policy"
	save_rules >"$work/twice"
	cmp -s "$work/once" "$work/twice" ||
		not_ok "$name $backend $otherwise: applying twice" < <(diff "$work/once" "$work/twice")
	foreign_add
	check_grid "$name" "$otherwise" foreign
	foreign_remove
	check_down "$work/$name.policy" "$name $backend $otherwise" "$work/before"

	for state in dropping ufw; do
		"${state}_add"
		save_rules >"$work/before.$state"
		check_up "$work/$name.policy"
		check_grid "$name" "$otherwise" $state
		check_down "$work/$name.policy" "$name $backend $otherwise $state" "$work/before.$state"
		"${state}_remove"
	done
	topology_down
}

# Two policies side by side, taken away one by one by the names of their interfaces
# when their files are gone.
# shellcheck disable=SC2317  # called by its name in run_all
run_beside() {
	for backend in ${BACKENDS:-nft legacy}; do
		topology_up "$backend"
		sed 's/@OTHERWISE@/drop/' "$here/cases/flagship.policy" >"$work/one.policy"
		echo 'interface wg2 { expose tcp 22 to 10.2.2.0/24, fd00:2::/64; otherwise reject }' >"$work/two.policy"
		{
			sed '/^unaffected/d' "$here/cases/flagship.expect"
			echo 'far * host,hostwg2 * refused'
			echo 'far tcp host,hostwg2 22 open:host'
		} >"$work/beside.expect"

		save_rules >"$work/before"
		check_up "$work/one.policy" "$work/two.policy"
		rm "$work/one.policy" "$work/two.policy"
		check_grid "beside" drop plain "$work/beside.expect"
		peerwall down wg2 >"$work/output" 2>&1 || not_ok "beside $backend: down wg2" <"$work/output"
		check_grid "beside, wg2 down" drop plain "$here/cases/flagship.expect"
		check_down wg1 "beside $backend" "$work/before"
		topology_down
	done
}

run_all() {
	local name
	for name; do
		case $name in
		beside | mutants | reload | script | strays | versions) "run_$name" ;;
		*) run_case "$name" ;;
		esac
	done
	finish
}

# Each backend in a process of its own, which cleans up after itself. Their lines are
# shown one backend after the other, numbered through.
run_both_backends() {
	local status=0
	for backend in nft legacy; do
		# There before the process is, which may take its time to begin: what shows it must find it.
		: >"$work/$backend"
		BACKENDS=$backend "$0" "$@" >>"$work/$backend" 2>&1 &
		backends+=($!)
	done
	trap 'kill "${backends[@]}" 2>/dev/null; wait; exit 143' INT TERM HUP
	{
		tail -n +1 -f --pid="${backends[0]}" "$work/nft"
		tail -n +1 -f --pid="${backends[1]}" "$work/legacy"
	} | awk '
		/^(not )?ok [0-9]+ / { sub(/ok [0-9]+/, "ok " ++n) }
		/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; finished++; next }
		{ print; fflush() }
		END {
			if (finished != 2) {
				print "not ok " ++n " a backend did not finish"
				failed++
			}
			print passed + 0 " passed, " failed + 0 " failed"
		}
	' &
	wait "${backends[0]}" || status=1
	wait "${backends[1]}" || status=1
	wait
	return $status
}

declare -a backends=()

# All in one function, so that the file may change while it runs.
main() {
	local name file
	local cases=("$@")
	if [ $# -eq 0 ]; then
		for file in "$here"/cases/*.policy; do
			file=${file##*/}
			cases+=("${file%.policy}")
		done
		cases+=(beside mutants reload script strays versions)
	fi
	for name in "${cases[@]}"; do
		case $name in
		beside | mutants | reload | script | strays | versions) ;;
		*) [ -f "$here/cases/$name.expect" ] || die "no case $name" ;;
		esac
	done
	net_begin
	if [ -n "${BACKENDS:-}" ]; then
		run_all "${cases[@]}"
	else
		run_both_backends "${cases[@]}"
	fi
}

main "$@"
exit
