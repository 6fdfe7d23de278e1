"""What hsadmin's public port costs, beside nginx, a Go proxy and no front at all, in one run.

python -m bench [--short | --long]

First the front check; then rounds of all fronts in turn (A B C, C B A, …), everything on one processor, so that a noisy neighbour and
whatever drifts hit all alike, and no wake-up of another core is charged to anybody. CPU is read from the front's own process clocks around the
measured part. The return of a herd and the tail of round trips are measured on all processors. --short also measures the previous commit.
Raw figures are kept in contrib/bench/results, one JSON object a line.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import json
import os
import platform
import random
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import goals, load, report, tools
from bench.checks.__main__ import check
from bench.fronts import Direct, Front, Place, goproxy, nginx
from bench.load import Figures, Load
from bench.previous import base, checked_out, git
from bench.processes import NotStarted, ended_by_signals, pinned, pss_kib, raise_file_limit
from bench.product import Product

RESULTS = tools.HERE / "results"
FILES = 24_000  # 9,800 tunnels are twice as many in a front
IDLE_ROUNDS = 3  # of the long form: memory hardly varies, and a round takes minutes
PAIR = ("workers 0", "previous")  # measured once more than the others, since their difference is small
Make = Callable[..., Front]


class Run:
    """One run: its fronts, and what was measured."""

    def __init__(self, place: Place, raw: Path, only: set[str]) -> None:
        self.place, self._raw, self._only = place, raw, only
        self.records: list[dict[str, Any]] = []
        self.fronts: dict[str, Make] = {}
        self._processors = os.sched_getaffinity(0)
        if place.nginx:
            self.fronts["nginx"] = lambda: nginx(place)
        else:
            say("nginx is not here and cannot be fetched: compared with the Go proxy only")
        self.fronts["goproxy"] = lambda: goproxy(place)
        self.fronts["direct"] = lambda: Direct(place)

    def note(self, row: str, front: str, number: int, figures: Figures | None) -> None:
        if figures is None:
            return
        record = {"row": row, "front": front, "round": number, **figures}
        self.records.append(record)
        with self._raw.open("a") as raw:
            raw.write(json.dumps(record) + "\n")
        told = {k: report.figure(v) for k, v in figures.items() if k in SHOWN and isinstance(v, int | float)}
        say(f"{number} {front:12} {row:12} " + "  ".join(f"{k} {v}" for k, v in told.items()) + str(figures.get("error", "")))

    def wanted(self, *rows: str) -> bool:
        return not self._only or not self._only.isdisjoint(rows)

    @contextlib.contextmanager
    def front(self, make: Make, *, pin: bool = True, **more: Any) -> Iterator[tuple[Front, Load]]:
        with pinned({max(self._processors)} if pin else self._processors):
            front = make(**more)
            try:
                yield front, Load(self.place.programs.loadgen, front)
            finally:
                front.stop()

    # — what is measured —

    def rows(self, rows: dict[str, list[str]], number: int, *, among: tuple[str, ...] = ()) -> None:
        """The rows that the load generator measures by itself, on one start of each front, or of those that are named."""
        rows = {name: arguments for name, arguments in rows.items() if self.wanted(name)}
        for name, make in self._in_turn(number, self.fronts, among):
            asked = {row: rows[row] for row in rows if name != "nginx_tuned" or row in load.TUNED}
            if asked:
                with self.front(make) as (_, generator):
                    for row, arguments in asked.items():
                        self.note(row, name, number, generator.row(arguments))

    def idle(self, count: int, number: int, *, window: float = 0, probe: bool = False, among: tuple[str, ...] = ()) -> None:
        for name, make in self._in_turn(number, self._counted(), among):
            for row, burst in (("idle", 0), ("burst", load.BURST)):
                if not self.wanted(row):
                    continue
                more = {"probe": True} if probe and name in report.PRODUCTS and not burst else {}
                with self.front(make, **more) as (front, generator):
                    pids = front.pids()
                    worker = {"worker_mib": pss_kib(pids[1:]) / 1024} if name == "workers 1" else {}
                    figures = generator.idle(count, burst=burst, window=0 if burst else window)
                    self.note(row, name, number, {**figures, **worker})

    def herd(self, count: int, number: int) -> None:
        for name, make in self._in_turn(number, self._counted()):
            if self.wanted("herd"):
                with self.front(make, pin=False) as (_, generator):
                    self.note("herd", name, number, generator.herd(count))

    def tail(self, number: int) -> None:
        for name in report.PRODUCTS:
            if name in self.fronts and self.wanted("tail"):
                with self.front(self.fronts[name], pin=False, probe=True) as (front, generator):
                    assert isinstance(front, Product)
                    self.note("tail", name, number, generator.tail(front, working=False))
                    self.note("tail_working", name, number, generator.tail(front, working=True))

    def _counted(self) -> dict[str, Make]:
        """Fronts that have a memory and a clock of their own."""
        return {name: make for name, make in self.fronts.items() if name not in ("direct", "nginx_tuned")}

    @staticmethod
    def _in_turn(number: int, fronts: dict[str, Make], among: tuple[str, ...] = ()) -> list[tuple[str, Make]]:
        """Every other round goes backwards."""
        chosen = [(name, make) for name, make in fronts.items() if not among or name in among]
        return chosen[::-1] if number % 2 else chosen


SHOWN = (
    "cpu_us",
    "cpu_s_per_gib",
    "p50_us",
    "p99_us",
    "max_us",
    "kib_per_tunnel",
    "idle_cpu_percent",
    "back_s",
    "cpu_s",
    "failed",
    "errors",
    "collection_ms",
)


def say(text: str) -> None:
    print(text, flush=True)


def machine(place: Place) -> dict[str, Any]:
    """With what it was measured."""
    cpu = next((line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "kernel": platform.release(),
        "cpu": f"{cpu}, {os.cpu_count()} processors",
        "python": sys.version.split()[0],
        "openssl": ssl.OPENSSL_VERSION,
        "nginx": tools.version_of(place.nginx, "-v") if place.nginx else "",
        "go": tools.version_of("go", "version", place.programs.goproxy).rpartition(": ")[2],
    }


def _lines(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(path).read_text(errors="replace").splitlines()
    return []


def products(run: Run, *, wanted: str) -> None:
    """hsadmin as far as it knows front workers; each passes the front check first. Raises SystemExit when one does not."""
    for workers in (1, 0):
        if str(workers) not in wanted.split(","):
            continue
        make = functools.partial(Product, run.place, workers=workers)
        try:
            failed = check(run.place, workers=workers, seed=random.randrange(1 << 30))
        except NotStarted as fault:
            if workers == 0:
                raise
            say(f"front.workers {workers} is not measured: {fault}")
            continue
        if failed:
            raise SystemExit("The front check failed; no number counts before it passes.")
        run.fronts[f"workers {workers}"] = make


def short(run: Run, rounds: int, folder: Path) -> None:
    run.fronts.pop("direct")
    revision = base()
    with checked_out(revision, folder) as tree:
        if tree is not None and "workers 0" in run.fronts:
            run.fronts["previous"] = functools.partial(Product, run.place, source=tree)
        for number in range(rounds):
            run.rows(dict(load.SHORT), number)
        run.rows(dict(load.SHORT), rounds, among=PAIR)
        run.idle(1000, 0)
        run.idle(1000, 1, among=PAIR)
    results = goals.Results(run.records)
    finish(results)
    if "previous" in run.fronts:
        say("\n" + report.changes(results, f"{revision} ({git('rev-parse', '--short', revision)})"))


def long(run: Run, rounds: int, most: int) -> None:
    if run.place.nginx:
        run.fronts["nginx_tuned"] = lambda: nginx(run.place, tuned=True)
    for number in range(rounds):
        run.rows(dict(load.LONG), number)
        run.herd(2000, number)
        run.tail(number)
        if number < IDLE_ROUNDS:
            run.idle(most, number, window=20, probe=True)
    finish(goals.Results(run.records))


def finish(results: goals.Results) -> None:
    for front in report.PRODUCTS:
        if front in results.fronts():
            say("\n" + report.goal_table(results, front))
    say("\n" + report.costs(results))
    say("\n" + report.supervised(results))
    for error in results.errors():
        say(f"errors: {error}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="run", description=__doc__.partition("\n")[0])
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="three minutes, and the previous commit beside it (the default)")
    length.add_argument("--long", action="store_true", help="everything, as the goals are stated")
    parser.add_argument("--rounds", type=int, help="3 in the short form, 5 in the long one")
    parser.add_argument("--rows", default="", help="only these, by the names in the output: get64,idle,…")
    parser.add_argument("--workers", default="1,0", help="which front.workers are measured")
    parser.add_argument("--python", help="an interpreter that has hsadmin's packages, in place of .venv's")
    options = parser.parse_args()
    began = time.monotonic()
    files = raise_file_limit(FILES)
    RESULTS.mkdir(exist_ok=True)
    raw = RESULTS / f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{'long' if options.long else 'short'}.jsonl"
    with ended_by_signals(), tempfile.TemporaryDirectory(prefix="hb-") as folder:
        place = Place(Path(folder), tools.go_programs(), tools.nginx(), tools.certificate(Path(folder)))
        raw.write_text(json.dumps(machine(place)) + "\n")
        say("\n".join(f"{name:8} {value}" for name, value in machine(place).items()))
        run = Run(place, raw, set(filter(None, options.rows.split(","))))
        products(run, wanted=options.workers)
        if options.long:
            long(run, options.rounds or 5, min(9800, (files - 400) // 2))
        else:
            short(run, options.rounds or 3, Path(folder))
    say(f"\n{time.monotonic() - began:.0f} s; raw figures in {raw.relative_to(tools.HERE.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
