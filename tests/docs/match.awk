# Is the second file what the first one says? A line "..." in the first stands for any number of lines, and "..." within a
# line for any part of one, such as a time. Each stretch between two of them is looked for as early as possible, which
# finds a match if there is one.
function line_is(shown, came,    count, parts, i, at) {
	count = split(shown, parts, /[.][.][.]/)
	if (count < 2 || shown == came)
		return shown == came
	if (substr(came, 1, length(parts[1])) != parts[1])
		return 0
	came = substr(came, length(parts[1]) + 1)
	for (i = 2; i < count; i++) {
		if (!(at = index(came, parts[i])) && parts[i] != "")
			return 0
		came = substr(came, (parts[i] == "" ? 1 : at) + length(parts[i]))
	}
	return length(came) >= length(parts[count]) && substr(came, length(came) - length(parts[count]) + 1) == parts[count]
}

function same_at(from, first, last,    i) {
	for (i = first; i <= last; i++)
		if (!line_is(expected[i], actual[from + i - first]))
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
