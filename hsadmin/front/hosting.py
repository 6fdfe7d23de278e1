"""A reactor for processes that are little but a front: it waits on the front's loop, in which its own descriptors are one.

The ordinary way around, the loop nested in the reactor, a wake-up is two calls of epoll_wait and a walk through the reactor; this way it is one
call. A reactor by all interfaces, chosen before any other is: `install()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor

if TYPE_CHECKING:
    from hsadmin.front.loop import Loop


class HostingReactor(EPollReactor):
    """Twisted's, but for where it waits while there is a loop."""

    _loop: Loop | None = None

    def host(self, loop: Loop | None) -> None:
        """Waits on `loop` from now on; None: on its own descriptors again."""
        self._loop = loop
        if loop is not None:
            loop.host(self._poller.fileno(), self._look)

    def doIteration(self, timeout: float | None) -> None:
        loop = self._loop
        if loop is None:
            self.doPoll(timeout)  # type: ignore[no-untyped-call]  # Twisted's
        else:
            loop.wait(-1 if timeout is None else timeout)

    def _look(self) -> None:
        self.doPoll(0)  # type: ignore[no-untyped-call]  # Twisted's


def install() -> None:
    """Before anybody imports `twisted.internet.reactor`."""
    installReactor(HostingReactor())  # type: ignore[no-untyped-call]  # Twisted's
