"""Lag is measured on a clock of the test; who is to blame is read from real stacks."""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import Clock, deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hsadmin.system.lag import BEAT, BOUNDS, IDLE, SAY_EVERY, SPAWN, STALL, Histogram, LagMeter, Watch, culprit

reactor: Any = _reactor


def stack(*functions: tuple[str, str]) -> FrameType:
    """The innermost frame of calls through functions (module, name), outermost first."""
    found: list[FrameType] = []
    call: Any = lambda: found.append(sys._getframe(1))  # noqa: E731
    for module, name in reversed(functions):
        space: dict[str, Any] = {"__name__": module, "call": call}
        exec(f"def {name}():\n    call()\n", space)
        call = space[name]
    call()
    return found[0]


class CulpritTests(SynchronousTestCase):
    def test_names(self) -> None:
        loop = ("twisted.internet.base", "mainLoop")
        for what, calls, name in (
            ("ours", [loop, ("hsadmin.a", "outer"), ("hsadmin.b", "inner")], "hsadmin.b.inner, line 2"),
            ("a library on our behalf", [loop, ("hsadmin.a", "outer"), ("json", "loads")], "hsadmin.a.outer, line 2"),
            ("nobody of ours", [loop, ("twisted.web", "render")], "twisted.web.render, line 2"),
            ("a name that only begins like ours", [loop, ("hsadminx.a", "f")], "hsadminx.a.f, line 2"),
            ("nothing", [loop, ("twisted.internet.epollreactor", "doPoll")], IDLE),
        ):
            self.assertEqual(culprit(stack(*calls)), name, what)

    def test_spawn(self) -> None:
        frames: list[FrameType] = []
        space: dict[str, Any] = {"__name__": "twisted.internet.process", "found": lambda: frames.append(sys._getframe(1))}
        exec("class Process:\n    def __init__(self):\n        found()\n", space)
        space["Process"]()
        self.assertEqual(culprit(frames[0]), SPAWN)
        ours: dict[str, Any] = {"__name__": "hsadmin.engine.life", "Process": space["Process"]}
        exec("def begin():\n    Process()\n", ours)
        ours["begin"]()
        self.assertEqual(culprit(frames[1]), f"{SPAWN}, from hsadmin.engine.life.begin, line 2")


class HistogramTests(SynchronousTestCase):
    def test_every_value_is_in_the_first_bucket_that_holds_it(self) -> None:
        for seconds, upto in ((0.0, 0.001), (0.001, 0.001), (0.0011, 0.002), (0.05, 0.05), (5.0, 5.0), (5.1, None)):
            histogram = Histogram()
            histogram.add(seconds)
            self.assertEqual([bucket.upto for bucket in histogram.buckets() if bucket.beats], [upto])
            self.assertEqual(histogram.worst, seconds)
        self.assertEqual(len(Histogram().buckets()), len(BOUNDS) + 1)


class WatchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.frame = stack(("hsadmin.a", "slow"))
        self.watch = Watch(self.clock.seconds, 1, lambda: {1: self.frame})

    def test_it_sleeps_until_a_beat_is_overdue(self) -> None:
        self.assertAlmostEqual(self.watch.look(), BEAT + STALL)
        self.assertEqual(self.watch.taken(), "")

    def test_what_was_seen_most_often_is_to_blame_and_is_told_once(self) -> None:
        self.clock.advance(BEAT + STALL)
        for frame in (self.frame, stack(("hsadmin.b", "quick")), self.frame):
            self.frame = frame
            self.assertAlmostEqual(self.watch.look(), STALL)
        self.assertEqual(self.watch.taken(), "hsadmin.a.slow, line 2")
        self.assertEqual(self.watch.taken(), "")

    def test_a_thread_that_is_not_there_is_nobody(self) -> None:
        self.clock.advance(1)
        Watch(self.clock.seconds, 2, dict).look()
        self.assertEqual(self.watch.taken(), "")


class MeterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.meter = LagMeter(self.clock, now=lambda: 1000.0)
        self.patch(threading, "Thread", _NoThread)
        self.meter.startService()

    def beats(self, late: float = 0.0) -> None:
        self.clock.rightNow += late  # what a callback does that takes long
        self.clock.advance(BEAT)

    def test_lateness_is_counted(self) -> None:
        for late in (0.0, 0.0, 0.03, 2.0):
            self.beats(late)
        read = self.meter.read()
        self.assertEqual({bucket.upto: bucket.beats for bucket in read.buckets if bucket.beats}, {0.001: 2, 0.05: 1, 5.0: 1})
        self.assertEqual((read.worst, read.stalls), (2.0, 2))
        assert read.last is not None
        self.assertEqual((read.last.seconds, read.last.at), (2.0, 1000.0))

    def test_the_log_has_the_first_at_once_and_then_the_longest_of_a_minute(self) -> None:
        assert self.meter.watch is not None
        with capturedLogs() as events:
            for late in (0.03, 0.1, 0.5, 0.2):
                self.meter.watch._seen["hsadmin.a.f, line 2"] += 1
                self.beats(late)
            self.assertEqual(len(events), 1)
            for _ in range(round(SAY_EVERY / BEAT)):
                self.beats()
        first, second = map(formatEvent, events)
        self.assertIn("for 30 ms by hsadmin.a.f, line 2", first)
        self.assertIn("for 500 ms by", second)
        self.assertIn(": 3;", second)

    def test_nothing_is_left_after_a_stop(self) -> None:
        self.meter.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class _NoThread:
    def __init__(self, **_given: object) -> None: ...
    def start(self) -> None: ...
    def join(self) -> None: ...


class RealTests(TestCase):
    """A real reactor that is really held up."""

    async def test_a_slow_function_is_named(self) -> None:
        meter = LagMeter(reactor, now=time.time)
        meter.startService()
        self.addCleanup(meter.stopService)
        space: dict[str, Any] = {"__name__": "hsadmin.tests", "sleep": time.sleep}
        exec("def slow():\n    sleep(0.3)\n", space)
        await deferLater(reactor, 0.1, space["slow"])
        await deferLater(reactor, 0.1)
        last = meter.read().last
        assert last is not None
        self.assertEqual(last.what, "hsadmin.tests.slow, line 2")
        self.assertGreater(meter.read().worst, 0.2)
        self.assertIn("lag", [thread.name for thread in threading.enumerate()])
