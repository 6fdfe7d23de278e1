"""A child that is run to its end: `go build`, `headscale version`.

Its output is bounded, its time too, and when it is overdue or nobody waits any more (the waiting coroutine was cancelled) it is killed,
and is gone before `run` returns: whoever removes its folder afterwards removes it for good. With `group` it leads a session of its own,
so that all its descendants are killed with it, and a Ctrl-C on the terminal is ours to judge and not theirs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

LIMIT = 64 * 1024

# spawnProcess makes no session without a slow fork: a small Python makes one, makes itself modest, and becomes the program.
LEADER = "import os, sys; os.setsid(); os.nice(10); os.execv(sys.argv[1], sys.argv[1:])"


class Finished(NamedTuple):
    """How a child ended: its exit status, or the negative number of the signal; the head of its stdout, the tail of its stderr."""

    status: int
    out: bytes
    err: bytes


class _Child(ProcessProtocol):
    transport: Any

    def __init__(self, on_line: Callable[[str], None], group: bool) -> None:
        self.finished: Deferred[Finished] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self._on_line = on_line
        self._group = group
        self._out = b""
        self._err = b""
        self._rest = b""

    def connectionMade(self) -> None:
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._out = (self._out + data)[:LIMIT]

    def errReceived(self, data: bytes) -> None:
        self._err = (self._err + data)[-LIMIT:]
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-LIMIT:]
        for line in lines:
            self._on_line(line.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        why: Any = reason.value
        status = why.exitCode if why.exitCode is not None else -(why.signal or 0)
        finished, self.finished = self.finished, Deferred()
        if not finished.called:
            finished.callback(Finished(status, self._out, self._err))
        self.gone.callback(None)

    def kill(self) -> None:
        pid = self.transport.pid
        if self._group and pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        self.transport.loseConnection()  # a descendant that escaped may hold the pipes' other ends


def _ignore(_line: str) -> None:
    pass


async def run(
    reactor: Any,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    deadline: float,
    group: bool = False,
    on_line: Callable[[str], None] = _ignore,
    python: str = sys.executable,
) -> Finished:
    """Runs the program `arguments[0]` (an absolute path) with exactly this environment; `on_line` gets each line of stderr.

    Raises OSError when it cannot be started, and `twisted.internet.defer.TimeoutError` after `deadline` seconds.
    """
    child = _Child(on_line, group)
    finished = child.finished
    argv = [python, "-I", "-S", "-c", LEADER, *arguments] if group else list(arguments)
    reactor.spawnProcess(child, argv[0], argv, env=dict(environment), childFDs={0: "w", 1: "r", 2: "r"})
    try:
        return await finished.addTimeout(deadline, reactor)
    finally:
        if not child.gone.called:
            child.kill()
            await child.gone
