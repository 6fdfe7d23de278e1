"""When a child counts as ready, as unwell, as lost; and that nothing but the reactor's clock is asked."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from hsadmin.engine.readiness import DEADLINE, LIMIT, RECHECK, WATCH, Readiness, answers_health

reactor: Any = installed  # a module to mypy


class ReadinessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[float, str]] = []
        self.asked: list[float] = []
        self.rpc: bool | Exception | Deferred[bool] = False
        self.http: bool | Exception | Deferred[bool] = False
        self.readiness = Readiness(
            self.clock,
            [self.check_rpc, self.check_http],
            limit=LIMIT,
            ready=lambda: self.tell("ready"),
            overdue=lambda _seconds: self.tell("overdue"),
            unwell=lambda: self.tell("unwell"),
            well=lambda: self.tell("well"),
            lost=lambda _seconds: self.tell("lost"),
        )
        self.addCleanup(self.readiness.stop)

    def tell(self, word: str) -> None:
        self.told.append((round(self.clock.seconds(), 2), word))

    async def check_rpc(self) -> bool:
        self.asked.append(self.clock.seconds())
        return await self.answer(self.rpc)

    async def check_http(self) -> bool:
        return await self.answer(self.http)

    async def answer(self, answer: bool | Exception | Deferred[bool]) -> bool:
        if isinstance(answer, Exception):
            raise answer
        return await answer if isinstance(answer, Deferred) else answer

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))

    @property
    def words(self) -> list[str]:
        return [word for _when, word in self.told]

    def be_ready(self) -> None:
        self.rpc = self.http = True
        self.readiness.start()
        self.clock.advance(0)

    def test_ready_when_both_are_good(self) -> None:
        self.readiness.start()
        self.run_for(1)
        self.rpc = True
        self.run_for(3)
        self.assertEqual(self.told, [])
        self.http = True
        self.run_for(1.1)
        self.assertEqual(self.words, ["ready"])

    def test_it_asks_at_once_and_then_ever_more_slowly(self) -> None:
        self.readiness.start()
        self.run_for(10)
        steps = [b - a for a, b in pairwise(self.asked)]
        self.assertLess(self.asked[1], 0.11)
        self.assertTrue(all(0 < a <= b + 0.051 for a, b in pairwise(steps)), steps)
        self.assertLess(abs(steps[-1] - 1.0), 0.06)

    def test_a_check_that_raises_is_a_no(self) -> None:
        self.rpc, self.http = RuntimeError("boom"), True
        self.readiness.start()
        self.run_for(2)
        self.rpc = True
        self.run_for(1.1)
        self.assertEqual(self.words, ["ready"])

    def test_a_check_that_never_answers_is_a_no_after_its_deadline(self) -> None:
        cancelled: list[Deferred[bool]] = []
        self.rpc, self.http = Deferred(cancelled.append), True
        self.readiness.start()
        self.run_for(DEADLINE + 0.1)
        self.assertEqual(len(cancelled), 1)
        self.rpc = True
        self.run_for(0.2)
        self.assertEqual(self.words, ["ready"])

    def test_overdue_once(self) -> None:
        self.readiness.start()
        self.run_for(LIMIT + 60)
        self.assertEqual(self.words, ["overdue"])
        self.assertTrue(LIMIT <= self.told[0][0] <= LIMIT + 1.1, self.told)

    def test_two_failures_in_a_row_are_nothing(self) -> None:
        self.be_ready()
        self.http = False
        self.run_for(WATCH + RECHECK + 1)
        self.http = True
        self.run_for(3 * WATCH)
        self.assertEqual(self.words, ["ready"])

    def test_a_child_that_hangs_is_a_warning_before_it_is_lost(self) -> None:
        self.be_ready()
        self.rpc = Deferred()
        self.run_for(WATCH + 3 * DEADLINE + 2 * RECHECK + 0.5)
        self.assertEqual(self.words, ["ready", "unwell"])
        self.run_for(LIMIT)
        self.assertEqual(self.words, ["ready", "unwell", "lost"])

    def test_three_in_a_row_are_a_warning_until_one_is_good(self) -> None:
        self.be_ready()
        self.http = False
        self.run_for(3 * WATCH + 0.1)
        self.http = True
        self.run_for(WATCH)
        self.assertEqual(self.words, ["ready", "unwell", "well"])

    def test_failing_for_a_quarter_of_the_limit_is_lost(self) -> None:
        self.be_ready()
        self.http = False
        self.run_for(200)
        self.assertEqual(self.words, ["ready", "unwell", "lost"])
        self.assertLess(abs(self.told[-1][0] - WATCH - LIMIT / 4), RECHECK)

    def test_stop_ends_everything(self) -> None:
        self.rpc = Deferred()
        self.readiness.start()
        self.clock.advance(0)
        self.readiness.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.told), ([], []))


class Health(Resource):
    isLeaf = True
    status = 200

    def render_GET(self, request: Request) -> bytes:
        request.setResponseCode(self.status if request.path == b"/health" else 404)
        return b"{}"


class AnswersHealthTests(TestCase):
    def setUp(self) -> None:
        self.health = Health()
        self.port = reactor.listenTCP(0, Site(self.health), interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.url = f"http://127.0.0.1:{self.port.getHost().port}/health"

    async def test_200_is_good(self) -> None:
        self.assertTrue(await answers_health(reactor, self.url)())

    async def test_anything_else_is_not(self) -> None:
        self.health.status = 500
        self.assertFalse(await answers_health(reactor, self.url)())
