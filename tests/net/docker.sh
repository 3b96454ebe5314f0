# shellcheck shell=bash
# Docker's rules for a bridge with one container, as its versions lay them out.
#
# Set before topology_up: docker, one of docker_versions. "20" stands for 20.10, 23 and all through 27, which lay
# them out alike. All is written anew from Docker's documentation of its rules and its sources; check_documented
# holds it against that documentation.

bridge_name="br-5f2c0a1b77e1"
docker=20
docker_versions="20 28.0.0 28.2.2 29.0.0"
# PROTOCOL:PORT OF THE HOST:PORT OF THE CONTAINER
docker_published="tcp:873:873 tcp:8081:80 tcp:8096:8096 udp:9000:9000"

# The one version that has its bridges' networks in sets.
docker_sets() {
	[ $docker = 28.0.0 ] || return 0
	in_ns host ipset create docker-ext-bridges-v4 hash:net
	in_ns host ipset create docker-ext-bridges-v6 hash:net family inet6
	in_ns host ipset add docker-ext-bridges-v4 172.18.0.0/16
	in_ns host ipset add docker-ext-bridges-v6 fd00:18::/64
}

# each_published RULE: once for each port that is published, PROTO, ON_HOST and IN_CONTAINER standing for what they say.
each_published() {
	local spec proto from to rule
	for spec in $docker_published; do
		IFS=: read -r proto from to <<<"$spec"
		rule=${1//PROTO/-p $proto -m $proto --dport}
		rule=${rule//ON_HOST/$from}
		echo "${rule//IN_CONTAINER/$to}"
	done
}

# docker_rules 4|6 NETWORK CONTAINER LOOPBACK TARGET: the tables as $docker lays them out.
docker_rules() {
	local family=$1 container=$3 br=$bridge_name
	docker_nat "$2" "$3" "$4" "$5"
	echo "*filter"
	echo ":FORWARD DROP [0:0]"
	echo ":DOCKER - [0:0]"
	echo ":DOCKER-USER - [0:0]"
	echo "-A FORWARD -j DOCKER-USER"
	each_published "-A DOCKER -d $container ! -i $br -o $br PROTO IN_CONTAINER -j ACCEPT"
	case $docker in
	20) docker_filter_20 ;;
	28.0.0) docker_filter_28_0 ;;
	28.2.2) docker_isolation && docker_filter_29 DOCKER-ISOLATION-STAGE-1 ;;
	29.0.0) echo ":DOCKER-INTERNAL - [0:0]" && docker_filter_29 DOCKER-INTERNAL ;;
	esac
	echo "COMMIT"
	docker_raw
}

# docker_nat NETWORK CONTAINER LOOPBACK TARGET
docker_nat() {
	local br=$bridge_name
	echo "*nat"
	echo ":DOCKER - [0:0]"
	echo "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
	echo "-A OUTPUT ! -d $3 -m addrtype --dst-type LOCAL -j DOCKER"
	echo "-A POSTROUTING -s $1 ! -o $br -j MASQUERADE"
	[ $docker != 20 ] || each_published "-A POSTROUTING -s $2 -d $2 PROTO IN_CONTAINER -j MASQUERADE"
	[ $docker = 29.0.0 ] || echo "-A DOCKER -i $br -j RETURN"
	each_published "-A DOCKER ! -i $br PROTO ON_HOST -j DNAT --to-destination $4:IN_CONTAINER"
	echo "COMMIT"
}

# What comes from one bridge does not go to another.
docker_isolation() {
	echo ":DOCKER-ISOLATION-STAGE-1 - [0:0]"
	echo ":DOCKER-ISOLATION-STAGE-2 - [0:0]"
	echo "-A DOCKER-ISOLATION-STAGE-1 -i $br ! -o $br -j DOCKER-ISOLATION-STAGE-2"
	[ $docker != 20 ] || echo "-A DOCKER-ISOLATION-STAGE-1 -j RETURN"
	echo "-A DOCKER-ISOLATION-STAGE-2 -o $br -j DROP"
	[ $docker != 20 ] || echo "-A DOCKER-ISOLATION-STAGE-2 -j RETURN"
}

# A block of FORWARD for each bridge; what is not published is left to others.
docker_filter_20() {
	docker_isolation
	echo "-A FORWARD -j DOCKER-ISOLATION-STAGE-1"
	echo "-A FORWARD -o $br -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
	echo "-A FORWARD -o $br -j DOCKER"
	echo "-A FORWARD -i $br ! -o $br -j ACCEPT"
	echo "-A FORWARD -i $br -o $br -j ACCEPT"
	echo "-A DOCKER-USER -j RETURN"
}

# FORWARD asks sets; what is not published is dropped.
docker_filter_28_0() {
	local to_bridges="-m set --match-set docker-ext-bridges-v$family dst"
	docker_isolation
	echo "-A FORWARD $to_bridges -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
	echo "-A FORWARD -j DOCKER-ISOLATION-STAGE-1"
	echo "-A FORWARD $to_bridges -j DOCKER"
	echo "-A FORWARD -i $br -j ACCEPT"
	echo "-A DOCKER ! -i $br -o $br -j DROP"
	echo "-A DOCKER-USER -j RETURN"
}

# Chains in place of sets. $1 is where traffic between bridges ends.
docker_filter_29() {
	echo ":DOCKER-FORWARD - [0:0]"
	echo ":DOCKER-CT - [0:0]"
	echo ":DOCKER-BRIDGE - [0:0]"
	echo "-A FORWARD -j DOCKER-FORWARD"
	echo "-A DOCKER-FORWARD -j DOCKER-CT"
	echo "-A DOCKER-FORWARD -j $1"
	echo "-A DOCKER-FORWARD -j DOCKER-BRIDGE"
	echo "-A DOCKER-FORWARD -i $br -j ACCEPT"
	echo "-A DOCKER-CT -o $br -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
	echo "-A DOCKER-BRIDGE -o $br -j DOCKER"
	echo "-A DOCKER ! -i $br -o $br -j DROP"
}

# Nobody else reaches the container by its own address: its published ports in 28.0, all of it later.
docker_raw() {
	[ $docker != 20 ] || return 0
	echo "*raw"
	if [ $docker = 28.0.0 ]; then
		each_published "-A PREROUTING -d $container ! -i $br PROTO IN_CONTAINER -j DROP"
	else
		echo "-A PREROUTING -d $container ! -i $br -j DROP"
	fi
	echo "COMMIT"
}

# What a starting Docker does where its rules are loaded already: its jumps are put
# in anew, in front of all others in filter, behind them in nat.
docker_again() {
	local family
	for family in 4 6; do
		{
			"save$family" -t filter | awk '
				/^\*|^COMMIT/ { order[++n] = $0 }
				/^-A FORWARD .*(DOCKER|docker-|br-)/ { jump[++m] = $0 }
				END {
					print order[1]
					for (i = 1; i <= m; i++) {
						sub(/^-A/, "-D", jump[i])
						print jump[i]
					}
					for (i = m; i > 0; i--) {
						sub(/^-D FORWARD/, "-I FORWARD 1", jump[i])
						print jump[i]
					}
					print order[n]
				}'
			"save$family" -t nat | awk '
				/^\*|^COMMIT/
				/^-A PREROUTING .*-j DOCKER/ { print "-D" substr($0, 3); print }'
		} | "restore$family"
	done
}
