#!/bin/sh
# Written by peerwall: puts its rules for one interface in force (`up`) and takes them away (`down`).
# Either may be run again, and finishes what a run that was cut short, or another policy for the
# same interface, has left.
# It needs no peerwall, only iptables-restore and ip6tables-restore of one backend; where several
# are installed, IPTABLES_RESTORE and IP6TABLES_RESTORE choose.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
ipv4_restore="${IPTABLES_RESTORE:-iptables-restore}"
ipv6_restore="${IP6TABLES_RESTORE:-ip6tables-restore}"
restore=
loaded=

has_ipv4() { true; }
has_ipv6() { [ -e /proc/sys/net/ipv6 ]; }

# A payload that has to load.
load()
{
	"$restore" --noflush -w 5 || { echo "$0: $restore failed: see above" >&2; exit 1; }
}

# A payload that loads only if the jump is there as often as it supposes.
try()
{
	if "$restore" --noflush -w 5 2>/dev/null; then loaded=yes; else loaded=no; fi
}

# Did the last try load?
was_loaded()
{
	[ "$loaded" = yes ]
}

up()
{
restore="$ipv4_restore"
if has_ipv4; then
# iptables-restore, mangle
load <<'PAYLOAD'
*mangle
:PW-wg1 - [0:0]
:PW-wg1/in - [0:0]
:PW-wg1/fwd - [0:0]
:PW-wg1/out - [0:0]
-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A PW-wg1 -s 10.1.1.0/24 -p tcp -m tcp --dport 8096 -m addrtype --dst-type LOCAL -j RETURN
-A PW-wg1 -s 10.1.1.0/24 -p icmp -m icmp --icmp-type 8 -m addrtype --dst-type LOCAL -j RETURN
-A PW-wg1 -s 10.1.1.0/24 -d 10.1.1.0/24 -m addrtype ! --dst-type LOCAL,BROADCAST,MULTICAST -j RETURN
-A PW-wg1 -j DROP
-A PW-wg1/in -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A PW-wg1/in -s 10.1.1.0/24 -p tcp -m conntrack --ctorigdstport 8096 --ctdir ORIGINAL -j RETURN
-A PW-wg1/in -s 10.1.1.0/24 -p icmp -m icmp --icmp-type 8 -m conntrack ! --ctstate DNAT -j RETURN
-A PW-wg1/in -j DROP
-A PW-wg1/fwd -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A PW-wg1/fwd -s 10.1.1.0/24 -d 10.1.1.0/24 -o wg1 -m conntrack ! --ctstate DNAT -j RETURN
-A PW-wg1/fwd -m conntrack --ctstate DNAT -g PW-wg1/in
-A PW-wg1/fwd -j DROP
-A PW-wg1/out -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A PW-wg1/out -i wg1 -j RETURN
-A PW-wg1/out -j DROP
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-I PREROUTING 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-I PREROUTING 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*mangle
-I PREROUTING 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*mangle
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*mangle
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*mangle
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
# iptables-restore, filter
load <<'PAYLOAD'
*filter
:PW-wg1 - [0:0]
:PW-wg1/fwd - [0:0]
:PW-wg1/out - [0:0]
-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A PW-wg1 -s 10.1.1.0/24 -p tcp -m conntrack --ctorigdstport 8096 --ctdir ORIGINAL -j ACCEPT
-A PW-wg1 -s 10.1.1.0/24 -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A PW-wg1/fwd -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A PW-wg1/fwd -s 10.1.1.0/24 -d 10.1.1.0/24 -o wg1 -m conntrack ! --ctstate DNAT -j ACCEPT
-A PW-wg1/fwd -m conntrack --ctstate DNAT -g PW-wg1
-A PW-wg1/out -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*filter
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*filter
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*filter
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
# What another policy for this interface may have left
try <<'PAYLOAD'
*security
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1
-X PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1/fwd
-X PW-wg1/fwd
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1/out
-X PW-wg1/out
COMMIT
PAYLOAD
shared=1
loaded=yes
while was_loaded && [ "$shared" -le 9999 ]; do
try <<PAYLOAD
*filter
-F PW-wg1/$shared
-X PW-wg1/$shared
COMMIT
PAYLOAD
shared=$((shared + 1))
done
fi
restore="$ipv6_restore"
if has_ipv6; then
# ip6tables-restore, mangle
load <<'PAYLOAD'
*mangle
:PW-wg1 - [0:0]
:PW-wg1/in - [0:0]
:PW-wg1/fwd - [0:0]
:PW-wg1/out - [0:0]
-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A PW-wg1 -p ipv6-icmp -m icmp6 --icmpv6-type 133 -m hl --hl-eq 255 -j RETURN
-A PW-wg1 -p ipv6-icmp -m icmp6 --icmpv6-type 134 -m hl --hl-eq 255 -j RETURN
-A PW-wg1 -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j RETURN
-A PW-wg1 -p ipv6-icmp -m icmp6 --icmpv6-type 136 -m hl --hl-eq 255 -j RETURN
-A PW-wg1 -s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type 130 -j RETURN
-A PW-wg1 -s fd00:1::/64 -p tcp -m tcp --dport 8096 -m addrtype --dst-type LOCAL -j RETURN
-A PW-wg1 -s fd00:1::/64 -p ipv6-icmp -m icmp6 --icmpv6-type 128 -m addrtype --dst-type LOCAL -j RETURN
-A PW-wg1 -s fd00:1::/64 -d fd00:1::/64 -m addrtype ! --dst-type LOCAL,ANYCAST -j RETURN
-A PW-wg1 -j DROP
-A PW-wg1/in -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A PW-wg1/in -p ipv6-icmp -m icmp6 --icmpv6-type 133 -m hl --hl-eq 255 -j RETURN
-A PW-wg1/in -p ipv6-icmp -m icmp6 --icmpv6-type 134 -m hl --hl-eq 255 -j RETURN
-A PW-wg1/in -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j RETURN
-A PW-wg1/in -p ipv6-icmp -m icmp6 --icmpv6-type 136 -m hl --hl-eq 255 -j RETURN
-A PW-wg1/in -s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type 130 -j RETURN
-A PW-wg1/in -s fd00:1::/64 -p tcp -m conntrack --ctorigdstport 8096 --ctdir ORIGINAL -j RETURN
-A PW-wg1/in -s fd00:1::/64 -p ipv6-icmp -m icmp6 --icmpv6-type 128 -m conntrack ! --ctstate DNAT -j RETURN
-A PW-wg1/in -j DROP
-A PW-wg1/fwd -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A PW-wg1/fwd -s fd00:1::/64 -d fd00:1::/64 -o wg1 -m conntrack ! --ctstate DNAT -j RETURN
-A PW-wg1/fwd -m conntrack --ctstate DNAT -g PW-wg1/in
-A PW-wg1/fwd -j DROP
-A PW-wg1/out -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A PW-wg1/out -i wg1 -j RETURN
-A PW-wg1/out -j DROP
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-I PREROUTING 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-I PREROUTING 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*mangle
-I PREROUTING 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*mangle
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*mangle
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*mangle
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
# ip6tables-restore, filter
load <<'PAYLOAD'
*filter
:PW-wg1 - [0:0]
:PW-wg1/fwd - [0:0]
:PW-wg1/out - [0:0]
-A PW-wg1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A PW-wg1 -p ipv6-icmp -m icmp6 --icmpv6-type 133 -m hl --hl-eq 255 -j ACCEPT
-A PW-wg1 -p ipv6-icmp -m icmp6 --icmpv6-type 134 -m hl --hl-eq 255 -j ACCEPT
-A PW-wg1 -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j ACCEPT
-A PW-wg1 -p ipv6-icmp -m icmp6 --icmpv6-type 136 -m hl --hl-eq 255 -j ACCEPT
-A PW-wg1 -s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type 130 -j ACCEPT
-A PW-wg1 -s fd00:1::/64 -p tcp -m conntrack --ctorigdstport 8096 --ctdir ORIGINAL -j ACCEPT
-A PW-wg1 -s fd00:1::/64 -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT
-A PW-wg1/fwd -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A PW-wg1/fwd -s fd00:1::/64 -d fd00:1::/64 -o wg1 -m conntrack ! --ctstate DNAT -j ACCEPT
-A PW-wg1/fwd -m conntrack --ctstate DNAT -g PW-wg1
-A PW-wg1/out -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*filter
-I INPUT 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*filter
-I FORWARD 1 -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || load <<'PAYLOAD'
*filter
-I FORWARD 1 -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
# What another policy for this interface may have left
try <<'PAYLOAD'
*security
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1
-X PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1/fwd
-X PW-wg1/fwd
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1/out
-X PW-wg1/out
COMMIT
PAYLOAD
shared=1
loaded=yes
while was_loaded && [ "$shared" -le 9999 ]; do
try <<PAYLOAD
*filter
-F PW-wg1/$shared
-X PW-wg1/$shared
COMMIT
PAYLOAD
shared=$((shared + 1))
done
fi
}

down()
{
restore="$ipv4_restore"
if has_ipv4; then
# iptables-restore, filter
try <<'PAYLOAD'
*filter
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
load <<'PAYLOAD'
*filter
:PW-wg1 - [0:0]
:PW-wg1/fwd - [0:0]
:PW-wg1/out - [0:0]
-X PW-wg1
-X PW-wg1/fwd
-X PW-wg1/out
COMMIT
PAYLOAD
# iptables-restore, mangle
try <<'PAYLOAD'
*mangle
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
load <<'PAYLOAD'
*mangle
:PW-wg1 - [0:0]
:PW-wg1/in - [0:0]
:PW-wg1/fwd - [0:0]
:PW-wg1/out - [0:0]
-X PW-wg1
-X PW-wg1/in
-X PW-wg1/fwd
-X PW-wg1/out
COMMIT
PAYLOAD
# What another policy for this interface may have left
try <<'PAYLOAD'
*security
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1
-X PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1/fwd
-X PW-wg1/fwd
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1/out
-X PW-wg1/out
COMMIT
PAYLOAD
shared=1
loaded=yes
while was_loaded && [ "$shared" -le 9999 ]; do
try <<PAYLOAD
*filter
-F PW-wg1/$shared
-X PW-wg1/$shared
COMMIT
PAYLOAD
shared=$((shared + 1))
done
fi
restore="$ipv6_restore"
if has_ipv6; then
# ip6tables-restore, filter
try <<'PAYLOAD'
*filter
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*filter
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*filter
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
load <<'PAYLOAD'
*filter
:PW-wg1 - [0:0]
:PW-wg1/fwd - [0:0]
:PW-wg1/out - [0:0]
-X PW-wg1
-X PW-wg1/fwd
-X PW-wg1/out
COMMIT
PAYLOAD
# ip6tables-restore, mangle
try <<'PAYLOAD'
*mangle
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D PREROUTING -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/in
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*mangle
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*mangle
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
load <<'PAYLOAD'
*mangle
:PW-wg1 - [0:0]
:PW-wg1/in - [0:0]
:PW-wg1/fwd - [0:0]
:PW-wg1/out - [0:0]
-X PW-wg1
-X PW-wg1/in
-X PW-wg1/fwd
-X PW-wg1/out
COMMIT
PAYLOAD
# What another policy for this interface may have left
try <<'PAYLOAD'
*security
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D INPUT -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D FORWARD -i wg1 -m comment --comment "peerwall wg1" -j PW-wg1/fwd
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
was_loaded || try <<'PAYLOAD'
*security
-D FORWARD -o wg1 -m comment --comment "peerwall wg1" -j PW-wg1/out
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1
-X PW-wg1
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1/fwd
-X PW-wg1/fwd
COMMIT
PAYLOAD
try <<'PAYLOAD'
*security
-F PW-wg1/out
-X PW-wg1/out
COMMIT
PAYLOAD
shared=1
loaded=yes
while was_loaded && [ "$shared" -le 9999 ]; do
try <<PAYLOAD
*filter
-F PW-wg1/$shared
-X PW-wg1/$shared
COMMIT
PAYLOAD
shared=$((shared + 1))
done
fi
}

case "${1:-}" in
up) up ;;
down) down ;;
*) echo "usage: $0 up|down" >&2; exit 2 ;;
esac
