"""The trial: one command, one join command that is printed, one real client that follows it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.live.rig import REPOSITORY, SCRIPTS, Machine, free_port, part, until


class TrialTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hs-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.port = free_port()
        # The shelf of whoever fetched headscale for the tests, with its record of trust.
        shelf = Path(part("HSADMIN_HEADSCALE")).parent
        (self.folder / "trial").mkdir(mode=0o700)
        shutil.copytree(shelf, self.folder / "trial" / "bin")
        shutil.copy(shelf.parent / "trust.json", self.folder / "trial")

    def start(self) -> subprocess.Popen[bytes]:
        """`contrib/run` ends in this very command."""
        self.output = self.folder / "output"
        with self.output.open("wb") as output:
            process = subprocess.Popen(
                [
                    str(SCRIPTS / "twistd"),
                    "--nodaemon",
                    "--pidfile=",
                    "hsadmin",
                    "--trial",
                    "--work-dir",
                    "./trial",
                    "--listen",
                    f"tcp:{self.port}:interface=127.0.0.1",
                ],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    def join_line(self) -> str:
        found = re.search(r"tailscale up --login-server \S+ --auth-key \S+", self.printed())
        return found.group() if found else ""

    def test_the_printed_command_joins_and_a_second_run_has_the_same_node(self) -> None:
        process = self.start()
        command = until(self.join_line, 60, "the join command to be printed")
        self.assertIn(f"http://127.0.0.1:{self.port}/admin", self.printed())
        self.assertIn("direct connections only; relay needs TLS", self.printed())
        machine = Machine("trial", self.folder)
        self.addCleanup(machine.close)
        machine.tailscale(*shlex.split(command)[1:], "--timeout=60s", "--accept-dns=false")
        address = machine.address()
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(5 * 25), -signal.SIGINT)
        self.assertEqual([path for path in (self.folder / "trial" / "run").iterdir() if path.is_socket()], [])

        began = time.monotonic()
        process = self.start()
        until(self.join_line, 5 * 3, "the second run to be ready")
        print(f"\na second run was ready after {time.monotonic() - began:.2f} s")
        self.assertNotEqual(self.join_line(), command)
        until(machine.online, 60, "the client to be back")
        self.assertEqual(machine.address(), address)
