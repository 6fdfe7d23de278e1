"""Bytes both ways, and the end of them, driven without sockets."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.limits import FrontLimits
from tests.fakes.memory import MemoryFront, MemoryTransport, request, switching, upgrade
from tests.fakes.upstream import REPLY, SERVER_KEY, refuses
from tests.fakes.visitors import eventually
from tests.front.case import KEY, TS2021, FrontCase, on_both


class MemoryTunnelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = MemoryFront()
        self.visitor, self.upstream = self.tunnel()

    def tunnel(self) -> tuple[MemoryTransport, MemoryTransport]:
        visitor = self.house.visit()
        visitor.say(upgrade())
        upstream = self.house.upstream()
        upstream.say(switching())
        visitor.clear()
        upstream.clear()
        return visitor, upstream

    def test_both_ways(self) -> None:
        self.visitor.say(b"up")
        self.upstream.say(b"down")
        self.assertEqual((self.upstream.written, self.visitor.written), (b"up", b"down"))

    def test_who_does_not_read_stops_the_other_side(self) -> None:
        for slow, fast in ((self.visitor, self.upstream), (self.upstream, self.visitor)):
            slow.clog()
            self.assertTrue(fast.paused)
            self.assertFalse(slow.paused)
            slow.unclog()
            self.assertFalse(fast.paused)

    def test_an_end_of_one_side_is_an_end_of_the_other(self) -> None:
        for note in ("visitor-ended", "upstream-ended"):
            visitor, upstream = self.tunnel()
            ends, other = (visitor, upstream) if note.startswith("visitor") else (upstream, visitor)
            ends.say(b"last words")
            ends.lose()
            self.assertEqual(other.written, b"last words")
            self.assertTrue(other.half_closed)
            self.assertEqual(self.house.records[-1].note, note)
            other.lose()
            self.assertEqual(len(self.house.records), 1 if note.startswith("visitor") else 2)

    def test_an_end_waits_for_the_flush(self) -> None:
        self.upstream.clog()
        self.visitor.lose()
        self.assertFalse(self.upstream.half_closed)
        self.upstream.unclog()
        self.assertTrue(self.upstream.half_closed)

    def test_rest_has_no_limit(self) -> None:
        self.house.pass_time(7200, step=60)
        self.visitor.say(b"still here")
        self.assertEqual(self.upstream.written, b"still here")
        self.assertEqual(self.house.reactor.getDelayedCalls(), [])  # nor does it cost a timer

    def test_the_kernel_watches_for_dead_visitors(self) -> None:
        self.assertEqual(sorted(self.visitor.handle.options.values()), [1, 3, 10, 60, 90_000])

    def test_counted_while_open_and_not_twice(self) -> None:
        before = self.house.counters
        self.visitor.say(b"12345")
        self.upstream.say(b"123")
        opened = self.house.counters
        self.assertEqual(opened["bytes.ts2021.received"] - before["bytes.ts2021.received"], 5)
        self.assertEqual(opened["bytes.ts2021.sent"] - before["bytes.ts2021.sent"], 3)
        (stream,) = self.house.front.open_streams()
        self.assertEqual((stream.route, stream.peer, stream.since), ("ts2021", "198.51.100.7", 1_000_000.0))
        self.house.reactor.advance(90)
        self.visitor.lose()
        self.upstream.lose()
        closed = self.house.counters
        self.assertEqual(closed["bytes.ts2021.received"], opened["bytes.ts2021.received"])
        self.assertEqual((closed["tunnels.opened"], closed["tunnels.closed"], closed["tunnels.open"]), (1, 1, 0))
        (record,) = self.house.records
        self.assertEqual((record.status, record.tunnel, record.seconds, record.method), (101, True, 90.0, "POST"))
        self.assertEqual(record.received, opened["bytes.ts2021.received"])
        self.assertEqual(closed["connections.open"], 0)

    def test_streams_are_listed_oldest_first(self) -> None:
        self.tunnel()
        ids = [stream.id for stream in self.house.front.open_streams()]
        self.assertEqual(ids, sorted(ids))
        self.assertEqual(len(set(ids)), 2)


@on_both
class TunnelTests(FrontCase):
    async def test_bytes_in_one_segment_with_the_101_and_with_the_request(self) -> None:
        house = self.start()
        client = await self.visit()
        client.say(TS2021 + b"early bird")
        heard = await client.hears(b"early bird")
        self.assertIn(b"\r\n\r\n" + REPLY, heard)
        connection = house.headscale.connections[0]
        self.assertTrue(connection.seen.endswith(b"\r\n\r\nearly bird"))

    async def test_derp_fast_start(self) -> None:
        self.start()
        client = await self.visit()
        client.say(upgrade("/derp", "DERP", "Derp-Fast-Start: 1", method="GET") + b"info")
        self.assertEqual(await client.hears(b"info"), SERVER_KEY + b"info")

    async def test_a_refused_upgrade_lets_nothing_through(self) -> None:
        house = self.start()
        house.headscale.scripts[b"/ts2021"] = refuses
        client = await self.visit()
        client.say(TS2021 + request("/swagger"))
        await client.ends()
        client = await self.visit()
        client.say(TS2021)
        await deferLater(reactor, 0.05)
        client.say(request("/swagger"))
        self.assertIn(b" 400 ", await client.ends())
        self.assertNotIn(b"swagger", house.headscale.seen)

    async def test_an_upgrade_on_a_connection_that_served_before(self) -> None:
        self.start()
        client = await self.visit()
        client.say(KEY + request("/robots.txt") + TS2021 + b"!")
        await client.hears(REPLY + b"!")

    async def test_the_visitors_end_ends_the_upstream_after_a_flush(self) -> None:
        house = self.start()
        client = await self.tunnel()
        connection = house.headscale.connections[0]
        client.say(b"\0" * 300_000)
        client.wire.loseConnection()
        await eventually(reactor, lambda: connection.lost)
        self.assertEqual(connection.seen.count(b"\0"), 300_000)
        (record,) = house.records
        self.assertEqual((record.route, record.status, record.tunnel, record.note), ("ts2021", 101, True, "visitor-ended"))

    async def test_the_upstreams_end_ends_the_visitor_after_a_flush(self) -> None:
        house = self.start()
        client = await self.tunnel()
        house.headscale.connections[0].wire.write(b"\0" * 300_000)
        house.headscale.connections[0].wire.loseConnection()
        heard = await client.ends()
        self.assertEqual(heard.count(b"\0"), 300_000)
        assert client.lost is not None
        self.assertTrue(client.lost.check(ConnectionDone), msg="said properly, not by a reset after the linger")

    async def test_a_stalled_reader_holds_no_more_than_buffers_and_then_gets_all(self) -> None:
        house = self.start()
        client = await self.tunnel()
        client.keep, client.count = False, 0
        client.wire.pauseProducing()
        total, piece = 64 * 1024 * 1024, bytes(1024 * 1024)
        sent = 0
        upstream = house.headscale.connections[0]

        class Producer:
            def resumeProducing(self) -> None:
                nonlocal sent
                if sent < total:
                    sent += len(piece)
                    upstream.wire.write(piece)

            def stopProducing(self) -> None: ...

        upstream.wire.registerProducer(Producer(), False)
        await deferLater(reactor, 0.5)
        stalled = sent
        self.assertLess(stalled, 32 * 1024 * 1024)
        await deferLater(reactor, 0.2)
        self.assertEqual(sent, stalled)
        client.wire.resumeProducing()
        await client.hears_count(total)

    async def test_a_peer_that_never_answers_our_end_is_cut(self) -> None:
        house = self.start(limits=FrontLimits(linger=0.3))
        client = await self.tunnel()
        client.wire.pauseProducing()
        house.headscale.connections[0].wire.abortConnection()
        await eventually(reactor, lambda: house.front.counters()["connections.open"] == 0)

    async def test_counters_and_streams_rise_while_open(self) -> None:
        house = self.start()
        client = await self.visit()
        client.say(upgrade("/derp", "DERP", method="GET"))
        await client.hears(SERVER_KEY)
        before = house.front.counters()
        client.say(b"z" * 1000)
        await client.hears(b"z" * 1000)
        after = house.front.counters()
        for way in ("received", "sent"):
            self.assertEqual(after[f"bytes.derp.{way}"] - before[f"bytes.derp.{way}"], 1000)
        (stream,) = house.front.open_streams()
        self.assertEqual((stream.route, stream.peer), ("derp", "127.0.0.1"))
        client.wire.loseConnection()
        await eventually(reactor, lambda: house.records)
        self.assertEqual(house.front.counters()["bytes.derp.received"], after["bytes.derp.received"])
        self.assertEqual(house.front.open_streams(), [])

    async def test_a_dead_peer_would_be_noticed(self) -> None:
        house = self.start()
        await self.tunnel()
        (tunnel,) = house.front._house.tunnels.values()
        sock = tunnel.visitor._socket()  # type: ignore[attr-defined]  # what the kernel was told is not visible otherwise
        self.assertTrue(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 60)
        self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 90_000)
        self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


@on_both
class TunnelTestsTLS(TunnelTests):
    tls = True
