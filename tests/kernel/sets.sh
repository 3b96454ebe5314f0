#!/usr/bin/env bash
# The sets of packets against the kernel: sets.sh [SEED [RULESETS [PACKETS]]]
#
# Random rule sets are loaded into a network namespace, packets that the analysis chooses sent through it, and the kernel's
# counters of every rule compared with the sets. Both backends, both families. BACKENDS narrows it. Prints the seed:
# `sets.sh SEED 1` does one rule set again, with PEERWALL_SHOW_RULES=1 showing it.
# Status 1 on any difference; 77 where it cannot run, but 1 if CI=true.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
seed=${1:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
rulesets=${2:-40}
packets=${3:-100}
test=sets
# shellcheck source=SCRIPTDIR/world.sh
. "$here/world.sh"

cp "$root/build/tests/kernel-sets" "$work/sets" || exit 2
echo "sets: seed $seed"
status=0
for backend in ${BACKENDS:-nft legacy}; do
	world_up wg1 br0 eth0
	in_host "$work/sets" "$backend" "/run/netns/$ns-wire" "wg1 br0 eth0" "$seed" "$rulesets" "$packets" || status=1
	world_down
done
exit $status
