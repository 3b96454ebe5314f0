# G6: a change undoes itself, all tables and both families, unless it is confirmed; whatever becomes of who made it.
# shellcheck shell=sh disable=SC2154,SC2034

old="$policies/old.pw"
new="$policies/new.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n}\n' >"$old"
printf 'interface wg1, wg2 {\n\texpose tcp 2222 to 10.1.1.0/24\n\totherwise reject\n}\n' >"$new"
third="$policies/third.pw"
printf 'interface wg3 {\n\texpose tcp 3333 to 10.1.1.0/24\n}\n' >"$third"

watcher() { ip netns pids "$host" | while read -r process; do
	[ "$(cat "/proc/$process/comm")" != peerwall-undo ] || echo "$process"; done; }
undone() { within rules_as_before && within no_watcher; }

new_host
load_foreign docker wg-quick ufw
remember
cp "$work/before" "$work/nothing"

# ---- time ----

pw apply --confirm 0.7 "$old"
check "apply --confirm" exits 0
check "it is said that it will be undone" says "this is undone in 0.7 s unless it is confirmed"
check "it is in force" something_of_ours
pw status "$old"
check "status: it is up" exits 0
check "status: it waits" says "waits to be confirmed: it is undone in 1 s"
pw status --format json
check "status: JSON has it" in_json '.change.situation == "waiting" and .change.interfaces == ["wg1"] and .change.secondsLeft == 1'
check "G6: an up undoes itself" undone
pw status
check "status: it was undone" says "nobody confirmed it in time"
pw confirm
check "confirm comes too late" exits 12
pw rollback
check "there is nothing to roll back then" exits 3

pw apply "$old"
remember
pw status --format json
check "without --confirm nothing waits" in_json '.change == null'
pw apply --confirm 0.7 "$new"
check "a reload, one interface more" exits 0
check "G6: a reload undoes itself" undone
pw down --confirm 0.7 --all
check "a down" exits 0
check "it is down" nothing_of_ours
check "G6: a down undoes itself" undone

# ---- confirm ----

pw apply --confirm 1.5 "$new"
pw confirm
check "confirm" exits 0
check "confirm: it is said" says "is confirmed"
check "confirm: the watcher ends" within no_watcher
pw status "$new"
check "confirm: it stays up" exits 0
check "confirm: status has nothing to say of it" says_not "confirm"
pw confirm
check "confirm twice" exits 0
check "confirm twice: it is said" says "nothing waits to be confirmed"
pw rollback
check "rollback behind confirm" exits 0
check "rollback behind confirm: as before" rules_as_before
pw rollback
check "rollback twice" exits 3
check "rollback twice: it is said" says "was undone already"
pw apply --confirm 60 "$old"
check "nothing to do waits for nothing" says_not "unless"
pw confirm
check "nothing to do: nothing to confirm" exits 12

# ---- rollback ----

pw apply --confirm 60 "$new"
pw rollback --dry-run
check "rollback --dry-run" exits 0
check "rollback --dry-run shows payloads" says "restore --noflush"
pw status "$new"
check "rollback --dry-run does nothing" says "waits to be confirmed"
pw rollback
check "rollback" exits 0
check "rollback: wg1 is told of" says "wg1: up, as before"
check "rollback: wg2 is told of" says "wg2: down, as before"
check "rollback: as before" rules_as_before
check "rollback: the watcher ends" within no_watcher
pw down wg1
pw rollback
check "rollback of a down" rules_as_before

# ---- one at a time ----

pw apply --confirm 60 "$new"
remember
for attempt in "apply $old" "apply $new" "apply --confirm 5 $old" "down wg1" "down --all"; do
	# shellcheck disable=SC2086 # words
	pw $attempt
	refused 3 "while one waits: $(basename "$attempt")"
	check "while one waits: it is said" says "waits to be confirmed, and is undone in"
done
pw apply --dry-run "$old"
check "while one waits: a dry run" exits 0
pw rollback

# ---- whatever becomes of who made it ----

# half_way: an apply that stands in its third load; $victim is its process.
half_way() {
	make_tools
	make_tool "$v4" "$(nth_call count)" "[ \$n != 3 ] || exec sleep 60" "exec $(real "$v4") \"\$@\""
	# shellcheck disable=SC2086
	nsenter --net="/run/netns/$host" "$program" apply --run-dir "$work/run" $pw_options $apply_options "$@" </dev/null \
		>"$work/out" 2>"$work/err" &
	victim=$!
	within grep -qx 3 "$tools/count"
}
v4="iptables-$backend-restore"
pw_options=
pw apply "$old"
remember

half_way --confirm 60 "$new"
kill -KILL $victim
wait $victim 2>/dev/null
make_tools # those that work: what was started with the others is to be undone with them
rm -f "$tools/../tools$((tools_count - 1))/$v4"
cp "$tools/$v4" "$work/tools$((tools_count - 1))/"
pw_options=
check "killed half-way: undone at once" undone
pw status "$old"
check "killed half-way: status tells" says "killed on the way"

half_way "$new"
kill -KILL $victim
wait $victim 2>/dev/null
pw_options=
pw status
check "killed half-way without a watcher: status tells" says "was interrupted, and may be half done"
check "killed half-way without a watcher: and what to do" says "peerwall rollback"
pw confirm
check "killed half-way: that is nothing to confirm" exits 3
pw rollback
check "killed half-way: rollback" exits 0
check "killed half-way: as before" rules_as_before

half_way "$new"
kill -KILL $victim
wait $victim 2>/dev/null
pw_options=
pw apply "$new"
check "killed half-way: apply" exits 0
pw status "$new"
check "killed half-way: apply puts it right" exits 0
check "killed half-way: that settles it" says_not "interrupted"
pw rollback
check "killed half-way: rollback goes back to what was whole" rules_as_before

pw apply --confirm 1 "$new"
kill -KILL "$(watcher)"
pw status
check "the watcher is killed: status tells" says "was never confirmed, and the process that would undo it is gone"
pw apply "$new"
check "the watcher is killed: apply may" exits 0
pw rollback
check "the watcher is killed: rollback" exits 0
check "the watcher is killed: as before" rules_as_before
pw apply --confirm 1 "$new"
kill -KILL "$(watcher)"
pw apply "$third"
check "another change behind one that nobody confirmed" exits 0
pw status
check "status tells that one is unconfirmed" says "was never confirmed"
pw rollback
check "rollback goes back before both" rules_as_before
pw apply --confirm 1 "$new"
kill -KILL "$(watcher)"
pw confirm
check "what nobody watches can be confirmed" exits 0
pw rollback

pw apply --confirm 60 "$new"
kill -TERM "$(watcher)"
check "a watcher that is told to end undoes at once" undone

# ---- at a terminal ----

# at_terminal KEYS ARGUMENT...
at_terminal() {
	keys=$1
	shift
	in_host python3 "$here/terminal.py" "$keys" "$program" apply --run-dir "$work/run" "$@" >"$work/out" 2>"$work/err"
	status=$?
}
at_terminal y --confirm 20 "$new"
check "y keeps it" exits 0
check "y: it is said" says "is confirmed"
check "y: the watcher ends" within no_watcher
pw status "$new"
check "y: it is up" exits 0
pw rollback
at_terminal n --confirm 20 "$new"
check "n undoes it" exits 12
check "n: it is said" says "is undone, as asked"
check "n: that is no error" says_not "error"
check "n: as before" undone
at_terminal "$(printf '\003')" --confirm 20 "$new"
check "an interrupt undoes it" exits 12
check "an interrupt: it is said" says "is undone, as asked"
check "an interrupt: as before" undone
at_terminal xq --confirm 1.5 "$new"
check "other keys are no answer" exits 12
check "other keys: as before" undone
at_terminal early:yyy --confirm 1 "$new"
check "what was typed before is no answer" exits 12
check "typed before: as before" undone
in_host python3 "$here/terminal.py" "" "$program" apply --run-dir "$work/run" --confirm 20 "$new" >"$work/terminal.out" 2>&1 &
terminal=$!
waits() { pw status; says "waits to be confirmed"; }
within waits
pw rollback
wait $terminal
status=$?
cp "$work/terminal.out" "$work/out"
check "a rollback from elsewhere ends it" exits 12
check "a rollback from elsewhere: it is said" says "was undone by \`peerwall rollback\`"
check "a rollback from elsewhere: that is no error" says_not "error"
at_terminal hangup --confirm 1.5 "$new"
pw status "$new"
check "a terminal that goes away leaves it waiting" says "waits to be confirmed"
check "G6: a terminal that goes away: undone" undone

# ---- others meanwhile ----

pw apply --confirm 1 "$new"
in_host "iptables-$backend" -t nat -F DOCKER
in_host "iptables-$backend" -t nat -A DOCKER -p tcp --dport 7777 -j DNAT --to-destination 172.18.0.3:7777
in_host "iptables-$backend" -I FORWARD 1 -o docker0 -j DROP
in_host "iptables-$backend" -t mangle -F PREROUTING
foreign_rules >"$work/foreign"
own_rules >"$work/own.now"
sleep 1
within no_watcher
pw status "$old"
check "others' changes meanwhile: what was before is up" exits 0
foreign_rules >"$work/foreign.now"
check "others' changes meanwhile: they stay" diff "$work/foreign" "$work/foreign.now"

# ---- undoing is not easy ----

pw apply "$old"
remember
make_tools
pw apply --confirm 0.3 "$new"
make_tool "$v4" 'cat >/dev/null; echo no today >&2; exit 1'
pw_options=
tells_trouble() { pw status; says "no today"; }
check "undoing fails: status tells" within tells_trouble
pw status
check "undoing fails: status says what to do" says "rollback\` tries at once"
pw confirm
check "undoing fails: confirm comes too late for a change that is in force" exits 6
check "undoing fails: confirm says why" says "no today"
check "undoing fails: confirm does not say that it is undone" says_not "was undone"
pw apply "$old"
check "undoing fails: another change is refused" exits 3
check "undoing fails: it says why" says "that failed so far"
make_tool "$v4" "exec $(real "$v4") \"\$@\""
check "undoing is tried again" undone

# ---- others' rules lead to chains that are to go ----

pw_options=
new_host
load_foreign docker
remember
# hold I|D: others' rules that jump to chains of ours, put there or taken away.
hold() {
	for tool in iptables ip6tables; do
		in_host "$tool-$backend" "-$1" FORWARD -i eth9 -j PW-wg1
	done
	in_host "iptables-$backend" -t security "-$1" FORWARD -i eth9 -j PW-wg1
}
pw apply --confirm 0.7 "$new"
hold A
within no_watcher
only_held() { own_rules >"$work/own"; ! grep -vE '^FAMILY|^:PW-wg1 |^-A FORWARD -i eth9 -j PW-wg1' "$work/own"; }
check "a held chain: nothing else of ours stays" only_held
pw status
check "a held chain: status tells" says "is not undone whole"
check "a held chain: and what is in the way" says "-t filter -D FORWARD -i eth9 -j PW-wg1"
pw confirm
check "a held chain: confirm comes too late" exits 6
check "a held chain: confirm tells the same" says "is not undone whole"
pw rollback
check "a held chain: rollback" exits 6
check "a held chain: rollback tells of each" test "$(grep -c 'stays, empty' "$work/err")" = 3
pw down --all
check "a held chain: down" exits 6
hold D
pw rollback
check "a held chain: rollback when it is free" exits 0
check "a held chain: as before" rules_as_before
pw apply "$new"
hold A
pw down --all
check "a held chain: down of all" exits 6
check "a held chain: nothing else is up" only_held
check "a held chain: what is down is told" says "wg2: down"
check "a held chain: and what stays" test "$(grep -c 'stays, empty' "$work/err")" = 3
pw rollback
check "a held chain: rollback of the down" exits 0
hold D
pw status "$new"
check "a held chain: all is back" exits 0
pw down --all
check "a held chain: down when it is free" rules_as_before
pw apply "$old"
in_host "iptables-$backend" -A FORWARD -i eth9 -g PW-wg1
pw down wg1
check "a goto, which would not come back, is refused" exits 3
in_host "iptables-$backend" -D FORWARD -i eth9 -g PW-wg1
pw down wg1
check "a goto: as before" rules_as_before

# ---- restarted ----

new_host
load_foreign docker
pw apply "$old"

printf 'another-boot\n' >"$work/boot"
# pw as after a restart of the machine: the rules are gone, and the kernel has another number for this boot.
pw_restarted() {
	subcommand=$1
	shift
	in_host unshare -m sh -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"' - "$work/boot" \
		"$program" "$subcommand" --run-dir "$work/run" "$@" >"$work/out" 2>"$work/err"
	status=$?
}
pw apply --confirm 600 "$new"
kill -KILL "$(watcher)"
in_host sh -c "for tool in iptables-$backend ip6tables-$backend; do
	for table in mangle filter security nat raw; do \$tool -t \$table -F; \$tool -t \$table -X; done; done" 2>"$work/err"
pw_restarted status
check "restarted: status tells" says "the machine was restarted before anybody confirmed the change of wg1, wg2"
pw_restarted confirm
check "restarted: there is nothing to confirm" exits 3
pw_restarted apply "$new"
check "restarted: apply" exits 0
pw_restarted status
check "restarted: status remembers" says "was never confirmed"
pw_restarted rollback
check "restarted: rollback" exits 0
pw_restarted status "$old"
check "restarted: rollback loads what was there before" exits 0
pw_restarted down --all

# ---- a directory that is named from where one stands ----

pw_options=
new_host
remember
mkdir "$work/stand-$backend"
# pw_from_there COMMAND ARGUMENT...
pw_from_there() {
	subcommand=$1
	shift
	(cd "$work/stand-$backend" && in_host "$program" "$subcommand" --run-dir ./run "$@") >"$work/out" 2>"$work/err"
	status=$?
}
pw_from_there apply --confirm 0.7 "$old"
check "a relative --run-dir: undone" undone
pw_from_there status
check "a relative --run-dir: and written down" says "nobody confirmed it in time"
pw_from_there apply --confirm 0.7 "$old"
pw_from_there confirm
check "a relative --run-dir: confirm" exits 0
within no_watcher
pw_from_there status "$old"
check "a relative --run-dir: what is confirmed stays" exits 0
pw_from_there down wg1
pw apply --run-dir "" "$old"
check "an empty --run-dir is refused" exits 2

# ---- where the record is ----

pw_options=
new_host
load_foreign docker
remember
run="$work/run-bad"
at_run() {
	subcommand=$1
	shift
	in_host "$program" "$subcommand" --run-dir "$run" "$@" >"$work/out" 2>"$work/err"
	status=$?
}
mkdir -m 700 "$run"
at_run apply "$old"
record=$(echo "$run"/change-*[0-9])
check "the record is for root alone" test "$(stat -c %a "$record")" = 600
at_run down wg1
echo garbage >"$record"
at_run status
check "a record that is none: status warns" says "warning: the record of the last change"
at_run confirm
check "a record that is none: confirm" exits 5
at_run rollback
check "a record that is none: rollback" exits 5
at_run apply --confirm 0.5 "$old"
check "a record that is none is replaced" says "it is replaced"
check "a record that is none: the change waits" says "this is undone in 0.5 s"
check "a record that is none: undone" undone
rm -f "$record"
ln -s "$work/link-target" "$record"
at_run apply --confirm 60 "$old"
check "a symbolic link is replaced, not followed" test ! -e "$work/link-target"
at_run rollback
check "a symbolic link: rollback" undone
rm -f "$record"
mkdir "$record" "$record/full"
at_run apply --confirm 60 "$old"
refused 5 "no record, no change that waits"
check "no record: it is said" says "without it this change could not be undone; nothing was changed"
at_run apply "$old"
check "no record, a change for good" exits 0
check "no record: a warning" says "cannot be undone by"
at_run down wg1
at_run rollback
check "no record: nothing to roll back" exits 5
rm -rf "$run"

# ---- who clears away files while a change waits ----

new_host
remember
mkdir -m 700 "$run"
tells_waiting() { at_run status && says "waits to be confirmed"; }
at_run apply --confirm 60 "$old"
rm -f "$run"/*.watched "$run/lock"
check "no lock files: status tells that it waits" within tells_waiting
at_run apply "$third"
check "no lock files: another change is refused" exits 3
rm -f "$run"/change-*
at_run confirm
check "no record: confirm" exits 0
within no_watcher
at_run status "$old"
check "no record: it stays" exits 0
at_run down wg1
at_run apply --confirm 1.5 "$old"
echo garbage >"$(echo "$run"/change-*[0-9])"
at_run apply "$third"
check "a garbled record: another change is refused" exits 3
check "a garbled record: undone" undone
at_run status
check "a garbled record: status tells" says "nobody confirmed it in time"
at_run apply --confirm 60 "$old"
rm -rf "$run"
check "no directory: status tells that it waits" within tells_waiting
at_run apply "$third"
check "no directory: another change is refused" exits 3
at_run rollback
check "no directory: rollback" undone
rm -rf "$run"

# ---- a change that could not be recorded ----

new_host
remember
mkdir -m 700 "$run"
at_run apply "$old"
at_run apply "$new"
in_host sh -c 'trap "" XFSZ; ulimit -f 0; exec "$@" 2>&1' - "$program" apply --run-dir "$run" "$third" | cat >"$work/out"
check "no space for the record: a warning" says "cannot be undone by"
pw_third_is_up() { at_run status "$third" && exits 0; }
check "no space for the record: it is in force" pw_third_is_up
own_rules >"$work/own"
at_run rollback
check "no space for the record: rollback undoes no other change" exits 3
own_rules >"$work/own.now"
check "no space for the record: all as it was" diff "$work/own" "$work/own.now"
at_run down --all
at_run apply "$old"
at_run apply "$new"
# read_only COMMAND ARGUMENT...
read_only() {
	in_host unshare -m sh -c 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"' "$run" \
		"$program" "$1" --run-dir "$run" "$2" >"$work/out" 2>"$work/err"
	status=$?
}
read_only apply "$third"
check "a read-only place for the record: apply" exits 0
own_rules >"$work/own"
at_run rollback
check "a read-only place for the record: rollback undoes no other change" exits 3
check "a read-only place for the record: it is said" says "a later change could not be recorded in $run"
own_rules >"$work/own.now"
check "a read-only place for the record: all as it was" diff "$work/own" "$work/own.now"
read_only down wg3
at_run rollback
check "when that is gone again: rollback" exits 0
at_run status "$old"
check "when that is gone again: as before" exits 0
at_run down --all
check "no record of a change: as before" rules_as_before
rm -rf "$run"

pw rollback
check "no change yet: nothing to roll back" exits 3
pw confirm
check "no change yet: nothing to confirm" exits 3
for seconds in 0 -1 x 90000 ""; do
	pw apply --confirm "$seconds" "$old"
	check "--confirm '$seconds' is refused" exits 2
done
pw confirm wg1
check "confirm takes no names" exits 2
pw rollback wg1
check "rollback takes no names" exits 2
check "nothing is left running" no_watcher
