"""What tests of a front on real loopback sockets begin with."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from hsadmin.front.sockets import CarrierMaker, Sockets
from hsadmin.front.stock import Stock
from tests.fakes.front import LoopbackFront
from tests.fakes.memory import request, upgrade
from tests.fakes.upstream import REPLY
from tests.fakes.visitors import Client, visit

Case = TypeVar("Case", bound="type[FrontCase]")

KEY = request("/key?v=138")
BODY = b'{"publicKey":"mkey:0"}'
TS2021 = upgrade("/ts2021", "tailscale-control-protocol", "X-Tailscale-Handshake: AAAA", "Content-Length: 0")


class FrontCase(TestCase):
    """`tls` on the public door; visitors are given its scheme. See `on_both` for `carrier`."""

    timeout = 60
    tls = False
    carrier: CarrierMaker = Sockets

    def start(self, **more: Any) -> LoopbackFront:
        front = LoopbackFront(reactor, tls=self.tls, carrier=type(self).carrier, **more)
        self.addCleanup(lambda: ensureDeferred(front.stop()))
        self.house = front
        return front

    async def visit(self, **more: Any) -> Client:
        client = await visit(reactor, self.house.port, tls=self.tls, **more)
        self.addCleanup(self._leave, client)
        return client

    async def tunnel(self, **more: Any) -> Client:
        client = await self.visit(**more)
        client.say(TS2021)
        await client.hears(REPLY)
        return client

    def _leave(self, client: Client) -> Deferred[None]:
        if client.lost is None:
            client.wire.abortConnection()
        return ensureDeferred(client.until(lambda: client.lost is not None))


def on_both(case: Case) -> Case:
    """Has `case` run on the stock transports as well, as the class of its name and "OnStock"."""
    name = case.__name__ + "OnStock"
    twin = type(name, (case,), {"carrier": Stock, "__module__": case.__module__, "__qualname__": name})
    setattr(sys.modules[case.__module__], name, twin)
    return case
