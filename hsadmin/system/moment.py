"""Something that happens once, and that any number may wait for, each for as long as it likes."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Moment:
    """Waiting for one that has come returns at once; giving up waiting disturbs nobody else."""

    def __init__(self) -> None:
        self.come = False
        self._waiting: list[Deferred[None]] = []

    def set(self) -> None:
        """It has come; a second call changes nothing."""
        self.come = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def wait(self) -> Deferred[None]:
        each: Deferred[None] = Deferred(self._forget)
        if self.come:
            each.callback(None)
        else:
            self._waiting.append(each)
        return each

    async def within(self, reactor: IReactorTime, seconds: float) -> bool:
        """Whether it came before `seconds` were over."""
        if self.come or seconds <= 0:
            return self.come
        each = self.wait()
        timer = reactor.callLater(seconds, each.callback, None)
        try:
            await each
        finally:
            if timer.active():
                timer.cancel()
            self._forget(each)
        return self.come

    def _forget(self, each: Deferred[None]) -> None:
        if each in self._waiting:
            self._waiting.remove(each)
