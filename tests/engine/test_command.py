"""A child is run to its end, or taken down with all its descendants."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as Overdue
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from hsadmin.engine.command import LIMIT, Finished, run
from tests.fakes.releases import reactor


def ended(pid: int) -> bool:
    """Gone, or waiting for init to take note of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Command(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def start(self, script: str, *, deadline: float = 30.0, group: bool = False, lines: list[str] | None = None) -> Deferred[Finished]:
        kept: list[str] = [] if lines is None else lines
        environment = {"PATH": "/usr/bin:/bin", "ONLY": "this"}
        arguments = ["/bin/sh", "-c", script]
        return Deferred.fromCoroutine(run(reactor, arguments, environment=environment, deadline=deadline, group=group, on_line=kept.append))

    async def until(self, true: Callable[[], bool]) -> None:
        for _ in range(1000):
            if true():
                return
            await deferLater(reactor, 0.01)
        raise AssertionError(true)

    async def test_output_status_and_lines(self) -> None:
        for group in (False, True):
            lines: list[str] = []
            finished = await self.start("echo out; echo one >&2; printf two >&2; exit 3", group=group, lines=lines)
            self.assertEqual(finished, Finished(3, b"out\n", b"one\ntwo"))
            self.assertEqual(lines, ["one"])

    async def test_ended_by_a_signal(self) -> None:
        self.assertEqual((await self.start("kill -9 $$")).status, -9)

    async def test_environment_is_exactly_what_was_given(self) -> None:
        for group in (False, True):
            finished = await self.start("env", group=group)
            names = {line.partition("=")[0] for line in finished.out.decode().splitlines()}
            self.assertEqual(names - {"PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"}, {"PATH", "ONLY"})

    async def test_output_is_bounded(self) -> None:
        finished = await self.start("head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; echo end >&2")
        self.assertEqual((len(finished.out), len(finished.err)), (LIMIT, LIMIT))
        self.assertTrue(finished.err.endswith(b"end\n"))

    async def test_stdin_is_at_its_end(self) -> None:
        self.assertEqual((await self.start("cat; echo done")).out, b"done\n")

    async def test_group_leads_a_session_and_is_modest(self) -> None:
        finished = await self.start("ps -o sid= -o ni= -p $$; echo $$", group=True)
        sid, nice, pid = finished.out.split()
        self.assertEqual(sid, pid)
        self.assertGreater(int(nice), os.nice(0))

    async def test_overdue_is_killed_with_its_descendants(self) -> None:
        await self.down(lambda: self.start(self.family(), deadline=1.0, group=True), Overdue, cancel=False)

    async def test_cancelled_is_killed_with_its_descendants(self) -> None:
        await self.down(lambda: self.start(self.family(), group=True), CancelledError, cancel=True)

    def family(self) -> str:
        return f"trap '' TERM; sleep 300 & echo $$ $! > {self.folder}/new; mv {self.folder}/new {self.folder}/pids; wait"

    async def down(self, start: Callable[[], Deferred[Finished]], error: type[Exception], *, cancel: bool) -> None:
        running = start()
        await self.until((self.folder / "pids").exists)
        pids = [int(pid) for pid in (self.folder / "pids").read_text().split()]
        if cancel:
            running.cancel()
        await self.assertFailure(running, error)
        self.assertRaises(ProcessLookupError, os.kill, pids[0], 0)  # reaped before `run` ended
        await self.until(lambda: ended(pids[1]))

    async def test_a_descendant_that_escaped_does_not_hold_us_up(self) -> None:
        running = self.start(
            f"setsid sleep 20 & echo $! > {self.folder}/new; mv {self.folder}/new {self.folder}/pids; exit 0", deadline=0.5, group=True
        )
        await self.assertFailure(running, Overdue)
        pid = int((self.folder / "pids").read_text())
        os.kill(pid, 9)

    async def test_a_program_that_is_not_there(self) -> None:
        running = Deferred.fromCoroutine(run(reactor, ["/no/such"], environment={}, deadline=5.0))
        await self.assertFailure(running, FileNotFoundError)
