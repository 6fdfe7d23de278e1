"""A front worker as the main process sees it: spawned, given orders, listened to, and known to be gone.

Spawned with posix_spawn (no path, uid or gid is given; a fork beside gRPC's threads may abort), with its control pipe and the listening sockets
as its only descriptors beside the three usual ones, and with a handful of environment variables.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from hsadmin.front.listeners import ListenSpec
from hsadmin.front.wire import FIRST_DOOR, ORDERS, TALES, Done, Heard, Order, Report, Said, Tale, Up, WireFault, frame, tales
from hsadmin.system.moment import Moment

COMMAND = (sys.executable, "-P", "-m", "hsadmin.front.worker")
INHERITED = frozenset({"PATH", "TZ", "LANG", "LC_ALL", "PYTHONPATH"})
LONGEST_LINE = 4096


class Owner(Protocol):
    """Whoever has members."""

    def reported(self, member: Member, report: Report) -> None: ...

    def ended(self, member: Member) -> None:
        """Once, the last call; everything it had told was heard before."""


class Member(ProcessProtocol):
    """`number` is its own among all workers there ever were; `up` comes once it listens, `gone` when it is no more."""

    transport: IProcessTransport | None
    log = Logger()

    def __init__(self, number: int, owner: Owner) -> None:
        self.number = number
        self.up, self.gone = Moment(), Moment()
        self.silent = 0  # looks at it without a word from it
        self.last_words = ""
        self.pid = 0
        self._owner = owner
        self._tales = tales()
        self._orders = count(1)
        self._undone: dict[int, Deferred[None]] = {}
        self._deaf = False

    def spawn(self, reactor: Any, listeners: Sequence[ListenSpec], environ: Mapping[str, str]) -> None:
        """Raises OSError."""
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            doors = {FIRST_DOOR + at: spec.socket.fileno() for at, spec in enumerate(listeners)}
            environment = {name: value for name, value in environ.items() if name in INHERITED}
            reactor.spawnProcess(
                self, COMMAND[0], COMMAND, environment, childFDs={0: null, 1: "r", 2: "r", ORDERS: "w", TALES: "r", **doors}
            )
        finally:
            os.close(null)

    def order(self, kind: Callable[..., Order], **values: Any) -> Deferred[None]:
        """Fires once it is carried out, or the worker is gone."""
        number = next(self._orders)
        done: Deferred[None] = Deferred()
        self._undone[number] = done
        self._write(kind(number=number, **values))
        return done

    @property
    def settled(self) -> bool:
        return not self._undone

    def kill(self) -> None:
        if self.transport is not None and not self.gone.come:
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess("KILL")

    def _write(self, order: Order) -> None:
        if self._deaf or self.gone.come:
            return
        assert self.transport is not None, "spawn() comes first"
        self.transport.writeToChild(ORDERS, frame(order))

    # — Twisted calls —

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.pid = self.transport.pid or 0

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD != TALES:
            self._muttered(data)
            return
        self.silent = 0
        try:
            for tale in self._tales.feed(data):
                self._hear(tale)
        except WireFault as fault:
            self.log.critical("Front worker {pid} says what is no report ({fault}); it is replaced.", pid=self.pid, fault=str(fault))
            self.kill()

    def childConnectionLost(self, childFD: int) -> None:
        if childFD == ORDERS:
            self._deaf = True

    def processExited(self, reason: Failure) -> None:
        self._deaf = True

    def processEnded(self, reason: Failure) -> None:
        self._deaf = True
        undone, self._undone = self._undone, {}
        self._owner.ended(self)
        self.gone.set()
        for done in undone.values():
            done.callback(None)

    # — tales —

    def _hear(self, tale: Tale) -> None:
        match tale:
            case Report():
                self._write(Heard(report=tale.number))
                self._owner.reported(self, tale)
            case Done():
                self._undone.pop(tale.number).callback(None)
            case Up():
                self.up.set()
            case Said():
                Logger(tale.namespace).emit(LogLevel.lookupByName(tale.level), "{text}", text=tale.text, worker=self.pid)

    def _muttered(self, data: bytes) -> None:
        """What Python itself prints when there is no log: at the start, or at a crash."""
        text = data[-LONGEST_LINE:].decode("utf-8", "backslashreplace").strip()
        if text:
            self.last_words = text.splitlines()[-1]
            self.log.warn("{text}", text=text, worker=self.pid)
