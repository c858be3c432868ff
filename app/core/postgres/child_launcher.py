"""Runs a program that dies when its parent does. A script, not a module to import.

Arguments: parent's pid, uid, gid, groups separated by commas (empty: stay who we
are), then the program and its arguments.

It becomes the program by `exec`, so the program is a direct child of whoever
started this. A separate interpreter does it because running Python between `fork`
and `exec` in a process with threads may deadlock.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Drop privileges, ask to be told of the parent's death, become the program."""
    parent, uid, gid, groups = sys.argv[1:5]
    program = sys.argv[5:]
    os.setsid()  # a terminal's Ctrl-C is for the owner, who then stops the server
    os.umask(0o077)
    os.chdir("/")
    if uid:
        os.setgroups([int(group) for group in groups.split(",") if group])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        # After the change of user: the kernel forgets the wish when credentials
        # change. SIGINT is PostgreSQL's fast shutdown.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):
        sys.exit("the parent process is gone already")
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
