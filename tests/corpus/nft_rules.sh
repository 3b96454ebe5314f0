#!/bin/bash
# shellcheck disable=SC2016 # what unshare runs gets its words as arguments
# Traces show rules in nft's words. Rules of real hosts, from the folder that PEERWALL_CORPUS names, are loaded with iptables-nft and
# listed by both tools: each that nft prints is like the one that iptables-save prints in the same place, and nearly all are
# the same in every respect. Every fourth dump; needs root.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
corpus=${PEERWALL_CORPUS:-}

skip() {
	echo "skipped: rules in nft's words: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}

[ -f "$corpus/INDEX.tsv" ] || skip "PEERWALL_CORPUS names no folder with an INDEX.tsv"
[ "$(id -u)" = 0 ] || skip "loading rules needs root"
unshare -n true 2>/dev/null || skip "no network namespaces can be made here"
for tool in iptables-nft-restore nft; do
	command -v "$tool" >/dev/null || skip "there is no $tool"
done

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
${CC:-gcc} -std=c11 -D_GNU_SOURCE -O1 -I"$root/include" -o "$work/nft_rules" "$here/nft_rules.c" \
	"${PEERWALL_LIBRARY:-$root/build/libpeerwall.a}" || exit 2

files=0 rules=0 same=0 failed=0
while IFS=$'\t' read -r file family; do
	program=iptables
	[ "$family" != v6 ] || program=ip6tables
	unshare -n sh -c '"$1-nft-restore" <"$2" && "$1-nft-save" >"$3/saved" && nft list ruleset >"$3/listed"' sh "$program" \
		"$corpus/$file" "$work" 2>/dev/null || continue
	if ! "$work/nft_rules" "${family#v}" "$work/saved" "$work/listed" >"$work/out"; then
		echo "not ok: $file: cannot be read again"
		failed=$((failed + 1))
		continue
	fi
	read -r count alike <<<"$(tail -1 "$work/out")"
	files=$((files + 1)) rules=$((rules + count)) same=$((same + alike))
	if [ "$(wc -l <"$work/out")" != 1 ]; then
		failed=$((failed + 1))
		echo "not ok: $file"
		head -n -1 "$work/out" | head -6 | cut -c 1-300 | sed 's/^/    /'
	fi
done < <(awk -F '\t' 'NR > 1 && $9 == "ok" && $4 < 2000 && NR % 4 == 0 { print $1 "\t" $3 }' "$corpus/INDEX.tsv")

[ $((same * 100)) -ge $((rules * 97)) ] || { echo "not ok: less than 97 % are the same in all respects"; failed=$((failed + 1)); }
[ "$files" -ge 100 ] || { echo "not ok: only $files dumps could be loaded"; failed=$((failed + 1)); }
echo "rules in nft's words: $rules of $files dumps, $same the same in all respects, $failed failed"
[ "$failed" = 0 ]
