# shellcheck shell=bash
# A host in a namespace of its own, and the wires behind it; for the tests against the kernel. To be sourced, with `test`
# set to the test's name: it makes $work, and $ns for the names of namespaces, and takes all away at the end.

skip() {
	echo "skipped: ${test:?}: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root"
unshare -n true 2>/dev/null || skip "needs network namespaces"
for tool in ip nft iptables-nft iptables-legacy; do
	command -v $tool >/dev/null || skip "needs $tool"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/peerwall-$test.XXXXXX")
ns=pwk-${work##*.}
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

# world_up PEERS BRIDGE OUTSIDE: the names of its interfaces.
world_up() {
	ip netns add "$ns-host" && ip netns add "$ns-wire" || exit 2
	ip netns exec "$ns-wire" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	in_host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.all.accept_dad=0 net.ipv4.conf.all.log_martians=0
	ip -n "$ns-host" link set lo up
	link "$1" 10.1.1.5/24 fd00:1::5/64
	link "$2" 172.18.0.1/16 fd00:18::1/64
	link "$3" 192.0.2.1/24 fd00:7::1/64
	ip -n "$ns-host" route add default via 192.0.2.254
	ip -n "$ns-host" -6 route add default via fd00:7::fe
	ip -n "$ns-host" -6 route add unreachable fd00:bad::/64
	# What has passed everything is counted, and goes no further: no answers, no connections that stay. Somebody asks for
	# connections: where nobody does, the kernel tracks none, and nat is not looked at. Who listens may hear of every rule
	# of iptables-nft that a packet meets.
	in_host nft -f - <<-RULES || exit 2
	table inet sink {
		chain tracing { type filter hook prerouting priority -500; meta nftrace set 1; }
		chain input { type filter hook input priority 2000; iifname "lo" drop; ct state established drop; counter drop; }
		chain postrouting {
			type filter hook postrouting priority 2000
			oifname "$1" counter drop
			oifname "$2" counter drop
			oifname "$3" counter drop
		}
		chain output { type filter hook output priority -450; drop; }
	}
	RULES
}
