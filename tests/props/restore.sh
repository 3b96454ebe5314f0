#!/bin/bash
# What compile writes, given to the real tools of both backends in network namespaces of their own: the up payload
# loads, and iptables-save prints back exactly its rules; reload loads on top of it and changes nothing; down leaves
# nothing; and the script holds from any state. `restore.sh PROGRAM [POLICY...]`.
set -u

program=$(realpath "$1")
shift
cd "$(dirname "$0")/../.." || exit 1

skip() {
	echo "skipped: restore: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
unshare -n true 2>/dev/null || skip "needs network namespaces"
for tool in iptables-nft-restore iptables-legacy-restore ip6tables-nft-restore ip6tables-legacy-restore; do
	command -v $tool >/dev/null || skip "needs $tool"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XTABLES_LOCKFILE="$work/xtables.lock" program work
[ $# -gt 0 ] || set -- examples/*/*.pw tests/props/policies/*.pw

# Runs in a namespace of its own: $1 backend, $2 the directory with the payloads.
round() {
	backend=$1
	directory=$2
	status=0
	fail() { echo "    $1"; status=1; }

	canonical() { awk -f tests/props/canonical.awk "$@" | LC_ALL=C sort -s -t '	' -k 1,2; }
	saved() { "$1-$backend-save" | canonical; }
	same() { # what, tool, payload
		diff <(canonical "$3") <(saved "$2") >"$work/diff" || fail "$1 differs from $3: $(head -4 "$work/diff" | tr '\n' ' ')"
	}
	nothing() { # what, tool
		[ -z "$(saved "$2")" ] || fail "$1 left rules behind: $(saved "$2" | head -2)"
	}

	for up in "$directory"/*.up.v4; do
		base=${up%.up.v4}
		for family in 4 6; do
			tool=iptables
			[ $family = 4 ] || tool=ip6tables
			for kind in up reload; do
				"$tool-$backend-restore" --noflush <"$base.$kind.v$family" 2>"$work/err" ||
					fail "$kind.v$family: $(tr '\n' ' ' <"$work/err")"
				same "what $tool-save prints after $kind" $tool "$base.up.v$family"
			done
			"$tool-$backend-restore" --noflush <"$base.down.v$family" 2>"$work/err" ||
				fail "down.v$family: $(tr '\n' ' ' <"$work/err")"
			nothing "down.v$family" $tool
			"$tool-$backend-restore" --noflush <"$base.reload.v$family" 2>/dev/null && fail "reload.v$family: loaded where nothing was up"
		done
	done

	# The script, from every state that there is.
	export IPTABLES_RESTORE=iptables-$backend-restore IP6TABLES_RESTORE=ip6tables-$backend-restore
	for script in "$directory"/*.sh; do
		base=${script%.sh}
		for action in down up up down down up; do
			sh "$script" $action 2>"$work/err" || fail "$(basename "$script") $action: $(tr '\n' ' ' <"$work/err")"
		done
		same "script up" iptables "$base.up.v4"
		same "script up" ip6tables "$base.up.v6"
		# A second jump in each place, as careless hands leave it.
		for family in 4 6; do
			tool=iptables
			[ $family = 4 ] || tool=ip6tables
			grep -E '^(\*|-I|COMMIT)' "$base.up.v$family" | "$tool-$backend-restore" --noflush
		done
		sh "$script" up || fail "script up over doubled jumps"
		same "script up over doubled jumps" iptables "$base.up.v4"
		same "script up over doubled jumps" ip6tables "$base.up.v6"
		sh "$script" down || fail "script down"
		nothing "script down" iptables
		nothing "script down" ip6tables
	done
	return $status
}
export -f round

passed=0
failed=0
for policy in "$@"; do
	for backend in nft legacy; do
		rm -rf "$work/payloads"
		if "$program" compile -D iface=wg7 -o "$work/payloads" "$policy" 2>"$work/err" &&
			unshare -n bash -c "round $backend '$work/payloads'" >"$work/log" 2>&1; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "not ok restore $backend $policy"
			cat "$work/err" "$work/log" 2>/dev/null | head -20
		fi
	done
done
echo "restore: $passed passed, $failed failed"
[ $failed = 0 ]
