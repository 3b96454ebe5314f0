# What a copy of the rules shows before the live ones are touched.
# shellcheck shell=sh disable=SC2154,SC2034

policy="$policies/wg1.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n\totherwise reject\n}\n' >"$policy"
v4="iptables-$backend-restore"
v6="ip6tables-$backend-restore"

# rehearsing_tools: as make_tools, and each notes the network namespace in which it is run.
rehearsing_tools() {
	make_tools
	apply_options=
	for tool in "$v4" "$v6"; do
		make_tool "$tool" "input=$tools/input" "cat >\$input" "readlink /proc/self/ns/net >>$tools/namespaces" \
			"echo \"\$*\" >>$tools/log" "$@" "exec $(real "$tool") \"\$@\" <$tools/input"
	done
}
live_namespace() { in_host readlink /proc/self/ns/net; }
never_ran_here() { ! grep -qxF "$(live_namespace)" "$tools/namespaces" || { echo "ran in $(live_namespace):"; cat "$tools/namespaces"; return 1; }; }
ran_here() { grep -qxF "$(live_namespace)" "$tools/namespaces"; }
ran_elsewhere() { grep -qvxF "$(live_namespace)" "$tools/namespaces"; }
# Nobody may have come by yet to bury them.
are_gone() { [ -n "$1" ] && ! ps -o stat= -p "$1" | grep -v '^Z'; }

new_host
load_foreign docker wg-quick ufw
remember

rehearsing_tools
pw apply "$policy"
check "beside Docker, ufw and wg-quick: up" exits 0
check "it was tried elsewhere first" ran_elsewhere
check "and then loaded here" ran_here
check "of which nobody hears" test ! -s "$work/err"
printf 'interface wg1 {\n\texpose tcp 2222 to 10.1.1.0/24, fd00:1::/64\n}\n' >"$policies/other.pw"
pw apply "$policies/other.pw"
check "a reload: too" exits 0
check "of which nobody hears" test ! -s "$work/err"
rm "$tools/namespaces"
pw apply "$policies/other.pw"
check "with nothing to do, nothing is rehearsed" test ! -e "$tools/namespaces"
pw apply --no-rehearsal "$policy"
check "--no-rehearsal: reloaded" exits 0
check "--no-rehearsal: nothing ran elsewhere" sh -c "! grep -qvxF '$(live_namespace)' '$tools/namespaces'"
pw down wg1
check "down" rules_as_before

# What the kernel refuses, in either family and any table.
for table in mangle filter security; do
	for tool in "$v4" "$v6"; do
		rehearsing_tools
		make_tool "$tool" "cat >$tools/input" "readlink /proc/self/ns/net >>$tools/namespaces" \
			"if grep -q '^[*]$table' $tools/input && grep -q '^:PW-wg1' $tools/input; then" \
			"	sed -i 's/^COMMIT/-A PW-wg1 -j MASQUERADE\nCOMMIT/' $tools/input; fi" \
			"exec $(real "$tool") \"\$@\" <$tools/input"
		pw apply "$policy"
		refused 5 "$tool, $table: the kernel refuses a rule"
		check "$tool, $table: what it was is told" says "refused in the rehearsal: "
		check "$tool, $table: nothing was changed, it says" says "nothing was changed"
		check "$tool, $table: no payload came near the live rules" never_ran_here
	done
done
pw apply --dry-run "$policy"
refused 5 "a dry run rehearses"
check "a dry run shows what it would load all the same" says "*mangle"

# A line of ours, and the statement that it comes of.
rehearsing_tools
make_tool "$v4" "cat >$tools/input" "readlink /proc/self/ns/net >>$tools/namespaces" \
	"sed -i 's/--ctorigdstport 22 /--ctorigdstport nonsense /' $tools/input" "exec $(real "$v4") \"\$@\" <$tools/input"
pw apply "$policy"
refused 5 "the tool refuses a line"
if [ "$backend" = nft ]; then
	check "its text is shown" says "of the payload: \`-A PW-wg1"
	check "and where it comes of" says "it comes of $policy:2:"
fi
check "no payload came near the live rules" never_ran_here

# Tools that lie, hang or take others' rules away are found out in the same way.
rehearsing_tools
make_tool "$v6" 'cat >/dev/null'
pw apply "$policy"
refused 5 "a tool does nothing and says nothing"
check "what was read back is told" says "what was read back is not what was loaded"
rehearsing_tools
make_tool "$v4" "cat >$tools/input" "if grep -q '^[*]mangle' $tools/input && grep -q '^:PW-wg1' $tools/input; then exec $(real "$v4") <$tools/input; fi" \
	"exec $(real "$v4") \"\$@\" <$tools/input"
pw apply "$policy"
refused 5 "a tool flushes what others have loaded"
check "it is told" says "rules that are not peerwall's changed while it loaded its own"
rehearsing_tools
make_tool "$v4" "exec sleep 60"
pw_options="$pw_options --timeout 0.5"
pw apply "$policy"
refused 5 "a tool hangs"
check "a tool hangs: it is told" says "did not finish within 0.5 seconds"

# Killed on the way: nothing of it is left, neither process nor namespace.
rehearsing_tools
make_tool "$v4" "readlink /proc/self/ns/net >$tools/there" "echo \$\$ >$tools/pid" "exec sleep 60"
# shellcheck disable=SC2086
nsenter --net="/run/netns/$host" "$program" apply --run-dir "$work/run" $pw_options "$policy" >"$work/out" 2>"$work/err" &
victim=$!
tries=0
until [ -s "$tools/pid" ] || [ $tries = 250 ]; do
	sleep 0.02
	tries=$((tries + 1))
done
children=$(pgrep -P $victim)
kill -KILL $victim
wait $victim 2>/dev/null
sleep 0.2
check "killed in the rehearsal: it was elsewhere" test "$(cat "$tools/there")" != "$(live_namespace)"
check "killed in the rehearsal: its process is gone" are_gone "$children"
check "killed in the rehearsal: the rules are as before" rules_as_before
pw_options='' apply_options=''
pw apply "$policy"
check "killed in the rehearsal: apply works" exits 0
pw down wg1
check "killed in the rehearsal: and down" rules_as_before

# Rules of others that load here and nowhere else: a tool that refuses the copy, as it would without their sets.
rehearsing_tools "if grep -q DOCKER-USER \$input; then echo \"Set f2b doesn't exist.\" >&2; exit 2; fi"
pw apply --dry-run "$policy"
check "a copy that does not load: a dry run says so" says "# rehearsed without other programs' rules: the kernel takes it"
pw apply "$policy"
check "a copy that does not load: up" exits 0
check "a copy that does not load: it is told" says "note: IPv4, table filter: other programs' rules cannot be loaded a second time"
check "a copy that does not load: with the tool's words" says "Set f2b doesn't exist."
check "a copy that does not load: once a table" test "$(grep -c 'IPv4, table filter' "$work/err")" = 1
pw apply "$policies/other.pw"
check "a copy that does not load: reloaded" exits 0
pw down wg1
check "a copy that does not load: as before" rules_as_before

# A tool that breaks wherever it is not wanted, and nobody has rules but peerwall.
host_of_others=$host
new_host
pw_options="--backend $backend" apply_options=
pw apply "$policy"
remember
rehearsing_tools "[ \"\$(readlink /proc/self/ns/net)\" = '$(live_namespace)' ] || { echo broken >&2; exit 1; }"
pw apply "$policies/other.pw"
refused 5 "a tool that breaks elsewhere, without others' rules"
check "a tool that breaks elsewhere: others are not blamed" says_not "other programs"
check "a tool that breaks elsewhere: what could not be had" says "what is loaded cannot be loaded a second time to rehearse on it"

# A limit of the kernel's, for all that root of a namespace may make.
pw_options="--backend $backend" apply_options=
in_host unshare -rn sh -c 'echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"' - \
	"$program" apply --run-dir "$work/run" --backend "$backend" "$policy" >"$work/out" 2>"$work/err"
status=$?
check "no more namespaces: up" exits 0
check "no more namespaces: it is told" says "note: no rehearsal in a network namespace, only the tools' --test: the limit of namespaces is reached (/proc/sys/user/max_net_namespaces or max_user_namespaces)"
host=$host_of_others
remember

# Root that may change rules, and no more: a user namespace does, too.
with_few_rights() {
	in_host setpriv --inh-caps=-all --bounding-set=-all,+net_admin,+net_raw "$program" apply --run-dir "$work/run" \
		$pw_options "$@" >"$work/out" 2>"$work/err"
	status=$?
}
rehearsing_tools
with_few_rights "$policy"
check "without CAP_SYS_ADMIN: up" exits 0
check "without CAP_SYS_ADMIN: rehearsed all the same" ran_elsewhere
check "without CAP_SYS_ADMIN: of which nobody hears" test ! -s "$work/err"
pw down wg1
check "without CAP_SYS_ADMIN: as before" rules_as_before

# Nor that: the kernel makes no user namespaces for who is in a chroot.
mkdir "$work/root"
without_namespaces() {
	in_host unshare -m sh -c "mount --rbind / '$work/root' && exec chroot '$work/root' \
		setpriv --inh-caps=-all --bounding-set=-all,+net_admin,+net_raw '$program' apply --run-dir '$work/run' $pw_options $*" \
		>"$work/out" 2>"$work/err"
	status=$?
}
rehearsing_tools
without_namespaces --dry-run "$policy"
check "without namespaces: a dry run says so" says "# not rehearsed: the tools' --test finds nothing wrong"
without_namespaces "$policy"
check "without namespaces: up" exits 0
check "without namespaces: it is told" says "note: no rehearsal in a network namespace, only the tools' --test: Operation not permitted"
check "without namespaces: once" test "$(grep -c rehears "$work/err")" = 1
check "without namespaces: nothing ran elsewhere" sh -c "! grep -qvxF '$(live_namespace)' '$tools/namespaces'"
pw down wg1
check "without namespaces: as before" rules_as_before
rehearsing_tools
make_tool "$v6" "cat >$tools/input" "echo \"\$*\" >>$tools/log" "sed -i 's/--ctorigdstport 22 /--ctorigdstport nonsense /' $tools/input" \
	"exec $(real "$v6") \"\$@\" <$tools/input"
without_namespaces "$policy"
refused 5 "without namespaces: the tool refuses a line"
check "without namespaces: only tests were run" sh -c "! grep -v -- --test '$tools/log'"
rmdir "$work/root"
pw_options='' apply_options=''
