"""The ledger of a worker: what happened since its last report, to be told in the next one.

The cost of a report must not grow with the tunnels that are open: those that began or ended are noted as they do, and of the others a thousand
a second are looked at for what they have carried.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from hsadmin.front.ledger import Ledger, Stream
from hsadmin.front.wire import Report
from hsadmin.model.front import AccessRecord, OpenStream

MOST_RECORDS = 50_000  # between two reports; the main process does not keep up with more
LOOKED_AT = 250  # tunnels, for each report


class Journal(Ledger):
    """`access` False keeps no records."""

    __slots__ = ("_closed", "_keep", "_known", "_opened", "_records", "_round", "_told")

    def __init__(self, *, first_id: int, access: bool) -> None:
        super().__init__(self._record)
        self._last_id = first_id
        self._keep = access
        self._records: list[AccessRecord] = []
        self._opened: dict[int, None] = {}
        self._closed: list[int] = []
        self._known: dict[int, tuple[int, int]] = {}  # what was told of a tunnel's bytes
        self._round: Iterator[int] = iter(())
        self._told: tuple[dict[str, int], dict[str, int]] = ({}, {})

    def tunnel_opened(self, stream: Stream) -> None:
        super().tunnel_opened(stream)
        self._opened[stream.id] = None

    def tunnel_closed(self, stream: Stream, record: AccessRecord) -> None:
        super().tunnel_closed(stream, record)
        if stream.id in self._opened:
            del self._opened[stream.id]
        elif self._known.pop(stream.id, None) is not None:
            self._closed.append(stream.id)

    def report(self, number: int, now: dict[str, int], *, always: bool = False) -> Report | None:
        """None when there is nothing new, unless `always`. What was taken into a report will not come again."""
        moved = list(self._moved())
        opened = [self._as_open(self.streams[id]) for id in self._opened]
        counts = self.counts()
        if not (always or self._records or opened or self._closed or moved) and self._told == (counts, now):
            return None
        report = Report(number=number, counts=counts, now=now, records=self._records, opened=opened, closed=self._closed, moved=moved)
        self._told = (counts, now)
        self._records, self._closed = [], []
        self._opened.clear()
        return report

    def _record(self, record: AccessRecord) -> None:
        if not self._keep:
            return
        if len(self._records) < MOST_RECORDS:
            self._records.append(record)
        else:
            self.count("access.lost")

    def _as_open(self, stream: Stream) -> OpenStream:
        self._known[stream.id] = (stream.inward, stream.outward)
        return OpenStream(
            id=stream.id, route=stream.route, peer=stream.client, since=stream.since, received=stream.inward, sent=stream.outward
        )

    def _moved(self) -> Iterator[tuple[int, int, int]]:
        looked = list(islice(self._round, LOOKED_AT))
        if not looked:
            self._round = iter(list(self._known))
            looked = list(islice(self._round, LOOKED_AT))
        for id in looked:
            stream = self.streams.get(id)
            if stream is not None and self._known[id] != (stream.inward, stream.outward):
                self._known[id] = (stream.inward, stream.outward)
                yield id, stream.inward, stream.outward
