#include "rule_effect.h"

#include <peerwall/bug.h>

/* Those that iptables-extensions(8) says to end nothing and change nothing that any match here asks for. */
static enum rule_effect extension_effect(const struct match *target)
{
	switch (target->module) {
	case MODULE_T_LOG:
	case MODULE_T_NFLOG:
	case MODULE_T_TRACE:
	case MODULE_T_TCPMSS:
	case MODULE_T_CHECKSUM:
	case MODULE_T_CLASSIFY:
	case MODULE_T_DSCP:
	case MODULE_T_TOS:
	case MODULE_T_TEE:
	case MODULE_T_AUDIT:
	case MODULE_T_ECN:
	case MODULE_T_CONNSECMARK:
		return EFFECT_NONE;
	case MODULE_T_SET:
		vec_each(option, &target->options)
			if (option->id == OPTION_T_SET_MAP)
				return EFFECT_UNKNOWN;
		return EFFECT_NONE;
	case MODULE_T_CT:
		vec_each(option, &target->options)
			if (option->id == OPTION_T_CT_NOTRACK)
				return EFFECT_NOTRACK;
		return EFFECT_TEMPLATE;
	case MODULE_T_NOTRACK:
		return EFFECT_NOTRACK;
	case MODULE_T_REJECT:
		return EFFECT_DROP;
	case MODULE_T_MARK:
		return EFFECT_MARK;
	case MODULE_T_TTL:
	case MODULE_T_HL:
		return EFFECT_HOPS;
	case MODULE_T_CONNMARK:
		return EFFECT_CONNMARK;
	case MODULE_T_DNAT:
	case MODULE_T_REDIRECT:
		return EFFECT_DNAT;
	case MODULE_T_SNAT:
	case MODULE_T_MASQUERADE:
		return EFFECT_SNAT;
	case MODULE_T_NETMAP:
		return EFFECT_NETMAP;
	default:
		return EFFECT_UNKNOWN;
	}
}

enum rule_effect rule_effect(const struct rule *rule)
{
	if (rule->opaque)
		return EFFECT_UNKNOWN;
	switch (rule->target.kind) {
	case TARGET_NONE:
		return EFFECT_NONE;
	case TARGET_ACCEPT:
		return EFFECT_ACCEPT;
	case TARGET_DROP:
		return EFFECT_DROP;
	case TARGET_RETURN:
		return EFFECT_RETURN;
	case TARGET_JUMP:
		return EFFECT_JUMP;
	case TARGET_GOTO:
		return EFFECT_GOTO;
	case TARGET_EXTENSION:
		return extension_effect(&rule->target.extension);
	}
	BUG("target %d", (int)rule->target.kind);
}

bool rule_may_rewrite(const struct rule *rule)
{
	if (rule->opaque || rule->target.kind != TARGET_EXTENSION)
		return rule->opaque;
	switch (rule->target.extension.module) {
	case MODULE_T_NFQUEUE:
	case MODULE_T_QUEUE:
	case MODULE_OPAQUE:
		return true;
	default:
		return false;
	}
}

const struct option *target_option(const struct rule *rule, enum option_id id)
{
	vec_each(option, &rule->target.extension.options)
		if (option->id == id)
			return option;
	return NULL;
}
