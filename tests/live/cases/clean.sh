# Nothing stays behind: with nft iptables-save prints after `down`, or after a failure, what it printed before, and nothing
# where it printed nothing. The legacy backend's tables are the kernel's, and stay there, empty.
# shellcheck shell=sh disable=SC2154,SC2034

for name in wg1 wg2; do
	printf 'interface %s {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n\totherwise reject\n}\n' "$name" >"$policies/$name.pw"
done

# All that the save tools print, but for times and counters.
whole() {
	saved | sed -e '/^# /d' -e 's/ \[[0-9]*:[0-9]*\]$//'
}
if [ "$backend" = nft ]; then
	remember_whole() { whole >"$work/before"; }
	whole_as_before() { whole >"$work/now"; diff "$work/before" "$work/now"; }
else
	remember_whole() { remember; }
	whole_as_before() { rules_as_before; }
fi
notes_file() { echo "$work/run/tables-$(in_host stat -L -c %i /proc/self/ns/net)"; }
no_notes() { [ ! -e "$(notes_file)" ]; }
# Without rules of others, nothing else tells which backend is meant.
pw_options="--backend $backend"

new_host
remember_whole
[ "$backend" != nft ] || check "a new host prints nothing" test "$(grep -cv '^FAMILY' "$work/before")" = 0

pw apply "$policies/wg1.pw"
pw down wg1
check "up and down" exits 0
check "G3: up and down: all as before" whole_as_before
check "up and down: no note stays" no_notes

for order in "wg1 wg2" "wg2 wg1"; do
	pw apply "$policies/wg1.pw"
	pw apply "$policies/wg2.pw"
	for interface in $order; do
		pw status "$policies/$interface.pw"
		check "two, down $order: $interface is up" exits 0
		pw down "$interface"
		check "two, down $order: $interface" exits 0
	done
	check "G3: two, down $order: all as before" whole_as_before
	check "two, down $order: no note stays" no_notes
done
pw apply "$policies/wg1.pw" "$policies/wg2.pw"
pw down --all
check "G3: two at once: all as before" whole_as_before

# From reject to drop: security is not needed any more, and goes.
sed '/otherwise/d' "$policies/wg1.pw" >"$policies/drop.pw"
pw apply "$policies/wg1.pw"
pw apply "$policies/drop.pw"
check "a reload" exits 0
pw down wg1
check "G3: a reload: all as before" whole_as_before

# What fails and is undone.
make_tools
real_restore=$(real "ip6tables-$backend-restore")
make_tool "ip6tables-$backend-restore" "case \"\$*\" in *--test*) exec $real_restore \"\$@\" ;; esac" \
	'cat >/dev/null' 'echo boom >&2' 'exit 1'
pw apply "$policies/wg1.pw"
check "a failure" exits 4
check "a failure: all as before" whole_as_before
pw_options="--backend $backend"

# Killed when IPv4 is loaded; killed when all is taken away, but not the tables.
make_tools
make_tool "ip6tables-$backend-restore" "case \"\$*\" in *--test*) exec $real_restore \"\$@\" ;; esac" \
	"kill -KILL \$PPID"
pw apply "$policies/wg1.pw"
check "killed half-way" exits 137
pw_options="--backend $backend"
pw down wg1
check "killed half-way: down" exits 0
check "killed half-way: all as before" whole_as_before
pw apply "$policies/wg1.pw"
make_tools
make_tool "ip6tables-$backend-save" "$(real "ip6tables-$backend-save") \"\$@\"" \
	"$(real "ip6tables-$backend-save") | grep -q PW || kill -KILL \$PPID"
pw down wg1
check "killed in down" exits 137
pw_options="--backend $backend"
pw down wg1
check "killed in down: it is down" says "not up"
check "killed in down: all as before" whole_as_before
check "killed in down: no note stays" no_notes

# Others' rules in a table that peerwall made.
pw apply "$policies/wg1.pw"
in_host "iptables-$backend" -t mangle -A OUTPUT -j MARK --set-mark 7
in_host "ip6tables-$backend" -P FORWARD DROP
pw down wg1
check "others came: down" exits 0
check "others came: their rule stays" in_host "iptables-$backend" -t mangle -C OUTPUT -j MARK --set-mark 7
check "others came: their policy stays" sh -c "ip netns exec $host ip6tables-$backend-save | grep -q ':FORWARD DROP'"
check "others came: no note stays" no_notes
in_host "iptables-$backend" -t mangle -F
in_host "ip6tables-$backend" -P FORWARD ACCEPT
whole >"$work/before"
pw apply "$policies/wg1.pw"
pw down wg1
whole >"$work/now"
check "tables that others made stay, empty as they are" sh -c "[ $backend = legacy ] || diff '$work/before' '$work/now'"

if [ "$backend" = nft ]; then
	# What only nft can put there.
	new_host
	pw apply "$policies/wg1.pw"
	in_host nft add set ip mangle mine '{ type ipv4_addr; }'
	pw down wg1
	check "a set of nft's: down" exits 0
	check "a set of nft's: it stays" in_host nft list set ip mangle mine

	# Notes that are garbage, someone else's, or not files.
	for notes in garbage foreign link directory; do
		new_host
		file=$(notes_file)
		in_host iptables-nft -t mangle -A OUTPUT
		in_host iptables-nft -t mangle -F
		remember_whole
		case $notes in
		garbage) printf 'IPv4 mangleIPv4 mangle\nx IPv4 mangle\n\000\377IPv4 mangle\n' >"$file" ;;
		foreign) echo 'IPv4 mangle' >"$file"; chown 65534 "$file" ;;
		link) echo 'IPv4 mangle' >"$work/elsewhere"; ln -s "$work/elsewhere" "$file" ;;
		directory) mkdir "$file" ;;
		esac
		pw apply "$policies/wg1.pw"
		check "notes are $notes: up" exits 0
		[ $notes != directory ] || check "notes are $notes: it is told" says "$file cannot be written (Is a directory)"
		pw down wg1
		check "notes are $notes: down" exits 0
		check "notes are $notes: nothing of it is believed" in_host nft list table ip mangle
		[ $notes = directory ] || check "notes are $notes: all as before" whole_as_before
		rm -rf "$file"
	done

	# A program that puts a rule there and takes it away, all the time: none is lost.
	new_host
	rm -f "$work/quiet" "$work/noise.failed"
	cat >"$work/noise.sh" <<-EOF
		while [ ! -e "$work/quiet" ]; do
			iptables-nft -t mangle -A OUTPUT -j MARK --set-mark 7 &&
				iptables-nft -t mangle -D OUTPUT -j MARK --set-mark 7 || echo lost >>"$work/noise.failed"
		done
	EOF
	nsenter --net="/run/netns/$host" sh "$work/noise.sh" >"$work/noise.out" 2>&1 &
	noise_process=$!
	started="$started $noise_process"
	worst=0
	for round in 1 2 3 4 5 6 7 8 9 10; do
		pw apply --wait 30 "$policies/wg1.pw"
		[ "$status" = 0 ] || worst=$status
		pw down wg1 --wait 30
		[ "$status" = 0 ] || worst=$status
	done
	touch "$work/quiet"
	wait "$noise_process"
	check "beside a busy program: all succeed" test $worst = 0
	check "beside a busy program: it lost nothing" test ! -e "$work/noise.failed"
fi
