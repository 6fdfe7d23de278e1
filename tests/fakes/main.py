"""A main process with a front of two workers, to be killed.

python -m tests.fakes.main     prints the public port and the pids of its workers, then serves until it dies
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests.fakes.front import LoopbackFront

reactor: Any = _reactor

ROOT = Path(__file__).parents[2]  # trial runs tests in a folder of its own


class Main(ProcessProtocol):
    def __init__(self) -> None:
        self._said = b""
        self._line: Deferred[str] = Deferred()
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        reactor.spawnProcess(self, sys.executable, [sys.executable, "-m", "tests.fakes.main"], env=environ, childFDs={0: "w", 1: "r", 2: 2})

    def line(self) -> Deferred[str]:
        return self._line

    def kill(self) -> None:
        os.kill(self.transport.pid, signal.SIGKILL)  # type: ignore[union-attr]  # Twisted declares it optional

    def outReceived(self, data: bytes) -> None:
        self._said += data
        if b"\n" in self._said:
            self._line.callback(self._said.decode())

    def processExited(self, reason: Failure) -> None:
        if not self._line.called:
            self._line.errback(reason)


def _serve() -> None:
    def begin() -> None:
        house = LoopbackFront(reactor, workers=2)
        house.up.addCallback(lambda _none: print(house.port, *house.crew.workers(), flush=True))

    reactor.callWhenRunning(begin)
    reactor.run()


if __name__ == "__main__":
    _serve()
