#include "translation.h"

#include "rule_effect.h"

struct translation translation_of(const struct rule *rule)
{
	struct translation translation = {0};
	const struct option *option;

	if (rule->opaque || rule->target.kind != TARGET_EXTENSION)
		return (struct translation){.unknown = true};
	switch (rule->target.extension.module) {
	case MODULE_T_DNAT:
		option = target_option(rule, OPTION_T_DNAT_TO);
		if (!option)
			return (struct translation){.unknown = true};
		translation.changes_dst = option->value.nat.has_addr;
		if (translation.changes_dst) {
			translation.dst_lo = addr_to_number(&option->value.nat.lo);
			translation.dst_hi = addr_to_number(&option->value.nat.hi);
		}
		translation.changes_dport = option->value.nat.has_port;
		translation.dport_lo = option->value.nat.port_lo;
		translation.dport_hi = option->value.nat.port_hi;
		return translation;
	case MODULE_T_REDIRECT:
		option = target_option(rule, OPTION_T_REDIRECT_TO_PORTS);
		translation.local = true;
		translation.changes_dport = option != NULL;
		if (option) {
			translation.dport_lo = option->value.range.lo;
			translation.dport_hi = option->value.range.hi;
		}
		return translation;
	default:
		return (struct translation){.unknown = true};
	}
}

bool translation_is_certain(const struct translation *translation)
{
	return !translation->unknown && !translation->local && translation->dst_lo == translation->dst_hi &&
	       translation->dport_lo == translation->dport_hi;
}

uint32_t translation_apply(struct packet_space *space, const struct translation *translation, uint32_t packets)
{
	uint32_t made = packets_forget(space, packets, FIELD_OUT);

	if (translation->unknown)
		return made;
	if (translation->changes_dst)
		made = packets_and(space, made,
				   packets_range(space, FIELD_NEW_DST, translation->dst_lo, translation->dst_hi));
	else
		made = packets_and(space, made,
				   translation->local ? packets_to_host(space) :
							packets_untouched(space, FIELD_DST, FIELD_NEW_DST));
	made = packets_and(space, made,
			   translation->changes_dport ?
				   packets_range(space, FIELD_NEW_DPORT, translation->dport_lo, translation->dport_hi) :
				   packets_untouched(space, FIELD_DPORT, FIELD_NEW_DPORT));
	return made;
}

uint32_t translation_leaves(struct packet_space *space, const struct translation *translation, uint32_t packets)
{
	if (translation->changes_dst)
		packets = packets_and(space, packets,
				      packets_range(space, FIELD_DST, translation->dst_lo, translation->dst_hi));
	if (translation->local)
		packets = packets_and(space, packets, packets_of_type(space, TYPE_LOCAL));
	if (translation->changes_dport)
		packets = packets_and(space, packets,
				      packets_range(space, FIELD_DPORT, translation->dport_lo, translation->dport_hi));
	return packets;
}

