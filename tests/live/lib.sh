# lib.sh - hosts, tools and checks for the live tests. Sourced; `program` and `backend` are set by run.sh.
#
# A host is a network namespace with its own rules; peerwall and iptables run in it by nsenter. Everything has
# names of its own and is cleared away by the trap in run.sh.
# shellcheck shell=sh disable=SC2154 # variables of run.sh

# check NAME COMMAND...: one line for each, with what was said if it failed.
check() {
	name=$1
	shift
	if "$@" >"$work/check.out" 2>&1; then
		passed=$((passed + 1))
		echo "ok $backend $case: $name"
	else
		failed=$((failed + 1))
		echo "not ok $backend $case: $name"
		sed 's/^/    /' "$work/check.out"
		[ ! -s "$work/out" ] || sed 's/^/    out: /' "$work/out"
		[ ! -s "$work/err" ] || sed 's/^/    err: /' "$work/err"
	fi
}

# A fresh host becomes the current one.
new_host() {
	host_count=$((host_count + 1))
	host="pwlive$$n$host_count"
	ip netns add "$host" || exit 1
	hosts="$hosts $host"
	nsenter --net="/run/netns/$host" ip link set lo up
}

# in_host COMMAND...
in_host() {
	nsenter --net="/run/netns/$host" "$@"
}

# pw COMMAND ARGUMENT...: peerwall in the host; out, err and $status tell the rest.
pw() {
	subcommand=$1
	shift
	# shellcheck disable=SC2086 # options are words
	[ "$subcommand" != apply ] || set -- $apply_options "$@"
	# shellcheck disable=SC2086
	in_host "$program" "$subcommand" --run-dir "$work/run" $pw_options "$@" >"$work/out" 2>"$work/err"
	status=$?
	keep_document
	return 0
}

# What status and diff print as JSON is validated when all is done.
keep_document() {
	case $subcommand in
	status | diff) [ "$(head -c 1 "$work/out")" = "{" ] || return 0 ;;
	*) return 0 ;;
	esac
	documents=$((documents + 1))
	cp "$work/out" "$work/documents/$documents"
}

# documents_valid LEAST
documents_valid() {
	"$python" "$here/../schema/validate.py" "$here/../schema/live-1.json" "$1" "$work/documents"/*
}

# Of iptables-save's text what says something: no comments, no counters, no built-in chains that only accept, and no
# tables that hold nothing then. The kernel keeps those once they were used.
normalise() {
	sed -e '/^# /d' -e 's/ \[[0-9]*:[0-9]*\]$//' -e '/^:[^ ]* ACCEPT$/d' | awk '
		/^FAMILY/ { print; next }
		/^\*/ { text = ""; lines = 0 }
		{ text = text $0 "\n"; lines++ }
		/^COMMIT/ && lines > 2 { printf "%s", text }'
}

saved() {
	for saved_program in iptables ip6tables; do
		echo "FAMILY $saved_program"
		in_host "$saved_program-$backend-save" 2>/dev/null
	done
}

# The rules of both families.
rules() {
	saved | normalise
}

# What is not peerwall's of them.
foreign_rules() {
	saved | sed -e '/^:PW[-=]/d' -e '/^-A PW[-=]/d' -e '/-j PW[-=]/d' | normalise
}

own_rules() {
	rules | grep -E '^FAMILY|^:PW[-=]|^-A PW[-=]|-j PW[-=]'
}

load_foreign() {
	for load_name in "$@"; do
		for load_family in 4 6; do
			load_file="$here/foreign/$load_name.v$load_family"
			load_program=iptables
			[ $load_family = 4 ] || load_program=ip6tables
			[ ! -f "$load_file" ] || in_host "$load_program-$backend-restore" --noflush <"$load_file" || exit 1
		done
	done
}

remember() {
	rules >"$work/before"
}

# Until the command succeeds, for 10 s.
within() {
	within_tries=0
	until "$@" >/dev/null 2>&1; do
		within_tries=$((within_tries + 1))
		[ $within_tries -lt 100 ] || { "$@"; return 1; }
		sleep 0.1
	done
}

# Descriptor 7: a full pipe that nobody reads.
open_full_pipe() {
	mkfifo "$policies/full"
	exec 7<>"$policies/full"
	python3 -c 'import os
os.set_blocking(7, False)
try:
    while True:
        os.write(7, bytes(4096))
except BlockingIOError:
    os.set_blocking(7, True)'
}

# Checks for `check`.
no_watcher() { ! ip netns pids "$host" | xargs -r ps -o comm= -p | grep -x peerwall-undo; }
exits() { [ "$status" = "$1" ] || { echo "exit status $status, not $1"; return 1; }; }
says() { grep -qF -- "$1" "$work/out" "$work/err" || { echo "does not say: $1"; return 1; }; }
says_not() { ! grep -qF -- "$1" "$work/out" "$work/err" || { echo "says: $1"; return 1; }; }
in_json() { jq -e "$1" "$work/out" >/dev/null || { echo "not so in the JSON: $1"; return 1; }; }
rules_as_before() { rules >"$work/now"; diff "$work/before" "$work/now"; }
foreign_as_before() { foreign_rules >"$work/now"; diff "$work/before" "$work/now"; }
nothing_of_ours() { ! own_rules | grep -v '^FAMILY'; }
something_of_ours() { own_rules | grep -q '^:PW'; }

# outcome STATUS NAME: exit status, and rules as they were remembered.
refused() {
	check "$2: exit status $1" exits "$1"
	check "G5: $2: the rules are as before" rules_as_before
}

# ---- tools that go wrong ----

# make_tools: a directory of tools that do nothing but run the real ones, noting their command line and input. What they
# break is to break at the live rules: from now on nothing is rehearsed, unless the case says so.
make_tools() {
	apply_options=--no-rehearsal
	tools_count=$((tools_count + 1))
	tools="$work/tools$tools_count"
	mkdir "$tools"
	: >"$tools/log"
	for tool_base in iptables ip6tables; do
		make_tool "$tool_base-$backend-save" "exec $(real "$tool_base-$backend-save") \"\$@\""
		make_tool "$tool_base-$backend-restore" \
			"cat >$tools/input; { echo \"\$0 \$*\"; cat $tools/input; } >>$tools/log" \
			"exec $(real "$tool_base-$backend-restore") \"\$@\" <$tools/input"
	done
	pw_options="--tools $tools --backend $backend"
}

real() {
	command -v "$1"
}

# make_tool NAME LINE...
make_tool() {
	tool_name=$1
	shift
	{ echo '#!/bin/sh'; printf '%s\n' "$@"; } >"$tools/$tool_name"
	chmod 755 "$tools/$tool_name"
}

# nth_call FILE: a line for a tool; sets $n to how often it was called, counted in FILE.
nth_call() {
	echo "n=\$((\$(cat $tools/$1 2>/dev/null || echo 0) + 1)); echo \$n >$tools/$1"
}

restores_run() {
	grep -c -- '--noflush' "$tools/log"
}

ran_restores() {
	[ "$(restores_run)" = "$1" ] || { echo "$(restores_run) restores were run, not $1"; cat "$tools/log"; return 1; }
}

# What the last restores loaded holds no line that matches.
never_loaded() {
	! grep -E -- "$1" "$tools/log"
}
