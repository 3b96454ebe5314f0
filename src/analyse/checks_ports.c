/* Checks of the ports that a policy exposes. */
#include "checks_run.h"

/* A quarter of all ports. */
#define LARGE_RANGE 16384u

void check_large_port_range(struct check_run *run)
{
	vec_each(place, &run->permissions) {
		const struct service_set *services = &place->permission->services;

		if (place->permission->kind != PERMISSION_EXPOSE)
			continue;
		for (int i = 0; i < PROTOCOL_COUNT; i++) {
			uint32_t count = 0;

			vec_each(range, &services->ports[i].ranges)
				count += (uint32_t)range->hi - range->lo + 1;
			if (count >= LARGE_RANGE)
				diag_add(run->diags, CODE_LARGE_PORT_RANGE, services->span,
					 "%u ports of %s are exposed, whatever will listen there", count,
					 protocol_names[i]);
		}
	}
}

#define DOCKER_API_PORT 2375

void check_docker_api(struct check_run *run)
{
	vec_each(place, &run->permissions) {
		const struct service_set *services = &place->permission->services;

		if (place->permission->kind == PERMISSION_EXPOSE &&
		    port_set_contains(&services->ports[PROTOCOL_TCP], DOCKER_API_PORT))
			diag_add(run->diags, CODE_DOCKER_API_EXPOSED, services->span,
				 "tcp %d is Docker's control port without a password: whoever reaches it is root here",
				 DOCKER_API_PORT);
	}
}

struct sensitive_port {
	uint16_t port;
	const char *service;
};

/* Wider ranges are not about one program. */
#define NAMED_RANGE_MAX 1024u

static bool names_port(const struct port_set *ports, uint16_t port)
{
	vec_each(range, &ports->ranges)
		if (range->lo <= port && port <= range->hi)
			return (uint32_t)range->hi - range->lo < NAMED_RANGE_MAX;
	return false;
}

/* TCP; by number. What these say to whoever asks is seldom meant for more than the host's own programs. */
static const struct sensitive_port sensitive_ports[] = {
	{111, "the RPC portmapper"}, {2049, "NFS"},        {2379, "etcd"},           {2380, "etcd"},
	{3306, "MySQL"},             {3389, "RDP"},        {5432, "PostgreSQL"},     {5900, "VNC"},
	{6379, "Redis"},             {6443, "Kubernetes"}, {9200, "Elasticsearch"},  {10250, "the kubelet"},
	{11211, "memcached"},        {27017, "MongoDB"},
};

void check_sensitive_port(struct check_run *run)
{
	vec_each(place, &run->permissions) {
		const struct service_set *services = &place->permission->services;

		if (place->permission->kind != PERMISSION_EXPOSE)
			continue;
		for (size_t i = 0; i < sizeof sensitive_ports / sizeof *sensitive_ports; i++)
			if (names_port(&services->ports[PROTOCOL_TCP], sensitive_ports[i].port))
				diag_add(run->diags, CODE_SENSITIVE_PORT, services->span,
					 "tcp %u is the port of %s", sensitive_ports[i].port,
					 sensitive_ports[i].service);
	}
}
