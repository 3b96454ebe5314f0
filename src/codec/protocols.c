/*
 * Protocols by name and number: IANA's assignments under the names of Debian 12's /etc/protocols, which is
 * what iptables-save prints there. They are held here so that the same input gives the same text on any host.
 */
#include "words.h"

#include <peerwall/match_codec.h>

static const struct {
	uint8_t number;
	const char *name;
	const char *alias; /* NULL if it is only the name in other letters */
} protocols[] = {
	{1, "icmp", NULL},
	{2, "igmp", NULL},
	{3, "ggp", NULL},
	{4, "ipencap", "IP-ENCAP"},
	{5, "st", NULL},
	{6, "tcp", NULL},
	{8, "egp", NULL},
	{9, "igp", NULL},
	{12, "pup", NULL},
	{17, "udp", NULL},
	{20, "hmp", NULL},
	{22, "xns-idp", NULL},
	{27, "rdp", NULL},
	{29, "iso-tp4", NULL},
	{33, "dccp", NULL},
	{36, "xtp", NULL},
	{37, "ddp", NULL},
	{38, "idpr-cmtp", NULL},
	{41, "ipv6", NULL},
	{43, "ipv6-route", NULL},
	{44, "ipv6-frag", NULL},
	{45, "idrp", NULL},
	{46, "rsvp", NULL},
	{47, "gre", NULL},
	{50, "esp", "IPSEC-ESP"},
	{51, "ah", "IPSEC-AH"},
	{57, "skip", NULL},
	{58, "ipv6-icmp", NULL},
	{59, "ipv6-nonxt", NULL},
	{60, "ipv6-opts", NULL},
	{73, "rspf", "CPHB"},
	{81, "vmtp", NULL},
	{88, "eigrp", NULL},
	{89, "ospf", "OSPFIGP"},
	{93, "ax.25", NULL},
	{94, "ipip", NULL},
	{97, "etherip", NULL},
	{98, "encap", NULL},
	{103, "pim", NULL},
	{108, "ipcomp", NULL},
	{112, "vrrp", NULL},
	{115, "l2tp", NULL},
	{124, "isis", NULL},
	{132, "sctp", NULL},
	{133, "fc", NULL},
	{135, "mobility-header", NULL},
	{136, "udplite", NULL},
	{137, "mpls-in-ip", NULL},
	{138, "manet", NULL},
	{139, "hip", NULL},
	{140, "shim6", NULL},
	{141, "wesp", NULL},
	{142, "rohc", NULL},
	{143, "ethernet", NULL},
};

/* What iptables itself knows besides. */
static const struct {
	const char *name;
	uint8_t number;
} own_names[] = {{"icmpv6", 58}, {"ipv6-mh", 135}, {"mh", 135}, {"all", 0}};

const char *protocol_name(unsigned number)
{
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (protocols[i].number == number)
			return protocols[i].name;
	return NULL;
}

bool protocol_number(const char *name, size_t size, uint8_t *out)
{
	uint64_t number;

	if (number_read(name, size, UINT8_MAX, &number)) {
		*out = (uint8_t)number;
		return true;
	}
	for (size_t i = 0; i < sizeof own_names / sizeof *own_names; i++)
		if (word_equal_nocase(name, size, own_names[i].name)) {
			*out = own_names[i].number;
			return true;
		}
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (word_equal_nocase(name, size, protocols[i].name) ||
		    (protocols[i].alias && word_equal_nocase(name, size, protocols[i].alias))) {
			*out = protocols[i].number;
			return true;
		}
	return false;
}
