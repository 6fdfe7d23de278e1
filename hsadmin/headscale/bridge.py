"""From grpc's futures to Twisted's Deferreds.

A future completes on a thread of grpc's. The answer is read there (turning 10,000 nodes into values takes 0.1 s that the reactor must not
spend), and only the finished value crosses over with `callFromThread`. Cancelling the Deferred cancels the call; whichever of answer,
cancellation and abandonment comes second finds the Deferred called and is silent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")


class Future(Protocol):
    """What we use of grpc.Future."""

    def cancel(self) -> bool: ...
    def result(self) -> Any: ...
    def add_done_callback(self, done: Callable[[Any], None]) -> None: ...


class Bridged(Generic[T]):
    """One call under way: `answer` fires on the reactor's thread with what `read` made of the message, or with what was raised.

    `fault` turns what the future raised into what `answer` fails with; errors of `read` itself stay as they are.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        future: Future,
        read: Callable[[Any], T],
        fault: Callable[[BaseException], BaseException] = lambda error: error,
    ) -> None:
        self._reactor = reactor
        self._future = future
        self._read = read
        self._fault = fault
        self.answer: Deferred[T] = Deferred(lambda _: self._cancel())
        future.add_done_callback(self._done)

    def abandon(self, why: Exception) -> None:
        """Fails the call with `why` now, whatever grpc does."""
        if not self.answer.called:
            self.answer.errback(Failure(why))
        self._cancel()

    def _cancel(self) -> None:
        self._future.cancel()

    def _done(self, future: Future) -> None:
        self._reactor.callFromThread(self._settle, self._outcome(future))

    def _outcome(self, future: Future) -> T | Failure:
        # Whatever is raised belongs to whoever waits, not to a thread of grpc's.
        try:
            message = future.result()
        except BaseException as error:  # noqa: BLE001
            return Failure(self._fault(error))
        try:
            return self._read(message)
        except BaseException as error:  # noqa: BLE001
            return Failure(error)

    def _settle(self, outcome: T | Failure) -> None:
        if not self.answer.called:
            self.answer.callback(outcome)
