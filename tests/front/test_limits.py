"""Counts, deadlines and rates."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.limits import Deadlines, FrontLimits, Rate, Rates, Sources, source_of, total_for
from tests.fakes.memory import MemoryFront, request, switching, upgrade
from tests.fakes.visitors import ConnectFlood, SlowLoris, eventually
from tests.front.case import BODY, KEY, FrontCase, on_both


class SourcesTests(SynchronousTestCase):
    def test_what_is_one_source(self) -> None:
        for one, other, same in (
            ("192.0.2.1", "192.0.2.1", True),
            ("192.0.2.1", "192.0.2.2", False),
            ("2001:db8::1", "2001:db8::ffff:1", True),
            ("2001:db8::1", "2001:db8:0:1::1", False),
            ("0.0.0.1", "::1", False),
        ):
            self.assertEqual(source_of(ip_address(one)) == source_of(ip_address(other)), same, msg=f"{one} {other}")

    def test_full_for_one_source_then_full_for_all(self) -> None:
        sources = Sources(per_source=2, total=3)
        for source, expected in (
            (1, ""),
            (1, ""),
            (1, "source-connections"),
            (2, ""),
            (2, "total-connections"),
            (None, "total-connections"),
        ):
            self.assertEqual(sources.refusal(source), expected)
            if not expected:
                sources.enter(source)
        sources.uncount(1)
        sources.leave()
        self.assertEqual(sources.refusal(1), "")

    def test_the_total_leaves_room_for_the_rest_of_the_program(self) -> None:
        self.assertEqual(total_for(1_048_576), (1_048_576 - 512) // 2)
        self.assertEqual(total_for(100), 16)


class DoorTests(SynchronousTestCase):
    """At accept, before anything is read."""

    def test_a_flooding_source_is_closed_and_another_one_is_not(self) -> None:
        house = MemoryFront(FrontLimits(per_source=3))
        first, *_ = [house.visit("198.51.100.1") for _ in range(3)]
        self.assertIsNone(house.knock("198.51.100.1"))
        self.assertIsNotNone(house.knock("198.51.100.2"))
        self.assertEqual(house.counters["refused.source-connections"], 1)
        first.lose()
        self.assertIsNotNone(house.knock("198.51.100.1"))

    def test_tunnels_count_to_the_total_only(self) -> None:
        house = MemoryFront(FrontLimits(per_source=1, total=3))
        for _ in range(3):
            house.visit().say(upgrade())
            house.upstream().say(switching())
        self.assertIsNone(house.knock())
        self.assertEqual(house.counters["refused.total-connections"], 1)
        self.assertEqual(house.counters["tunnels.open"], 3)

    def test_a_trusted_proxy_is_no_source(self) -> None:
        house = MemoryFront(FrontLimits(per_source=1), trusted_proxies=(ip_network("192.0.2.0/24"),))
        for _ in range(3):
            house.visit("192.0.2.1")

    def test_without_tls_strangers_are_dropped(self) -> None:
        house = MemoryFront(trusted_proxies=(ip_network("192.0.2.0/24"),), drop_untrusted=True)
        self.assertIsNone(house.knock("198.51.100.1"))
        self.assertIsNotNone(house.knock("192.0.2.1"))
        self.assertEqual(house.counters["refused.untrusted-peer"], 1)

    def test_slow_heads_of_one_source_end_and_make_room(self) -> None:
        house = MemoryFront(FrontLimits(per_source=2))
        slow = [house.visit(), house.visit()]
        for one in slow:
            one.say(b"GET / HT")
        self.assertIsNone(house.knock())
        house.pass_time(10.5)
        for one in slow:
            self.assertTrue(one.written.startswith(b"HTTP/1.1 408 "))
            one.lose()
        house.visit().say(request("/robots.txt"))


class Late:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.times = 0

    def overdue(self) -> None:
        self.times += 1
        self.deadline = float("inf")


class DeadlinesTests(SynchronousTestCase):
    def test_each_is_told_once_and_no_timer_runs_for_nobody(self) -> None:
        clock = Clock()
        deadlines = Deadlines(clock, grain=0.5)
        soon, later, moved = Late(1.0), Late(2.0), Late(1.0)
        for one in (soon, later, moved):
            deadlines.watch(one)
        moved.deadline = 9.0
        clock.pump([0.5] * 3)
        self.assertEqual([soon.times, later.times, moved.times], [1, 0, 0])
        for one in (soon, later, moved):
            deadlines.forget(one)
        self.assertEqual(clock.getDelayedCalls(), [])


class RatesTests(SynchronousTestCase):
    def test_a_bucket_fills_again(self) -> None:
        clock = Clock()
        rates = Rates(clock.seconds, {"x": Rate(per_second=0.5, burst=2)})
        self.assertEqual([rates.wait("x", 1) for _ in range(3)], [0.0, 0.0, 2.0])
        self.assertEqual(rates.wait("x", 2), 0.0)
        clock.advance(2)
        self.assertEqual(rates.wait("x", 1), 0.0)
        self.assertEqual(rates.wait("not limited", 1), 0.0)

    def test_buckets_are_bounded(self) -> None:
        clock = Clock()
        rates = Rates(clock.seconds, {"x": Rate(1, 1)}, most=2)
        for source in (1, 2, 3):
            rates.wait("x", source)
        self.assertEqual(len(rates._buckets), 2)


@on_both
class HostileTests(FrontCase):
    async def test_a_slow_loris_and_a_flood_do_not_stop_a_third_client(self) -> None:
        house = self.start(limits=FrontLimits(per_source=16, total=200, head=2.0))
        loris = SlowLoris(reactor, house.port, source="127.0.0.2", count=16)
        await loris.start()
        flood = ConnectFlood(house.port, source="127.0.0.3", count=500)
        self.addCleanup(flood.stop)
        self.addCleanup(loris.stop)
        for _ in range(20):
            loris.drip()
            client = await self.visit(source="127.0.0.4")
            client.say(KEY)
            await client.hears(BODY)
            client.wire.loseConnection()
        await eventually(reactor, lambda: flood.closed() >= 484)
        self.assertGreaterEqual(house.front.counters()["refused.source-connections"], 484)
        await eventually(reactor, lambda: all(client.lost or b" 408 " in client.heard for client in loris.clients))

    async def test_the_same_under_tls(self) -> None:
        self.tls = True
        await self.test_a_slow_loris_and_a_flood_do_not_stop_a_third_client()
