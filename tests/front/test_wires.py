"""A transport of our own by itself, its far end in the hand of the test: order of events, back-pressure, and the ways to end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from hsadmin.front import wires
from hsadmin.front.loop import BUFFER
from hsadmin.front.transports import LINGER_TURNS, Bytes
from hsadmin.front.wires import Ground, Wire
from tests.fakes.callers import reset
from tests.fakes.visitors import eventually

BULK = bytes(8 << 20)


class Listener:
    """Writes down what it is told; `then` may do something about bytes."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.heard = b""
        self.then: Callable[[], None] = lambda: None

    def ready(self) -> None:
        self.told.append("ready")

    def received(self, data: Bytes) -> None:
        self.heard += data
        self.then()

    def blocked(self) -> None:
        self.told.append("blocked")

    def drained(self) -> None:
        self.told.append("drained")

    def lost(self, reason: str) -> None:
        self.told.append(reason)


class WireCase(TestCase):
    linger = 20.0

    def setUp(self) -> None:
        self.ground = Ground(reactor, linger=self.linger)
        self.listener = Listener()
        ours, self.peer = self.pair()
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.addCleanup(self.peer.close)
        self.wire = Wire(self.ground, ours, self.listener)
        self.wire.begin()
        self.addCleanup(self.clear)

    def pair(self) -> tuple[socket.socket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            ours = socket.create_connection(listening.getsockname())
            return ours, listening.accept()[0]

    async def clear(self) -> None:
        if self.told[-1] not in ("ended", "aborted", "broken"):
            self.wire.abort()
            await self.tells("aborted")
        self.assertEqual(self.ground.loop.fileno(), -1)

    @property
    def told(self) -> list[Any]:
        return self.listener.told

    async def tells(self, last: str) -> None:
        await eventually(reactor, lambda: self.told[-1] == last)

    async def drain(self) -> int:
        """Reads all that the wire has for the peer now."""
        count = 0
        quiet = 0
        while quiet < 5:
            try:
                data = self.peer.recv(1 << 20)
            except BlockingIOError:
                quiet += 1
                await deferLater(reactor, 0.005)
            else:
                quiet = 0
                count += len(data)
                if not data:
                    break
        return count


class WireTests(WireCase):
    async def test_both_ways(self) -> None:
        self.peer.send(b"ask")
        await eventually(reactor, lambda: self.listener.heard)
        self.wire.write(b"answer")
        self.assertEqual(self.peer.recv(100), b"answer", msg="at once, without a turn of the reactor")
        self.wire.write(memoryview(b"more"))
        self.wire.write(b"")
        self.assertEqual(self.peer.recv(100), b"more")
        self.assertEqual((self.told, self.listener.heard), (["ready"], b"ask"))

    async def test_blocked_once_and_drained_once_and_nothing_is_lost(self) -> None:
        self.wire.write(BULK)
        self.assertTrue(self.wire.is_blocked)
        self.wire.write(b"and more")
        self.assertEqual(self.told, ["ready", "blocked"])
        self.assertEqual(await self.drain(), len(BULK) + 8)
        self.assertFalse(self.wire.is_blocked)
        self.assertEqual(self.told, ["ready", "blocked", "drained"])

    async def test_a_pause_is_one_at_once_and_ends_with_resume(self) -> None:
        self.wire.pause()
        self.wire.pause()
        self.peer.send(b"x")
        await deferLater(reactor, 0.02)
        self.assertEqual(self.listener.heard, b"")
        self.wire.resume()
        self.wire.resume()
        await eventually(reactor, lambda: self.listener.heard)

    async def test_another_handler_in_the_middle_of_a_read(self) -> None:
        heir = Listener()
        self.listener.then = lambda: self.wire.hand_over(heir)
        self.peer.send(b"a")
        await eventually(reactor, lambda: self.listener.heard)
        self.peer.send(b"b")
        await eventually(reactor, lambda: heir.heard)
        self.peer.close()
        await eventually(reactor, lambda: heir.told)
        self.assertEqual((self.listener.heard, heir.heard, heir.told), (b"a", b"b", ["ended"]))
        self.listener.told.append("ended")

    async def test_what_was_said_before_an_end_is_heard_however_long_we_paused(self) -> None:
        await self.last_words(self.peer.close)

    async def test_and_before_a_reset(self) -> None:
        await self.last_words(lambda: reset(self.peer))

    async def last_words(self, end: Callable[[], None]) -> None:
        self.wire.pause()
        self.peer.send(b"last words")
        await deferLater(reactor, 0.01)
        end()
        await deferLater(reactor, 0.05)
        self.assertEqual(self.told, ["ready"])
        self.wire.resume()
        await eventually(reactor, lambda: len(self.told) == 2)
        self.assertEqual(self.listener.heard, b"last words")

    async def test_an_end_that_is_told_while_we_pause_does_not_spin(self) -> None:
        turns = 0
        loop: Any = self.ground.loop
        look = loop.doRead

        def counted() -> None:
            nonlocal turns
            turns += 1
            look()

        loop.doRead = counted
        self.wire.pause()
        reset(self.peer)
        await deferLater(reactor, 0.2)
        self.assertLess(turns, 5)

    async def test_calls_after_the_loss_do_nothing(self) -> None:
        self.peer.close()
        await self.tells("ended")
        self.wire.write(b"x")
        self.wire.pause()
        self.wire.resume()
        self.wire.close()
        self.wire.abort()
        self.wire.watch_for_death()
        self.assertFalse(self.wire.quiet())
        await deferLater(reactor, 0.01)
        self.assertEqual(self.told, ["ready", "ended"])

    async def test_quiet(self) -> None:
        self.assertTrue(self.wire.quiet())
        self.wire.pause()
        self.peer.send(b"x")
        await deferLater(reactor, 0.01)
        self.assertFalse(self.wire.quiet())

    async def test_abort_is_told_later_and_once(self) -> None:
        self.wire.abort()
        self.wire.abort()
        self.assertEqual(self.told, ["ready"])
        await self.tells("aborted")
        self.assertEqual(self.told, ["ready", "aborted"])

    async def test_a_write_that_fails_is_not_told_within_it_and_the_last_words_come_first(self) -> None:
        self.wire.pause()
        self.peer.send(b"last words")
        await deferLater(reactor, 0.01)
        reset(self.peer)
        for _ in range(3):
            self.wire.write(b"nobody hears this")
        self.assertEqual(self.told, ["ready"])
        self.wire.resume()
        await eventually(reactor, lambda: len(self.told) == 2)
        self.assertEqual(self.listener.heard, b"last words")

    async def test_a_handler_that_fails_loses_its_connection_only(self) -> None:
        def fail() -> None:
            raise RuntimeError("on purpose")

        self.listener.then = fail
        self.peer.send(b"x")
        await self.tells("aborted")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class WireTestsUnix(WireTests):
    def pair(self) -> tuple[socket.socket, socket.socket]:
        return socket.socketpair()


class CloseTests(WireCase):
    async def test_it_flushes_says_the_end_and_reads_on_until_the_peer_has_ended(self) -> None:
        self.wire.write(BULK)
        self.wire.close()
        self.wire.write(b"too late")
        self.peer.send(b"unheard")
        self.assertEqual(await self.drain(), len(BULK))
        self.assertEqual(self.told, ["ready", "blocked"])
        self.peer.close()
        await self.tells("ended")
        self.assertEqual(self.listener.heard, b"")
        self.assertEqual(len(self.told), 3)

    async def test_a_pause_does_not_hold_it_up(self) -> None:
        self.wire.pause()
        self.wire.close()
        self.assertEqual(await self.drain(), 0)
        self.peer.close()
        await self.tells("ended")

    async def test_a_peer_that_breaks_off(self) -> None:
        self.wire.write(BULK)
        self.wire.close()
        reset(self.peer)
        await eventually(reactor, lambda: len(self.told) == 3)
        self.assertIn(self.told[2], ("ended", "broken"))

    async def test_abort_after_close(self) -> None:
        self.wire.close()
        self.wire.abort()
        await self.tells("aborted")


class LingerTests(WireCase):
    linger = 0.1

    async def test_who_never_ends_is_aborted(self) -> None:
        self.wire.write(BULK)
        self.wire.close()
        await self.tells("aborted")

    async def test_who_still_takes_something_is_given_time_but_not_for_ever(self) -> None:
        confirmed = 0

        def more(sock: socket.socket) -> int:
            nonlocal confirmed
            confirmed += 1
            return confirmed

        self.patch(wires, "acknowledged", more)
        self.wire.close()
        for _ in range(LINGER_TURNS - 1):
            self.wire.overdue()
        await deferLater(reactor, 0)
        self.assertEqual(self.told, ["ready"])
        self.wire.overdue()
        await self.tells("aborted")

    async def test_nobody_reads_the_last_words_of_one_who_has_gone(self) -> None:
        self.wire.pause()
        reset(self.peer)
        self.wire.write(b"x")
        await self.tells("broken")


class BufferTests(WireCase):
    async def test_one_read_is_one_buffer_at_most(self) -> None:
        sizes: list[int] = []
        self.listener.received = lambda data: sizes.append(len(data))  # type: ignore[method-assign]
        self.wire.pause()
        sent = self.peer.send(bytes(1 << 20))
        self.wire.resume()
        await eventually(reactor, lambda: sum(sizes) == sent)
        self.assertLessEqual(max(sizes), BUFFER)
