"""All sockets of the front in one epoll object, which the reactor sees as a single reader.

A socket that is a reader of the reactor by itself costs two system calls to change its mind and a walk through the reactor's log contexts for every
event; in here an event is a dictionary look-up and a call. The reactor is used by its public interfaces alone (IReactorFDSet, IReactorTime).

Level-triggered, but for those who ask otherwise. Nothing is opened before the first socket comes, and nothing is left when the last has gone.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

READABLE, WRITABLE, FAILED, HUNG_UP = 0x001, 0x004, 0x008, 0x010  # Linux's numbers; the names are missing from `select` elsewhere
GONE = FAILED | HUNG_UP  # always told, asked for or not
EXCLUSIVE = 1 << 28  # of several processes that wait for one listener, wake one
EDGE = 1 << 31  # told when something comes, not while something is there

BUFFER = 64 * 1024
BATCH = 256  # events of one look
LOOKS = 8  # in one turn of the reactor, while there are events


class Sink(Protocol):
    """Whose socket it is."""

    def event(self, events: int) -> None: ...

    def crashed(self) -> None:
        """`event` raised, which was logged: end, whatever state this is in."""


@implementer(IReadDescriptor)
class Loop:
    """`buffer` is what every socket is read into, seen as `view`: one for all, since nobody keeps what he is given."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._epoll: Any = None
        self._sinks: dict[int, Sink] = {}
        self._soon: list[Callable[[], None]] = []
        self.buffer = bytearray(BUFFER)
        self.view = memoryview(self.buffer)

    def add(self, descriptor: int, sink: Sink, events: int) -> None:
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.addReader(self)
        self._epoll.register(descriptor, events)
        self._sinks[descriptor] = sink

    def change(self, descriptor: int, events: int) -> None:
        self._epoll.modify(descriptor, events)

    def drop(self, descriptor: int) -> None:
        """Before the descriptor is closed."""
        del self._sinks[descriptor]
        self._epoll.unregister(descriptor)
        if not self._sinks:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None

    def soon(self, call: Callable[[], None]) -> None:
        """In the reactor's next turn, when nobody is in the middle of anything."""
        if not self._soon:
            self._reactor.callLater(0, self._catch_up)
        self._soon.append(call)

    def _catch_up(self) -> None:
        calls, self._soon = self._soon, []
        for call in calls:
            try:
                call()
            except Exception:  # noqa: BLE001 - the others must be called all the same
                self.log.failure("An end of a connection could not be told")

    # — the reactor tells —

    def doRead(self) -> None:
        sinks = self._sinks
        for _ in range(LOOKS):
            if self._epoll is None:
                return
            told = self._epoll.poll(0, BATCH)
            for descriptor, events in told:
                sink = sinks.get(descriptor)
                if sink is not None:
                    try:
                        sink.event(events)
                    except Exception:  # noqa: BLE001 - one connection's fault must not reach the others
                        self.log.failure("A connection failed and is closed")
                        sink.crashed()
            if len(told) < 2:
                return

    def fileno(self) -> int:
        return -1 if self._epoll is None else int(self._epoll.fileno())

    def logPrefix(self) -> str:
        return "front"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends; the sockets are closed by those who own them."""
