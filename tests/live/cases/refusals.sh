# What is refused before anything is changed.
# shellcheck shell=sh disable=SC2154,SC2034

policy="$policies/wg1.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n\totherwise reject\n}\n' >"$policy"
drop="$policies/drop.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n}\n' >"$drop"

new_host
load_foreign fail2ban
remember

# The policy.
printf 'interface wg1 {\n\texpose tcp 70000 to 10.1.1.0/24\n}\n' >"$policies/bad.pw"
pw apply "$policies/bad.pw"
refused 1 "a bad policy"
check "a bad policy: its place is told" says "bad.pw:2:"
pw apply "$policy" "$policies/bad.pw"
refused 1 "a good and a bad policy"
pw apply "$policies/missing.pw"
refused 1 "a missing policy"
pw status "$policies/bad.pw"
check "status of a bad policy" exits 1
pw diff "$policies/bad.pw"
check "diff of a bad policy" exits 1

# Names that few give to interfaces, each with all that is loaded for it.
# shellcheck disable=SC2016 # nothing is to expand
for name in wg.1 'wg\\1' -wg '!x' "a'b" '#' '日本日本日' '$x;y' REJECT; do
	printf 'interface "%s" {\n\texpose tcp 22 to 10.1.1.0/24 log "\\"%%s"\n\totherwise reject\n}\n' "$name" >"$policies/odd.pw"
	pw apply "$policies/odd.pw"
	check "an interface $name: up" exits 0
	pw status "$policies/odd.pw"
	check "an interface $name: is up" exits 0
	pw status
	check "an interface $name: without the policy" exits 0
	pw down "$policies/odd.pw"
	check "an interface $name: as before" rules_as_before
done
printf 'interface "w\\"g" {\n\texpose tcp 22 to 10.1.1.0/24\n}\n' >"$policies/odd.pw"
pw apply "$policies/odd.pw"
refused 1 "a name that iptables-save cannot print"

# A policy that others may write: no refusal, since then the interface would stay open, but a warning.
cp "$drop" "$policies/anybody.pw"
chmod 666 "$policies/anybody.pw"
pw apply --dry-run "$policies/anybody.pw"
check "a policy that all may write: it is warned of" says "warning: others than you may write $policies/anybody.pw (owner 0, group 0, mode 0666)"
chmod 600 "$policies/anybody.pw"
chown 65534 "$policies/anybody.pw"
pw apply --dry-run "$policies/anybody.pw"
check "a policy of another user: it is warned of" says "(owner 65534, group 0, mode 0600)"
SUDO_UID=65534
export SUDO_UID
pw apply --dry-run "$policies/anybody.pw"
check "a policy of whoever called sudo: no warning" says_not "others than you"
unset SUDO_UID
chown 0 "$policies/anybody.pw"
chmod 660 "$policies/anybody.pw"
pw apply --dry-run "$policies/anybody.pw"
check "a policy of root's: no warning" says_not "others than you"

# The command line.
pw apply
check "apply without a policy" exits 2
pw apply --nonsense "$policy"
check "an unknown option" exits 2
pw apply --backend ebtables "$policy"
check "an unknown backend" exits 2
pw down
check "down without a name" exits 2
pw down --all wg1
check "down --all with a name" exits 2
pw down a-name-that-is-too-long
check "down of no interface's name" exits 2
pw status --format sarif
check "an unknown format" exits 2

# Rights.
for subcommand in apply down status diff; do
	in_host setpriv --reuid=65534 --regid=65534 --clear-groups "$program" $subcommand --run-dir "$work/run" "$policy" \
		>"$work/out" 2>"$work/err"
	status=$?
	refused 5 "$subcommand as nobody"
	check "$subcommand as nobody: it is told" says "only root may"
done
chmod 755 "$policies"
in_host unshare -r "$program" apply --run-dir "$work/run2" "$policy" >"$work/out" 2>"$work/err"
status=$?
refused 5 "root of another namespace"
for subcommand in apply down status diff; do
	in_host setpriv --inh-caps=-all --bounding-set=-net_admin "$program" $subcommand --run-dir "$work/run" "$policy" \
		>"$work/out" 2>"$work/err"
	status=$?
	refused 5 "$subcommand without CAP_NET_ADMIN"
	check "$subcommand without CAP_NET_ADMIN: it is named" says "error: CAP_NET_ADMIN is missing"
done

# Locks.
mkdir -p "$work/run"
flock "$work/run/lock" sleep 30 &
holder=$!
started="$started $holder"
sleep 0.2
pw apply --wait 0.3 "$policy"
refused 5 "another peerwall at work"
check "the lock is named" says "has held $work/run/lock for 0.3 seconds"
pw apply --wait 0 "$policy"
refused 5 "another peerwall at work, no time to wait"
check "no time to wait: it is told" says "a tool of one, holds $work/run/lock"
pw apply --wait 1 "$policy"
check "a second to wait: it is told" says "has held $work/run/lock for 1 second"
check "a second is one" says_not "1 seconds"
kill $(pgrep -P $holder) $holder 2>/dev/null
wait $holder 2>/dev/null
if [ "$backend" = legacy ]; then
	flock "$XTABLES_LOCKFILE" sleep 30 &
	holder=$!
	started="$started $holder"
	sleep 0.2
	pw apply --wait 0.3 --backend legacy "$policy"
	refused 5 "another iptables at work"
	check "its lock is named" says "$XTABLES_LOCKFILE"
	kill $(pgrep -P $holder) $holder 2>/dev/null
	wait $holder 2>/dev/null
fi
pw apply --run-dir "" "$policy"
check "a run directory without a name" exits 2
check "a run directory without a name: it is told" says "--run-dir wants the path of a directory"
pw apply --run-dir /proc/none "$policy"
check "a run directory that cannot be" exits 5
check "a run directory that cannot be: it is named" says "error: the run directory /proc/none: No such file or directory"
pw apply --run-dir "$work/no/such/directory" "$policy"
refused 5 "no place for the lock"
mkdir "$work/open-$backend"
chmod 777 "$work/open-$backend"
in_host "$program" apply --run-dir "$work/open-$backend" "$policy" >"$work/out" 2>"$work/err"
status=$?
refused 5 "a lock where all may write"

# Looking makes nothing.
nowhere="$work/nowhere-$backend"
look() {
	subcommand=$1
	in_host "$program" "$@" --run-dir "$nowhere" >"$work/out" 2>"$work/err"
	check "$subcommand without a directory makes none" test ! -e "$nowhere"
	check "$subcommand without a directory does without" says_not "$nowhere"
	check "$subcommand without a directory tells" test -s "$work/out"
}
look status
look diff "$policy"
look trace 'wg1 10.1.1.4 > 10.1.1.5 tcp 22'
in_host "$program" apply --dry-run --run-dir "$nowhere" "$policy" >"$work/out" 2>"$work/err"
status=$?
check "a dry run without a directory" exits 0
check "a dry run without a directory: rehearsed" says "the kernel takes it"

# Tools that somebody else could replace.
make_tools
chmod 777 "$tools/iptables-$backend-restore"
pw apply "$policy"
refused 5 "a tool that all may write"
check "it is told" says "others than root may write"
chmod 755 "$tools/iptables-$backend-restore"
chmod 777 "$tools"
pw apply "$policy"
refused 5 "a directory of tools that all may write"
pw_options=

# A full disk, where the lock would be and where the report goes.
in_host unshare -m sh -c "mount -t tmpfs -o size=4k,nr_inodes=1 none /mnt && exec $program apply --run-dir /mnt/run $policy" \
	>"$work/out" 2>"$work/err"
status=$?
refused 5 "a full disk"
pw_full() { in_host "$program" "$1" --run-dir "$work/run" "$2" >/dev/full 2>"$work/err"; status=$?; : >"$work/out"; }
pw_full apply "$policy"
check "a full disk for the report of apply: the rules are in force" exits 0
check "a full disk for the report: it is told" says "cannot write to standard output"
pw_full status "$policy"
check "a full disk for the report of status" exits 5
pw_full down wg1
check "a full disk for the report of down" exits 0
check "a full disk: as before" rules_as_before

# No table `security`, which only legacy kernels can lack.
if [ "$backend" = legacy ]; then
	new_host
	load_foreign fail2ban
	remember
	make_tools
	restore="iptables-$backend-restore"
	make_tool "$restore" "cat >$tools/input" "if grep -q '^.security' $tools/input; then" \
		"echo \"iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'security'\" >&2; exit 2; fi" \
		"exec $(real "$restore") \"\$@\" <$tools/input"
	pw apply "$policy"
	refused 5 "no table security"
	check "what would be lost is told" says "has the last word"
	check "what else there is is told" says "otherwise drop"
	pw apply "$drop"
	check "drop does without" exits 0
	pw_options=
	pw down wg1
	check "drop goes" rules_as_before
fi

# No IPv6 in the kernel: IPv4 alone, and said so.
in_host unshare -m sh -c "mount -t tmpfs none /proc/sys/net && exec $program apply --run-dir $work/run --backend $backend $policy" \
	>"$work/out" 2>"$work/err"
status=$?
check "no IPv6" exits 0
check "no IPv6: it is told" says "this kernel has no IPv6: there are only IPv4 rules"
check "no IPv6: IPv4 rules" sh -c "nsenter --net=/run/netns/$host iptables-$backend-save | grep -q PW-wg1"
check "no IPv6: no IPv6 rules" sh -c "! nsenter --net=/run/netns/$host ip6tables-$backend-save | grep -q PW-wg1"
pw down wg1
check "no IPv6: as before" rules_as_before

# Rules in both backends.
if [ "$backend" = nft ]; then other=legacy; else other=nft; fi
in_host "ip6tables-$other-restore" <"$here/foreign/fail2ban.v6"
remember
pw apply "$policy"
refused 3 "rules in both backends"
check "what lies where is told" says "$backend, IPv4: filter 6 rules"
check "for both families" says "$other, IPv6: filter 3 rules"
pw diff "$policy"
check "diff refuses it too" exits 3
pw status
check "status does not mind" exits 7
pw down wg1
check "down does not mind" exits 0
pw apply --backend "$backend" "$policy"
check "who says which one gets it" exits 0
check "with a warning" says "the $other backend holds IPv6 rules too"
pw status
check "status finds it" exits 0
pw apply --backend "$other" "$policy"
check "but not twice" exits 3
pw down wg1
check "down finds it" exits 0
check "as before" rules_as_before

# Rules that iptables cannot show.
if [ "$backend" = nft ]; then
	new_host
	in_host nft -f - <<-'NFT'
		table ip filter {
			chain INPUT {
				type filter hook input priority 0; policy accept;
				ct state invalid drop
				tcp dport { 80, 90 } accept
			}
		}
	NFT
	in_host nft list ruleset >"$work/native"
	pw apply "$policy"
	check "native nft rules" exits 3
	in_host nft list ruleset >"$work/native.now"
	check "native nft rules: as before" diff "$work/native" "$work/native.now"
	check "native nft rules: the table is told" says "filter"
	pw down wg1
	check "native nft rules: down refuses too" exits 3
fi
