"""The way to the running headscale: one connection per child start, and what happens to calls when the child goes.

    up(socket) ──► calls go through ──► down() ──► calls fail with HeadscaleDown, at once
       ▲                                   │
       └───────────────────────────────────┘

A new child gets a new channel: it costs 3 ms, and carries no back-off from the outage before. Calls under way when the child goes are failed
here and now, not when grpc notices. A read whose connection broke is asked once more; a write never is, for headscale finishes what it began
even when nobody listens any more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from hsadmin.errors import HeadscaleDown, HeadscaleUnsupported
from hsadmin.headscale import drift
from hsadmin.headscale.bridge import Bridged
from hsadmin.headscale.methods import METHODS, Method, deadline
from hsadmin.headscale.pb import headscale_pb2 as pb
from hsadmin.headscale.refusals import WireError, problem
from hsadmin.headscale.rpc import Rpc
from hsadmin.interfaces import IHeadscale, IHeadscaleLink

if TYPE_CHECKING:
    from hsadmin.headscale.channel import Channel

T = TypeVar("T")
HEALTH_SECONDS = 5.0  # headscale's own ping of its database gives up after one
DRIFT_SECONDS = 10.0
SECOND_TRY_SECONDS = 0.2  # longer than the channel's first back-off


class ILinkReactor(IReactorThreads, IReactorTime):
    """What Link needs of a reactor: to come back from grpc's threads, to close on another thread, to wait."""


def connect(socket_path: Path) -> Channel:
    """Opens a channel; the first one imports grpc, which then keeps its own lines off our stderr: what matters comes as a status."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from hsadmin.headscale.channel import Channel  # noqa: PLC0415 - see channel.py

    return Channel(socket_path)


@implementer(IHeadscaleLink)
class Link:
    """`now` is wall-clock seconds. `population` says how many nodes or users there are, where somebody knows better than the last list did."""

    def __init__(
        self,
        reactor: ILinkReactor,
        now: Callable[[], float],
        *,
        population: Callable[[], int] = lambda: 0,
        connect: Callable[[Path], Channel] = connect,
    ) -> None:
        self._reactor = reactor
        self._population = population
        self._connect = connect
        self._channel: Channel | None = None
        self._under_way: set[Bridged[Any]] = set()
        self._untrusted: dict[str, str] = {}  # calls by name, that the running headscale understands differently: how
        self._rpc = Rpc(self.ask, now)

    @property
    def headscale(self) -> IHeadscale:
        """Always the same object; its calls raise HeadscaleDown while there is no headscale."""
        return self._rpc

    def up(self, socket_path: Path) -> None:
        self.down()
        self._channel = self._connect(socket_path)

    def down(self) -> None:
        channel, self._channel = self._channel, None
        self._untrusted = {}
        if channel is None:
            return
        for bridged in tuple(self._under_way):
            bridged.abandon(WireError("UNAVAILABLE", "headscale was stopped"))
        self._reactor.callInThread(channel.close)

    async def healthy(self) -> bool:
        channel = self._channel
        if channel is None:
            return False
        try:
            return await self._once(
                channel, METHODS["Health"], pb.HealthRequest(), lambda reply: bool(reply.database_connectivity), HEALTH_SECONDS
            )
        except WireError:
            return False

    async def drift(self) -> Sequence[str]:
        channel = self._channel
        if channel is None:
            raise HeadscaleDown("headscale is not running.")
        try:
            described = await self._in_thread(lambda: drift.contract(channel.describe(DRIFT_SECONDS)))
        except WireError as error:
            if error.code == "UNIMPLEMENTED":
                return ("the running headscale does not describe its interface; whether it fits ours is not known.",)
            raise problem("reflection", error) from None
        found = drift.differences(drift.ours(), described)
        if channel is self._channel:
            self._untrusted = {call: difference.sentence for difference in reversed(found) for call in difference.calls}
        return tuple(difference.sentence for difference in found)

    async def ask(self, method: Method, request: Message, read: Callable[[Any], T]) -> T:
        """`read` of the answer to one call; it runs on another thread. Raises a Problem."""
        channel = self._usable(method)
        seconds = deadline(method.patience, max(self._population(), self._rpc.population))
        started = self._reactor.seconds()
        try:
            return await self._once(channel, method, request, read, seconds)
        except WireError as error:
            if error.code != "UNAVAILABLE" or not method.repeatable or channel is not self._channel:
                raise problem(method.name, error, changes=method.changes) from None
        await self._sleep(SECOND_TRY_SECONDS)
        left = seconds - (self._reactor.seconds() - started)
        try:
            return await self._once(self._usable(method), method, request, read, max(left, 0.1))
        except WireError as error:
            raise problem(method.name, error) from None

    def _usable(self, method: Method) -> Channel:
        if self._channel is None:
            raise HeadscaleDown("headscale is not running.", call=method.name)
        if method.changes and method.name in self._untrusted:
            raise HeadscaleUnsupported(
                f"hsadmin changes nothing by a call it knows differently: {self._untrusted[method.name]}", call=method.name
            )
        return self._channel

    async def _once(self, channel: Channel, method: Method, request: Message, read: Callable[[Any], T], seconds: float) -> T:
        bridged = Bridged(self._reactor, channel.start(method, request, seconds), read, channel.fault)
        self._under_way.add(bridged)
        try:
            return await bridged.answer
        finally:
            self._under_way.discard(bridged)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        done: Deferred[T] = Deferred(lambda _: None)

        def settle(outcome: T | Failure) -> None:
            if not done.called:
                done.callback(outcome)

        def run() -> None:
            outcome: T | Failure
            try:
                outcome = work()
            except BaseException as fault:  # noqa: BLE001 - it belongs to whoever waits
                outcome = Failure(fault)
            self._reactor.callFromThread(settle, outcome)

        self._reactor.callInThread(run)
        return await done

    async def _sleep(self, seconds: float) -> None:
        done: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._reactor.callLater(seconds, done.callback, None)
        await done
