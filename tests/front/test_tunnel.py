"""Bytes both ways, and the end of them, driven without sockets."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.memory import MemoryFront, MemoryTransport, switching, upgrade


class TunnelTests(SynchronousTestCase):
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
