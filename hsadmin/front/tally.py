"""The front's figures when several processes do its work. Pure: reports in, sums out.

Counters only rise, whatever becomes of a worker: what a dead one had counted stays, and its tunnels count as ended, with the bytes that were
last told of them. What it counted after its last report, a quarter of a second before, is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from hsadmin.front.wire import Report
from hsadmin.model.front import AccessRecord, OpenStream

LOST = "worker-lost"


class _Share:
    """What one worker has told."""

    __slots__ = ("carried", "counts", "now", "streams")

    def __init__(self) -> None:
        self.counts: Mapping[str, int] = {}
        self.now: Mapping[str, int] = {}
        self.streams: dict[int, OpenStream] = {}
        self.carried: Counter[str] = Counter()  # by open tunnels


class Tally:
    """Workers are told apart by any number of theirs."""

    def __init__(self) -> None:
        self._shares: dict[int, _Share] = {}
        self._ended: Counter[str] = Counter()

    def began(self, worker: int) -> None:
        self._shares[worker] = _Share()

    def count(self, name: str) -> None:
        """Something that the main process itself saw."""
        self._ended[name] += 1

    def told(self, worker: int, report: Report) -> None:
        share = self._shares[worker]
        share.counts, share.now = report.counts, report.now
        for stream in report.opened:
            share.streams[stream.id] = stream
            _carry(share.carried, stream, 1)
        for id, received, sent in report.moved:
            known = share.streams.get(id)
            if known is not None:
                _carry(share.carried, known, -1)
                share.streams[id] = moved = msgspec.structs.replace(known, received=received, sent=sent)
                _carry(share.carried, moved, 1)
        for id in report.closed:
            gone = share.streams.pop(id, None)
            if gone is not None:
                _carry(share.carried, gone, -1)

    def ended(self, worker: int, now: float) -> list[AccessRecord]:
        """The records that a worker that is gone still owes: one for each tunnel that went with it."""
        share = self._shares.pop(worker, None)
        if share is None:
            return []
        self._ended.update(share.counts)
        self._ended.update(share.carried)
        records = []
        for stream in share.streams.values():
            self._ended.update(("tunnels.closed", f"requests.{stream.route}", "answers.1xx"))
            records.append(
                AccessRecord(
                    route=stream.route,
                    method="",
                    status=101,
                    received=stream.received,
                    sent=stream.sent,
                    seconds=round(max(0.0, now - stream.since), 6),
                    peer=stream.peer,
                    tunnel=True,
                    note=LOST,
                )
            )
        return records

    def counters(self) -> dict[str, int]:
        sums = Counter(self._ended)
        for share in self._shares.values():
            sums.update(share.counts)
            sums.update(share.now)
            sums.update(share.carried)
        return dict(sums)

    def open_streams(self) -> Sequence[OpenStream]:
        """Oldest first."""
        streams = [stream for share in self._shares.values() for stream in share.streams.values()]
        return sorted(streams, key=lambda stream: stream.since)


def _carry(carried: Counter[str], stream: OpenStream, sign: int) -> None:
    carried[f"bytes.{stream.route}.received"] += sign * stream.received
    carried[f"bytes.{stream.route}.sent"] += sign * stream.sent
