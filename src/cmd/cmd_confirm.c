#include "confirmation.h"
#include "live_command.h"

static const char help[] =
	"usage: peerwall confirm [OPTION...]\n"
	"\n"
	"Keeps the change that `apply --confirm` or `down --confirm` has made, which would else be undone when its time is\n"
	"up. Best called through a new connection: that it can be made is what is being confirmed. Connections that were\n"
	"open before a change stay open whatever the new policy says.\n"
	"\n"
	"options:\n"
	LIVE_OPTIONS_HELP
	"\n"
	"exit status:\n"
	"  0   confirmed, or nothing waited: the last change is in force for good\n"
	"  2   the command line is wrong\n"
	"  3   there is no change to confirm, or it is not in force as a whole\n"
	"  5   no rights, no lock, no space\n"
	"  6   too late, but undoing it failed so far; why was said\n"
	"  12  too late: it was undone\n"
	"\n"
	"examples:\n"
	"  peerwall apply --confirm 60 /etc/peerwall/wg1.pw\n"
	"  ssh root@10.1.1.5 peerwall confirm            (from where one has to get in)\n";

static int run(int argc, char **argv)
{
	struct live_command command;
	int code = live_command_begin(&command, &cmd_confirm, 0, argc, argv);

	if (code == EXIT_FINE && command.operands.len > 0)
		code = usage_error(&cmd_confirm, "it takes no names: there is one change that waits, or none");
	if (code == EXIT_FINE)
		code = confirmation_keep(&command.options, 0);
	return live_command_end(&command, code);
}

const struct subcommand cmd_confirm = {"confirm", "keep a change that would else be undone", help, run};
