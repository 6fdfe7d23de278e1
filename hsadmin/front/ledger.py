"""What the front remembers of its traffic: counters by stable dotted names, open tunnels, one record per finished request or tunnel.

Bytes of a tunnel are counted in the tunnel itself, two plain additions; `counters` adds those of open tunnels when somebody asks, so that the
figures rise while streams are open and nothing is counted twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from hsadmin.model.front import AccessRecord, OpenStream


class Stream(Protocol):
    """An open tunnel, as far as counting goes."""

    id: int
    route: str
    client: str
    since: float
    inward: int
    outward: int


class Ledger:
    """`access` gets every record once."""

    __slots__ = ("_access", "_counts", "_last_id", "streams")

    def __init__(self, access: Callable[[AccessRecord], None]) -> None:
        self._access = access
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._last_id = 0
        self.streams: dict[int, Stream] = {}

    def count(self, name: str) -> None:
        self._counts[name] += 1

    def refused(self, word: str) -> None:
        self._counts["refused." + word] += 1

    def record(self, record: AccessRecord) -> None:
        counts = self._counts
        counts["requests." + record.route] += 1
        if record.status:
            counts[f"answers.{record.status // 100}xx"] += 1
        counts[f"bytes.{record.route}.received"] += record.received
        counts[f"bytes.{record.route}.sent"] += record.sent
        self._access(record)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def tunnel_opened(self, stream: Stream) -> None:
        self._counts["tunnels.opened"] += 1
        self.streams[stream.id] = stream

    def tunnel_closed(self, stream: Stream, record: AccessRecord) -> None:
        if self.streams.pop(stream.id, None) is not None:
            self._counts["tunnels.closed"] += 1
            self.record(record)

    def counts(self) -> dict[str, int]:
        """Without the bytes of tunnels that are open."""
        return dict(self._counts)

    def counters(self) -> Mapping[str, int]:
        counts = self.counts()
        for stream in self.streams.values():
            for name, value in ((f"bytes.{stream.route}.received", stream.inward), (f"bytes.{stream.route}.sent", stream.outward)):
                counts[name] = counts.get(name, 0) + value
        return counts

    def open_streams(self) -> Sequence[OpenStream]:
        return [
            OpenStream(id=one.id, route=one.route, peer=one.client, since=one.since, received=one.inward, sent=one.outward)
            for one in self.streams.values()
        ]
