#!/usr/bin/env bash
# The sets of packets against the kernel for as long as there is time: night.sh SECONDS [SEED]
#
# First the dumps that PEERWALL_CORPUS names, all of them, then random rule sets until the time is up. What sets.sh prints
# tells how to do again what differs. Status 1 on any difference.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seed=${2:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
batch=100
end=$((SECONDS + $1))
status=0

"$here/sets.sh" "$seed" "$batch" 130 all || status=$?
while [ "$status" != 77 ] && [ "$SECONDS" -lt "$end" ]; do
	seed=$((seed + batch))
	"$here/sets.sh" "$seed" "$batch" 130 0 || status=1
done
exit "$status"
