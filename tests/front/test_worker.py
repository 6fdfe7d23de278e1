"""One worker, with the test as its main process: what it does on each order, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionRefusedError, ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hsadmin.certificates.given import Given
from hsadmin.front.limits import FrontLimits
from hsadmin.front.stock import Stock
from hsadmin.front.terms import ConsoleTerms, Terms
from hsadmin.front.wire import (
    FIRST_DOOR,
    ORDERS,
    TALES,
    Begin,
    Certificate,
    CloseTunnels,
    Done,
    Door,
    Heard,
    Order,
    Report,
    Said,
    Standing,
    Stop,
    Tale,
    Up,
    frame,
    tales,
)
from hsadmin.front.worker import life, prison
from tests.fakes.front import FakeCertificates
from tests.fakes.memory import MemoryReactor, MemoryTransport
from tests.fakes.upstream import FakeUpstream
from tests.fakes.visitors import Client, eventually, visit
from tests.front.case import BODY, KEY

TERMS = Terms(
    hosts=frozenset((b"hs.example",)),
    root="not_found",
    own_origin=b"https://hs.example",
    public_url="https://hs.example",
    console=ConsoleTerms(open=True),
    console_socket="/nowhere",
    limits=FrontLimits(),
)


def standing(number: int, *, parked: bool = False, port: int = 9) -> Standing:
    return Standing(number=number, parked=parked, ready=True, sentence="well", host="127.0.0.1", port=port)


def begin(tls: bool = False, fd: int = FIRST_DOOR) -> Begin:
    doors = (Door(fd=fd, tls=tls, purpose="public", address="127.0.0.1:0"),)
    return Begin(number=1, doors=doors, terms=TERMS, first_id=1 << 32, access=True)


class LifeTests(SynchronousTestCase):
    """A Worker on a transport and a clock of the test."""

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.gone = 0
        certificates = Given()
        self.worker = life.Worker(
            self.reactor, certificates=certificates, take=certificates.take, now=lambda: 1e6, gone=self.count_end, carrier=Stock
        )
        self.certificates = certificates
        self.pipe = StringTransport()
        self.worker.makeConnection(self.pipe)
        self.unframe = tales()

    def count_end(self) -> None:
        self.gone += 1

    def told(self, *orders: Order) -> list[Tale]:
        for order in orders:
            self.worker.dataReceived(frame(order))
        heard = list(self.unframe.feed(self.pipe.value()))
        self.pipe.clear()
        return heard

    def begin(self) -> list[Tale]:
        return self.told(begin(fd=socket.socket().detach()), standing(2))

    def passes(self, seconds: float) -> list[Tale]:
        for _ in range(round(seconds / life.REPORT_EVERY)):
            self.reactor.advance(life.REPORT_EVERY)
        return self.told()

    def test_it_listens_once_it_knows_how_things_stand(self) -> None:
        self.assertEqual(self.told(begin(fd=socket.socket().detach())), [Done(number=1)])
        self.assertEqual(self.told(standing(2)), [Up(), Done(number=2)])
        self.assertEqual(self.told(standing(3, parked=True)), [Done(number=3)])
        self.assertEqual(len(self.reactor.doors), 1)

    def test_orders_in_one_piece_are_carried_out_in_turn(self) -> None:
        self.worker.dataReceived(b"".join(map(frame, (begin(fd=socket.socket().detach()), standing(2), CloseTunnels(number=3)))))
        self.assertEqual(self.told(), [Done(number=1), Up(), Done(number=2), Done(number=3)])

    def test_a_report_waits_until_the_one_before_was_heard(self) -> None:
        self.begin()
        (first,) = self.passes(1)
        assert isinstance(first, Report)
        visitor = MemoryTransport()
        visitor.protocol = self.reactor.doors[0].buildProtocol(visitor.getPeer())
        visitor.protocol.makeConnection(visitor)
        self.assertEqual(self.passes(1), [])
        self.told(Heard(report=first.number))
        (second,) = self.passes(1)
        assert isinstance(second, Report)
        self.assertEqual((second.number, second.now["connections.open"]), (2, 1))

    def test_one_with_nothing_to_tell_says_that_it_lives(self) -> None:
        self.begin()
        (first,) = self.passes(1)
        assert isinstance(first, Report)
        self.told(Heard(report=first.number))
        beats = [tale for tale in self.passes(life.BEAT * life.REPORT_EVERY + 1) if isinstance(tale, Report)]
        self.assertEqual([beat.number for beat in beats], [2])

    def test_a_certificate_that_cannot_be_used_leaves_the_one_before(self) -> None:
        pair = FakeCertificates().pem()
        order = Certificate(number=1, chain=pair[0], key=pair[1], publicly_trusted=True, summary="good")
        self.assertEqual(self.told(order), [Done(number=1)])
        before = self.certificates.context()
        self.assertEqual(self.told(Certificate(number=2, chain=b"?", key=b"?", publicly_trusted=False, summary="bad")), [Done(number=2)])
        self.assertIs(self.certificates.context(), before)
        self.assertEqual((self.certificates.summary, self.certificates.publicly_trusted), ("good", True))

    def test_stop_reports_once_more_and_ends_the_pipe(self) -> None:
        self.begin()
        heard = self.told(Stop(number=3))
        self.assertIsInstance(heard[0], Report)
        self.assertEqual(heard[1:], [Done(number=3)])
        self.assertTrue(self.pipe.disconnecting)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_what_is_no_order_ends_it(self) -> None:
        self.worker.dataReceived(frame(Up()))
        self.assertEqual(self.gone, 1)
        self.flushLoggedErrors()

    def test_the_end_of_the_pipe_ends_it_once(self) -> None:
        self.begin()
        for _ in range(2):
            self.worker.connectionLost(Failure(ConnectionRefusedError()))
        self.assertEqual(self.gone, 1)

    def test_an_order_that_fails_ends_it(self) -> None:
        self.told(standing(1))  # before Begin
        self.assertTrue(self.pipe.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(AssertionError)), 1)

    def test_its_log_goes_to_the_main_process(self) -> None:
        log = Logger("hsadmin.front", observer=self.worker.observe)  # type: ignore[arg-type]  # any callable does
        log.debug("too much")
        log.warn("There is {what}", what="something")
        try:
            raise RuntimeError("boom")
        except RuntimeError:
            log.failure("It broke")
        first, second = self.told()
        self.assertEqual(first, Said(level="warn", namespace="hsadmin.front", text="There is something"))
        assert isinstance(second, Said)
        self.assertIn("RuntimeError: boom", second.text)


class _Main(ProcessProtocol):
    def __init__(self) -> None:
        self.heard: list[Tale] = []
        self.muttered = b""
        self.ended: Deferred[Any] = Deferred()
        self.over = False
        self._unframe = tales()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == TALES:
            self.heard += self._unframe.feed(data)
        else:
            self.muttered += data

    def processEnded(self, reason: Failure) -> None:
        self.over = True
        self.ended.callback(reason.value)


class ProcessTests(TestCase):
    """`python -m hsadmin.front.worker` for real."""

    timeout = 60

    def setUp(self) -> None:
        self.main = _Main()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = int(self.listener.getsockname()[1])
        with open(os.devnull, "rb") as null:
            self.process: Any = reactor.spawnProcess(
                self.main,
                sys.executable,
                [sys.executable, "-P", "-m", "hsadmin.front.worker"],
                env={"PYTHONPATH": str(Path(__file__).parents[2])},
                childFDs={0: null.fileno(), 1: "r", 2: "r", ORDERS: "w", TALES: "r", FIRST_DOOR: self.listener.fileno()},
            )
        self.listener.close()
        self.addCleanup(self.finish)

    async def finish(self) -> None:
        if not self.main.over:
            self.process.signalProcess("KILL")
            await self.until(lambda: self.main.over)

    async def until(self, condition: Callable[[], object]) -> None:
        await eventually(reactor, condition)

    def order(self, order: Order) -> None:
        self.process.writeToChild(ORDERS, frame(order))

    async def up(self) -> Client:
        upstream = FakeUpstream(reactor)
        port = upstream.listen()
        self.addCleanup(lambda: ensureDeferred(upstream.stop()))
        self.order(begin())
        self.order(standing(2, port=port))
        await self.until(lambda: Up() in self.main.heard)
        client = await visit(reactor, self.port)
        client.say(KEY)
        await client.hears(BODY)
        return client

    async def test_it_serves_and_stops_by_order(self) -> None:
        client = await self.up()
        for name in ("INT", "TERM", "HUP"):
            self.process.signalProcess(name)
        client.say(KEY)
        await client.hears(BODY)
        self.order(Stop(number=3))
        await client.ends()
        await self.main.ended
        last = [tale for tale in self.main.heard if isinstance(tale, Report)][-1]
        self.assertEqual((last.counts["requests.key"], last.now["connections.open"]), (2, 0))
        self.assertEqual(self.main.muttered, b"")

    async def test_it_ends_when_its_orders_end(self) -> None:
        client = await self.up()
        self.process.closeChildFD(ORDERS)
        await client.ends()
        self.assertIsInstance(await self.main.ended, ProcessDone)
        with self.assertRaises(ConnectionRefusedError):
            await visit(reactor, self.port)


class PrisonTests(SynchronousTestCase):
    def test_signals_for_the_group_are_ignored(self) -> None:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.getsignal(number) for number in numbers]
        self.addCleanup(lambda: [signal.signal(*pair) for pair in zip(numbers, before, strict=True)])
        prison.deaf()
        self.assertEqual({signal.getsignal(number) for number in numbers}, {signal.SIG_IGN})
