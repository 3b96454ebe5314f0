#!/bin/bash
# The real thing on one machine: two hosts joined by WireGuard (wg-quick with wireguard-go), a real Docker daemon that
# publishes containers, ufw, and peerwall called from PostUp and PostDown. What the peer can reach is tried by
# connecting, after each thing that happens to such a host. `run.sh PROGRAM`; LAB_BACKEND=legacy has all of them use iptables'
# other backend, and LAB_ROUNDS says how many containers come and go while policies are applied.
set -u

program=$(realpath "$1")
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=lib.sh
. tests/lab/lib.sh

# What the policy declares, and nothing else. The host has services of its own on 22 and 873 until containers publish them.
only_jellyfin() {
	wait_for_tunnel
	grid "G1, G2: only 8096 and ping" <<-END
		open 10.1.1.5 8096 ping
		open fd00:1::5 8096 ping
		closed 10.1.1.5 22 873 9000
		closed fd00:1::5 22 873 9000
		open 198.51.100.1 8096
		open fd00:51::1 8096
		closed 198.51.100.1 22 873
		closed fd00:51::1 22 873
		closed 172.18.0.1 22 873
		closed fd00:d1::1 22 873
		closed 172.18.0.2 8096 ping
		closed fd00:d1::2 8096 ping
		closed 172.18.0.3 873
		closed fd00:d1::3 873
		closed 172.18.0.9 9000
		closed fd00:d1::9 9000
	END
}

refused() { ! peerwall apply "$1"; }

# The rules of $work/before, within 20 s.
is_as_before() {
	for _ in $(seq 40); do
		saved | cmp -s - "$work/before" && return 0
		sleep 0.5
	done
	saved | diff "$work/before" -
}

lab_begin
make_hosts
make_tunnel

stage="before Docker starts"
for port in 22 873 8096; do serve "$port"; done
wg_quick host up
wg_quick peer up
only_jellyfin
stop "$work/httpd.873.pid"
stop "$work/httpd.8096.pid"

stage="Docker started"
start_docker
make_image
make_network media 172.18.0.0/16 fd00:d1::/64
run_container 2 8096
run_container 3 873
only_jellyfin

stage="Docker restarted"
restart_docker
only_jellyfin

stage="another port published"
run_container 9 9000
only_jellyfin

stage="another network"
make_network other 172.19.0.0/16 fd00:d2::/64
only_jellyfin

# ufw calls the host's own tools, by their path.
if [ "$backend" = nft ]; then
	stage="ufw enabled"
	enable_ufw
	only_jellyfin
fi

stage="fail2ban's chains"
load_fail2ban
only_jellyfin

stage="wg-quick down and up, twice"
wg_quick host down
saved >"$work/down.1"
check "G3: nothing of peerwall's is left" bash -c "! grep -q PW- '$work/down.1'"
wg_quick host up
saved >"$work/up.1"
only_jellyfin
wg_quick host down
saved >"$work/down.2"
wg_quick host up
saved >"$work/up.2"
check "G3: down, byte for byte" diff "$work/down.1" "$work/down.2"
check "G3: up, byte for byte" diff "$work/up.1" "$work/up.2"
check "G3: there is something of peerwall's" grep -q PW- "$work/up.2"
only_jellyfin
check "G3: applying again" peerwall apply "$work/host/wg1.pw"
check "G3: changes nothing" diff <(saved) "$work/up.2"
check "status says up" peerwall status "$work/host/wg1.pw"

stage="policies to and fro"
cat >"$work/wide.pw" <<-END
	interface wg1 {
	    expose tcp 8096, 9000 to 10.1.1.0/24, fd00:1::/64
	    allow ping from 10.1.1.0/24, fd00:1::/64
	    otherwise reject
	}
END
knock 10.1.1.5 873 fd00:1::5 873 172.18.0.3 873 fd00:d1::3 873
for round in $(seq 40); do
	check "apply, round $round" peerwall apply "$work/wide.pw"
	check "and back" peerwall apply "$work/host/wg1.pw"
	[ "$round" -lt 3 ] || ! has_knocked || break
done
nobody_got_in "G4: what neither policy allows stays closed"
only_jellyfin

stage="policies to and fro while Docker starts and stops containers"
foreign >"$work/before"
knock 10.1.1.5 873 fd00:1::5 873 172.18.0.3 873 fd00:d1::3 873
{ start_and_stop "${LAB_ROUNDS:-6}"; echo $? >"$work/docker.did"; } &
applied=0 not_applied=0
until [ -e "$work/docker.did" ]; do
	for policy in "$work/wide.pw" "$work/host/wg1.pw"; do
		if peerwall apply "$policy"; then applied=$((applied + 1)); else not_applied=$((not_applied + 1)); fi
	done
done
wait $!
check "Docker did all it wanted" [ "$(cat "$work/docker.did")" = 0 ]
check "each of $((applied + not_applied)) applies was carried out" [ "$not_applied" = 0 ]
nobody_got_in "G4: what neither policy allows stays closed"
check "no rule of Docker's is lost, and none left" diff "$work/before" <(foreign)
saved >"$work/before"
check "applying again" peerwall apply "$work/host/wg1.pw"
check "there is one of each jump, and nothing to do" diff "$work/before" <(saved)
only_jellyfin

stage="a policy that is wrong"
echo 'interface wg1 { expose tcp 70000 to lan }' >"$work/bad.pw"
saved >"$work/before"
check "G5: is refused" refused "$work/bad.pw"
check "G5: at its place" grep -q 'bad.pw:1:' "$work/peerwall.log"
check "G5: and nothing changes" diff "$work/before" <(saved)

stage="a change that nobody confirms"
check "apply --confirm" peerwall apply --confirm 5 "$work/wide.pw"
grid "9000 is open, too" <<-END
	open 10.1.1.5 8096 9000
	open fd00:1::5 8096 9000
	closed 10.1.1.5 22 873
	closed fd00:1::5 22 873
END
check "G6: undoes itself, byte for byte" is_as_before
only_jellyfin

# What all of it is about, and that the questions can be answered otherwise.
stage="without rules"
peerwall down wg1
grid "everything is open" <<-END
	open 10.1.1.5 22 873 8096 9000 ping
	open fd00:1::5 22 873 8096 9000 ping
	open 172.18.0.1 22
	open fd00:d1::1 22
	open 172.18.0.3 873
	open fd00:d1::3 873
END

echo "lab: $backend: $passed passed, $failed failed"
[ "$failed" = 0 ]
