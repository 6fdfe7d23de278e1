"""One hsadmin on one work directory, shut to others; each way in which it cannot be used has its sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import WorkDirBusy, WorkDirUnusable
from hsadmin.model.layout import Layout
from hsadmin.system.workdir import WorkDir, holder

HOLD = """\
import sys
from pathlib import Path
from hsadmin.model.layout import Layout
from hsadmin.system.workdir import WorkDir
WorkDir(Layout(Path(sys.argv[1]))).take()
print("held", flush=True)
sys.stdin.read()
"""


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.root = self.folder / "work"
        self.layout = Layout(self.root)

    def work_dir(self) -> WorkDir:
        work = WorkDir(self.layout)
        self.addCleanup(work.release)
        return work

    def unusable(self) -> str:
        work = self.work_dir()
        with self.assertRaises(WorkDirUnusable) as caught:
            work.take()
        problem: WorkDirUnusable = caught.exception
        self.assertEqual((problem.code, problem.exit_status), ("workdir.unusable", 73))
        self.assertIsNone(holder(self.layout))
        return problem.sentence


class Taking(Case):
    def test_everything_is_made_and_shut_to_others(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        self.work_dir().take()
        for folder in self.layout.folders:
            self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700, folder)
        self.assertEqual(stat.S_IMODE(self.layout.lock.stat().st_mode), 0o600)
        self.assertEqual(self.layout.lock.read_text(), f"{os.getpid()}\n")

    def test_again_after_a_release_and_after_a_longer_pid(self) -> None:
        first = self.work_dir()
        first.take()
        self.layout.lock.write_text("123456789\n")
        self.assertEqual(holder(self.layout), 123456789)
        first.release()
        self.work_dir().take()
        self.assertEqual(holder(self.layout), os.getpid())

    def test_a_stale_lock_file_means_nothing(self) -> None:
        self.root.mkdir(mode=0o700)
        self.layout.lock.write_text("999999999\n")
        self.assertIsNone(holder(self.layout))
        self.work_dir().take()
        self.assertEqual(self.layout.lock.read_text(), f"{os.getpid()}\n")

    def test_twice_by_the_same_is_once(self) -> None:
        work = self.work_dir()
        work.take()
        work.take()
        work.release()
        self.assertIsNone(holder(self.layout))

    def test_parents_are_made(self) -> None:
        self.layout = Layout(self.folder / "a/b/c")
        self.work_dir().take()
        self.assertTrue(self.layout.headscale.is_dir())

    def test_what_is_too_open_is_shut(self) -> None:
        first = self.work_dir()
        first.take()
        for folder in self.layout.folders:
            folder.chmod(0o755)
        again = self.work_dir()
        self.assertRaises(WorkDirBusy, again.take)
        first.release()
        again.take()
        self.assertEqual({stat.S_IMODE(folder.stat().st_mode) for folder in self.layout.folders}, {0o700})

    def test_an_empty_open_folder_is_taken_over(self) -> None:
        self.root.mkdir()
        self.root.chmod(0o755)
        self.work_dir().take()
        self.assertEqual(stat.S_IMODE(self.root.stat().st_mode), 0o700)

    def test_the_descriptor_is_not_inherited(self) -> None:
        self.work_dir().take()
        ours = [
            fd
            for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}") == str(self.layout.lock)
        ]
        self.assertEqual([os.get_inheritable(int(fd)) for fd in ours], [False])


class Busy(Case):
    def test_a_second_process_is_told_the_first_one_s_pid(self) -> None:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(self.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert child.stdin is not None and child.stdout is not None
        try:
            self.assertEqual(child.stdout.readline(), b"held\n")
            self.assertEqual(holder(self.layout), child.pid)
            with self.assertRaises(WorkDirBusy) as caught:
                self.work_dir().take()
            self.assertEqual(
                caught.exception.sentence,
                f"The work directory {self.root} is in use by the hsadmin with process id {child.pid}",
            )
            self.assertEqual((caught.exception.exit_status, caught.exception.facts), (75, {"pid": child.pid}))
        finally:
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()
        self.work_dir().take()

    def test_a_holder_that_did_not_say_who_it_is(self) -> None:
        self.root.mkdir(mode=0o700)
        descriptor = os.open(self.layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
        self.addCleanup(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with self.assertRaises(WorkDirBusy) as caught:
            self.work_dir().take()
        self.assertIn("in use by another hsadmin", caught.exception.sentence)


class Unusable(Case):
    def test_a_file_in_its_place(self) -> None:
        self.root.write_text("")
        self.assertIn(f"needs a folder at {self.root}, where something else is", self.unusable())

    def test_a_file_on_the_way(self) -> None:
        (self.folder / "file").write_text("")
        self.layout = Layout(self.folder / "file/work")
        self.assertIn("a part of the path is a file", self.unusable())

    def test_a_symbolic_link(self) -> None:
        (self.folder / "real").mkdir()
        self.root.symlink_to(self.folder / "real")
        self.assertIn(f"is a symbolic link; name the folder that it leads to ({self.folder / 'real'})", self.unusable())

    def test_a_symbolic_link_to_nowhere(self) -> None:
        self.root.symlink_to(self.root)
        self.assertIn("is a symbolic link", self.unusable())

    def test_a_symbolic_link_inside(self) -> None:
        self.root.mkdir(mode=0o700)
        self.layout.run.symlink_to("/tmp")
        self.assertIn(f"{self.layout.run} is a symbolic link", self.unusable())

    def test_a_symbolic_link_for_a_lock(self) -> None:
        self.root.mkdir(mode=0o700)
        self.layout.lock.symlink_to("/etc/passwd")
        self.assertIn(f"{self.layout.lock}: it is a symbolic link", self.unusable())

    def test_a_folder_for_a_lock(self) -> None:
        self.root.mkdir(mode=0o700)
        self.layout.lock.mkdir()
        self.assertIn(f"{self.layout.lock}: it is a folder", self.unusable())

    def test_somebody_else_s(self) -> None:
        self.root.mkdir(mode=0o700)
        self.patch(os, "geteuid", lambda: os.getuid() + 1)
        self.assertIn(f"belongs to user {os.getuid()}, hsadmin runs as user {os.getuid() + 1}", self.unusable())

    def test_a_folder_with_other_things_in_it(self) -> None:
        """Were it /tmp, shutting it to others would stop the machine."""
        self.root.mkdir()
        self.root.chmod(0o1777)
        (self.root / "other").write_text("")
        self.assertIn("is open to others and holds other things", self.unusable())
        self.assertEqual(stat.S_IMODE(self.root.stat().st_mode), 0o1777)

    def test_what_the_system_refuses(self) -> None:
        for number, words in (
            (errno.EACCES, "this user may not write there"),
            (errno.EROFS, "the file system is mounted read-only"),
            (errno.ENOSPC, "the disk is full"),
            (errno.EIO, "Input/output error"),
        ):

            def refuse(path: Any, *_rest: Any, number: int = number, **_more: Any) -> None:
                raise OSError(number, os.strerror(number), str(path))

            patched = self.patch(os, "mkdir", refuse)
            self.assertEqual(self.unusable(), f"The work directory cannot be used: {self.root}: {words}")
            patched.restore()

    def test_a_full_disk_shows_when_the_pid_is_written(self) -> None:
        def full(*_arguments: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(os, "pwrite", full)
        self.assertEqual(self.unusable(), f"The work directory cannot be used: {self.layout.lock}: the disk is full")
