#!/bin/bash
# shellcheck disable=SC2016 # what unshare runs gets its words as arguments
# Dumps that others wrote, in the folder that PEERWALL_CORPUS names (its INDEX.tsv says where each came from and
# which backends load it): each is read without loss; each that loads is judged by lint --installed, and loaded for
# real, and what the kernel's tool then prints is, byte for byte, what peerwall prints from the decoded rules. Then
# the rules of iptables' own extension tests, and words with every byte that a name may hold.
#
# Needs root for all but the first two. Set PEERWALL_LIBRARY for another build than build/libpeerwall.a; the program
# is the one beside it.

set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
library=${PEERWALL_LIBRARY:-$root/build/libpeerwall.a}
peerwall=$(dirname "$library")/peerwall
corpus=${PEERWALL_CORPUS:-}
passed=0
failed=0

skip() {
	echo "skipped: corpus: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}

[ -f "$corpus/INDEX.tsv" ] || skip "PEERWALL_CORPUS names no folder with an INDEX.tsv"
[ "$(id -u)" = 0 ] || skip "loading rules needs root"
unshare -n true 2>/dev/null || skip "no network namespaces can be made here"
for tool in iptables-nft-restore iptables-legacy-restore ipset; do
	command -v "$tool" >/dev/null || skip "there is no $tool"
done

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
roundtrip=$work/roundtrip
${CC:-gcc} -std=c11 -D_GNU_SOURCE -O1 -I"$root/include" -o "$roundtrip" "$here/roundtrip.c" "$library" || exit 2

pass() {
	passed=$((passed + 1))
}

fail() {
	failed=$((failed + 1))
	echo "not ok: $1"
	head -n "${2:-6}" "$work/why" 2>/dev/null | cut -c 1-300 | sed 's/^/    /'
}

# "table -A chain ..." of either form, each chain's rules in their order.
by_chain() {
	LC_ALL=C awk '/^\*/ { table = substr($0, 2) } /^-A / { print table, $0 }' | LC_ALL=C sort -s -k 1,1 -k 3,3
}

# ---- every dump is read, and each of its rules can be found again ----

files=0 rules=0 decoded=0 canonical=0 opaque=0 refused=0 dirty=0

read_dump() { # path family must-read
	local counts status all some exact kept

	counts=$("$roundtrip" lines "$2" "$corpus/$1" 2>"$work/why")
	status=$?
	case $status in
	0)
		pass
		read -r all some exact kept <<<"$counts"
		if [ "$3" = yes ]; then
			files=$((files + 1)) rules=$((rules + all)) decoded=$((decoded + some))
			canonical=$((canonical + exact)) opaque=$((opaque + kept))
		else
			dirty=$((dirty + 1))
		fi
		;;
	3)
		# A broken one has to be told where and why.
		if [ "$3" = yes ]; then
			fail "$1 loads, and is not read"
		elif grep -q ': error: .*\[PW2' "$work/why"; then
			pass
			refused=$((refused + 1))
		else
			fail "$1 is refused without a reason"
		fi
		;;
	*) fail "$1: status $status" ;;
	esac
}

# ---- the rules of every dump that is not very large are judged: in a reasonable time, without a crash ----

judged=0 judged_most=3000 unused=0 spare=0

judge_dump() { # path family rules
	local status

	[ "$3" -le "$judged_most" ] || return 0
	timeout 60 "$peerwall" lint --installed --format json --snapshot"$2" "$corpus/$1" >"$work/judged" 2>"$work/why"
	status=$?
	if [ $status -ne 0 ] && [ $status -ne 3 ]; then
		fail "$1 is not judged: status $status"
		return
	fi
	pass
	judged=$((judged + 1))
	unused=$((unused + $(grep -cE '"code": "PW62[0-3]"' "$work/judged")))
	spare=$((spare + $(grep -c '"code": "PW624"' "$work/judged")))
}

# ---- what loads comes back as we print it ----

loads=0 loaded_rules=0

create_sets() { # path family: commands that create the sets it names
	grep -oE -- '--(match|add|del|map)-set +("[^"]*"|[^ ]+) [a-z,]+' "$corpus/$1" | sort -u |
		awk -v family="$2" '{
			gsub(/"/, "", $2)
			kinds = split($3, unused, ",")
			type = kinds == 1 ? "hash:ip" : kinds == 2 ? "hash:ip,port" : "hash:ip,port,ip"
			if (!seen[$2]++)
				print "create", $2, type, "family", family == 6 ? "inet6" : "inet"
		}'
}

# In a folder of its own, so that the backends can be asked at the same time: says what is wrong, or nothing.
load_dump() ( # path family backend
	tool=iptables

	[ "$2" = 4 ] || tool=ip6tables
	mkdir -p "$work/$3" && cd "$work/$3" || exit 2
	create_sets "$1" "$2" >sets
	if ! unshare -n sh -c '
		[ ! -s "$1" ] || ipset restore <"$1" || exit 1
		"$2-restore" <"$3" >/dev/null || exit 1
		"$2-save"' sh sets "$tool-$3" "$corpus/$1" >saved 2>why; then
		echo "$1 does not load here ($3)"
		return
	fi
	by_chain <saved >want
	if ! "$roundtrip" encode "$2" "$corpus/$1" 2>why >encoded; then
		echo "$1 loads ($3), and is not read"
		return
	fi
	by_chain <encoded >have
	diff want have >why || echo "$1: peerwall prints other rules than the tool ($3; < tool, > peerwall)"
)

load_dumps() { # path family backend...
	local backend message path=$1 family=$2

	shift 2
	for backend; do
		load_dump "$path" "$family" "$backend" >"$work/$backend.message" &
	done
	wait
	for backend; do
		message=$(cat "$work/$backend.message")
		if [ -z "$message" ]; then
			pass
			loads=$((loads + 1)) loaded_rules=$((loaded_rules + $(wc -l <"$work/$backend/want")))
		else
			cp "$work/$backend/why" "$work/why"
			fail "$message"
		fi
	done
}

while IFS=$'\t' read -r path _ family rules_of _ _ _ _ nft legacy _; do
	[ "$path" != path ] || continue
	family=${family#v}
	[ "$family" = 6 ] || family=4
	must=no
	case $nft,$legacy in
	ok,ok | ok+ipsets,ok+ipsets) must=yes ;;
	esac
	read_dump "$path" "$family" "$must"
	[ "$must" = yes ] || continue
	judge_dump "$path" "$family" "$rules_of"
	load_dumps "$path" "$family" nft legacy
	guess=$("$roundtrip" guess "$corpus/$path")
	if [ "$guess" = "$family" ] || [ "$guess" = '?' ]; then
		pass
	else
		echo "family $family, taken for $guess" >"$work/why"
		fail "$path: the wrong family"
	fi
done <"$corpus/INDEX.tsv"

# The repaired ones are of the family of what they repair.
while read -r path; do
	family=$("$roundtrip" guess "$corpus/$path")
	[ "$family" = 6 ] || family=4
	read_dump "$path" "$family" yes
	load_dumps "$path" "$family" nft
done < <(cd "$corpus" && find _repaired -name '*.rules' 2>/dev/null | LC_ALL=C sort)

# ---- the rules of the extensions' own tests ----

# File names say the family: libxt_ both, libipt_ IPv4, libip6t_ IPv6.
separator=$'\x1f' # unlike a tab, read keeps empty fields between two of these
tests_of() { # file: table, rule, expected, OK or FAIL
	awk -F';' -v OFS="$separator" 'BEGIN { table = "filter" }
		/^\*/ { sub(/^\*/, ""); sub(/,.*/, ""); table = $0; next }
		/^[#:@%]/ || NF < 3 { next }
		{
			want = $2 == "=" ? $1 : $2
			gsub(/^ +| +$/, "", want)
			print table, $1, want, $3
		}' "$1"
}

# Where those tests are of a later iptables than 1.8.9, or peerwall keeps a rule opaque on purpose.
is_excepted() {
	case $1 in
	*'! -i +'* | *'! --sport :'* | *'! --dport :'*) return 0 ;; # the backends take it differently
	*--protocol=* | *-ptcp*) return 0 ;;                        # 1.8.9 refuses the protocol in one word
	esac
	return 1
}

same=0 unknown=0 refused_rules=0 lenient=0
for file in "$corpus"/xtables-t/*.t; do
	[ -f "$file" ] || continue
	name=${file##*/}
	case $name in
	libipt_*) families=4 ;;
	libip6t_*) families=6 ;;
	libxt_* | iptables.t) families='4 6' ;;
	*) continue ;;
	esac
	tests_of "$file" >"$work/tests"
	cut -d "$separator" -f 1,2 "$work/tests" | tr "$separator" ';' >"$work/rules"
	for family in $families; do
		"$roundtrip" rules "$family" <"$work/rules" >"$work/have"
		while IFS=$separator read -r _ rule want result have; do
			case $result,$have in
			OK*,unknown) unknown=$((unknown + 1)) ;;
			OK*,"$want") same=$((same + 1)) && pass ;;
			OK*)
				is_excepted "$rule" && continue
				printf 'want %s\nhave %s\n' "$want" "$have" >"$work/why"
				fail "$name, IPv$family: $rule"
				;;
			FAIL*,opaque | FAIL*,unknown) refused_rules=$((refused_rules + 1)) ;;
			# Refused for its chain, or for a set that does not exist: nothing that the text shows.
			FAIL*) lenient=$((lenient + 1)) ;;
			esac
		done < <(paste -d "$separator" "$work/tests" "$work/have")
	done
done

# ---- words ----

"$roundtrip" words >"$work/words"
"$roundtrip" names >"$work/names"
for backend in nft legacy; do
	unshare -n sh -c '"iptables-$1-restore" <"$2" && "iptables-$1-save"' sh "$backend" "$work/words" 2>/dev/null |
		LC_ALL=C grep -a '^-A' >"$work/back"
	if cmp "$work/names" "$work/back" >"$work/why" 2>&1; then
		pass
	else
		fail "a name does not come back as it was written ($backend)"
	fi
done

# ---- the sum ----

percent=$(awk -v all="$rules" -v some="$decoded" 'BEGIN { printf("%.3f", 100 * some / (all + (all == 0))) }')
echo "dumps that load: $files, $rules rules; decoded $decoded ($percent %), canonical as written $canonical, opaque $opaque"
echo "other files: $dirty read, $refused refused with a place and a reason"
echo "judged as they are: $judged dumps; $unused rules and chains that nothing comes to, $spare that could be left out"
echo "loaded and compared: $loads loads, $loaded_rules rules"
echo "extension tests: $same equal, $unknown of extensions that are not known, $refused_rules refused as they should be," \
	"$lenient that only their chain or a missing set makes wrong"
: >"$work/why"
if awk -v percent="$percent" 'BEGIN { exit percent >= 99 ? 0 : 1 }'; then
	pass
else
	fail "less than 99 % of the rules are decoded"
fi
echo "corpus: $passed passed, $failed failed"
[ "$failed" = 0 ]
