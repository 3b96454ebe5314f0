# Which backend is used, with which tools, and that looking leaves no traces.
# shellcheck shell=sh disable=SC2154,SC2034

policy="$policies/wg1.pw"
printf 'interface wg1 {\n\texpose tcp 22 to 10.1.1.0/24, fd00:1::/64\n}\n' >"$policy"
if [ "$backend" = nft ]; then elsewhere=legacy; else elsewhere=nft; fi
is_up_in() { in_host "iptables-$1-save" 2>/dev/null | grep -q '^-A PREROUTING -i wg1'; }
no_legacy_tables() { [ -z "$(in_host cat /proc/net/ip_tables_names /proc/net/ip6_tables_names)" ]; }

# plain_tools BACKEND: tools of the plain names, which say that they are of that backend.
plain_tools() {
	tools_count=$((tools_count + 1))
	tools="$work/tools$tools_count"
	mkdir -p "$tools"
	for base in iptables ip6tables; do
		for kind in save restore; do
			make_tool "$base-$kind" "exec $(real "$base-$1-$kind") \"\$@\""
		done
	done
	pw_options="--tools $tools"
}

# named_tools BACKEND: beside those that are there.
named_tools() {
	for base in iptables ip6tables; do
		for kind in save restore; do
			make_tool "$base-$1-$kind" "exec $(real "$base-$1-$kind") \"\$@\""
		done
	done
}

new_host
plain_tools "$backend"
pw apply "$policy"
check "plain tools alone" exits 0
check "load into their backend" is_up_in "$backend"
pw status "$policy"
check "and find it there" exits 0
pw down wg1
check "and take it away" nothing_of_ours

new_host
plain_tools "$backend"
named_tools nft
named_tools legacy
pw apply "$policy"
check "without any rules, what iptables-save is" is_up_in "$backend"

new_host
plain_tools "$elsewhere"
named_tools nft
named_tools legacy
load_foreign fail2ban
remember
pw apply "$policy"
check "where others' rules are, whatever iptables-save is" is_up_in "$backend"
check "and not elsewhere" sh -c "! nsenter --net=/run/netns/$host iptables-$elsewhere-save 2>/dev/null | grep -q PW-"
pw down wg1
check "and away from there" rules_as_before

# Looking.
new_host
pw_options=
pw status
pw apply --dry-run --backend nft "$policy"
pw diff --backend nft "$policy"
check "looking makes no legacy tables" no_legacy_tables
pw apply --backend nft "$policy"
check "nor does loading into nft" no_legacy_tables
pw down wg1

if [ "$backend" = nft ]; then
	# Tables that hold nothing are no mixture.
	in_host iptables-legacy -w 5 -t mangle -S >/dev/null
	in_host iptables-legacy -w 5 -S >/dev/null
	load_foreign docker
	pw apply "$policy"
	check "empty legacy tables are no mixture" exits 0
	pw down wg1
	check "down" exits 0

	# Tables that nobody can read may hold anything.
	plain_tools nft
	pw apply "$policy"
	check "legacy tables without a tool to read them: refused" exits 3
	check "and told" says "legacy, IPv4: tables, but no tool to read them is installed"
	pw apply --backend nft "$policy"
	check "who says nft gets it" exits 0
	check "with a warning" says "the legacy backend holds IPv4 rules too"
	pw down wg1
	check "down" exits 0
else
	# A kernel without nf_tables.
	new_host
	plain_tools legacy
	named_tools legacy
	for base in iptables ip6tables; do
		make_tool "$base-nft-save" 'echo "iptables: Failed to initialize nft: Protocol not supported" >&2; exit 1'
		make_tool "$base-save" "case \$1 in -V) echo 'iptables-save v1.8.9 (nf_tables)' ;; *) exec $tools/$base-nft-save ;; esac"
	done
	pw apply "$policy"
	check "without nf_tables in the kernel, legacy" exits 0
	check "it is there" is_up_in legacy
	pw apply --backend nft "$policy"
	check "who insists on nft learns why not" says "Protocol not supported"
	pw_options=
	pw down wg1
fi
pw_options=
