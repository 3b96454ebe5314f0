# shellcheck shell=bash
# What the lab is made of: two hosts joined by WireGuard, a Docker daemon, ufw, and the questions that the peer asks.
# Sourced by run.sh, which sets program. All that is made here is gone when the script ends, however it ends.

docker=/usr/bin/docker
backend=${LAB_BACKEND:-nft}
host=pwlab-host-$$
peer=pwlab-peer-$$
work=
passed=0
failed=0
stage=

skip() {
	echo "skipped: lab: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}

# Ends the test where going on would tell nothing.
die() {
	echo "not ok $stage: $1"
	exit 1
}

lab_begin() {
	local tool
	[ "$(id -u)" = 0 ] || skip "needs root"
	for tool in wg-quick wireguard-go "iptables-$backend" dockerd containerd docker busybox ip nsenter ufw; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
	[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
	work=$(mktemp -d /tmp/pwlab.XXXXXX)
	export XTABLES_LOCKFILE="$work/xtables.lock"
	use_backend
	trap lab_end EXIT
	trap 'exit 1' INT TERM
}

lab_end() {
	[ ${#knocking[@]} -eq 0 ] || kill "${knocking[@]}"
	docker_ ps -aq 2>/dev/null | xargs -r $docker -H "unix://$work/docker.sock" rm -f >/dev/null 2>&1
	stop "$work/dockerd.pid"
	stop "$work/containerd.pid"
	for namespace in $host $peer; do
		ip netns pids "$namespace" 2>/dev/null | xargs -r kill 2>/dev/null
		ip netns del "$namespace" 2>/dev/null
	done
	grep -o " $work/[^ ]*" /proc/mounts | sort -r | xargs -r umount 2>/dev/null
	rm -rf "$work"
}

# What all who are called here take for iptables.
use_backend() {
	local name
	mkdir "$work/tools"
	for name in iptables ip6tables; do
		ln -s "$(command -v "$name-$backend")" "$work/tools/$name"
		ln -s "$(command -v "$name-$backend-save")" "$work/tools/$name-save"
		ln -s "$(command -v "$name-$backend-restore")" "$work/tools/$name-restore"
	done
	PATH="$work/tools:$PATH"
}

# ---- the hosts ----

in_host() { nsenter --net=/run/netns/$host "$@"; }
in_peer() { nsenter --net=/run/netns/$peer "$@"; }

make_hosts() {
	ip netns add "$host" || skip "needs network namespaces"
	ip netns add "$peer" || exit 1
	ip -n $host link set lo up
	ip -n $peer link set lo up
	ip link add eth0 netns $host type veth peer name eth0 netns $peer
	ip -n $host addr add 192.0.2.1/24 dev eth0
	ip -n $peer addr add 192.0.2.2/24 dev eth0
	ip -n $host link set eth0 up
	ip -n $host addr add 198.51.100.1/32 dev lo
	ip -n $host addr add fd00:51::1/128 dev lo
	ip -n $peer link set eth0 up
	in_host sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
	in_peer sysctl -qw net.ipv6.conf.default.accept_dad=0
	mkdir "$work/bin" "$work/host" "$work/peer" "$work/host.run" "$work/peer.run"
	cp "$program" "$work/bin/peerwall"
}

# The host calls, too, so that a tunnel that it made anew works at once, and not only when the peer gives up the old one.
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
		PostUp = peerwall apply --backend $backend --run-dir $work/run $work/host/%i.pw
		PostDown = peerwall down --backend $backend --run-dir $work/run %i

		[Peer]
		PublicKey = $(echo "$peer_key" | wg pubkey)
		Endpoint = 192.0.2.2:1778
		PersistentKeepalive = 1
		AllowedIPs = 10.1.1.4/32, fd00:1::4/128
	END
	cat >"$work/peer/wg1.conf" <<-END
		[Interface]
		Address = 10.1.1.4/24, fd00:1::4/64
		ListenPort = 1778
		PrivateKey = $peer_key

		[Peer]
		PublicKey = $(echo "$host_key" | wg pubkey)
		Endpoint = 192.0.2.1:1777
		AllowedIPs = 10.1.1.0/24, fd00:1::/64, 198.51.100.1/32, fd00:51::1/128, 172.18.0.0/15, fd00:d1::/64, fd00:d2::/64
	END
	chmod 600 "$work"/*/wg1.conf
}

# wg-quick in a mount namespace of its own, since all namespaces share /var/run/wireguard.
wg_quick() { # host|peer up|down
	local namespace=$host
	[ "$1" = host ] || namespace=$peer
	nsenter --net=/run/netns/$namespace unshare -m sh -c "
		mkdir -p /var/run/wireguard && mount --bind '$work/$1.run' /var/run/wireguard
		PATH='$work/bin':\$PATH wg-quick $2 '$work/$1/wg1.conf'" >"$work/wg-quick.log" 2>&1 && return 0
	cat "$work/wg-quick.log"
	die "wg-quick $2 on the $1"
}

peerwall() { # verb argument...
	local verb=$1
	shift
	in_host "$work/bin/peerwall" "$verb" --backend "$backend" --run-dir "$work/run" "$@" >"$work/peerwall.log" 2>&1
}

# ufw with files of its own: it keeps its state in /etc.
ufw() {
	in_host unshare -m sh -c "
		mount --bind '$work/ufw' /etc/ufw && mount --bind '$work/ufw.default' /etc/default/ufw &&
		mount -t tmpfs none /run && ufw $*" >"$work/ufw.log" 2>&1 && return 0
	cat "$work/ufw.log"
	die "ufw $*"
}

enable_ufw() {
	cp -r /etc/ufw "$work/ufw"
	cp /etc/default/ufw "$work/ufw.default"
	ufw allow 22/tcp
	ufw allow 873/tcp
	ufw allow 1777/udp
	ufw --force enable
	in_host iptables-save | grep -q '^-A ufw-user-input .*--dport 873 ' || die "ufw is not in force"
}

# The chains of a jail, as fail2ban's action iptables-multiport makes them, with one ban.
load_fail2ban() {
	local tool
	for tool in iptables ip6tables; do
		in_host $tool -w 5 -N f2b-sshd
		in_host $tool -w 5 -A f2b-sshd -j RETURN
		in_host $tool -w 5 -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
	done
	in_host iptables -w 5 -I f2b-sshd 1 -s 192.0.2.77 -j REJECT --reject-with icmp-port-unreachable
	in_host ip6tables -w 5 -I f2b-sshd 1 -s fd00:99::77 -j REJECT --reject-with icmp6-port-unreachable
}

# ---- processes ----

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

# A service of the host itself, on all its addresses.
serve() { # port
	setsid nsenter --net=/run/netns/$host busybox httpd -f -p "[::]:$1" -h "$work/host" </dev/null >/dev/null 2>&1 &
	echo $! >"$work/httpd.$1.pid"
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
	for _ in $(seq 240); do
		docker_ info >/dev/null 2>&1 && return 0
		sleep 0.25
	done
	tail -5 "$work/dockerd.log"
	die "dockerd does not answer"
}

# A second more: started too early, dockerd gives up.
restart_docker() {
	stop "$work/dockerd.pid"
	sleep 1
	start_docker
}

make_image() {
	local link
	mkdir -p "$work/root/bin"
	cp "$(command -v busybox)" "$work/root/bin/busybox"
	for link in sh httpd; do ln -s busybox "$work/root/bin/$link"; done
	tar -C "$work/root" -c . | docker_ import - bb >/dev/null || die "no image"
}

make_network() { # name, its IPv4 and IPv6 networks
	docker_ network create --subnet "$2" --ipv6 --subnet "$3" "$1" >/dev/null || die "no network $1"
}

# With an address of its own, which it keeps when Docker restarts.
run_container() { # last part of its address, port
	docker_ run -d --restart always --stop-signal KILL --network media --ip "172.18.0.$1" --ip6 "fd00:d1::$1" \
		-p "$2:$2" --name "c$2" bb httpd -f -p "$2" >/dev/null || die "no container for $2"
}

# A container that publishes a port, and goes again; so many times.
start_and_stop() { # rounds
	local round
	for round in $(seq "$1"); do
		docker_ run -d --stop-signal KILL --network media -p 9100:9100 --name "round$round" bb httpd -f -p 9100 &&
			docker_ rm -f "round$round" || return 1
	done >"$work/rounds.log" 2>&1
}

# ---- looking ----

report() { # ok|not, what
	if [ "$1" = ok ]; then
		passed=$((passed + 1))
		echo "ok $stage: $2"
	else
		failed=$((failed + 1))
		echo "not ok $stage: $2"
	fi
}

check() { # what, command...
	local what=$1
	shift
	if "$@"; then report ok "$what"; else report not "$what"; fi
}

# The peer asks one question; port "ping" is an echo. What should be open is asked again on a busy machine.
ask() { # open|closed address port
	local seconds seen=closed
	for seconds in 1 3 6; do
		if [ "$3" = ping ]; then
			in_peer ping -c 1 -W "$seconds" -q "$2" >/dev/null 2>&1 && seen=open
		else
			in_peer timeout "$seconds" bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null && seen=open
		fi
		[ "$seen $1" = "closed open" ] || break
	done
	[ $seen = "$1" ] || echo "$2 port $3 is $seen, not $1"
}

# Lines "open|closed ADDRESS PORT..." on standard input are asked all at once.
grid() { # what
	local wanted address ports port count=0
	rm -f "$work"/answer.*
	while read -r wanted address ports; do
		for port in $ports; do
			count=$((count + 1))
			ask "$wanted" "$address" "$port" >"$work/answer.$count" &
			asked+=($!)
		done
	done
	wait "${asked[@]}"
	asked=()
	cat "$work"/answer.* >"$work/wrong"
	if [ -s "$work/wrong" ]; then
		report not "$1"
		sed 's/^/    /' "$work/wrong"
	else
		report ok "$1: $count questions, IPv4 and IPv6"
	fi
}

declare -a asked=() knocking=()

# Asks without end, from several places at once, until nobody_got_in.
knock() { # address port...
	: >"$work/knocks"
	: >"$work/got_in"
	while [ $# -gt 1 ]; do
		while echo >>"$work/knocks"; do
			! in_peer timeout 0.3 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null || echo "$1 port $2" >>"$work/got_in"
		done &
		knocking+=($!)
		shift 2
	done
}

# Often enough to tell something; a busy machine takes its time.
has_knocked() { [ "$(wc -l <"$work/knocks")" -gt 20 ]; }

nobody_got_in() { # what
	kill "${knocking[@]}"
	wait "${knocking[@]}" 2>/dev/null
	knocking=()
	check "$1: $(wc -l <"$work/knocks") connections tried" has_knocked
	check "$1: none of them got in" test ! -s "$work/got_in"
}

# A tunnel that is not there yet would look like closed ports.
wait_for_tunnel() {
	for _ in $(seq 60); do
		in_peer ping -c 1 -W 1 -q 10.1.1.5 >/dev/null && return 0
	done
	die "the tunnel does not come up"
}

# What iptables-save prints, but for times and counters.
saved() {
	local tool
	for tool in iptables-save ip6tables-save; do
		echo "== $tool"
		in_host $tool | sed -E '/^#/d; s/ \[[0-9]+:[0-9]+\]$//'
	done
}

# The same without what is peerwall's.
foreign() { saved | grep -v PW-; }
