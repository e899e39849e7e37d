"""terminal.py LINE... -- PROGRAM ARGUMENT...: runs a program at a terminal of its own, types a line
at each prompt that ends in ': ', and writes what the terminal shows. Exits as the program does, or
with 99 if the terminal does not show any more what is typed."""

import fcntl
import os
import pty
import select
import sys
import termios

split = sys.argv.index("--")
lines, program = sys.argv[1:split], sys.argv[split + 1:]
ours, theirs = pty.openpty()
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(theirs, fd)
    os.execv(program[0], program)

shown = b""
while True:
    ready, _, _ = select.select([ours], [], [], 0.05)
    if ready:
        shown += os.read(ours, 4096)
        if lines and shown.endswith(b": "):
            line = lines.pop(0)
            # Ctrl-C ends a line by itself
            os.write(ours, (line if line.endswith("\x03") else line + "\n").encode())
    elif os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        break
_, status = os.waitpid(child, 0)
sys.stdout.buffer.write(shown)
if not termios.tcgetattr(theirs)[3] & termios.ECHO:
    sys.exit(99)
sys.exit(os.waitstatus_to_exitcode(status))
