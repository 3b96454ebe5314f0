#!/bin/sh
# Runs the golden cases: tests/golden/CASE/ holds the input files and
#   cmd     the shell command to run there; `peerwall` is the program under test
#   status  its exit status (0 where the file is absent)
#   out     what it prints on standard output (nothing where absent)
#   err     what it prints on standard error (nothing where absent)
#   tree/   files it must have written below ./tree (checked where present)
# Each case runs on a copy. `run.sh PROGRAM [CASE...]`; with UPDATE=1 the expectations are written anew.
set -u

program=$(realpath "$1")
shift
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/bin"
ln -s "$program" "$work/bin/peerwall"
PATH="$work/bin:$PATH"
LC_ALL=C
export PATH LC_ALL
unset NO_COLOR

passed=0
failed=0
[ $# -gt 0 ] || set -- "$here"/*/

for case in "$@"; do
	case=$(basename "$case")
	directory="$here/$case"
	[ -f "$directory/cmd" ] || continue
	copy="$work/run"
	rm -rf "$copy"
	cp -R "$directory" "$copy"
	rm -rf "$copy/out" "$copy/err" "$copy/status" "$copy/tree"
	(cd "$copy" && sh ./cmd >"$work/out" 2>"$work/err" </dev/null)
	echo $? >"$work/status"

	if [ -n "${UPDATE:-}" ]; then
		for part in out err; do
			if [ -s "$work/$part" ]; then cp "$work/$part" "$directory/$part"; else rm -f "$directory/$part"; fi
		done
		if [ "$(cat "$work/status")" = 0 ]; then rm -f "$directory/status"; else cp "$work/status" "$directory/status"; fi
		rm -rf "$directory/tree"
		[ ! -d "$copy/tree" ] || cp -R "$copy/tree" "$directory/tree"
		continue
	fi

	ok=1
	for part in out err status; do
		expected="$directory/$part"
		if [ ! -f "$expected" ]; then
			expected="$work/expected"
			if [ "$part" = status ]; then echo 0 >"$expected"; else : >"$expected"; fi
		fi
		diff -u "$expected" "$work/$part" >"$work/diff" || { ok=0; sed "s|^|$case: $part: |" "$work/diff"; }
	done
	if [ -d "$directory/tree" ] || [ -d "$copy/tree" ]; then
		diff -ruN "$directory/tree" "$copy/tree" >"$work/diff" 2>&1 || { ok=0; sed "s|^|$case: tree: |" "$work/diff"; }
	fi
	if [ $ok = 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "not ok golden $case"; fi
done
[ -n "${UPDATE:-}" ] || echo "golden: $passed passed, $failed failed"
[ $failed = 0 ]
