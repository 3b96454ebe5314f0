/*
 * rule_packets.h - which packets a rule matches, as a set.
 *
 * Purpose: reads every match that packetset.h has a field for, as the kernel's xt_*.c do; whatever else a rule asks
 * (a rate, a set of addresses, a MAC address) makes the answer inexact: the rule matches at most these.
 */
#ifndef PEERWALL_RULE_PACKETS_H
#define PEERWALL_RULE_PACKETS_H

#include <peerwall/packetset.h>
#include <peerwall/places.h>
#include <peerwall/ruleset.h>

#include <stdbool.h>

/* All values that rules speak of; before packet_space_close(). */
void packet_space_mention_rules(struct packet_space *space, const struct ruleset *ruleset);

/* What NETMAP does. False if the rule does not say for which network: then only `to` and `host` are set. */
bool address_mapping_of(struct address_mapping *out, const struct rule *rule);

enum tracking { TRACKING_NEW, TRACKING_UNTRACKED, TRACKING_INVALID, TRACKING_ESTABLISHED, TRACKING_RELATED };
#define TRACKING_COUNT 5

/* Where a rule is looked at: what is the same for all packets of a walk. */
struct vantage {
	const char *in;       /* "" behind OUTPUT: sent by the host itself */
	enum hook hook;
	enum tracking tracking;
	bool before_tracking; /* in raw: no state yet, but for what was taken out of tracking */
	uint32_t untracked;   /* in raw: what may have been taken out; marks do not count */
	uint32_t surely_untracked;
	uint32_t templated;   /* in raw: what a CT rule may have bespoken for tracking, and has */
	uint32_t surely_templated;
	bool translated;      /* DNAT has been at work: -d and --dport see what it made */
	bool resourced;       /* SNAT may have been at work: -s and --sport see what it made, which is not known */
	const struct places *places;
	bool hops_changed;    /* somebody may have changed the time to live */
	bool legacy;          /* the rules are iptables-legacy's; else they may be iptables-nft's */
};

/* Does conntrack know a connection there? */
bool vantage_is_tracked(const struct vantage *vantage);

struct matched {
	uint32_t packets;
	bool exact; /* false: some of these may not match; the others never do */
};

struct matched rule_packets(struct packet_space *space, const struct rule *rule, const struct vantage *vantage);

#endif
