#!/bin/bash
# Runs the blocks of one document in order, in a host of their own: sandbox.sh DIRECTORY, as root within `unshare -mn`,
# or as anybody, then without the blocks that need root. DIRECTORY/plan lists the blocks; DIRECTORY/tree is their
# working directory. Blocks that do not ask for root run as nobody. /etc, /run, /usr/local,
# /var/lib and the network are the host's own.
set -u
directory=$1
blocks=$directory/blocks
here=$(dirname "$(realpath "$0")")
cd "$directory/tree" || exit 1

if [ "$(id -u)" = 0 ]; then
	# A copy, so that files can be laid into /etc/peerwall.
	cp -a /etc "$directory/etc" &&
		mount --bind "$directory/etc" /etc &&
		mount -t tmpfs tmpfs /run &&
		mount -t tmpfs tmpfs /usr/local &&
		mount -t tmpfs tmpfs /var/lib &&
		ip link set lo up || exit 1
	mkdir -p /etc/peerwall
	chown -R nobody: "$directory/tree"
fi

# as WHO COMMAND...
as() {
	local who=$1
	shift
	if [ "$(id -u)" != 0 ] || [ "$who" = root ]; then
		"$@"
	else
		setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs "$@"
	fi
}

while IFS=$'\t' read -r number kind who name; do
	block=$blocks/$number
	if [ "$kind" = pw ]; then
		mkdir -p "$(dirname "$name")"
		cp "$block" "$name"
		chmod 644 "$name"
		echo "$name" >"$block.name"
	fi
	as "$who" bash "$here/run_block.sh" "$block" "$kind"
done <"$directory/plan"
