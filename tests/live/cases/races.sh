# Others at work at the same time: another peerwall, and other programs' own changes.
# shellcheck shell=sh disable=SC2154,SC2034

for name in wg1 wg2; do
	printf 'interface %s {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n}\n' "$name" >"$policies/$name.pw"
done

new_host
load_foreign docker
remember
cp "$work/before" "$work/race.before"

# Many at once, up and down: they wait for each other.
for round in 1 2 3 4; do
	waiting=
	for name in wg1 wg2; do
		nsenter --net="/run/netns/$host" "$program" apply --run-dir "$work/run" --wait 60 "$policies/$name.pw" \
			>"$work/race.$name.$round" 2>&1 &
		waiting="$waiting $!"
		nsenter --net="/run/netns/$host" "$program" apply --run-dir "$work/run" --wait 60 "$policies/wg1.pw" \
			>"$work/race.again.$round" 2>&1 &
		waiting="$waiting $!"
	done
	worst=0
	for process in $waiting; do
		wait "$process" || worst=$?
	done
	check "round $round: all four succeed" test $worst = 0
	pw status "$policies/wg1.pw" "$policies/wg2.pw"
	check "round $round: both are up" exits 0
	pw down wg1 wg2
	check "round $round: down" exits 0
	check "round $round: as before" rules_as_before
done

# A program that changes its own rules all the time, as Docker does when it starts.
noise() {
	while [ ! -e "$work/quiet" ]; do
		if ! {
			"iptables-$backend" -w 20 -t nat -A DOCKER -p tcp -m tcp --dport 9999 -j DNAT --to-destination 172.18.0.9:9999 &&
				"iptables-$backend" -w 20 -I FORWARD 1 -o docker9 -j DROP &&
				"iptables-$backend" -w 20 -D FORWARD -o docker9 -j DROP &&
				"iptables-$backend" -w 20 -t nat -D DOCKER -p tcp -m tcp --dport 9999 -j DNAT --to-destination 172.18.0.9:9999
		}; then
			echo "failed" >>"$work/noise.failed"
		fi
	done
}
rm -f "$work/quiet" "$work/noise.failed"
# The whole function has to be in the host, and take part in the lock.
{
	echo "backend=$backend work=$work"
	sed -n '/^noise() {$/,/^}$/p' "$here/cases/races.sh"
	echo noise
} >"$work/noise.sh"
nsenter --net="/run/netns/$host" sh "$work/noise.sh" >"$work/noise.out" 2>&1 &
noise_process=$!
started="$started $noise_process"
worst=0
for round in 1 2 3 4 5 6 7 8; do
	pw apply --wait 30 "$policies/wg1.pw"
	[ "$status" = 0 ] || { worst=$status; cp "$work/err" "$work/worst"; }
	pw status "$policies/wg1.pw"
	[ "$status" = 0 ] || { worst=$status; cp "$work/err" "$work/worst"; }
	pw down wg1 --wait 30
	[ "$status" = 0 ] || { worst=$status; cp "$work/err" "$work/worst"; }
done
touch "$work/quiet"
wait "$noise_process"
check "beside a busy program: all succeed" sh -c "[ $worst = 0 ] || { cat '$work/worst'; exit 1; }"
check "beside a busy program: it lost nothing" test ! -e "$work/noise.failed"
check "beside a busy program: as before" rules_as_before
