#!/usr/bin/env bash
# Changes under traffic. While questions that both policies answer alike are asked
# steadily, each from a new port, and a long-lived connection talks on,
#   - apply goes to and fro between the two policies;
#   - and between drop and reject;
#   - a host that drops by itself is taken up and down;
#   - apply is killed half-way, again and again.
# Nothing denied by both may get an answer, nothing allowed by both may miss one.
# As a control, a host that accepts by itself is taken down and up, and must leak.

# shellcheck source=grid.sh
. "$(dirname "${BASH_SOURCE[0]}")/grid.sh" || exit 2

seconds=${SECONDS_EACH:-5}
# Of each question, a second.
rate=200

# Each line once more in IPv6: addresses end alike there, and ping is another number.
both_families() {
	sed 'p; s/10\.1\.1\./fd00:1::/g; s/172\.18\.0\./fd00:18::/g; / icmp /s/ 8$/ 128/'
}

# "NAMESPACE PROTO SRC DST PORT", allowed and denied by both policies, and by a host
# that drops all but ssh.
allowed_lines() {
	{
		echo "laptop tcp 10.1.1.4 10.1.1.5 22"
		[ "$1" != open ] || cat <<-'EOF'
		laptop udp 10.1.1.4 10.1.1.5 60000
		laptop tcp 10.1.1.7 10.1.1.5 8096
		laptop udp 10.1.1.4 10.1.1.8 53
		laptop icmp 10.1.1.7 10.1.1.5 8
		EOF
	} | both_families
}

denied_lines() {
	{
		cat <<-'EOF'
		laptop tcp 10.1.1.7 10.1.1.5 80
		laptop udp 10.1.1.4 10.1.1.5 53
		laptop udp 10.1.1.4 172.18.0.2 53
		EOF
		[ "$1" != open ] || cat <<-'EOF'
		laptop udp 10.1.1.4 10.1.1.5 9000
		laptop tcp 10.1.1.4 172.18.0.2 873
		container udp 172.18.0.2 10.1.1.4 53
		EOF
	} | both_families
}

# Two policies that differ in all but what the lines above ask.
write_policies() {
	sed 's/@OTHERWISE@/drop/' "$here/cases/flagship.policy" >"$work/this.policy"
	sed 's/@OTHERWISE@/reject/' "$here/cases/flagship.policy" >"$work/polite.policy"
	cat >"$work/that.policy" <<-'EOF'
	peers lan = 10.1.1.0/24, fd00:1::/64
	interface wg1 {
	    expose tcp 22, 443, 5000-5004, 8096 to lan
	    expose udp 5353, 60000-60001 to 10.1.1.0/29, fd00:1::/125
	    allow ping from 10.1.1.6/31, fd00:1::6/127
	    forward from lan to lan udp 53
	    forward from lan to lan tcp 445
	    otherwise drop
	}
	EOF
}

# traffic_start open|dropping: what is asked depends on what the host does by itself.
traffic_start() {
	local name
	grid_fresh
	senders=()
	rm -f "$work"/steady.*
	# Late is not lost, but an answer to what is denied would come at once.
	allowed_lines "$1" | sed 's/^laptop //' |
		in_ns laptop "$probe" steady "$seconds" "$rate" 3000 >"$work/steady.allowed" &
	senders+=($!)
	for name in laptop container; do
		denied_lines "$1" | sed -n "s/^$name //p" |
			in_ns "$name" "$probe" steady "$seconds" "$rate" 300 >"$work/steady.denied.$name" &
		senders+=($!)
	done
	for name in "10.1.1.4 10.1.1.5" "fd00:1::4 fd00:1::5"; do
		# shellcheck disable=SC2086  # two words
		in_ns laptop "$probe" hold "$seconds" $name 22 >>"$work/steady.held" 2>&1 &
		senders+=($!)
	done
	traffic_end=$((${EPOCHREALTIME/./} + seconds * 1000000))
}

traffic_goes_on() { [ "${EPOCHREALTIME/./}" -lt "$traffic_end" ]; }

# Sets sent, lost, leaked and broken.
traffic_finish() {
	local sender
	broken=0
	for sender in "${senders[@]}"; do
		wait "$sender" || broken=$((broken + 1))
	done
	sent=$(cat "$work"/steady.{allowed,denied.*} | awk '{ n += $6 } END { print n + 0 }')
	lost=$(awk '{ n += $6 - $8 } END { print n + 0 }' "$work/steady.allowed")
	leaked=$(cat "$work"/steady.denied.* | awk '{ n += $8 } END { print n + 0 }')
}

# check_traffic WHAT CHANGES
check_traffic() {
	traffic_finish
	if [ "$lost$leaked$broken" = 000 ] && [ "$sent" -ge $((seconds * rate)) ] && [ "$2" -ge "$seconds" ]; then
		ok "G4: $1 $backend: $2 changes, $sent questions, 0 leaked, 0 lost, 2 connections held"
	else
		not_ok "G4: $1 $backend: $2 changes, $sent questions, $leaked leaked, $lost lost, $broken broken" \
			< <(cat "$work"/steady.*)
	fi
}

# apply_to_and_fro WHAT POLICY POLICY
apply_to_and_fro() {
	local changes=0 policy
	check_up "$work/$2.policy"
	traffic_start open
	while traffic_goes_on; do
		for policy in "$3" "$2"; do
			if ! peerwall apply "$work/$policy.policy" >"$work/output" 2>&1; then
				not_ok "$1 $backend: apply $policy" <"$work/output"
				break 2
			fi
			changes=$((changes + 1))
		done
	done
	check_traffic "$1" $changes
}

# up_and_down WHAT open|dropping: sets changes.
up_and_down() {
	local verb
	changes=0
	traffic_start "$2"
	while traffic_goes_on; do
		for verb in apply down; do
			if ! peerwall $verb "$work/this.policy" >"$work/output" 2>&1; then
				not_ok "$1 $backend: $verb" <"$work/output"
				break 2
			fi
			changes=$((changes + 1))
		done
	done
}

killed() {
	local changes=0 policy pid
	traffic_start dropping
	while traffic_goes_on; do
		for policy in this that polite; do
			peerwall apply "$work/$policy.policy" >"$work/output" 2>&1 &
			pid=$!
			sleep 0.0$((RANDOM % 90 + 10))
			kill -9 $pid 2>/dev/null
			wait $pid 2>/dev/null
			changes=$((changes + 1))
		done
		[ $((RANDOM % 4)) -ne 0 ] || peerwall down "$work/this.policy" >"$work/output" 2>&1
	done
	check_traffic "killed half-way" $changes
}

run_reload() {
	write_policies
	for backend in ${BACKENDS:-nft legacy}; do
		topology_up "$backend"
		save_rules >"$work/before"
		apply_to_and_fro "reload" this that
		apply_to_and_fro "reload, drop and reject" this polite
		peerwall down "$work/this.policy" >"$work/output" 2>&1

		up_and_down "control" open
		traffic_finish
		if [ "$leaked" -gt 0 ]; then
			ok "control $backend: down and up where the host accepts leaks $leaked"
		else
			not_ok "control $backend: nothing leaked from an open host" < <(cat "$work"/steady.*)
		fi

		ufw_add
		save_rules >"$work/before.ufw"
		up_and_down "up and down" dropping
		check_traffic "up and down" "$changes"
		killed
		check_up "$work/this.policy"
		check_down wg1 "killed half-way $backend" "$work/before.ufw"
		ufw_remove
		topology_down
	done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	net_begin
	run_reload
	finish
fi
