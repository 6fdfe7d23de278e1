"""A file is replaced whole or not at all; hashing leaves the reactor free."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from unittest.mock import patch

from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hsadmin.engine.files import in_threads, sha256_of, write_whole
from tests.fakes.releases import digest, reactor


class WriteWhole(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "file"
        write_whole(self.path, b"old")

    def test_replaces(self) -> None:
        write_whole(self.path, b"new", mode=0o640)
        self.assertEqual(self.path.read_bytes(), b"new")
        self.assertEqual(os.listdir(self.folder), ["file"])

    def test_a_failure_at_any_step_leaves_the_old_file_alone(self) -> None:
        for step in ("os.fsync", "os.fdopen", "pathlib.Path.rename"):
            with patch(step, side_effect=OSError(28, "No space left on device")), self.assertRaises(OSError):
                write_whole(self.path, b"new")
            self.assertEqual(self.path.read_bytes(), b"old", step)
            self.assertEqual(os.listdir(self.folder), ["file"], step)


class Threads(TestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_bytes(b"x" * 100_000)

    async def test_work_is_done_elsewhere(self) -> None:
        pool = ThreadPool(0, 1, "hashing")
        pool.start()
        self.addCleanup(pool.stop)
        offload = in_threads(reactor, pool)
        self.assertEqual(await offload(lambda: sha256_of(self.path)), digest(b"x" * 100_000))
        self.assertIsNot(await offload(threading.current_thread), threading.current_thread())
