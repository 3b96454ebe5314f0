#!/bin/bash
# docs/guarantees.md has a section for each guarantee, and each section names tests that are there, that print what the
# page says, under the guarantee's number, and that `make check` runs. `guarantees.sh`, without arguments.
# shellcheck disable=SC2016 # Markdown's backticks
set -u

cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=" $(sed -n 's/^CHECKS := //p' Makefile) "

# rows PAGE GUARANTEE: "FILE|WORDS|CHECK" of the table in its section.
rows() {
	awk -v guarantee="$2" '/^## / { open = $2 == guarantee } open && /^\| `tests\// { print }' "$1" |
		sed -nE 's/^\| `([^`]+)` \| `([^`]+)` \| `make check-([a-z]+)` \|$/\1|\2|\3/p'
}

# What prints WORDS is no comment.
prints() { grep -vE '^[[:space:]]*(#|//|\*|/\*)' "$1" | grep -qF -- "$2"; }

# check-NAME runs something of the file's folder.
is_run() {
	awk -v target="check-$2:" '/^[^\t]/ { open = $1 == target } open' Makefile |
		grep -qF "tests/$(cut -d/ -f2 <<<"$1")/" && [ "${checks#* "$2" }" != "$checks" ]
}

# problems PAGE: what is wrong with it, a line each.
problems() {
	local guarantee file words check count
	for guarantee in G1 G2 G3 G4 G5 G6 G7; do
		count=0
		while IFS='|' read -r file words check; do
			count=$((count + 1))
			[ -f "$file" ] || { echo "$guarantee: there is no $file"; continue; }
			[[ $words =~ ^(G[1-7],\ )*${guarantee}[:,] ]] || echo "$guarantee: not the number that $file prints: $words"
			prints "$file" "$words" || echo "$guarantee: $file does not print: $words"
			is_run "$file" "$check" || echo "$guarantee: make check-$check does not run $file"
		done < <(rows "$1" $guarantee)
		[ $count -gt 0 ] || echo "$guarantee: no test"
		[ "$count" = "$(awk -v guarantee=$guarantee '/^## / { open = $2 == guarantee } open && /^\| `/' "$1" | wc -l)" ] ||
			echo "$guarantee: a row that is not understood"
	done
}

passed=0
failed=0
expect() { # what, command...: whose output is told if it fails
	if "${@:2}" >"$work/log"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok $1"
		sed 's/^/    /' "$work/log"
	fi
}
sound() { problems "$1" | tee "$work/problems" && [ ! -s "$work/problems" ]; }
# notices EXPRESSION: a page that sed has changed is not sound.
notices() { sed -E "$1" docs/guarantees.md >"$work/page.md" && ! sound "$work/page.md" >/dev/null; }

expect "the tests of docs/guarantees.md" sound docs/guarantees.md
expect "a test that is not there is noticed" notices 's,tests/net/reload.sh,tests/net/reloads.sh,'
expect "words that are not printed are noticed" notices 's/`G6: an up undoes/`G6: an up leaves/'
expect "another number is noticed" notices 's/^## G3/## G8/'
expect "a check that is not run is noticed" notices 's/`make check-lab`/`make check-unit`/'

echo "guarantees: $passed passed, $failed failed"
[ $failed = 0 ]
