"""A disk that is full or may not be written: real ones, mounted for the test in the mount namespace that contrib/namespace makes."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.live.rig import Hsadmin, until

ROOM = 2 << 20


def fill(path: Path) -> None:
    """Takes what is left of the disk, to the last byte."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


class DiskTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.hsadmin = Hsadmin()
        self.addCleanup(self.hsadmin.close)
        work = str(self.hsadmin.work)
        self.hsadmin.work.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "tmpfs", work], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", work], check=False)

    def refused(self, *words: str) -> None:
        self.hsadmin.start()
        self.assertEqual(self.hsadmin.running().wait(60), 73, self.hsadmin.log_tail())
        for word in words:
            self.assertIn(word, self.hsadmin.log())
        self.assertNotIn("Traceback", self.hsadmin.log())

    def test_a_start_on_a_full_disk_is_refused_in_one_sentence(self) -> None:
        fill(self.hsadmin.work / "full")
        self.refused("The work directory cannot be used", "the disk is full")

    def test_a_start_on_a_read_only_disk_is_refused_in_one_sentence(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.hsadmin.work)], check=True)
        self.refused("The work directory cannot be used", "mounted read-only")

    def test_a_disk_that_fills_up_costs_changes_but_nothing_that_is_there(self) -> None:
        self.hsadmin.start()
        self.hsadmin.ready()
        key = self.hsadmin.key("ann")
        ballast = self.hsadmin.work / "full"
        fill(ballast)
        said = self.hsadmin.command("user", "create", "ben" * 80, expect=1)
        self.assertNotIn("Traceback", said)
        self.assertIn("full", said)
        self.assertEqual(len(said.strip().splitlines()), 1, said)
        self.assertEqual(self.hsadmin.get("/key?v=138").status, 200)
        ballast.unlink()
        until(lambda: self.hsadmin.readiness()[0] == 200, 60, "headscale to be ready")
        self.hsadmin.command("user", "create", "cy")
        users = self.hsadmin.command("headscale", "--", "users", "list")
        self.assertIn("ann", users)
        self.assertIn("cy", users)
        self.assertTrue(key)
        self.assertNotIn("Traceback", self.hsadmin.log())
