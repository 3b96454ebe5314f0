# Cuts a console block into its commands: FILE.1.command and FILE.1.expected, FILE.2..., where FILE is the block's.
# A command goes on in the next line behind a "\". Fails if there is none, or something before the first one.
function begin(text) {
	if (count) {
		close(command)
		close(expected)
	}
	command = FILENAME "." ++count ".command"
	expected = FILENAME "." count ".expected"
	printf "" >expected
	print text >command
}

continued { print >command; continued = /\\$/; next }
/^\$ / { begin(substr($0, 3)); continued = /\\$/; next }
!count { exit 1 }
{ print >expected }

END { if (!count) exit 1 }
