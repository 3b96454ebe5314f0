#include <peerwall/bug.h>
#include <peerwall/emit.h>
#include <peerwall/match_codec.h>

static void emit_command(struct strbuf *out, enum family family, const struct command *command)
{
	static const char *const words[] = {
		[COMMAND_APPEND] = "-A ", [COMMAND_INSERT] = "-I ", [COMMAND_DELETE] = "-D ",
		[COMMAND_ASSERT] = "-C ", [COMMAND_FLUSH] = "-F ",  [COMMAND_DELETE_CHAIN] = "-X ",
	};

	strbuf_adds(out, command->kind == COMMAND_CHAIN ? ":" : words[command->kind]);
	word_encode(out, command->chain);
	if (command->kind == COMMAND_CHAIN)
		strbuf_adds(out, " - [0:0]");
	if (command->kind == COMMAND_INSERT)
		strbuf_addf(out, " %u", command->position);
	if (command->rule) {
		strbuf_addc(out, ' ');
		rule_encode(out, family, command->rule);
	}
	strbuf_addc(out, '\n');
}

void emit_edit(struct strbuf *out, enum family family, const struct edit *edit)
{
	strbuf_addf(out, "*%s\n", table_names[edit->table]);
	vec_each(command, &edit->commands)
		emit_command(out, family, command);
	strbuf_adds(out, "COMMIT\n");
}

void emit_plan(struct strbuf *out, const struct plan *plan)
{
	vec_each(edit, &plan->edits)
		emit_edit(out, plan->family, edit);
}
