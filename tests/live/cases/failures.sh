# Everything that can go wrong with the tools, before, during and after a change.
# shellcheck shell=sh disable=SC2154,SC2034

policy="$policies/wg1.pw"
other="$policies/other.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n\totherwise reject\n}\n' >"$policy"
printf 'interface wg1 {\n\texpose tcp 2222 to 10.1.1.0/24\n}\n' >"$other"
v4="iptables-$backend-restore"
v6="ip6tables-$backend-restore"

new_host
load_foreign docker wg-quick
remember

# The same failures at the first up, and then at a reload: what was there has to come back.
all_failures() {
	make_tools
	make_tool "$v6" 'cat >/dev/null' 'echo "boom in the tool" >&2' 'exit 1'
	pw apply "$other"
	refused 4 "$1: IPv6 fails"
	check "$1: IPv6 fails: the tool's words are told" says "boom in the tool"
	check "$1: IPv6 fails: where it was is told" says "IPv6, table "
	check "$1: IPv6 fails: what was undone is told" says "undone in IPv4 "

	make_tools
	make_tool "$v4" "$(nth_call count)" "[ \$n != 2 ] || { cat >/dev/null; echo no >&2; exit 1; }" "exec $(real "$v4") \"\$@\""
	pw apply "$other"
	refused 4 "$1: the second table fails"

	make_tools
	make_tool "$v4" "$(nth_call count)" "$(real "$v4") \"\$@\"" "[ \$n != 2 ] || { echo liar >&2; exit 1; }"
	pw apply "$other"
	refused 4 "$1: a table is loaded and called a failure"

	make_tools
	make_tool "$v6" "$(nth_call count)" "[ \$n != 1 ] || exec sleep 60" "exec $(real "$v6") \"\$@\""
	pw_options="$pw_options --timeout 0.7"
	pw apply "$other"
	refused 4 "$1: a tool hangs"
	check "$1: a tool hangs: it is told" says "did not finish within 0.7 seconds and was stopped"

	make_tools
	make_tool "$v6" "$(nth_call count)" "$(real "$v6") \"\$@\"" "[ \$n != 1 ] || exec sleep 60"
	pw_options="$pw_options --timeout 0.7"
	pw apply "$other"
	refused 4 "$1: a tool hangs behind its work"

	make_tools
	make_tool "$v6" "$(nth_call count)" "[ \$n != 1 ] || kill -KILL \$\$" "exec $(real "$v6") \"\$@\""
	pw apply "$other"
	refused 4 "$1: a tool is killed"
	check "$1: a tool is killed: it is told" says "was killed by signal 9"

	make_tools
	make_tool "$v6" 'cat >/dev/null'
	pw apply "$other"
	refused 4 "$1: a tool does nothing and says nothing"
	check "$1: what was read back is told" says "what was read back is not what was loaded"

	make_tools
	make_tool "$v4" "$(nth_call count)" "[ \$n != 2 ] || { echo busy >&2; exit 4; }" "exec $(real "$v4") \"\$@\""
	pw apply "$other"
	check "$1: a lock in the way once is tried again" exits 0
	pw_options=
	if [ "$1" = up ]; then pw down wg1; else pw apply "$policy"; fi
	check "$1: back again" rules_as_before

	make_tools
	make_tool "$v4" 'cat >/dev/null; echo "Another app is currently holding the xtables lock" >&2; exit 4'
	pw apply "$other"
	refused 4 "$1: a lock in the way for ever"

	make_tools
	save="iptables-$backend-save"
	make_tool "$save" 'printf "\000\377garbage\n"'
	pw apply "$other"
	refused 3 "$1: garbage instead of rules"
	check "$1: garbage: its place is told" says "live IPv4 rules"

	make_tools
	make_tool "$save" "$(real "$save") | head -n 5"
	pw apply "$other"
	refused 3 "$1: rules that are cut off"

	make_tools
	make_tool "$save" 'exit 3'
	pw apply "$other"
	refused 5 "$1: reading fails"

	for missing in "ip6tables-$backend-save" "$v6" "$v4"; do
		make_tools
		rm "$tools/$missing"
		pw apply "$other"
		refused 5 "$1: $missing is missing"
		check "$1: $missing is named" says "of the $backend backend is not installed"
	done
	pw_options="--tools $work/nowhere"
	pw apply "$other"
	refused 5 "$1: no tools at all"
	pw_options=
}

all_failures up
pw apply "$policy"
check "up" exits 0
remember
all_failures reload

# A down that fails leaves what was up.
make_tools
make_tool "$v6" 'cat >/dev/null; echo boom >&2; exit 1'
pw down wg1
refused 4 "down fails"
check "down fails: what was undone is told" says "undone in IPv4 "
pw_options=
pw down wg1
check "down" exits 0
remember

# When not even the undo works, what is left is said, and a later down clears it.
make_tools
make_tool "$v6" 'cat >/dev/null; echo boom >&2; exit 1'
make_tool "$v4" "$(nth_call count)" "[ \$n -le 2 ] || { cat >/dev/null; echo stuck >&2; exit 1; }" "exec $(real "$v4") \"\$@\""
pw apply "$other"
check "the undo fails too: exit status 6" exits 6
check "what failed is told" says "undoing IPv4, table "
check "what is left is told" says "left as it is now: IPv4, table "
check "and what to do" says "peerwall down wg1"
pw_options=
pw status
check "it is partly up" exits 9
pw down wg1
check "down clears it" exits 0
check "all is as before" rules_as_before

# The rules cannot be read back: undone unseen.
make_tools
save="ip6tables-$backend-save"
make_tool "$save" "$(nth_call count)" "$(real "$save")" "[ ! -s $tools/input ] || echo garbage"
pw apply "$other"
check "nothing to read back: exit status 6" exits 6
check "nothing to read back: it is told" says "cannot be read any more"
check "all is as before all the same" rules_as_before

# A tool that throws away what others have loaded.
make_tools
make_tool "$v4" "$(nth_call count)" "[ \$n != 1 ] || exec $(real "$v4")" "exec $(real "$v4") \"\$@\""
pw apply "$other"
check "foreign rules lost: exit status 6" exits 6
check "foreign rules lost: it is told" says "not peerwall's changed while it loaded its own"
check "ours are gone" nothing_of_ours
pw_options=
new_host
load_foreign docker wg-quick
remember

# One that changes a rule of others among ours.
make_tools
make_tool "$v4" "cat >$tools/input" "! grep -q '^.filter' $tools/input ||" \
	"	sed -i '/^COMMIT/i -R DOCKER-USER 1 -j ACCEPT' $tools/input" "exec $(real "$v4") \"\$@\" <$tools/input"
pw apply "$other"
check "a foreign rule changed: exit status 6" exits 6
check "a foreign rule changed: it is told" says "-A DOCKER-USER -j RETURN\` is gone"
check "ours are gone" nothing_of_ours
pw_options=
new_host
load_foreign docker wg-quick
remember

# Ended from outside: a whole change or none. The tools are slow enough to be met.
make_tools
make_tool "$v4" "sleep 0.3" "exec $(real "$v4") \"\$@\""
for signal in TERM INT HUP; do
	# Not through a function, so that this is peerwall's own process. Its options are words.
	# shellcheck disable=SC2086
	nsenter --net="/run/netns/$host" "$program" apply --run-dir "$work/run" $pw_options $apply_options "$other" >"$work/out" 2>"$work/err" &
	victim=$!
	sleep 0.5
	kill -$signal $victim
	wait $victim 2>/dev/null
	status=$?
	if [ $signal = INT ]; then
		# A shell starts its background jobs with SIGINT ignored.
		check "SIG$signal half-way: it goes on" exits 0
	else
		check "SIG$signal half-way: it ends by it" test "$status" -gt 128
		check "SIG$signal half-way: the work was done" says "peerwall: wg1: up ("
	fi
	pw status "$other"
	check "SIG$signal half-way: the change is whole" exits 0
	pw down wg1
	check "SIG$signal half-way: as before after down" rules_as_before
done

# Killed outright: what is left is seen, and both ways lead out.
for way in down apply; do
	make_tools
	make_tool "$v6" "case \"\$*\" in *--test*) exec $(real "$v6") \"\$@\" ;; esac" \
		": >$tools/stuck" "exec sleep 60"
	# shellcheck disable=SC2086
	nsenter --net="/run/netns/$host" "$program" apply --run-dir "$work/run" $pw_options $apply_options "$policy" \
		>"$work/out" 2>"$work/err" &
	victim=$!
	tries=0
	until [ -e "$tools/stuck" ] || [ $tries = 250 ]; do
		sleep 0.02
		tries=$((tries + 1))
	done
	kill -KILL $victim
	wait $victim 2>/dev/null
	pw_options=
	pw status "$policy"
	check "killed half-way: partly up" exits 9
	if [ $way = apply ]; then
		pw apply "$policy"
		check "killed half-way: apply puts it right" exits 0
		pw status "$policy"
		check "killed half-way: and it is up" exits 0
	fi
	pw down wg1
	check "killed half-way: down" exits 0
	check "killed half-way: as before" rules_as_before
done

# Killed outright while a tool is at work: that must not do its work later, behind whoever puts things right.
make_tools
make_tool "$v4" "$(nth_call count)" "[ \$n != 2 ] || { touch $tools/sleeps; sleep 0.8; }" "exec $(real "$v4") \"\$@\""
# shellcheck disable=SC2086
nsenter --net="/run/netns/$host" "$program" apply --run-dir "$work/run" $pw_options "$policy" >"$work/out" 2>"$work/err" &
victim=$!
tries=0
until [ -e "$tools/sleeps" ] || [ $tries = 250 ]; do
	sleep 0.02
	tries=$((tries + 1))
done
kill -KILL $victim
wait $victim 2>/dev/null
pw_options=
pw down wg1
check "killed while a tool is at work: down" exits 0
sleep 1
check "killed while a tool is at work: it does not go on" rules_as_before
