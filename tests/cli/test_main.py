"""How a run begins and ends, each as a process of its own: status, streams, no traceback."""

from __future__ import annotations

import io
import os
import socket
import sys
import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hsadmin import __version__
from hsadmin.cli import version
from hsadmin.cli.main import main, parse
from hsadmin.errors import UsageProblem

ROOT = Path(__file__).parents[2]


class Parsing(SynchronousTestCase):
    def test_global_options_before_and_after_the_command(self) -> None:
        for words in (["--config", "a", "--json", "status"], ["status", "--config", "a", "--json"], ["--json", "status", "-c", "a"]):
            arguments = parse(words)
            self.assertEqual((arguments.config, arguments.work_dir, arguments.json), ("a", None, True), words)

    def test_what_headscale_gets_is_not_read_by_us(self) -> None:
        for words, expected in (
            (["headscale", "--", "nodes", "list", "--output", "json"], ["--", "nodes", "list", "--output", "json"]),
            (["headscale", "-w", "x", "--", "-c", "y", "--json"], ["--", "-c", "y", "--json"]),
            (["headscale"], []),
        ):
            self.assertEqual(parse(words).words, expected)

    def test_what_cannot_be_understood(self) -> None:
        for words in ([], ["nothing"], ["key"], ["key", "create", "--expires", "soon"], ["user", "create"], ["status", "--what"]):
            with self.subTest(str(words)):
                self.assertRaises(UsageProblem, parse, words)


class Ending(SynchronousTestCase):
    def end(self, *words: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        return main(words, out=out, err=err), out.getvalue(), err.getvalue()

    def test_version(self) -> None:
        self.assertEqual(self.end("version"), (0, f"hsadmin {__version__}\n", ""))

    def test_a_problem_is_one_sentence_and_its_status(self) -> None:
        status, out, err = self.end("check", "--config", "/nowhere/hsadmin.yaml")
        self.assertEqual((status, out, err.count("\n")), (78, "", 1))
        self.assertIn("/nowhere/hsadmin.yaml", err)

    def test_usage(self) -> None:
        status, out, err = self.end("nothing")
        self.assertEqual((status, out), (64, ""))
        self.assertIn("usage: hsadmin", err)

    def test_a_fault_of_ours(self) -> None:
        def broken(context: object) -> int:
            raise ZeroDivisionError("by zero")

        self.patch(version, "version", broken)
        self.assertEqual(self.end("version"), (70, "", "hsadmin failed (ZeroDivisionError: by zero); --traceback shows where.\n"))
        self.assertIn("Traceback", self.end("version", "--traceback")[2])

    def test_interrupted(self) -> None:
        def interrupted(context: object) -> int:
            raise KeyboardInterrupt

        self.patch(version, "version", interrupted)
        self.assertEqual(self.end("version"), (130, "", ""))


class Whole(ProcessProtocol):
    """Keeps what a child said; `ended` fires with its exit status, negative for a signal."""

    def __init__(self) -> None:
        self.out, self.err = b"", b""
        self.ended: Deferred[int] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.out += data

    def errReceived(self, data: bytes) -> None:
        self.err += data

    def processEnded(self, reason: Failure) -> None:
        value = reason.value
        code = 0 if isinstance(value, ProcessDone) else value.exitCode  # type: ignore[union-attr]  # ProcessTerminated
        self.ended.callback(-(value.signal or 0) if code is None else code)  # type: ignore[union-attr]


class Processes(TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hs"))
        self.addCleanup(rmtree, self.folder)

    def spawn(self, *words: str) -> Whole:
        child = Whole()
        command = [sys.executable, "-m", "hsadmin.cli", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = reactor.spawnProcess(child, sys.executable, command, env=environment, path=None)
        self.addCleanup(lambda: None if child.ended.called else process.signalProcess("KILL"))
        return child

    async def test_nobody_answers(self) -> None:
        child = self.spawn("status", "-w", str(self.folder))
        self.assertEqual(await child.ended, 69)
        self.assertEqual(
            (child.out, child.err), (b"", b"hsadmin is not running: nobody answers on %b/run/admin.sock.\n" % os.fsencode(self.folder))
        )

    async def test_ctrl_c_while_it_waits(self) -> None:
        (self.folder / "run").mkdir()
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(os.fspath(self.folder / "run" / "admin.sock"))
            mute.listen(4)
            mute.setblocking(False)
            child = self.spawn("status", "-w", str(self.folder))
            while not (connection := _accepted(mute)):  # it has connected, so it waits for the answer
                await deferLater(reactor, 0.01)
            self.addCleanup(connection.close)
            child.transport.signalProcess("INT")  # type: ignore[union-attr]  # there is one while it runs
            self.assertEqual((await child.ended, child.out, child.err), (130, b"", b""))


def _accepted(listening: socket.socket) -> socket.socket | None:
    try:
        return listening.accept()[0]
    except BlockingIOError:
        return None
