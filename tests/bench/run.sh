#!/bin/bash
# How long the proof takes, beside what iptables-restore takes to load the same rules: a table on standard output.
# docs/performance.md says what its columns mean.
#
#   run.sh PEERWALL MEASURE [SIZE...]     MEASURE is measure.c, built; sizes are numbers of rules
#
# BENCH_RUNS: how often each is run; the median counts. BENCH_SHAPES: which of generate.awk's. The largest dumps in
# the folder that PEERWALL_CORPUS names are measured as well. Slow is no failure; what cannot be run is.

set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peerwall=$1
measure=$2
shift 2
sizes=${*:-1000 10000 50000}
runs=${BENCH_RUNS:-3}
shapes=${BENCH_SHAPES-kube docker bridges acl blocklist campus}
corpus=${PEERWALL_CORPUS:-}
corpus_least=3000 # rules
failed=0

skip() {
	echo "skipped: bench: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}

[ "$(id -u)" = 0 ] || skip "loading rules needs root"
unshare -n true 2>/dev/null || skip "no network namespaces can be made here"
for tool in iptables-nft-restore iptables-legacy-restore; do
	command -v "$tool" >/dev/null || skip "there is no $tool"
done

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

fail() { # what
	failed=1
	echo "not ok: $1" >&2
	tail -n 3 "$work/said" | cut -c 1-300 | sed 's/^/    /' >&2
}

# "SECONDS MB", of the run whose seconds are the median.
median() {
	sort -n "$1" | awk '{ line[NR] = $1 " " $2 } END { print NR ? line[int((NR + 1) / 2)] : "- -" }'
}

# What it says is kept; what gives up takes no time worth comparing.
run_peerwall() { # column ARGUMENT...
	local column=$1
	local seconds memory status

	shift
	"$measure" /dev/null "$peerwall" "$@" 2>"$work/said" >"$work/one" &&
		read -r seconds memory status <"$work/one" && [ "$status" -le 1 ] && ! grep -q PW616 "$work/said" || return 1
	echo "$seconds $memory" >>"$work/$column"
}

# A dump that the backend here does not take has no time to compare with.
run_restore() { # family file backend
	local tool=iptables seconds memory status

	[ "$1" = 4 ] || tool=ip6tables
	"$measure" -n "$2" "$tool-$3-restore" 2>"$work/said" >"$work/one" &&
		read -r seconds memory status <"$work/one" && [ "$status" = 0 ] || return 1
	echo "$seconds $memory" >>"$work/$3"
}

ratio() { # ours theirs
	awk -v ours="$1" -v theirs="$2" 'BEGIN { if (ours == "-" || theirs == "-" || theirs == 0) print "-"; else printf("%.2f\n", ours / theirs) }'
}

row() {
	printf '| %-18s | %6s | %6s | %7s | %4s | %7s | %4s | %7s | %7s | %6s | %6s | %7s |\n' "$@"
}

# The runs take turns, so that a machine that is busy for a while is so for all of them.
bench() { # name family file must-load
	local rules proof proof_memory whole whole_memory nft legacy _ turn backend column

	for column in proof whole nft legacy; do
		: >"$work/$column"
	done
	rules=$(grep -cE '^(\[[0-9:]*\] )?-A ' "$3")
	for ((turn = 0; turn < runs; turn++)); do
		if ! run_peerwall proof lint --format json "$here/wg1.pw" --snapshot"$2" "$3"; then
			fail "$1, IPv$2, $rules rules: not proved"
			return
		fi
		# This one may be too much; then it has no time.
		run_peerwall whole reach --from wg1 --snapshot"$2" "$3"
		for backend in nft legacy; do
			if ! run_restore "$2" "$3" "$backend" && [ "$4" = yes ]; then
				fail "$1, IPv$2, $rules rules: does not load ($backend)"
				return
			fi
		done
	done
	read -r proof proof_memory < <(median "$work/proof")
	read -r whole whole_memory < <(median "$work/whole")
	read -r nft _ < <(median "$work/nft")
	read -r legacy _ < <(median "$work/legacy")
	row "$1" "IPv$2" "$rules" "$proof" "$proof_memory" "$whole" "$whole_memory" "$nft" "$legacy" \
		"$(ratio "$proof" "$nft")" "$(ratio "$proof" "$legacy")" "$(ratio "$whole" "$nft")"
}

row shape family rules 'proof s' MB 'whole s' MB 'nft s' 'leg. s' '/ nft' '/ leg.' 'w / nft'
row --- --- ---: ---: ---: ---: ---: ---: ---: ---: ---: ---:

for size in $sizes; do
	for shape in $shapes; do
		for family in 4 6; do
			awk -v shape="$shape" -v rules="$size" -v family="$family" -f "$here/generate.awk" >"$work/rules" || exit 2
			bench "$shape" "$family" "$work/rules" yes
		done
	done
done

# The largest of each folder and family, repaired where the published one does not load.
largest_dumps() {
	tail -n +2 "$corpus/INDEX.tsv" | sort -t "$(printf '\t')" -k 4,4nr | awk -F '\t' -v least="$corpus_least" '
		{ folder = $1; sub(/\/.*/, "", folder) }
		$4 >= least && !seen[folder, $3]++ { print $3, $1 }'
}

if [ -f "$corpus/INDEX.tsv" ]; then
	while read -r family path; do
		[ ! -f "$corpus/_repaired/$path" ] || path=_repaired/$path
		name=${path#_repaired/}
		name=${name#*__}
		bench "${name%%/*}" "${family#v}" "$corpus/$path" no
	done < <(largest_dumps)
else
	echo "skipped: dumps of real hosts: PEERWALL_CORPUS names no folder with an INDEX.tsv"
fi
exit "$failed"
