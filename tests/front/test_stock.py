"""The seam: what a handler is told, and how a connection ends, on a stock transport."""

from __future__ import annotations

import socket
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.stock import TLSOnTop, Wire
from hsadmin.front.transports import LINGER_TURNS, Bytes, acknowledged
from tests.fakes.front import FakeCertificates
from tests.fakes.memory import MemoryTransport


class Listener:
    """A handler that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def ready(self) -> None:
        self.told.append("ready")

    def received(self, data: Bytes) -> None:
        self.told.append(bytes(data))

    def blocked(self) -> None:
        self.told.append("blocked")

    def drained(self) -> None:
        self.told.append("drained")

    def lost(self, reason: str) -> None:
        self.told.append(("lost", reason))


class WireTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.listener = Listener()
        self.wire = Wire(self.clock, self.listener, linger=5.0)
        self.transport = MemoryTransport()
        self.transport.protocol = self.wire
        self.wire.makeConnection(self.transport)

    def test_events_in_order(self) -> None:
        self.transport.say(b"a")
        self.transport.clog()
        self.transport.clog()
        self.assertTrue(self.wire.is_blocked)
        self.transport.unclog()
        self.transport.unclog()
        self.transport.lose()
        self.assertEqual(self.listener.told, ["ready", b"a", "blocked", "drained", ("lost", "ended")])

    def test_words_for_a_loss(self) -> None:
        for reason, word in (
            (ConnectionDone(), "ended"),
            (ConnectionAborted(), "aborted"),
            (ConnectionLost(), "broken"),
            (SSL.Error(), "tls"),
        ):
            self.setUp()
            self.transport.lose(reason)
            self.assertEqual(self.listener.told[-1], ("lost", word))

    def test_another_handler_takes_over(self) -> None:
        heir = Listener()
        self.wire.hand_over(heir)
        self.transport.say(b"a")
        self.transport.lose()
        self.assertEqual(heir.told, [b"a", ("lost", "ended")])
        self.assertEqual(self.listener.told, ["ready"])

    def test_close_flushes_then_says_the_end_and_listens_no_more(self) -> None:
        self.wire.pause()
        self.transport.clog()
        self.wire.write(b"last")
        self.wire.close()
        self.assertFalse(self.transport.half_closed)
        self.assertFalse(self.transport.paused)
        self.transport.unclog()
        self.assertTrue(self.transport.half_closed)
        self.wire.write(b"too late")
        self.transport.say(b"unheard")
        self.assertEqual(self.transport.written, b"last")
        self.transport.lose()
        self.assertEqual(self.listener.told, ["ready", "blocked", ("lost", "ended")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_never_ends_is_aborted_after_the_linger(self) -> None:
        self.wire.close()
        self.clock.advance(4.9)
        self.assertFalse(self.transport.aborted)
        self.clock.advance(0.2)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_still_confirms_bytes_is_given_time_but_not_for_ever(self) -> None:
        acked = 0

        def info(level: int, option: int, size: int) -> bytes:
            nonlocal acked
            acked += 1
            return bytes(120) + acked.to_bytes(8, "little")

        self.transport.handle.getsockopt = info  # type: ignore[method-assign]
        self.wire.close()
        for _ in range(LINGER_TURNS - 1):
            self.clock.advance(5)
            self.assertFalse(self.transport.aborted)
        self.clock.advance(5)
        self.assertTrue(self.transport.aborted)

    def test_the_kernel_says_what_was_confirmed(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as ours:
            peer, _ = listening.accept()
            with peer:
                before = acknowledged(ours)
                ours.sendall(bytes(1000))
                peer.recv(1000, socket.MSG_WAITALL)
                self.assertEqual(acknowledged(ours) - before, 1000)

    def test_calls_after_the_loss_do_nothing(self) -> None:
        self.transport.lose()
        self.wire.write(b"x")
        self.wire.pause()
        self.wire.resume()
        self.wire.close()
        self.wire.abort()
        self.wire.watch_for_death()
        self.assertFalse(self.wire.quiet())
        self.assertEqual(self.transport.written, b"")
        self.assertFalse(self.transport.aborted)

    def test_abort_tells_the_handler_once(self) -> None:
        self.wire.abort()
        self.wire.abort()
        self.assertEqual(self.listener.told, ["ready", ("lost", "aborted")])

    def test_quiet(self) -> None:
        self.assertTrue(self.wire.quiet())
        self.transport.handle.waiting = True
        self.assertFalse(self.wire.quiet())


class TLSTests(SynchronousTestCase):
    def test_alpn_is_known_and_the_context_is_that_of_the_moment(self) -> None:
        certificates = FakeCertificates()
        factory = TLSOnTop(certificates, Factory(), Clock())
        self.assertTrue(IProtocolNegotiationFactory.providedBy(factory))
        self.assertEqual(factory.acceptableProtocols(), [b"http/1.1"])
        creator: Any = factory._creatorCallable
        first = creator(None).get_context()
        certificates.swap()
        self.assertIsNot(creator(None).get_context(), first)
