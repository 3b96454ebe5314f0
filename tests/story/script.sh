#!/usr/bin/env bash
# The script that somebody wrote by hand: PEERWALL_STORY names the text that has it. It runs in the host of the packet tests,
# beside Docker's rules, and does what its author saw it do: the port it is about is open, the others of the host's
# address are not. Real packets then show what it leaves open: the container's own address, and IPv6. The proof finds
# both in the saved rules, each with a packet that the tracer lets through as well; and of a policy for the same host
# it says that exactly what is declared would get in.
# `script.sh`; PEERWALL names the program to test, BACKENDS narrows what is run.

# shellcheck disable=SC2154 # work and the like are set in lib.sh
# shellcheck source=../net/topology.sh
. "$(dirname "${BASH_SOURCE[0]}")/../net/topology.sh" || exit 2

story=${PEERWALL_STORY:-}
[ -f "$story" ] || skip "PEERWALL_STORY names no file"
command -v jq >/dev/null || skip "needs jq"

# The longest fenced block that knows of up and down.
extract_script() {
	awk '/^```/ { if (inside && text ~ /"up"/ && length(text) > length(best)) best = text; inside = !inside; text = ""; next }
		inside { text = text $0 "\n" }
		END { printf "%s", best }' "$story"
}

# The tools of the backend under test, by the names that the script knows.
script_up() {
	mkdir -p "$work/tools"
	ln -sf "$(command -v "iptables-$backend")" "$work/tools/iptables"
	in_ns host env PATH="$work/tools:$PATH" bash "$work/wg1.sh" up >"$work/output" 2>&1
}

check() {
	local what="$backend: $1" want=$2
	shift 2
	"$@" >"$work/output" 2>&1
	if [ "$(cat "$work/output")" = "$want" ]; then
		ok "$what"
	else
		not_ok "$what: not $want" <"$work/output"
	fi
}

# connects ADDRESS PORT: does the laptop get an answer?
connects() {
	if in_ns laptop timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; then echo yes; else echo no; fi
}

write_policy() {
	cat >"$work/wg1.pw" <<-'POLICY'
	peers lan = 10.1.1.0/24, fd00:1::/64

	interface wg1 {
	    expose tcp 8096 to lan
	    allow ping from lan
	    forward from lan to lan
	}

	test {
	    lan can    tcp 8096 at 10.1.1.5
	    lan cannot tcp 873 at 10.1.1.5
	    lan cannot tcp 873 at 172.18.0.2
	    lan cannot tcp 22, tcp 873 at fd00:1::5
	}
	POLICY
}

take_snapshot() {
	save4 >"$work/host.v4"
	save6 >"$work/host.v6"
	in_ns host sh -c 'ip -j addr; ip -j -4 route show table all; ip -j -6 route show table all; ip -j rule; ip -j -6 rule' \
		>"$work/host.json"
}

lint() {
	(cd "$work" && "$PEERWALL" lint "$@" --snapshot4 host.v4 --snapshot6 host.v6 --host host.json --format json wg1.pw \
		>findings.json)
	echo $?
}

# findings NUMBER LINE: of that code, at that line of the policy. A leak belongs to the interface.
messages() {
	jq -r --arg code "$1" --argjson line "$2" \
		'.diagnostics[] | select(.code == $code and .line == $line) | .message' "$work/findings.json"
}

# The packet of a message, as the tracer wants it, followed through the snapshot.
fate_of_witness() {
	local packet
	packet=$(messages "$1" "$2" | sed -n "s/.*'\(wg1 [^']*[^ (']\) *(.*)'.*/\1/p" | head -n 1)
	[ -n "$packet" ] || return
	case $packet in
	*:*) set -- --snapshot6 "$work/host.v6" ;;
	*) set -- --snapshot4 "$work/host.v4" ;;
	esac
	"$PEERWALL" trace "$packet" "$@" --host "$work/host.json" --format json | jq -r .verdict
}

holds() {
	if [ -z "$(messages PW614 "$1")$(messages PW615 "$1")" ]; then echo yes; else messages PW614 "$1"; fi
}

check_script() {
	script_up || not_ok "$backend: the script runs" <"$work/output"
	check "the port that it is about answers" yes connects 10.1.1.5 8096
	check "the others of the host do not" no connects 10.1.1.5 873
	check "the container's own address does" yes connects 172.18.0.2 873
	check "and so does IPv6" yes connects fd00:1::5 22
	check "the container by IPv6, too" yes connects fd00:1::5 873
	take_snapshot
	check "the proof finds it open" 1 lint --installed
	check "what the script does, holds" yes holds 10
	check "the same of what it closes" yes holds 11
	check "the container's own address is open: the tracer agrees" accepted fate_of_witness PW614 12
	check "IPv6 is open: the tracer agrees" accepted fate_of_witness PW614 13
	check "what gets in undeclared does so in the tracer" accepted fate_of_witness PW610 3
}

check_policy() {
	check "a policy for the same host is proved" 0 lint --prove
	check "exactly what it declares gets in, in both families" 2 \
		jq '[.diagnostics[] | select(.code == "PW617")] | length' "$work/findings.json"
	check "and all its tests hold" "yes yes yes yes" echo "$(holds 10)" "$(holds 11)" "$(holds 12)" "$(holds 13)"
	peerwall apply "$work/wg1.pw" >"$work/output" 2>&1 || not_ok "$backend: it is applied" <"$work/output"
	check "then the port answers" yes connects 10.1.1.5 8096
	check "the container's own address does not" no connects 172.18.0.2 873
	check "nor does IPv6" no connects fd00:1::5 22
	check "but for the port" yes connects fd00:1::5 8096
}

net_begin
extract_script >"$work/wg1.sh"
write_policy
for backend in ${BACKENDS:-nft legacy}; do
	topology_up "$backend"
	check_script
	check_policy
	topology_down
done
finish
