"""A stop is marked inside the handler, before Twisted acts on it; SIGHUP is passed on."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.system.signals import Signals


class RunningClock(Clock):
    """A clock that counts as a running reactor and keeps what threads ask of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def callWhenRunning(self, call: Any, *args: Any) -> None:
        call(*args)

    def callFromThread(self, call: Any) -> None:
        self.asked.append(call)


class SignalsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log: list[str] = []
        self.reactor = RunningClock()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        signal.signal(signal.SIGTERM, lambda _number, _frame: self.log.append("twisted stops"))
        self.signals = Signals(self.reactor, stopping=lambda: self.log.append("marked"), hangup=lambda: self.log.append("looked"))
        self.signals.startService()
        self.reactor.advance(0)

    def test_the_mark_comes_before_twisted_s_own_handler(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(self.log, ["marked", "twisted stops"])

    def test_hangup_runs_in_the_reactor(self) -> None:
        for number in (signal.SIGHUP, signal.SIGUSR1):
            os.kill(os.getpid(), number)
            self.assertEqual(self.log, [])
            self.reactor.asked.pop()()
            self.assertEqual(self.log, ["looked"])
            self.log.clear()

    def test_stopping_puts_back_what_was_there(self) -> None:
        self.signals.stopService()
        os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(self.log, ["twisted stops"])
