"""Where requests wait while headscale is away.

    OPEN     requests go straight through
    SHUT     headscale is away by order (a restart): requests wait until `open`
    TRYING   nobody said so, but a connect was refused (a crash): requests wait, and one of them tries again every now and then

    (OPEN, shut) -> SHUT      (OPEN, refused) -> TRYING      (SHUT, open) -> OPEN
    (TRYING, shut) -> SHUT    (TRYING, reached) -> OPEN      (TRYING, open) -> OPEN

Only what can be sent again may wait: requests without a body, and upgrades. Nobody waits longer than his own deadline, which he keeps when he
has to wait again. Order of arrival is kept; on the way out they go in small groups, a reactor turn apart, so that 4,096 connects do not hold
up everybody else.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from hsadmin.front.limits import Source

GROUP = 64  # let out in one reactor turn
FIRST_TRY = 0.1  # seconds after a refused connect; doubled up to LAST_TRY
LAST_TRY = 1.0


class Waiting(Protocol):
    def proceed(self) -> None:
        """Ask headscale now; may come back to wait."""


class State(enum.IntEnum):
    OPEN = 0
    SHUT = 1
    TRYING = 2


class Park:
    """`most` requests wait at once, a quarter of them for one source."""

    __slots__ = ("_asking", "_by_source", "_call", "_clock", "_most", "_pause", "_queue", "_share", "state")

    def __init__(self, clock: IReactorTime, *, most: int) -> None:
        self._clock = clock
        self._most = most
        self._share = max(most // 4, 1)
        self._queue: OrderedDict[Waiting, Source] = OrderedDict()
        self._by_source: dict[Source, int] = {}
        self._call: IDelayedCall | None = None
        self._pause = FIRST_TRY
        self._asking = False  # in TRYING: one was let out, and what comes of it is not known
        self.state = State.OPEN

    def __len__(self) -> int:
        return len(self._queue)

    def hold(self, waiting: Waiting, source: Source, *, again: bool = False) -> bool:
        """Whether there is room; `again` goes to the head of the queue, where he came from."""
        count = self._by_source.get(source, 0)
        if len(self._queue) >= self._most or count >= self._share:
            return False
        self._by_source[source] = count + 1
        self._queue[waiting] = source
        if again:
            self._queue.move_to_end(waiting, last=False)
        return True

    def leave(self, waiting: Waiting) -> None:
        """He has gone, or has waited long enough."""
        source = self._queue.pop(waiting, None)
        if source is not None:
            self._uncount(source)

    def shut(self) -> None:
        self._cancel()
        self.state = State.SHUT

    def open(self) -> None:
        self._cancel()
        self.state = State.OPEN
        self._let_out()

    def refused(self) -> None:
        """A connect to headscale failed."""
        if self.state is State.OPEN:
            self.state = State.TRYING
            self._pause = FIRST_TRY
            self._try_in(self._pause)
        elif self.state is State.TRYING and self._asking:
            self._pause = min(self._pause * 2, LAST_TRY)
            self._try_in(self._pause)

    def reached(self) -> None:
        """A connect to headscale succeeded."""
        if self.state is State.TRYING:
            self.open()

    def stop(self) -> None:
        """No timer of ours survives this."""
        self.shut()

    def _try(self) -> None:
        self._call = None
        if self._queue:
            self._try_in(LAST_TRY)  # in case neither comes of it: the one who asks may leave
            self._asking = True
            self._next().proceed()
        else:
            self.state = State.OPEN  # whoever comes next finds out

    def _try_in(self, seconds: float) -> None:
        self._cancel()
        self._asking = False
        self._call = self._clock.callLater(seconds, self._try)

    def _let_out(self) -> None:
        self._call = None
        for _ in range(min(GROUP, len(self._queue))):
            self._next().proceed()
            if self.state is not State.OPEN:
                return
        if self._queue:
            self._call = self._clock.callLater(0, self._let_out)

    def _next(self) -> Waiting:
        waiting, source = self._queue.popitem(last=False)
        self._uncount(source)
        return waiting

    def _uncount(self, source: Source) -> None:
        left = self._by_source[source] - 1
        if left:
            self._by_source[source] = left
        else:
            del self._by_source[source]

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
