"""What is done to a front: the rows of a run, each measured by the load generator or beside it."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.fronts import Front
from bench.processes import HOST, cpu_seconds, pss_kib
from bench.product import Product
from bench.tools import NAME

Figures = dict[str, Any]
LONGEST = 300.0  # seconds that one row may take
SETTLING = 1.5
BURST = 256 * 1024
MIB = 1 << 20


def _stream(direction: str, tunnels: int, total: int, size: int = 65536) -> list[str]:
    return ["stream", "-dir", direction, "-tunnels", str(tunnels), "-total", str(total), "-msg", str(size)]


def _trips(tunnels: int, count: int) -> list[str]:
    return ["trips", "-tunnels", str(tunnels), "-n", str(count), "-msg", "100"]


SHORT: Mapping[str, list[str]] = {
    "get64": ["get", "-conns", "64", "-dur", "1s", "-warm", "300ms"],
    "handshake": ["handshake", "-conns", "8", "-n", "600"],
    "open16": ["open", "-conns", "16", "-n", "500"],
    "trips64": _trips(64, 16_000),
    "down64": _stream("down", 64, 6 * MIB),
    "up64": _stream("up", 64, 6 * MIB),
}
LONG: Mapping[str, list[str]] = {
    "get1": ["get", "-conns", "1", "-dur", "2s"],
    "get64": ["get", "-conns", "64", "-dur", "3s"],
    "handshake": ["handshake", "-conns", "8", "-n", "2000"],
    "open16": ["open", "-conns", "16", "-n", "1600"],
    "trips64": _trips(64, 48_000),
    "down1": _stream("down", 1, 512 * MIB),
    "down64": _stream("down", 64, 8 * MIB),
    "up1": _stream("up", 1, 512 * MIB),
    "up64": _stream("up", 64, 8 * MIB),
    "records1": _stream("up", 1, 64 * MIB, 1024),
    "records64": _stream("up", 64, MIB, 1024),
}
TUNED = ("down1", "down64")  # what nginx_tuned is asked
TAIL = _trips(8, 150_000)


class Load:
    """The load generator, against one front."""

    def __init__(self, program: Path, front: Front) -> None:
        self._program, self._front = program, front

    def row(self, arguments: Sequence[str]) -> Figures:
        """A row that the load generator measures by itself."""
        beside = self._front.supervised()
        before = cpu_seconds(beside)
        with self._running(arguments) as running:
            figures = _line(running)
        if beside:
            figures["supervised_cpu_s"] = cpu_seconds(beside) - before
        if not self._front.pids():
            figures = {name: value for name, value in figures.items() if not name.startswith("cpu")}
        return figures

    def tail(self, product: Product, *, working: bool) -> Figures | None:
        """Round trips while the main process works 50 ms twice a second, or does not; None when it cannot be made to."""
        if not product.work():
            return None
        with self._running(TAIL) as running:
            over = threading.Event()

            def work() -> None:
                while not over.wait(0.5) and product.work():
                    pass

            worker = threading.Thread(target=work if working else over.wait)
            worker.start()
            try:
                return _line(running)
            finally:
                over.set()
                worker.join()

    def idle(self, count: int, *, burst: int = 0, window: float = 0) -> Figures:
        """Memory for each tunnel that does nothing, after `burst` bytes sent down each; CPU while idle for `window` seconds."""
        front = self._front
        self.row(["open", "-conns", "1", "-n", "10"])  # what is imported or allocated once belongs to no tunnel
        time.sleep(0.5)
        pids = front.pids()
        empty = pss_kib(pids)
        with self._running(["idle", "-steps", str(count), "-burst", str(burst)]) as running:
            figures = _line(running)
            if "error" in figures:
                return figures
            time.sleep(SETTLING)
            figures["kib_per_tunnel"] = (pss_kib(pids) - empty) / count
            figures["empty_mib"] = empty / 1024
            if len(pids) > 1:
                figures["processes_mib"] = [pss_kib([pid]) / 1024 for pid in pids]
            if supervised := front.supervised():
                figures["supervised_mib"] = pss_kib(supervised) / 1024
            if window:
                began, before = time.monotonic(), cpu_seconds(pids)
                time.sleep(window)
                figures["idle_cpu_percent"] = (cpu_seconds(pids) - before) / (time.monotonic() - began) * 100
            if isinstance(front, Product):
                figures["collection_ms"] = front.collect(pids[-1])
        return figures

    def herd(self, count: int) -> Figures:
        """How `count` tunnels come back after SIGKILL of the upstream."""
        with self._running(["herd", "-tunnels", str(count)]) as running:
            figures = _line(running)
            if "error" in figures:
                return figures
            time.sleep(1)
            assert running.stdin is not None
            running.stdin.write("\n")
            running.stdin.flush()
            self._front.restart_upstream()
            figures = _line(running)
            figures["back_s"] = figures.get("max_us", 0.0) / 1e6
            return figures

    @contextmanager
    def _running(self, arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        where = ["-addr", f"{HOST}:{self._front.port}", "-host", NAME, "-pids", ",".join(map(str, self._front.pids()))]
        running = subprocess.Popen(
            [str(self._program), arguments[0], *where, *arguments[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        watch = threading.Timer(LONGEST, running.kill)
        watch.start()
        try:
            yield running
        finally:
            watch.cancel()
            running.kill()
            with suppress(OSError):
                running.communicate()


def _line(running: subprocess.Popen[str]) -> Figures:
    assert running.stdout is not None
    said = running.stdout.readline()
    return dict(json.loads(said)) if said.strip() else {"error": "the load generator ended without a word"}
