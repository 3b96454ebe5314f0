#!/bin/bash
# Runs one block, in the current directory: run_block.sh FILE KIND. Leaves FILE.N.output and FILE.N.status for each of
# a console block's commands, FILE.output and FILE.status for all other kinds.
set -u
block=$1
kind=$2

# run NAME COMMAND: in this shell, so that `cd` lasts to the end of the block.
run() {
	eval "$2" >"$1.output" 2>&1 </dev/null
	echo $? >"$1.status"
}

# The commands of wg-quick's hooks, as for the interface wg1.
hooks() {
	sed -nE 's/^(Pre|Post)(Up|Down) *= *//p' "$block" | sed 's/%i/wg1/g'
}

# What the steps of a workflow run: "run: COMMAND", or the lines below "run: |".
steps() {
	awk '
		inside && match($0, /^ */) && (RLENGTH > depth || !NF) { print; next }
		{ inside = 0 }
		/^ *(- )?run: \|$/ { inside = 1; match($0, /^ *(- )?/); depth = RLENGTH; next }
		sub(/^ *(- )?run: /, "")
	' "$block"
}

case $kind in
console)
	for ((i = 1; ; i++)); do
		[ -f "$block.$i.command" ] || break
		run "$block.$i" "$(cat "$block.$i.command")"
	done
	;;
sh) run "$block" "(set -e; $(cat "$block")"$'\n)' ;;
ini) run "$block" "(set -e; $(hooks)"$'\n)' ;;
yaml) run "$block" "(set -e; $(steps)"$'\n)' ;;
pw) run "$block" "peerwall compile $(cat "$block.name") >$block.payloads" ;;
esac
