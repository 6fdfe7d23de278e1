"""The carrier on our own sockets: the choice of it, the listener when descriptors are short, connects, and what a reset does in every state."""

from __future__ import annotations

import gc
import os
import resource
import select
import socket
import tempfile
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hsadmin.front.limits import FrontLimits
from hsadmin.front.sockets import PAUSE, Connect, Sockets, best
from hsadmin.front.stock import Stock
from hsadmin.front.tlswire import TLSWire
from hsadmin.front.wires import Ground, Leaving, Wire
from tests.fakes.callers import call, call_tls, client_hello, hear, reset, tunnel
from tests.fakes.memory import request
from tests.fakes.upstream import says_nothing
from tests.fakes.visitors import eventually
from tests.front.case import BODY, KEY, TS2021, FrontCase, on_both


class ChoiceTests(SynchronousTestCase):
    def test_ours_where_there_is_epoll(self) -> None:
        self.assertIsInstance(best(reactor, linger=1.0), Sockets)

    def test_the_stock_ones_elsewhere_and_it_is_said(self) -> None:
        epoll = select.epoll
        self.addCleanup(setattr, select, "epoll", epoll)
        del select.epoll
        with capturedLogs() as logged:
            self.assertIsInstance(best(reactor, linger=1.0), Stock)
        self.assertEqual([formatEvent(event).partition(":")[0] for event in logged], ["This platform has no epoll"])


def silent_tls(port: int) -> socket.socket:
    return call(port)


def half_a_hello(port: int) -> socket.socket:
    sock = call(port)
    sock.sendall(client_hello()[:70])
    return sock


def half_a_handshake(port: int) -> socket.socket:
    sock = call(port)
    sock.sendall(client_hello())
    sock.recv(1)
    return sock


@on_both
class ResetTests(FrontCase):
    """A visitor who is gone without a word, in every state: nothing of him stays, and the next one is served."""

    def speaker(self, *said: bytes, until: bytes = b"") -> Callable[[int], socket.socket]:
        def begin(port: int) -> socket.socket:
            sock: socket.socket = call_tls(port) if self.tls else call(port)
            for one in said:
                sock.sendall(one)
            if until:
                hear(sock, until)
            return sock

        return begin

    def states(self) -> dict[str, Callable[[int], socket.socket]]:
        return {
            "between requests": self.speaker(),
            "in a head": self.speaker(KEY[:20]),
            "after an answer": self.speaker(KEY, until=BODY),
            "waiting for an answer": self.speaker(request("/admin/api/never")),
            "in a body": self.speaker(request("/admin/api/never", "Content-Length: 9", method="PUT", body=b"abc")),
            "in a large answer": self.speaker(request("/admin/large"), until=b"200 OK"),
            "upgrading": self.speaker(
                TS2021.replace(b"/ts2021", b"/derp").replace(b"tailscale-control-protocol", b"DERP").replace(b"POST", b"GET")
            ),
            "after our end": self.speaker(request("/robots.txt", "Connection: close"), until=b"Disallow"),
            "after a refusal": self.speaker(b"GET / HTTP/1.1\n\n", until=b"400"),
            "in a tunnel": lambda port: tunnel(port, tls=self.tls),
        }

    async def test_reset_in_every_state(self) -> None:
        house = self.start(limits=FrontLimits(per_source=1000, total=1000, linger=30.0))
        house.console.scripts[b"/admin/api/never"] = says_nothing
        house.console.scripts[b"/admin/large"] = lambda connection, head: connection.say(bytes(8 << 20))
        house.headscale.scripts[b"/derp"] = says_nothing
        for name, begin in self.states().items():
            sock = await deferToThread(begin, house.port)
            await deferLater(reactor, 0.02)
            reset(sock)
            await eventually(reactor, lambda: house.front.counters()["connections.open"] == 0)
            self.assertEqual((house.front._house.visitors, house.front._house.tunnels), ({}, {}), msg=name)
        self.assertEqual(self.flushLoggedErrors(), [])
        client = await self.visit()
        client.say(KEY)
        await client.hears(BODY)

    async def test_a_stalled_tunnel(self) -> None:
        house = self.start()
        sock = await deferToThread(tunnel, house.port, tls=self.tls)
        house.headscale.connections[0].wire.write(bytes(16 << 20))
        await deferLater(reactor, 0.2)
        reset(sock)
        await eventually(reactor, lambda: house.front.counters()["connections.open"] == 0)

    async def test_headscale_resets_a_tunnel(self) -> None:
        house = self.start()
        client = await self.tunnel()
        house.headscale.connections[0].wire.abortConnection()
        await client.ends()
        self.assertIn(house.records[0].note, ("upstream-lost", "upstream-ended"))


@on_both
class ResetTestsTLS(ResetTests):
    tls = True

    def states(self) -> dict[str, Callable[[int], socket.socket]]:
        early = {"before a hello": silent_tls, "in a hello": half_a_hello, "in a handshake": half_a_handshake}
        return {**early, **super().states()}


class ShortageTests(FrontCase):
    tls = True

    async def test_no_descriptor_left(self) -> None:
        """Accepting pauses and goes on; who is in stays in."""
        house = self.start()
        inside = await self.tunnel()
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            self.addCleanup(sock.close)
            sock.settimeout(20)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with capturedLogs() as logged:
            highest = os.open(os.devnull, os.O_RDONLY)
            os.close(highest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))  # the next one to be opened is one too many
            for sock in waiting:
                sock.connect(("127.0.0.1", house.port))
            await deferLater(reactor, PAUSE * 3)
            inside.say(b"still here")
            await inside.hears(b"still here")
            self.assertEqual(house.front.counters()["connections.open"], 1)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await eventually(reactor, lambda: house.front.counters()["connections.open"] == 4)
        said = [text for event in logged if (text := formatEvent(event)).startswith(("No new connection", "There are"))]
        self.assertEqual(
            said,
            [
                "No new connection can be taken (Too many open files); those that are open go on.",
                "There are descriptors again: connections are taken.",
            ],
        )

    async def test_a_stop_in_the_middle_of_the_pause(self) -> None:
        house = self.start()
        listener: Any = house.front._open[0][0]
        listener._pause(OSError(24, "Too many open files"))
        await house.front.stopService()


class NobodyLeftTests(FrontCase):
    """Who is gone is freed by his own last reference: the collector may sleep."""

    tls = True

    async def test_nothing_is_left_for_the_collector(self) -> None:
        house = self.start()

        def come_and_go() -> None:
            for _ in range(10):
                tunnel(house.port, tls=True).close()
                with call_tls(house.port) as sock:
                    sock.sendall(KEY)
                    hear(sock, BODY)

        await deferToThread(come_and_go)
        await eventually(reactor, lambda: house.front.counters()["connections.open"] == 0)
        house.front._headscale.close_resting()
        await deferLater(reactor, 0.1)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        await deferToThread(come_and_go)
        await eventually(reactor, lambda: house.front.counters()["connections.open"] == 0)
        house.front._headscale.close_resting()
        await eventually(reactor, lambda: not house.front._headscale.links)
        await deferLater(reactor, 0.1)
        self.assertEqual([thing for thing in gc.get_objects() if isinstance(thing, Wire | TLSWire | Leaving)], [])


class Caller:
    """Remembers what came of a connect."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.wire: Any = None

    def reached(self) -> Any:
        self.told.append("reached")
        return self

    def refused(self) -> None:
        self.told.append("refused")

    def ready(self) -> None:
        self.told.append("ready")

    def lost(self, reason: str) -> None:
        self.told.append(reason)


class ConnectTests(TestCase):
    def setUp(self) -> None:
        self.caller = Caller()
        self.ground = Ground(reactor, linger=1.0)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/s"

    def connect(self, address: Any, timeout: float = 20.0) -> Connect:
        return Connect(self.ground, address, self.caller, timeout)

    async def told(self, *what: str) -> None:
        await eventually(reactor, lambda: len(self.caller.told) >= len(what))
        self.assertEqual(self.caller.told, list(what))

    async def test_nobody_there(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            for address in (taken.getsockname(), self.path):
                self.caller.told.clear()
                self.connect(address)
                self.assertEqual(self.caller.told, [], msg="never before `connect` returns")
                await self.told("refused")

    async def test_both_families_and_unix(self) -> None:
        for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0)), (socket.AF_UNIX, self.path)):
            self.caller.told.clear()
            with socket.socket(family) as listening:
                listening.bind(address)
                listening.listen()
                self.connect(listening.getsockname()[:2] if family != socket.AF_UNIX else self.path)
                await self.told("reached", "ready")
                self.caller.wire.abort()
                await self.told("reached", "ready", "aborted")

    async def test_a_crowded_unix_socket_is_tried_again(self) -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path)
            listening.listen(0)
            crowd = []
            for _ in range(10):
                one = socket.socket(socket.AF_UNIX)
                one.setblocking(False)
                crowd.append(one)
                if one.connect_ex(self.path):
                    break
            self.connect(self.path)
            await deferLater(reactor, 0.1)
            self.assertEqual(self.caller.told, [])
            for _ in crowd[:-1]:
                listening.accept()[0].close()
            await self.told("reached", "ready")
            self.caller.wire.abort()
            await self.told("reached", "ready", "aborted")
            for one in crowd:
                one.close()

    async def test_the_crowd_never_goes(self) -> None:
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as third:
            listening.bind(self.path)
            listening.listen(0)
            for one in (other, third):
                one.setblocking(False)
                one.connect_ex(self.path)
            self.connect(self.path, timeout=0.1)
            await self.told("refused")

    async def test_nobody_answers(self) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            crowd = []
            for _ in range(3):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(listening.getsockname())
                crowd.append(one)
            self.connect(listening.getsockname(), timeout=0.5)
            await self.told("refused")
            for one in crowd:
                one.close()

    async def test_cancelled(self) -> None:
        with socket.socket(socket.AF_UNIX) as listening, socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            crowd = []
            for _ in range(3):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(full.getsockname())
                crowd.append(one)
            listening.bind(self.path)
            for address in (full.getsockname(), f"{self.path}-nobody"):
                self.connect(address).cancel()
            await deferLater(reactor, 0.1)
            self.assertEqual(self.caller.told, [])
            for one in crowd:
                one.close()
