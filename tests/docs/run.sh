#!/bin/bash
# Runs what the documentation shows: `run.sh PROGRAM [DOCUMENT...]`. A document's blocks are run in order, in a copy
# of this tree and in a host of their own (sandbox.sh). By the first word behind their fence:
#
#   pw [NAME]          a policy that compiles and of which nothing is said; it is left as NAME, also for later blocks
#   pw error [NAME]    one that does not compile (status 1)
#   pw warning [NAME]  one that compiles; something may be said
#   text               right behind one of these: what exactly is said; elsewhere, not looked at
#   console [root]     "$ COMMAND" lines and their output, both streams; "..." stands for any lines, or part of one. A command has to
#                      succeed, unless "$?" or "||" in it shows that it need not
#   sh [root]          commands without their output; they have to succeed
#   ini                wg-quick's configuration: its hooks run, %i being wg1
#   yaml               a workflow: what its steps run
#
# With UPDATE=1 the documents are written anew where the output differs. Then come a test of this script itself
# (self.sh), the manual pages (man.sh), what the documents speak of (names.sh), the limits they state (limits.sh), the
# tests that show the guarantees (guarantees.sh), a picture (picture.sh), and diagnostics.sh, which looks after other pages.
# Ends in "N passed, N failed"; leaves with 77 where something could not run, but with 1 if CI=true.
set -u

program=$(realpath "$1")
shift
here=$(dirname "$(realpath "$0")")
cd "$here/../.." || exit 1
work=$(mktemp -d /tmp/peerwall-docs-XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
passed=0
failed=0
skipped=

ok() {
	passed=$((passed + 1))
}

# not_ok WHAT: what was found is on standard input.
not_ok() {
	failed=$((failed + 1))
	echo "not ok $1"
	sed 's/^/    /'
}

skip() {
	skipped=yes
	echo "skipped: $1"
}

# All that the blocks need, for nobody to read.
chmod 755 "$work"
cp -R "$here" "$work/scripts"
cp "$program" "$work/scripts/bin/peerwall"
chmod 755 "$work/scripts/bin/peerwall"
export PATH="$work/scripts/bin:/usr/sbin:/usr/bin:/sbin:/bin" DOCS_TREE="$PWD" LC_ALL=C.UTF-8 HOME=/nonexistent
unset NO_COLOR XTABLES_LOCKFILE

if [ "$(id -u)" != 0 ]; then
	no_root="needs root"
elif ! unshare -mn true 2>/dev/null; then
	no_root="needs namespaces"
else
	no_root=
fi
for tool in setpriv iptables-nft-restore; do
	[ -n "$no_root" ] || command -v $tool >/dev/null || no_root="needs $tool"
done

# A copy of the tree, as far as the document needs it; for `make` with what was built, so that it has nothing to do.
copy_tree() {
	mkdir -p "$1/build"
	cp -a README.md docs examples "$1/"
	if grep -qw make "$blocks"/*; then
		cp -a .ci Makefile grammar include src "$1/"
		cp -a build/src build/grammar build/libpeerwall.a "$1/build/" 2>/dev/null
	fi
	cp -p "$program" "$1/build/peerwall"
}

# ---- one document ----

# Which blocks are run, and how: lines "number kind who name" for sandbox.sh.
plan_blocks() {
	local number line kind rest who name needs_root=
	: >"$directory/plan"
	while IFS=$'\t' read -r number line kind rest; do
		who=nobody
		name=
		case $kind in
		pw)
			name=${rest#error}
			name=${name#warning}
			name=${name# }
			name=${name:-policy.pw}
			[ "${name#/}" = "$name" ] || needs_root=yes
			;;
		console | sh)
			[ "$rest" != root ] || who=root
			if [ "$kind" = console ] && ! awk -f "$here/commands.awk" "$blocks/$number"; then
				not_ok "$document:$line" <<<"it begins with something else than a command"
			fi
			;;
		ini) who=root ;;
		yaml) ;;
		text) continue ;;
		*)
			not_ok "$document:$line" <<<"there is no kind of block '$kind'"
			continue
			;;
		esac
		[ "$who" != root ] || needs_root=yes
		if [ -n "$needs_root" ] && [ -n "$no_root" ]; then
			skip "$document from line $line on: $no_root"
			return
		fi
		printf '%s\t%s\t%s\t%s\n' "$number" "$kind" "$who" "$name" >>"$directory/plan"
		ran[10#$number]=yes
	done <"$directory/list"
}

# Compares FILE.expected with FILE.output, and says so. Leaves what the document should show in FILE.shown.
compare() {
	if awk -f "$here/match.awk" "$2.expected" "$2.output"; then
		cp "$2.expected" "$2.shown"
		ok
	else
		cp "$2.output" "$2.shown"
		not_ok "$1" < <(diff -u --label "the document" --label "what came" "$2.expected" "$2.output")
		differs=yes
	fi
}

check_console() {
	local line=$1 block=$2 count=1 name
	differs=
	while [ -f "$block.$count.command" ]; do
		name="$document:$line: $(head -n 1 "$block.$count.command")"
		if [ "$(cat "$block.$count.status")" = 0 ] || grep -qE '\$\?|\|\|' "$block.$count.command"; then
			compare "$name" "$block.$count"
		else
			not_ok "$name: status $(cat "$block.$count.status"), which is not shown" <"$block.$count.output"
			cp "$block.$count.output" "$block.$count.shown"
		fi
		count=$((count + 1))
	done
	[ -z "$differs" ] || for ((i = 1; i < count; i++)); do
		sed '1s/^/$ /' "$block.$i.command"
		cat "$block.$i.shown"
	done >"$block.new"
}

# A policy, and the number of the text that shows what is said about it, if there is one.
check_policy() {
	local line=$1 block=$2 rest=$3 said=$4 wanted=0
	[ "${rest%% *}" != error ] || wanted=1
	if [ "$(cat "$block.status")" != $wanted ]; then
		not_ok "$document:$line: status $(cat "$block.status"), not $wanted" <"$block.output"
	elif [ -n "$said" ]; then
		cp "$blocks/$said" "$block.expected"
		differs=
		compare "$document:$line" "$block"
		[ -z "$differs" ] || cp "$block.shown" "$blocks/$said.new"
	elif [ -z "$rest" ] || { [ "${rest%% *}" != error ] && [ "${rest%% *}" != warning ]; }; then
		: >"$block.expected"
		compare "$document:$line" "$block"
	else
		ok
	fi
}

# The number of the text block right behind a block, if there is one.
text_behind() {
	local next
	next=$(printf '%03d' $((10#$1 + 1)))
	if grep -q "^$next	$(($(wc -l <"$blocks/$1") + $2 + 3))	text" "$directory/list"; then
		echo "$next"
	fi
}

check_blocks() {
	local number line kind rest said
	while IFS=$'\t' read -r number line kind rest; do
		[ -n "${ran[10#$number]:-}" ] || continue
		case $kind in
		console) check_console "$line" "$blocks/$number" ;;
		pw)
			said=$(text_behind "$number" "$line")
			check_policy "$line" "$blocks/$number" "$rest" "$said"
			;;
		*)
			if [ "$(cat "$blocks/$number.status")" = 0 ]; then
				ok
			else
				not_ok "$document:$line: status $(cat "$blocks/$number.status")" <"$blocks/$number.output"
			fi
			;;
		esac
	done <"$directory/list"
}

run_document() {
	document=$1
	directory=$work/document
	blocks=$directory/blocks
	ran=()
	rm -rf "$directory"
	mkdir -p "$blocks"
	chmod 777 "$blocks"
	if ! awk -v directory="$blocks" -f "$here/blocks.awk" "$document" >"$directory/list"; then
		not_ok "$document" <<<"a block has no end, or is indented, so that it would not be run"
		return
	fi
	grep -qv '	text	' "$directory/list" || return
	copy_tree "$directory/tree"
	plan_blocks
	if [ -n "$no_root" ]; then
		bash "$work/scripts/sandbox.sh" "$directory"
	else
		unshare -mn bash "$work/scripts/sandbox.sh" "$directory"
	fi >"$directory/log" 2>&1 || not_ok "$document: the sandbox" <"$directory/log"
	check_blocks
	if [ -n "${UPDATE:-}" ] && ls "$blocks"/*.new >/dev/null 2>&1; then
		awk -v directory="$blocks" -f "$here/replace.awk" "$document" >"$work/new" && cat "$work/new" >"$document"
		echo "updated $document"
	fi
}

# run_script NAME: one of the other scripts, which ends in "N passed, N failed".
run_script() {
	local status
	[ -x "$here/$1" ] || return
	"$here/$1" "$program" >"$work/log" 2>&1
	status=$?
	grep -vE '[0-9]+ passed, [0-9]+ failed' "$work/log"
	passed=$((passed + $(sed -nE 's/.*\b([0-9]+) passed, ([0-9]+) failed.*/\1/p' "$work/log" | tail -n 1)))
	case $status in
	0) ;;
	77) skipped=yes ;;
	*) failed=$((failed + 1)) ;;
	esac
}

if [ $# -gt 0 ]; then
	for document in "$@"; do
		run_document "$document"
	done
else
	# What diagnostics.sh looks after has other rules.
	for document in README.md docs/*.md examples/*/README.md; do
		case $document in
		docs/diagnostics.md | docs/json.md | 'examples/*/README.md') ;;
		*) run_document "$document" ;;
		esac
	done
	run_script self.sh
	run_script man.sh
	run_script names.sh
	run_script limits.sh
	run_script guarantees.sh
	run_script picture.sh
	run_script diagnostics.sh
fi
echo "docs: $passed passed, $failed failed"
[ "$failed" = 0 ] || exit 1
if [ -n "$skipped" ]; then
	[ "${CI:-}" != true ] || exit 1
	exit 77
fi
