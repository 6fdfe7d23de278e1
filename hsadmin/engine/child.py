"""A spawned process seen as lines and one end.

A pipe delivers chunks, not lines: what follows the last line end waits for more. A line may be anything (binary, 10 MB), so it is cut at
`LONGEST` bytes while it arrives and never held whole. The end is `processEnded`, when the pipes are closed too and the last words have
been read; but a grandchild that inherited a pipe may hold it open for ever, so the exit itself counts after a short grace.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from twisted.internet.error import AlreadyCalled, ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from hsadmin.engine.exits import Ending

LONGEST = 16 * 1024
GRACE = 1.0  # seconds for the pipes after the exit

STDERR = 2


class IChildReactor(IReactorProcess, IReactorTime):
    """What running a child needs of a reactor."""


class Splitter:
    """Chunks to lines, text always: bytes that are not UTF-8 become `\\xNN`, the rest of an overlong line becomes its count."""

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said = said
        self._held = bytearray()
        self._cut = 0

    def feed(self, chunk: bytes) -> None:
        *complete, rest = chunk.split(b"\n")
        for piece in complete:
            self._hold(piece)
            self._emit()
        self._hold(rest)

    def end(self) -> None:
        """Says what was begun and not ended."""
        if self._held:
            self._emit()

    def _hold(self, piece: bytes) -> None:
        room = LONGEST - len(self._held)
        self._held += piece[:room]
        self._cut += max(0, len(piece) - room)

    def _emit(self) -> None:
        text = self._held.decode("utf-8", "backslashreplace").rstrip("\r")
        if self._cut:
            text += f" … and {self._cut} bytes more"
        self._held.clear()
        self._cut = 0
        if text:
            self._said(text)


class Observer(Protocol):
    def said(self, text: str, faults: bool) -> None:
        """One line; `faults` when it came from stderr."""

    def ended(self, ending: Ending) -> None:
        """Once, after the last line."""


class Child(ProcessProtocol):
    """Give it to `reactor.spawnProcess`; `observer` hears every line and one end."""

    transport: IProcessTransport | None

    def __init__(self, reactor: IReactorTime, observer: Observer) -> None:
        self._reactor = reactor
        self._observer = observer
        self._pipes = {1: Splitter(lambda text: observer.said(text, False)), STDERR: Splitter(lambda text: observer.said(text, True))}
        self._grace: IDelayedCall | None = None
        self._over = False

    @property
    def pid(self) -> int | None:
        """None once it has exited."""
        return None if self.transport is None else self.transport.pid

    def signal(self, name: str) -> None:
        """Sends "TERM", "KILL" …; nothing when it is gone already."""
        if self.transport is None or self._over:
            return
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)

    def connectionMade(self) -> None:
        if self.transport is not None:
            self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if not self._over:
            self._pipes[childFD].feed(data)

    def processExited(self, reason: Failure) -> None:
        self._grace = self._reactor.callLater(GRACE, self._end, reason)

    def processEnded(self, reason: Failure) -> None:
        self._end(reason)

    def _end(self, reason: Failure) -> None:
        if self._over:
            return
        for pipe in self._pipes.values():
            pipe.end()
        self._over = True
        if self._grace is not None:
            try:
                self._grace.cancel()
            except AlreadyCalled:
                if self.transport is not None:
                    self.transport.loseConnection()
        self._observer.ended(_ending(reason))


def _ending(reason: Failure) -> Ending:
    value = reason.value
    if isinstance(value, ProcessTerminated):
        return Ending(signal=value.signal) if value.signal is not None else Ending(status=value.exitCode)
    return Ending(status=0 if isinstance(value, ProcessDone) else 1)
