#!/bin/sh
# Fills a fuzzer's corpus: `seed.sh policy|snapshot|trace DIR`, from the project's own examples and golden cases, and for
# snapshots from the dumps in $PEERWALL_CORPUS, where there are any.
set -eu
kind=$1
directory=$2
cd "$(dirname "$0")/../.."

number=0
add() {
	[ -f "$1" ] || return 0
	number=$((number + 1))
	cp "$1" "$directory/seed-$number"
}

case "$kind" in
policy)
	for file in examples/*/*.pw tests/props/policies/*.pw tests/golden/*/*.pw; do add "$file"; done
	;;
snapshot)
	for file in examples/*/*.v4 examples/*/*.v6 tests/golden/*/*.v4 tests/golden/*/*.v6; do add "$file"; done
	if [ -d "${PEERWALL_CORPUS:-/nonexistent}" ]; then
		for file in "$PEERWALL_CORPUS"/*/*.rules; do
			[ "$(wc -c <"$file")" -gt 20000 ] || add "$file"
		done
	fi
	;;
trace)
	for file in examples/*/*.log tests/golden/*/*.log; do add "$file"; done
	;;
esac
