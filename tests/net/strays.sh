#!/usr/bin/env bash
# What no honest peer sends (strays.py): odd flags, fragments, extension headers, routing headers, source routes, spoofed
# sources, every kind of destination, unknown protocols, forged ICMP. Counters behind all tables tell what gets through,
# with and without forwards. The host heeds whatever routes a sender prescribes.
#
# Then the host is told to keep for itself what its peers may send to one another: by local routes in
# another table, and by a mark. That makes nothing of the host's own reachable.

# shellcheck source=topology.sh
. "$(dirname "${BASH_SOURCE[0]}")/topology.sh" || exit 2

stray_policy() {
	cat <<-EOF
	interface wg1 {
	    expose tcp 22, udp 60000 to 10.1.1.0/24, fd00:1::/64
	    expose udp 546 to fe80::/10
	    allow ping from 10.1.1.0/24, fd00:1::/64
	    $1
	}
	EOF
}

# Neighbours that the kernels themselves ask for do not count.
stray_counters() {
	in_ns host nft -f - <<-'EOF'
	table inet strays {
		counter arrived { }
		counter forwarded { }
		chain input {
			type filter hook input priority 300
			iifname "wg1" icmpv6 type { 130-136, 143 } accept
			iifname "wg1" counter name arrived
		}
		chain forward {
			type filter hook forward priority 300
			iifname "wg1" counter name forwarded
		}
	}
	EOF
}

# check_strays WHAT ARGS...
check_strays() {
	local what=$1 mac
	shift
	mac=$(ip -n "$ns-host" -o link show wg1 | sed 's/.*ether \([^ ]*\).*/\1/')
	in_ns laptop python3 "$here/strays.py" "$ns-host" wg "$mac" "$@" >"$work/strays" 2>&1
	if [ "$(wc -l <"$work/strays")" = 1 ] && grep -q '^[0-9]* packets$' "$work/strays"; then
		ok "strays $backend, $what: $(cat "$work/strays")"
	else
		not_ok "strays $backend, $what" <"$work/strays"
	fi
}

# kept_by_route add|del, kept_by_mark add|del -A|-D: leads what peers send one another to the host itself.
kept_by_route() {
	ip -n "$ns-host" rule "$1" iif wg1 lookup 77 pref 50
	ip -n "$ns-host" -6 rule "$1" iif wg1 lookup 77 pref 50
}

kept_by_mark() {
	ip -n "$ns-host" rule "$1" fwmark 1 lookup 77 pref 50
	ip -n "$ns-host" -6 rule "$1" fwmark 1 lookup 77 pref 50
	both -t mangle "${2}" PREROUTING -i wg1 -j MARK --set-mark 1
}

run_strays() {
	local name otherwise lan="10.1.1.0/24, fd00:1::/64"
	for backend in ${BACKENDS:-nft legacy}; do
		topology_up "$backend"
		both -P FORWARD ACCEPT
		in_ns host sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wg1.rp_filter=0 \
			net.ipv4.conf.all.accept_source_route=1 net.ipv4.conf.wg1.accept_source_route=1 \
			net.ipv4.conf.wg1.route_localnet=1
		for name in seg6_enabled rpl_seg_enabled; do
			in_ns host sysctl -eqw net.ipv6.conf.all.$name=1 net.ipv6.conf.wg1.$name=1
		done
		stray_counters
		for otherwise in ${OTHERWISE:-drop reject}; do
			stray_policy "otherwise $otherwise" >"$work/strays.policy"
			check_up "$work/strays.policy"
			check_strays "$otherwise" all
			stray_policy "forward from $lan to 192.168.7.0/24, fd00:7::/64 via eth0 tcp 445; otherwise $otherwise" \
				>"$work/strays.policy"
			check_up "$work/strays.policy"
			check_strays "$otherwise, forward" all

			stray_policy "forward from $lan to $lan; otherwise $otherwise" >"$work/strays.policy"
			check_up "$work/strays.policy"
			ip -n "$ns-host" route replace local default dev lo table 77
			ip -n "$ns-host" -6 route replace local default dev lo table 77
			kept_by_route add
			check_strays "$otherwise, kept by a route" to 10.1.1.8 10.1.1.70 fd00:1::8 fd00:1::70
			kept_by_route del
			kept_by_mark add -A
			check_strays "$otherwise, kept by a mark" to 10.1.1.8 10.1.1.70 fd00:1::8 fd00:1::70
			kept_by_mark del -D
			peerwall down wg1 >"$work/output" 2>&1 || not_ok "strays $backend: down" <"$work/output"
		done
		topology_down
	done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	net_begin
	run_strays
	finish
fi
