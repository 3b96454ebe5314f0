# Is the second file what the first one says? A line "..." in the first stands for any number of lines.
# Each stretch between two of them is looked for as early as possible, which finds a match if there is one.
function same_at(from, first, last,    i) {
	for (i = first; i <= last; i++)
		if (expected[i] != actual[from + i - first])
			return 0
	return 1
}

FILENAME == ARGV[1] { expected[++wanted] = $0; next }
{ actual[++had] = $0 }

END {
	at = 1
	anchored = 1
	for (first = 1; first <= wanted + 1; first = last + 2) {
		for (last = first - 1; last < wanted && expected[last + 1] != "..."; last++)
			;
		size = last - first + 1
		is_end = last == wanted
		if (is_end && !anchored)
			at = had - size + 1 > at ? had - size + 1 : at
		while (!anchored && !is_end && at + size - 1 <= had && !same_at(at, first, last))
			at++
		if (at + size - 1 > had || !same_at(at, first, last) || (is_end && at + size - 1 != had))
			exit 1
		at += size
		anchored = 0
		if (is_end)
			exit 0
	}
	exit 0
}
