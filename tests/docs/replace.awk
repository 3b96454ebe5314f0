# Prints a Markdown file with the bodies of some blocks replaced: where DIRECTORY/001.new is there, it takes the place
# of block 001. -v directory=DIRECTORY
function print_file(name,    line) {
	while ((getline line <name) > 0)
		print line
	close(name)
}

!open && /^```/ {
	open = 1
	print
	name = sprintf("%s/%03d.new", directory, ++count)
	new = (getline line <name) >= 0
	close(name)
	if (new)
		print_file(name)
	next
}

open && /^```$/ { open = new = 0 }
!new { print }
