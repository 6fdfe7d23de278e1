"""What one visitor, one source and all of them together may take: connections, time, requests.

A source is an IPv4 address or an IPv6 /64 (what one customer of a provider has). Only connections that are not tunnels count to a source:
a company behind one address holds thousands of tunnels. All of them count to the total, which follows from the descriptors we may open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

IPAddress = IPv4Address | IPv6Address
Source = int | str
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `burst` at once, then `per_second`."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontLimits:
    """Seconds and counts; the defaults are the product's."""

    handshake: float = 10.0  # TLS, from accept
    head: float = 10.0  # from the first byte we may expect (first request) or have seen (later ones) to the end of the head
    idle: float = 30.0  # between two requests
    body: float = 30.0  # without a byte of the request's body
    connect: float = 5.0  # to an upstream
    upgrade: float = 10.0  # from asking an upstream to its answer
    answer: float = 120.0  # from the end of the request to the upstream's answer
    stall: float = 90.0  # an answer waits for the visitor to read on
    linger: float = 5.0  # after our end, without a byte confirmed
    rest: float = 24.0  # of a pooled connection; headscale drops it after 30
    park: float = 8.0  # how long a request waits for headscale
    parked: int = 4096  # requests that wait at once; a quarter of them for one source
    stop: float = 5.0  # for exchanges to end when the front stops
    per_source: int = 64  # connections that are not tunnels
    total: int = 4096  # visitors, tunnels included
    pooled: int = 64  # resting connections for each upstream
    rates: Mapping[str, Rate] = field(default_factory=lambda: {"bootstrap-dns": Rate(1.0, 10.0)})


def total_for(descriptors: int, *, reserve: int = 512) -> int:
    """Visitors that fit into RLIMIT_NOFILE: each may need an upstream connection too; `reserve` is for everything else."""
    return max((descriptors - reserve) // 2, 16)


def source_of(address: IPAddress) -> Source:
    if isinstance(address, IPv6Address):
        return f"{int(address) >> 64:x}"
    return int(address)


class Sources:
    """Counts connections by source and in all. `None` stands for a peer that is no source: a trusted proxy, or a Unix socket."""

    __slots__ = ("_by_source", "_per_source", "_total", "now")

    def __init__(self, *, per_source: int, total: int) -> None:
        self._per_source = per_source
        self._total = total
        self._by_source: dict[Source, int] = {}
        self.now = 0

    def refusal(self, source: Source | None) -> str:
        """Why one more of `source` cannot be taken in, a fixed word; else ""."""
        if self.now >= self._total:
            return "total-connections"
        if source is not None and self._by_source.get(source, 0) >= self._per_source:
            return "source-connections"
        return ""

    def enter(self, source: Source | None) -> None:
        self.now += 1
        if source is not None:
            self._by_source[source] = self._by_source.get(source, 0) + 1

    def uncount(self, source: Source | None) -> None:
        """The connection stays, but is no longer one that counts to its source."""
        if source is None:
            return
        left = self._by_source[source] - 1
        if left:
            self._by_source[source] = left
        else:
            del self._by_source[source]

    def leave(self) -> None:
        self.now -= 1


class Timed(Protocol):
    """Has a deadline; what it does when that has passed is its own affair, but it must move the deadline or leave."""

    deadline: float

    def overdue(self) -> None: ...


class Deadlines:
    """One timer for all deadlines: moving one is a plain assignment, which every request does several times.

    A deadline is honoured up to `grain` late. No timer runs while nothing is watched.
    """

    __slots__ = ("_call", "_clock", "_grain", "_watched")
    log = Logger()

    def __init__(self, clock: IReactorTime, *, grain: float = 0.5) -> None:
        self._clock = clock
        self._grain = grain
        self._watched: dict[Timed, None] = {}
        self._call: IDelayedCall | None = None

    def watch(self, timed: Timed) -> None:
        self._watched[timed] = None
        if self._call is None:
            self._call = self._clock.callLater(self._grain, self._look)

    def forget(self, timed: Timed) -> None:
        self._watched.pop(timed, None)
        if not self._watched and self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        now = self._clock.seconds()
        self._call = self._clock.callLater(self._grain, self._look)
        for timed in [timed for timed in self._watched if timed.deadline <= now]:
            if timed in self._watched and timed.deadline <= now:
                try:
                    timed.overdue()
                except Exception:  # noqa: BLE001 - one that fails must not keep the others from being told
                    self.log.failure("A connection could not be ended in time")
                    self.forget(timed)


class Rates:
    """Token buckets by limit and source. There are never more than `most`: the one longest unused goes."""

    __slots__ = ("_buckets", "_most", "_rates", "_seconds")

    def __init__(self, seconds: Callable[[], float], rates: Mapping[str, Rate], *, most: int = 10_000) -> None:
        self._seconds = seconds
        self._rates = rates
        self._most = most
        self._buckets: dict[tuple[str, Source], tuple[float, float]] = {}

    def wait(self, name: str, source: Source) -> float:
        """0 and one token less; or the seconds until there is one. A name without a rate is free."""
        rate = self._rates.get(name)
        if rate is None:
            return 0.0
        now = self._seconds()
        tokens, then = self._buckets.pop((name, source), (rate.burst, now))
        tokens = min(rate.burst, tokens + (now - then) * rate.per_second)
        enough = tokens >= 1.0
        self._buckets[name, source] = (tokens - 1.0 if enough else tokens, now)
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]  # each use moves a bucket to the end
        return 0.0 if enough else (1.0 - tokens) / rate.per_second
