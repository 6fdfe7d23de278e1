"""Whether the child answers: first until it does, then for as long as it lives.

Ready means that every check is good in the same round. Rounds come quickly at first (an empty tailnet is up in 0.1 s) and then slower, up
to a second apart; after `limit` seconds without one good round the start has failed. The limit is asked for at each start: headscale's
start grows with the square of its nodes. Afterwards a round every `WATCH` seconds: headscale pings its single database connection, so one
failure during a long write is nothing, three in a row are a warning, and failing for a quarter of the limit (30 s) means that it lingers
without serving, as it does when a listener dies.

Only the reactor's clock is asked, which no administrator and no time server turns back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.web.client import Agent, readBody

FIRST_STEP = 0.05
GROWTH = 1.5
LONGEST_STEP = 1.0
WATCH = 10.0
RECHECK = 2.0  # after a failure: a hung child takes a whole DEADLINE to fail, and three of them are a warning
DEADLINE = 5.0  # of one check
TOLERATED = 3  # failures in a row before a warning
LIMIT = 120.0

Check = Callable[[], Awaitable[bool]]

_log = Logger()


class Readiness:
    """Asks `checks` from `start` to `stop`: tells `ready` once, then `unwell` and `well` by turns, and `overdue` or `lost` at most once."""

    def __init__(
        self,
        reactor: IReactorTime,
        checks: Sequence[Check],
        *,
        limit: float,
        ready: Callable[[], None],
        overdue: Callable[[float], None],
        unwell: Callable[[], None],
        well: Callable[[], None],
        lost: Callable[[float], None],
    ) -> None:
        self._reactor = reactor
        self._checks = checks
        self._limit = limit
        self._ready, self._overdue = ready, overdue
        self._unwell, self._well, self._lost = unwell, well, lost
        self._step = FIRST_STEP
        self._begun = 0.0
        self._was_ready = False
        self._failures = 0
        self._failing_since = 0.0
        self._timer: IDelayedCall | None = None
        self._round: Deferred[None] | None = None
        self._stopped = False

    def start(self) -> None:
        self._begun = self._reactor.seconds()
        self._later(0.0)

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._round is not None:
            self._round.cancel()

    def _later(self, seconds: float) -> None:
        if not self._stopped:
            self._timer = self._reactor.callLater(seconds, self._ask)

    def _ask(self) -> None:
        began = self._reactor.seconds()
        answers = gatherResults([self._one(check) for check in self._checks])
        self._round = answers.addCallback(lambda good: self._judge(all(good), began))
        self._round.addErrback(lambda failure: _log.failure("What followed a health check failed", failure))

    def _one(self, check: Check) -> Deferred[bool]:
        async def asked() -> bool:
            return await check()

        answer = Deferred.fromCoroutine(asked())
        answer.addTimeout(DEADLINE, self._reactor)
        # A check that fails to answer, in whatever way, is an answer.
        return answer.addErrback(lambda _failure: False)

    def _judge(self, good: bool, began: float) -> None:
        self._round = None
        if self._stopped:
            return
        now = self._reactor.seconds()
        if not self._was_ready:
            self._judge_start(good, now)
        elif good:
            if self._failures >= TOLERATED:
                self._well()
            self._failures = 0
            self._later(WATCH)
        else:
            self._judge_failure(began, now)

    def _judge_start(self, good: bool, now: float) -> None:
        if good:
            self._was_ready = True
            self._later(WATCH)
            self._ready()
        elif now - self._begun >= self._limit:
            self._stopped = True
            self._overdue(now - self._begun)
        else:
            self._later(self._step)
            self._step = min(LONGEST_STEP, self._step * GROWTH)

    def _judge_failure(self, began: float, now: float) -> None:
        if not self._failures:
            self._failing_since = began
        self._failures += 1
        failing = now - self._failing_since
        if self._failures >= TOLERATED and failing >= self._limit / 4:
            self._stopped = True
            self._lost(failing)
            return
        if self._failures == TOLERATED:
            self._unwell()
        self._later(RECHECK)


def answers_health(reactor: Any, url: str) -> Check:
    """A check: `GET url` is answered with 200. Each asks on a connection of its own, because a listener that died keeps old ones alive."""
    agent = Agent(reactor, connectTimeout=DEADLINE)

    async def check() -> bool:
        response = await agent.request(b"GET", url.encode("ascii"))
        await readBody(response)
        return bool(response.code == 200)

    return check
