"""The succession of lives: starts, ends, pauses, restarts. What a stop does is in test_supervisor_stop."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel
from zope.interface.verify import verifyObject

from hsadmin.engine.child import GRACE
from hsadmin.engine.launch import Launch
from hsadmin.engine.orphan import Identity, Record
from hsadmin.engine.supervisor import UNWELL
from hsadmin.errors import HeadscaleDown, ReleaseProblem
from hsadmin.interfaces import IEngine
from hsadmin.model.engine import Phase, Trust
from tests.engine.supervised import WALL, SupervisedCase
from tests.fakes.headscale_child import FATAL


class StartTests(SupervisedCase):
    def test_it_is_an_engine(self) -> None:
        verifyObject(IEngine, self.supervisor)

    def test_the_way_up(self) -> None:
        self.start()
        self.assertEqual(self.events, ["preparing", "prepare", "connect /w/h.sock", "starting", "ready"])
        state = self.state
        self.assertEqual((state.version, state.trust, state.pid), ("0.29.3", Trust.PINNED, self.child.pid))
        self.assertEqual((state.starts, state.restarts, state.code, state.reason, state.retry_at), (1, 0, "", "", None))

    def test_start_returns_while_the_first_attempt_is_under_way(self) -> None:
        self.preparing = Deferred
        self.supervisor.startService()
        self.assertEqual(self.phase, Phase.PREPARING)

    def test_spawned_without_fork_and_with_nothing_of_ours(self) -> None:
        child = self.start()
        self.assertEqual(child.env, {"PATH": "/bin"})
        self.assertEqual(child.args[1:], ("serve", "-c", "/w/headscale.yaml"))
        self.assertEqual(child.extra, {"path": None, "uid": None, "gid": None, "usePTY": False, "childFDs": None})

    def test_the_record_holds_the_running_child_only(self) -> None:
        child = self.start()
        known = Record(self.record).read()
        assert known is not None
        self.assertEqual(known.pid, child.pid)
        child.exit(killed=signal.SIGKILL)
        self.assertIsNone(Record(self.record).read())

    def test_a_record_that_cannot_be_written_is_a_warning(self) -> None:
        self.record.mkdir()
        self.start()
        self.assertIn("must be ended by hand", " ".join(self.state.warnings))

    def test_warnings_of_the_launch_and_of_the_inspection(self) -> None:
        async def with_warning() -> Launch:
            return self.launch(warnings=("foreign value corrected",))

        self.preparing, self.warnings = with_warning, ["contract drift"]
        self.start()
        self.assertEqual(self.state.warnings, ("foreign value corrected", "contract drift"))

    def test_an_inspection_that_fails_is_a_warning(self) -> None:
        async def down() -> list[str]:
            raise HeadscaleDown("headscale does not answer.")

        self.supervisor = self.make(inspect=down)
        self.start()
        self.assertEqual(self.state.warnings, ("headscale could not be inspected: headscale does not answer.",))

    def test_an_inspection_that_outlives_its_headscale_says_nothing(self) -> None:
        answers: list[Deferred[list[str]]] = []

        def slow() -> Deferred[list[str]]:
            answers.append(Deferred())
            return answers[-1]

        self.supervisor = self.make(inspect=slow)
        self.start().exit(1)
        answers[0].callback(["drift of the dead"])
        self.assertEqual(self.state.warnings, ())

    def test_since_is_wall_clock_and_pauses_are_not(self) -> None:
        child = self.start()
        self.wall = WALL - 10**6  # somebody set the clock back
        child.exit(killed=signal.SIGKILL)
        self.assertLess(self.state.since, WALL)
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_starting_twice_starts_once(self) -> None:
        self.start()
        self.supervisor.startService()
        self.run_for(1)
        self.assertEqual(len(self.reactor.spawned), 1)


class EndTests(SupervisedCase):
    def test_killed_when_healthy_it_is_back_at_once(self) -> None:
        child = self.start()
        self.run_for(100, 1)
        self.events.clear()
        child.exit(killed=signal.SIGKILL)
        self.assertEqual(
            (self.phase, self.state.code, self.state.retry_at), (Phase.BACKING_OFF, "engine.killed", WALL + self.reactor.seconds())
        )
        self.assertIn("SIGKILL", self.state.reason)
        self.reactor.advance(0)
        self.settle()
        self.assertEqual(self.events, ["disconnect", "backing-off", "preparing", "prepare", "connect /w/h.sock", "starting", "ready"])
        self.assertEqual((self.state.starts, self.state.restarts, self.state.code), (2, 1, ""))

    def test_pauses_grow_and_a_crash_loop_is_a_phase(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        seen: list[tuple[Phase, int]] = []
        for pause in (1, 2, 4, 8, 16, 32, 60, 60):
            self.child.err(FATAL["port"].err.encode())
            self.child.exit(1)
            state = self.state
            seen.append((state.phase, round((state.retry_at or 0) - WALL - self.reactor.seconds())))
            starts = len(self.reactor.spawned)
            self.reactor.advance(pause - 0.01)
            self.assertEqual(len(self.reactor.spawned), starts)
            self.reactor.advance(0.02)
            self.assertEqual(len(self.reactor.spawned), starts + 1)
        self.assertEqual([phase for phase, _ in seen], [Phase.BACKING_OFF] * 2 + [Phase.CRASH_LOOP] * 6)
        self.assertEqual([pause for _, pause in seen], [1, 2, 4, 8, 16, 32, 60, 60])
        self.assertEqual((self.state.code, self.phase), ("engine.port-busy", Phase.STARTING))
        self.assertIn("address already in use", self.state.last_lines[-1])

    def test_a_crash_loop_is_not_noise_in_the_log(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        for _ in range(30):
            self.child.err(b"Error: headscale ran into an error and had to shut down: getting DERPMap: no\n")
            self.child.exit(1)
            self.reactor.advance(61)
        loud = [event for event in self.logged if event["log_level"] >= LogLevel.info]
        self.assertLess(len(loud), 10)
        self.assertEqual(sum("map of relays" in str(event.get("sentence")) for event in loud), 1)

    def test_a_minute_of_health_forgets(self) -> None:
        self.start()
        for _ in range(3):
            self.child.exit(2)
            self.run_for(5)
            self.settle()
        self.run_for(61, 1)
        starts = len(self.reactor.spawned)
        self.child.exit(2)
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.spawned), starts + 1)

    def test_an_end_in_order_that_nobody_asked_for(self) -> None:
        self.start().exit(0)
        self.assertIn("had not asked it to", self.state.reason)
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_pipes_that_stay_open_do_not_hide_the_end(self) -> None:
        self.start().exit(killed=signal.SIGKILL, pipes_stay=True)
        self.assertEqual(self.phase, Phase.READY)
        self.reactor.advance(GRACE)
        self.assertIn("backing-off", self.events)
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_never_ready_is_killed_said_and_started_anew(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        self.child.out(b'{"level":"info","message":"Opening database"}\n')
        self.run_for(150, 0.5)
        self.assertEqual(self.reactor.spawned[0].names, ["KILL"])
        self.assertEqual(self.state.code, "engine.never-ready")
        self.assertIn("did not get ready within 12", self.state.reason)
        self.assertIn("Opening database", self.state.reason)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_the_limit_of_a_start_is_asked_for_each_time(self) -> None:
        self.supervisor = self.make(start_limit=lambda: 600.0)
        self.healthy = False
        self.supervisor.startService()
        self.run_for(590, 0.5)
        self.assertEqual((self.phase, self.child.signals), (Phase.STARTING, []))
        self.run_for(40, 0.5)
        self.assertEqual(self.reactor.spawned[0].names, ["KILL"])

    def test_unwell_is_a_warning_that_goes(self) -> None:
        self.start()
        self.healthy = False
        self.run_for(31, 0.5)
        self.assertEqual((self.phase, self.state.warnings), (Phase.READY, (UNWELL,)))
        self.healthy = True
        self.run_for(10, 0.5)
        self.assertEqual(self.state.warnings, ())

    def test_one_that_lingers_without_answering_is_started_anew(self) -> None:
        child = self.start()
        self.run_for(60, 0.5)
        self.events.clear()
        self.healthy = False
        self.run_for(41, 0.5)
        self.assertEqual((self.phase, self.state.code, child.names), (Phase.STOPPING, "engine.not-answering", ["TERM"]))
        self.assertEqual(self.events, [Phase.READY, "stopping", "before_stop", "disconnect"])
        self.healthy = True
        child.exit(0)
        self.assertEqual((self.phase, self.state.code), (Phase.BACKING_OFF, "engine.not-answering"))
        self.reactor.advance(0)
        self.settle()
        self.assertEqual((self.state.restarts, self.state.code), (1, ""))


class UnavailableTests(SupervisedCase):
    def test_a_problem_is_a_state_and_is_tried_again(self) -> None:
        async def refused() -> Launch:
            raise ReleaseProblem("The download of headscale 0.29.3 was cut short.")

        self.preparing = refused
        self.supervisor.startService()
        self.assertEqual((self.phase, self.state.code), (Phase.UNAVAILABLE, "release.unusable"))
        self.assertEqual(self.state.reason, "The download of headscale 0.29.3 was cut short.")
        self.assertEqual(self.state.retry_at, WALL + 1)
        self.reactor.advance(1)
        self.assertEqual(self.state.retry_at, WALL + 3)
        self.preparing = self.ready_launch
        self.reactor.advance(2)
        self.settle()
        self.assertEqual((self.state.code, self.state.starts, self.state.restarts), ("", 1, 0))

    def test_a_fault_of_ours_is_a_sentence_without_a_traceback(self) -> None:
        async def broken() -> Launch:
            raise ZeroDivisionError("secret")

        self.preparing = broken
        self.supervisor.startService()
        self.assertEqual((self.phase, self.state.code), (Phase.UNAVAILABLE, "engine.failed"))
        self.assertNotIn("secret", self.state.reason)
        self.assertEqual(sum("log_failure" in event for event in self.logged), 1)

    def test_a_binary_that_went_away(self) -> None:
        async def gone() -> Launch:
            return self.launch(binary=Path("/nowhere/headscale"))

        self.preparing = gone
        self.supervisor.startService()
        self.assertEqual((self.phase, self.state.code), (Phase.UNAVAILABLE, "engine.spawn-failed"))
        self.assertEqual((self.state.reason, self.state.pid), ("/nowhere/headscale does not exist.", None))
        self.assertNotIn("connect /w/h.sock", self.events)

    def test_a_spawn_that_fails(self) -> None:
        for number in (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.E2BIG, errno.EAGAIN, errno.EIO):
            self.reactor.refuse = OSError(number, os.strerror(number))
            self.supervisor.startService()
            self.assertEqual((self.phase, self.state.code), (Phase.UNAVAILABLE, "engine.spawn-failed"), errno.errorcode[number])
            self.successResultOf(self.stop())

    def test_an_orphan_is_ended_before_anything_else(self) -> None:
        alive = [True]
        self.patch(os, "pidfd_open", lambda _pid: os.open(os.devnull, os.O_RDONLY))
        self.patch(signal, "pidfd_send_signal", lambda _fd, number: self.reactor.callLater(0.5, alive.clear))

        async def identify(pid: int) -> Identity | None:
            return Identity(pid=pid, start="1", command="headscale") if alive or pid >= 4_000_000 else None

        self.supervisor._identify = identify
        Record(self.record).write(Identity(pid=77, start="1", command="headscale"))
        self.supervisor.startService()
        self.run_for(0.4)
        self.assertEqual((self.phase, self.events), (Phase.PREPARING, ["preparing"]))
        self.run_for(0.3)
        self.settle()
        self.assertTrue(any("process 77" in text for text in self.texts))


class RestartTests(SupervisedCase):
    def restart(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.supervisor.restart())

    def test_it_waits_for_the_stop_and_starts_anew(self) -> None:
        child = self.start()
        self.events.clear()
        done = self.restart()
        self.assertEqual((self.events, child.names), (["stopping", "before_stop", "disconnect"], ["TERM"]))
        self.assertNoResult(done)
        child.exit(0)
        self.successResultOf(done)
        self.assertEqual(self.events[3:], ["stopped", "preparing", "prepare", "connect /w/h.sock", "starting"])
        self.settle()
        self.assertEqual((self.state.starts, self.state.restarts, self.state.reason), (2, 0, ""))

    def test_two_at_once_are_one(self) -> None:
        child = self.start()
        first, second = self.restart(), self.restart()
        child.exit(0)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual((len(self.reactor.spawned), child.names), (2, ["TERM"]))

    def test_out_of_a_crash_loop_it_starts_at_once_and_afresh(self) -> None:
        self.healthy = False
        self.supervisor.startService()
        for _ in range(6):
            self.child.exit(1)
            self.reactor.advance(61)
        self.child.exit(1)
        self.assertEqual(self.phase, Phase.CRASH_LOOP)
        self.successResultOf(self.restart())
        self.assertEqual((self.phase, self.state.code), (Phase.STARTING, ""))
        self.child.exit(1)
        self.assertEqual((self.phase, self.state.retry_at), (Phase.BACKING_OFF, WALL + self.reactor.seconds() + 1))

    def test_while_preparing_the_attempt_is_given_up(self) -> None:
        cancelled: list[object] = []
        self.preparing = lambda: Deferred(cancelled.append)
        self.supervisor.startService()
        self.preparing = self.ready_launch
        self.successResultOf(self.restart())
        self.assertEqual((len(cancelled), len(self.reactor.spawned)), (1, 1))

    def test_an_attempt_that_was_given_up_cannot_come_back(self) -> None:
        answers: list[Deferred[None]] = []

        async def stubborn() -> Launch:
            answers.append(Deferred())
            try:
                await answers[0]
            except BaseException:  # noqa: BLE001 - that is the point
                answers.append(Deferred())
                await answers[1]
            return self.launch()

        self.preparing = stubborn
        self.supervisor.startService()
        self.preparing = self.ready_launch
        self.successResultOf(self.restart())
        answers[1].callback(None)
        self.assertEqual(len(self.reactor.spawned), 1)
