"""Signals: the stop is marked before any child's end is judged, and SIGHUP looks again at what may have changed outside.

Ctrl-C reaches the whole process group, so headscale may end by itself a moment after us. Python runs pending handlers in the order of their numbers,
and SIGINT and SIGTERM come before SIGCHLD; hence a mark set inside the handler, not by a later turn of the reactor, is always in time.
Twisted's own handlers are chained, so that twistd still ends by the signal it got.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.application.service import Service

Handler = Callable[[int, FrameType | None], Any]


class Signals(Service):
    """Installs the handlers once the reactor runs (Twisted installs its own at that moment), and puts back what it found."""

    def __init__(self, reactor: Any, *, stopping: Callable[[], None], hangup: Callable[[], None]) -> None:
        self._reactor = reactor
        self._stopping = stopping
        self._hangup = hangup
        self._previous: dict[int, Any] = {}

    def startService(self) -> None:
        Service.startService(self)
        self._reactor.callWhenRunning(self._reactor.callLater, 0, self._install)

    def stopService(self) -> None:
        Service.stopService(self)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _install(self) -> None:
        if not self.running:
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.getsignal(number)
            signal.signal(number, self._stop)
        for number in (
            signal.SIGHUP,
            signal.SIGUSR1,
        ):  # some log rotations send the latter, which would end a program that does not expect it
            self._previous[number] = signal.getsignal(number)
            signal.signal(number, lambda _number, _frame: self._reactor.callFromThread(self._hangup))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping()
        previous = self._previous.get(number)
        if callable(previous):
            previous(number, frame)
