# Writes a rule set of a given shape and size, always the same one, as iptables-save would:
#
#   awk -v shape=kube -v rules=10000 -v family=4 -f generate.awk
#
# kube       services of a cluster: chains that jump to chains that translate, picked by chance
# docker     published containers, 500 on a bridge
# bridges    the same, five on a bridge: very many interfaces
# acl        networks, ports and verdicts at random, in one chain
# blocklist  addresses and networks that are dropped
# campus     who of a set of networks may reach which other: no two rules alike, and all overlap

# Park and Miller's generator: the same numbers with every awk.
function random(limit) {
	seed = (seed * 16807) % 2147483647
	return seed % limit
}

function power(n,    value) {
	for (value = 1; n > 0; n--)
		value *= 2
	return value
}

# The address with that number in the network, which is two bytes of IPv4; for IPv6 these are a word behind a prefix.
function host(network, number,    part) {
	split(network, part, ".")
	if (family == 6)
		return sprintf("fd00:%d:0:%d::%x", part[1], part[2], number)
	return sprintf("%s.%d.%d", network, int(number / 256), number % 256)
}

function single(address) {
	return address (family == 6 ? "/128" : "/32")
}

# A random prefix, of between `shortest` and 16 bits below the first 16.
function random_prefix(network, shortest,    bits, size) {
	bits = shortest + random(17 - shortest)
	size = power(16 - bits)
	return host(network, int(random(65536) / size) * size) "/" (family == 6 ? 112 + bits : 16 + bits)
}

function table(name) {
	print "*" name
}

function chain(name, policy) {
	printf ":%s %s [0:0]\n", name, policy
}

function rule(words) {
	print "-A " words
	written++
}

function commit() {
	print "COMMIT"
}

# ---- kube ----

function service_name(n) {
	return sprintf("SVC-%08d", n)
}

function endpoint_name(n, e) {
	return sprintf("SEP-%08d-%d", n, e)
}

function kube(    services, n, e, endpoints, address, port, svc) {
	endpoints = 3
	services = int((rules - 10) / (1.25 + 3 * endpoints))
	table("nat")
	chain("PREROUTING", "ACCEPT")
	chain("OUTPUT", "ACCEPT")
	chain("POSTROUTING", "ACCEPT")
	chain("KUBE-SERVICES", "-")
	chain("KUBE-NODEPORTS", "-")
	chain("KUBE-MARK-MASQ", "-")
	for (n = 0; n < services; n++) {
		chain(service_name(n), "-")
		for (e = 0; e < endpoints; e++)
			chain(endpoint_name(n, e), "-")
	}
	rule("PREROUTING -m comment --comment \"service portals\" -j KUBE-SERVICES")
	rule("OUTPUT -m comment --comment \"service portals\" -j KUBE-SERVICES")
	rule("POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE")
	rule("KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000")
	for (n = 0; n < services; n++) {
		svc = service_name(n)
		port = 1024 + n % 5000
		rule("KUBE-SERVICES -d " single(host("10.96", n)) " -p tcp -m comment --comment \"ns/app-" n \
		     " cluster IP\" -m tcp --dport " port " -j " svc)
		if (n % 4 == 0)
			rule("KUBE-NODEPORTS -p tcp -m comment --comment ns/app-" n " -m tcp --dport " \
			     (30000 + int(n / 4)) " -j " svc)
		for (e = 0; e < endpoints; e++) {
			address = host("10.244", (n * endpoints + e) % 65536)
			rule(svc (e == endpoints - 1 ? "" : " -m statistic --mode random --probability 0." \
			     (e ? "50000000000" : "33333333349")) " -j " endpoint_name(n, e))
			rule(endpoint_name(n, e) " -s " single(address) " -j KUBE-MARK-MASQ")
			rule(endpoint_name(n, e) " -p tcp -m tcp -j DNAT --to-destination " \
			     (family == 6 ? "[" address "]" : address) ":" port)
		}
	}
	rule("KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
	commit()
	table("filter")
	chain("INPUT", "ACCEPT")
	chain("FORWARD", "DROP")
	chain("OUTPUT", "ACCEPT")
	chain("KUBE-FORWARD", "-")
	rule("FORWARD -j KUBE-FORWARD")
	rule("KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP")
	rule("KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT")
	rule("KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
	rule("FORWARD -s " host("10.244", 0) (family == 6 ? "/112" : "/16") " -j ACCEPT")
	rule("FORWARD -d " host("10.244", 0) (family == 6 ? "/112" : "/16") " -j ACCEPT")
	commit()
}

# ---- docker ----

function bridge_of(n, each) {
	return sprintf("br-%08x", int(n / each))
}

function docker(each,    containers, bridges, n, bridge, address) {
	containers = int((rules - 6) / (3 + 6 / each))
	bridges = int((containers + each - 1) / each)
	table("nat")
	chain("PREROUTING", "ACCEPT")
	chain("OUTPUT", "ACCEPT")
	chain("POSTROUTING", "ACCEPT")
	chain("DOCKER", "-")
	rule("PREROUTING -m addrtype --dst-type LOCAL -j DOCKER")
	rule("OUTPUT ! -d " (family == 6 ? "::1/128" : "127.0.0.0/8") " -m addrtype --dst-type LOCAL -j DOCKER")
	for (n = 0; n < containers; n++) {
		bridge = bridge_of(n, each)
		address = host("172.20", n + 2)
		if (n % each == 0)
			rule("DOCKER -i " bridge " -j RETURN")
		rule("DOCKER ! -i " bridge " -p tcp -m tcp --dport " (1024 + n) " -j DNAT --to-destination " \
		     (family == 6 ? "[" address "]" : address) ":" (n % 3 ? 80 : 5432))
		rule("POSTROUTING -s " single(address) " -d " single(address) " -p tcp -m tcp --dport " \
		     (n % 3 ? 80 : 5432) " -j MASQUERADE")
	}
	commit()
	table("filter")
	chain("INPUT", "ACCEPT")
	chain("FORWARD", "DROP")
	chain("OUTPUT", "ACCEPT")
	chain("DOCKER", "-")
	chain("DOCKER-ISOLATION-STAGE-1", "-")
	chain("DOCKER-ISOLATION-STAGE-2", "-")
	rule("FORWARD -j DOCKER-ISOLATION-STAGE-1")
	for (n = 0; n < containers; n += each) {
		bridge = bridge_of(n, each)
		rule("FORWARD -o " bridge " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
		rule("FORWARD -o " bridge " -j DOCKER")
		rule("FORWARD -i " bridge " -j ACCEPT")
		rule("DOCKER-ISOLATION-STAGE-1 -i " bridge " ! -o " bridge " -j DOCKER-ISOLATION-STAGE-2")
		rule("DOCKER-ISOLATION-STAGE-2 -o " bridge " -j DROP")
	}
	for (n = 0; n < containers; n++)
		rule("DOCKER -d " single(host("172.20", n + 2)) " ! -i " bridge_of(n, each) " -o " bridge_of(n, each) \
		     " -p tcp -m tcp --dport " (n % 3 ? 80 : 5432) " -j ACCEPT")
	commit()
}

# ---- one chain ----

function filter_begin(policy) {
	table("filter")
	chain("INPUT", "ACCEPT")
	chain("FORWARD", policy)
	chain("OUTPUT", "ACCEPT")
	rule("FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
}

function acl(    protocol, lo) {
	filter_begin("DROP")
	while (written < rules) {
		protocol = random(3) ? "tcp" : "udp"
		lo = 1 + random(60000)
		rule("FORWARD -s " random_prefix("10.1", 4) " -d " random_prefix("10.2", 4) " -p " protocol \
		     (random(4) ? " -m " protocol " --dport " (random(5) ? lo : lo ":" (lo + random(5000))) : "") \
		     " -j " (random(3) ? "ACCEPT" : "DROP"))
	}
	commit()
}

function blocklist(    n) {
	filter_begin("ACCEPT")
	while (written < rules) {
		n = written % 2 ? "INPUT" : "FORWARD"
		rule(n " -s " (random(4) ? single(host(100 + random(60) "." random(200), random(65536))) : \
			       random_prefix(100 + random(60) "." random(200), 6)) " -j DROP")
	}
	commit()
}

function campus(    networks, from, to, ports, n) {
	networks = 1
	while (networks * (networks - 1) < rules - 1)
		networks++
	ports = split("22 25 53 80 123 143 389 443 445 587 636 993 3306 3389 5432 8080", port, " ")
	filter_begin("DROP")
	for (from = 0; from < networks; from++)
		for (to = 0; to < networks && written < rules; to++) {
			if (from == to)
				continue
			n = random(ports) + 1
			rule("FORWARD -s " host("10.20", from * 256) (family == 6 ? "/120" : "/24") " -d " \
			     host("10.20", to * 256) (family == 6 ? "/120" : "/24") " -p tcp -m tcp --dport " \
			     port[n] (n % 4 ? "" : ":" (port[n] + 100)) " -j ACCEPT")
		}
	commit()
}

BEGIN {
	seed = 20240229
	written = 0
	print "# Generated: " shape ", IPv" family ", " rules " rules"
	if (shape == "kube")
		kube()
	else if (shape == "docker")
		docker(500)
	else if (shape == "bridges")
		docker(5)
	else if (shape == "acl")
		acl()
	else if (shape == "blocklist")
		blocklist()
	else if (shape == "campus")
		campus()
	else {
		print "generate.awk: no shape " shape >"/dev/stderr"
		exit 1
	}
}
