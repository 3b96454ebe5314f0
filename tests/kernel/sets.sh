#!/usr/bin/env bash
# The sets of packets against the kernel: sets.sh [SEED [RULESETS [PACKETS [DUMPS]]]]
#
# Random rule sets are loaded into a network namespace, and so are dumps of real hosts from the folder that PEERWALL_CORPUS
# names, a few by chance or "all"; packets that the analysis chooses are sent through, and the kernel's counters of every
# rule compared with the sets. Both backends, both families. Prints the seed: `sets.sh SEED 1` does one rule set again, with
# PEERWALL_SHOW_RULES=1 showing it; `DUMP=PATH sets.sh SEED 0` does one dump again. BACKENDS narrows it.
# Status 1 on any difference; 77 where it cannot run, but 1 if CI=true.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
seed=${1:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
rulesets=${2:-50}
packets=${3:-130}
dumps=${4:-24}
corpus=${PEERWALL_CORPUS:-}
test=sets
# shellcheck source=SCRIPTDIR/world.sh
. "$here/world.sh"

cp "$root/build/tests/kernel-sets" "$work/sets" || exit 2
echo "sets: seed $seed"
status=0

# run INTERFACES RULESETS|dumps
run() {
	in_host "$work/sets" "$backend" "/run/netns/$ns-wire" "$1" "$seed" "$packets" "$2" || status=1
}

# ---- dumps ----

# "FAMILY PATH" of all that INDEX.tsv names.
all_dumps() {
	awk -F'\t' -v corpus="$corpus" 'NR > 1 { print substr($3, 2, 1) == "6" ? 6 : 4, corpus "/" $1 }' "$corpus/INDEX.tsv"
}

# The same by chance, which the seed decides.
some_dumps() {
	all_dumps | awk -v seed="$seed" 'BEGIN { srand(seed) } { print rand() "\t" $0 }' | LC_ALL=C sort | cut -f 2 | head -n "$dumps"
}

# interfaces_of PATH: the three that it speaks of most, or others in their place.
interfaces_of() {
	grep -oE -- '(-i|-o|--in-interface|--out-interface) "?[A-Za-z0-9_.-]{1,14}[+]?' "$1" | tr -d '"' |
		awk '$2 != "lo" { sub(/[+]$/, "0", $2); count[$2]++ }
			END {
				for (name in count)
					print count[name], name
				print "0 wg1\n0 br0\n0 eth0"
			}' | LC_ALL=C sort -k 1,1nr -k 2,2 | awk '!seen[$2]++ && rows++ < 3 { printf "%s%s", separator, $2; separator = " " }'
}

# "INTERFACES<tab>FAMILY PATH", those of the same interfaces together.
grouped_dumps() {
	local family path

	while read -r family path; do
		printf '%s\t%s %s\n' "$(interfaces_of "$path")" "$family" "$path"
	done | LC_ALL=C sort
}

choose_dumps() {
	if [ -n "${DUMP:-}" ]; then
		all_dumps | grep -F -- "$DUMP"
	elif [ "$dumps" = all ]; then
		all_dumps
	elif [ "$rulesets" != 1 ]; then
		some_dumps
	fi | grouped_dumps
}

run_dumps() {
	local interfaces

	while read -r interfaces; do
		# shellcheck disable=SC2086 # three names
		world_up $interfaces
		awk -F'\t' -v interfaces="$interfaces" '$1 == interfaces { print $2 }' "$work/dumps" >"$work/group"
		run "$interfaces" dumps <"$work/group"
		world_down
	done < <(cut -f 1 "$work/dumps" | uniq) >"$work/reports"
	grep -v "^$backend: [0-9]" "$work/reports"
	awk -v backend="$backend" '$1 == backend ":" { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]/) sum[i] += $i; words = $0 }
		END {
			count = split(words, word, " ")
			for (i = 1; i <= count; i++)
				printf "%s%s", i in sum ? sum[i] : word[i], i < count ? " " : "\n"
		}' "$work/reports"
}

if [ -f "$corpus/INDEX.tsv" ]; then
	choose_dumps >"$work/dumps"
elif [ "${CI:-}" = true ]; then
	skip "PEERWALL_CORPUS names no folder with an INDEX.tsv"
else
	echo "sets: without dumps, since PEERWALL_CORPUS names no folder with an INDEX.tsv"
	: >"$work/dumps"
fi
for backend in ${BACKENDS:-nft legacy}; do
	world_up wg1 br0 eth0
	run "wg1 br0 eth0" "$rulesets"
	world_down
	run_dumps
done
exit $status
