"""Real processes, real signals, real pipes: the Supervisor and FakeHeadscale."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from hsadmin.engine.life import SETTLING
from hsadmin.engine.supervisor import Supervisor
from hsadmin.model.engine import Phase
from tests.engine.running import RunningCase, free_port, runs, sleep
from tests.fakes.headscale_child import configuration, configure, install


class FakeChildTests(RunningCase):
    def begin(self, **behaviour: Any) -> None:
        self.port = free_port()
        self.binary = install(self.folder, **behaviour)
        self.config = configuration(self.folder, self.port, self.socket)

    def started(self, patience: float = 20.0) -> Supervisor:
        supervisor = self.supervise(patience=patience)
        supervisor.startService()
        return supervisor

    async def test_start_ready_stop(self) -> None:
        self.begin()
        supervisor = self.started()
        state = await self.ready(supervisor)
        assert state.pid is not None
        await sleep(SETTLING)
        await supervisor.stopService()
        self.assertEqual(self.phases[-1], Phase.STOPPED)
        self.assertFalse(runs(state.pid))
        self.assertFalse(self.socket.exists())
        self.assertIn("info Headscale stopped", supervisor.state().last_lines)

    async def test_a_stop_right_after_ready_is_in_order_too(self) -> None:
        """The signal waits for the child's handlers: it has time to say good-bye."""
        for _ in range(3):
            self.begin()
            supervisor = self.started()
            await self.said(supervisor, "metrics server disabled")
            await supervisor.stopService()
            self.assertEqual(supervisor.state().last_lines[-1], "info Headscale stopped")

    async def test_sigkill_is_seen_within_a_second_and_answered_at_once(self) -> None:
        self.begin()
        supervisor = self.started()
        state = await self.ready(supervisor)
        assert state.pid is not None
        killed = time.monotonic()
        os.kill(state.pid, signal.SIGKILL)
        again = await self.ready(supervisor, starts=2)
        seen = next(when for when, state in self.states if state.phase is Phase.BACKING_OFF)
        self.assertLess(seen - killed, 1)
        self.assertNotEqual(again.pid, state.pid)
        self.assertEqual(again.restarts, 1)

    async def test_one_deaf_to_term_is_killed(self) -> None:
        self.begin(deaf=True)
        supervisor = self.started(patience=0.5)
        state = await self.ready(supervisor)
        assert state.pid is not None
        await supervisor.stopService()
        self.assertFalse(runs(state.pid))

    async def test_a_fault_is_explained_and_the_next_start_cures_it(self) -> None:
        self.begin(fatal="database-newer", fatal_starts=1)
        supervisor = self.started()
        await self.until(lambda: Phase.BACKING_OFF in self.phases, 20, "seen")
        self.assertEqual(supervisor.state().code, "engine.database-newer")
        self.assertEqual((await self.ready(supervisor, starts=2)).code, "")

    async def test_a_crash_by_panic(self) -> None:
        self.begin(crash_after=0.3)
        supervisor = self.started()
        await self.until(lambda: Phase.BACKING_OFF in self.phases, 20, "seen")
        self.assertEqual(supervisor.state().code, "engine.panic")

    async def test_binary_and_ten_megabytes_in_one_line(self) -> None:
        self.begin(binary=True, huge=10_000_000)
        supervisor = self.started()
        state = await self.ready(supervisor)
        self.assertTrue(any(line.endswith("bytes more") for line in state.last_lines))
        self.assertTrue(all(line.isprintable() and len(line) < 20_000 for line in state.last_lines))

    async def test_pipes_held_by_a_grandchild(self) -> None:
        self.begin(grandchild=8)
        supervisor = self.started()
        state = await self.ready(supervisor)
        assert state.pid is not None
        await sleep(SETTLING)
        began = time.monotonic()
        await supervisor.stopService()
        self.assertLess(time.monotonic() - began, 5)

    async def test_no_answer_is_no_readiness(self) -> None:
        self.begin(health=500)
        supervisor = self.started()
        await sleep(0.6)
        self.assertEqual(supervisor.state().phase, Phase.STARTING)
        configure(self.binary)
        await self.ready(supervisor)

    async def test_never_ready(self) -> None:
        self.begin(never_ready=True)
        supervisor = self.supervise(start_limit=lambda: 1.0, patience=0.3)
        supervisor.startService()
        await self.until(lambda: Phase.BACKING_OFF in self.phases, 20, "given up")
        self.assertEqual(supervisor.state().code, "engine.never-ready")

    async def test_a_binary_of_another_kind(self) -> None:
        self.begin()
        self.binary.write_bytes(b"\x7fELF but not really")
        supervisor = self.started()
        self.assertEqual((supervisor.state().phase, supervisor.state().code), (Phase.UNAVAILABLE, "engine.spawn-failed"))
        self.assertIn("not a program this system can run", supervisor.state().reason)

    async def test_a_missing_interpreter(self) -> None:
        self.begin()
        self.binary.write_text("#!/nowhere/python\n")
        supervisor = self.started()
        self.assertIn("names an interpreter or loader that is not here", supervisor.state().reason)

    async def test_with_the_fake_grpc_service(self) -> None:
        self.begin(grpc=True)
        supervisor = self.started()
        await self.ready(supervisor, seconds=30)
        self.assertTrue(self.socket.is_socket())
