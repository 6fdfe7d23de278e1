"""Processes: started, found, measured, and always ended."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
PORTS = range(21_000, 22_000)  # below the ephemeral range, where an outgoing connection could sit on one
_next_port = iter(PORTS)


class NotStarted(Exception):
    """A program did not come up; says which, and what it said."""


def free_port() -> int:
    """Each is given once in a run."""
    for port in _next_port:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise NotStarted(f"no free port in {PORTS}")


def raise_file_limit(wanted: int) -> int:
    """How many files may be open from now on, by us and by what we start."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (max(hard, wanted), hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return limit
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@contextlib.contextmanager
def pinned(cpus: set[int]) -> Iterator[None]:
    """We, and all that is started meanwhile, run on these processors."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int, *, without: Callable[[int], bool] = lambda _pid: False) -> list[int]:
    """`pid` and its descendants, but for those that `without` names and what is below them."""
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        if without(pid):
            continue
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                waiting += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def runs(program: Path) -> Callable[[int], bool]:
    """Whether a process is this program."""

    def is_it(pid: int) -> bool:
        try:
            return os.path.samefile(f"/proc/{pid}/exe", program)
        except OSError:
            return False

    return is_it


def pss_kib(pids: Sequence[int]) -> float:
    """Proportional memory of all of them."""
    total = 0
    for pid in pids:
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        total += int(found[1]) if found else 0
    return float(total)


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time, user and system, from each process's own clock; one that is gone counts nothing."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def until(found: Callable[[], bool], seconds: float, what: str) -> None:
    """Raises NotStarted when it takes longer."""
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            raise NotStarted(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.03)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False


class Child:
    """One program of ours in a process group of its own; what it says goes to `log`."""

    def __init__(self, command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self.log = log
        self.name = Path(command[0]).name
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def until_listening(self, port: int, seconds: float = 15) -> None:
        """Raises NotStarted."""

        def up() -> bool:
            if self.process.poll() is not None:
                raise NotStarted(f"{self.name} ended; it said: {self.said()}")
            return listens(port)

        until(up, seconds, f"port {port}")

    def kill(self) -> None:
        """As a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 10) -> None:
        """TERM, then KILL, and KILL for all descendants that are left."""
        family = tree(self.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in family[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """INT, TERM and HUP end us through every `finally`; what comes after the first one does not disturb that."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, _frame: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in numbers:
        signal.signal(number, end)
    yield
