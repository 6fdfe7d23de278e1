"""Waiting for headscale: who may, how long, in which order, and how a crash is survived without a 502."""

from __future__ import annotations

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.limits import FrontLimits
from hsadmin.front.park import GROUP, Park, State
from tests.fakes.memory import MemoryFront, answer, request, switching, upgrade

KEY = request("/key?v=138")


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1]) if said else 0


class One:
    def __init__(self, log: list[One]) -> None:
        self._log = log

    def proceed(self) -> None:
        self._log.append(self)


class ParkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.gone: list[One] = []

    def some(self, park: Park, count: int, source: int = 1) -> list[One]:
        waiting = [One(self.gone) for _ in range(count)]
        for one in waiting:
            self.assertTrue(park.hold(one, source))
        return waiting

    def test_a_quarter_for_one_source_and_a_bound_for_all(self) -> None:
        park = Park(self.clock, most=8)
        park.shut()
        (first, _second) = self.some(park, 2, source=1)
        self.assertFalse(park.hold(One(self.gone), 1))
        for source in (2, 3, 4):
            self.some(park, 2, source=source)
        self.assertFalse(park.hold(One(self.gone), 5))
        park.leave(first)
        park.leave(first)
        self.assertTrue(park.hold(One(self.gone), 5))

    def test_out_in_order_of_arrival_in_small_groups(self) -> None:
        park = Park(self.clock, most=4 * 4096)
        park.shut()
        waiting = self.some(park, 2 * GROUP + 5)
        park.open()
        self.assertEqual(self.gone, waiting[:GROUP])
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(self.gone, waiting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_shut_again_on_the_way_out_keeps_the_rest(self) -> None:
        park = Park(self.clock, most=4 * 4096)
        park.shut()
        self.some(park, GROUP + 1)
        park.open()
        park.shut()
        self.clock.advance(1)
        self.assertEqual((len(self.gone), len(park)), (GROUP, 1))

    def test_after_a_refused_connect_one_tries_until_one_gets_through(self) -> None:
        park = Park(self.clock, most=100)
        park.refused()
        waiting = self.some(park, 3)
        for delay in (0.1, 0.2, 0.4):
            self.assertEqual(self.gone, [])
            self.clock.advance(delay)
            self.assertEqual(self.gone, [waiting[0]])
            self.gone.clear()
            self.assertTrue(park.hold(waiting[0], 1, again=True))
            park.refused()
        self.clock.advance(0.8)
        park.reached()
        self.assertEqual(self.gone, waiting)
        self.assertIs(park.state, State.OPEN)


class ParkedVisitorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = MemoryFront()

    def test_what_has_no_body_waits_and_goes_on_in_order(self) -> None:
        self.house.front.park()
        visitors = [self.house.visit(), self.house.visit()]
        visitors[0].say(KEY)
        visitors[1].say(upgrade() + b"early")
        self.house.pass_time(7)
        self.assertEqual(self.house.dials(), [])
        self.house.front.resume()
        key, ts2021 = map(self.house.accept, self.house.dials())
        self.assertTrue(key.written.startswith(b"GET /key"))
        self.assertTrue(ts2021.written.startswith(b"POST /ts2021"))
        key.say(answer())
        ts2021.say(switching())
        self.assertEqual([status(visitor.written) for visitor in visitors], [200, 101])
        self.assertEqual(ts2021.written, b"early")

    def test_a_body_cannot_wait(self) -> None:
        self.house.front.park()
        visitor = self.house.visit()
        visitor.say(request("/register/confirm/hskey-authreq-" + "a" * 24, "Content-Length: 1", method="POST", body=b"x"))
        said = visitor.written
        self.assertEqual(status(said), 503)
        self.assertIn(b"Retry-After: 5\r\n", said)

    def test_the_console_is_not_parked(self) -> None:
        self.house.front.park()
        self.house.visit().say(request("/admin/api/status"))
        self.assertEqual(len(self.house.dials()), 1)

    def test_nobody_waits_longer_than_eight_seconds(self) -> None:
        self.house.front.park()
        visitor = self.house.visit()
        visitor.say(KEY)
        self.house.pass_time(7.5)
        self.assertEqual(visitor.written, b"")
        self.house.pass_time(1)
        self.assertEqual(status(visitor.written), 503)
        self.assertFalse(visitor.ended)
        self.assertEqual(self.house.counters["parked.now"], 0)

    def test_the_overflow_is_503_and_the_wait_does_not_count_to_the_source(self) -> None:
        house = MemoryFront(FrontLimits(parked=8, per_source=1))
        house.front.park()
        visitors = []
        for _ in range(3):
            visitors.append(house.visit())
            visitors[-1].say(upgrade())
        self.assertEqual([status(visitor.written) for visitor in visitors], [0, 0, 503])
        self.assertEqual(house.counters["refused.park-full"], 1)

    def test_who_leaves_is_forgotten(self) -> None:
        self.house.front.park()
        visitor = self.house.visit()
        visitor.say(KEY)
        visitor.lose()
        self.house.front.resume()
        self.assertEqual(self.house.dials(), [])

    def test_a_refused_connect_is_waited_out_within_the_same_eight_seconds(self) -> None:
        first, second = self.house.visit(), self.house.visit()
        first.say(KEY)
        self.house.refuse()
        second.say(KEY)  # does not even ask
        tries = 0
        for _ in range(24):
            self.house.pass_time(0.25)
            for dial in self.house.dials():
                tries += 1
                dial.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertGreater(tries, 3)
        self.assertLess(tries, 12)
        self.assertEqual(first.written + second.written, b"")
        self.house.pass_time(1)
        upstream = self.house.upstream()
        upstream.say(answer())
        self.house.upstream().say(answer())
        self.assertEqual([status(first.written), status(second.written)], [200, 200])

    def test_a_crash_that_lasts_ends_as_503(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        for _ in range(40):
            for dial in self.house.dials():
                dial.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
            self.house.pass_time(0.25)
        said = visitor.written
        self.assertEqual(status(said), 503)
        self.assertIn(b"Retry-After", said)

    def test_a_connect_that_succeeds_after_the_order_to_park_is_not_used(self) -> None:
        visitor = self.house.visit()
        visitor.say(upgrade())
        (dial,) = self.house.dials()
        self.house.front.park()
        upstream = self.house.accept(dial)
        self.assertEqual(upstream.written, b"")
        self.assertTrue(upstream.aborted)
        self.house.front.resume()
        self.assertTrue(self.house.upstream().written.startswith(b"POST /ts2021"))
