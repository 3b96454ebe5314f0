# Holds answers against a declaration, prints what is not as declared. See grid.sh.
function names_of(list, names,  n, i, parts, count, k) {
	gsub(/anyhost/, "host,hosteth,hostbr,hostwg2", list)
	gsub(/peers/, "laptop,desk,friend", list)
	n = split(list, parts, ",")
	for (i = 1; i <= n; i++) {
		if (!(parts[i] in known)) {
			print "? ? ? ? ? | nobody is called " parts[i] " in: " $0
			continue
		}
		names[++count] = parts[i]
	}
	return count
}
function declare_ports(src, proto, dst, list, outcome, family,  n, i, parts, ends, p, found) {
	n = split(list, parts, ",")
	for (i = 1; i <= n; i++) {
		found = 0
		for (p in asked) {
			split(p, ends, SUBSEP)
			if (ends[1] != proto || !within(ends[2], parts[i]))
				continue
			found = 1
			if (family != "v6")
				want[src, proto, dst, ends[2], 4] = outcome
			if (family != "v4")
				want[src, proto, dst, ends[2], 6] = outcome
		}
		if (!found)
			print "? ? ? ? ? | the grid does not ask for " proto " " parts[i] " in: " $0
	}
}
function within(port, range,  ends) {
	if (range == "*" || port == range)
		return 1
	return split(range, ends, "-") == 2 && port + 0 >= ends[1] + 0 && port + 0 <= ends[2] + 0
}
function port_name(proto, port) {
	if (proto == "icmp")
		return port == 8 || port == 128 ? "ping" : "other"
	return proto == "raw" ? "any" : port
}
function fits(got, wanted) {
	# Foreign rules led these ports astray. What comes from elsewhere no longer
	# goes to a tunnel, and is none of our business. What comes from a tunnel
	# and may be forwarded need not arrive, but must not arrive elsewhere.
	if (state == "foreign" && (port == 9998 || port == 9999 || (src == "desk" && dst == "friend" && port == 22))) {
		if (!behind[src])
			return 1
		if (wanted != "silent" && (got == "silent" || got == "refused"))
			return 1
	}
	if (wanted == "closed")
		return got == "silent" || got == "refused" || got == "error EHOSTUNREACH"
	sub(/^open:/, "open ", wanted)
	return got == wanted
}
function undeclared() {
	# A foreign ACCEPT comes before the polite answer, and a link-local
	# address that Docker's DNAT leads astray gets one of routing.
	if (otherwise == "drop" && behind[src])
		return "silent"
	if (otherwise == "reject" && state != "foreign" && behind[src] && dst ~ /^host/ && dst != "hostll")
		return "refused"
	return "closed"
}
BEGIN {
	behind["laptop"] = behind["desk"] = behind["stranger"] = behind["friend"] = behind["far"] = behind["laptopll"] = 1
}
$1 == "name" {
	known[$2] = 1
	name[$4] = name[$5] = $2
	next
}
$1 == "ports" {
	protos[$2] = 1
	for (i = 3; i <= NF; i++)
		asked[$2, $i] = 1
	next
}
$1 == "rule" && $2 == "unaffected" {
	behind[$3] = 0
	next
}
$1 == "rule" {
	split("", from)
	split("", to)
	n = names_of($2, from)
	m = names_of($4, to)
	for (i = 1; i <= n; i++)
		for (j = 1; j <= m; j++)
			for (proto in protos)
				if ($3 == "*" || $3 == proto)
					declare_ports(from[i], proto, to[j], $5, $6, $7)
	next
}
{
	family = $3 ~ /:/ ? 6 : 4
	src = name[$3]
	dst = name[$4]
	port = port_name($2, $5)
	key = src SUBSEP $2 SUBSEP dst SUBSEP port SUBSEP family
	wanted = key in want ? want[key] : undeclared()
	got = $6 ($7 != "" ? " " $7 : "")
	if (!fits(got, wanted))
		print $1, $2, $3, $4, $5, "|", src, "to", dst, "(" $3 " to " $4 ")", $2, port ":", "wanted " wanted ", got " got
}
