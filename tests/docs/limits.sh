#!/bin/bash
# The limits that docs/language.md states: what is just within compiles, what is just beyond is refused, and how.
# `limits.sh PROGRAM`.
set -u
shopt -s lastpipe # for the counts: pipes end in this shell

program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0
failed=0

# The policy is on standard input. within WHAT [OPTION...]; beyond WHAT CODE [OPTION...]
within() {
	local what=$1
	shift
	cat >policy.pw
	if "$program" compile "$@" policy.pw >/dev/null 2>err; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok $what: is refused: $(cut -c 1-200 err | head -n 1)"
	fi
}

beyond() {
	local what=$1 code=$2 status
	shift 2
	cat >policy.pw
	"$program" compile "$@" policy.pw >out 2>err
	status=$?
	if [ $status = 1 ] && [ ! -s out ] && grep -qF "[$code " err; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok $what: status $status, no $code: $(cut -c 1-200 err | head -n 1)"
	fi
}

# repeat COUNT CHARACTER
repeat() { head -c "$1" /dev/zero | tr '\0' "$2"; }

# statement TEXT: in a policy that needs nothing else.
statement() { printf 'interface wg1 {\n%s\n}\n' "$1"; }

exposed='expose tcp 22 to 10.0.0.1'

# Size: a comment fills it up.
sized() {
	statement "$exposed"
	printf '#%s\n' "$(repeat $(($1 - $(statement "$exposed" | wc -c) - 2)) x)"
}
sized $((16 << 20)) | within "16 MiB"
sized $(((16 << 20) + 1)) | beyond "more than 16 MiB" PW102

# Includes: policy.pw is the first of them.
for i in $(seq 1 64); do
	echo "include \"$((i + 1)).pw\"" >"$i.pw"
done
echo 'peers unused = 10.0.0.2' >64.pw
{ echo 'include "1.pw"'; statement "$exposed"; } | within "64 includes deep"
echo 'include "65.pw"' >64.pw
echo 'peers unused = 10.0.0.2' >65.pw
{ echo 'include "1.pw"'; statement "$exposed"; } | beyond "65 includes deep" PW107

for size in 255 256; do
	name=$(repeat $size n)
	printf 'peers %s = 10.0.0.1\n%s\n' "$name" "$(statement "expose tcp 22 to $name")" >named
	[ $size = 256 ] || within "a word of 255 bytes" <named
	[ $size = 255 ] || beyond "a word of 256 bytes" PW105 <named
done

echo 'interface abcdefghijklmno { expose tcp 22 to 10.0.0.1 }' | within "a name of 15 bytes"
echo 'interface abcdefghijklmnop { expose tcp 22 to 10.0.0.1 }' | beyond "a name of 16 bytes" PW123
echo 'interface abcdefghijklmn+ { expose tcp 22 to 10.0.0.1 }' | within "a pattern of 15 bytes"
echo 'interface abcdefghijklmno+ { expose tcp 22 to 10.0.0.1 }' | beyond "a pattern of 16 bytes" PW123
echo 'interface + { expose tcp 22 to 10.0.0.1 }' | beyond "the pattern +" PW122

statement "$exposed log \"$(repeat 29 p)\"" | within "a log prefix of 29 bytes"
statement "$exposed log \"$(repeat 30 p)\"" | beyond "a log prefix of 30 bytes" PW127
statement "$exposed log \"\"" | beyond "an empty log prefix" PW127
statement "$exposed log \"x\" limit 1/day burst 1" | within "1/day"
statement "$exposed log \"x\" limit 0/day" | beyond "0/day" PW128
statement "$exposed log \"x\" limit 10000/second burst 10000" | within "10000/second, burst 10000"
statement "$exposed log \"x\" limit 10001/second" | beyond "10001/second" PW128
statement "$exposed log \"x\" limit 10000/second burst 10001" | beyond "a burst of 10001" PW128
statement "$exposed log \"x\" limit 1/hour burst 24" | within "a burst of a day"
statement "$exposed log \"x\" limit 1/hour burst 25" | beyond "a burst of more than a day" PW128

statement 'expose tcp 1, udp 65535, sctp 1-65535 to 10.0.0.1' | within "ports 1 and 65535"
statement 'expose tcp 0 to 10.0.0.1' | beyond "port 0" PW118
statement 'expose tcp 65536 to 10.0.0.1' | beyond "port 65536" PW118
statement 'allow icmp 254/255 from 10.0.0.1' | within "ICMP type 254, code 255"
statement 'allow icmp 255 from 10.0.0.1' | beyond "ICMP type 255" PW129
statement 'allow icmpv6 255 from fd00::1' | within "ICMPv6 type 255"
statement 'allow icmpv6 256 from fd00::1' | beyond "ICMPv6 type 256" PW129

# 2000 addresses that cannot be merged, by 2001 names: 4 002 000 ranges.
expanding() {
	local i
	printf 'peers p0 = 10.0.0.0'
	for ((i = 1; i < 2000; i++)); do
		printf ', 10.0.%d.%d' $((i * 2 / 256)) $((i * 2 % 256))
	done
	echo
	for ((i = 1; i <= $1; i++)); do
		echo "peers p$i = p0, 10.9.9.9"
	done
	statement 'expose tcp 22 to p1'
}
expanding 1900 | within "an expansion to 3 800 000 ranges"
expanding 2001 | beyond "an expansion to more than 4 000 000 ranges" PW132

# 101 errors: 100 are shown, the last is counted.
for _ in $(seq 101); do echo 'peers = 10.0.0.1'; done >policy.pw
"$program" compile policy.pw >/dev/null 2>err
if [ "$(grep -c ': error: ' err)" = 100 ] && tail -n 1 err | grep -q '1 more'; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
	echo "not ok 101 errors: $(grep -c ': error: ' err) are shown, then: $(tail -n 1 err)"
fi

echo "limits: $passed passed, $failed failed"
[ $failed = 0 ]
