# Several policies, and who may claim what.
# shellcheck shell=sh disable=SC2154,SC2034

for name in wg1 wg2 tun0; do
	printf 'interface %s {\n\texpose tcp 22 to 10.0.0.0/8, fd00::/8\n}\n' "$name" >"$policies/$name.pw"
done
printf 'interface wg+ {\n\texpose tcp 22 to 10.0.0.0/8, fd00::/8\n}\n' >"$policies/pattern.pw"

new_host
load_foreign docker
foreign_rules >"$work/before"

pw apply "$policies/wg1.pw" "$policies/wg2.pw"
check "two at once" exits 0
check "both are named" says "peerwall: wg2: up ("
pw apply "$policies/tun0.pw"
check "a third later" exits 0
pw status
check "three are up" test "$(grep -c ': up (' "$work/out")" = 3
check "no foreign rule was touched" foreign_as_before

pw apply "$policies/wg1.pw" "$policies/wg2.pw" "$policies/tun0.pw"
check "all again: nothing to do" test "$(grep -c 'nothing to do' "$work/out")" = 3

remember
pw apply "$policies/wg1.pw" "$policies/pattern.pw"
refused 3 "a name and a pattern that covers it"
check "both places are shown" test "$(grep -c '\.pw:1:' "$work/err")" = 2
pw apply "$policies/pattern.pw"
refused 3 "a pattern over what is loaded"
check "by its number" says "[PW401 interface-loaded]"
check "and how to go on" says "peerwall down wg"
pw down 'wg+'
refused 0 "down goes by the loaded name"
check "and names those that are up" says "wg+ is not up: nothing to do (up is: wg1, wg2)"

foreign_rules >"$work/before"
pw down wg2
check "one goes" exits 0
pw status
check "two stay" test "$(grep -c ': up (' "$work/out")" = 2
pw status "$policies/wg1.pw" "$policies/wg2.pw"
check "some up, some down is partly" exits 9
pw down --all
check "all go" exits 0
check "as before" rules_as_before
pw down --all
check "all of nothing" says "nothing is up"
pw status
check "nothing is up" exits 7

pw apply "$policies/pattern.pw"
check "now the pattern may" exits 0
remember
pw apply "$policies/wg1.pw"
refused 3 "a name under a loaded pattern"
pw down 'wg+'
check "the pattern goes" exits 0
check "all is gone" nothing_of_ours

# A policy for wg-quick's %i.
# shellcheck disable=SC2016 # the policy's own parameter
printf 'interface $iface {\n\texpose tcp 22 to 10.0.0.0/8\n}\n' >"$policies/any.pw"
pw apply -D iface=wg7 "$policies/any.pw"
check "a parameter names the interface" says "peerwall: wg7: up ("
pw down -D iface=wg7 "$policies/any.pw"
check "and down by it" says "peerwall: wg7: down"

# Without the policy.
pw apply "$policies/wg1.pw"
rm "$policies/wg1.pw"
remember
pw down "$policies/wg1.pw"
refused 1 "a policy that is gone"
check "suggests the name" says "peerwall down wg1"
check "lists what is up" says "up are: wg1"
pw down wg1
check "down by name" exits 0
check "is gone" nothing_of_ours
