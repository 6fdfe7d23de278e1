"""The work directory: made, shut to others, and held by one hsadmin at a time.

The lock is flock(2) on WORK_DIR/lock: the kernel gives it back however its holder ends, so a lock file that lies there means nothing by itself. The
file holds the holder's pid for the sentence that a second hsadmin refuses with. It is never removed: whoever unlinked it could let a third one lock
a new file of that name while the second waits on the old.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

from hsadmin.errors import Problem, WorkDirBusy, WorkDirUnusable
from hsadmin.model.layout import Layout

_WHY = {
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not change it",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user's share of the disk is used up",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "a part of the path is a file",
    errno.ENAMETOOLONG: "the path is too long",
    errno.ELOOP: "it is a symbolic link",
    errno.EISDIR: "it is a folder",
    errno.ENOLCK: "its file system knows no locks",
}


class WorkDir:
    """Taken by the process that serves, after it has forked for the last time."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._lock: int | None = None

    def take(self) -> None:
        """Makes what is missing and locks it. Raises WorkDirBusy naming the holder, or WorkDirUnusable; then nothing is held."""
        if self._lock is not None:
            return
        layout = self.layout
        try:
            self._make(layout.root)
            self._lock = self._held(layout)
            for folder in layout.folders[1:]:
                self._make(folder)
        except Problem:
            self.release()
            raise
        except OSError as error:
            self.release()
            raise _unusable(Path(os.fsdecode(error.filename or layout.root)), error) from None

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _make(self, folder: Path) -> None:
        """`folder` as a directory of our own with mode 0700."""
        if folder == self.layout.root:
            folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            self._check(folder)

    def _check(self, folder: Path) -> None:
        found = folder.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise WorkDirUnusable(f"The work directory {folder} is a symbolic link; name the folder that it leads to ({_target(folder)})")
        if not stat.S_ISDIR(found.st_mode):
            raise WorkDirUnusable(f"The work directory needs a folder at {folder}, where something else is")
        if found.st_uid != os.geteuid():
            raise WorkDirUnusable(f"The work directory {folder} belongs to user {found.st_uid}, hsadmin runs as user {os.geteuid()}")
        if found.st_mode & 0o777 == 0o700:
            return
        if folder == self.layout.root and not self.layout.lock.exists() and any(folder.iterdir()):
            raise WorkDirUnusable(
                f"The work directory {folder} is open to others and holds other things; hsadmin needs a folder of its own"
            )
        folder.chmod(0o700)

    def _held(self, layout: Layout) -> int:
        descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            pid = _pid_in(descriptor)
            os.close(descriptor)
            who = f"the hsadmin with process id {pid}" if pid else "another hsadmin"
            raise WorkDirBusy(f"The work directory {layout.root} is in use by {who}", pid=pid or 0) from None
        except OSError as error:
            os.close(descriptor)
            raise _unusable(layout.lock, error) from None
        return descriptor


def holder(layout: Layout) -> int | None:
    """The pid of the hsadmin that holds the work directory now; None when nobody does, 0 when it did not say."""
    try:
        descriptor = os.open(layout.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(descriptor)
    finally:
        os.close(descriptor)
    return None


def _pid_in(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else 0


def _unusable(path: Path, error: OSError) -> WorkDirUnusable:
    why = _WHY.get(error.errno or 0, error.strerror or str(error))
    return WorkDirUnusable(f"The work directory cannot be used: {path}: {why}", errno=error.errno or 0)


def _target(link: Path) -> str:
    try:
        return str(link.resolve())
    except (OSError, RuntimeError):
        return "nowhere"
