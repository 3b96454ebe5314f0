# G6: who does not read what peerwall says keeps no change from being undone in time, and nobody else from applying.
# shellcheck shell=sh disable=SC2154,SC2034

old="$policies/old.pw"
new="$policies/new.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n}\n' >"$old"
# What is said of it is more than is kept back until the end.
{
	echo 'interface wg1 {'
	i=1
	while [ $i -le 120 ]; do
		printf '\texpose tcp %d to 10.1.%d.0/24\n' $((1000 + i * 2)) $i
		i=$((i + 1))
	done
	echo '}'
} >"$new"

as_before() { rules | cmp -s "$work/before"; }
undone() { within as_before && within no_watcher; }

open_full_pipe

# unread COMMAND ARGUMENT...: begins, and waits until it is stuck with what it has to say.
unread() {
	unread_command=$1
	shift
	# shellcheck disable=SC2086
	nsenter --net="/run/netns/$host" "$program" "$unread_command" --run-dir "$work/run" --backend "$backend" "$@" >&7 2>&7 7>&- &
	unread=$!
	started="$started $unread"
	check "$unread_command $*: it is stuck" within grep -q pipe_write "/proc/$unread/wchan"
}
# still_stuck: those that are unread are so at the end, too.
still_stuck() {
	for process in $stuck; do
		grep -q pipe_write "/proc/$process/wchan" || return 1
	done
}
let_go() {
	for process in $stuck; do
		kill -KILL "$process"
		wait "$process" 2>/dev/null
	done
}

new_host
pw_options="--backend $backend"
pw apply "$old"
remember

unread apply --confirm 1 "$new"
stuck=$unread
check "G6: unread apply --confirm: it undoes itself" undone
pw apply --wait 0 "$new"
check "unread apply --confirm: others may apply" exits 0
pw rollback --wait 0
check "unread apply --confirm: others may undo that" exits 0
check "unread apply --confirm: and it was unread all the time" still_stuck
let_go

pw apply --confirm 4 "$new"
stuck=
for command in "status --watch" "diff $old" "apply --dry-run $old" "down wg1" "apply $old" "rollback --dry-run" "reach"; do
	# shellcheck disable=SC2086 # words
	unread $command
	stuck="$stuck $unread"
done
check "G6: much is unread: the change undoes itself" undone
pw apply --wait 0 "$new"
check "much is unread: others may apply" exits 0
check "much is unread: and so it was all the time" still_stuck
let_go

unread rollback
stuck=$unread
check "unread rollback: as before" undone
pw apply --wait 0 "$new"
check "unread rollback: others may apply" exits 0
let_go
unread down wg9 wg1
stuck=$unread
check "unread down: it is down" within nothing_of_ours
pw apply --wait 0 "$new"
check "unread down: others may apply" exits 0
let_go
exec 7>&-
