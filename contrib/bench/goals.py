"""The goals, and how a run stands to them.

A goal compares one figure of one row with the same figure of other fronts (`ratios`: at most so many times), with an absolute bound
(`at_most`), or with another row of the same front (`above`: at most `at_most` more; `times`: at most `at_most` times). All that it names must
hold. Ratios are of medians over rounds; a range is that of the ratios within each round, whose parts were measured next to each other.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Record = Mapping[str, Any]
LENIENCY = 1.4  # of what is asked with front.workers 1, in the main process
PERCENT_MORE, KIB_MORE = 10.0, 1.0  # than the previous commit, before it is marked


class Goal(NamedTuple):
    title: str
    row: str
    figure: str
    unit: str
    ratios: Mapping[str, float] = {}
    at_most: float | None = None
    above: str = ""
    times: str = ""
    worker: bool = False  # asked of front workers only


_CPU, _GIB, _KIB = ("cpu_us", "µs CPU"), ("cpu_s_per_gib", "CPU s/GiB"), ("kib_per_tunnel", "KiB")
_DOWN = {"nginx": 0.70, "nginx_tuned": 1.0, "goproxy": 1.1}
_UP = {"nginx": 0.95, "goproxy": 1.15}
_RECORDS = {"nginx": 1.5, "goproxy": 1.3}

GOALS: Sequence[Goal] = (
    Goal("small GET, 64 connections", "get64", *_CPU, {"nginx": 1.2, "goproxy": 0.25}),
    Goal("small GET, 1 connection", "get1", "p50_us", "µs p50", {"nginx": 1.35}),
    Goal("full handshake", "handshake", *_CPU, {"nginx": 1.0}),
    Goal("open a tunnel, x16", "open16", *_CPU, {"nginx": 1.05, "goproxy": 0.85}),
    Goal("open a tunnel, x16: tail", "open16", "p99_us", "µs p99", {"nginx": 1.0}),
    Goal("message round trip, 64 tunnels", "trips64", *_CPU, {"nginx": 1.25, "goproxy": 1.2}),
    Goal("bulk down, 1 tunnel", "down1", *_GIB, _DOWN),
    Goal("bulk down, 64 tunnels", "down64", *_GIB, _DOWN),
    Goal("bulk up, 1 tunnel", "up1", *_GIB, _UP),
    Goal("bulk up, 64 tunnels", "up64", *_GIB, _UP),
    Goal("1 KiB records up, 1 tunnel", "records1", *_GIB, _RECORDS),
    Goal("1 KiB records up, 64 tunnels", "records64", *_GIB, _RECORDS),
    Goal("idle tunnel", "idle", *_KIB, {"nginx": 0.35, "goproxy": 0.25}, at_most=15),
    Goal("idle tunnel after 256 KiB", "burst", *_KIB, at_most=0.5, above="idle"),
    Goal("idle CPU", "idle", "idle_cpu_percent", "% of a core", {"goproxy": 1.0}),
    Goal("clients back after SIGKILL: time", "herd", "back_s", "s", {"nginx": 0.9}),
    Goal("clients back after SIGKILL: CPU", "herd", "cpu_s", "s CPU", {"nginx": 0.9}),
    Goal("clients back: failed first tries", "herd", "failed", "", at_most=0),
    Goal("full garbage collection, all tunnels idle", "idle", "collection_ms", "ms", at_most=10),
    Goal("front worker, empty", "idle", "worker_mib", "MiB", at_most=35, worker=True),
    Goal("worst round trip beside 50 ms of work", "tail_working", "max_us", "µs", at_most=2.0, times="tail"),
)


class Verdict(NamedTuple):
    """One comparison of one goal. `ratio`: whether `measured` is a ratio to `against`, or a value of its own."""

    goal: Goal
    against: str
    limit: float
    measured: float
    low: float
    high: float
    own: float  # the front's own figure

    @property
    def holds(self) -> bool:
        return self.measured <= self.limit


class Results:
    """All records of a run: one for each row, front and round."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._values: dict[tuple[str, str], dict[int, Record]] = {}
        for record in records:
            self._values.setdefault((record["row"], record["front"]), {})[record["round"]] = record

    def fronts(self) -> list[str]:
        return list(dict.fromkeys(front for _, front in self._values))

    def errors(self) -> Iterator[str]:
        for (row, front), rounds in self._values.items():
            for number, record in rounds.items():
                if record.get("error") or record.get("errors"):
                    yield f"{front}, {row}, round {number}: {record.get('error') or record['errors']} errors"

    def by_round(self, row: str, front: str, figure: str) -> dict[int, float]:
        """Rounds with an error count nothing."""
        found = self._values.get((row, front), {})
        return {n: float(r[figure]) for n, r in found.items() if r.get(figure) is not None and not r.get("error")}

    def median(self, row: str, front: str, figure: str) -> float | None:
        values = self.by_round(row, front, figure).values()
        return statistics.median(values) if values else None

    def ratios(self, row: str, front: str, other: str, figure: str, *, other_row: str = "") -> tuple[float, float, float] | None:
        """Of medians; and the lowest and highest within a round."""
        mine, theirs = self.by_round(row, front, figure), self.by_round(other_row or row, other, figure)
        if not mine or not theirs or not all(theirs.values()):
            return None
        within = [mine[n] / theirs[n] for n in mine if n in theirs] or [0.0]
        return statistics.median(mine.values()) / statistics.median(theirs.values()), min(within), max(within)

    def judge(self, goal: Goal, front: str, leniency: float) -> Iterator[Verdict]:
        """Nothing where something was not measured."""
        mine = self.by_round(goal.row, front, goal.figure)
        if not mine:
            return
        own = statistics.median(mine.values())
        for other, limit in goal.ratios.items():
            if found := self.ratios(goal.row, front, other, goal.figure):
                yield Verdict(goal, other, limit * leniency, *found, own)
        if goal.times:
            if goal.at_most is not None and (found := self.ratios(goal.row, front, front, goal.figure, other_row=goal.times)):
                yield Verdict(goal, "without", goal.at_most * leniency, *found, own)
        elif goal.at_most is not None:
            base = self.by_round(goal.above, front, goal.figure) if goal.above else dict.fromkeys(mine, 0.0)
            if base:
                middle = statistics.median(base.values())
                values = [value - base.get(n, middle) for n, value in mine.items()]
                yield Verdict(goal, "", goal.at_most * leniency, own - middle, min(values), max(values), own)


def regressions(results: Results, front: str, previous: str) -> Iterator[tuple[Goal, float, float, bool]]:
    """Each cost now and at the previous commit, and whether it is to be marked: its median is too much higher, and no round says otherwise."""
    seen = set()
    for goal in GOALS:
        now, before = (results.median(goal.row, name, goal.figure) for name in (front, previous))
        if now is None or before is None or (goal.row, goal.figure) in seen or goal.figure not in (_CPU[0], _GIB[0], _KIB[0]):
            continue
        seen.add((goal.row, goal.figure))
        found = results.ratios(goal.row, front, previous, goal.figure)
        more = now - before > KIB_MORE if goal.figure == _KIB[0] else now > before * (1 + PERCENT_MORE / 100)
        yield goal, now, before, more and found is not None and found[1] > 1.0
