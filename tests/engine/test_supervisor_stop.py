"""How headscale is ended: the front first, no signal before it can be understood, never without an end."""

from __future__ import annotations

import signal
from collections.abc import Awaitable

from twisted.internet.defer import Deferred

from hsadmin.engine.life import SETTLING
from hsadmin.engine.supervisor import FAREWELL
from hsadmin.errors import EngineProblem
from hsadmin.model.engine import Phase
from tests.engine.supervised import LAST_LINE, SupervisedCase


class StopTests(SupervisedCase):
    def test_front_then_link_then_term(self) -> None:
        child = self.start()
        self.events.clear()
        closing: Deferred[None] = Deferred()

        def close() -> Awaitable[None]:
            return closing

        self.farewell = close
        done = self.stop()
        self.assertEqual((self.events, child.signals), (["stopping", "before_stop"], []))
        closing.callback(None)
        self.assertEqual((self.events[2:], child.names), (["disconnect"], ["TERM"]))
        self.assertNoResult(done)
        child.exit(0)
        self.successResultOf(done)
        self.assertEqual((self.phase, self.state.pid, self.state.reason), (Phase.STOPPED, None, ""))
        self.assertFalse(self.record.exists())

    def test_a_front_that_does_not_come_to_an_end_is_not_waited_for(self) -> None:
        child = self.start()
        self.farewell = Deferred
        self.stop()
        self.run_for(FAREWELL - 0.1)
        self.assertEqual(child.signals, [])
        self.run_for(0.2)
        self.assertEqual(child.names, ["TERM"])

    def test_a_front_that_fails_does_not_hold_the_stop(self) -> None:
        async def broken() -> None:
            raise ZeroDivisionError

        child = self.start()
        self.farewell = broken
        self.stop()
        self.assertEqual(child.names, ["TERM"])

    def test_kill_after_patience(self) -> None:
        child = self.start()
        done = self.stop()
        began = self.reactor.seconds()
        self.run_for(25)
        self.successResultOf(done)
        self.assertEqual(child.names, ["TERM", "KILL"])
        self.assertLess(abs(child.signals[1][0] - began - 20), 0.1)

    def test_a_child_that_ends_while_the_front_closes_gets_no_signal(self) -> None:
        child = self.start()
        closing: Deferred[None] = Deferred()
        self.farewell = lambda: closing
        done = self.stop()
        child.exit(0)
        self.assertNoResult(done)
        closing.callback(None)
        self.successResultOf(done)
        self.assertEqual((child.signals, self.phase), ([], Phase.STOPPED))

    def test_two_stops_are_one(self) -> None:
        child = self.start()
        first, second = self.stop(), self.stop()
        child.exit(0)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(child.names, ["TERM"])

    def test_nothing_to_stop(self) -> None:
        self.successResultOf(self.stop())
        self.assertEqual(self.phase, Phase.STOPPED)
        self.successResultOf(self.stop())

    def test_while_preparing(self) -> None:
        cancelled: list[object] = []
        self.preparing = lambda: Deferred(cancelled.append)
        self.supervisor.startService()
        self.successResultOf(self.stop())
        self.assertEqual((len(cancelled), self.phase, self.reactor.spawned), (1, Phase.STOPPED, []))

    def test_while_waiting_for_the_next_start(self) -> None:
        self.start().exit(1)
        self.successResultOf(self.stop())
        self.run_for(100, 1)
        self.assertEqual((len(self.reactor.spawned), self.phase), (1, Phase.STOPPED))

    def test_started_again_after_a_stop(self) -> None:
        child = self.start()
        done = self.stop()
        child.exit(0)
        self.successResultOf(done)
        self.start()
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_started_again_during_a_stop(self) -> None:
        child = self.start()
        done = self.stop()
        self.supervisor.startService()
        child.exit(0)
        self.successResultOf(done)
        self.settle()
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_a_stop_while_we_restart_it_ourselves(self) -> None:
        child = self.start()
        self.healthy = False
        self.run_for(41, 0.5)
        self.assertEqual(self.phase, Phase.STOPPING)
        done = self.stop()
        child.exit(0)
        self.successResultOf(done)
        self.run_for(5)
        self.assertEqual((self.phase, len(self.reactor.spawned)), (Phase.STOPPED, 1))


class SignalTimeTests(SupervisedCase):
    """headscale dies by a signal that comes before its handlers: none is sent until 100 ms after the last line of its start."""

    def test_not_before_the_line_and_not_right_after_it(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        child = self.child
        self.stop()
        self.run_for(3)
        self.assertEqual(child.signals, [])
        child.out(LAST_LINE)
        said = self.reactor.seconds()
        self.run_for(1, 0.01)
        self.assertEqual(child.names, ["TERM"])
        self.assertLess(abs(child.signals[0][0] - said - SETTLING), 0.02)

    def test_a_log_level_hides_the_line(self) -> None:
        self.supervisor.startService()
        self.reactor.advance(0)
        self.assertEqual(self.phase, Phase.READY)
        self.stop()
        self.assertEqual(self.child.signals, [])
        self.reactor.advance(SETTLING)
        self.assertEqual(self.child.names, ["TERM"])

    def test_one_that_becomes_ready_during_the_stop_is_signalled_too(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        self.run_for(1)
        self.stop()
        self.healthy = True
        self.run_for(1.5)
        self.assertEqual((self.phase, self.child.names), (Phase.STOPPING, ["TERM"]))

    def test_one_that_never_gets_there_is_killed_within_the_same_patience(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        done = self.stop()
        began = self.reactor.seconds()
        self.run_for(21)
        self.successResultOf(done)
        self.assertEqual(self.child.names, ["KILL"])
        self.assertLess(abs(self.child.signals[0][0] - began - 20), 0.1)

    def test_waiting_for_the_line_is_part_of_the_patience(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        self.stop()
        self.run_for(15)
        self.child.out(LAST_LINE)
        self.run_for(6)
        self.assertEqual(self.child.names, ["TERM", "KILL"])
        self.assertLess(self.child.signals[1][0], 20.1)


class StoppingTests(SupervisedCase):
    """SIGINT and SIGTERM reach the whole group: headscale may end before anybody stops it."""

    def test_an_end_after_the_mark_is_no_failure(self) -> None:
        child = self.start()
        self.supervisor.stopping()
        child.exit(0)
        self.assertEqual((self.phase, self.state.reason, self.state.code), (Phase.STOPPED, "", ""))
        self.run_for(5)
        self.successResultOf(self.stop())
        self.assertEqual((len(self.reactor.spawned), child.signals), (1, []))

    def test_killed_by_the_signal_while_starting(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        self.supervisor.stopping()
        self.child.exit(killed=signal.SIGINT)
        self.run_for(5)
        self.assertEqual((self.phase, len(self.reactor.spawned)), (Phase.STOPPED, 1))

    def test_nothing_is_started_after_the_mark(self) -> None:
        self.start().exit(1)
        self.supervisor.stopping()
        self.run_for(5)
        self.assertEqual(len(self.reactor.spawned), 1)

    def test_nothing_is_spawned_by_an_attempt_under_way(self) -> None:
        answer: Deferred[None] = Deferred()

        async def slow() -> object:
            await answer
            return self.launch()

        self.preparing = slow  # type: ignore[assignment]  # a Launch, late
        self.supervisor.startService()
        self.supervisor.stopping()
        answer.callback(None)
        self.assertEqual(self.reactor.spawned, [])

    def test_no_restart_after_the_mark(self) -> None:
        self.start()
        self.supervisor.stopping()
        problem = self.failureResultOf(Deferred.fromCoroutine(self.supervisor.restart()), EngineProblem).value
        self.assertIn("stopping", problem.sentence)

    def test_a_restart_under_way_ends_as_a_stop(self) -> None:
        child = self.start()
        restart = Deferred.fromCoroutine(self.supervisor.restart())
        self.supervisor.stopping()
        child.exit(0)
        self.failureResultOf(restart, EngineProblem)
        self.assertEqual((self.phase, len(self.reactor.spawned)), (Phase.STOPPED, 1))
