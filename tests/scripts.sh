#!/bin/sh
# Shellcheck over every script of the project, and over a script that compile writes.
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")/.."

if ! command -v shellcheck >/dev/null; then
	echo "skipped: scripts: needs shellcheck"
	[ "${CI:-}" != true ] || exit 1
	exit 77
fi
written=$(mktemp)
trap 'rm -f "$written"' EXIT
"$program" compile --only script --interface wg1 examples/flagship/wg1.pw >"$written" 2>/dev/null
count=0
for script in .ci/run tests/*.sh tests/*/*.sh "$written"; do
	shellcheck -x "$script"
	count=$((count + 1))
done
echo "scripts: $count passed, 0 failed"
