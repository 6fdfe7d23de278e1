"""One headscale, from its spawn to its end.

A life knows what its child said, whether it answers, and from when on it may be signalled. headscale prints the last line of its start a
moment *before* it installs its signal handlers: a SIGTERM on that line kills it, without clean-up, in 13 of 15 tries; 5 ms later never.
So no signal is sent until `SETTLING` after that line, or, should a log level hide the line, after it first was ready. A stop that comes
earlier waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IDelayedCall

from hsadmin.engine.child import Child, IChildReactor
from hsadmin.engine.exits import Ending, Explanation, explain
from hsadmin.engine.launch import Launch, SpawnProblem, spawn_sentence
from hsadmin.engine.lines import Level, Line, ends_start, read
from hsadmin.engine.readiness import Check, Readiness
from hsadmin.system.moment import Moment
from hsadmin.system.redact import redact
from hsadmin.system.ring import Ring

SETTLING = 0.1
TELLING = 8  # fatal lines kept: a panic's first line must survive the thousand lines of its trace

NEVER_READY = "engine.never-ready"
NOT_ANSWERING = "engine.not-answering"


class Life:
    """`heard` gets every line with its redacted text; `ready`, `unwell`, `well` as `Readiness` tells; `failing` when it must be ended, and
    `ended` once; why is then in `explanation`. Nothing is told after `ended`."""

    def __init__(
        self,
        reactor: IChildReactor,
        launch: Launch,
        *,
        checks: Sequence[Check],
        limit: float,
        heard: Callable[[Line, str], None],
        ready: Callable[[], None],
        unwell: Callable[[], None],
        well: Callable[[], None],
        failing: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self.launch = launch
        self.over = Moment()
        self.explanation: Explanation | None = None
        self.ready_for: float | None = None
        self._reactor = reactor
        self._heard, self._told_ready, self._failing, self._told_end = heard, ready, failing, ended
        self._may_signal = Moment()
        self._settling: IDelayedCall | None = None
        self._ready_since: float | None = None
        self._telling: list[str] = []
        self._last = Ring(lines=60)
        self._child = Child(reactor, self)
        self._readiness = Readiness(
            reactor, checks, limit=limit, ready=self._ready, overdue=self._overdue, unwell=unwell, well=well, lost=self._lost
        )

    @property
    def pid(self) -> int | None:
        return self._child.pid

    def spawn(self) -> None:
        """Raises SpawnProblem."""
        self.launch.check()
        try:
            # Without path, uid and gid, which would make it a fork: that of a process with gRPC threads dies before its exec.
            self._reactor.spawnProcess(self._child, str(self.launch.binary), self.launch.command, self.launch.scrubbed)
        except OSError as fault:
            raise SpawnProblem(spawn_sentence(self.launch.binary, fault)) from fault
        except ValueError as fault:
            raise SpawnProblem(f"{self.launch.binary} could not be run: {fault}.") from fault

    def attend(self) -> None:
        """Begins to ask whether it is ready."""
        if not self.over.come:
            self._readiness.start()

    async def end(self, patience: float) -> None:
        """TERM as soon as it may be sent, KILL when `patience` seconds are over; returns when the child is gone."""
        deadline = self._reactor.seconds() + patience
        may_signal = await self._may_signal.within(self._reactor, patience)
        self._readiness.stop()
        if may_signal:
            self._child.signal("TERM")
            await self.over.within(self._reactor, deadline - self._reactor.seconds())
        if not self.over.come:
            self._child.signal("KILL")
            await self.over.wait()

    # — what the child does —

    def said(self, text: str, faults: bool) -> None:
        line = read(text, faults=faults)
        shown = redact(line.text)
        self._last.append(shown)
        if line.level >= Level.FATAL and len(self._telling) < TELLING:
            self._telling.append(shown)
        if ends_start(line):
            self._settle()
        self._heard(line, shown)

    def ended(self, ending: Ending) -> None:
        self._readiness.stop()
        if self._ready_since is not None:
            self.ready_for = self._reactor.seconds() - self._ready_since
        if self._settling is not None and self._settling.active():
            self._settling.cancel()
        if self.explanation is None:
            self.explanation = explain(ending, self._telling, self._last.newest(60))
        self._told_end()
        self.over.set()
        self._may_signal.set()

    # — what its readiness tells —

    def _settle(self) -> None:
        if self._settling is None:
            self._settling = self._reactor.callLater(SETTLING, self._may_signal.set)

    def _ready(self) -> None:
        self._ready_since = self._reactor.seconds()
        self._settle()
        self._told_ready()

    def _overdue(self, seconds: float) -> None:
        said = self._telling[:1] or self._last.newest(1)
        words = f"; its last words: {said[0]}" if said else " and said nothing"
        self._fail(NEVER_READY, f"headscale runs but did not get ready within {seconds:.0f} s{words}.")

    def _lost(self, seconds: float) -> None:
        self._fail(NOT_ANSWERING, f"headscale runs but has not answered its health checks for {seconds:.0f} s; it is started anew.")

    def _fail(self, code: str, sentence: str) -> None:
        self.explanation = Explanation(code, sentence)
        self._failing()
