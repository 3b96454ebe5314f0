# shellcheck shell=bash
# Grids: every question worth asking in the topology, asked at once, and the
# answers held against a case's declaration (cases/NAME.expect).
#
# A declaration is written by hand, and peerwall never sees it. Its lines are
#
#   SOURCES PROTO DESTINATIONS PORTS OUTCOME [v4|v6]
#
# with lists separated by commas, * for all that the grid asks, port ranges, and
# the outcome open:TAG (TAG says whose program answers), refused, silent, or closed
# (refused, silent, or no route). Later lines override earlier ones. "peers" are the
# laptop, the desk and the friend, "anyhost" all addresses of the host. icmp has the
# ports "ping" and "other", raw (an IP protocol that nobody knows) has "any".
# Whatever no line names must be closed: silent where the policy drops, refused where
# it rejects and the host itself was addressed. A line "unaffected far" says that the
# policy does not cover wg2.

# shellcheck source=topology.sh
. "$(dirname "${BASH_SOURCE[0]}")/topology.sh" || exit 2

# Who asks whom. through: some tunnel is on the way. own: the host asks. Elsewhere
# peerwall has no say.
grid_pairs() {
	cat <<-'EOF'
	through laptop,desk,stranger host,hosteth,hostbr,hostwg2,container,friend,outside,far
	through friend host,container,laptop,outside
	through laptopll hostll
	through far,container,outside laptop
	through container,outside friend
	far far host,hostwg2,container,outside
	far container,outside far
	own host laptop,friend
	own hostwg2 far
	elsewhere hosteth outside
	elsewhere hostbr container
	elsewhere container hostbr,outside
	elsewhere outside hosteth,container
	EOF
}

grid_ports() {
	cat <<-'EOF'
	tcp 22 80 443 445 873 3306 5000 5004 5005 5006 8081 8096 8443 8444 9998 9999
	udp 53 5353 9000 60000 60003 61000 61001
	sctp 38412
	raw any
	icmp ping other
	EOF
}

# What does not come through a tunnel, with or without peerwall.
grid_unaffected() {
	cat <<-'EOF'
	outside tcp hosteth 22,80,443,5000-5005,8443 open:host
	outside tcp hosteth 873,8081,8096 open:container
	outside udp hosteth 53,5353,60000-60003 open:host
	outside udp hosteth 9000 open:container
	outside,container sctp hosteth,hostbr 38412 open:host
	outside,container raw hosteth,hostbr any open:host
	outside,container icmp hosteth,hostbr ping,other open:icmp
	outside tcp container 80,873,8096 open:container
	outside udp container 9000 open:container
	container tcp hostbr 22,80,443,5000-5005,8443 open:host
	container tcp hostbr 873,8081,8096 open:proxy
	container udp hostbr 53,5353,60000-60003 open:host
	container udp hostbr 9000 open:proxy
	container,hosteth tcp outside 22,80,445 open:outside
	container,hosteth udp outside 53,5353 open:outside
	container,hosteth sctp outside 38412 open:outside
	container,hosteth raw outside any open:outside
	container,hosteth icmp outside ping,other open:icmp
	# Rewriting addresses leaves the checksum of an unknown protocol wrong.
	container raw outside any closed v6
	hostbr tcp container 22,80,873,3306,8096 open:container
	hostbr udp container 53,9000 open:container
	hostbr sctp container 38412 open:container
	hostbr raw container any open:container
	hostbr icmp container ping,other open:icmp
	EOF
}

# What the host itself sends out through the tunnels, and may always.
grid_own() {
	local pair
	for pair in host:laptop host:friend hostwg2:far; do
		cat <<-EOF
		${pair%:*} * ${pair#*:} * refused
		${pair%:*} tcp ${pair#*:} 22,80,445 open:${pair#*:}
		${pair%:*} udp ${pair#*:} 53,5353 open:${pair#*:}
		${pair%:*} sctp ${pair#*:} 38412 open:${pair#*:}
		${pair%:*} raw ${pair#*:} any open:${pair#*:}
		${pair%:*} icmp ${pair#*:} ping,other open:icmp
		EOF
	done
}

# And what comes in through wg2 where the policy is about wg1 alone.
grid_far() {
	cat <<-'EOF'
	far tcp host,hostwg2 22,80,443,5000-5005,8443 open:host
	far tcp host,hostwg2 873,8081,8096 open:container
	far udp host,hostwg2 53,5353,60000-60003 open:host
	far udp host,hostwg2 9000 open:container
	far sctp host,hostwg2 38412 open:host
	far raw host,hostwg2 any open:host
	far icmp host,hostwg2 ping,other open:icmp
	far tcp container 80,873,8096 open:container
	far udp container 9000 open:container
	container tcp far 22,80,445 open:far
	container udp far 53,5353 open:far
	container sctp far 38412 open:far
	container raw far any open:far
	container icmp far ping,other open:icmp
	container raw far any closed v6
	EOF
}

# Since Docker 28 nobody outside reaches a container by its own address.
grid_direct() {
	[ "$docker" != 20 ] || return 0
	echo "outside * container * silent"
	$1 || echo "far * container * silent"
}

# grid_questions KINDS: lines "NAMESPACE PROTO SRC DST PORT" for the pairs of KINDS
# (a list separated by commas).
grid_questions() {
	{
		topology_names | sed 's/^/name /'
		grid_ports | sed 's/^/ports /'
		grid_pairs | sed 's/^/pair /'
	} | awk -v kinds="$1" -f "$here/questions.awk"
}

# grid_ask FILE TIMEOUT: asks, each question from its namespace, all at once. Adds to
# $work/wrong if any was not answered at all.
grid_ask() {
	local name names
	names=$(cut -d' ' -f1 "$1" | sort -u)
	rm -f "$work"/answers.*
	for name in $names; do
		sed -n "s/^$name //p" "$1" |
			in_ns "$name" "$probe" grid "$2" >"$work/answers.$name" &
	done
	wait
	for name in $names; do
		sed "s/^/$name /" "$work/answers.$name"
	done >"$work/answers"
	[ -s "$1" ] && [ "$(wc -l <"$1")" = "$(wc -l <"$work/answers")" ] ||
		echo "? ? ? ? ? | only $(wc -l <"$work/answers") answers to $(wc -l <"$1") questions" >>"$work/wrong"
}

# grid_judge DECLARATION OTHERWISE STATE <ANSWERS: prints what is not as declared:
# "NAMESPACE PROTO SRC DST PORT", then "|", then words for people.
grid_judge() {
	{
		topology_names | sed 's/^/name /'
		grid_ports | sed 's/^/ports /'
		sed -E 's/[[:space:]]*#.*//; /^$/d; s/^/rule /' "$1"
		cat
	} | awk -v otherwise="$2" -v state="$3" -f "$here/judge.awk"
}

# grid DECLARATION OTHERWISE STATE: asks all that STATE has an answer for. Status 1 if
# anything was not as declared: $work/wrong then says what. Sets asked to the number
# of questions. STATE is plain, foreign, dropping or ufw (topology.sh).
#
# What stayed silent but should have answered is asked once more with more time,
# for a machine under load; what answered but should not have never is.
# shellcheck disable=SC2034  # asked is for the callers
grid() {
	local kinds=through covers_far=true
	! grep -q '^unaffected far' "$1" || covers_far=false
	case $3 in
	plain) kinds+=,own,elsewhere,far ;;
	foreign | ufw) kinds+=,own ;;
	esac
	[ "$3" = plain ] || ! $covers_far || kinds+=,far
	grid_questions "$kinds" >"$work/questions"
	asked=$(wc -l <"$work/questions")
	{
		grid_unaffected
		grid_own
		$covers_far || grid_far
		grid_direct $covers_far
		cat "$1"
	} >"$work/declaration"

	: >"$work/wrong"
	grid_fresh
	grid_ask "$work/questions" 400
	grid_judge "$work/declaration" "$2" "$3" <"$work/answers" >"$work/judged" || die "cannot judge"
	grep -v 'got silent$' "$work/judged" >>"$work/wrong"
	grep 'got silent$' "$work/judged" | sed 's/ | .*//' >"$work/again"
	if [ -s "$work/again" ]; then
		grid_ask "$work/again" 1500
		grid_judge "$work/declaration" "$2" "$3" <"$work/answers" >>"$work/wrong" || die "cannot judge"
	fi
	sed -i 's/.* | //' "$work/wrong"
	[ ! -s "$work/wrong" ]
}

# check_grid CASE OTHERWISE STATE [DECLARATION]: in the words of the guarantees, exact, and durable if others add rules.
check_grid() {
	local what="G1: $1 $backend $2"
	case $3 in
	plain) ;;
	foreign) what="G2: $1 $backend $2 foreign" ;;
	*) what+=" $3" ;;
	esac
	if grid "${4:-$here/cases/$1.expect}" "$2" "$3"; then
		ok "$what: $asked probes"
	else
		not_ok "$what: $(wc -l <"$work/wrong") of $asked probes" <"$work/wrong"
	fi
}

# No answer may come from what was established before, and neighbours must be
# found again.
grid_fresh() {
	in_ns host conntrack -F 2>/dev/null
	ip -n "$ns-host" neigh flush all
	ip -n "$ns-laptop" neigh flush all
	ip -n "$ns-friend" neigh flush all
	ip -n "$ns-far" neigh flush all
}
