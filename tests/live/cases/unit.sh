# The systemd units, without systemd: what they run, with the rights that they leave to it, and what systemd makes of them.
# shellcheck shell=sh disable=SC2154,SC2034

units="$here/../../examples/systemd"
policy="$policies/wg1.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n\totherwise reject\n}\n' >"$policy"
printf 'interface wg2 {\n\texpose tcp 80 to 10.1.1.0/24\n}\n' >"$policies/wg2.pw"

# setting UNIT NAME: its value.
setting() { sed -n "s/^$2=//p" "$units/$1"; }

# run_unit UNIT NAME INSTANCE: a command line of the unit as systemd would run it, on these policies.
run_unit() {
	unit_command=$(setting "$1" "$2" | sed -e "s,/usr/local/sbin/peerwall apply,$program apply --run-dir $work/run --backend $backend,g" \
		-e "s,/etc/peerwall,$policies,g" -e "s/%i/${3:-}/g" -e 's/\$\$/$/g')
	unit_rights=$(setting "$1" CapabilityBoundingSet | sed 's/CAP_/,+/g; s/ //g' | tr '[:upper:]' '[:lower:]')
	in_host setpriv --no-new-privs --inh-caps=-all "--bounding-set=-all$unit_rights" sh -c "$unit_command" \
		>"$work/out" 2>"$work/err"
	status=$?
}

new_host
remember
run_unit peerwall@.service ExecStart wg1
check "one interface, before it exists: up" exits 0
check "rehearsed: there is nothing to note" test ! -s "$work/err"
run_unit peerwall@.service ExecReload wg1
check "reload" says "nothing to do: wg1 is up to date"
# The interface comes, goes and comes back: the rules stay as they are, and there is nothing to apply.
rules >"$work/alone"
same_as_alone() { rules | diff "$work/alone" -; }
for round in 1 2; do
	in_host ip link add wg1 type veth peer name far
	run_unit peerwall@.service ExecStart wg1
	check "round $round, the interface is there: nothing to do" says "nothing to do: wg1 is up to date"
	check "round $round: the same rules" same_as_alone
	in_host ip link del wg1
	check "round $round, the interface is gone: the same rules" same_as_alone
done
run_unit peerwall@.service ExecStart wg2
check "another one: up" says "wg2: up"
rules >"$work/both"
pw down --all
run_unit peerwall@.service ExecStart wg3
check "no policy: it fails" exits 1
check "no policy: nothing is loaded" rules_as_before

# All of them: one that is wrong leaves the others in force, and is no success.
echo 'interface wg0 { expose }' >"$policies/a.pw"
run_unit peerwall.service ExecStart
check "all, and one is wrong: it fails" exits 1
check "all, and one is wrong: its place is told" says "a.pw:1:"
check "all, and one is wrong: the others are up" says "peerwall: wg2: up"
rm "$policies/a.pw"
run_unit peerwall.service ExecStart
check "all: up" exits 0
run_unit peerwall.service ExecReload
check "all: reload" exits 0
same_as_both() { rules | diff "$work/both" -; }
check "all at once or one by one: the same rules" same_as_both
pw down --all
check "down: as before" rules_as_before

# What systemd itself says of them.
if command -v systemd-analyze >/dev/null && [ "$backend" = nft ]; then
	make -s -C "$here/../.." install BUILD="$(dirname "$(realpath "${PEERWALL:-$here/../../build/peerwall}")")" \
		DESTDIR="$work/root" PREFIX=/usr >"$work/out" 2>"$work/err"
	check "make install puts them in place" test -f "$work/root/usr/lib/systemd/system/peerwall@.service"
	check "with the place of the program" grep -q "^ExecStart=/usr/sbin/peerwall" "$work/root/usr/lib/systemd/system/peerwall@.service"
	mkdir "$work/units"
	for unit in peerwall.service peerwall@.service; do
		sed -e "s,/usr/sbin/peerwall,$program,g" -e "s, /usr/sbin\$,," -e '/^Documentation=/d' \
			"$work/root/usr/lib/systemd/system/$unit" >"$work/units/$unit"
	done
	verified() { ! systemd-analyze verify --man=no "$work/units/peerwall.service" "$work/units/peerwall@wg1.service" 2>&1 | grep peerwall; }
	check "systemd finds nothing wrong" verified
	check "systemd calls them well confined" systemd-analyze security --offline=true --threshold=30 "$work/units/peerwall.service"
	check "the other one, too" systemd-analyze security --offline=true --threshold=30 "$work/units/peerwall@.service"
	check "enabled" systemctl --root="$work/root" enable peerwall@wg1.service
	check "wg-quick@wg1 does not start without it" test -L \
		"$work/root/etc/systemd/system/wg-quick@wg1.service.requires/peerwall@wg1.service"
	check "and not before it" grep -q '^Before=.* wg-quick@%i.service ' "$units/peerwall@.service"
	rm -rf "$work/root" "$work/units"
fi
