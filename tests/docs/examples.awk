# Brings the examples of docs/diagnostics.md up to date: a block that shows a finding which no golden case prints any more gets
# what the code's own case prints now, or else the first case that has it. -v golden=FILE: what all cases print.
BEGIN {
	RS = "\001"
	getline all <golden
	RS = "\n"
}

# The finding with that tag in the text: its line and what belongs to it.
function finding(text, tag,    line, count, i, found) {
	count = split(text, line, "\n")
	for (i = 1; i <= count; i++) {
		if (found != "") {
			if (line[i] !~ /^ / && (line[i] !~ /: note: / || line[i] ~ /\]$/))
				return found
			found = found line[i] "\n"
		} else if (substr(line[i], length(line[i]) - length(tag) + 1) == tag && line[i] !~ /\033/) {
			found = line[i] "\n"
		}
	}
	return found
}

function current(tag,    name, own, text, shown) {
	name = tag
	gsub(/^\[PW[0-9]+ |\]$/, "", name)
	own = "tests/golden/lint-" name "/out"
	RS = "\001"
	if ((getline text <own) > 0)
		shown = finding(text, tag)
	close(own)
	RS = "\n"
	return shown != "" ? shown : finding(all, tag)
}

inside && /^```/ {
	if (match(block, /\[PW[0-9]+ [a-z0-9-]+\]\n/) && !index(all, block))
		block = current(substr(block, RSTART, RLENGTH - 1))
	printf "%s", block
	inside = 0
}
inside {
	block = block $0 "\n"
	next
}
{ print }
/^```text$/ {
	inside = 1
	block = ""
}
