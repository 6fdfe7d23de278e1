"""Anything may happen at any time: random visitors, upstreams, losses, stalls and orders, in thousands of orders, on a clock that is moved.

What must hold whatever the order: no step raises, no visitor is told 502, no byte of one visitor reaches an exchange of another one, nothing of a
visitor reaches headscale on an upgrade's connection before its 101, and once everybody has gone nothing is left: no connection counted, no timer.
"""

from __future__ import annotations

import random

from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.limits import FrontLimits
from tests.fakes.memory import MemoryFront, MemoryTransport, answer, request, switching, upgrade

STEPS = 120


class Disorder:
    """One run. Every visitor marks what it says with its own number, and so does the upstream that answers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.house = MemoryFront(FrontLimits(per_source=6, total=20, parked=12, pooled=3))
        self.visitors: list[MemoryTransport] = []
        self.upstreams: list[MemoryTransport] = []
        self.dials: list[object] = []
        self.heard: dict[MemoryTransport, bytes] = {}
        self.asked: dict[MemoryTransport, bytes] = {}
        self.switched: set[MemoryTransport] = set()

    def run(self) -> None:
        steps = [self.enter] * 3 + [self.speak] * 6 + [self.connect] * 5 + [self.reply] * 6
        steps += [self.leave, self.die, self.clog, self.unclog, self.wait, self.order]
        for _ in range(STEPS):
            self.random.choice(steps)()
            self.look()
        for transport in self.visitors + self.upstreams:
            transport.lose()
        for dial in self.dials + self.house.dials():
            dial.clientConnectionFailed(None, Failure(ConnectionRefusedError()))  # type: ignore[attr-defined]
        self.house.front.resume()
        self.house.pass_time(2)

    def number(self, transport: MemoryTransport) -> int:
        return self.visitors.index(transport)

    def open(self, some: list[MemoryTransport]) -> MemoryTransport | None:
        there = [one for one in some if not (one.gone or one.half_closed)]
        return self.random.choice(there) if there else None

    def enter(self) -> None:
        visitor = self.house.knock(f"198.51.100.{self.random.randrange(4)}")
        if visitor is not None:
            self.visitors.append(visitor)

    def speak(self) -> None:
        visitor = self.open(self.visitors)
        if visitor is None or visitor.paused:
            return
        mark = f"v={self.number(visitor)}"
        data = self.random.choice(
            (
                request(f"/key?{mark}"),
                request(f"/key?{mark}") * 3,
                request(f"/admin/api/x?{mark}", "Content-Length: 6", method="PUT", body=b"abc"),
                request(f"/admin/api/x?{mark}", "Transfer-Encoding: chunked", method="PUT", body=b"3\r\nabc\r\n"),
                b"abc",
                b"0\r\n\r\n",
                upgrade(f"/ts2021?{mark}"),
                upgrade(f"/ts2021?{mark}") + b"EARLY",
                upgrade("/derp", "DERP", "Derp-Fast-Start: 1", method="GET"),
                request("/robots.txt"),
                b"GET /half",
            )
        )
        visitor.say(data)

    def connect(self) -> None:
        self.dials += self.house.dials()
        if not self.dials:
            return
        dial = self.dials.pop(self.random.randrange(len(self.dials)))
        if self.random.random() < 0.25:
            dial.clientConnectionFailed(None, Failure(ConnectionRefusedError()))  # type: ignore[attr-defined]
        else:
            upstream = self.house.accept(dial)
            if upstream.protocol is not None:
                self.upstreams.append(upstream)

    def reply(self) -> None:
        upstream = self.open(self.upstreams)
        if upstream is None:
            return
        asked = self.asked.get(upstream, b"")
        mark = asked.rpartition(b"v=")[2].partition(b" ")[0] if b"v=" in asked else b"?"
        if self.random.random() < (0.6 if b"Upgrade:" in asked else 0.05):
            self.switched.add(upstream)
            upstream.say(switching("DERP" if b"/derp" in asked else "tailscale-control-protocol"))
            return
        upstream.say(
            self.random.choice(
                (
                    answer(b"<%b>" % mark),
                    answer(b"<%b>" % mark) + b"<excess>",
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nContent-Le",
                    b"1\r\nx\r\n",
                    b"0\r\n\r\n",
                    b"HTTP/1.1 100 Continue\r\n\r\n",
                    b"nonsense\n",
                )
            )
        )

    def leave(self) -> None:
        if visitor := self.open(self.visitors):
            visitor.lose(self.random.choice((None, ConnectionLost())))

    def die(self) -> None:
        if upstream := self.open(self.upstreams):
            upstream.lose(self.random.choice((None, ConnectionLost())))

    def clog(self) -> None:
        if (one := self.open(self.visitors + self.upstreams)) and one.producer:
            one.clog()

    def unclog(self) -> None:
        for one in self.visitors + self.upstreams:
            if one.producer and not one.gone:
                one.unclog()

    def wait(self) -> None:
        self.house.pass_time(self.random.choice((0.25, 1.0, 9.0, 31.0)))

    def order(self) -> None:
        front = self.house.front
        self.random.choice((front.park, front.resume, lambda: ensureDeferred(front.close_tunnels())))()

    def look(self) -> None:
        """What everybody heard since the last step."""
        for visitor in self.visitors:
            self.heard[visitor] = self.heard.get(visitor, b"") + visitor.written
        for upstream in self.upstreams:
            said = upstream.written
            if b" HTTP/1.1\r\n" in said:
                self.asked[upstream] = said
            assert b"EARLY" not in said or upstream in self.switched, "a visitor's bytes came before the 101"


class DisorderTests(SynchronousTestCase):
    def test_no_order_of_events_does_harm(self) -> None:
        tunnels = served = 0
        for seed in range(400):
            run = Disorder(seed)
            run.run()
            self.assertEqual(self.flushLoggedErrors(), [], msg=f"seed {seed}")
            for visitor, heard in run.heard.items():
                self.assertNotIn(b" 502 ", heard, msg=f"seed {seed}")
                for other in range(len(run.visitors)):
                    if other != run.number(visitor):
                        self.assertNotIn(b"<%d>" % other, heard, msg=f"seed {seed}")
            counters = run.house.counters
            tunnels += counters.get("tunnels.opened", 0)
            served += counters.get("answers.2xx", 0)
            self.assertEqual([counters[name] for name in ("connections.open", "tunnels.open", "parked.now")], [0, 0, 0], msg=f"seed {seed}")
            self.assertEqual(run.house.reactor.getDelayedCalls(), [], msg=f"seed {seed}")
            house = run.house.front._house
            for register in (house.visitors, house.tunnels, house.sources._by_source, house.park._by_source, house.deadlines._watched):
                self.assertEqual(register, {}, msg=f"seed {seed}")
            self.assertEqual(house.upstream_ends, 0, msg=f"seed {seed}")
        self.assertGreater(tunnels, 100)
        self.assertGreater(served, 300)
