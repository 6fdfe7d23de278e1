"""A Supervisor whose neighbours the test plays, and which writes down who was called when."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hsadmin.engine.launch import Launch
from hsadmin.engine.orphan import Identity
from hsadmin.engine.supervisor import Supervisor
from hsadmin.model.engine import EngineState, Phase, Trust
from hsadmin.system.ring import Ring
from tests.fakes.processes import FakeProcess, ProcessReactor

LAST_LINE = b'{"level":"info","time":1,"message":"listening and serving debug and metrics on: 127.0.0.1:9090"}\n'
WALL = 1_800_000_000.0


@implementer(ILogObserver)
class Kept:
    """Log events as a list."""

    def __init__(self, events: list[LogEvent]) -> None:
        self._events = events

    def __call__(self, event: LogEvent) -> None:
        self._events.append(event)


class SupervisedCase(SynchronousTestCase):
    """`self.events` are the neighbours' calls and the phases, in order; `self.healthy` is what both checks answer."""

    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.events: list[str] = []
        self.logged: list[LogEvent] = []
        self.states: list[EngineState] = []
        self.healthy = True
        self.preparing: Callable[[], Awaitable[Launch]] = self.ready_launch
        self.farewell: Callable[[], Awaitable[None]] = self.nothing
        self.warnings: list[str] = []
        self.wall = WALL
        self.record = Path(self.mktemp())
        self.supervisor = self.make()
        self.addCleanup(self.put_away)

    def make(self, **more: Any) -> Supervisor:
        supervisor = Supervisor(
            self.reactor,
            prepare=self.prepare,
            connect=lambda launch: self.events.append(f"connect {launch.socket_path}"),
            disconnect=lambda: self.events.append("disconnect"),
            ready_checks=[self.check],
            before_stop=self.before_stop,
            record=self.record,
            ring=Ring(),
            log=Logger("test", observer=Kept(self.logged)),
            now=lambda: self.wall + self.reactor.seconds(),
            health=lambda _url: self.check,
            identify=self.identify,
            **{"inspect": self.inspect, **more},
        )
        supervisor.watch(self.changed)
        return supervisor

    # — the neighbours —

    async def prepare(self) -> Launch:
        self.events.append("prepare")
        return await self.preparing()

    async def ready_launch(self) -> Launch:
        return self.launch()

    def launch(self, **more: Any) -> Launch:
        return Launch(
            binary=more.pop("binary", Path(sys.executable)),
            arguments=("serve", "-c", "/w/headscale.yaml"),
            environment={"PATH": "/bin", "HEADSCALE_DNS": "x"},
            version="0.29.3",
            trust=Trust.PINNED,
            socket_path=Path("/w/h.sock"),
            health="http://127.0.0.1:1/health",
            **more,
        )

    async def check(self) -> bool:
        return self.healthy

    async def before_stop(self) -> None:
        self.events.append("before_stop")
        await self.farewell()

    async def nothing(self) -> None: ...

    async def inspect(self) -> list[str]:
        return self.warnings

    async def identify(self, pid: int) -> Identity | None:
        return Identity(pid=pid, start="1", command="headscale")

    def changed(self, state: EngineState) -> None:
        self.states.append(state)
        self.events.append(str(state.phase))

    # — what tests do —

    @property
    def state(self) -> EngineState:
        return self.supervisor.state()

    @property
    def phase(self) -> Phase:
        return self.supervisor.state().phase

    @property
    def child(self) -> FakeProcess:
        return self.reactor.child

    @property
    def texts(self) -> list[str]:
        return [str(event.get("sentence") or event.get("line") or event.get("text") or event.get("log_format")) for event in self.logged]

    def run_for(self, seconds: float, step: float = 0.05) -> None:
        self.reactor.pump([step] * round(seconds / step))

    def start(self) -> FakeProcess:
        """Started, its last start-up line said, ready, and past the time in which it may not be signalled."""
        self.supervisor.startService()
        return self.settle()

    def settle(self) -> FakeProcess:
        self.child.out(LAST_LINE)
        self.run_for(0.2)
        self.assertEqual(self.phase, Phase.READY)
        return self.child

    def stop(self) -> Deferred[None]:
        return self.supervisor.stopService()

    def put_away(self) -> None:
        done = self.stop()
        self.run_for(60, 0.5)
        self.successResultOf(done)
        self.assertEqual((self.phase, self.reactor.getDelayedCalls()), (Phase.STOPPED, []))
