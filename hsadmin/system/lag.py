"""How late the reactor is, and who holds it up.

A heartbeat asks to be called every 50 ms; how late it comes is what a visitor's byte would have waited, and goes into the histogram. A thread
wakes when a beat is 20 ms overdue, and only then looks at what the reactor's thread is doing (`sys._current_frames`), again every 20 ms; what it
saw most often is the culprit. So nothing of the reactor is wrapped, no callback costs more than before, and the name is that of a function of
ours with its line, not that of a timer or socket.

The price: two wake-ups for each beat, 0.1 to 0.2 % of a core. A stall shorter than 20 ms has no name, and one of 50 ms is met by a beat at some
moment of its own, so that it counts for less than it is; stalls that come back are found.
"""

from __future__ import annotations

import sys
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from types import FrameType

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from hsadmin.model.lag import Bucket, Lag, Stall

BEAT = 0.05  # seconds
STALL = 0.02
SAY_EVERY = 60.0  # seconds between two lines in the log
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)

SPAWN = "spawn"
IDLE = "nothing of ours: the process had to wait for a processor"
_OURS = "hsadmin."
_WAITS = frozenset({("twisted.internet.epollreactor", "doPoll"), ("twisted.internet.pollreactor", "doPoll"), ("selectors", "select")})


class Histogram:
    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.worst = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.worst = max(self.worst, seconds)

    def buckets(self) -> tuple[Bucket, ...]:
        return tuple(Bucket(upto=upto, beats=beats) for upto, beats in zip((*BOUNDS, None), self._counts, strict=True))


class Watch:
    """The thread's half: `look` at the reactor's thread when a beat is overdue. `due` moves with each beat."""

    def __init__(
        self, seconds: Callable[[], float], thread: int, frames: Callable[[], Mapping[int, FrameType]] = sys._current_frames
    ) -> None:
        self._seconds = seconds
        self._thread = thread
        self._frames = frames
        self._seen: Counter[str] = Counter()
        self.due = seconds() + BEAT
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(self.look()):
            pass

    def look(self) -> float:
        """The seconds until it is worth looking again."""
        early = self.due + STALL - self._seconds()
        if early > 0:
            return early
        frame = self._frames().get(self._thread)
        if frame is not None:
            self._seen[culprit(frame)] += 1
        return STALL

    def taken(self) -> str:
        """What was seen since it was last asked, and is then forgotten; "" when nothing was."""
        seen, self._seen = self._seen, Counter()
        return seen.most_common(1)[0][0] if seen else ""


class LagMeter(Service):
    """`now` is wall-clock seconds. The clock's own seconds must be safe to ask from a thread; time.monotonic is."""

    name = "lag"
    log = Logger()

    def __init__(self, clock: IReactorTime, *, now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._histogram = Histogram()
        self._stalls = 0
        self._last: Stall | None = None
        self._unsaid: Stall | None = None
        self._unsaid_count = 0
        self._said = float("-inf")
        self._call: IDelayedCall | None = None
        self._thread: threading.Thread | None = None
        self.watch: Watch | None = None

    def startService(self) -> None:
        Service.startService(self)
        self.watch = Watch(self._clock.seconds, threading.get_ident())
        self._call = self._clock.callLater(BEAT, self._beat)
        self._thread = threading.Thread(target=self.watch.run, name="lag", daemon=True)
        self._thread.start()

    def stopService(self) -> None:
        Service.stopService(self)
        if self.watch is not None:
            self.watch.over.set()
        if self._thread is not None:
            self._thread.join()
        if self._call is not None and self._call.active():
            self._call.cancel()

    def read(self) -> Lag:
        return Lag(buckets=self._histogram.buckets(), worst=self._histogram.worst, stalls=self._stalls, last=self._last)

    def _beat(self) -> None:
        watch = self.watch
        assert watch is not None
        now = self._clock.seconds()
        late = max(0.0, now - watch.due)
        watch.due = now + BEAT
        self._call = self._clock.callLater(BEAT, self._beat)
        self._histogram.add(late)
        if late > STALL:
            self._stalled(late, watch.taken())
        if self._unsaid is not None and now - self._said >= SAY_EVERY:
            self._say(self._unsaid, now)

    def _stalled(self, seconds: float, what: str) -> None:
        self._stalls += 1
        self._unsaid_count += 1
        self._last = stall = Stall(seconds=round(seconds, 4), what=what or "something that was over before it was seen", at=self._now())
        if self._unsaid is None or seconds > self._unsaid.seconds:
            self._unsaid = stall

    def _say(self, stall: Stall, now: float) -> None:
        self.log.info(
            "The reactor was held up for {ms} ms by {what}. Stalls of over {limit} ms since this was last said: {count}; this was the longest.",
            ms=round(stall.seconds * 1000),
            what=stall.what,
            limit=round(STALL * 1000),
            count=self._unsaid_count,
        )
        self._said, self._unsaid, self._unsaid_count = now, None, 0


def culprit(frame: FrameType) -> str:
    """Our function and line that is the innermost on this stack, `spawn` when it starts a process; else the innermost of all."""
    innermost = _name(frame)
    if (innermost[0], innermost[1].rpartition(".")[2]) in _WAITS:
        return IDLE
    spawns = False
    current: FrameType | None = frame
    while current is not None:
        module, function, line = _name(current)
        spawns = spawns or (module == "twisted.internet.process" and function.endswith("__init__"))
        if module.startswith(_OURS):
            where = f"{module}.{function}, line {line}"
            return f"{SPAWN}, from {where}" if spawns else where
        current = current.f_back
    return SPAWN if spawns else f"{innermost[0]}.{innermost[1]}, line {innermost[2]}"


def _name(frame: FrameType) -> tuple[str, str, int]:
    return str(frame.f_globals.get("__name__", "?")), frame.f_code.co_qualname, frame.f_lineno
