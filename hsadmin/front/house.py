"""What the visitors of all doors share: limits, pools, the park, counters, and who is in.

Nothing here decides anything: it is the one object that a connection is given instead of a dozen, and the register that a stop goes by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from hsadmin.front.allow import Decision, Network, Target
from hsadmin.front.head import RequestHead, ResponseHead
from hsadmin.front.ledger import Ledger
from hsadmin.front.limits import Deadlines, FrontLimits, IPAddress, Rates, Source, Sources, Timed
from hsadmin.front.memo import Memo
from hsadmin.front.park import Park
from hsadmin.front.relay import Relayed
from hsadmin.front.tunnel import Tunnel
from hsadmin.front.upstream import Pool
from hsadmin.model.front import AccessRecord


class Rules(Protocol):
    """Who gets a request, and how heads are written anew; see allow.Allow."""

    def decide(self, head: RequestHead, client: IPAddress) -> Decision: ...

    def upstream_head(self, decision: Decision, head: RequestHead, *, client: str, scheme: str, host: bytes) -> bytes: ...

    def switched(self, decision: Decision, response: ResponseHead) -> bool: ...

    def downstream_head(
        self, decision: Decision, head: RequestHead, response: ResponseHead, *, tls: bool, hsts: bool, close: bool = False
    ) -> Relayed: ...


class Present(Timed, Protocol):
    """A visitor, as far as the house needs to know him."""

    def leave(self) -> None:
        """The house closes: end when it is polite to."""

    def cut(self) -> None:
        """It closes now."""

    def cut_upgrade(self) -> None:
        """headscale is about to go: an upgrade that waits for its answer is over."""


@dataclass(slots=True, kw_only=True, eq=False)
class House:
    """`moved` is told whenever a socket that a stop may wait for has closed."""

    clock: IReactorTime
    now: Callable[[], float]
    limits: FrontLimits
    pools: Mapping[Target, Pool]
    park: Park
    sources: Sources
    rates: Rates
    deadlines: Deadlines
    ledger: Ledger
    trusted_proxies: Sequence[Network]
    moved: Callable[[], None]
    memo: Memo = field(default_factory=Memo)
    visitors: dict[Present, None] = field(default_factory=dict)
    tunnels: dict[int, Tunnel] = field(default_factory=dict)  # until both of its sockets are closed
    upstream_ends: int = 0  # sockets of tunnels to headscale

    def enter(self, visitor: Present, source: Source | None) -> None:
        self.ledger.count("connections.accepted")
        self.sources.enter(source)
        self.visitors[visitor] = None
        self.deadlines.watch(visitor)

    def went(self, visitor: Present, source: Source | None) -> None:
        self.deadlines.forget(visitor)
        self.sources.uncount(source)
        self.sources.leave()
        self.visitors.pop(visitor, None)
        self.moved()

    # — tunnels tell; see tunnel.Owner —

    def tunnel_opened(self, tunnel: Tunnel, visitor: Present) -> None:
        """The visitor became a tunnel: he is timed no more, but counts to the total as before."""
        self.deadlines.forget(visitor)
        self.visitors.pop(visitor, None)
        self.tunnels[tunnel.id] = tunnel
        self.upstream_ends += 1
        self.ledger.tunnel_opened(tunnel)

    def tunnel_over(self, tunnel: Tunnel) -> None:
        self.ledger.tunnel_closed(
            tunnel,
            AccessRecord(
                route=tunnel.route,
                method=tunnel.method,
                status=101,
                received=tunnel.inward,
                sent=tunnel.outward,
                seconds=round(self.clock.seconds() - tunnel.started, 6),
                peer=tunnel.client,
                tunnel=True,
                note=tunnel.note,
            ),
        )

    def visitor_end_closed(self, tunnel: Tunnel) -> None:
        self.sources.leave()
        self._end_closed(tunnel)

    def upstream_end_closed(self, tunnel: Tunnel) -> None:
        self.upstream_ends -= 1
        self._end_closed(tunnel)

    def _end_closed(self, tunnel: Tunnel) -> None:
        if not tunnel.open_ends:
            del self.tunnels[tunnel.id]
        self.moved()


@dataclass(slots=True, kw_only=True, eq=False)
class Door:
    """One listener's view of the house. `hsts` is asked for each answer: a certificate may be swapped."""

    house: House
    rules: Rules
    tls: bool
    hsts: Callable[[], bool]

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"
