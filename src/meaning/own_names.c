/* The names of peerwall's own chains, and how its own jumps are known again. */
#include <peerwall/lower.h>

#include <string.h>

/*
 * "PW-wg1" and "PW-wg1/fwd" where the interface's name is plain. Names with other bytes, which would need quotes in a
 * chain's name or could not be told apart, are "PW=" and base64url (RFC 4648, without padding): 15 bytes
 * become 20, so "PW=" + 20 + "/" + 4 is 28, the most that a chain's name may have. No interface name
 * holds a "/", so the role never runs together with it.
 */
#define PLAIN_PREFIX OWN_CHAIN_PREFIX "-"
#define CODED_PREFIX OWN_CHAIN_PREFIX "="
#define PREFIX_SIZE 3

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_plain_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._+@-", c));
}

static bool is_plain(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!is_plain_byte(name[i]))
			return false;
	return size > 0;
}

static const char *encode(struct arena *arena, const char *name)
{
	size_t size = strlen(name), used = 0;
	char *text = arena_alloc(arena, size * 4 / 3 + 3);
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | (unsigned char)name[i];
		for (held += 8; held >= 6; held -= 6)
			text[used++] = base64url[bits >> (held - 6) & 63];
	}
	if (held)
		text[used++] = base64url[bits << (6 - held) & 63];
	text[used] = '\0';
	return text;
}

/* NULL if it is no encoding that encode() would make of a name that needs one. */
static const char *decode(struct arena *arena, const char *text, size_t size)
{
	char *name = arena_alloc(arena, size + 1);
	size_t used = 0;
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < size; i++) {
		const char *digit = memchr(base64url, text[i], sizeof base64url - 1);

		if (!digit)
			return NULL;
		bits = bits << 6 | (unsigned)(digit - base64url);
		held += 6;
		if (held >= 8) {
			held -= 8;
			name[used++] = (char)(bits >> held);
		}
	}
	name[used] = '\0';
	if (strlen(name) != used || used > INTERFACE_NAME_MAX || is_plain(name, used))
		return NULL;
	return used && strncmp(encode(arena, name), text, size) == 0 ? name : NULL;
}

const char *own_chain_name(struct arena *arena, const char *interface, const char *role)
{
	bool plain = is_plain(interface, strlen(interface));

	return arena_printf(arena, "%s%s%s%s", plain ? PLAIN_PREFIX : CODED_PREFIX,
			    plain ? interface : encode(arena, interface), *role ? "/" : "", role);
}

const char *own_chain_interface(struct arena *arena, const char *chain)
{
	const char *name = chain + PREFIX_SIZE, *slash;
	size_t size;

	if (strncmp(chain, PLAIN_PREFIX, PREFIX_SIZE) != 0 && strncmp(chain, CODED_PREFIX, PREFIX_SIZE) != 0)
		return NULL;
	slash = strchr(name, '/');
	size = slash ? (size_t)(slash - name) : strlen(name);
	if (chain[PREFIX_SIZE - 1] == '=')
		return decode(arena, name, size);
	return is_plain(name, size) && size <= INTERFACE_NAME_MAX ? arena_strndup(arena, name, size) : NULL;
}

static const char *rule_comment(const struct rule *rule)
{
	vec_each(match, &rule->matches)
		vec_each(option, &match->options)
			if (option->id == OPTION_COMMENT_COMMENT)
				return option->value.text;
	return NULL;
}

const char *own_jump_interface(struct arena *arena, const struct rule *rule)
{
	const char *comment, *interface;

	if (rule->opaque || (rule->target.kind != TARGET_JUMP && rule->target.kind != TARGET_GOTO))
		return NULL;
	comment = rule_comment(rule);
	if (!comment || strncmp(comment, OWN_COMMENT_PREFIX, strlen(OWN_COMMENT_PREFIX)) != 0)
		return NULL;
	interface = own_chain_interface(arena, rule->target.chain);
	return interface && strcmp(comment + strlen(OWN_COMMENT_PREFIX), interface) == 0 ? interface : NULL;
}
