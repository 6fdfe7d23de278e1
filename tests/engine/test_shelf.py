"""A binary is on the shelf whole or not at all."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.pins import Platform
from hsadmin.engine.shelf import Shelf
from hsadmin.errors import FolderNoexec, ShelfFull, ShelfUnusable
from tests.fakes.releases import digest

LINUX = Platform("linux", "amd64")
NAME = "headscale-0.29.3-linux-amd64"


def failing(room: int, number: int, *, at_close: bool = False) -> Callable[[Path], Any]:
    """An `open_file` whose files fail."""
    return lambda path: FailingFile(path, room, number, at_close=at_close)


class FailingFile(io.RawIOBase):
    """Takes `room` bytes, then fails as a disk does."""

    def __init__(self, path: Path, room: int, number: int, *, at_close: bool = False) -> None:
        super().__init__()
        self._file = path.open("xb")
        self._room = room
        self._number = number
        self._at_close = at_close

    def write(self, data: Any) -> int:
        if self._room < len(data):
            raise OSError(self._number, os.strerror(self._number))
        self._room -= len(data)
        return self._file.write(data)

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        self._file.close()
        if self._at_close:
            raise OSError(self._number, os.strerror(self._number))


class ShelfTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.shelf = Shelf(self.folder)
        self.shelf.prepare()

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    def test_arrives_under_another_name_and_gets_its_own_when_whole(self) -> None:
        incoming = self.shelf.incoming(NAME)
        incoming.write(b"head")
        incoming.write(b"scale")
        self.assertNotIn(NAME, self.names())
        self.assertEqual(incoming.close(), digest(b"headscale"))
        self.shelf.finish(incoming.path)
        path = self.shelf.install(incoming.path, NAME)
        self.assertEqual(path, self.shelf.path("0.29.3", LINUX))
        self.assertEqual(path.read_bytes(), b"headscale")
        self.assertEqual(path.stat().st_mode & 0o7777, 0o755)
        incoming.discard()
        self.assertEqual(self.names(), {NAME})

    def test_discarded_without_a_trace(self) -> None:
        incoming = self.shelf.incoming(NAME)
        incoming.write(b"half")
        incoming.discard()
        incoming.discard()
        self.assertEqual(self.names(), set())

    def test_replaces_what_stood_there(self) -> None:
        (self.folder / NAME).write_bytes(b"old")
        incoming = self.shelf.incoming(NAME)
        incoming.write(b"new")
        incoming.close()
        self.shelf.install(incoming.path, NAME)
        self.assertEqual((self.folder / NAME).read_bytes(), b"new")

    def test_lists_only_names_of_ours(self) -> None:
        for name in (NAME, "headscale-0.29.2-darwin-arm64", "headscale", "headscale-0.29.3-linux-amd64.bak", ".incoming-1-x", "README"):
            (self.folder / name).write_bytes(b"x")
        (self.folder / "headscale-0.29.1-linux-amd64").mkdir()
        self.assertEqual(
            [(one.version, str(one.platform)) for one in self.shelf.entries()], [("0.29.2", "darwin/arm64"), ("0.29.3", "linux/amd64")]
        )

    def test_a_folder_that_is_not_there_lists_nothing(self) -> None:
        self.assertEqual(Shelf(self.folder / "none").entries(), ())

    def test_one_holder_of_the_lock(self) -> None:
        with self.shelf.locked() as first, Shelf(self.folder).locked() as second:
            self.assertEqual((first, second), (True, False))
        with Shelf(self.folder).locked() as third:
            self.assertTrue(third)

    def test_sweeps_what_killed_runs_left(self) -> None:
        self.shelf.incoming(NAME)
        deep = self.folder / ".build-x" / "modules" / "read-only"
        deep.mkdir(parents=True)
        (deep / "file").write_bytes(b"x")
        deep.chmod(0o500)
        outside = self.folder / "outside"
        outside.mkdir()
        (outside / "kept").write_bytes(b"x")
        (self.folder / ".build-link").symlink_to(outside)
        self.assertEqual(self.shelf.sweep(), 3)
        self.assertEqual(self.names(), {"outside"})
        self.assertTrue((outside / "kept").exists())
        self.assertEqual(self.shelf.sweep(), 0)

    def test_scratch_is_gone_after_a_fault(self) -> None:
        with self.assertRaises(KeyError), self.shelf.scratch() as scratch:
            (scratch / "deep").mkdir()
            raise KeyError
        self.assertEqual(self.names(), set())


class Faults(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def status(self, **values: int) -> Shelf:
        defaults = {"f_flag": 0, "f_bavail": 10, "f_frsize": 4096}
        return Shelf(self.folder, statvfs=lambda _: Mock(**{**defaults, **values}))

    def test_a_disk_that_runs_full_while_writing(self) -> None:
        for number in (errno.ENOSPC, errno.EDQUOT):
            shelf = Shelf(self.folder, open_file=failing(6, number))
            incoming = shelf.incoming(NAME)
            incoming.write(b"12345")
            problem = self.assertRaises(ShelfFull, incoming.write, b"67")
            self.assertIn(str(self.folder), problem.sentence)
            incoming.discard()
            self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_disk_that_tells_at_the_end(self) -> None:
        shelf = Shelf(self.folder, open_file=failing(99, errno.ENOSPC, at_close=True))
        incoming = shelf.incoming(NAME)
        incoming.write(b"12345")
        self.assertRaises(ShelfFull, incoming.close)
        incoming.discard()
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_disk_that_fails_otherwise(self) -> None:
        shelf = Shelf(self.folder, open_file=failing(0, errno.EIO))
        self.assertRaises(ShelfUnusable, shelf.incoming(NAME).write, b"1")

    def test_a_file_in_the_folders_place(self) -> None:
        (self.folder / "file").write_bytes(b"")
        for folder in (self.folder / "file", self.folder / "file" / "below"):
            self.assertIn("bin_dir", self.assertRaises(ShelfUnusable, Shelf(folder).prepare).sentence)

    def test_a_folder_that_went_away(self) -> None:
        shelf = Shelf(self.folder / "gone")
        self.assertRaises(ShelfUnusable, shelf.incoming, NAME)
        self.assertRaises(ShelfUnusable, shelf.locked().__enter__)
        self.assertRaises(ShelfUnusable, shelf.scratch().__enter__)

    def test_room_is_asked_for_before_the_first_byte(self) -> None:
        self.status().must_have_room(40_960)
        self.assertIn("the disk has 0 MB left", self.assertRaises(ShelfFull, self.status().must_have_room, 40_961).sentence)

    def test_a_mount_that_forbids_programs(self) -> None:
        self.status().must_run_programs()
        self.assertIn("noexec", self.assertRaises(FolderNoexec, self.status(f_flag=os.ST_NOEXEC).must_run_programs).sentence)
