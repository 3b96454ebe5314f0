#!/bin/sh
# Runs the live tests: apply, down, status and diff against real kernels' rules in throwaway network namespaces, with
# both backends, beside other programs' rules, and with everything going wrong that may.
# `run.sh [CASE...]`; a case is a file of tests/live/cases without its ".sh". The program is $PEERWALL, or build/peerwall.
set -u

here=$(cd "$(dirname "$0")" && pwd)

skip() {
	echo "skipped: $1"
	[ "${CI:-}" != true ] || exit 1
	exit 77
}

[ "$(id -u)" = 0 ] || skip "live tests need root"
for tool in ip nsenter unshare setpriv flock jq nft python3 iptables-nft-save iptables-legacy-save ip6tables-nft-save \
	ip6tables-legacy-save; do
	command -v "$tool" >/dev/null || skip "live tests need $tool"
done

# For lib.sh and the cases.
# shellcheck disable=SC2034
host_count=0 tools_count=0 documents=0 pw_options='' apply_options=''
passed=0
failed=0
hosts=
started=
work=$(mktemp -d /tmp/peerwall-live-XXXXXX)

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	for process in $started; do
		kill "$process" 2>/dev/null
	done
	for name in $hosts; do
		# A watcher waits for its time, whatever became of the test.
		ip netns pids "$name" 2>/dev/null | xargs -r kill -KILL 2>/dev/null
		ip netns del "$name" 2>/dev/null
	done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# shellcheck source=../schema/python.sh
. "$here/../schema/python.sh"
[ -n "$python" ] || skip "live tests need python3-jsonschema"
ip netns add "pwlive$$probe" 2>/dev/null || skip "live tests need network namespaces"
ip netns del "pwlive$$probe"

# For all to read, so that nobody may run it too.
chmod 755 "$work"
mkdir "$work/documents"
program="$work/peerwall"
cp "${PEERWALL:-$here/../../build/peerwall}" "$program" || exit 1
chmod 755 "$program"
LC_ALL=C
# The hosts share this machine's /run, but not its lock.
XTABLES_LOCKFILE="$work/xtables.lock"
export LC_ALL XTABLES_LOCKFILE
unset NO_COLOR

# shellcheck source=/dev/null
. "$here/lib.sh"

all=no
if [ $# -eq 0 ]; then
	all=yes
	for file in "$here"/cases/*.sh; do
		set -- "$@" "$(basename "$file" .sh)"
	done
fi
for backend in nft legacy; do
	for case in "$@"; do
		# shellcheck disable=SC2034
		pw_options='' apply_options=''
		policies="$work/policies-$backend-$case"
		mkdir "$policies"
		# shellcheck source=/dev/null
		. "$here/cases/$case.sh"
	done
done
if [ $all = yes ]; then
	case=documents
	check "what status and diff printed as JSON is as the schema says" documents_valid 30
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
