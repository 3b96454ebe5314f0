#!/bin/sh
# Every example compiles without a warning, beside its snapshot where it has one, and gives the payloads that are kept with it.
set -u
program=$(realpath "$1")
cd "$(dirname "$0")/../../examples" || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
for policy in */*.pw; do
	directory=$(dirname "$policy")
	set --
	for snapshot in "$directory"/*.v[46]; do
		[ ! -f "$snapshot" ] || set -- "$@" --snapshot "$snapshot"
	done
	if "$program" compile "$@" -o "$work/$directory" "$policy" >"$work/log" 2>&1 && [ ! -s "$work/log" ] &&
		{ [ ! -d "$directory/payloads" ] || diff -r "$directory/payloads" "$work/$directory" >"$work/log"; }; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok example $policy"
		sed 's/^/    /' "$work/log"
	fi
done
echo "examples: $passed passed, $failed failed"
[ $failed = 0 ]
