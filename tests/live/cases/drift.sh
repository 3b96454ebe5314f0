# What others do to our rules, what is left over, and how it is told and put right.
# shellcheck shell=sh disable=SC2154,SC2034

policy="$policies/wg1.pw"
printf 'interface wg1 {\n\texpose tcp 22, udp 53 to 10.1.1.0/24, fd00:1::/64\n}\n' >"$policy"

new_host
load_foreign ufw
foreign_rules >"$work/before"
pw apply "$policy"
own_rules >"$work/own"
own_as_applied() { own_rules >"$work/now"; diff "$work/own" "$work/now"; }
repaired() {
	pw status --format json "$policy"
	check "$1: status tells in JSON" in_json '.exitCode >= 7 and (.interfaces | length) == 1'
	pw diff --format json "$policy"
	check "$1: diff tells in JSON" in_json '.exitCode == 8 and .same == false'
	pw apply "$policy"
	check "$1: apply puts it right" exits 0
	check "$1: all is as applied" own_as_applied
	check "$1: other rules are as before" foreign_as_before
}

in_host "iptables-$backend" -w 5 -t mangle -I PW-wg1 1 -j ACCEPT
pw status "$policy"
check "a rule too much is a drift" exits 8
check "and is shown" says "IPv4 mangle PW-wg1, rule 1: a rule that is not wanted: -j ACCEPT"
pw status --format json "$policy"
check "also in JSON" jq -e '.interfaces[0].families[0].differences[0] |
	.kind == "rule-extra" and .table == "mangle" and .chain == "PW-wg1" and .position == 1' "$work/out"
pw diff "$policy"
check "diff would take it away" grep -qxF -- '--A PW-wg1 -j ACCEPT' "$work/out"
pw diff --format json "$policy"
check "diff in JSON" jq -e '.same == false and (.families | length) == 2' "$work/out"
repaired "a rule too much"

in_host "iptables-$backend" -w 5 -t mangle -I PW-wg1 1 -m comment --comment "$(printf 'red \033[31m')" -j DROP
no_escape() { ! grep -q "$(printf '\033')" "$work/out" "$work/err"; }
pw status "$policy"
check "a comment that would colour the terminal is shown" exits 8
check "by status without its escape" no_escape
pw diff "$policy"
check "by diff, too" no_escape
repaired "a comment with an escape"

in_host "ip6tables-$backend" -w 5 -t mangle -D PW-wg1 1
pw status "$policy"
check "a rule too few is a drift" exits 8
check "of IPv6" says "IPv6 mangle PW-wg1, rule 1: missing rule"
repaired "a rule too few"

in_host "iptables-$backend" -w 5 -t mangle -I PREROUTING 1 -p tcp -j ACCEPT
pw status "$policy"
check "a rule before the jump is a drift" exits 8
check "and is shown" says " (rule 1: -p tcp -j ACCEPT)"
pw status --format json "$policy"
check "also in JSON" in_json '.interfaces[0].families[0].differences[0] |
	.kind == "jump-overtaken" and .position == 2 and .overtakenBy == {position: 1, rule: "-p tcp -j ACCEPT"}'
pw apply "$policy"
in_host "iptables-$backend" -w 5 -t mangle -D PREROUTING -p tcp -j ACCEPT
check "a rule before the jump: all is as applied" own_as_applied

jump=$(in_host "iptables-$backend-save" -t mangle | sed -n 's/^-A \(PREROUTING -i wg1 .*\)/\1/p')
eval "in_host iptables-$backend -w 5 -t mangle -D $jump"
pw status "$policy"
check "a jump too few is partly up" exits 9
pw status
check "as one sees without a policy" exits 9
repaired "a jump too few"
check "a jump too few: apply says so" says "peerwall: wg1: repaired ("

eval "in_host iptables-$backend -w 5 -t mangle -A $jump"
pw status
check "a jump twice is a drift" exits 8
repaired "a jump twice"
check "a jump twice: apply says so" says "peerwall: wg1: repaired ("
check "a jump twice: and no more" test ! -s "$work/err"

in_host "iptables-$backend" -w 5 -t mangle -I PREROUTING 1 -j ACCEPT
pw status "$policy"
check "an ACCEPT before the jump is a drift" exits 8
pw apply "$policy"
check "apply goes before it" exits 0
check "and says so" says "peerwall: wg1: repaired ("
check "and no more" says_not "[PW345 overtaken-jump]"
check "the jump is first" sh -c "nsenter --net=/run/netns/$host iptables-$backend -w 5 -t mangle -S PREROUTING | sed -n 2p | grep -q PW-wg1"
in_host "iptables-$backend" -w 5 -t mangle -D PREROUTING -j ACCEPT
check "that was all" own_as_applied

# One family only: as after a kill between the two.
in_host "ip6tables-$backend-save" -t mangle >"$work/whole"
{
	echo '*mangle'
	grep -E '^-A [A-Z]+ .*PW-' "$work/whole" | sed 's/^-A/-D/'
	sed -n 's/^:\(PW[^ ]*\) .*/-F \1/p' "$work/whole"
	sed -n 's/^:\(PW[^ ]*\) .*/-X \1/p' "$work/whole"
	echo COMMIT
} >"$work/half"
in_host "ip6tables-$backend-restore" --noflush <"$work/half"
pw status "$policy"
check "a table of one family missing is partly up" exits 9
pw status
check "as one sees without a policy" exits 9
pw down wg1
check "down takes what is left" exits 0
check "and leaves the rest" rules_as_before

# Chains without jumps.
printf '*mangle\n:PW-wg1 - [0:0]\n-A PW-wg1 -j DROP\nCOMMIT\n' | in_host "iptables-$backend-restore" --noflush
pw status wg1
check "a chain without jumps is partly up" exits 9
check "and shown" says "nothing jumps to the chain"
pw down wg1
check "it goes down" exits 0
check "and is gone" rules_as_before

# Another program's rule that uses our chain: all goes but that chain, as long as the rule is there.
pw apply "$policy"
in_host "iptables-$backend" -w 5 -t mangle -A FORWARD -i wg9 -j PW-wg1
pw down wg1
check "a chain that others use: exit status 6" exits 6
check "their rule is shown" says "-t mangle -D FORWARD -i wg9 -j PW-wg1\`"
check "all else is gone" test "$(own_rules | grep -v '^FAMILY')" = "$(printf '%s\n' ':PW-wg1 -' '-A FORWARD -i wg9 -j PW-wg1')"
in_host "iptables-$backend" -w 5 -t mangle -D FORWARD -i wg9 -j PW-wg1
pw down wg1
check "without it, down" exits 0
check "all is gone" nothing_of_ours
