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
	# What is only sourced uses names of those that source it.
	if [ -x "$script" ] || [ "$script" = "$written" ]; then
		shellcheck -x -P SCRIPTDIR "$script"
	else
		shellcheck -x -P SCRIPTDIR -e SC2154,SC2034 "$script"
	fi
	count=$((count + 1))
done
echo "scripts: $count passed, 0 failed"
