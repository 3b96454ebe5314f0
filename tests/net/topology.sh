# shellcheck shell=bash
# The little world the packet tests live in, one network namespace each:
#
#   laptop --+                        +-- container   172.18.0.0/16 (a bridge,
#            +-(hub)-- wg1  host -----+                 with Docker's rules)
#   friend --+                |  |    +-- outside     192.168.7.0/24, on eth0
#                     far -- wg2 +
#
# A veth pair plays each tunnel: wg1 has 10.1.1.0/24 with two peers behind it,
# which like WireGuard peers reach each other through the host alone, and wg2
# has 10.2.2.0/24 with one. Each peer sends all it does not know into the tunnel.
# The laptop's namespace also sends as desk and stranger. Everything has an IPv6
# twin, found by real neighbour discovery.

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" || exit 2
# shellcheck source=docker.sh
. "$(dirname "${BASH_SOURCE[0]}")/docker.sh" || exit 2

declare -a servers=()

# NAME NAMESPACE IPV4 IPV6: what the other files call the addresses. The two that
# end in ll are link-local, as the laptop writes them.
topology_names() {
	cat <<-EOF
	laptop    laptop    10.1.1.4     fd00:1::4
	desk      laptop    10.1.1.7     fd00:1::7
	stranger  laptop    10.9.9.9     fd00:9::9
	friend    friend    10.1.1.8     fd00:1::8
	far       far       10.2.2.4     fd00:2::4
	host      host      10.1.1.5     fd00:1::5
	hostwg2   host      10.2.2.5     fd00:2::5
	hosteth   host      192.168.7.5  fd00:7::5
	hostbr    host      172.18.0.1   fd00:18::1
	container container 172.18.0.2   fd00:18::2
	outside   outside   192.168.7.9  fd00:7::9
	laptopll  laptop    -            fe80::4%wg
	hostll    host      -            fe80::5%wg
	EOF
}

# serve NAMESPACE TAG PROTO:LIST...
serve() {
	local name=$1
	shift
	servers+=("$(in_ns "$name" "$probe" serve "$@")")
}

namespace_add() {
	local name
	for name; do
		ip netns add "$ns-$name"
		# Answers that say no must not be rationed, or a grid sees silence;
		# addresses must be usable at once; and no tunnel redirects.
		in_ns "$name" sysctl -qw \
			net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=1000000 \
			net.ipv4.icmp_msgs_burst=100000 net.ipv6.icmp.ratelimit=0 \
			net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.default.router_solicitations=0 \
			net.ipv6.conf.all.accept_redirects=0 net.ipv6.conf.default.accept_redirects=0 \
			net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
		ip -n "$ns-$name" link set lo up
	done
}

# link_add NAMESPACE INTERFACE NAMESPACE INTERFACE
link_add() {
	ip -n "$ns-$1" link add "$2" type veth peer name "$4" netns "$ns-$3"
	ip -n "$ns-$1" link set "$2" up
	ip -n "$ns-$3" link set "$4" up
}

# address_add NAMESPACE INTERFACE ADDRESS...
address_add() {
	local name=$1 interface=$2 address
	shift 2
	for address; do
		case $address in
		*:*) ip -n "$ns-$name" addr add "$address" dev "$interface" nodad ;;
		*) ip -n "$ns-$name" addr add "$address" dev "$interface" ;;
		esac
	done
}

# gateway_set NAMESPACE INTERFACE IPV4 IPV6: on the link, whatever the addresses say.
gateway_set() {
	ip -n "$ns-$1" route add default via "$3" dev "$2" onlink
	ip -n "$ns-$1" route add "$4" dev "$2"
	ip -n "$ns-$1" route add default via "$4" dev "$2"
}

# topology_up BACKEND
topology_up() {
	local name
	# shellcheck disable=SC2034  # read in lib.sh
	backend=$1
	namespace_add host hub laptop friend far container outside
	in_ns host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

	# The peers of wg1 meet at the host only: their ports do not see each other.
	ip -n "$ns-hub" link add br0 type bridge mcast_snooping 0 forward_delay 0
	ip -n "$ns-hub" link set br0 up
	link_add host wg1 hub wg1
	link_add laptop wg hub laptop
	link_add friend wg hub friend
	for name in wg1 laptop friend; do
		ip -n "$ns-hub" link set "$name" master br0
	done
	bridge -n "$ns-hub" link set dev laptop isolated on
	bridge -n "$ns-hub" link set dev friend isolated on
	link_add far wg host wg2
	link_add outside eth0 host eth0
	ip -n "$ns-host" link add "$bridge_name" type bridge mcast_snooping 0 forward_delay 0
	ip -n "$ns-host" link set "$bridge_name" up
	link_add container eth0 host vethc0
	ip -n "$ns-host" link set vethc0 master "$bridge_name"

	address_add laptop wg 10.1.1.4/32 10.1.1.7/32 10.9.9.9/32 \
		fd00:1::4/128 fd00:1::7/128 fd00:9::9/128 fe80::4/64
	address_add friend wg 10.1.1.8/32 fd00:1::8/128
	address_add far wg 10.2.2.4/32 fd00:2::4/128
	address_add container eth0 172.18.0.2/16 fd00:18::2/64
	address_add outside eth0 192.168.7.9/24 fd00:7::9/64
	address_add host wg1 10.1.1.5/24 fd00:1::5/64 fe80::5/64
	address_add host wg2 10.2.2.5/24 fd00:2::5/64
	address_add host eth0 192.168.7.5/24 fd00:7::5/64
	address_add host "$bridge_name" 172.18.0.1/16 fd00:18::1/64
	gateway_set laptop wg 10.1.1.5 fd00:1::5
	gateway_set friend wg 10.1.1.5 fd00:1::5
	gateway_set far wg 10.2.2.5 fd00:2::5
	ip -n "$ns-container" route add default via 172.18.0.1
	ip -n "$ns-container" route add default via fd00:18::1
	ip -n "$ns-outside" route add default via 192.168.7.5
	ip -n "$ns-outside" route add default via fd00:7::5
	# As wg-quick does for AllowedIPs beyond the interface's own network.
	ip -n "$ns-host" route add 10.9.9.0/24 dev wg1
	ip -n "$ns-host" route add fd00:9::/64 dev wg1

	# 9998 and 9999 are nobody's, until a foreign rule gives them away.
	serve host host tcp:22,80,443,5000-5005 udp:53,5353,60000-60003 \
		sctp:38412 raw:241-248 icmp:
	# Docker's userland proxy: what answers where its DNAT does not apply.
	serve host proxy tcp:873,8081,8096 udp:9000
	serve container container tcp:22,80,873,3306,8096 udp:53,9000 sctp:38412 raw:241-248 icmp:
	for name in laptop friend far outside; do
		serve "$name" "$name" tcp:22,80,445 udp:53,5353 sctp:38412 raw:241-248 icmp:
	done
	docker_sets
	docker_rules 4 172.18.0.0/16 172.18.0.2 127.0.0.0/8 172.18.0.2 | restore4
	docker_rules 6 fd00:18::/64 fd00:18::2 ::1/128 '[fd00:18::2]' | restore6
	owner_rules
}

topology_down() {
	local name
	[ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null
	servers=()
	ip netns list | while read -r name _; do
		case $name in
		"$ns"-*) ip netns del "$name" ;;
		esac
	done
}

# What the owner of the host set up by hand: a port that leads to another of the host's,
# and one to a port of the container that Docker does not publish and does not let by.
owner_rules() {
	local match="-p tcp -m addrtype --dst-type LOCAL -m tcp --dport"
	# shellcheck disable=SC2086  # words
	{
		both -t nat -I PREROUTING 1 $match 8443 -j REDIRECT --to-ports 443
		table4 -t nat -I PREROUTING 1 $match 8444 -j DNAT --to-destination 172.18.0.2:3306
		table6 -t nat -I PREROUTING 1 $match 8444 -j DNAT --to-destination '[fd00:18::2]:3306'
	}
}

# What others add later, of the worst kind: everything accepted, and led to a container
# or to the host's own services: ports of the host that no policy names, what the desk
# asks of the friend, and what anybody asks of others at a port that the host exposes.
foreign_rules() {
	both "$1" INPUT ${2:+"$2"} -j ACCEPT
	both "$1" FORWARD ${2:+"$2"} -j ACCEPT
	table4 -t nat "$1" PREROUTING ${2:+"$2"} -p tcp --dport 9999 -j DNAT --to-destination 172.18.0.2:873
	table6 -t nat "$1" PREROUTING ${2:+"$2"} -p tcp --dport 9999 -j DNAT --to-destination '[fd00:18::2]:873'
	both -t nat "$1" PREROUTING ${2:+"$2"} -p tcp --dport 9998 -j REDIRECT --to-ports 22
	# With nft the table security comes after this one: a stranger in a peer's clothes.
	table4 -t nat "$1" INPUT ${2:+"$2"} -s 10.9.9.9 -j SNAT --to-source 10.1.1.4
	table6 -t nat "$1" INPUT ${2:+"$2"} -s fd00:9::9 -j SNAT --to-source fd00:1::4
	table4 -t nat "$1" PREROUTING ${2:+"$2"} -d 192.168.7.9 -p tcp --dport 8096 -j DNAT --to-destination 172.18.0.2:873
	table6 -t nat "$1" PREROUTING ${2:+"$2"} -d fd00:7::9 -p tcp --dport 8096 -j DNAT --to-destination '[fd00:18::2]:873'
	table4 -t nat "$1" PREROUTING ${2:+"$2"} -s 10.1.1.7 -d 10.1.1.8 -p tcp --dport 22 -j DNAT --to-destination 172.18.0.2:873
	table6 -t nat "$1" PREROUTING ${2:+"$2"} -s fd00:1::7 -d fd00:1::8 -p tcp --dport 22 -j REDIRECT --to-ports 80
}

foreign_add() {
	foreign_rules -I 1
	docker_again
}

foreign_remove() { foreign_rules -D; }

# A host that by itself lets nothing in through wg1, not even neighbour discovery.
# Docker has seen to FORWARD.
dropping_rules() {
	both -P INPUT "$2"
	table6 "$1" INPUT ! -i wg1 -p ipv6-icmp -j ACCEPT
}

dropping_add() { dropping_rules -A DROP; }
dropping_remove() { dropping_rules -D ACCEPT; }

# A host as ufw leaves it with ssh allowed: policies, and chains that end them.
ufw_add() {
	ufw_rules | restore4
	ufw_rules | sed 's/-p icmp --icmp-type 8/-p ipv6-icmp/; s/\bufw-/ufw6-/g' | restore6
}

ufw_rules() {
	cat <<-'EOF'
	*filter
	:INPUT DROP [0:0]
	:FORWARD DROP [0:0]
	:ufw-before-input - [0:0]
	:ufw-before-forward - [0:0]
	:ufw-user-input - [0:0]
	:ufw-after-input - [0:0]
	:ufw-reject-input - [0:0]
	-A INPUT -j ufw-before-input
	-A INPUT -j ufw-after-input
	-A INPUT -j ufw-reject-input
	-A FORWARD -j ufw-before-forward
	-A ufw-before-input -i lo -j ACCEPT
	-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
	-A ufw-before-input -p icmp --icmp-type 8 -j ACCEPT
	-A ufw-before-input -j ufw-user-input
	-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
	-A ufw-after-input -p udp -m udp --dport 5353 -j DROP
	-A ufw-reject-input -j DROP
	COMMIT
	EOF
}

ufw_remove() {
	ufw_delete ufw | restore4
	ufw_delete ufw6 | restore6
}

ufw_delete() {
	local chain
	echo "*filter"
	echo ":INPUT ACCEPT [0:0]"
	for chain in before-input after-input reject-input; do
		echo "-D INPUT -j $1-$chain"
	done
	echo "-D FORWARD -j $1-before-forward"
	for chain in before-input before-forward user-input after-input reject-input; do
		echo "-F $1-$chain"
	done
	for chain in before-input before-forward user-input after-input reject-input; do
		echo "-X $1-$chain"
	done
	echo "COMMIT"
}
