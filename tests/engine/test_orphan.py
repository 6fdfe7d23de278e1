"""What a killed hsadmin left behind is found by id, start time, command line and boot together, and ended; nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hsadmin.engine.orphan import Identify, Identity, OrphanProblem, Record, end_orphan, from_proc, from_ps
from tests.tables import TableCase, table

reactor: Any = installed  # a module to mypy

OURS = Identity(pid=4_123_456, start="777", command="/b/headscale\0serve\0", boot="b1")


def stranger(identity: Identity | None) -> Identify:
    async def identify(_pid: int) -> Identity | None:
        return identity

    return identify


class RecordTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.record = Record(self.path)

    def test_what_is_written_is_read(self) -> None:
        self.record.write(OURS)
        self.assertEqual(self.record.read(), OURS)
        self.record.remove()
        self.record.remove()
        self.assertIsNone(self.record.read())

    def test_a_torn_or_foreign_record_proves_nothing(self) -> None:
        for content in (b"", b"{", b"[]", b'{"pid":1}', b"\xff\xfe", b'{"pid":"1","start":"","command":""}'):
            self.path.write_bytes(content)
            self.assertIsNone(self.record.read(), content)

    def test_writing_leaves_no_draft(self) -> None:
        self.record.write(OURS)
        self.assertEqual([path.name for path in self.path.parent.iterdir() if path.name.startswith(self.path.name)], [self.path.name])


class NotOursTests(TableCase):
    """The id runs something, but not the headscale of the record: no signal, and the record goes."""

    @table(
        ("nothing runs", None),
        ("another start time", Identity(pid=OURS.pid, start="778", command=OURS.command, boot=OURS.boot)),
        ("another command", Identity(pid=OURS.pid, start=OURS.start, command="vi\0", boot=OURS.boot)),
        ("another boot", Identity(pid=OURS.pid, start=OURS.start, command=OURS.command, boot="b2")),
    )
    def test_left_alone(self, name: str, found: Identity | None) -> None:
        self.patch(os, "kill", lambda *_: self.fail("signalled"))
        self.patch(signal, "pidfd_send_signal", lambda *_: self.fail("signalled"))
        record = Record(Path(self.mktemp()))
        record.write(OURS)
        done = Deferred.fromCoroutine(end_orphan(Clock(), record, stranger(found), patience=20, say=self.fail))
        self.assertFalse(self.successResultOf(done))
        self.assertIsNone(record.read())


class PlayedTests(SynchronousTestCase):
    """An orphan played by the test: which signals come, and when."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.signals: list[tuple[float, int]] = []
        self.ends_on: set[int] = set()
        self.alive = True
        self.refuse: OSError | None = None
        self.patch(os, "pidfd_open", lambda _pid: os.open(os.devnull, os.O_RDONLY))
        self.patch(signal, "pidfd_send_signal", lambda _fd, number: self.signalled(number))
        self.record = Record(Path(self.mktemp()))
        self.record.write(OURS)
        self.said: list[str] = []

    def signalled(self, number: int) -> None:
        if self.refuse:
            raise self.refuse
        self.signals.append((round(self.clock.seconds(), 1), number))
        if number in self.ends_on:
            self.clock.callLater(0.2, setattr, self, "alive", False)

    async def identify(self, _pid: int) -> Identity | None:
        return OURS if self.alive else None

    def end(self) -> Deferred[bool]:
        return Deferred.fromCoroutine(end_orphan(self.clock, self.record, self.identify, patience=20, say=self.said.append))

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))

    def test_one_that_goes_on_term(self) -> None:
        self.ends_on = {signal.SIGTERM}
        done = self.end()
        self.assertNoResult(done)
        self.run_for(0.4)
        self.assertTrue(self.successResultOf(done))
        self.assertEqual(([number for _, number in self.signals], self.record.read()), ([signal.SIGTERM], None))
        self.assertIn(str(OURS.pid), self.said[0])

    def test_one_that_must_be_killed(self) -> None:
        self.ends_on = {signal.SIGKILL}
        done = self.end()
        self.run_for(21)
        self.assertTrue(self.successResultOf(done))
        self.assertEqual(self.signals, [(0.0, signal.SIGTERM), (20.0, signal.SIGKILL)])

    def test_one_that_cannot_be_ended_is_a_sentence(self) -> None:
        done = self.end()
        self.run_for(30)
        problem = self.failureResultOf(done, OrphanProblem).value
        self.assertIn(str(OURS.pid), problem.sentence)
        self.assertEqual(self.record.read(), OURS)

    def test_one_of_another_user_is_a_sentence(self) -> None:
        self.refuse = PermissionError()
        self.assertIn("another user", self.failureResultOf(self.end(), OrphanProblem).value.sentence)

    def test_one_that_went_by_itself(self) -> None:
        self.refuse = ProcessLookupError()
        self.assertTrue(self.successResultOf(self.end()))


class ProcTests(SynchronousTestCase):
    """/proc as a folder of the test's."""

    def proc(self, stat: str, command: bytes = b"a\0b\0") -> Path:
        root = Path(self.mktemp())
        (root / "7").mkdir(parents=True)
        (root / "7/stat").write_text(stat)
        (root / "7/cmdline").write_bytes(command)
        (root / "sys/kernel/random").mkdir(parents=True)
        (root / "sys/kernel/random/boot_id").write_text("boot\n")
        return root

    def identity(self, root: Path, pid: int = 7) -> Identity | None:
        async def identified() -> Identity | None:
            return await from_proc(root)(pid)

        return self.successResultOf(Deferred.fromCoroutine(identified()))

    def test_a_name_with_brackets_and_blanks(self) -> None:
        stat = "7 (a) S 1 (b) " + "S " + " ".join(str(n) for n in range(4, 53))
        self.assertEqual(self.identity(self.proc(stat)), Identity(pid=7, start="22", command="a\0b\0", boot="boot"))

    def test_zombies_and_what_is_not_there(self) -> None:
        rest = " ".join(str(n) for n in range(4, 53))
        self.assertIsNone(self.identity(self.proc(f"7 (x) Z {rest}")))
        self.assertIsNone(self.identity(self.proc(f"7 (x) S {rest}"), 8))
        self.assertIsNone(self.identity(self.proc("7")))


class RealTests(TestCase):
    """With real processes."""

    def spawn(self, code: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{code}; print(1, flush=True); import time; time.sleep(600)"], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()

        def reap() -> None:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

        self.addCleanup(reap)
        return process

    async def test_ended_by_term(self) -> None:
        process = self.spawn("pass")
        record = Record(Path(self.mktemp()))
        identity = await from_proc()(process.pid)
        assert identity is not None
        self.assertIn("time.sleep(600)", identity.command)
        record.write(identity)
        self.assertTrue(await end_orphan(reactor, record, from_proc(), patience=20, say=lambda _text: None))
        self.assertEqual(process.wait(5), -signal.SIGTERM)

    async def test_ended_by_kill_when_it_ignores_term(self) -> None:
        process = self.spawn("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
        record = Record(Path(self.mktemp()))
        identity = await from_proc()(process.pid)
        assert identity is not None
        record.write(identity)
        began = time.monotonic()
        self.assertTrue(await end_orphan(reactor, record, from_proc(), patience=0.2, say=lambda _text: None))
        self.assertEqual(process.wait(5), -signal.SIGKILL)
        self.assertLess(time.monotonic() - began, 5)

    def played_ps(self) -> Path:
        ps = Path(self.mktemp())
        ps.write_text(
            "#!/bin/sh\n"
            'case "$*" in\n*"-p 42") echo "S    Mon Nov 23 18:52:27 2026     /b/headscale serve -c /w/a b.yaml" ;;\n'
            '*"-p 43") echo "Z    Mon Nov 23 18:52:27 2026     (headscale)" ;;\n*) exit 1 ;;\nesac\n'
        )
        ps.chmod(0o755)
        return ps

    async def test_ps_where_there_is_no_proc(self) -> None:
        """ps is played, since not every Linux has one."""
        identify = from_ps(reactor, str(self.played_ps()))
        expected = Identity(pid=42, start="Mon Nov 23 18:52:27 2026", command="/b/headscale serve -c /w/a b.yaml")
        self.assertEqual(await identify(42), expected)
        self.assertIsNone(await identify(43))
        self.assertIsNone(await identify(44))
