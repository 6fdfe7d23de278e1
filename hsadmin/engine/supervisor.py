"""Keeps one headscale running, one life after the other; `phases` is the table it walks.

A stop is marked by `stopping()` before any end is judged: Ctrl-C reaches the whole process group, and a headscale that ends by it has not
failed. From that mark on nothing is started. The mark is a plain assignment, for it is made inside a signal handler.

Every attempt prepares anew and every child gets a new connection (`connect`), so nothing of an earlier life is left in a later one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from hsadmin.engine.backoff import Backoff
from hsadmin.engine.child import IChildReactor
from hsadmin.engine.launch import Launch
from hsadmin.engine.life import Life
from hsadmin.engine.lines import Level, Line, is_our_probe
from hsadmin.engine.orphan import Identify, Record, end_orphan, identifier
from hsadmin.engine.phases import TRANSITIONS, Event
from hsadmin.engine.readiness import LIMIT, Check, answers_health
from hsadmin.errors import EngineProblem, Problem
from hsadmin.interfaces import IEngine
from hsadmin.model.engine import EngineState, Phase
from hsadmin.system.moment import Moment
from hsadmin.system.ring import Ring
from hsadmin.system.watchers import Watchers

SHOWN_LINES = 20
FAREWELL = 5.0  # seconds for the front to close its tunnels

UNWELL = "headscale has failed its last three health checks; it is started anew if that goes on."


_LOG_LEVELS = {
    Level.TRACE: LogLevel.debug,
    Level.DEBUG: LogLevel.debug,
    Level.INFO: LogLevel.info,
    Level.WARN: LogLevel.warn,
    Level.ERROR: LogLevel.error,
    Level.FATAL: LogLevel.error,
    Level.PANIC: LogLevel.error,
}


@implementer(IEngine)
class Supervisor(Service):
    """Its neighbours, in the order in which they are called:

    - `prepare` before each attempt makes a `Launch`; a Problem from it is shown and retried, and it may be cancelled;
    - `connect(launch)` when a child was spawned;
    - `ready_checks` and `GET launch.health` until all are good, for at most `start_limit()` seconds, and from then on for as long as it lives;
    - `inspect` once ready: its sentences become warnings;
    - `before_stop` before the child is told to go, for at most 5 s;
    - `disconnect` when it is gone, or about to be told; from here it is `patience` seconds to SIGKILL.

    `record` is the file by which an orphan is found, `ring` gets redacted lines, `now` is wall-clock time.
    """

    name = "engine"

    def __init__(
        self,
        reactor: IChildReactor,
        *,
        prepare: Callable[[], Awaitable[Launch]],
        connect: Callable[[Launch], None],
        disconnect: Callable[[], None],
        ready_checks: Sequence[Check],
        before_stop: Callable[[], Awaitable[None]],
        record: Path,
        ring: Ring,
        log: Logger,
        now: Callable[[], float],
        patience: float = 20.0,
        start_limit: Callable[[], float] = lambda: LIMIT,
        inspect: Callable[[], Awaitable[Sequence[str]]] | None = None,
        health: Callable[[str], Check] | None = None,
        identify: Identify | None = None,
    ) -> None:
        self._reactor = reactor
        self._prepare, self._connect, self._disconnect = prepare, connect, disconnect
        self._ready_checks, self._start_limit, self._inspect = ready_checks, start_limit, inspect
        self._before_stop, self._patience = before_stop, patience
        self._record = Record(record)
        self._ring, self._log, self._now = ring, log, now
        self._health = health or (lambda url: answers_health(reactor, url))
        self._identify = identify or identifier(reactor)

        self._phase = Phase.IDLE
        self._since = now()
        self._final = False  # set by `stopping()`: nothing is started any more
        self._asked = False  # whoever stops it starts it again, so its end is no failure
        self._failed = False  # the next start follows an end nobody asked for
        self._backoff = Backoff()
        self._life: Life | None = None
        self._launch: Launch | None = None
        self._linked = False
        self._attempt: Deferred[None] | None = None
        self._turn = 0  # of the attempt; a cancelled one that goes on regardless finds that it is no longer its turn
        self._timer: IDelayedCall | None = None
        self._down: Moment | None = None
        self._starts = self._restarts = 0
        self._code = self._reason = ""
        self._logged = ""
        self._retry_at: float | None = None
        self._notes: list[str] = []
        self._watchers: Watchers[EngineState] = Watchers(log)
        self._listeners: Watchers[Line] = Watchers(log)

    # — IEngine —

    def state(self) -> EngineState:
        launch, life = self._launch, self._life
        return EngineState(
            phase=self._phase,
            since=self._since,
            version=launch.version if launch else "",
            trust=launch.trust if launch else None,
            pid=life.pid if life else None,
            starts=self._starts,
            restarts=self._restarts,
            code=self._code,
            reason=self._reason,
            last_lines=self._ring.newest(SHOWN_LINES),
            retry_at=self._retry_at,
            warnings=(*(launch.warnings if launch else ()), *self._notes),
        )

    def watch(self, changed: Callable[[EngineState], None]) -> Callable[[], None]:
        return self._watchers.add(changed)

    async def restart(self) -> None:
        """Raises EngineProblem when it is not to run (any more)."""
        if self._may_start():
            self._asked = True
            if self._phase is not Phase.STOPPED:
                await self._go_down().wait()
            if self._may_start():
                if self._phase is Phase.STOPPED:
                    self._begin(Event.START)
                return
        raise EngineProblem("hsadmin is stopping, so headscale is not started again.")

    # — more for the composition root —

    def listen(self, heard: Callable[[Line], None]) -> Callable[[], None]:
        """Calls `heard` with every line of headscale's, **not redacted**: registration ids are told nowhere else. The answer ends that."""
        return self._listeners.add(heard)

    def stopping(self) -> None:
        """hsadmin is about to stop: no end is a failure from now on, and nothing is started. Safe in a signal handler."""
        self._final = True

    def startService(self) -> None:
        Service.startService(self)
        self._final = False
        if self._phase in {Phase.IDLE, Phase.STOPPED}:
            self._begin(Event.START)
        elif self._down is not None:
            self._asked = True
            self._down.wait().addCallback(lambda _none: self._begin(Event.START) if self._may_start() else None)

    def stopService(self) -> Deferred[None]:
        """Fires when the child is gone."""
        Service.stopService(self)
        self._final = True
        if self._phase is Phase.STOPPED:
            return succeed(None)
        return self._go_down().wait()

    # — an attempt —

    def _may_start(self) -> bool:
        return bool(self.running) and not self._final

    def _begin(self, event: Event) -> None:
        if event is Event.START:
            self._backoff = Backoff()
            self._failed = False
            self._code = self._reason = ""
        self._asked = False
        self._retry_at = None
        self._turn += 1
        turn = self._turn
        self._to(event)
        attempt = self._attempt = Deferred.fromCoroutine(self._try(turn))
        attempt.addErrback(self._refused, turn)

    async def _try(self, turn: int) -> None:
        await end_orphan(
            self._reactor, self._record, self._identify, patience=self._patience, say=lambda text: self._log.warn("{text}", text=text)
        )
        launch = await self._prepare()
        if turn == self._turn and self._phase is Phase.PREPARING and not self._final:
            self._spawn(launch)

    def _refused(self, failure: Failure, turn: int) -> None:
        problem = failure.value
        if not isinstance(problem, (Problem, CancelledError)):
            self._log.failure("Preparing headscale's start failed", failure)
            problem = EngineProblem(f"hsadmin could not prepare headscale's start ({type(problem).__name__}); its own log says more.")
        if turn != self._turn or self._phase is not Phase.PREPARING or not isinstance(problem, Problem):
            return
        self._explain(problem.code, problem.sentence)
        self._backoff = self._backoff.after(None)
        self._pause(Event.REFUSED)

    def _spawn(self, launch: Launch) -> None:
        self._launch = launch
        self._notes = []
        life = Life(
            self._reactor,
            launch,
            checks=[*self._ready_checks, self._health(launch.health)],
            limit=self._start_limit(),
            heard=self._heard,
            ready=self._healthy,
            unwell=lambda: self._note(UNWELL, True),
            well=lambda: self._note(UNWELL, False),
            failing=self._failing,
            ended=self._ended,
        )
        life.spawn()
        self._life = life
        self._starts += 1
        self._restarts += self._failed
        Deferred.fromCoroutine(self._write_record(life)).addErrback(self._unrecorded)
        self._linked = True
        with self._log.failuresHandled("connecting to headscale"):
            self._connect(launch)
        self._to(Event.SPAWNED)
        life.attend()

    async def _write_record(self, life: Life) -> None:
        if life.pid is not None:
            identity = await self._identify(life.pid)
            if identity is not None and not life.over.come:
                self._record.write(identity)

    def _unrecorded(self, failure: Failure) -> None:
        why = getattr(failure.value, "strerror", None) or type(failure.value).__name__
        self._note(
            f"The record of headscale's process could not be written ({why}): were hsadmin killed, its headscale must be ended by hand.",
            True,
        )

    # — what the child does —

    def _heard(self, line: Line, shown: str) -> None:
        probe = is_our_probe(line)
        if not probe:
            self._ring.append(shown)
        # In a crash loop the same words come every minute; the first times are in the log already.
        level = LogLevel.debug if probe or self._backoff.looping else _LOG_LEVELS[line.level]
        self._log.emit(level, "headscale: {line}", line=shown)
        self._listeners.tell(line)

    def _healthy(self) -> None:
        if self._phase is not Phase.STARTING:
            return
        self._code = self._reason = self._logged = ""
        self._to(Event.HEALTHY)
        self._log.info("headscale {version} is ready", version=self._launch.version if self._launch else "")
        if self._inspect is not None:
            inspected = Deferred.fromCoroutine(self._note_findings(self._inspect, self._life))
            inspected.addErrback(lambda failure: self._log.failure("Inspecting headscale failed", failure))

    async def _note_findings(self, inspect: Callable[[], Awaitable[Sequence[str]]], life: Life | None) -> None:
        try:
            findings = await inspect()
        except Problem as problem:  # it went away meanwhile, for one; the next life is inspected again
            findings = (f"headscale could not be inspected: {problem.sentence}",)
        for sentence in findings:
            if life is self._life and self._phase is Phase.READY:
                self._note(sentence, True)

    def _failing(self) -> None:
        if self._down is None and self._life is not None and self._life.explanation is not None and not self._final:
            self._explain(self._life.explanation.code, self._life.explanation.sentence)
            self._go_down()

    def _ended(self) -> None:
        self._record.remove()
        self._unlink()
        life = self._life
        if self._down is not None or life is None:
            return  # whoever takes it down goes on from there
        self._life = None
        if self._final:
            self._to(Event.GONE)
        else:
            self._judge(life)

    def _judge(self, life: Life) -> None:
        if life.explanation is not None:
            self._explain(life.explanation.code, life.explanation.sentence)
        self._failed = True
        self._notes = []
        self._backoff = self._backoff.after(life.ready_for)
        self._pause(Event.ENDED_AGAIN if self._backoff.looping else Event.ENDED)

    def _pause(self, event: Event) -> None:
        pause = self._backoff.pause
        self._retry_at = self._now() + pause
        self._timer = self._reactor.callLater(pause, self._retry)
        self._to(event)

    def _retry(self) -> None:
        if not self._final:
            self._begin(Event.RETRY)

    # — taking it down —

    def _go_down(self) -> Moment:
        """From any phase but STOPPED; all who ask while it is under way share one."""
        if self._down is None:
            down = self._down = Moment()
            self._turn += 1
            self._retry_at = None
            self._to(Event.STOP)
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            if self._attempt is not None:
                self._attempt.cancel()
            Deferred.fromCoroutine(self._take_down(down)).addErrback(
                lambda failure: self._log.failure("Stopping headscale failed", failure)
            )
            return down
        return self._down

    async def _take_down(self, down: Moment) -> None:
        life = self._life
        if life is not None:
            if not life.over.come:
                await Deferred.fromCoroutine(self._farewell()).addTimeout(FAREWELL, self._reactor).addErrback(self._abrupt)
            self._unlink()
            await life.end(self._patience)
        self._life = None
        self._down = None
        if life is None or self._asked or self._final:
            self._notes = []
            self._to(Event.GONE)
        else:
            self._judge(life)
        down.set()

    async def _farewell(self) -> None:
        await self._before_stop()

    def _abrupt(self, failure: Failure) -> None:
        self._log.warn("headscale's tunnels were not closed before its stop: {why}", why=type(failure.value).__name__)

    def _unlink(self) -> None:
        if self._linked:
            self._linked = False
            with self._log.failuresHandled("disconnecting from headscale"):
                self._disconnect()

    # — telling —

    def _explain(self, code: str, sentence: str) -> None:
        self._code, self._reason = code, sentence
        again = sentence == self._logged
        self._logged = sentence
        self._log.emit(LogLevel.debug if again else LogLevel.warn, "{sentence}", sentence=sentence, code=code)

    def _note(self, sentence: str, holds: bool) -> None:
        if holds != (sentence in self._notes):
            if holds:
                self._notes.append(sentence)
                self._log.warn("{sentence}", sentence=sentence)
            else:
                self._notes.remove(sentence)
            self._watchers.tell(self.state())

    def _to(self, event: Event) -> None:
        self._phase = TRANSITIONS[self._phase, event]
        self._since = self._now()
        self._watchers.tell(self.state())
