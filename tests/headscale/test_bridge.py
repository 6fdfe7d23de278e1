"""Whatever comes second, answer or cancellation, is silent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future
from typing import Any, cast

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hsadmin.headscale.bridge import Bridged


@implementer(IReactorFromThreads)
class Turn:
    """Keeps what other threads ask for until the reactor would turn."""

    def __init__(self) -> None:
        self.asked: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        self.asked.append((callable, args))

    def turn(self) -> None:
        asked, self.asked = self.asked, []
        for function, args in asked:
            function(*args)


class Bridge(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Turn()
        self.future: Future[int] = Future()

    def bridged(self, read: Callable[[Any], Any] = lambda message: message, **given: Any) -> Bridged[Any]:
        return Bridged(cast(IReactorFromThreads, self.reactor), self.future, read, **given)

    def test_read_off_the_reactor_told_on_it(self) -> None:
        seen: list[int] = []

        def read(message: int) -> int:
            seen.append(message)
            return message * 2

        bridged = self.bridged(read)
        self.future.set_result(21)
        self.assertEqual(seen, [21])
        self.assertNoResult(bridged.answer)
        self.reactor.turn()
        self.assertEqual(self.successResultOf(bridged.answer), 42)

    def test_future_that_was_done_before(self) -> None:
        self.future.set_result(1)
        bridged = self.bridged()
        self.reactor.turn()
        self.assertEqual(self.successResultOf(bridged.answer), 1)

    def test_fault_of_the_call_is_translated(self) -> None:
        bridged = self.bridged(fault=lambda error: LookupError(str(error)))
        self.future.set_exception(OSError("gone"))
        self.reactor.turn()
        self.assertEqual(str(self.failureResultOf(bridged.answer, LookupError).value), "gone")

    def test_fault_of_reading_stays(self) -> None:
        bridged = self.bridged(lambda message: 1 // message, fault=lambda error: LookupError())
        self.future.set_result(0)
        self.reactor.turn()
        self.failureResultOf(bridged.answer, ZeroDivisionError)

    def test_cancelled_by_whoever_waits(self) -> None:
        bridged = self.bridged()
        bridged.answer.cancel()
        self.failureResultOf(bridged.answer, CancelledError)
        self.assertTrue(self.future.cancelled())
        self.reactor.turn()  # the future's own word comes later and meets nobody

    def test_cancelled_with_the_answer_on_its_way(self) -> None:
        bridged = self.bridged()
        self.future.set_result(1)
        bridged.answer.cancel()
        self.reactor.turn()
        self.failureResultOf(bridged.answer, CancelledError)

    def test_cancelled_below(self) -> None:
        bridged = self.bridged()
        self.future.cancel()
        self.reactor.turn()
        self.failureResultOf(bridged.answer, FutureCancelled)

    def test_abandoned(self) -> None:
        bridged = self.bridged()
        bridged.abandon(ValueError("stopped"))
        self.failureResultOf(bridged.answer, ValueError)
        self.assertTrue(self.future.cancelled())
        self.reactor.turn()

    def test_abandoned_after_the_answer(self) -> None:
        bridged = self.bridged()
        self.future.set_result(1)
        self.reactor.turn()
        bridged.abandon(ValueError("stopped"))
        self.assertEqual(self.successResultOf(bridged.answer), 1)
