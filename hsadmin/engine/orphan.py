"""Ends the headscale that a killed hsadmin left behind, before a new one is started.

Two headscales on one database both believe that they are the only one, and the second takes the first one's socket away. A child does not
die with its parent, so every spawn leaves a record of the process: id, start time, command line, and the boot they belong to. A process
is ours only if all of them match what runs under that id now: ids are used again, and nothing is signalled that merely looks alike. Where
the system allows it (pidfd), the process that was compared is the one that gets the signal, even if its id changes hands in between.

Linux tells start time and command line in /proc; elsewhere `ps` does, to the second.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutput

from hsadmin.errors import EngineProblem

POLL = 0.05
AFTER_KILL = 5.0

PROC = Path("/proc")


class OrphanProblem(EngineProblem):
    """A headscale of an earlier hsadmin runs and cannot be ended."""

    code = "engine.orphan"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A process, told apart from every other that has or will have its id."""

    pid: int
    start: str  # clock ticks since boot (Linux), or the date that ps prints
    command: str  # arguments separated by NUL (Linux), or as ps prints them
    boot: str = ""


Identify = Callable[[int], Awaitable[Identity | None]]


def from_proc(root: Path = PROC) -> Identify:
    """Identities by /proc."""

    async def identify(pid: int) -> Identity | None:
        try:
            stat = (root / str(pid) / "stat").read_text("utf-8", "backslashreplace")
            command = (root / str(pid) / "cmdline").read_bytes().decode("utf-8", "backslashreplace")
        except OSError:
            return None
        # The second field is the name in brackets and may hold anything, brackets and blanks too; state is the third, start time the 22nd.
        fields = stat.rpartition(")")[2].split()
        if len(fields) < 20 or fields[0] in {"Z", "X"}:
            return None
        boot = ""
        with suppress(OSError):
            boot = (root / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return Identity(pid=pid, start=fields[19], command=command, boot=boot)

    return identify


def from_ps(reactor: Any, program: str = "/bin/ps") -> Identify:
    """Identities by ps, for systems without /proc."""

    async def identify(pid: int) -> Identity | None:
        arguments = ["-ww", "-o", "state=,lstart=,command=", "-p", str(pid)]
        output: bytes = await getProcessOutput(program, arguments, {"LC_ALL": "C", "TZ": "UTC"}, reactor=reactor)
        fields = output.decode("utf-8", "backslashreplace").split(maxsplit=6)
        if len(fields) < 7 or fields[0].startswith("Z"):
            return None
        return Identity(pid=pid, start=" ".join(fields[1:6]), command=fields[6].strip())

    return identify


def identifier(reactor: Any) -> Identify:
    return from_proc() if sys.platform.startswith("linux") else from_ps(reactor)


class Record:
    """The file that outlives us. A power failure needs no fsync here: after it, nothing of that boot runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, identity: Identity) -> None:
        """Raises OSError."""
        draft = self._path.with_name(f"{self._path.name}.new")
        draft.write_bytes(msgspec.json.encode(identity))
        draft.replace(self._path)

    def read(self) -> Identity | None:
        """None when there is no record, or none that can be understood: nothing can be proven then, and nothing is signalled."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Identity)
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return None

    def remove(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


async def end_orphan(reactor: IReactorTime, record: Record, identify: Identify, *, patience: float, say: Callable[[str], None]) -> bool:
    """Whether there was one; it is gone on return, and its record too. TERM, then KILL after `patience` seconds. Raises OrphanProblem."""
    known = record.read()
    if known is None:
        return False
    found = False
    if known.pid > 1 and await identify(known.pid) == known:
        found = True
        say(f"A headscale of an earlier hsadmin still runs (process {known.pid}): ending it before a new one is started.")
        if not await _send(reactor, known, identify, signal.SIGTERM, patience):
            say(f"Process {known.pid} did not end on SIGTERM within {patience:.0f} s: killing it.")
            if not await _send(reactor, known, identify, signal.SIGKILL, AFTER_KILL):
                raise OrphanProblem(
                    f"A headscale of an earlier hsadmin, process {known.pid}, does not end, "
                    "not even by SIGKILL: it must be gone before a new one starts."
                )
    record.remove()
    return found


async def _send(reactor: IReactorTime, known: Identity, identify: Identify, number: signal.Signals, patience: float) -> bool:
    """Sends a signal to exactly that process, and whether it was gone within `patience`."""
    with _signaller(known.pid) as send:
        if await identify(known.pid) != known:
            return True
        try:
            send(number)
        except ProcessLookupError:
            return True
        except PermissionError as fault:
            raise OrphanProblem(
                f"A headscale of an earlier hsadmin, process {known.pid}, belongs to another user: end it, or run hsadmin as that user."
            ) from fault
    limit = reactor.seconds() + patience
    while await identify(known.pid) == known:
        if reactor.seconds() >= limit:
            return False
        await _sleep(reactor, POLL)
    return True


@contextmanager
def _signaller(pid: int) -> Iterator[Callable[[signal.Signals], None]]:
    handle: int | None = None
    with suppress(OSError, AttributeError):
        handle = os.pidfd_open(pid)
    if handle is None:
        yield lambda number: os.kill(pid, number)
        return
    try:
        yield lambda number: signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def _sleep(reactor: IReactorTime, seconds: float) -> Deferred[None]:
    return deferLater(reactor, seconds, lambda: None)
