/* Frames with right checksums, sent from the far end of a veth pair. */
#include "kernel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17, IP_ICMP6 = 58 };

static uint32_t sum_words(uint32_t sum, const uint8_t *bytes, unsigned size)
{
	for (unsigned i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	return size % 2 ? sum + (uint32_t)(bytes[size - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 791 and RFC 8200: addresses, length and protocol, as the checksums above them want it. */
static uint32_t pseudo_sum(const struct packet *packet, unsigned size)
{
	unsigned bytes = family_bits(packet->family) / 8;
	uint32_t sum = sum_words(0, packet->source.lo.bytes, bytes);

	return sum_words(sum, packet->destination.lo.bytes, bytes) + size + packet->protocol;
}

static void write_transport(uint8_t *at, const struct packet *packet, unsigned size, unsigned identifier)
{
	unsigned checksum_at = 0;
	bool pseudo = true;

	if (packet_has_ports(packet)) {
		put16(at, packet->source_port.lo);
		put16(at + 2, packet->destination_port.lo);
	}
	if (packet->protocol == IP_TCP) {
		put16(at + 6, identifier);
		at[12] = 5 << 4;
		at[13] = packet->tcp_flags;
		put16(at + 14, 8192);
		checksum_at = 16;
	} else if (packet->protocol == IP_UDP) {
		put16(at + 4, size);
		checksum_at = 6;
	} else if (packet_is_icmp(packet)) {
		at[0] = packet->icmp_type;
		at[1] = packet->icmp_code;
		put16(at + 4, identifier);
		checksum_at = 2;
		pseudo = packet->family == FAMILY_IPV6;
	} else {
		return;
	}
	put16(at + checksum_at, fold(sum_words(pseudo ? pseudo_sum(packet, size) : 0, at, size)));
}

static unsigned write_header4(uint8_t *at, const struct packet *packet, unsigned identifier)
{
	at[0] = 0x45;
	put16(at + 2, packet->length);
	put16(at + 4, identifier);
	at[8] = packet->ttl;
	at[9] = packet->protocol;
	memcpy(at + 12, packet->source.lo.bytes, 4);
	memcpy(at + 16, packet->destination.lo.bytes, 4);
	put16(at + 10, fold(sum_words(0, at, 20)));
	return 20;
}

/* The identifier is the flow's label, so that packets can be told apart as those of IPv4. */
static unsigned write_header6(uint8_t *at, const struct packet *packet, unsigned identifier)
{
	at[0] = 0x60;
	put16(at + 2, identifier);
	put16(at + 4, packet->length - 40u);
	at[6] = packet->protocol;
	at[7] = packet->ttl;
	memcpy(at + 8, packet->source.lo.bytes, 16);
	memcpy(at + 24, packet->destination.lo.bytes, 16);
	return 40;
}

unsigned wire_frame(uint8_t *frame, const struct wire *wire, const struct packet *packet, unsigned identifier)
{
	static const uint8_t sender[6] = {2, 0, 0, 0, 0, 9};
	bool v4 = packet->family == FAMILY_IPV4;
	unsigned header;

	memset(frame, 0, ETH_HLEN + (size_t)packet->length);
	memcpy(frame, wire->destination, 6);
	memcpy(frame + 6, sender, 6);
	put16(frame + 12, v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	header = v4 ? write_header4(frame + ETH_HLEN, packet, identifier) : write_header6(frame + ETH_HLEN, packet, identifier);
	write_transport(frame + ETH_HLEN + header, packet, packet->length - header, identifier);
	return ETH_HLEN + packet->length;
}

static bool enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;

	if (fd >= 0)
		close(fd);
	if (!ok)
		perror(path);
	return ok;
}

static bool hardware_address(const char *interface, uint8_t out[6])
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
	ok = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0;
	memcpy(out, request.ifr_hwaddr.sa_data, 6);
	close(fd);
	return ok;
}

bool wire_open(struct wire *out, const char *namespace, const char *interface, const char *host_interface)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	bool ok = hardware_address(host_interface, out->destination) && enter(namespace);

	if (ok) {
		out->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		out->index = (int)if_nametoindex(interface);
		ok = out->fd >= 0 && out->index;
	}
	ok &= setns(home, CLONE_NEWNET) == 0;
	close(home);
	return ok;
}

bool wire_send(const struct wire *wire, const uint8_t *frame, unsigned size)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = wire->index, .sll_halen = 6};

	memcpy(to.sll_addr, frame, 6);
	return sendto(wire->fd, frame, size, 0, (struct sockaddr *)&to, sizeof to) == (ssize_t)size;
}
