# shellcheck shell=bash
# What the packet tests share: reporting, temporary files, cleaning up, and
# running peerwall and iptables inside the host under test.
#
# A script calls net_begin, then uses one topology at a time (topology.sh) and
# asks it with grids (grid.sh). All that is made, here or by the others, is gone
# when the script ends, however it ends.
#
# Set by net_begin: work (a directory of our own), probe (the program), ns (the
# prefix of our namespaces). Set by topology_up: backend.

set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
PEERWALL=${PEERWALL:-$root/build/peerwall}

work=
probe=
ns=
backend=
passed=0
failed=0

skip() {
	echo "skipped: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}

die() {
	echo "$0: $1" >&2
	exit 2
}

# ok WHAT..., and not_ok WHAT... with what was seen on standard input.
ok() {
	passed=$((passed + 1))
	echo "ok $((passed + failed)) $*"
}

not_ok() {
	failed=$((failed + 1))
	echo "not ok $((passed + failed)) $*"
	sed 's/^/    /' | head -n "${PROBE_LINES:-25}"
}

finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

net_begin() {
	local tool
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -n true 2>/dev/null || skip "needs root and network namespaces"
	for tool in ip bridge conntrack nft python3 iptables-nft iptables-legacy cc; do
		command -v $tool >/dev/null || skip "needs $tool"
	done
	work=$(mktemp -d "${TMPDIR:-/tmp}/peerwall-net.XXXXXX")
	# Two runs at once must not meet.
	ns=pw-${work##*.}
	trap net_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# The legacy tools share one lock over all namespaces unless told.
	export XTABLES_LOCKFILE=$work/xtables.lock
	# Ours, whatever is built meanwhile.
	cp "$PEERWALL" "$work/peerwall" || die "no $PEERWALL: run make first"
	PEERWALL=$work/peerwall
	# What not_ok is shown must be there to be opened.
	touch "$work/output" "$work/wrong"
	probe=$work/probe
	cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -o "$probe" "$here/probe.c" || die "no probe"
}

net_end() {
	trap - EXIT
	topology_down
	rm -rf "$work"
}

in_ns() {
	local name=$1
	shift
	ip netns exec "$ns-$name" "$@"
}

# table4, restore4, save4 and their twins: the tools of the backend under test, in
# the host. both ARGS... is the same call of table4 and table6.
table4() { in_ns host "iptables-$backend" -w 5 "$@"; }
table6() { in_ns host "ip6tables-$backend" -w 5 "$@"; }
restore4() { in_ns host "iptables-$backend-restore" -w 5 --noflush; }
restore6() { in_ns host "ip6tables-$backend-restore" -w 5 --noflush; }
save4() { in_ns host "iptables-$backend-save" "$@"; }
save6() { in_ns host "ip6tables-$backend-save" "$@"; }
both() { table4 "$@" && table6 "$@"; }

peerwall() {
	local verb=$1
	shift
	in_ns host "$PEERWALL" "$verb" --backend "$backend" --run-dir "$work/run" "$@"
}

# The whole rule set of the host, without what changes by itself.
save_rules() {
	local family
	for family in 4 6; do
		echo "== IPv$family"
		"save$family" | sed -E '/^#/d; s/ \[[0-9]+:[0-9]+\]$//'
	done
}

# same_rules BEFORE AFTER: prints how they differ. A table that came into being
# and holds nothing counts for nothing: no tool can be rid of it again.
same_rules() {
	drop_new_empty_tables "$1" "$2" | diff "$1" -
}

drop_new_empty_tables() {
	awk '
		function flush_table() {
			if (text != "" && (rules || (family, table) in old))
				printf "%s", text
			text = ""
		}
		/^==/ { family = $2 }
		/^\*/ { table = $1 }
		FNR == NR {
			if (/^\*/)
				old[family, table] = 1
			next
		}
		/^==/ { print; next }
		/^\*/ { rules = 0; text = "" }
		{ text = text $0 "\n" }
		/^-/ || (/^:/ && $2 != "ACCEPT") { rules = 1 }
		/^COMMIT/ { flush_table() }
	' "$1" "$2"
}

# check_up POLICY...: apply succeeds. Says so only if not, as the grid says the rest.
check_up() {
	peerwall apply "$@" >"$work/output" 2>&1 ||
		not_ok "$backend: apply $*: status $?" <"$work/output"
}

# check_down POLICY WHAT BEFORE
check_down() {
	if ! peerwall down "$1" >"$work/output" 2>&1; then
		not_ok "$2 down: status $?" <"$work/output"
	fi
	save_rules >"$work/after"
	# There is something in nat all the time, so a dump without it is none.
	if [ "$(grep -c '^\*nat' "$work/after")" = 2 ] && same_rules "$3" "$work/after" >"$work/differences"; then
		ok "G3: $2 down: rules as before"
	else
		not_ok "G3: $2 down: rules differ" <"$work/differences"
	fi
}
