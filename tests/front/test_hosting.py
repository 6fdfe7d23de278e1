"""The front's own tests once more, in a process whose reactor waits on the front's loop."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

RUN = """
from hsadmin.front import hosting
hosting.install()
from twisted.internet import reactor
hosted = 0
host = reactor.host
def counted(loop):
    global hosted
    hosted += loop is not None
    host(loop)
reactor.host = counted
from twisted.trial.runner import TestLoader, TrialRunner
from twisted.trial.reporter import TextReporter
names = ["tests.front.test_service", "tests.front.test_tunnel", "tests.front.test_upstream", "tests.front.test_loop", "tests.front.test_wires"]
result = TrialRunner(TextReporter, workingDirectory={folder!r}).run(TestLoader().loadByNames(names, recurse=True))
print("hosted", hosted, "run", result.testsRun, "well", result.wasSuccessful())
"""


class HostingTests(TestCase):
    timeout = 120

    async def test_the_front_s_tests(self) -> None:
        folder = self.mktemp()
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        out, err, status = await getProcessOutputAndValue(sys.executable, ("-c", RUN.format(folder=folder)), env=environ, reactor=reactor)
        words = out.decode().split("\n")[-2].split()
        self.assertEqual((status, words[-1]), (0, "True"), msg=(out + err).decode())
        self.assertGreater(int(words[1]), 50)
        self.assertGreater(int(words[3]), 100)
