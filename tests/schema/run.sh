#!/bin/sh
# Runs every golden case of the commands that print reports again in each machine-readable format, and validates what they
# print: SARIF against the published schema of SARIF 2.1.0, JSON against ours. `run.sh PROGRAM`
set -eu

program=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=python.sh
. "$here/python.sh"
if [ -z "$python" ]; then
	echo "skipped: schema: needs python3-jsonschema"
	[ "${CI:-}" != true ] || exit 1
	exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/bin"
# The last --format counts.
cat >"$work/bin/peerwall" <<WRAPPER
#!/bin/sh
exec "$program" "\$@" --format "\$FORMAT"
WRAPPER
chmod +x "$work/bin/peerwall"
PATH="$work/bin:$PATH"
export PATH

# check COMMAND FORMAT SCHEMA MINIMUM: at least so many reports, or the cases are not run.
check() {
	mkdir "$work/documents"
	for directory in "$here/../golden/$1"-*/; do
		document="$work/documents/$(basename "$directory")"
		cp -R "$directory" "$work/case"
		(cd "$work/case" && FORMAT=$2 sh ./cmd >"$document" 2>/dev/null </dev/null) || :
		rm -rf "$work/case"
		# Lists and usage errors are no reports.
		grep -q '^{' "$document" || rm "$document"
	done
	"$python" "$here/validate.py" "$here/$3" "$4" "$work/documents"/*
	rm -rf "$work/documents"
}

check lint sarif sarif-2.1.0.json 50
check lint json report-1.json 50
check trace json trace-1.json 25
check watch-read json watch-1.json 10
check reach json reach-1.json 10
