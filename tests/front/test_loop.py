"""The loop by itself: whose events it tells, and what it leaves behind."""

from __future__ import annotations

import socket
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from hsadmin.front.loop import READABLE, Loop
from tests.fakes.visitors import eventually


class Ear:
    """Reads what comes on its socket, then does as it is told."""

    def __init__(self, sock: socket.socket, then: Callable[[], None] = lambda: None) -> None:
        self.sock = sock
        self.then = then
        self.heard = b""
        self.crashes = 0

    def event(self, events: int) -> None:
        self.heard += self.sock.recv(100)
        self.then()

    def crashed(self) -> None:
        self.crashes += 1


class LoopTests(TestCase):
    def setUp(self) -> None:
        self.loop = Loop(reactor)

    def pair(self) -> tuple[Ear, socket.socket]:
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        ear = Ear(ours)
        self.loop.add(ours.fileno(), ear, READABLE)
        return ear, theirs

    def test_it_is_a_reader_and_nothing_is_open_before_the_first(self) -> None:
        self.assertTrue(IReadDescriptor.providedBy(self.loop))
        self.assertEqual(self.loop.fileno(), -1)

    async def test_each_hears_his_own(self) -> None:
        pairs = [self.pair() for _ in range(5)]
        for number, (_, theirs) in enumerate(pairs):
            theirs.send(b"%d" % number)
        await eventually(reactor, lambda: all(ear.heard for ear, _ in pairs))
        self.assertEqual([ear.heard for ear, _ in pairs], [b"0", b"1", b"2", b"3", b"4"])
        for ear, _ in pairs:
            self.loop.drop(ear.sock.fileno())
        self.assertEqual(self.loop.fileno(), -1)  # and trial finds no reader left in the reactor

    async def test_one_who_fails_does_not_reach_the_others(self) -> None:
        (bad, to_bad), (good, to_good) = self.pair(), self.pair()

        def fail() -> None:
            raise RuntimeError("on purpose")

        bad.then = fail
        to_bad.send(b"x")
        to_good.send(b"y")
        await eventually(reactor, lambda: good.heard and bad.heard)
        self.assertEqual((bad.crashes, good.crashes), (1, 0))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        for ear in (bad, good):
            self.loop.drop(ear.sock.fileno())

    async def test_one_who_leaves_in_the_middle_hears_no_more(self) -> None:
        (one, to_one), (other, to_other) = self.pair(), self.pair()
        one.then = lambda: self.loop.drop(other.sock.fileno())
        other.then = lambda: self.loop.drop(one.sock.fileno())
        to_one.send(b"x")
        to_other.send(b"y")
        await eventually(reactor, lambda: one.heard or other.heard)
        await deferLater(reactor, 0.01)
        self.assertEqual(len(one.heard + other.heard), 1)
        self.loop.drop((one if one.heard else other).sock.fileno())

    async def test_soon_is_later_and_in_order_whatever_fails(self) -> None:
        called: list[int] = []
        self.loop.soon(lambda: called.append(1))
        self.loop.soon(lambda: called.append(1 // 0))
        self.loop.soon(lambda: called.append(2))
        self.assertEqual(called, [])
        await deferLater(reactor, 0)
        self.assertEqual(called, [1, 2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
