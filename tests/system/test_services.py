"""Parts start and stop one at a time, in order."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import ListenFailed
from hsadmin.system.services import InOrder


class Part(Service):
    """Says what happens to it; starts and stops when told."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name_ = name
        self.log = log
        self.start: Deferred[None] = Deferred()
        self.stop: Deferred[None] = Deferred()

    def startService(self) -> Deferred[None]:
        self.log.append(f"start {self.name_}")
        return self.start

    def stopService(self) -> Deferred[None]:
        self.log.append(f"stop {self.name_}")
        return self.stop


class InOrderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log: list[str] = []
        self.failures: list[BaseException] = []
        self.parent = InOrder(self.failures.append)
        self.parts = [Part(name, self.log) for name in "abc"]
        for part in self.parts:
            part.setServiceParent(self.parent)

    def test_each_start_waits_for_the_one_before(self) -> None:
        started = self.parent.startService()
        self.assertEqual(self.log, ["start a"])
        self.parts[0].start.callback(None)
        self.assertEqual(self.log, ["start a", "start b"])
        self.assertNoResult(started)
        self.parts[1].start.callback(None)
        self.parts[2].start.callback(None)
        self.assertIsNone(self.successResultOf(started))

    def up(self) -> None:
        self.parent.startService()
        for part in self.parts:
            part.start.callback(None)
        self.log.clear()

    def test_each_stop_waits_for_the_one_after(self) -> None:
        self.up()
        stopped = self.parent.stopService()
        self.assertEqual(self.log, ["stop c"])
        self.parts[2].stop.callback(None)
        self.assertEqual(self.log, ["stop c", "stop b"])
        self.parts[1].stop.callback(None)
        self.assertNoResult(stopped)
        self.parts[0].stop.callback(None)
        self.assertIsNone(self.successResultOf(stopped))

    def test_a_stop_while_starting_waits_and_starts_no_further_part(self) -> None:
        self.parent.startService()
        self.parts[0].start.callback(None)
        stopped = self.parent.stopService()
        self.assertEqual(self.log, ["start a", "start b"])
        self.parts[1].start.callback(None)
        self.parts[1].stop.callback(None)
        self.parts[0].stop.callback(None)
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.log, ["start a", "start b", "stop b", "stop a"])

    def test_a_part_that_cannot_start_is_told_and_the_others_are_stopped_later(self) -> None:
        self.parent.startService()
        self.parts[0].start.callback(None)
        self.parts[1].start.errback(ListenFailed("Port 80 is taken."))
        self.assertEqual([str(fault) for fault in self.failures], ["Port 80 is taken."])
        self.parts[0].stop.callback(None)
        self.successResultOf(self.parent.stopService())
        self.assertEqual(self.log, ["start a", "start b", "stop a"])

    def test_a_part_that_fails_to_stop_does_not_keep_the_others_up(self) -> None:
        self.up()
        stopped = self.parent.stopService()
        self.parts[2].stop.errback(RuntimeError("stuck"))
        self.parts[1].stop.callback(None)
        self.parts[0].stop.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
