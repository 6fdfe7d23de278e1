"""What a worker gives up for good, before it reads a byte from anybody.

It ends with the main process: the end of the control pipe tells it so, and on Linux the kernel kills one that is too busy to read. Signals for
the whole process group (Ctrl-C, a service manager's TERM) are for the main process, whose orders follow.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def deaf() -> None:
    """To signals that the main process acts on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def confine() -> None:
    """No file for others, no more privileges ever, no life after the main process."""
    os.umask(0o077)
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs cannot be set")
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
