#!/bin/bash
# The manual pages: they pass mandoc's lint; peerwall(8) has exactly the options that each command's --help shows, and
# all exit codes; and their examples are run like those of the documents. `man.sh PROGRAM`.
set -u

program=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
cd "$here/../../docs/man" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
skipped=

# check WHAT STATUS: with what was found in $work/log.
check() {
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok $1"
		sed 's/^/    /' "$work/log"
	fi
}

# ---- the form ----

if command -v mandoc >/dev/null; then
	# Which other pages are installed here is not theirs to answer for.
	mandoc -Tlint ./*.8 ./*.5 2>/dev/null | grep -v 'referenced manual not found' >"$work/log"
	check "the manual pages' form" "$([ ! -s "$work/log" ]; echo $?)"
else
	echo "skipped: manual pages: needs mandoc"
	skipped=yes
fi

# ---- options ----

# One word a line; lines of options begin with "-", and two blanks end them.
help_options() {
	"$program" "$1" --help | awk '
		/^ +-/ {
			sub(/^ +/, "")
			sub(/  .*/, "")
			count = split($0, words, /[ ,|=]+/)
			for (i = 1; i <= count; i++)
				if (words[i] ~ /^-/)
					print words[i]
		}' | sort -u
}

# Of the command's section, and of the common one if that names the command.
page_options() {
	awk -v name="$1" '
		/^\.S[hs]/ { inside = $0 == ".Ss " name || ($2 == "Options" && ($0 ~ " " name "(,| |$)")) }
		inside && /^\.It/ {
			for (i = 2; i < NF; i++)
				if ($i == "Fl")
					print "-" $(i + 1)
		}' peerwall.8 | sort -u
}

for command in $("$program" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
	diff -u --label "$command --help" --label "peerwall(8)" \
		<(help_options "$command") <(page_options "$command") >"$work/log"
	check "options of $command" $?
	grep -qx "\.Ss $command" peerwall.8 || echo "peerwall(8) has no section $command" >>"$work/log"
	check "the section of $command" "$([ ! -s "$work/log" ]; echo $?)"
done

# ---- exit codes ----

diff -u --label "src/cmd/cmd.h" --label "peerwall(8)" \
	<(sed -nE 's/^\tEXIT_[A-Z_]+ = ([0-9]+),.*/\1/p' ../../src/cmd/cmd.h) \
	<(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/s/^\.It \([0-9]*\)$/\1/p' peerwall.8) >"$work/log"
check "exit codes" $?

# ---- examples ----

# As a document: policies of peerwall.pw(5), commands of peerwall(8), hooks of wg-quick.
{
	cat <<-'EOF'
	```pw /etc/peerwall/wg1.pw
	interface wg1 { expose tcp 22 to 10.1.1.0/24, fd00:1::/64 }
	```

	```sh root
	cp /etc/peerwall/wg1.pw .
	```
	EOF
	for page in peerwall.8 peerwall.pw.5; do
		awk '
			/^\.Bd -literal/ { inside = 1; text = ""; next }
			/^\.Ed/ {
				inside = 0
				kind = FILENAME ~ /pw\.5$/ ? "pw" : text ~ /^PostUp/ ? "ini" : "sh root"
				print "\n```" kind "\n" text "```"
			}
			inside { gsub(/\\e/, "\\"); text = text $0 "\n" }
		' $page
	done
} >"$work/examples.md"
"$here/run.sh" "$program" "$work/examples.md" >"$work/log"
status=$?
if [ $status = 77 ]; then
	cat "$work/log"
	skipped=yes
else
	check "the examples of the manual pages" $status
fi

echo "man: $passed passed, $failed failed"
[ $failed = 0 ] || exit 1
[ -z "$skipped" ] || exit 77
