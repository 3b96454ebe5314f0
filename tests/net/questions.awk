# From the topology's names, the grid's ports and pairs to questions. See grid.sh.
function ask(src, dst, family,  p, i, n, list) {
	if (address[src, family] == "-")
		return
	for (p in ports) {
		n = split(ports[p], list)
		for (i = 2; i <= n; i++)
			print space[src], p, address[src, family], address[dst, family], number(list[i], space[src], family)
	}
}
# Without ports, two namespaces that asked each other by the same protocol
# would be one connection: each has a protocol to itself.
function number(port, space, family) {
	if (port == "ping")
		return family == 4 ? 8 : 128
	if (port == "other")
		return family == 4 ? 13 : 139
	if (port != "any")
		return port
	if (!(space in protocol))
		protocol[space] = 240 + ++protocols
	return protocol[space]
}
$1 == "name" { space[$2] = $3; address[$2, 4] = $4; address[$2, 6] = $5 }
$1 == "ports" { ports[$2] = substr($0, 7) }
$1 == "pair" && index("," kinds ",", "," $2 ",") {
	n = split($3, from, ",")
	m = split($4, to, ",")
	for (i = 1; i <= n; i++)
		for (j = 1; j <= m; j++) {
			ask(from[i], to[j], 4)
			ask(from[i], to[j], 6)
		}
}
