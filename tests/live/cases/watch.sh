# The live trace: real packets of a peer, both families, several filters; other programs' rules and traces; and that
# nothing is left, whatever ended it.
# shellcheck shell=sh disable=SC2154,SC2034

# ---- a host with a peer ----

new_host
peer="${host}p"
ip netns add "$peer" || exit 1
hosts="$hosts $peer"
ip link add wg1 netns "$host" type veth peer name p0 netns "$peer"
ip -n "$host" addr add 10.1.1.5/24 dev wg1
ip -n "$host" addr add fd00:1::5/64 dev wg1 nodad
ip -n "$peer" addr add 10.1.1.4/24 dev p0
ip -n "$peer" addr add fd00:1::4/64 dev p0 nodad
ip -n "$host" link set wg1 up
ip -n "$peer" link set p0 up
# Neighbours are known, so that the first packet is no different from the others.
link=$(ip -n "$host" -o link show wg1 | sed 's|.*link/ether \([^ ]*\) .*|\1|')
ip -n "$peer" neigh replace 10.1.1.5 lladdr "$link" dev p0
ip -n "$peer" neigh replace fd00:1::5 lladdr "$link" dev p0

in_host "iptables-$backend-restore" <<'RULES' || exit 1
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 53 -m comment --comment "somebody's own" -j TRACE
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -i wg1 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080
COMMIT
*filter
:INPUT ACCEPT [0:0]
:BLOCK - [0:0]
-A INPUT -i wg1 -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -i wg1 -j BLOCK
-A BLOCK -p tcp -m tcp --dport 873 -j REJECT --reject-with tcp-reset
-A BLOCK -p udp -m udp --dport 873 -j DROP
COMMIT
RULES
in_host "ip6tables-$backend-restore" <<'RULES' || exit 1
*filter
:INPUT ACCEPT [0:0]
-A INPUT -i wg1 -p tcp -m tcp --dport 873 -j DROP
COMMIT
RULES

# send PROTOCOL ADDRESS PORT...: one packet each; nobody need answer.
send() {
	send_protocol=$1 send_address=$2
	shift 2
	for send_port in "$@"; do
		nsenter --net="/run/netns/$peer" timeout 0.15 bash -c "echo >/dev/$send_protocol/$send_address/$send_port" 2>/dev/null
	done
}

# watch ARGUMENT...: in the background, until it says that it watches.
watch() {
	: >"$work/err"
	nsenter --net="/run/netns/$host" "$program" watch --run-dir "$work/run" "$@" >"$work/out" 2>>"$work/err" &
	watcher=$!
	started="$started $watcher"
	watch_tries=0
	until grep -q watching "$work/err" || [ $((watch_tries += 1)) -gt 200 ]; do
		sleep 0.05
	done
}

# Waits for its end, and whether it took long.
ended() {
	wait "$watcher" 2>/dev/null
	status=$?
}

# What it printed of the packets: "tcp 22 accepted filter INPUT 1", sorted.
verdicts() {
	jq -r '"\(.packet.service) \(.verdict) " + if .decisiveStep then (.steps[.decisiveStep] |
		"\(.table) \(.chain) \(.rules[0].position // .kind)") else "-" end' "$work/out" | sort -u
}
shows() { verdicts | grep -qxF "$1" || { echo "does not show: $1"; verdicts; return 1; }; }
shows_not() { ! verdicts | grep -q "$1" || { echo "shows: $1"; return 1; }; }
tables_of_ours() { in_host nft list tables 2>/dev/null | grep peerwall-watch; }
no_table() { ! tables_of_ours; }
saved_rules() { saved | sed -e '/^# /d' -e 's/\[[0-9]*:[0-9]*\]//'; }
rules_unchanged() { saved_rules >"$work/now"; diff "$work/before" "$work/now"; }
took_less() { [ $(($(date +%s) - start)) -le "$1" ] || { echo "it took longer than $1 s"; return 1; }; }
packets() { jq -s length "$work/out"; }
at_most() { [ "$(packets)" -le "$1" ] || { echo "$(packets) packets"; return 1; }; }
# The last packet, by a rule of ours: under nft with the policy's line.
shows_own() {
	if [ "$backend" = nft ]; then
		jq -es '.[-1] | .verdict == "dropped" and (.steps[.decisiveStep] | .chain == "PW-wg1" and .rules[0].line == 3)' "$work/out"
	else
		jq -es '.[-1] | .verdict == "dropped" and (.steps[.decisiveStep] | .table == "mangle")' "$work/out"
	fi >/dev/null || { jq -c '.steps[-1]' "$work/out"; return 1; }
}
is_json() { jq -es 'all(.version == 1)' "$work/out" >/dev/null; }

saved_rules >"$work/before"

# ---- several filters, both families ----

start=$(date +%s)
watch --for 20 --count 6 --format json 'wg1 tcp 22,80' '10.1.1.0/24 > 10.1.1.5 tcp 873 flags SYN' 'wg1 fd00:1::/64 > fd00:1::5 tcp 873' \
	'wg1 udp 800-900'
check "there is a table of ours" tables_of_ours
check "nobody else can take it away" sh -c "! nsenter --net=/run/netns/$host nft delete table inet \
	$(tables_of_ours | sed 's/.*inet //') 2>/dev/null"
check "everybody else's rules are unchanged meanwhile" rules_unchanged
send tcp 10.1.1.5 22 80 873 9999
send udp 10.1.1.5 873 53
send tcp fd00:1::5 873 9999 22
ended
check "ends behind the last packet" exits 0
check "without waiting for the time" took_less 10
check "prints one object a line" is_json
if [ "$backend" = nft ]; then
	check "G7: the rule that accepts" shows "tcp 22 accepted filter INPUT 1"
	check "G7: the policy that accepts" shows "tcp 80 accepted filter INPUT policy"
	check "G7: the rule that rejects" shows "tcp 873 rejected filter BLOCK 1"
	check "G7: the rule that drops" shows "udp 873 dropped filter BLOCK 2"
	check "G7: IPv6, too" shows "tcp 873 dropped filter INPUT 1"
	check "where REDIRECT led it" says '"translationStep":'
else
	check "G7: what comes through" shows "tcp 22 accepted -"
	check "what is led elsewhere" shows "tcp 80 accepted -"
	check "G7: the table that ends it" shows "tcp 873 dropped filter INPUT vanished"
	check "in IPv6, too" shows "udp 873 dropped filter INPUT vanished"
	check "says what it cannot tell" says "with the legacy backend"
fi
check "where it was led" says "10.1.1.5 port 8080"
check "nothing that was not asked for" shows_not 9999
check "nothing that somebody else traces" shows_not "udp 53"
check "no table is left" no_table
check "nor any other trace" rules_unchanged

# ---- the ways to end it ----

in_host setpriv --reuid=65534 --regid=65534 --clear-groups "$program" watch --for 1 >"$work/out" 2>"$work/err"
status=$?
check "without rights: status" exits 5

start=$(date +%s)
watch --for 0.5 icmp
ended
check "the time is over: status" exits 0
check "in time" took_less 5
check "says how much it saw" says "0 packets"
check "no table is left then" no_table
for signal in INT TERM HUP; do
	watch --for 60 icmp
	kill -s "$signal" "$watcher"
	ended
	check "SIG$signal: status" exits 0
	check "SIG$signal: no table is left" no_table
done
watch --for 60 icmp
check "a table of ours, to be killed" tables_of_ours
kill -s KILL "$watcher"
ended
check "SIGKILL: no table is left" no_table
check "SIGKILL: nor anything else" rules_unchanged
nsenter --net="/run/netns/$host" sh -c "'$program' watch --run-dir '$work/run' --for 10 'wg1 icmp' | head -1" >"$work/out" 2>"$work/err" &
watcher=$!
sleep 0.7
nsenter --net="/run/netns/$peer" ping -c 3 -i 0.4 10.1.1.5 >/dev/null
ended
check "a reader that has gone: the first line was printed" says "packet 1"
check "and it ends" no_table

# ---- bounds, and others at the same time ----

watch --for 3 --rate 2 --format json 'icmp ping'
nsenter --net="/run/netns/$peer" ping -q -c 40 -i 0.01 10.1.1.5 >/dev/null
kill -s INT "$watcher"
ended
check "no more packets a second than --rate" at_most 6
nsenter --net="/run/netns/$host" "$program" watch --run-dir "$work/run" --for 5 --count 1 --format json 'wg1 tcp 22' >"$work/other.out" 2>/dev/null &
other=$!
watch --for 5 --count 1 --format json 'wg1 tcp 80'
sleep 0.3
send tcp 10.1.1.5 22 80
ended
wait "$other"
check "two at once: each sees its own" test "$(jq -r .packet.destinationPort "$work/out" "$work/other.out" | tr '\n' ' ')" = "80 22 "

# ---- rules of peerwall's own, and rules that change ----

policy="$policies/wg1.pw"
printf 'peers laptop = 10.1.1.4, fd00:1::4\nservice web = tcp 80\ninterface wg1 {\n\texpose web to laptop\n\texpose tcp 22 to 10.1.1.9\n}\n' >"$policy"
watch --for 8 --count 3 --format json --policy "$policy" 'wg1 laptop web' 'wg1 laptop tcp 8000'
send tcp 10.1.1.5 80
sleep 0.5
in_host "$program" apply --run-dir "$work/run" --backend "$backend" "$policy" >"$work/apply.out" 2>&1
sleep 0.8
send tcp fd00:1::5 80
send tcp 10.1.1.5 8000
ended
check "names of a policy: status" exits 0
check "G7: what is applied meanwhile decides" shows_own
check "no table is left at the end" no_table

# ---- nobody reads what it prints ----

# And traffic all the time.
open_full_pipe
nsenter --net="/run/netns/$peer" ping -q -i 0.1 10.1.1.5 >/dev/null 7>&- &
traffic=$!
started="$started $traffic"
# unread ARGUMENT...: begins, and waits until it is stuck.
unread() {
	nsenter --net="/run/netns/$host" "$program" watch --run-dir "$work/run" "$@" icmp >&7 2>"$work/err" 7>&- &
	watcher=$!
	started="$started $watcher"
	unread_tries=0
	until grep -q pipe_write "/proc/$watcher/wchan" || [ $((unread_tries += 1)) -gt 100 ]; do
		sleep 0.05
	done
	[ $unread_tries -le 100 ]
}
check "unread: it is stuck" unread --for 2
check "unread: the table is there" tables_of_ours
sleep 2
check "unread: no table is left behind its time" no_table
check "unread: it was stuck all the time" grep -q pipe_write "/proc/$watcher/wchan"
kill -s INT "$watcher"
ended
check "unread: an interrupt ends it" exits 5
check "unread: it is stuck" unread --for 60
kill -s TERM "$watcher"
ended
check "unread: SIGTERM ends it" exits 5
check "unread: no table is left" no_table
kill "$traffic"
wait "$traffic" 2>/dev/null
exec 7>&-
