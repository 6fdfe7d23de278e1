"""An upgraded connection: bytes both ways, unread, until one side ends.

    visitor --received--> Tunnel --write--> upstream
    visitor <--write-- Return <--received-- upstream

Each end is the handler of its own transport. When more was written to one side than it takes, the other side is not read: what waits here is at
most one buffer each way. There is no limit on rest; the kernel finds dead peers. When one side ends, what was read of it is flushed to the other,
which is then closed at once: headscale calls a node offline only when its stream ends.

    BOTH OPEN --one side lost--> the other closing --lost--> over        BOTH OPEN --end()--> both closing --both lost--> over
"""

from __future__ import annotations

from typing import Protocol

from hsadmin.front.transports import Bytes, Transport


class Owner(Protocol):
    """Keeps the books."""

    def tunnel_over(self, tunnel: Tunnel) -> None:
        """The first side has ended; `tunnel.note` says which. Once."""

    def visitor_end_closed(self, tunnel: Tunnel) -> None: ...

    def upstream_end_closed(self, tunnel: Tunnel) -> None: ...


class Tunnel:
    """Made when the 101 has come; the visitor's end, and what is remembered of both.

    `inward` and `outward` count bytes from and to the visitor, heads included; `since` is wall-clock, `started` the reactor's time.
    """

    __slots__ = (
        "_owner",
        "client",
        "id",
        "inward",
        "method",
        "note",
        "open_ends",
        "outward",
        "route",
        "since",
        "started",
        "upstream",
        "visitor",
    )

    def __init__(
        self,
        owner: Owner,
        *,
        id: int,
        route: str,
        method: str,
        client: str,
        since: float,
        started: float,
        inward: int,
        visitor: Transport,
        upstream: Transport,
    ) -> None:
        self._owner = owner
        self.id = id
        self.route = route
        self.method = method
        self.client = client
        self.since = since
        self.started = started
        self.inward = inward
        self.outward = 0
        self.visitor = visitor
        self.upstream = upstream
        self.note = ""
        self.open_ends = 2

    def begin(self, *, to_visitor: bytes, to_upstream: bytes) -> None:
        """Takes both transports over; what was read of either side before travels first."""
        visitor, upstream = self.visitor, self.upstream
        visitor.hand_over(self)
        upstream.hand_over(Return(self))
        visitor.watch_for_death()
        self.outward += len(to_visitor)
        self.inward += len(to_upstream)
        if to_visitor:
            visitor.write(to_visitor)
        if to_upstream:
            upstream.write(to_upstream)
        if upstream.is_blocked:
            visitor.pause()
        else:
            visitor.resume()
        if visitor.is_blocked:
            upstream.pause()
        else:
            upstream.resume()

    def end(self, note: str) -> None:
        """We end it ourselves: both sides are flushed and closed."""
        self._finish(note)
        self.upstream.close()
        self.visitor.close()

    def cut(self) -> None:
        """Both sides at once, unflushed."""
        self._finish("cut")
        self.upstream.abort()
        self.visitor.abort()

    # — the visitor's transport tells —

    def ready(self) -> None:
        """Long ago."""

    def received(self, data: Bytes) -> None:
        self.inward += len(data)
        self.upstream.write(data)

    def blocked(self) -> None:
        self.upstream.pause()

    def drained(self) -> None:
        self.upstream.resume()

    def lost(self, reason: str) -> None:
        self._finish("visitor-ended" if reason == "ended" else "visitor-lost")
        self.upstream.close()
        self.open_ends -= 1
        self._owner.visitor_end_closed(self)

    def upstream_lost(self, reason: str) -> None:
        self._finish("upstream-ended" if reason == "ended" else "upstream-lost")
        self.visitor.close()
        self.open_ends -= 1
        self._owner.upstream_end_closed(self)

    def _finish(self, note: str) -> None:
        if not self.note:
            self.note = note
            self._owner.tunnel_over(self)


class Return:
    """The upstream's side of a tunnel."""

    __slots__ = ("_tunnel", "_visitor")

    def __init__(self, tunnel: Tunnel) -> None:
        self._tunnel = tunnel
        self._visitor = tunnel.visitor

    def ready(self) -> None:
        """Long ago."""

    def received(self, data: Bytes) -> None:
        self._tunnel.outward += len(data)
        self._visitor.write(data)

    def blocked(self) -> None:
        self._visitor.pause()

    def drained(self) -> None:
        self._visitor.resume()

    def lost(self, reason: str) -> None:
        self._tunnel.upstream_lost(reason)
