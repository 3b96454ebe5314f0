#!/bin/bash
# The real thing on one machine: two hosts joined by WireGuard (wg-quick with wireguard-go), a real Docker daemon that
# publishes two containers, and peerwall called from PostUp and PostDown. What the peer can reach is tried by connecting.
# `run.sh PROGRAM`.
set -u

program=$(realpath "$1")
cd "$(dirname "$0")/../.." || exit 1

skip() {
	echo "skipped: lab: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in wg-quick wireguard-go dockerd containerd docker busybox ip nsenter; do
	command -v $tool >/dev/null || skip "needs $tool"
done
[ -c /dev/net/tun ] || skip "needs /dev/net/tun"

docker=/usr/bin/docker
host=pwlab-host-$$
peer=pwlab-peer-$$
work=$(mktemp -d /tmp/pwlab.XXXXXX)
export XTABLES_LOCKFILE="$work/xtables.lock"
passed=0
failed=0

# ---- the hosts ----

in_host() { nsenter --net=/run/netns/$host "$@"; }
in_peer() { nsenter --net=/run/netns/$peer "$@"; }

# wg-quick in a mount namespace of its own, since all namespaces share /var/run/wireguard.
wg_quick() { # host|peer up|down
	local namespace=$host
	[ "$1" = host ] || namespace=$peer
	nsenter --net=/run/netns/$namespace unshare -m sh -c "
		mkdir -p /var/run/wireguard && mount --bind '$work/$1.run' /var/run/wireguard
		PATH='$work/bin':\$PATH wg-quick $2 '$work/$1/wg1.conf'" >"$work/wg-quick.log" 2>&1 || {
		echo "wg-quick $2 on the $1 failed:"
		cat "$work/wg-quick.log"
		return 1
	}
}

alive() { kill -0 "$1" 2>/dev/null; }

stop() { # pid file
	local pid
	pid=$(cat "$1" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null
	for _ in $(seq 200); do
		alive "$pid" || break
		sleep 0.1
	done
	alive "$pid" && kill -9 "$pid" 2>/dev/null
	rm -f "$1"
}

cleanup() {
	docker_ ps -aq 2>/dev/null | while read -r id; do docker_ rm -f "$id" >/dev/null 2>&1; done
	stop "$work/dockerd.pid"
	stop "$work/containerd.pid"
	stop "$work/sshd.pid"
	for namespace in $host $peer; do
		ip netns pids "$namespace" 2>/dev/null | xargs -r kill 2>/dev/null
		ip netns del "$namespace" 2>/dev/null
	done
	grep -o " $work/[^ ]*" /proc/mounts | sort -r | xargs -r umount 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

make_hosts() {
	ip netns add "$host" || skip "needs network namespaces"
	ip netns add "$peer" || exit 1
	ip -n $host link set lo up
	ip -n $peer link set lo up
	ip link add eth0 netns $host type veth peer name eth0 netns $peer
	ip -n $host addr add 192.0.2.1/24 dev eth0
	ip -n $peer addr add 192.0.2.2/24 dev eth0
	ip -n $host link set eth0 up
	ip -n $peer link set eth0 up
	in_host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	mkdir "$work/bin" "$work/host" "$work/peer" "$work/host.run" "$work/peer.run"
	ln -s "$program" "$work/bin/peerwall"
}

make_tunnel() {
	local host_key peer_key
	host_key=$(wg genkey)
	peer_key=$(wg genkey)
	cp tests/lab/wg1.pw "$work/host/wg1.pw"
	cat >"$work/host/wg1.conf" <<-END
		[Interface]
		Address = 10.1.1.5/24, fd00:1::5/64
		ListenPort = 1777
		PrivateKey = $host_key
		PostUp = peerwall apply --run-dir $work/run $work/host/%i.pw
		PostDown = peerwall down --run-dir $work/run %i

		[Peer]
		PublicKey = $(echo "$peer_key" | wg pubkey)
		AllowedIPs = 10.1.1.4/32, fd00:1::4/128
	END
	cat >"$work/peer/wg1.conf" <<-END
		[Interface]
		Address = 10.1.1.4/24, fd00:1::4/64
		PrivateKey = $peer_key

		[Peer]
		PublicKey = $(echo "$host_key" | wg pubkey)
		Endpoint = 192.0.2.1:1777
		AllowedIPs = 10.1.1.0/24, fd00:1::/64, 172.18.0.0/16, fd00:d1::/64
	END
	chmod 600 "$work"/*/wg1.conf
}

# ---- Docker ----

docker_() { $docker -H "unix://$work/docker.sock" "$@"; }

start_docker() {
	[ -f "$work/containerd.pid" ] || {
		setsid nsenter --net=/run/netns/$host containerd --root "$work/croot" --state "$work/cstate" \
			--address "$work/containerd.sock" </dev/null >"$work/containerd.log" 2>&1 &
		echo $! >"$work/containerd.pid"
	}
	setsid nsenter --net=/run/netns/$host dockerd --data-root "$work/droot" --exec-root "$work/dexec" \
		-H "unix://$work/docker.sock" --pidfile "$work/daemon.pid" --containerd "$work/containerd.sock" \
		--ipv6 --fixed-cidr-v6 fd00:d0::/64 --experimental --ip6tables </dev/null >>"$work/dockerd.log" 2>&1 &
	echo $! >"$work/dockerd.pid"
	for _ in $(seq 120); do
		docker_ info >/dev/null 2>&1 && return 0
		sleep 0.5
	done
	echo "dockerd does not answer:"
	tail -5 "$work/dockerd.log"
	return 1
}

make_containers() {
	mkdir -p "$work/root/bin"
	cp "$(command -v busybox)" "$work/root/bin/busybox"
	for link in sh httpd; do ln -s busybox "$work/root/bin/$link"; done
	tar -C "$work/root" -c . | docker_ import - bb >/dev/null || return 1
	docker_ network create --subnet 172.18.0.0/16 --ipv6 --subnet fd00:d1::/64 media >/dev/null || return 1
	run_container 2 8096 && run_container 3 873
}

# With an address of its own, which it keeps when Docker restarts.
run_container() { # last part of its address, port
	docker_ run -d --restart always --stop-signal KILL --network media --ip "172.18.0.$1" --ip6 "fd00:d1::$1" \
		-p "$2:$2" --name "c$2" bb httpd -f -p "$2" >/dev/null
}

# ---- looking ----

reaches() { # from the peer: address port
	in_peer timeout 1 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null
}

report() { # ok|not what
	if [ "$1" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	echo "$1 ok $2" | sed 's/^ok ok/ok/'
}

# expect open|closed address port...
expect() {
	local wanted=$1 address=$2 port seen
	shift 2
	for port; do
		seen=closed
		for _ in 1 2 3; do
			reaches "$address" "$port" && seen=open && break
			[ "$wanted" = open ] || break
			sleep 0.5
		done
		if [ $seen = "$wanted" ]; then report ok "$stage: $address port $port is $wanted"
		else report not "$stage: $address port $port is $seen, not $wanted"; fi
	done
}

check() { # what, command...
	local what=$1
	shift
	if "$@"; then report ok "$stage: $what"; else report not "$stage: $what"; fi
}

# The peer keeps its old session until it notices that the host has a new one; a closed tunnel would look like closed ports.
wait_for_tunnel() {
	for _ in $(seq 60); do
		in_peer ping -c 1 -W 1 -q 10.1.1.5 >/dev/null && return 0
	done
	return 1
}

only_jellyfin() {
	check "the host answers a ping" wait_for_tunnel
	expect open 10.1.1.5 8096
	expect closed 10.1.1.5 22 873
	expect closed 172.18.0.2 8096 873
	expect closed 172.18.0.3 8096 873
	expect open fd00:1::5 8096
	expect closed fd00:1::5 22 873
	expect closed fd00:d1::3 873
}

# Rules without times and counters, and without tables that are empty.
saved() {
	for tool in iptables-save ip6tables-save; do
		in_host $tool | sed '/^#/d; s/ \[[0-9]*:[0-9]*\]$//' | awk '
			/^\*/ { table = $0; full = 0; next }
			/^COMMIT/ { if (full) print table text; text = ""; next }
			{ text = text "\n" $0; if ($0 !~ /^:[A-Z]+ ACCEPT$/) full = 1 }'
	done
}

# ---- the story ----

make_hosts
make_tunnel
start_docker || exit 1
make_containers || exit 1
in_host setsid busybox httpd -f -p 22 -h "$work/root" </dev/null >/dev/null 2>&1 &
echo $! >"$work/sshd.pid"

stage="without rules"
sed -i '/^Post/s/^/#/' "$work/host/wg1.conf"
wg_quick host up || exit 1
wg_quick peer up || exit 1
expect open 10.1.1.5 22 873 8096
expect open fd00:1::5 873 8096
expect open 172.18.0.3 873
wg_quick host down || exit 1
sed -i '/^#Post/s/^#//' "$work/host/wg1.conf"
saved >"$work/before"

stage="PostUp"
wg_quick host up || exit 1
only_jellyfin
check "a second apply changes nothing" in_host "$program" apply --run-dir "$work/run" "$work/host/wg1.pw" >/dev/null 2>&1
check "status says up" in_host "$program" status --run-dir "$work/run" "$work/host/wg1.pw" >/dev/null

stage="Docker restarted"
stop "$work/dockerd.pid"
sleep 1
start_docker || exit 1
only_jellyfin

stage="another port published"
run_container 9 9000
expect closed 10.1.1.5 9000
expect closed fd00:1::5 9000
expect closed 172.18.0.9 9000
expect open 10.1.1.5 8096

stage="PostDown"
docker_ rm -f c9000 >/dev/null
wg_quick host down || exit 1
saved >"$work/after"
check "the rules are as before" diff <(LC_ALL=C sort "$work/before") <(LC_ALL=C sort "$work/after")

stage="up again"
wg_quick host up || exit 1
only_jellyfin

echo "lab: $passed passed, $failed failed"
[ $failed = 0 ]
