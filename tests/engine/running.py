"""A Supervisor of a real child process on the real reactor, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from hsadmin.engine.launch import Launch
from hsadmin.engine.supervisor import Supervisor
from hsadmin.model.engine import EngineState, Phase, Trust
from hsadmin.system.ring import Ring

reactor: Any = installed  # a module to mypy


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def runs(pid: int) -> bool:
    """Whether that process is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class RunningCase(TestCase):
    """Subclasses give `binary` and `config`, and the port of `GET /health`."""

    binary: Path
    config: Path
    port: int
    checks: tuple[Callable[[], Any], ...] = ()

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        # A Unix socket's path has room for 107 bytes, and trial's folders may be deep.
        short = Path(tempfile.mkdtemp(prefix="hsadmin-"))
        self.addCleanup(shutil.rmtree, short)
        self.socket = short / "h.sock"
        self.states: list[tuple[float, EngineState]] = []

    def supervise(self, **more: Any) -> Supervisor:
        async def prepare() -> Launch:
            return Launch(
                binary=self.binary,
                arguments=("serve", "-c", str(self.config)),
                environment={**os.environ, "HOME": str(self.folder), "HEADSCALE_LISTEN_ADDR": "not an address"},
                version="0.29.3",
                trust=Trust.FIRST_USE,
                socket_path=self.socket,
                health=f"http://127.0.0.1:{self.port}/health",
            )

        async def nothing() -> None: ...

        arguments: dict[str, Any] = {
            "prepare": prepare,
            "connect": lambda _launch: None,
            "disconnect": lambda: None,
            "ready_checks": self.checks,
            "before_stop": nothing,
            "record": self.folder / "headscale.pid",
            "ring": Ring(),
            "log": Logger("test"),
            "now": time.time,
        }
        supervisor = Supervisor(reactor, **{**arguments, **more})
        supervisor.watch(lambda state: self.states.append((time.monotonic(), state)))
        self.addCleanup(supervisor.stopService)
        return supervisor

    @property
    def phases(self) -> list[Phase]:
        return [state.phase for _when, state in self.states]

    async def until(self, true: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits until `true()`, and fails after `seconds`."""
        limit = time.monotonic() + seconds
        while not true():
            if time.monotonic() > limit:
                self.fail(f"not within {seconds} s: {what}; {self.states[-1:]}")
            await deferLater(reactor, 0.01, lambda: None)

    async def said(self, supervisor: Supervisor, words: str, *, seconds: float = 20) -> None:
        await self.until(lambda: words in " ".join(supervisor.state().last_lines), seconds, words)

    async def ready(self, supervisor: Supervisor, *, starts: int = 1, seconds: float = 20) -> EngineState:
        await self.until(
            lambda: supervisor.state().phase is Phase.READY and supervisor.state().starts >= starts, seconds, f"ready {starts}"
        )
        return supervisor.state()


def sleep(seconds: float) -> Deferred[None]:
    return deferLater(reactor, seconds, lambda: None)
