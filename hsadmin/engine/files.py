"""Hashing and durable writing, as the shelf and the trust record need them.

A file of ours is either there whole or not at all, also after a power cut: temporary name in the same folder, fsync, rename, fsync of the
folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from hsadmin.errors import ReleaseProblem, ShelfFull, ShelfUnusable

T = TypeVar("T")

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Offload(Protocol):
    """Runs blocking work where it does not hold up the reactor."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


def in_threads(reactor: Any, pool: ThreadPool) -> Offload:
    """An Offload on a thread pool."""

    def offload(work: Callable[[], T], /) -> Awaitable[T]:
        return deferToThreadPool(reactor, pool, work)

    return offload


def sha256_of(path: Path) -> str:
    """75 MB take about 0.2 s: to be offloaded."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Makes renames and removals in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces `path`; on failure the old file stays and nothing else is left. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def disk_problem(error: OSError, folder: Path) -> ReleaseProblem:
    """The Problem for an error met while writing below `folder`."""
    if error.errno in NO_SPACE:
        return ShelfFull(
            f"The disk has no room left for headscale in {folder} ({error.strerror}); free about 100 MB, or set bin_dir to another disk."
        )
    return ShelfUnusable(f"{folder} cannot be written ({error.strerror}); hsadmin keeps its headscale binaries there (bin_dir).")
