# What others do to our rules, told as it happens.
# shellcheck shell=sh disable=SC2154,SC2034

policy="$policies/wg1.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n}\n' >"$policy"

# watch_begin OPTION...: status --watch in the background, behind its first report.
watch_begin() {
	: >"$work/watched"
	nsenter --net="/run/netns/$host" "$program" status --run-dir "$work/run" --watch --for 40 "$@" >"$work/watched" 2>"$work/watched.err" &
	watcher=$!
	started="$started $watcher"
	told 1
}
# told N: waits until so many reports are there; looks at no more.
told() {
	tries=0
	until [ "$(grep -cE '^[0-9]{4}-[0-9-]*T|^\{' "$work/watched")" -ge "$1" ] || [ $tries = 300 ]; do
		sleep 0.02
		tries=$((tries + 1))
	done
	[ $tries -lt 300 ] || { echo "no report $1:"; cat "$work/watched" "$work/watched.err"; return 1; }
}
# report N TEXT: the Nth report has it.
report() {
	told "$1" && awk -v n="$1" '/^[0-9][0-9][0-9][0-9]-[0-9-]*T/ || /^{/ { at++ } at == n' "$work/watched" >"$work/report" &&
		{ grep -qF -- "$2" "$work/report" || { echo "does not say: $2"; cat "$work/watched"; return 1; }; }
}
ended() { wait $watcher; status=$?; }

new_host
load_foreign ufw
pw apply "$policy"
watch_begin --count 7 "$policy"
check "it begins with what there is" report 1 "peerwall: wg1: up ("
jump=$(in_host "iptables-$backend-save" -t mangle | sed -n 's/^-A \(PREROUTING -i wg1 .*\)/\1/p')
eval "in_host iptables-$backend -w 5 -t mangle -D $jump"
check "somebody deleted the jump: told" report 2 "peerwall: wg1: partly up"
check "and which one" report 2 "IPv4 mangle PREROUTING, rule 1: missing jump"
pw apply "$policy"
check "apply repairs it" says "peerwall: wg1: repaired"
check "and that is told" report 3 "peerwall: wg1: up ("
in_host "iptables-$backend" -w 5 -t mangle -I PREROUTING 1 -j ACCEPT
check "somebody came before it in mangle: told" report 4 "IPv4 mangle PREROUTING, rule 2: a rule before this jump can accept packets: -i wg1 "
check "and by which rule" report 4 " (rule 1: -j ACCEPT)"
pw apply "$policy"
check "apply repairs it" report 5 "peerwall: wg1: up ("
in_host "ip6tables-$backend" -w 5 -t mangle -F
check "somebody flushed a table: told" report 6 "peerwall: wg1: drifted"
check "in IPv6" report 6 "IPv6 mangle PW-wg1"
pw apply "$policy"
check "apply repairs it" report 7 "peerwall: wg1: up ("
ended
check "that was the last: it ends with its status" exits 0
check "with nothing else to say" test ! -s "$work/watched.err"
check "no state was told twice" test "$(grep -c 'wg1: ' "$work/watched")" = 7

# What is not about us, thick and fast, is no news; nor is it looked at for each of its changes.
make_tools
make_tool "iptables-$backend-save" "echo >>$tools/looks" "exec $(real "iptables-$backend-save") \"\$@\""
watch_begin --tools "$tools" --backend "$backend" "$policy"
looks=$(wc -l <"$tools/looks")
i=0
while [ $i -lt 60 ]; do
	in_host "iptables-$backend" -w 5 -A FORWARD -s "192.0.2.$i" -j DROP
	i=$((i + 1))
done
sleep 1
few_looks() { now=$(wc -l <"$tools/looks"); [ $((now - looks)) -le 12 ] || { echo "$((now - looks)) looks"; return 1; }; }
check "60 changes of others: few looks" few_looks
check "60 changes of others: no report" test "$(grep -c 'wg1: ' "$work/watched")" = 1
pw_options='' apply_options=''
pw down wg1
check "down is told" report 2 "peerwall: wg1: down"
kill $watcher
wait $watcher 2>/dev/null

# Without anything that happens: one report, and the end.
pw status --watch --for 0.5 "$policy"
check "--for ends it" exits 7
check "--for: one report" test "$(grep -c 'wg1: ' "$work/out")" = 1
pw status --watch --count 1 --format json "$policy"
check "JSON lines" exits 7
check "each with its time" in_json '.version == 1 and (.time | test("^20..-..-..T..:..:..[+-]....$")) and .exitCode == 7'
check "one line" test "$(wc -l <"$work/out")" = 1

pw status --for 3
check "--for without --watch" exits 2
pw status --watch --count 0
check "--count 0" exits 2
pw status --watch - <"$policy"
check "a policy that is gone after one look" exits 2
pw status --watch --for 3 "$policies/nothing.pw"
check "no policy: it does not wait for one" exits 1

# A policy that is broken meanwhile is told, and it goes on.
watch_begin --count 3 "$policy"
echo 'interface wg1 { expose' >"$policies/broken"
cp "$policy" "$policies/good"
cp "$policies/broken" "$policy"
in_host "iptables-$backend" -w 5 -A FORWARD -s 192.0.2.99 -j DROP
sleep 3
check "a broken policy: told" grep -q "wg1.pw:1:" "$work/watched.err"
cp "$policies/good" "$policy"
check "and when it is whole again, so is the report" report 2 "peerwall: wg1: down"
ended
