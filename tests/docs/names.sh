#!/bin/bash
# What the documents speak of is there: files, sections, diagnostics, words of the language.
set -u

cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check WHAT: fails if anything is in $work/log.
check() {
	if [ -s "$work/log" ]; then
		failed=$((failed + 1))
		echo "not ok $1"
		sed 's/^/    /' "$work/log"
	else
		passed=$((passed + 1))
	fi
}

# The pages that diagnostics.sh does not look after.
documents=()
for document in README.md docs/*.md examples/*/README.md; do
	case $document in
	docs/diagnostics.md | docs/json.md | 'examples/*/README.md') ;;
	*) documents+=("$document") ;;
	esac
done

# Without what stands in blocks.
prose() {
	awk '/^```/ { open = !open; next } !open' "$@"
}

for document in "${documents[@]}"; do
	# shellcheck disable=SC2016 # Markdown's backticks
	prose "$document" | grep -oE '`(tests|docs|examples|src|include|grammar)/[A-Za-z0-9_./-]*`' | tr -d '`' | sort -u |
		while read -r path; do
			[ -e "$path" ] || echo "there is no $path"
		done >"$work/log"
	prose "$document" | grep -oE '\]\([^)]+\)' | sed 's/^](//; s/)$//' | sort -u | while read -r target; do
		file=${target%%#*}
		section=${target#"$file"}
		case $target in
		http*) continue ;;
		esac
		path=$(dirname "$document")/$file
		[ -n "$file" ] || path=$document
		[ -e "$path" ] || echo "there is no $path"
		# GitHub's names of sections: lower case, hyphens, no punctuation.
		[ -z "$section" ] || [ ! -e "$path" ] ||
			sed -n 's/^#\{1,\} //p' "$path" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9\n-' | grep -qxF -e "${section#\#}" ||
			echo "there is no section $section in $path"
	done >>"$work/log"
	check "the links of $document"
done

# Numbers of diagnostics, and names next to them.
grep -hoE 'PW[0-9]{3}( [a-z0-9-]+)?' "${documents[@]}" docs/man/* | sort -u | while read -r number name; do
	line=$(grep -F "\"$number\"" include/peerwall/codes.def) || echo "there is no $number"
	case $name in
	*-*) grep -qF "\"$name\"" <<<"$line" || echo "$number is not called $name" ;;
	esac
done >"$work/log"
check "diagnostics"

sed -nE 's/^%token (<word> )?[A-Z0-9]+ "([a-z0-9]+)"$/\2/p' grammar/policy.y | while read -r word; do
	grep -qF "\`$word\`" docs/language.md || echo "docs/language.md does not list the word $word"
	grep -qwF "$word" docs/man/peerwall.pw.5 || echo "peerwall.pw(5) does not have the word $word"
done >"$work/log"
check "words of the language"

awk '/^```pw examples\/one-port\/wg1.pw$/ { open = 1; next } /^```$/ { open = 0 } open' README.md |
	diff - examples/one-port/wg1.pw >"$work/log"
check "README shows the example as it is"

echo "names: $passed passed, $failed failed"
[ $failed = 0 ]
