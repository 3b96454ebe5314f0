#!/usr/bin/env bash
# The tracer against the kernel: kernel.sh [SEED [RULESETS [PACKETS]]]
#
# Random rule sets are loaded into a network namespace, random packets sent through it, and the kernel's counters of
# every rule compared with what the tracer says. Both backends, both families. BACKENDS narrows it. Prints the seed:
# `kernel.sh SEED 1` does one rule set again, with PEERWALL_SHOW_RULES=1 showing it.
# Status 1 on any difference; 77 where it cannot run, but 1 if CI=true.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
seed=${1:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
rulesets=${2:-60}
packets=${3:-100}

skip() {
	echo "skipped: trace: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root"
unshare -n true 2>/dev/null || skip "needs network namespaces"
for tool in ip nft iptables-nft iptables-legacy cc; do
	command -v $tool >/dev/null || skip "needs $tool"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/peerwall-trace.XXXXXX")
ns=pwt-${work##*.}
export XTABLES_LOCKFILE=$work/xtables.lock

world_down() {
	ip netns del "$ns-host" 2>/dev/null
	ip netns del "$ns-wire" 2>/dev/null
}

trap 'world_down; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

in_host() {
	ip netns exec "$ns-host" "$@"
}

# link NAME IPV4 IPV6: an interface of the host, its other end of the same name in the wire's namespace, which says nothing.
link() {
	ip -n "$ns-host" link add "$1" type veth peer name "$1" netns "$ns-wire" || exit 2
	ip -n "$ns-host" link set "$1" up
	ip -n "$ns-wire" link set "$1" up
	ip -n "$ns-host" addr add "$2" dev "$1" brd +
	ip -n "$ns-host" addr add "$3" dev "$1" nodad
}

world_up() {
	ip netns add "$ns-host" && ip netns add "$ns-wire" || exit 2
	ip netns exec "$ns-wire" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	in_host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.all.accept_dad=0 net.ipv4.conf.all.log_martians=0
	ip -n "$ns-host" link set lo up
	link wg1 10.1.1.5/24 fd00:1::5/64
	link br0 172.18.0.1/16 fd00:18::1/64
	link eth0 192.0.2.1/24 fd00:7::1/64
	ip -n "$ns-host" route add default via 192.0.2.254
	ip -n "$ns-host" -6 route add default via fd00:7::fe
	ip -n "$ns-host" -6 route add unreachable fd00:bad::/64
	# What has passed everything is counted, and goes no further: no answers, no connections that stay.
	in_host nft -f - <<-'RULES' || exit 2
	table inet sink {
		chain input { type filter hook input priority 2000; iifname "lo" drop; counter drop; }
		chain postrouting {
			type filter hook postrouting priority 2000
			oifname "wg1" counter drop
			oifname "br0" counter drop
			oifname "eth0" counter drop
		}
		chain output { type filter hook output priority -450; drop; }
	}
	RULES
}

cp "$root/build/tests/trace-kernel" "$work/kernel" || exit 2
echo "trace: seed $seed"
status=0
for backend in ${BACKENDS:-nft legacy}; do
	world_up
	in_host "$work/kernel" "$backend" "/run/netns/$ns-wire" "$seed" "$rulesets" "$packets" || status=1
	world_down
done
exit $status
