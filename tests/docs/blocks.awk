# Cuts the fenced blocks out of a Markdown file: for block 001, DIRECTORY/001 holds its body. Prints one line for each:
# its number, the line of its opening fence, its kind (the first word behind the fence) and the rest.
# -v directory=DIRECTORY
BEGIN { OFS = "\t" }

!open && /^```/ {
	open = 1
	words = substr($0, 4)
	kind = rest = words
	sub(/ .*/, "", kind)
	if (!sub(/^[^ ]* +/, "", rest))
		rest = ""
	file = sprintf("%s/%03d", directory, ++count)
	printf "" >file
	print sprintf("%03d", count), NR, kind, rest
	next
}

open && /^```$/ {
	open = 0
	close(file)
	next
}

open { print >file }

# Nobody would run it.
!open && /^ +```/ { indented = 1 }

END { exit open || indented }
