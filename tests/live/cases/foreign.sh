# Up, again, changed, down: beside each of the programs whose rules a host is likely to have.
# shellcheck shell=sh disable=SC2154,SC2034

policy="$policies/wg1.pw"
write_policy() {
	cat >"$policy" <<-POLICY
		peers lan = 10.1.1.0/24, fd00:1::/64
		peers laptop = 10.1.1.4, fd00:1::4
		interface wg1 {
			expose tcp $1 to lan
			expose udp 60000-61000 to laptop
			allow ping from lan
			forward from lan to lan
			otherwise $2
		}
	POLICY
}

life() {
	remember
	make_tools
	write_policy 8096 "$refusal"
	pw status "$policy"
	check "$1: before, it is down" exits 7
	pw diff "$policy"
	check "$1: a difference is shown" exits 8
	check "$1: with the rules to come" says "+-A PREROUTING -i wg1"
	pw apply --dry-run "$policy"
	check "$1: a dry run is fine" exits 0
	check "$1: and shows payloads" says "*mangle"
	check "$1: and changes nothing" nothing_of_ours
	pw apply "$policy"
	check "$1: apply" exits 0
	check "$1: it says so" says "peerwall: wg1: up (IPv4 "
	check "$1: other rules are as before" foreign_as_before
	check "$1: there are rules of ours" something_of_ours
	own_rules >"$work/own"

	: >"$tools/log"
	pw apply "$policy"
	check "$1: apply again" exits 0
	check "$1: there is nothing to do" says "peerwall: nothing to do: wg1 is up to date"
	check "$1: and nothing was run" ran_restores 0
	pw status "$policy"
	check "$1: status is up" exits 0
	check "$1: status says so" says "peerwall: wg1: up (IPv4 "
	pw status
	check "$1: status without a policy is up" exits 0
	pw diff "$policy"
	check "$1: no difference" exits 0
	check "$1: and none shown" test ! -s "$work/out"

	write_policy 22 "$refusal"
	pw status "$policy"
	check "$1: a changed policy is a drift" exits 8
	pw diff "$policy"
	check "$1: the old port would go" grep -q '^-.*8096' "$work/out"
	: >"$tools/log"
	pw apply "$policy"
	check "$1: reload" exits 0
	check "$1: reload says so" says "peerwall: wg1: reloaded (IPv4 "
	check "$1: reload leaves the jumps alone" never_loaded '^(-I|-D) '
	check "$1: other rules are as before the reload" foreign_as_before
	check "$1: the new port is in" sh -c "$(command -v nsenter) --net=/run/netns/$host iptables-$backend-save | grep -q 'PW-.*port 22 '"

	pw down wg1
	check "$1: down" exits 0
	check "$1: down says so" says "peerwall: wg1: down"
	check "$1: all rules are as before" rules_as_before
	pw down "$policy"
	check "$1: down again" exits 0
	check "$1: there is nothing to do" says "peerwall: wg1 is not up: nothing to do"
	pw_options=
}

for refusal in drop reject; do
	new_host
	life "no other rules, $refusal"
	for name in docker ufw fail2ban libvirt wg-quick; do
		new_host
		load_foreign "$name"
		life "$name, $refusal"
	done
done
new_host
load_foreign docker fail2ban libvirt wg-quick
life "four programs"
