"""A moment comes once, for everybody who waits, and nobody who gave up is told."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.system.moment import Moment


class MomentTests(SynchronousTestCase):
    def test_all_who_wait_are_told_once(self) -> None:
        moment = Moment()
        first, second = moment.wait(), moment.wait()
        self.assertNoResult(first)
        moment.set()
        moment.set()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertTrue(moment.come)

    def test_waiting_for_one_that_has_come(self) -> None:
        moment = Moment()
        moment.set()
        self.successResultOf(moment.wait())

    def test_giving_up_disturbs_nobody(self) -> None:
        moment = Moment()
        patient, hasty = moment.wait(), moment.wait()
        hasty.cancel()
        self.failureResultOf(hasty, CancelledError)
        moment.set()
        self.successResultOf(patient)

    def test_within(self) -> None:
        for name, comes, expected in (("in time", 4.0, True), ("too late", 6.0, False)):
            clock, moment = Clock(), Moment()
            clock.callLater(comes, moment.set)
            answer = Deferred.fromCoroutine(moment.within(clock, 5.0))
            clock.pump([1.0] * 5)
            self.assertIs(self.successResultOf(answer), expected, name)

    def test_within_leaves_no_timer(self) -> None:
        clock, moment = Clock(), Moment()
        answer = Deferred.fromCoroutine(moment.within(clock, 5.0))
        moment.set()
        self.assertTrue(self.successResultOf(answer))
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_no_time_left(self) -> None:
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(Moment().within(Clock(), 0.0))))
