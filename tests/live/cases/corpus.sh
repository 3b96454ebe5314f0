# Beside rules of real hosts that nobody here wrote: up and down leave them as they are.
# shellcheck shell=sh disable=SC2154,SC2034

policy="$policies/wg1.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n\totherwise reject\n}\n' >"$policy"

corpus_dump() {
	corpus_program=iptables
	[ "$2" = v4 ] || corpus_program=ip6tables
	new_host
	# A dump may need sets that are not here; INDEX.tsv's word is for a host that has them.
	in_host "$corpus_program-$backend-restore" <"$PEERWALL_CORPUS/$1" 2>/dev/null || return 0
	remember
	# What lint has to say about these rules is not the question here.
	pw apply -W no-all "$policy"
	if [ "$status" = 1 ] || [ "$status" = 3 ]; then
		refused "$status" "$1: is refused"
		return 0
	fi
	check "$1: apply" exits 0
	check "$1: its rules are as before" foreign_as_before
	pw apply -W no-all "$policy"
	check "$1: there is nothing to do" says "nothing to do: wg1 is up to date"
	pw down wg1
	check "$1: down" exits 0
	check "$1: all rules are as before" rules_as_before
	ip netns del "$host"
}

if [ ! -f "${PEERWALL_CORPUS:-/nonexistent}/INDEX.tsv" ]; then
	echo "skipped: PEERWALL_CORPUS names no corpus of dumps"
	[ "${CI:-}" != true ] || failed=$((failed + 1))
else
	# The largest sets of tables first, then every so many of the others.
	column=9
	[ "$backend" = nft ] || column=10
	awk -F '\t' -v column=$column '$2 == "real-dump" && $column == "ok" && $4 > 10 && $4 < 2000 {
		print split($6, tables, ","), $4, $1, $3 }' "$PEERWALL_CORPUS/INDEX.tsv" |
		sort -k1,1nr -k2,2nr -k3,3 | awk 'NR <= 4 || NR % 8 == 0 { print $3, $4 }' | head -n 24 >"$work/dumps"
	while read -r dump family; do
		corpus_dump "$dump" "$family" </dev/null
	done <"$work/dumps"
fi
