"""The same journeys with the front in two processes of its own, and what is special to them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.live import test_lifecycle, test_tailnet
from tests.live.rig import Hsadmin, alive, until


def workers(hsadmin: Hsadmin) -> list[int]:
    """Process ids of the front's workers, oldest first."""
    children = Path(f"/proc/{hsadmin.running().pid}/task/{hsadmin.running().pid}/children").read_text().split()
    return sorted(int(pid) for pid in children if b"hsadmin.front.worker" in Path(f"/proc/{pid}/cmdline").read_bytes() and alive(int(pid)))


def replaced(hsadmin: Hsadmin) -> bool:
    """Whether one was lost, and there are two again."""
    counters = hsadmin.status()["counters"]
    return (counters.get("workers.lost"), counters["workers.running"]) == (1, 2)


class LifecycleTests(test_lifecycle.LifecycleTests):
    workers = 2

    def assert_nothing_left(self) -> None:
        super().assert_nothing_left()
        self.assertEqual(list(filter(alive, self.pids)), [])

    def up(self) -> int:
        child = super().up()
        self.pids = workers(self.hsadmin)
        self.assertEqual(len(self.pids), 2)
        return child

    def test_sigkill_of_hsadmin_ends_the_workers(self) -> None:
        self.up()
        self.hsadmin.stop(signal.SIGKILL)
        until(lambda: not any(map(alive, self.pids)), 5 * 1, "the workers to end")


class TailnetTests(test_tailnet.TailnetTests):
    workers = 2

    def test_a_killed_worker_takes_only_its_own_tunnels_and_clients_come_back(self) -> None:
        machines = [self.machine(name) for name in ("jo", "kim", "lea")]
        for machine in machines:
            machine.up(self.hsadmin.url, self.key)
        until(self.all_online, 5 * 20, "all clients to be online")
        first, second = workers(self.hsadmin)
        os.kill(first, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: replaced(self.hsadmin), 5 * 1, "another worker in its place", every=0.01)
        print(f"\nkilled worker: another one listens after {time.monotonic() - killed:.2f} s")
        self.assertTrue(alive(second))
        until(self.all_online, 5 * 20, "all clients to be online again")
        machines[0].ping(machines[1], direct=True)
        self.assertEqual(self.hsadmin.engine()["restarts"], 0)
