"""The shelf: the folder `bin_dir`, where the headscale binaries of one or several hsadmins stand under telling names.

A binary is on the shelf whole or not at all: it arrives under a name that starts with a dot, and gets its own only by a rename, after it
was hashed, made executable and flushed to the disk. Whoever fetches holds the shelf's lock (flock: the kernel drops it with its holder),
so what still carries a name with a dot while we hold the lock was left by a run that was killed, and is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from hsadmin.engine.files import disk_problem, sync_file, sync_folder
from hsadmin.engine.pins import Platform
from hsadmin.errors import FolderNoexec, ShelfFull

INCOMING = ".incoming-"
SCRATCH = ".build-"
LOCK = ".lock"

NAME = re.compile(r"headscale-(?P<version>[0-9]+\.[0-9]+\.[0-9]+)-(?P<os>[a-z0-9]+)-(?P<arch>[a-z0-9]+)")


class Shelved(NamedTuple):
    """A binary on the shelf, as its name tells."""

    path: Path
    version: str
    platform: Platform


class Incoming:
    """A file on its way to the shelf: hashed while it is written, `close`d whole, or `discard`ed without a trace."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.size = 0
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Raises ShelfFull or ShelfUnusable."""
        try:
            self._file.write(data)
        except OSError as error:
            raise disk_problem(error, self.path.parent) from error
        self._hash.update(data)
        self.size += len(data)

    def close(self) -> str:
        """The SHA-256 of what was written. Raises ShelfFull or ShelfUnusable."""
        try:
            self._file.close()
        except OSError as error:
            raise disk_problem(error, self.path.parent) from error
        return self._hash.hexdigest()

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


def open_new(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb", buffering=0)


class Shelf:
    """One folder of binaries; `open_file` and `statvfs` are the file system, for tests that break it."""

    def __init__(
        self,
        folder: Path,
        *,
        open_file: Callable[[Path], BinaryIO] = open_new,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        self.folder = folder
        self._open = open_file
        self._statvfs = statvfs

    def path(self, version: str, platform: Platform) -> Path:
        return self.folder / f"headscale-{version}-{platform.os}-{platform.arch}"

    def has(self, path: Path) -> bool:
        return path.exists()

    def entries(self) -> Sequence[Shelved]:
        """What stands there, by name; files whose names say nothing to us are not ours and not listed."""
        try:
            paths = sorted(self.folder.iterdir())
        except OSError:
            return ()
        return tuple(
            Shelved(path, match["version"], Platform(match["os"], match["arch"]))
            for path in paths
            if (match := NAME.fullmatch(path.name)) is not None and path.is_file()
        )

    def prepare(self) -> None:
        """Makes the folder. Raises ShelfUnusable or ShelfFull."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_problem(error, self.folder) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Holds the shelf's lock if nobody else does; says whether it does."""
        try:
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise disk_problem(error, self.folder) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def sweep(self) -> int:
        """Removes what killed runs left, and says how much that was. Only under the lock."""
        left = [path for path in self.folder.iterdir() if path.name.startswith((INCOMING, SCRATCH))]
        for path in left:
            remove_tree(path)
        return len(left)

    def must_run_programs(self) -> None:
        """Raises FolderNoexec when the folder's file system forbids programs: better told before 75 MB are fetched."""
        must_run_programs(self.folder, self._statvfs)

    def must_have_room(self, size: int) -> None:
        """Raises ShelfFull rather than filling to the brim a disk on which headscale may keep its database."""
        status = self._statvfs(self.folder)
        free = status.f_bavail * status.f_frsize
        if free < size:
            raise ShelfFull(
                f"headscale needs {megabytes(size)} in {self.folder}, and the disk has {megabytes(free)} left; "
                "free some, or set bin_dir to another disk."
            )

    def incoming(self, name: str) -> Incoming:
        """A new file under a passing name. Raises ShelfFull or ShelfUnusable."""
        path = self.folder / f"{INCOMING}{os.getpid()}-{name}"
        try:
            return Incoming(path, self._open(path))
        except OSError as error:
            raise disk_problem(error, self.folder) from error

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the shelf's own disk that is gone afterwards, whatever happens."""
        try:
            folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=self.folder))
        except OSError as error:
            raise disk_problem(error, self.folder) from error
        try:
            yield folder
        finally:
            remove_tree(folder)

    def finish(self, path: Path) -> None:
        """Makes a whole file on the shelf's disk executable and flushes it. To be offloaded: it waits for the disk."""
        try:
            path.chmod(0o755)
            sync_file(path)
        except OSError as error:
            raise disk_problem(error, self.folder) from error

    def install(self, path: Path, name: str) -> Path:
        """Gives a finished file its name. To be offloaded: it waits for the disk."""
        target = self.folder / name
        try:
            path.rename(target)
            sync_folder(self.folder)
        except OSError as error:
            raise disk_problem(error, self.folder) from error
        return target


def must_run_programs(path: Path, statvfs: Callable[[Path], os.statvfs_result]) -> None:
    """Raises FolderNoexec for a path on a file system that forbids programs."""
    if statvfs(path).f_flag & getattr(os, "ST_NOEXEC", 8):
        raise FolderNoexec(
            f"{path} is on a file system mounted noexec, where no program may run; remount it with exec, or set bin_dir to a folder elsewhere."
        )


def megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"


def remove_tree(path: Path) -> None:
    """A file or a folder with all below it; Go makes its module folders read-only, so modes are opened on the way."""
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink()
        return
    for folder, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
