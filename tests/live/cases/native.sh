# Rules that nft itself has loaded, beside those of iptables: they are named, and left alone.
# shellcheck shell=sh disable=SC2154

policy="$policies/wg1.pw"
echo 'interface wg1 { expose tcp 22 to 10.1.1.0/24, fd00:1::/64 }' >"$policy"

new_host
in_host nft -f - <<'END'
table inet guard {
	chain input {
		type filter hook input priority 0;
		tcp dport 9 drop
	}
	chain idle {
		type filter hook forward priority 0;
	}
}
table bridge closed {
	chain forward {
		type filter hook forward priority 0; policy drop;
	}
}
table ip idle {
	chain input {
		type filter hook input priority 0;
	}
}
END
native() { in_host nft list table inet guard; in_host nft list table bridge closed; in_host nft list table ip idle; }
native >"$work/native"
native_as_before() { native | diff "$work/native" -; }
names_them='nftables has rules of its own, which are not looked at (nft list ruleset): table inet guard, bridge closed'

pw apply "$policy"
check "apply beside nftables' own rules" exits 0
check "which are named" says "$names_them"
check "without those that do nothing" says_not "ip idle"
pw trace 'wg1 10.1.1.4 > 10.1.1.5 tcp 9'
check "trace names them, too" says "$names_them"
pw diff "$policy"
check "there is no difference" exits 0
pw status "$policy"
check "status speaks of peerwall's rules alone" says_not "nftables"
pw down wg1
check "down" exits 0
check "they are as before" native_as_before

in_host nft flush ruleset
pw apply "$policy"
check "without them nothing is said" says_not "nftables"
pw down wg1
