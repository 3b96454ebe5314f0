# trace on the live rules: with the host's own addresses and routes, before and after a policy.
# shellcheck shell=sh disable=SC2154,SC2034

cp "$here/../../examples/one-port/wg1.pw" "$policies/wg1.pw"

new_host
load_foreign docker
in_host ip link add wg1 type veth peer name far
in_host ip link set far up
in_host ip addr add 10.1.1.5/24 dev wg1
in_host ip -6 addr add fd00:1::5/64 dev wg1 nodad
in_host ip link set wg1 up
rules >"$work/before"

pw trace 'wg1 10.1.1.4 > 10.1.1.5 tcp 22'
check "the host's own port is open" exits 0
check "its address is known, not assumed" test "$(grep -c '^assumed: 10.1.1.5' "$work/out")" = 0
pw trace 'wg1 10.1.1.4 > 10.1.1.5 tcp 22' --policy "$policies/wg1.pw"
check "a policy would close it" exits 10
check "by its rule" says "-j DROP"
pw trace 'wg1 fd00:1::4 > fd00:1::5 tcp 22' --policy "$policies/wg1.pw"
check "and its IPv6 twin" exits 10
pw trace 'wg1 fd00:1::4 > fd00:bad::5 tcp 22'
check "what has no route does not get through" exits 10
check "and that is why" says "there is no route to the destination"
rules >"$work/after"
check "asking changes nothing" cmp "$work/before" "$work/after"

pw trace 'wg1 10.1.1.4 > 10.1.1.5 tcp 22' --policy "$policies/wg1.pw" --format json
sed '/"file"/d; /"line"/d; /"rule"/d; /"sentence"/d; /"position"/d' "$work/out" >"$work/asked"
pw apply "$policies/wg1.pw"
check "the policy is in force" exits 0
pw trace 'wg1 10.1.1.4 > 10.1.1.5 tcp 22' --format json
sed '/"file"/d; /"line"/d; /"rule"/d; /"sentence"/d; /"position"/d' "$work/out" >"$work/applied"
check "it is as it was said before" cmp "$work/asked" "$work/applied"
pw trace 'wg1 10.1.1.4 > 10.1.1.5'
check "what is no packet is refused" exits 2
check "with its place" says "[PW601 bad-packet]"
