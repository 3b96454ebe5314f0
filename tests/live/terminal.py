#!/usr/bin/env python3
"""terminal.py KEYS COMMAND...: runs a command on a terminal of its own, as a person does.

Each of KEYS is typed when the command has asked ("keep it?"); "early:" before them types the rest before that. "hangup"
closes the terminal instead. Prints what the terminal showed; leaves with the command's exit status.
"""
import os
import pty
import select
import signal
import sys
import time

keys, command = sys.argv[1], sys.argv[2:]
early = keys.startswith("early:")
keys = keys.removeprefix("early:")

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)

shown = b""
if early:
    os.write(terminal, keys.encode())
    keys = ""
limit = time.monotonic() + 30
while time.monotonic() < limit:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    if keys and b"keep it?" in shown:
        if keys == "hangup":
            os.close(terminal)
            break
        os.write(terminal, keys[0].encode())
        keys = keys[1:]
        time.sleep(0.3)
else:
    os.kill(pid, signal.SIGKILL)
sys.stdout.write(shown.decode(errors="replace"))
sys.stdout.flush()
status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
