"""Services that start one after the other and stop in the opposite order, each awaited.

Twisted's MultiService starts and stops all children at once; here the front must not listen before the console does, and headscale must
not be told to go before the front has closed its tunnels.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger


class InOrder(MultiService):
    """Starts children top down and stops them bottom up, each after the one before is done.

    `failed` is told of the exception when a child cannot start; the children above it stay up until somebody stops this service.
    A stop that comes while a child is still starting waits for that child and starts no further one.
    """

    log = Logger()

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        MultiService.__init__(self)
        self._failed = failed
        self._up: list[IService] = []
        self._starting: Deferred[None] | None = None
        self._stopping = False

    def startService(self) -> Deferred[None]:
        Service.startService(self)
        self._stopping = False
        self._starting = Deferred.fromCoroutine(self._start())
        return self._starting

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        self._stopping = True
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        for child in list(self):
            if self._stopping:
                return
            self._up.append(child)
            try:
                await maybeDeferred(child.startService)
            except Exception as fault:  # noqa: BLE001 - whatever it is, the start has failed and somebody must hear why
                self._up.remove(child)
                self._failed(fault)
                return

    async def _stop(self) -> None:
        if self._starting is not None:
            await self._starting
        while self._up:
            child = self._up.pop()
            try:
                await maybeDeferred(child.stopService)
            except Exception:  # noqa: BLE001 - the others must still be stopped
                self.log.failure("A part did not stop cleanly: {part}", part=type(child).__name__)
