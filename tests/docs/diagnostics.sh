#!/bin/sh
# Each code of codes.def has its section in docs/diagnostics.md and a golden case that fires it by its number and name; checks of lint have a near
# miss as well, codes of the live system may have a live case in its place. What the page shows is what some golden case prints;
# with UPDATE=1 the page is brought up to date first. `diagnostics.sh [PROGRAM]`; the program is not needed.
set -eu
cd "$(dirname "$0")/../.."
page=docs/diagnostics.md

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
passed=0
failed=0

wrong() {
	failed=$((failed + 1))
	echo "not ok diagnostics: $1"
}

cat tests/golden/*/out tests/golden/*/err >"$work/golden" 2>/dev/null || :
if [ -n "${UPDATE:-}" ]; then
	awk -v golden="$work/golden" -f tests/docs/examples.awk "$page" >"$work/page"
	cat "$work/page" >"$page"
fi
sed -n 's/^CODE([A-Z0-9_]*, "\(PW[0-9]*\)", "\([a-z0-9-]*\)".*/\1 \2/p' include/peerwall/codes.def >"$work/codes"

while read -r number name; do
	grep -qx "## $number $name" "$page" || { wrong "$page has no section '## $number $name'"; continue; }
	if ! grep -qF "[$number $name]" "$work/golden"; then
		case $number in
		PW4*) grep -rqwe "$number" -e "$name" tests/live ||
			{ wrong "no golden or live case fires $number $name"; continue; } ;;
		*) wrong "no golden case fires $number $name"; continue ;;
		esac
	fi
	# Checks have a case of their own that fires them, and a near miss.
	case $number in
	PW3*)
		grep -qF "[$number $name]" "tests/golden/lint-$name/out" || wrong "lint-$name does not fire $name"
		[ -f "tests/golden/lint-$name-not/cmd" ] || wrong "there is no near miss lint-$name-not"
		! grep -qsF "[$number $name]" "tests/golden/lint-$name-not/out" || wrong "lint-$name-not fires $name" ;;
	esac
	passed=$((passed + 1))
done <"$work/codes"

# The other way round: no section of a code that is not there.
sed -n 's/^## \(PW[0-9]* .*\)/\1/p' "$page" | while read -r section; do
	grep -qxF "$section" "$work/codes" || echo "$section"
done >"$work/unknown"
while read -r section; do
	wrong "$page has a section '$section', but there is no such code"
done <"$work/unknown"

# Each block that shows a finding is word for word what a case prints.
awk -v golden="$work/golden" '
	BEGIN { RS = "\001"; getline all < golden; RS = "\n" }
	/^```/ && inside { if (block ~ /\[PW[0-9]+ /) { if (index(all, block)) good++; else { split(block, line, "\n"); print line[1] } } inside = 0; next }
	/^```text$/ { inside = 1; block = ""; next }
	inside { block = block $0 "\n" }
	END { print good + 0 > "/dev/stderr" }
' "$page" >"$work/stale" 2>"$work/good"
while read -r line; do
	wrong "no golden case prints: $line"
done <"$work/stale"
passed=$((passed + $(cat "$work/good")))

echo "diagnostics: $passed passed, $failed failed"
[ "$failed" = 0 ]
