"""Starts one child process that cannot outlive its parent; run as a script, never imported by the service.

Usage: ``python -I -S launch.py PARENT_PID SIGNAL SHED -- COMMAND ARGUMENT…``. The kernel sends SIGNAL to the command
when the thread that started it ends, SIGKILL included (Linux; elsewhere stale children are ended by the next start).
SHED says how root is shed, which PostgreSQL demands: ``no``, ``namespace`` (a user namespace of its own), or a user id.
A script between fork and exec, because code in a forked copy of a threaded process can deadlock.
Imports the standard library alone, so that it costs ten milliseconds.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NO_ROOM = 71
"""Exit status when a wanted protection is refused by the kernel."""


def _fail(what: str) -> None:
    number = ctypes.get_errno()
    print(f"launch: {what}: {os.strerror(number)}", file=sys.stderr)
    sys.exit(NO_ROOM)


def shed_root(how: str, libc: ctypes.CDLL) -> None:
    """Become someone other than root, as ``how`` says; ends the process if the kernel refuses."""
    if how == "namespace":
        if libc.unshare(CLONE_NEWUSER) != 0:
            _fail("a user namespace is refused")
    elif how != "no":
        user = int(how)
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def main(arguments: list[str]) -> None:
    """Shed root, tie the life of this process to its parent's, and become the command."""
    parent, signal, how, dashes, *command = arguments
    if dashes != "--" or not command:
        sys.exit("launch: usage: PARENT_PID SIGNAL SHED -- COMMAND ARGUMENT…")
    libc = ctypes.CDLL(None, use_errno=True)
    shed_root(how, libc)
    if sys.platform == "linux" and libc.prctl(PR_SET_PDEATHSIG, int(signal), 0, 0, 0) != 0:
        _fail("the parent's death cannot be watched")
    if os.getppid() != int(parent):
        sys.exit(0)  # the parent died before the line above could see it
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
